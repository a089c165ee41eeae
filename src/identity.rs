//! The device's own key, and the identity that a factory or an operator signs for it. Pure: the bytes
//! come and go through `app`.

use ed25519_dalek::SigningKey;
use latchkey_protocol::{
    DeviceIdentity,
    identity::{IdentityError, IdentityFile, IdentityRequest, NotHex},
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The largest identity file: a certificate chain is most of it.
pub const FILE_BYTES_MAX: usize = 64 * 1024;
/// The largest key file.
pub const KEY_BYTES_MAX: usize = 128;

/// Why an identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key's file is damaged.
    #[error(
        "device.key does not hold 64 hexadecimal digits; restore it, or remove it and have the device signed again"
    )]
    Key,
    /// Not the JSON that `latchkey-cloud factory sign` prints.
    #[error("it is not an identity file (line {line}, column {column})")]
    Format {
        /// The line of the fault.
        line: usize,
        /// The column of the fault.
        column: usize,
    },
    /// It is not for this device, or damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It was signed for another label.
    #[error("it was signed for serial {signed}, and this device is {own}")]
    Serial {
        /// The serial in the file.
        signed: String,
        /// The serial in the settings.
        own: String,
    },
}

/// Draws a device key.
pub fn draw_key(rng: &mut dyn CryptoRng) -> SigningKey {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut());
    SigningKey::from_bytes(&seed)
}

/// The bytes of `device.key`: the seed as hexadecimal digits.
pub fn encode_key(key: &SigningKey) -> Zeroizing<String> {
    use core::fmt::Write;
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in key.as_bytes() {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
    }
    text.push('\n');
    text
}

/// Reads `device.key`.
pub fn decode_key(bytes: &[u8]) -> Result<SigningKey, Error> {
    let digits = bytes.trim_ascii();
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8).ok_or(NotHex);
    let mut seed = Zeroizing::new([0; 32]);
    if digits.len() != 64 {
        return Err(Error::Key);
    }
    for (byte, pair) in seed.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0]).map_err(|_| Error::Key)? << 4 | digit(pair[1]).map_err(|_| Error::Key)?;
    }
    Ok(SigningKey::from_bytes(&seed))
}

/// What is handed to the factory. Nothing in it is secret.
pub fn request(key: &SigningKey, serial: &str, model: &str) -> Result<IdentityRequest, Error> {
    Ok(IdentityRequest::new(key, serial, model)?)
}

/// Reads an identity file and joins it with the device's key, if it is for this device. The file comes along.
pub fn join(file: &[u8], key: SigningKey, serial: &str) -> Result<(DeviceIdentity, IdentityFile), Error> {
    let file: IdentityFile = serde_json::from_slice(file)
        .map_err(|error| Error::Format { line: error.line(), column: error.column() })?;
    if file.serial != serial {
        return Err(Error::Serial { signed: file.serial, own: serial.to_owned() });
    }
    Ok((file.join(key)?, file))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chacha20::ChaCha20Rng;
    use latchkey_protocol::{CloudSecretKey, Handle, Host, identity::Psk};
    use rand_core::SeedableRng;

    fn key(seed: u64) -> SigningKey {
        draw_key(&mut ChaCha20Rng::seed_from_u64(seed))
    }

    fn signed_for(key: &SigningKey, serial: &str) -> Vec<u8> {
        let request = request(key, serial, "Model").unwrap();
        request.verify().unwrap();
        let file = IdentityFile {
            version: 1,
            handle: Handle([1; 8]),
            serial: request.serial,
            model: request.model,
            public_key: request.public_key,
            certificate: String::new(),
            psk: Some(Psk([2; 32])),
            cloud_keys: vec![CloudSecretKey::draw(&mut ChaCha20Rng::seed_from_u64(9)).public()],
            signing_keys: vec![],
            keys_serial: 0,
            server_roots: String::new(),
            host: Host::parse("cloud.example").unwrap(),
            mailbox: None,
        };
        serde_json::to_vec(&file).unwrap()
    }

    #[test]
    fn a_key_survives_its_file_and_a_damaged_file_is_refused() {
        let key = key(1);
        let text = encode_key(&key);
        assert_eq!(decode_key(text.as_bytes()).unwrap().to_bytes(), key.to_bytes());
        for bad in [
            &text[..63],
            "",
            &text.replace(['a', 'b', 'c', 'd', 'e', 'f'], "g"),
            &format!("{}00", text.trim()),
        ] {
            assert!(matches!(decode_key(bad.as_bytes()), Err(Error::Key)), "{bad}");
        }
    }

    #[test]
    fn only_an_identity_for_this_key_and_serial_is_taken() {
        let file = signed_for(&key(1), "LK-1");
        assert_eq!(join(&file, key(1), "LK-1").unwrap().0.handle, Handle([1; 8]));
        assert!(matches!(join(&file, key(2), "LK-1"), Err(Error::Identity(IdentityError::OtherDevice))));
        assert!(matches!(join(&file, key(1), "LK-2"), Err(Error::Serial { .. })));
        for cut in 0..file.len() {
            assert!(matches!(join(&file[..cut], key(1), "LK-1"), Err(Error::Format { .. })), "{cut}");
        }
    }
}
