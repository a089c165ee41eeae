//! Accounts.

use crate::store::{
    AccountId, CodeId, StoreError,
    accounts::{Account, By, Code, Post, PostClaim, Purpose, Registered, Tried},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

const ACCOUNT: &str =
    "account.id, account.name, account.email_key, account.email, account.password, account.created_at_s";

fn read(row: &Row<'_>) -> Result<Account, rusqlite::Error> {
    Ok(Account {
        id: AccountId(row.get(0)?),
        name: row.get(1)?,
        email_key: row.get(2)?,
        email: row.get(3)?,
        password: row.get(4)?,
        created_at_s: row.get(5)?,
    })
}

pub(super) fn post(c: &Connection, post: &Post, now_s: i64) -> Result<(), StoreError> {
    c.prepare_cached("INSERT INTO account_mail (sealed, due_at_s, expires_at_s) VALUES (?, ?, ?)")?
        .execute(params![post.sealed, now_s, post.expires_at_s])?;
    Ok(())
}

pub(super) fn issue(c: &Connection, code: &Code, mail: Option<&Post>) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT OR REPLACE INTO account_code
         (id, purpose, account, email_key, email, digest, tries_left, sent_at_s, expires_at_s, about)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        code.id.0,
        code.purpose as u8,
        code.account.map(|id| id.0),
        code.email_key,
        code.email,
        code.digest,
        code.tries_left,
        code.sent_at_s,
        code.expires_at_s,
        code.about
    ])?;
    mail.map_or(Ok(()), |mail| post(c, mail, code.sent_at_s))
}

pub(super) fn code(c: &Connection, id: CodeId, now_s: i64) -> Result<Option<Code>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT purpose, account, email_key, email, digest, tries_left, sent_at_s, expires_at_s, about
         FROM account_code WHERE id = ? AND expires_at_s > ?",
    )?;
    let row = statement.query_row(params![id.0, now_s], |row| {
        Ok(Code {
            id,
            purpose: match row.get::<_, u8>(0)? {
                1 => Purpose::SignUp,
                2 => Purpose::Forgot,
                3 => Purpose::NewEmail,
                _ => Purpose::Transfer,
            },
            account: row.get::<_, Option<[u8; 16]>>(1)?.map(AccountId),
            email_key: row.get(2)?,
            email: row.get(3)?,
            digest: row.get(4)?,
            tries_left: row.get(5)?,
            sent_at_s: row.get(6)?,
            expires_at_s: row.get(7)?,
            about: row.get(8)?,
        })
    });
    Ok(row.optional()?)
}

pub(super) fn try_code(
    c: &Connection,
    id: CodeId,
    purpose: Purpose,
    digest: [u8; 32],
    now_s: i64,
) -> Result<Tried, StoreError> {
    let Some(code) = code(c, id, now_s)?.filter(|code| code.purpose == purpose && code.tries_left > 0) else {
        return Ok(Tried::Over);
    };
    // Both are keyed hashes: how long the comparing takes tells nothing of either code.
    if code.digest == Some(digest) {
        return Ok(Tried::Right(code));
    }
    let left = code.tries_left - 1;
    c.prepare_cached("UPDATE account_code SET tries_left = ? WHERE id = ?")?.execute(params![left, id.0])?;
    Ok(if left == 0 { Tried::Over } else { Tried::Wrong { left } })
}

pub(super) fn use_up(c: &Connection, code: CodeId) -> Result<bool, StoreError> {
    Ok(c.prepare_cached("DELETE FROM account_code WHERE id = ?")?.execute([code.0])? == 1)
}

pub(super) fn register(c: &Connection, code: CodeId, new: &Account) -> Result<Registered, StoreError> {
    let name_key = new.name.to_ascii_lowercase();
    let taken = |column: &str, value: &dyn rusqlite::ToSql| -> Result<bool, StoreError> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM account WHERE {column} = ?)");
        Ok(c.prepare_cached(&sql)?.query_row([value], |row| row.get(0))?)
    };
    if taken("name_key", &name_key)? {
        return Ok(Registered::NameTaken);
    }
    if !use_up(c, code)? || taken("email_key", &new.email_key)? {
        return Ok(Registered::Gone);
    }
    c.prepare_cached(
        "INSERT INTO account (id, name, name_key, email_key, email, password, created_at_s)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.id.0,
        new.name,
        name_key,
        new.email_key,
        new.email,
        new.password,
        new.created_at_s
    ])?;
    Ok(Registered::Done)
}

