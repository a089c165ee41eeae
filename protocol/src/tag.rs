//! The request tag: four characters that a person compares between the recorder's screen, the
//! relay's page and the mail.

use core::fmt;
use sha2::{Digest, Sha256};

/// 32 characters that are hard to confuse: no 0 or O, no 1 or I.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Four characters drawn from SHA-256 of the whole sealed challenge: anyone who holds the QR can
/// compute it, and it tells nothing of what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag([u8; 4]);

impl Tag {
    /// The tag of a sealed challenge: the top 20 bits of its SHA-256, five bits a character.
    pub fn of(sealed: &[u8]) -> Self {
        let hash = Sha256::digest(sealed);
        let bits = u32::from_be_bytes([0, hash[0], hash[1], hash[2]]) >> 4;
        Self(core::array::from_fn(|i| ALPHABET[(bits >> (15 - 5 * i) & 31) as usize]))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&c| fmt::Write::write_char(f, char::from(c)))
    }
}
