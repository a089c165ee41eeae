//! The bytes of a file of the store: one header line, then JSON.
//!
//! ```text
//! latchkey account 1 generation 42 sha256 <64 hexadecimal digits>
//! {"life":"...", ...}
//! ```
//! The SHA-256 is over the header up to and including the generation, a line feed, and all that
//! follows the header line. A whole file of an erased account holds `null`.

use crate::recovery::{Aim, BootId, Pending, Record, Which};
use latchkey_protocol::{ChallengeId, Door, Life, SealedChallenge};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use zeroize::Zeroizing;

/// A record is a few hundred bytes; anything much larger is not ours.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// The largest sealed challenge is 375 bytes, 750 as hexadecimal digits.
pub const PENDING_BYTES_MAX: usize = 4 * 1024;

const VERSION: u32 = 1;
const RECORD_KIND: &str = "account";
const PENDING_KIND: &str = "pending";

/// Why a file is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotWhole {
    /// The first line is not a header of the store.
    #[error("its first line is not the expected header")]
    Header,
    /// Another version wrote it.
    #[error("it was written in a format that this build does not know")]
    Version,
    /// The bytes changed after they were written, or were never all written.
    #[error("its checksum does not match")]
    Checksum,
    /// The checksum matches, but the content is not what this build reads.
    #[error("its content is not what this build reads")]
    Content,
}

/// The bytes of a record, or of an erased account.
pub fn encode_record(generation: u64, record: Option<&Record>) -> io::Result<Zeroizing<Vec<u8>>> {
    encode(RECORD_KIND, generation, &record)
}

/// Reads a record, or that the account was erased, with its generation.
pub fn decode_record(bytes: &[u8]) -> Result<(u64, Option<Record>), NotWhole> {
    let (generation, body) = open(RECORD_KIND, bytes)?;
    Ok((generation, serde_json::from_slice(body).map_err(|_| NotWhole::Content)?))
}

/// The bytes of a pending challenge.
pub fn encode_pending(pending: &Pending) -> io::Result<Zeroizing<Vec<u8>>> {
    encode(PENDING_KIND, 0, &PendingFile::from(pending))
}

/// Reads a pending challenge.
pub fn decode_pending(bytes: &[u8]) -> Result<Pending, NotWhole> {
    let (_, body) = open(PENDING_KIND, bytes)?;
    let file: PendingFile = serde_json::from_slice(body).map_err(|_| NotWhole::Content)?;
    file.try_into()
}

fn encode(kind: &str, generation: u64, content: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let body = Zeroizing::new(serde_json::to_vec(content)?);
    let head = format!("latchkey {kind} {VERSION} generation {generation}");
    let line = format!("{head} sha256 {}\n", hex(&checksum(&head, &body)));
    let mut bytes = Zeroizing::new(Vec::with_capacity(line.len() + body.len()));
    bytes.extend_from_slice(line.as_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

fn open<'a>(kind: &str, bytes: &'a [u8]) -> Result<(u64, &'a [u8]), NotWhole> {
    let end = bytes.iter().take(256).position(|&b| b == b'\n').ok_or(NotWhole::Header)?;
    let line = core::str::from_utf8(&bytes[..end]).map_err(|_| NotWhole::Header)?;
    let body = &bytes[end + 1..];
    let (head, sum) = line.split_once(" sha256 ").ok_or(NotWhole::Header)?;
    let rest = head.strip_prefix("latchkey ").and_then(|rest| rest.strip_prefix(kind));
    let (version, generation) =
        rest.and_then(|rest| rest.trim_start().split_once(" generation ")).ok_or(NotWhole::Header)?;
    let version: u32 = version.parse().map_err(|_| NotWhole::Header)?;
    let generation: u64 = generation.parse().map_err(|_| NotWhole::Header)?;
    if sum != hex(&checksum(head, body)) {
        return Err(NotWhole::Checksum);
    }
    if version != VERSION {
        return Err(NotWhole::Version);
    }
    Ok((generation, body))
}

fn checksum(head: &str, body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(head).chain_update(b"\n").chain_update(body).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn unhex_exact<const N: usize>(text: &str) -> Result<[u8; N], NotWhole> {
    unhex(text).and_then(|bytes| bytes.try_into().ok()).ok_or(NotWhole::Content)
}

/// A [`Pending`] as JSON: the heart knows no file format.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PendingFile {
    id: ChallengeId,
    door: Door,
    /// Left out in files of versions that knew only resets to the one address.
    #[serde(default, skip_serializing_if = "is_usual")]
    aim: Aim,
    #[serde(default, skip_serializing_if = "is_usual")]
    to: Which,
    life: Life,
    code_salt: Zeroizing<String>,
    code_hash: Zeroizing<String>,
    sealed: String,
    boot_id: BootId,
    issued_boottime_ms: u64,
    password_epoch: u32,
    email_epoch: u32,
    tries_left: u32,
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<&Pending> for PendingFile {
    fn from(pending: &Pending) -> Self {
        Self {
            id: pending.id,
            door: pending.door,
            aim: pending.aim,
            to: pending.to,
            life: pending.life,
            code_salt: hex(&pending.code_salt).into(),
            code_hash: hex(&pending.code_hash).into(),
            sealed: hex(pending.sealed.as_bytes()),
            boot_id: pending.boot_id,
            issued_boottime_ms: pending.issued_boottime_ms,
            password_epoch: pending.password_epoch,
            email_epoch: pending.email_epoch,
            tries_left: pending.tries_left,
        }
    }
}

impl TryFrom<PendingFile> for Pending {
    type Error = NotWhole;

    fn try_from(file: PendingFile) -> Result<Self, NotWhole> {
        let sealed = unhex(&file.sealed).and_then(SealedChallenge::from_bytes).ok_or(NotWhole::Content)?;
        Ok(Self {
            id: file.id,
            door: file.door,
            aim: file.aim,
            to: file.to,
            life: file.life,
            code_salt: unhex_exact(&file.code_salt)?,
            code_hash: unhex_exact(&file.code_hash)?,
            sealed,
            boot_id: file.boot_id,
            issued_boottime_ms: file.issued_boottime_ms,
            password_epoch: file.password_epoch,
            email_epoch: file.email_epoch,
            tries_left: file.tries_left,
        })
    }
}
