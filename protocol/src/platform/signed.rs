//! What a cloud signs for devices: the time, for those whose clock is wrong, and its own keys.

use super::words::Nonce;
use crate::{hex, identity::CloudPublicKey, link::Host, suite};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};

/// The most keys of each kind in a list.
pub const KEYS_MAX: usize = 8;

const TIME_PREFIX: &[u8] = b"latchkey/v1 time\0";
const KEYS_PREFIX: &[u8] = b"latchkey/v1 keys\0";

/// A cloud's Ed25519 public key, with which it signs time and keys for its devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CloudSigningKey(#[serde(with = "hex")] pub [u8; 32]);

impl CloudSigningKey {
    /// The public half of a key.
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }

    /// Whether a signature can be held against it: a canonical point that is not of small order.
    pub fn is_usable(&self) -> bool {
        suite::verifying_key(&self.0).is_some()
    }

    fn holds(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        suite::verifying_key(&self.0).is_some_and(|key| suite::signature_holds(&key, &[message], signature))
    }
}

/// The answer to `GET /api/v1/time?nonce=...`. Its signature alone is trusted, not the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTime {
    /// The cloud's clock, in seconds since 1970.
    pub unix_time_s: i64,
    /// Ed25519 over `latchkey/v1 time` NUL nonce (16 bytes) time (8 bytes, big-endian).
    #[serde(with = "hex")]
    pub signature: [u8; 64],
}

impl SignedTime {
    /// Signs the time for a device's nonce.
    pub fn sign(key: &SigningKey, nonce: Nonce, unix_time_s: i64) -> Self {
        Self { unix_time_s, signature: key.sign(&Self::message(nonce, unix_time_s)).to_bytes() }
    }

    /// The time, if one of the keys has signed it for this nonce. The caller drops a nonce once used
    /// or when the answer took too long.
    pub fn verify(&self, keys: &[CloudSigningKey], nonce: Nonce) -> Option<i64> {
        let message = Self::message(nonce, self.unix_time_s);
        keys.iter().any(|key| key.holds(&message, &self.signature)).then_some(self.unix_time_s)
    }

    fn message(nonce: Nonce, unix_time_s: i64) -> Vec<u8> {
        [TIME_PREFIX, &nonce.0, &unix_time_s.to_be_bytes()].concat()
    }
}

/// A cloud's keys, replacing those that a device has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// Grows with each list of a cloud; a device takes no list that is not greater than its own.
    pub serial: u64,
    /// X25519, 1 to 8; the first is the one to seal to.
    pub cloud_keys: Vec<CloudPublicKey>,
    /// Ed25519, 1 to 8: what the next list and the time may be signed with.
    pub signing_keys: Vec<CloudSigningKey>,
    /// Ed25519 by a key that the device trusts already.
    #[serde(with = "hex")]
    pub signature: [u8; 64],
}

/// Why a list of keys is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyListError {
    /// No key, too many, or one that cannot be used.
    #[error("the list has no key, too many, or one that cannot be used")]
    Keys,
    /// No trusted key has signed it for this host.
    #[error("the list was not signed by a key that this device trusts")]
    Signature,
    /// Not newer than what the device has.
    #[error("the list is not newer than the one in use")]
    Old,
}

impl KeyList {
    /// Signs a list for the devices of a host. The lists must have 1 to 8 keys each, or no device
    /// takes them.
    pub fn sign(
        key: &SigningKey,
        host: &Host,
        serial: u64,
        cloud_keys: Vec<CloudPublicKey>,
        signing_keys: Vec<CloudSigningKey>,
    ) -> Self {
        let mut list = Self { serial, cloud_keys, signing_keys, signature: [0; 64] };
        list.signature = key.sign(&list.message(host)).to_bytes();
        list
    }

    /// Whether a device of this host may take the list in place of its own, whose serial is `current`
    /// (0 for the keys of its identity file) and whose signing keys are `trusted`.
    pub fn verify(&self, host: &Host, current: u64, trusted: &[CloudSigningKey]) -> Result<(), KeyListError> {
        let counts = [self.cloud_keys.len(), self.signing_keys.len()];
        if counts.iter().any(|count| !(1..=KEYS_MAX).contains(count))
            || !self.cloud_keys.iter().all(CloudPublicKey::is_usable)
            || !self.signing_keys.iter().all(CloudSigningKey::is_usable)
        {
            return Err(KeyListError::Keys);
        }
        let message = self.message(host);
        if !trusted.iter().any(|key| key.holds(&message, &self.signature)) {
            return Err(KeyListError::Signature);
        }
        if self.serial <= current { Err(KeyListError::Old) } else { Ok(()) }
    }

    fn message(&self, host: &Host) -> Vec<u8> {
        let mut bytes = [KEYS_PREFIX, &self.serial.to_be_bytes()].concat();
        bytes.push(host.as_str().len() as u8); // a host has at most 57
        bytes.extend_from_slice(host.as_str().as_bytes());
        bytes.push(self.cloud_keys.len() as u8); // verify() has bounded both
        self.cloud_keys.iter().for_each(|key| bytes.extend_from_slice(&key.0));
        bytes.push(self.signing_keys.len() as u8);
        self.signing_keys.iter().for_each(|key| bytes.extend_from_slice(&key.0));
        bytes
    }
}
