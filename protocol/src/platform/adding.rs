//! The proof with which a device is added to an account.

use super::words::WordError;
use crate::{hex, identity::is_serial};
use core::fmt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const PREFIX: &[u8] = b"latchkey/v1 adding\0";
/// How long a device verification code is.
const CODE: core::ops::RangeInclusive<usize> = 6..=12;

/// What a device says of its verification code when it registers: SHA-256 over `latchkey/v1 adding` NUL serial
/// NUL code. Codes can be tried on it, so a cloud keeps it under a key of its own and shows it to nobody.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Adding(#[serde(with = "hex")] pub [u8; 32]);

impl Adding {
    /// Of a serial and a code of 6 to 12 ASCII letters and digits. Upper and lower case are one in the code: people
    /// read it off a label and type it on a phone. They are not in the serial.
    pub fn of(serial: &str, code: &str) -> Result<Self, WordError> {
        if !is_serial(serial) {
            return Err(WordError("serial"));
        }
        if !CODE.contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(WordError("device verification code"));
        }
        let mut hash = Sha256::new();
        hash.update(PREFIX);
        hash.update(serial.as_bytes());
        hash.update([0]);
        code.bytes().for_each(|byte| hash.update([byte.to_ascii_uppercase()]));
        Ok(Self(hash.finalize().into()))
    }
}

/// Never shows it: codes can be tried on it.
impl fmt::Debug for Adding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adding(..)")
    }
}
