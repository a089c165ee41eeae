//! A pending challenge: what tmpfs holds for one door.

use super::BootId;
use latchkey_protocol::{ChallengeId, Door, Life, SealedChallenge};
use zeroize::Zeroize;

/// A live challenge, without its code.
#[derive(Clone, PartialEq, Eq)]
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

/// Wiped: of eight digits, salt and hash together give the code away to whoever tries them all.
impl Drop for Pending {
    fn drop(&mut self) {
        self.code_salt.zeroize();
        self.code_hash.zeroize();
    }
}

/// Without salt and hash, for the same reason, and without the sealed bytes.
impl core::fmt::Debug for Pending {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pending")
            .field("id", &self.id)
            .field("door", &self.door)
            .field("life", &self.life)
            .field("boot_id", &self.boot_id)
            .field("issued_boottime_ms", &self.issued_boottime_ms)
            .field("password_epoch", &self.password_epoch)
            .field("email_epoch", &self.email_epoch)
            .field("tries_left", &self.tries_left)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;

    #[test]
    fn debug_shows_nothing_that_the_code_can_be_told_from() {
        let pending = Pending {
            id: ChallengeId([1; 16]),
            door: Door::Lan,
            life: Life([4; 4]),
            code_salt: [201; 16],
            code_hash: [202; 32],
            sealed: SealedChallenge::from_bytes(vec![203; 247]).unwrap(),
            boot_id: BootId([3; 16]),
            issued_boottime_ms: 4,
            password_epoch: 5,
            email_epoch: 6,
            tries_left: 5,
        };
        let shown = format!("{pending:?} {pending:#?}");
        assert!(shown.contains("tries_left"));
        for secret in ["201", "202", "203", "c9c9", "caca", "cbcb"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
