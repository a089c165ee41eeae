//! Requests, their mails and their limits.

use crate::{
    limits,
    store::{
        Accepted, Claim, Limit, MailRow, MailState, MailToken, NewRequest, Outcome, RESEND_AFTER_S, Reason,
        Request, RequestId, Resend, StoreError, TRANSMISSIONS_MAX, Use,
    },
};
use latchkey_protocol::{Door, Handle, Purpose};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Requests are remembered this long after they are over, so that an old link still has an answer.
const REMEMBER_S: i64 = 30 * 86_400;

const STATES: [MailState; 4] =
    [MailState::Queued, MailState::Accepted, MailState::Bounced, MailState::Failed];
const REASONS: [Reason; 7] = [
    Reason::MailboxUnknown,
    Reason::MailboxFull,
    Reason::Refused,
    Reason::Unreachable,
    Reason::NoAnswer,
    Reason::Expired,
    Reason::NotReadable,
];

fn number<T: PartialEq>(list: &[T], item: &T) -> i64 {
    list.iter().position(|other| other == item).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}

fn item<T: Copy>(list: &[T], number: i64) -> Option<T> {
    usize::try_from(number).ok().and_then(|at| list.get(at)).copied()
}

/// Only a challenge with a code replaces an older one; notices may arrive in any order.
const REPLACING: [Purpose; 3] = [Purpose::Reset, Purpose::ConfirmEmail, Purpose::Rehearsal];

pub(super) fn find(c: &Connection, digest: &[u8; 32]) -> Result<Option<RequestId>, StoreError> {
    let mut statement = c.prepare_cached("SELECT id FROM request WHERE digest = ?")?;
    Ok(statement.query_row([digest], |row| row.get(0)).optional()?.map(RequestId))
}

pub(super) fn accept(c: &Connection, new: &NewRequest) -> Result<Accepted, StoreError> {
    if let Some(id) = find(c, &new.digest)? {
        return Ok(Accepted::Known(id));
    }
    if REPLACING.contains(&new.purpose) {
        let door = i64::from(new.door == Door::Lan);
        let sequence = params![new.handle.0, new.life.0, door, new.purpose as u8];
        let newest: Option<(u32, [u8; 32])> = c
            .prepare_cached(
                "SELECT counter, digest FROM newest WHERE handle = ? AND life = ? AND door = ? AND purpose = ?",
            )?
            .query_row(sequence, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match newest {
            Some((counter, digest)) if counter == new.counter && digest == new.digest => {
                return Ok(Accepted::Expired);
            }
            Some((counter, _)) if counter >= new.counter => return Ok(Accepted::Superseded),
            _ => {}
        }
        if let Some((limit, retry_after_s)) = spend(c, &new.uses, new.now_s)? {
            return Ok(Accepted::Limited { limit, retry_after_s });
        }
        c.prepare_cached(
            "INSERT INTO newest (handle, life, door, purpose, counter, digest) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET counter = excluded.counter, digest = excluded.digest",
        )?
        .execute(params![
            new.handle.0,
            new.life.0,
            door,
            new.purpose as u8,
            new.counter,
            new.digest
        ])?;
    } else if let Some((limit, retry_after_s)) = spend(c, &new.uses, new.now_s)? {
        return Ok(Accepted::Limited { limit, retry_after_s });
    }
    c.prepare_cached(
        "INSERT INTO request (id, digest, handle, purpose, sealed, received_at_s, expires_at_s)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.id.0,
        new.digest,
        new.handle.0,
        new.purpose as u8,
        new.sealed,
        new.now_s,
        new.expires_at_s
    ])?;
    let mut mail =
        c.prepare_cached("INSERT INTO mail (request, recipient, token, due_at_s) VALUES (?, ?, ?, ?)")?;
    for (recipient, token) in (0_i64..).zip(&new.tokens) {
        mail.execute(params![new.id.0, recipient, token.0, new.now_s])?;
    }
    Ok(Accepted::New(new.id))
}

