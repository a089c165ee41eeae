//! A pending challenge: what tmpfs holds for one place.

use super::{BootId, Which};
use latchkey_protocol::{ChallengeId, Door, Life, SealedChallenge};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// What a challenge's code is for. A code for the one is never looked at for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// A new password.
    #[default]
    Reset,
    /// To show that a reserved email is its owner's.
    Confirm,
}

/// Where a pending challenge is kept: each door has a place of its own for each aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The door that it was issued at.
    pub door: Door,
    /// What its code is for.
    pub aim: Aim,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 4] = [
        Self { door: Door::Console, aim: Aim::Reset },
        Self { door: Door::Lan, aim: Aim::Reset },
        Self { door: Door::Console, aim: Aim::Confirm },
        Self { door: Door::Lan, aim: Aim::Confirm },
    ];

    /// Its number in [`Place::ALL`].
    pub fn index(self) -> usize {
        usize::from(self.door == Door::Lan) + 2 * usize::from(self.aim == Aim::Confirm)
    }
}

/// A live challenge, without its code.
#[derive(Clone, PartialEq, Eq)]
pub struct Pending {
    /// The challenge's id.
    pub id: ChallengeId,
    /// The door that it was issued at, and the only one where its code counts.
    pub door: Door,
    /// What the code is for, and all that it is good for.
    pub aim: Aim,
    /// The address that the code is mailed to.
    pub to: Which,
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

impl Pending {
    /// Where it is kept.
    pub fn place(&self) -> Place {
        Place { door: self.door, aim: self.aim }
    }
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
            .field("aim", &self.aim)
            .field("to", &self.to)
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
            aim: Aim::Reset,
            to: Which::Primary,
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
