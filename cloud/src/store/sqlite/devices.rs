//! Devices.

use crate::store::{AddDevice, Device, StoreError};
use ed25519_dalek::VerifyingKey;
use latchkey_protocol::{Handle, Mode};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

pub(super) const COLUMNS: [&str; 7] =
    ["handle", "serial", "model", "public_key", "psk", "signed_at_s", "revoked_at_s"];

/// The columns that [`read`] reads first, out of a table of that name.
pub(super) fn columns(table: &str) -> String {
    COLUMNS.map(|column| format!("{table}.{column}")).join(", ")
}

pub(super) fn add(c: &Connection, device: &Device, replace: bool) -> Result<AddDevice, StoreError> {
    let serial = &device.serial;
    let taken: bool = c.query_row(
        "SELECT EXISTS (SELECT 1 FROM device WHERE serial = ? AND revoked_at_s IS NULL)",
        [serial],
        |row| row.get(0),
    )?;
    if taken && !replace {
        return Ok(AddDevice::SerialTaken);
    }
    c.execute(
        "UPDATE device SET revoked_at_s = ? WHERE serial = ? AND revoked_at_s IS NULL",
        params![device.signed_at_s, serial],
    )?;
    let psk = match &device.mode {
        Mode::Base => None,
        Mode::Psk(psk) => Some(psk),
    };
    c.execute(
        "INSERT INTO device (handle, serial, model, public_key, psk, signed_at_s) VALUES (?, ?, ?, ?, ?, ?)",
        params![device.handle.0, serial, device.model, device.key.as_bytes(), psk, device.signed_at_s],
    )?;
    Ok(AddDevice::Added)
}

pub(super) fn revoke(c: &Connection, which: &str, now_s: i64) -> Result<Option<Handle>, StoreError> {
    let handle: Option<Handle> = which.parse().ok();
    let bytes = c
        .query_row(
            "UPDATE device SET revoked_at_s = coalesce(revoked_at_s, ?1)
             WHERE handle = (SELECT handle FROM device WHERE handle = ?2 OR serial = ?3
                             ORDER BY handle = ?2 DESC, revoked_at_s IS NULL DESC LIMIT 1)
             RETURNING handle",
            params![now_s, handle.map(|h| h.0), which],
            |row| row.get(0),
        )
        .optional()?;
    Ok(bytes.map(Handle))
}

pub(super) fn all(c: &Connection) -> Result<Vec<Device>, StoreError> {
    let mut statement =
        c.prepare(&format!("SELECT {} FROM device ORDER BY serial, signed_at_s", columns("device")))?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn find(c: &Connection, handle: Handle) -> Result<Option<Device>, StoreError> {
    let mut statement =
        c.prepare_cached(&format!("SELECT {} FROM device WHERE handle = ?", columns("device")))?;
    Ok(statement.query_row([handle.0], read).optional()?)
}

pub(super) fn read(row: &Row<'_>) -> Result<Device, rusqlite::Error> {
    let key = VerifyingKey::from_bytes(&row.get(3)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Blob, Box::new(error))
    })?;
    Ok(Device {
        handle: Handle(row.get(0)?),
        serial: row.get(1)?,
        model: row.get(2)?,
        key,
        mode: row.get::<_, Option<[u8; 32]>>(4)?.map_or(Mode::Base, Mode::Psk),
        signed_at_s: row.get(5)?,
        revoked_at_s: row.get(6)?,
    })
}
