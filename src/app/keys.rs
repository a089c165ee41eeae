//! The device's key, identity and certificate, between their files and the modules that read them.

use super::heart_task::chain;
use crate::{
    certificate::{self, Certificate},
    clock::Entropy,
    identity,
    platform::{LearnError, Learned, LinkIdentity},
    store::disk::{Disk, RealDisk, replace},
};
use ed25519_dalek::SigningKey;
use latchkey_protocol::{
    DeviceIdentity, Handle,
    identity::{IdentityFile, IdentityRequest},
};
use std::io;
use zeroize::Zeroizing;

const DEVICE_KEY: &str = "device.key";
const IDENTITY: &str = "identity.json";
const WEB_KEY: &str = "web.key";
const WEB_CERTIFICATE: &str = "web.crt";
const TOLD_TIME: &str = "platform.time";
const TIME_BYTES_MAX: usize = 32;
const PEM_BYTES_MAX: usize = 16 * 1024;

/// Why keys or certificates cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file could not be read or written.
    #[error("failed to read or write {file} in the state folder")]
    File {
        /// The file.
        file: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The identity cannot be used.
    #[error("the identity cannot be used")]
    Identity(#[from] identity::Error),
    /// What the cloud said does not hold.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The device has no key yet.
    #[error("the device has no key yet: run `latchkeyd identity request` and have its output signed first")]
    NoKey,
    /// No certificate could be made.
    #[error(transparent)]
    Make(#[from] certificate::MakeError),
    /// No random numbers.
    #[error("the kernel gives no random numbers")]
    Entropy(#[source] io::Error),
}

/// The certificate for HTTPS: the one that is kept, or a new one if there is none that is whole.
pub fn certificate(state: &RealDisk, serial: &str, names: &[String]) -> Result<Certificate, KeyError> {
    let kept = read(state, WEB_CERTIFICATE, PEM_BYTES_MAX).and_then(|certificate| {
        let key = read(state, WEB_KEY, PEM_BYTES_MAX)?;
        Ok(certificate.zip(key))
    });
    let why = match kept {
        Ok(Some((pem, key))) => match Certificate::read(pem.to_vec(), key) {
            Ok(certificate) => return Ok(certificate),
            Err(error) => chain(&error),
        },
        Ok(None) => "there is none yet".to_owned(),
        Err(error) => chain(&error),
    };
    tracing::warn!(why, "making a new certificate for the web pages: browsers will ask to accept it");
    let made = Certificate::make(serial, names)?;
    // The key first: a cut between the two leaves a pair that does not match, which is made again.
    write(state, WEB_KEY, &made.key_pem)?;
    write(state, WEB_CERTIFICATE, &made.pem)?;
    Ok(made)
}

/// What the device needs to seal challenges, and the file that says it, if it was ever registered with a
/// cloud. What is damaged is said in the log; everything but the reset by email works without.
pub fn device_identity(state: &RealDisk, serial: &str) -> Option<(DeviceIdentity, IdentityFile)> {
    let read = read(state, IDENTITY, identity::FILE_BYTES_MAX);
    let identity = read.and_then(|file| {
        let Some(file) = file else { return Ok(None) };
        let key = device_key(state)?.ok_or(KeyError::NoKey)?;
        Ok(Some(identity::join(&file, key, serial)?))
    });
    match identity {
        Ok(Some((identity, file))) => {
            tracing::info!(handle = %identity.handle, host = %identity.host, "registered with a cloud");
            return Some((identity, file));
        }
        Ok(None) => tracing::warn!(
            "this device is not registered with a cloud yet: no reset by email until an identity is installed"
        ),
        Err(error) => {
            tracing::error!(error = chain(&error), "no reset by email until this is put right");
        }
    }
    None
}

/// What it takes to connect to the platform, if the identity has it. The log says why not.
pub fn link_identity(identity: &DeviceIdentity, file: &IdentityFile, version: &str) -> Option<LinkIdentity> {
    match LinkIdentity::new(file, &identity.signing_key, version) {
        Ok(identity) => Some(identity),
        Err(error) => {
            tracing::warn!(error = chain(&error), "no platform link");
            None
        }
    }
}

/// The last time that a cloud told, in seconds since 1970; 0: none, or not readable.
pub fn told_time(state: &RealDisk) -> i64 {
    let text = read(state, TOLD_TIME, TIME_BYTES_MAX).ok().flatten();
    text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok()).unwrap_or(0)
}

/// Keeps a time that a cloud told.
pub fn keep_told_time(state: &RealDisk, unix_s: i64) {
    if let Err(error) = write(state, TOLD_TIME, format!("{unix_s}\n").as_bytes()) {
        tracing::warn!(error = chain(&error), "the time was not kept");
    }
}

/// What is handed to the factory; makes the device's key if it has none.
pub fn identity_request(
    state: &RealDisk,
    serial: &str,
    model: &str,
    entropy: &impl Entropy,
) -> Result<IdentityRequest, KeyError> {
    let key = match device_key(state)? {
        Some(key) => key,
        None => {
            let key = identity::draw_key(&mut entropy.generator().map_err(KeyError::Entropy)?);
            write(state, DEVICE_KEY, identity::encode_key(&key).as_bytes())?;
            key
        }
    };
    Ok(identity::request(&key, serial, model)?)
}

/// Checks a signed identity against the device's key and keeps it.
pub fn install_identity(
    state: &RealDisk,
    serial: &str,
    file: &[u8],
) -> Result<(DeviceIdentity, IdentityFile), KeyError> {
    let key = device_key(state)?.ok_or(KeyError::NoKey)?;
    let joined = identity::join(file, key, serial)?;
    write(state, IDENTITY, file)?;
    Ok(joined)
}

/// Keeps what the cloud of an identity said, if it holds for the identity that is on flash now.
pub fn learn(
    state: &RealDisk,
    serial: &str,
    of: Handle,
    learned: Learned,
) -> Result<(DeviceIdentity, IdentityFile), KeyError> {
    let key = device_key(state)?.ok_or(KeyError::NoKey)?;
    let file = read(state, IDENTITY, identity::FILE_BYTES_MAX)?;
    let file: Option<IdentityFile> = file.and_then(|file| serde_json::from_slice(&file).ok());
    let file = file.filter(|file| file.handle == of).ok_or(LearnError::OtherIdentity)?;
    let file = learned.applied(file, &key)?;
    let not_written = |error: serde_json::Error| KeyError::File { file: IDENTITY, source: error.into() };
    let bytes = Zeroizing::new(serde_json::to_vec_pretty(&file).map_err(not_written)?);
    let joined = identity::join(&bytes, key, serial)?;
    write(state, IDENTITY, &bytes)?;
    Ok(joined)
}

fn device_key(state: &RealDisk) -> Result<Option<SigningKey>, KeyError> {
    let bytes = read(state, DEVICE_KEY, identity::KEY_BYTES_MAX)?;
    bytes.map(|bytes| identity::decode_key(&bytes)).transpose().map_err(KeyError::Identity)
}

fn read(state: &RealDisk, file: &'static str, max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    state.read(file, max).map_err(|source| KeyError::File { file, source })
}

fn write(state: &RealDisk, file: &'static str, bytes: &[u8]) -> Result<(), KeyError> {
    replace(state, file, bytes).map_err(|source| KeyError::File { file, source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::simulated::SimulatedEntropy;
    use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> (Self, RealDisk) {
            let path = std::env::temp_dir().join(format!("latchkey-keys-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            let disk = RealDisk::open(&path).unwrap();
            (Self(path), disk)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_certificate_is_kept_and_a_damaged_one_is_made_anew() {
        let (folder, state) = Temporary::new("certificate");
        let first = certificate(&state, "LK-1", &[]).unwrap().sha256;
        assert_eq!(certificate(&state, "LK-1", &[]).unwrap().sha256, first);
        for file in [WEB_KEY, WEB_CERTIFICATE] {
            let path = folder.0.join(file);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
            let before = certificate(&state, "LK-1", &[]).unwrap().sha256;
            let whole = fs::read(&path).unwrap();
            fs::write(&path, &whole[..whole.len() / 2]).unwrap();
            let after = certificate(&state, "LK-1", &[]).unwrap().sha256;
            assert_ne!(after, before, "{file}");
            fs::remove_file(&path).unwrap();
            assert_ne!(certificate(&state, "LK-1", &[]).unwrap().sha256, after, "{file}");
        }
    }

    #[test]
    fn a_key_is_drawn_once_and_kept_for_the_owner_alone() {
        let (folder, state) = Temporary::new("request");
        let entropy = SimulatedEntropy::default();
        assert!(matches!(install_identity(&state, "LK-1", b"{}"), Err(KeyError::NoKey)));
        let first = identity_request(&state, "LK-1", "Model", &entropy).unwrap();
        let again = identity_request(&state, "LK-1", "Model", &entropy).unwrap();
        assert_eq!(first.public_key, again.public_key);
        first.verify().unwrap();
        let mode = fs::metadata(folder.0.join(DEVICE_KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(
            install_identity(&state, "LK-1", b"{}"),
            Err(KeyError::Identity(identity::Error::Format { .. }))
        ));
        assert!(device_identity(&state, "LK-1").is_none());
        fs::write(folder.0.join(DEVICE_KEY), "damaged").unwrap();
        assert!(identity_request(&state, "LK-1", "Model", &entropy).is_err(), "never drawn over");
    }
}