/// Counts every use, or none if one of them is over its cap.
pub(super) fn spend(c: &Connection, uses: &[Use], now_s: i64) -> Result<Option<(Limit, i64)>, StoreError> {
    let mut count = c.prepare_cached("SELECT count FROM used WHERE key = ? AND window = ?")?;
    let mut of = |key: &[u8; 16], window: i64| -> Result<u32, StoreError> {
        Ok(count.query_row(params![key, window], |row| row.get(0)).optional()?.unwrap_or(0))
    };
    for wish in uses {
        let window = now_s.div_euclid(wish.window_s);
        let counts = (of(&wish.key, window - 1)?, of(&wish.key, window)?);
        if let Some(wait_s) = limits::wait_s(counts, wish.cap, wish.window_s, now_s) {
            return Ok(Some((wish.limit, wait_s)));
        }
    }
    let mut add = c.prepare_cached(
        "INSERT INTO used (key, window, count, ends_at_s) VALUES (?, ?, 1, ?)
         ON CONFLICT DO UPDATE SET count = count + 1",
    )?;
    for wish in uses {
        let window = now_s.div_euclid(wish.window_s);
        add.execute(params![wish.key, window, (window + 2) * wish.window_s])?;
    }
    Ok(None)
}

pub(super) fn request(c: &Connection, id: RequestId) -> Result<Option<Request>, StoreError> {
    let row = c
        .prepare_cached(
            "SELECT sealed, received_at_s, expires_at_s, resent_at_s, handle FROM request WHERE id = ?",
        )?
        .query_row([id.0], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, Handle(row.get(4)?)))
        })
        .optional()?;
    let Some((sealed, received_at_s, expires_at_s, resent_at_s, handle)) = row else { return Ok(None) };
    let mut mails = c.prepare_cached(
        "SELECT state, reason, attempts, transmissions FROM mail WHERE request = ? ORDER BY recipient",
    )?;
    let mails = mails.query_map([id.0], |row| {
        Ok(MailRow {
            state: item(&STATES, row.get(0)?).unwrap_or(MailState::Failed),
            reason: row.get::<_, Option<i64>>(1)?.and_then(|number| item(&REASONS, number)),
            attempts: row.get(2)?,
            transmissions: row.get(3)?,
        })
    })?;
    let mails = mails.collect::<Result<_, _>>()?;
    Ok(Some(Request { id, handle, sealed, received_at_s, expires_at_s, resent_at_s, mails }))
}

pub(super) fn resend(c: &Connection, id: RequestId, uses: &[Use], now_s: i64) -> Result<Resend, StoreError> {
    let Some(request) = request(c, id)? else { return Ok(Resend::Unknown) };
    let early_s = request.received_at_s + RESEND_AFTER_S - now_s;
    if request.sealed.is_none() || now_s >= request.expires_at_s {
        return Ok(Resend::Expired);
    }
    if is_superseded(c, id)? {
        return Ok(Resend::Superseded);
    }
    if request.resent_at_s.is_some() || request.mails.iter().all(|m| m.transmissions >= TRANSMISSIONS_MAX) {
        return Ok(Resend::Used);
    }
    if early_s > 0 {
        return Ok(Resend::TooEarly { after_s: early_s.min(RESEND_AFTER_S) });
    }
    if request.mails.iter().any(|m| m.state == MailState::Queued) {
        return Ok(Resend::StillQueued);
    }
    if let Some((limit, retry_after_s)) = spend(c, uses, now_s)? {
        return Ok(Resend::Limited { limit, retry_after_s });
    }
    c.execute("UPDATE request SET resent_at_s = ? WHERE id = ?", params![now_s, id.0])?;
    c.execute(
        "UPDATE mail SET state = 0, reason = NULL, due_at_s = ? WHERE request = ? AND transmissions < ?",
        params![now_s, id.0, TRANSMISSIONS_MAX],
    )?;
    Ok(Resend::Queued)
}

/// Whether its code was replaced on the recorder: mailed again, it would come after the one that counts.
fn is_superseded(c: &Connection, id: RequestId) -> Result<bool, StoreError> {
    let [reset, confirm, rehearsal] = REPLACING.map(|purpose| purpose as u8);
    let mut statement = c.prepare_cached(
        "SELECT r.purpose IN (?, ?, ?)
            AND NOT EXISTS (SELECT 1 FROM newest n WHERE n.handle = r.handle AND n.digest = r.digest)
         FROM request r WHERE r.id = ?",
    )?;
    Ok(statement.query_row(params![reset, confirm, rehearsal, id.0], |row| row.get(0))?)
}

