//! Nodes, presence and claims.

use super::devices;
use crate::store::{
    AddDevice, Device, StoreError,
    fleet::{Claim, Enrolled, Fleet, NodeId, Presence, Transition},
};
use latchkey_protocol::Handle;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Counts of devices online are kept this long.
const COUNTS_S: i64 = 8 * 86_400;

/// Online, and at a node whose lease holds.
pub(super) const IS_ONLINE: &str = "(p.node IS NOT NULL AND coalesce(n.lease_until_s, 0) > ?1)";
/// Since the last change; of a node whose lease has ended, since that end.
pub(super) const SINCE: &str = "CASE WHEN p.node IS NOT NULL AND coalesce(n.lease_until_s, 0) <= ?1
                     THEN max(p.changed_at_s, coalesce(n.lease_until_s, p.changed_at_s)) ELSE p.changed_at_s END";

pub(super) fn keep_node(c: &Connection, node: NodeId, now_s: i64, until_s: i64) -> Result<bool, StoreError> {
    let kept = c
        .prepare_cached("UPDATE node SET lease_until_s = ? WHERE id = ?")?
        .execute(params![until_s, node.0])?;
    if kept == 0 {
        c.execute("INSERT INTO node (id, lease_until_s) VALUES (?, ?)", params![node.0, until_s])?;
    }
    let mut over = c.prepare_cached("SELECT id, lease_until_s FROM node WHERE lease_until_s <= ?")?;
    let over = over.query_map([now_s], |row| Ok((NodeId(row.get(0)?), row.get(1)?)))?;
    for (other, ended_at_s) in over.collect::<Result<Vec<_>, _>>()? {
        end_node(c, other, ended_at_s)?;
    }
    Ok(kept == 1)
}

pub(super) fn end_node(c: &Connection, node: NodeId, at_s: i64) -> Result<(), StoreError> {
    c.prepare_cached("UPDATE presence SET node = NULL, changed_at_s = max(changed_at_s, ?) WHERE node = ?")?
        .execute(params![at_s, node.0])?;
    c.prepare_cached("DELETE FROM node WHERE id = ?")?.execute([node.0])?;
    Ok(())
}

pub(super) fn move_devices(c: &Connection, node: NodeId, moves: &[Transition]) -> Result<(), StoreError> {
    let mut came = c.prepare_cached(
        "INSERT INTO presence (handle, node, changed_at_s, version, adding) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET node = excluded.node, changed_at_s = excluded.changed_at_s,
         version = excluded.version, adding = excluded.adding",
    )?;
    // A device that has come to another node meanwhile is not gone.
    let mut went = c.prepare_cached(
        "INSERT INTO presence (handle, node, changed_at_s, version, adding) VALUES (?1, NULL, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET node = NULL, changed_at_s = excluded.changed_at_s,
         version = excluded.version, adding = excluded.adding WHERE presence.node = ?2 OR presence.node IS NULL",
    )?;
    for change in moves {
        let statement = if change.online { &mut came } else { &mut went };
        statement.execute(params![change.handle.0, node.0, change.at_s, change.version, change.adding])?;
    }
    Ok(())
}

pub(super) fn count_online(c: &Connection, node: NodeId, at_s: i64, devices: u64) -> Result<(), StoreError> {
    c.prepare_cached("INSERT OR REPLACE INTO online (at_s, node, devices) VALUES (?, ?, ?)")?
        .execute(params![at_s, node.0, i64::try_from(devices).unwrap_or(i64::MAX)])?;
    Ok(())
}

pub(super) fn online_since(c: &Connection, since_s: i64) -> Result<Vec<(i64, u64)>, StoreError> {
    let mut counts = c.prepare_cached(
        "SELECT at_s, sum(devices) FROM online WHERE at_s >= ? GROUP BY at_s ORDER BY at_s",
    )?;
    let counts = counts.query_map([since_s], |row| {
        Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default()))
    })?;
    Ok(counts.collect::<Result<_, _>>()?)
}

/// `online`, `since`, `version` from a column on.
pub(super) fn read_presence(row: &Row<'_>, handle: Handle, at: usize) -> Result<Presence, rusqlite::Error> {
    Ok(Presence { handle, online: row.get(at)?, since_s: row.get(at + 1)?, version: row.get(at + 2)? })
}

