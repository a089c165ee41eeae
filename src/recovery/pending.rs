//! A pending challenge: what tmpfs holds for one door.

use super::BootId;
use latchkey_protocol::{ChallengeId, Door, Life, SealedChallenge};

/// A live challenge, without its code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    /// The challenge's id.
    pub id: ChallengeId,
    /// The door that it was issued at, and the only one where its code counts.
    pub door: Door,
    /// The record's life when it was issued.
    pub life: Life,
    /// Random.
    pub code_salt: [u8; 16],
    /// SHA-256 over salt, id and code. All zero once the last try was wrong.
    pub code_hash: [u8; 32],
    /// The sealed bytes, so that the same QR comes back after a crash.
    pub sealed: SealedChallenge,
    /// The boot in which it was issued.
    pub boot_id: BootId,
    /// When it was issued, on CLOCK_BOOTTIME.
    pub issued_boottime_ms: u64,
    /// The record's epoch when it was issued.
    pub password_epoch: u32,
    /// The record's epoch when it was issued.
    pub email_epoch: u32,
    /// Tries that are left. One with none left is over, and only tells why.
    pub tries_left: u32,
}
