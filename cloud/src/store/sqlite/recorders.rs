//! Whose recorders are whose.

use super::{
    accounts::{post, use_up},
    fleet::{IS_ONLINE, SINCE, read_presence},
};
use crate::store::{
    AccountId, OfferId, RecorderId, StoreError,
    recorders::{Acceptance, EndOffer, Found, Holder, Kept, NewOffer, NewRecorder, Offer, Offered, Recorder},
};
use latchkey_protocol::Handle;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

fn read(row: &Row<'_>) -> Result<Recorder, rusqlite::Error> {
    let handle = Handle(row.get(1)?);
    let offer: Option<[u8; 16]> = row.get(7)?;
    let presence = row.get::<_, Option<i64>>(11)?.map(|_| read_presence(row, handle, 10)).transpose()?;
    Ok(Recorder {
        id: RecorderId(row.get(0)?),
        handle,
        serial: row.get(2)?,
        model: row.get(3)?,
        name: row.get(4)?,
        added_at_s: row.get(5)?,
        revoked_at_s: row.get(6)?,
        presence,
        offer: match offer {
            Some(id) => Some(Offer { id: OfferId(id), email: row.get(8)?, expires_at_s: row.get(9)? }),
            None => None,
        },
    })
}

/// The recorders of an account (?2): all of them, or the one with an id (?3).
pub(super) fn list(
    c: &Connection,
    account: AccountId,
    id: Option<RecorderId>,
    now_s: i64,
) -> Result<Vec<Recorder>, StoreError> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT a.id, a.handle, d.serial, d.model, a.name, a.added_at_s, d.revoked_at_s,
                o.id, o.email, o.expires_at_s, {IS_ONLINE}, {SINCE}, p.version
         FROM account_device a JOIN device d ON d.handle = a.handle
         LEFT JOIN presence p ON p.handle = a.handle LEFT JOIN node n ON n.id = p.node
         LEFT JOIN device_offer o ON o.handle = a.handle AND o.expires_at_s > ?1
         WHERE a.account = ?2 AND (?3 IS NULL OR a.id = ?3)
         ORDER BY a.name COLLATE NOCASE, d.serial"
    ))?;
    let found = statement.query_map(params![now_s, account.0, id.map(|id| id.0)], read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn offered(c: &Connection, email_key: &[u8; 32], now_s: i64) -> Result<Vec<Offered>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT o.id, a.name, d.serial, d.model, h.id, h.name, h.email, o.expires_at_s
         FROM device_offer o JOIN account_device a ON a.handle = o.handle
         JOIN device d ON d.handle = a.handle JOIN account h ON h.id = a.account
         WHERE o.email_key = ? AND o.expires_at_s > ? AND d.revoked_at_s IS NULL
         ORDER BY o.expires_at_s, d.serial",
    )?;
    let found = statement.query_map(params![email_key, now_s], |row| {
        Ok(Offered {
            id: OfferId(row.get(0)?),
            name: row.get(1)?,
            serial: row.get(2)?,
            model: row.get(3)?,
            from: Holder { account: AccountId(row.get(4)?), name: row.get(5)?, email: row.get(6)? },
            expires_at_s: row.get(7)?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn find(c: &Connection, serials: &[String]) -> Result<Option<Found>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT d.handle, d.serial, d.model, p.adding, h.id, h.name, h.email, a.adding, a.name
         FROM device d JOIN presence p ON p.handle = d.handle AND p.adding IS NOT NULL
         LEFT JOIN account_device a ON a.handle = d.handle LEFT JOIN account h ON h.id = a.account
         WHERE d.serial = ? AND d.revoked_at_s IS NULL",
    )?;
    for serial in serials {
        let found = statement.query_row([serial], |row| {
            let held = match row.get::<_, Option<[u8; 16]>>(4)? {
                Some(id) => {
                    let holder = Holder { account: AccountId(id), name: row.get(5)?, email: row.get(6)? };
                    Some((holder, row.get(7)?, row.get(8)?))
                }
                None => None,
            };
            Ok(Found {
                handle: Handle(row.get(0)?),
                serial: row.get(1)?,
                model: row.get(2)?,
                adding: row.get(3)?,
                held,
            })
        });
        if let Some(found) = found.optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn holder(c: &Connection, handle: Handle) -> Result<Option<(AccountId, RecorderId)>, StoreError> {
    let mut statement = c.prepare_cached("SELECT account, id FROM account_device WHERE handle = ?")?;
    let found = statement.query_row([handle.0], |row| Ok((AccountId(row.get(0)?), RecorderId(row.get(1)?))));
    Ok(found.optional()?)
}

fn is_full(c: &Connection, account: AccountId, at_most: u32) -> Result<bool, StoreError> {
    let mut statement = c.prepare_cached("SELECT count(*) FROM account_device WHERE account = ?")?;
    let count: u32 = statement.query_row([account.0], |row| row.get(0))?;
    Ok(count >= at_most)
}

pub(super) fn add(c: &Connection, new: &NewRecorder) -> Result<Kept, StoreError> {
    let same: bool = c
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM device d JOIN presence p ON p.handle = d.handle
             WHERE d.handle = ? AND d.revoked_at_s IS NULL AND p.adding = ?)",
        )?
        .query_row(params![new.handle.0, new.adding], |row| row.get(0))?;
    let held = holder(c, new.handle)?;
    if !same || held.map(|(account, _)| account) != new.holder {
        return Ok(Kept::Changed);
    }
    if let Some((_, id)) = held.filter(|(account, _)| *account == new.account) {
        let mut again = c.prepare_cached(
            "UPDATE account_device SET adding = ?, name = coalesce(?, name) WHERE handle = ?",
        )?;
        again.execute(params![new.adding, new.name, new.handle.0])?;
        return Ok(Kept::Done(id));
    }
    // The same recorder with an identity that was withdrawn gives its place and its name to this one.
    let earlier: Option<String> = c
        .prepare_cached(
            "DELETE FROM account_device WHERE account = ?1 AND handle IN
             (SELECT o.handle FROM device o JOIN device d ON d.serial = o.serial
              WHERE d.handle = ?2 AND o.revoked_at_s IS NOT NULL) RETURNING name",
        )?
        .query_map(params![new.account.0, new.handle.0], |row| row.get(0))?
        .collect::<Result<Vec<_>, _>>()?
        .pop();
    if is_full(c, new.account, new.at_most)? {
        return Ok(Kept::Full);
    }
    c.execute("DELETE FROM account_device WHERE handle = ?", [new.handle.0])?;
    c.prepare_cached(
        "INSERT INTO account_device (handle, id, account, name, adding, added_at_s)
         SELECT handle, ?2, ?3, coalesce(?4, model), ?5, ?6 FROM device WHERE handle = ?1",
    )?
    .execute(params![
        new.handle.0,
        new.id.0,
        new.account.0,
        new.name.as_ref().or(earlier.as_ref()),
        new.adding,
        new.now_s
    ])?;
    if let Some(notice) = &new.notice {
        post(c, notice, new.now_s)?;
    }
    Ok(Kept::Done(new.id))
}

pub(super) fn rename(
    c: &Connection,
    account: AccountId,
    id: RecorderId,
    name: &str,
) -> Result<bool, StoreError> {
    let mut statement =
        c.prepare_cached("UPDATE account_device SET name = ? WHERE id = ? AND account = ?")?;
    Ok(statement.execute(params![name, id.0, account.0])? == 1)
}

pub(super) fn remove(c: &Connection, account: AccountId, id: RecorderId) -> Result<bool, StoreError> {
    let mut statement = c.prepare_cached("DELETE FROM account_device WHERE id = ? AND account = ?")?;
    Ok(statement.execute(params![id.0, account.0])? == 1)
}

pub(super) fn offer(c: &Connection, new: &NewOffer) -> Result<bool, StoreError> {
    let mut find = c.prepare_cached(
        "SELECT a.handle FROM account_device a JOIN device d ON d.handle = a.handle
         WHERE a.id = ? AND a.account = ? AND d.revoked_at_s IS NULL",
    )?;
    let handle = find.query_row(params![new.recorder.0, new.account.0], |row| row.get::<_, [u8; 8]>(0));
    let Some(handle) = handle.optional()? else { return Ok(false) };
    if !use_up(c, new.code)? {
        return Ok(false);
    }
    c.prepare_cached(
        "INSERT OR REPLACE INTO device_offer (handle, id, email_key, email, expires_at_s) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![handle, new.offer.id.0, new.email_key, new.offer.email, new.offer.expires_at_s])?;
    post(c, &new.post, new.now_s)?;
    Ok(true)
}

pub(super) fn end_offer(c: &Connection, which: EndOffer) -> Result<bool, StoreError> {
    let ended = match which {
        EndOffer::Of(account, id) => c.execute(
            "DELETE FROM device_offer WHERE handle =
             (SELECT handle FROM account_device WHERE id = ? AND account = ?)",
            params![id.0, account.0],
        )?,
        EndOffer::To(email_key, id) => {
            c.execute("DELETE FROM device_offer WHERE id = ? AND email_key = ?", params![id.0, email_key])?
        }
    };
    Ok(ended == 1)
}

pub(super) fn accept(c: &Connection, by: &Acceptance) -> Result<Kept, StoreError> {
    let found = c
        .prepare_cached(
            "SELECT a.handle, a.account FROM device_offer o JOIN account_device a ON a.handle = o.handle
             JOIN device d ON d.handle = a.handle
             WHERE o.id = ? AND o.email_key = ? AND o.expires_at_s > ? AND d.revoked_at_s IS NULL",
        )?
        .query_row(params![by.offer.0, by.email_key, by.now_s], |row| {
            Ok((row.get::<_, [u8; 8]>(0)?, AccountId(row.get(1)?)))
        })
        .optional()?;
    let Some((handle, _)) = found.filter(|(_, account)| *account == by.holder) else {
        return Ok(Kept::Changed);
    };
    if is_full(c, by.account, by.at_most)? {
        return Ok(Kept::Full);
    }
    c.execute("DELETE FROM device_offer WHERE handle = ?", [handle])?;
    // The proof is that of today: a code that was changed before does not take it from the receiver.
    c.prepare_cached(
        "UPDATE account_device SET id = ?2, account = ?3, added_at_s = ?4,
         adding = coalesce((SELECT adding FROM presence WHERE handle = ?1), adding) WHERE handle = ?1",
    )?
    .execute(params![handle, by.id.0, by.account.0, by.now_s])?;
    post(c, &by.notice, by.now_s)?;
    Ok(Kept::Done(by.id))
}

pub(super) fn tidy(c: &Connection, now_s: i64) -> Result<(), StoreError> {
    c.execute("DELETE FROM device_offer WHERE expires_at_s <= ?", [now_s])?;
    Ok(())
}
