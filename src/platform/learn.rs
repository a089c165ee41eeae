//! What a device learns from its cloud over the link, and what makes it worth keeping.

use super::{LinkIdentity, LinkIdentityError, certificate::Facts};
use ed25519_dalek::SigningKey;
use latchkey_protocol::{
    Handle,
    identity::{IdentityFile, IdentityRequest},
    platform::{KeyList, KeyListError},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// What the cloud said.
#[derive(Debug, Clone)]
pub enum Learned {
    /// A new certificate for the device's key, with its issuers, PEM.
    Certificate(String),
    /// The cloud's keys from now on.
    Keys(KeyList),
}

/// Why it is not kept.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The device has another identity by now.
    #[error("it is for another identity than the one that the device has now")]
    OtherIdentity,
    /// The list does not hold.
    #[error("the cloud's list of keys is not taken")]
    Keys(#[from] KeyListError),
    /// The certificate is not one for this device, or ends no later.
    #[error("the new certificate is not this device's, or ends no later than the one in use")]
    Certificate,
    /// The certificate cannot be used.
    #[error("the new certificate cannot be used")]
    Link(#[from] LinkIdentityError),
}

/// Keeps identities for the link's task: on flash, whole, before anybody is told. Called where it may
/// wait for the medium.
pub trait Keeper: Send + Sync {
    /// Keeps what the cloud of an identity said.
    fn learn(&self, of: Handle, learned: Learned) -> Result<(), KeepError>;
    /// The request that a cloud signs.
    fn request(&self) -> Result<IdentityRequest, KeepError>;
    /// Keeps a new identity, in place of the one that there may be.
    fn install(&self, file: &[u8]) -> Result<(), KeepError>;
}

/// Why an identity was not kept, for the log; the one before it is as it was.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct KeepError(pub String);

impl Learned {
    /// The identity with what was learned, if it holds.
    pub fn applied(self, mut file: IdentityFile, key: &SigningKey) -> Result<IdentityFile, LearnError> {
        match self {
            Self::Keys(list) => {
                list.verify(&file.host, file.keys_serial, &file.signing_keys)?;
                file.keys_serial = list.serial;
                file.cloud_keys = list.cloud_keys;
                file.signing_keys = list.signing_keys;
            }
            Self::Certificate(pem) => {
                let (old, new) = (facts(&file.certificate), facts(&pem).ok_or(LearnError::Certificate)?);
                if new.name != file.handle.to_string()
                    || old.is_some_and(|old| new.until_unix_s <= old.until_unix_s)
                {
                    return Err(LearnError::Certificate);
                }
                file.certificate = pem;
                // Whether the key is this device's, and whether TLS can use the chain.
                LinkIdentity::new(&file, key, env!("CARGO_PKG_VERSION"))?;
            }
        }
        Ok(file)
    }
}

/// Of the first certificate of a chain.
pub(super) fn facts(pem: &str) -> Option<Facts> {
    Facts::read(&CertificateDer::from_pem_slice(pem.as_bytes()).ok()?)
}