/// The lease is the due time itself, moved on: whoever finds the mail due again may take it. The
/// transmission is counted before it happens, so that a crash can never lose the count.
pub(super) fn claim(
    c: &Connection,
    now_s: i64,
    lease_s: i64,
    at_most: u32,
) -> Result<Vec<Claim>, StoreError> {
    // A mail that may have arrived twice already is not sent a third time, whatever has crashed.
    c.prepare_cached(
        "UPDATE mail SET state = 3, reason = ? WHERE state = 0 AND due_at_s <= ? AND transmissions >= ?",
    )?
    .execute(params![number(&REASONS, &Reason::NoAnswer), now_s, TRANSMISSIONS_MAX])?;
    let mut ids =
        c.prepare_cached("SELECT id FROM mail WHERE state = 0 AND due_at_s <= ? ORDER BY due_at_s LIMIT ?")?;
    let ids: Vec<i64> =
        ids.query_map(params![now_s, at_most], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut take = c.prepare_cached(
        "UPDATE mail SET due_at_s = ?, attempts = attempts + 1, transmissions = transmissions + 1
         WHERE id = ? RETURNING attempts, transmissions - 1, recipient, token, request",
    )?;
    let mut read = c.prepare_cached("SELECT sealed, expires_at_s FROM request WHERE id = ?")?;
    let mut claims = vec![];
    for mail in ids {
        let (attempt, transmissions, recipient, token, request) = take
            .query_row(params![now_s + lease_s, mail], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, [u8; 16]>(4)?))
            })?;
        let (sealed, expires_at_s): (Option<Vec<u8>>, i64) =
            read.query_row([request], |row| Ok((row.get(0)?, row.get(1)?)))?;
        claims.push(Claim {
            mail,
            request: RequestId(request),
            attempt,
            sealed: sealed.unwrap_or_default(),
            recipient,
            token: MailToken(token),
            expires_at_s,
            transmissions,
        });
    }
    Ok(claims)
}

pub(super) fn settle(c: &Connection, mail: i64, attempt: u32, outcome: Outcome) -> Result<bool, StoreError> {
    let (state, reason, due_at_s, unsent) = match outcome {
        Outcome::Accepted => (MailState::Accepted, None, None, 0),
        // A refusal is an answer: the mail has not been taken.
        Outcome::Over(state, Reason::NoAnswer) => (state, Some(Reason::NoAnswer), None, 0),
        Outcome::Over(state, reason) => (state, Some(reason), None, 1),
        Outcome::LaterUnsent { at_s, reason } => (MailState::Queued, reason, Some(at_s), 1),
        Outcome::LaterUncertain { at_s } => (MailState::Queued, Some(Reason::NoAnswer), Some(at_s), 0),
    };
    let changed = c
        .prepare_cached(
            "UPDATE mail SET state = ?, reason = ?, due_at_s = coalesce(?, due_at_s),
             transmissions = transmissions - ? WHERE id = ? AND attempts = ? AND state = 0",
        )?
        .execute(params![
            number(&STATES, &state),
            reason.map(|r| number(&REASONS, &r)),
            due_at_s,
            unsent,
            mail,
            attempt
        ])?;
    Ok(changed == 1)
}

pub(super) fn next_due(c: &Connection) -> Result<Option<i64>, StoreError> {
    Ok(c.prepare_cached("SELECT min(due_at_s) FROM mail WHERE state = 0")?.query_row([], |row| row.get(0))?)
}

pub(super) fn bounce(
    c: &Connection,
    token: MailToken,
    reason: Reason,
) -> Result<Option<RequestId>, StoreError> {
    let request = c
        .prepare_cached(
            "UPDATE mail SET state = 2, reason = ? WHERE token = ? AND state = 1 RETURNING request",
        )?
        .query_row(params![number(&REASONS, &reason), token.0], |row| row.get(0));
    Ok(request.optional()?.map(RequestId))
}

pub(super) fn tidy(c: &Connection, now_s: i64) -> Result<(), StoreError> {
    c.execute(
        "UPDATE mail SET state = 3, reason = ? WHERE state = 0
         AND request IN (SELECT id FROM request WHERE expires_at_s <= ?)",
        params![number(&REASONS, &Reason::Expired), now_s],
    )?;
    c.execute("UPDATE request SET sealed = NULL WHERE expires_at_s <= ? AND sealed IS NOT NULL", [now_s])?;
    c.execute("DELETE FROM request WHERE expires_at_s <= ?", [now_s - REMEMBER_S])?;
    c.execute("DELETE FROM used WHERE ends_at_s <= ?", [now_s])?;
    Ok(())
}
