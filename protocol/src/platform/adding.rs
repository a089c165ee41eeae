//! The proof with which a device is added to an account.

use super::words::WordError;
use crate::{Host, hex, identity::is_serial};
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

/// What the QR code for adding a device holds (8.9): `https://<host>/add#<serial>/<device verification code>`. The code in
/// it is as secret as the label that it stands on.
#[derive(Clone, PartialEq, Eq)]
pub struct AddLink {
    /// The cloud that the device connects to.
    pub host: Host,
    /// The device's serial.
    pub serial: String,
    /// Its verification code, as it is spelled on the device.
    pub code: String,
}

impl AddLink {
    /// Reads a link back. None of another text.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, rest) = text.trim().strip_prefix("https://")?.split_once("/add#")?;
        let (serial, code) = rest.split_once('/')?;
        check(serial, code).ok()?;
        Some(Self { host: Host::parse(host).ok()?, serial: serial.to_owned(), code: code.to_owned() })
    }
}

impl fmt::Display for AddLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}/add#{}/{}", self.host, self.serial, self.code)
    }
}

fn check(serial: &str, code: &str) -> Result<(), WordError> {
    if !is_serial(serial) {
        return Err(WordError("serial"));
    }
    if !CODE.contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(WordError("device verification code"));
    }
    Ok(())
}

impl Adding {
    /// Of a serial and a code of 6 to 12 ASCII letters and digits. Upper and lower case are one in the code: people
    /// read it off a label and type it on a phone. They are not in the serial.
    pub fn of(serial: &str, code: &str) -> Result<Self, WordError> {
        check(serial, code)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_link_is_read_back_and_nothing_else_is_one() {
        let text = "https://cloud.example:8443/add#LK-7/abCD12";
        let link = AddLink::parse(text).unwrap();
        assert_eq!(
            (link.host.as_str(), &*link.serial, &*link.code),
            ("cloud.example:8443", "LK-7", "abCD12")
        );
        assert_eq!(link.to_string(), text);
        for other in [
            "http://cloud.example/add#LK-7/abCD12",
            "https://cloud.example/r#LK-7/abCD12",
            "https://Cloud.example/add#LK-7/abCD12",
            "https://cloud.example/add#/abCD12",
            "https://cloud.example/add#LK-7/abc",
            "https://cloud.example/add#LK-7/abCD12/",
            "https://cloud.example/add#LK-7",
        ] {
            assert!(AddLink::parse(other).is_none(), "{other}");
        }
    }
}