pub(super) fn presence(c: &Connection, handle: Handle, now_s: i64) -> Result<Option<Presence>, StoreError> {
    let found = c
        .prepare_cached(&format!(
            "SELECT {IS_ONLINE}, {SINCE}, p.version FROM presence p LEFT JOIN node n ON n.id = p.node
             WHERE p.handle = ?2"
        ))?
        .query_row(params![now_s, handle.0], |row| read_presence(row, handle, 0));
    Ok(found.optional()?)
}

pub(super) fn fleet(c: &Connection, now_s: i64, lately: u32) -> Result<Fleet, StoreError> {
    let count = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> Result<u64, StoreError> {
        let count: i64 = c.prepare_cached(sql)?.query_row(params, |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    let online = count(
        "SELECT count(*) FROM presence p JOIN node n ON n.id = p.node WHERE n.lease_until_s > ?1",
        &[&now_s],
    )?;
    let known = count("SELECT count(*) FROM device WHERE revoked_at_s IS NULL", &[])?;
    let revoked = count("SELECT count(*) FROM device WHERE revoked_at_s IS NOT NULL", &[])?;
    let mut gone = c.prepare_cached(&format!(
        "SELECT {}, {IS_ONLINE}, {SINCE} AS since, p.version
         FROM presence p JOIN device d ON d.handle = p.handle LEFT JOIN node n ON n.id = p.node
         WHERE d.revoked_at_s IS NULL AND NOT {IS_ONLINE} ORDER BY since DESC LIMIT ?2",
        devices::columns("d")
    ))?;
    let lately_gone = gone.query_map(params![now_s, lately], |row| {
        let device = devices::read(row)?;
        let presence = read_presence(row, device.handle, devices::COLUMNS.len())?;
        Ok((device, presence))
    })?;
    let lately_gone = lately_gone.collect::<Result<_, _>>()?;
    Ok(Fleet { online, known, revoked, lately_gone })
}

pub(super) fn revoked_since(c: &Connection, since_s: i64) -> Result<Vec<Handle>, StoreError> {
    let mut revoked = c.prepare_cached("SELECT handle FROM device WHERE revoked_at_s >= ?")?;
    let revoked = revoked.query_map([since_s], |row| Ok(Handle(row.get(0)?)))?;
    Ok(revoked.collect::<Result<_, _>>()?)
}

pub(super) fn add_claim(c: &Connection, claim: &Claim) -> Result<(), StoreError> {
    c.execute(
        "INSERT INTO claim (digest, expires_at_s, uses_left, serial) VALUES (?, ?, ?, ?)",
        params![claim.digest, claim.expires_at_s, claim.uses, claim.serial],
    )?;
    Ok(())
}

pub(super) fn enrol(c: &Connection, claim: &[u8; 32], device: &Device) -> Result<Enrolled, StoreError> {
    let found: Option<(u32, Option<String>)> = c
        .prepare_cached("SELECT uses_left, serial FROM claim WHERE digest = ? AND expires_at_s > ?")?
        .query_row(params![claim, device.signed_at_s], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((uses_left, serial)) = found else { return Ok(Enrolled::NoClaim) };
    if serial.is_some_and(|serial| serial != device.serial) {
        return Ok(Enrolled::NoClaim);
    }
    // The same key, serial and claim once more: the answer was lost, and the identity is made anew.
    let again: bool = c.query_row(
        "SELECT EXISTS (SELECT 1 FROM enrolled e JOIN device d ON d.public_key = e.public_key
         WHERE e.digest = ?1 AND e.public_key = ?2 AND d.serial = ?3 AND d.revoked_at_s IS NULL)",
        params![claim, device.key.as_bytes(), device.serial],
        |row| row.get(0),
    )?;
    if !again && uses_left == 0 {
        return Ok(Enrolled::NoClaim);
    }
    if devices::add(c, device, again)? == AddDevice::SerialTaken {
        return Ok(Enrolled::SerialTaken);
    }
    if !again {
        c.execute("UPDATE claim SET uses_left = uses_left - 1 WHERE digest = ?", [claim])?;
        c.execute(
            "INSERT OR IGNORE INTO enrolled (digest, public_key) VALUES (?, ?)",
            params![claim, device.key.as_bytes()],
        )?;
    }
    Ok(Enrolled::Added)
}

pub(super) fn tidy(c: &Connection, now_s: i64) -> Result<(), StoreError> {
    c.execute("DELETE FROM online WHERE at_s < ?", [now_s - COUNTS_S])?;
    c.execute("DELETE FROM claim WHERE expires_at_s <= ?", [now_s])?;
    Ok(())
}
