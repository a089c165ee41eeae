//! The key of the accounts, `accounts.key`: under it addresses are found and sealed, codes are hashed, and
//! riddles are carried by whoever is to solve them.

use crate::{
    clock::draw,
    keys::{self, KeysError},
};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, Mac as _};
use latchkey_protocol::{Address, platform::Adding};
use sha2::Sha256;
use std::path::Path;
use zeroize::Zeroizing;

const FILE: &str = "accounts.key";
const NONCE: usize = 24;

/// The key.
pub struct Secrets {
    key: Zeroizing<[u8; 32]>,
    cipher: XChaCha20Poly1305,
}

impl Secrets {
    /// Reads the key, or draws it at the first start.
    pub fn load(folder: &Path) -> Result<Self, KeysError> {
        Ok(Self::of(keys::read_or_draw(&folder.join(FILE))?))
    }

    fn of(key: Zeroizing<[u8; 32]>) -> Self {
        let sealing = Zeroizing::new(hash(&key, &[b"seal"]));
        Self { cipher: XChaCha20Poly1305::new((&*sealing).into()), key }
    }

    /// A keyed hash of some parts.
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        hash(&self.key, parts)
    }

    /// What an address is found by. Upper and lower case are one.
    pub fn address(&self, address: &Address) -> [u8; 32] {
        self.hash(&[b"email", address.as_str().to_ascii_lowercase().as_bytes()])
    }

    /// What is kept of the proof of a device's verification code.
    pub fn adding(&self, adding: Adding) -> [u8; 32] {
        self.hash(&[b"adding", &adding.0])
    }

    /// Seals a text for a purpose; it opens for no other.
    pub fn seal(&self, purpose: &str, text: &[u8]) -> Vec<u8> {
        let nonce = draw::<NONCE>();
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        let mut sealed = nonce.to_vec();
        // It fails for texts beyond 256 GiB only.
        sealed.extend(self.cipher.encrypt((&nonce).into(), payload).unwrap_or_default());
        sealed
    }

    /// Opens what was sealed for that purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        self.cipher.decrypt(nonce.into(), payload).ok().map(Zeroizing::new)
    }
}

fn hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = [0; 32];
    // HMAC takes a key of any length (RFC 2104 2).
    if let Ok(mut hmac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) {
        for part in parts {
            hmac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hmac.update(part);
        }
        digest = hmac.finalize().into_bytes().into();
    }
    digest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone_and_unchanged() {
        let secrets = Secrets::of(Zeroizing::new([7; 32]));
        let sealed = secrets.seal("a", b"text");
        assert_eq!(**secrets.open("a", &sealed).unwrap(), *b"text");
        assert!(secrets.open("b", &sealed).is_none());
        assert!(Secrets::of(Zeroizing::new([8; 32])).open("a", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(secrets.open("a", &changed).is_none());
            assert!(secrets.open("a", &sealed[..at]).is_none());
        }
        assert_ne!(secrets.seal("a", b"text"), sealed, "drawn anew");
        assert_ne!(secrets.hash(&[b"ab", b"c"]), secrets.hash(&[b"a", b"bc"]));
    }
}
