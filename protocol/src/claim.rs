//! The code with which a device without an identity claims one from a cloud of its owner's.
//!
//! Half of it is a secret that the cloud gave out; the other half says which root the cloud's certificate
//! must come from, so that the secret and the identity are told to nobody else.

use crate::hex;
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// RFC 4648 6, which has neither 0 nor 1.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LEN: usize = 20;

/// What the cloud knows a claim by. Written out only where it is told to the cloud.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimSecret(#[serde(with = "hex")] pub [u8; 10]);

/// Never shows the secret.
impl fmt::Debug for ClaimSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimSecret(..)")
    }
}

impl ClaimSecret {
    /// The secret's SHA-256, which is what a cloud keeps.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

/// A claim code: 32 letters and digits in eight groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClaimCode {
    /// What the device tells the cloud.
    pub secret: ClaimSecret,
    /// The first ten bytes of SHA-256 of the root's certificate, DER.
    pub root: [u8; 10],
}

/// A text is not a claim code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a claim code has 32 letters and digits: type it again as it was given out")]
pub struct NotAClaim;

impl ClaimCode {
    /// A code for a cloud whose certificate comes from a root.
    pub fn new(secret: [u8; 10], root_der: &[u8]) -> Self {
        Self { secret: ClaimSecret(secret), root: fingerprint(root_der) }
    }

    /// Whether a certificate is the root that the code names.
    pub fn is_root(&self, certificate_der: &[u8]) -> bool {
        fingerprint(certificate_der) == self.root
    }

    /// The secret's SHA-256.
    pub fn digest(&self) -> [u8; 32] {
        self.secret.digest()
    }
}

fn fingerprint(der: &[u8]) -> [u8; 10] {
    let mut first = [0; 10];
    first.copy_from_slice(&Sha256::digest(der)[..10]);
    first
}

/// Never shows the secret.
impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode(..)")
    }
}

impl fmt::Display for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; LEN];
        bytes[..10].copy_from_slice(&self.secret.0);
        bytes[10..].copy_from_slice(&self.root);
        for (group, five) in bytes.chunks_exact(5).enumerate() {
            let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for at in 0..8 {
                if (group, at) != (0, 0) && at % 4 == 0 {
                    f.write_str("-")?;
                }
                let letter = ALPHABET[(bits >> (35 - 5 * at) & 31) as usize];
                write!(f, "{}", char::from(letter))?;
            }
        }
        Ok(())
    }
}

impl FromStr for ClaimCode {
    type Err = NotAClaim;

    /// Hyphens and spaces are left out; 0 and 1, which no code has, stand for O and I; case is nothing.
    fn from_str(text: &str) -> Result<Self, NotAClaim> {
        let mut bytes = [0; LEN];
        let mut count = 0;
        for letter in text.bytes().filter(|b| !matches!(b, b'-' | b' ')) {
            let letter = match letter.to_ascii_uppercase() {
                b'0' => b'O',
                b'1' => b'I',
                letter => letter,
            };
            let five = ALPHABET.iter().position(|other| *other == letter).ok_or(NotAClaim)?;
            for bit in 0..5 {
                let byte = bytes.get_mut((count + bit) / 8).ok_or(NotAClaim)?;
                *byte |= ((five >> (4 - bit) & 1) as u8) << (7 - (count + bit) % 8);
            }
            count += 5;
        }
        if count != 8 * LEN {
            return Err(NotAClaim);
        }
        let (secret, root) = bytes.split_at(10);
        let take = |half: &[u8]| <[u8; 10]>::try_from(half).map_err(|_| NotAClaim);
        Ok(Self { secret: ClaimSecret(take(secret)?), root: take(root)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_code_is_read_as_it_was_written(secret: [u8; 10], root in prop::collection::vec(any::<u8>(), 0..50)) {
            let code = ClaimCode::new(secret, &root);
            let text = code.to_string();
            prop_assert_eq!(text.len(), 32 + 7);
            prop_assert_eq!(text.parse(), Ok(code));
            let sloppy = text.to_lowercase().replace('-', " ").replace('o', "0").replace('i', "1");
            prop_assert_eq!(sloppy.parse(), Ok(code));
            prop_assert_eq!(text[1..].parse::<ClaimCode>(), Err(NotAClaim));
            prop_assert_eq!(format!("{text}A").parse::<ClaimCode>(), Err(NotAClaim));
            prop_assert!(code.is_root(&root) && !code.is_root(&[&root[..], b"x"].concat()));
        }

        #[test]
        fn no_text_stops_the_reader(text in ".{0,60}") {
            let _ = text.parse::<ClaimCode>();
        }
    }

    #[test]
    fn no_debug_output_shows_the_secret() {
        let code = ClaimCode::new([0xab; 10], b"root");
        let shown = format!("{code:?} {:?} {:#?}", code.secret, Some(code.secret));
        assert!(!shown.contains("ab") && !shown.contains("171"), "{shown}");
    }

    #[test]
    fn a_known_code() {
        let code = ClaimCode::new(*b"0123456789", b"root");
        assert!(code.to_string().starts_with("GAYT-EMZU-GU3D-OOBZ-"), "{code}");
    }
}