pub(super) fn account(c: &Connection, by: &By) -> Result<Option<Account>, StoreError> {
    let find = |column: &str, value: &dyn rusqlite::ToSql| {
        let sql = format!("SELECT {ACCOUNT} FROM account WHERE {column} = ?");
        c.prepare_cached(&sql)?.query_row([value], read).optional()
    };
    Ok(match by {
        By::Name(name) => find("name_key", name)?,
        By::Email(key) => find("email_key", key)?,
    })
}

pub(super) fn set_password(
    c: &Connection,
    id: AccountId,
    password: &str,
    notice: &Post,
    now_s: i64,
) -> Result<(), StoreError> {
    c.execute("UPDATE account SET password = ? WHERE id = ?", params![password, id.0])?;
    c.execute("DELETE FROM account_session WHERE account = ?", [id.0])?;
    c.execute("DELETE FROM account_code WHERE account = ?", [id.0])?;
    post(c, notice, now_s)
}

pub(super) fn set_email(
    c: &Connection,
    id: AccountId,
    proof: CodeId,
    notice: &Post,
    now_s: i64,
) -> Result<Registered, StoreError> {
    let Some(code) = code(c, proof, now_s)?.filter(|code| code.account == Some(id)) else {
        return Ok(Registered::Gone);
    };
    if account(c, &By::Email(code.email_key))?.is_some() {
        use_up(c, proof)?;
        return Ok(Registered::Gone);
    }
    let values = params![code.email_key, code.email, id.0];
    c.execute("UPDATE account SET email_key = ?, email = ? WHERE id = ?", values)?;
    // Codes that went to the old address are worth nothing any more.
    c.execute("DELETE FROM account_code WHERE account = ?", [id.0])?;
    post(c, notice, now_s)?;
    Ok(Registered::Done)
}

pub(super) fn remove(c: &Connection, id: AccountId, notice: &Post, now_s: i64) -> Result<(), StoreError> {
    c.execute("DELETE FROM account WHERE id = ?", [id.0])?;
    post(c, notice, now_s)
}

pub(super) fn sign_in(
    c: &Connection,
    digest: [u8; 32],
    id: AccountId,
    expires_at_s: i64,
) -> Result<(), StoreError> {
    c.prepare_cached("INSERT INTO account_session (digest, account, expires_at_s) VALUES (?, ?, ?)")?
        .execute(params![digest, id.0, expires_at_s])?;
    Ok(())
}

pub(super) fn session(c: &Connection, digest: [u8; 32], now_s: i64) -> Result<Option<Account>, StoreError> {
    let sql = format!(
        "SELECT {ACCOUNT} FROM account_session JOIN account ON account.id = account_session.account
         WHERE digest = ? AND expires_at_s > ?"
    );
    Ok(c.prepare_cached(&sql)?.query_row(params![digest, now_s], read).optional()?)
}

pub(super) fn sign_out(c: &Connection, digest: [u8; 32]) -> Result<(), StoreError> {
    c.execute("DELETE FROM account_session WHERE digest = ?", [digest])?;
    Ok(())
}

pub(super) fn sign_out_everywhere(c: &Connection, id: AccountId) -> Result<(), StoreError> {
    c.execute("DELETE FROM account_session WHERE account = ?", [id.0])?;
    Ok(())
}

pub(super) fn claim_post(c: &Connection, now_s: i64, lease_s: i64) -> Result<Option<PostClaim>, StoreError> {
    let claimed = c
        .prepare_cached(
            "UPDATE account_mail SET attempts = attempts + 1, due_at_s = ?2
             WHERE id = (SELECT id FROM account_mail WHERE due_at_s <= ?1 ORDER BY due_at_s LIMIT 1)
             RETURNING id, sealed, attempts, expires_at_s",
        )?
        .query_row(params![now_s, now_s + lease_s], |row| {
            Ok(PostClaim {
                id: row.get(0)?,
                sealed: row.get(1)?,
                attempts: row.get(2)?,
                expires_at_s: row.get(3)?,
            })
        })
        .optional()?;
    Ok(claimed)
}

pub(super) fn settle_post(c: &Connection, id: i64, again_at_s: Option<i64>) -> Result<(), StoreError> {
    match again_at_s {
        Some(at_s) => c.execute("UPDATE account_mail SET due_at_s = ? WHERE id = ?", [at_s, id])?,
        None => c.execute("DELETE FROM account_mail WHERE id = ?", [id])?,
    };
    Ok(())
}

pub(super) fn tidy(c: &Connection, now_s: i64) -> Result<(), StoreError> {
    c.execute("DELETE FROM account_session WHERE expires_at_s <= ?", [now_s])?;
    c.execute("DELETE FROM account_code WHERE expires_at_s <= ?", [now_s])?;
    c.execute("DELETE FROM account_mail WHERE expires_at_s <= ?", [now_s])?;
    Ok(())
}
