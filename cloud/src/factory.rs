//! The factory: signs a device's identity, revokes and lists.

use crate::{
    clock::draw,
    config::Config,
    keys::{Authority, KeyRing, KeysError},
    store::{AddDevice, Device, Store, StoreError},
};
use latchkey_protocol::{
    Handle, Mode,
    identity::{IdentityError, IdentityFile, IdentityRequest, Psk},
};

/// Why an identity is not signed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum FactoryError {
    /// The file is not an identity request.
    #[error("the file is not an identity request: make one with `latchkeyd identity request`")]
    NotARequest(#[from] serde_json::Error),
    /// The request does not hold.
    #[error("the request cannot be signed")]
    Request(#[from] IdentityError),
    /// The serial has an identity.
    #[error(
        "the serial {0} has an identity already: sign it again with --replace, which revokes the old one"
    )]
    SignedBefore(String),
    /// Nothing to revoke.
    #[error("no device has the handle or serial {0}")]
    Unknown(String),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a device is to be signed.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignOptions {
    /// `mode_base` in place of `mode_psk`.
    pub base: bool,
    /// Revokes the serial's old identity.
    pub replace: bool,
}

/// Signs a request: draws handle and secret, records the device, gives its file.
pub async fn sign(
    config: &Config,
    store: &dyn Store,
    request: &[u8],
    options: SignOptions,
    now_s: i64,
) -> Result<IdentityFile, FactoryError> {
    let request: IdentityRequest = serde_json::from_slice(request)?;
    let key = request.verify()?;
    let ring = KeyRing::load(&config.keys())?;
    let authority = Authority::load(&config.keys())?;
    let handle = Handle(draw());
    let psk = (!options.base).then(|| Psk(draw()));
    let certificate = authority.certify(&handle.to_string(), &request.serial, &request.public_key)?;
    let device = Device {
        handle,
        serial: request.serial.clone(),
        model: request.model.clone(),
        key,
        mode: psk.as_ref().map_or(Mode::Base, |psk| Mode::Psk(psk.0)),
        signed_at_s: now_s,
        revoked_at_s: None,
    };
    match store.add_device(device, options.replace).await? {
        AddDevice::Added => {}
        AddDevice::SerialTaken => return Err(FactoryError::SignedBefore(request.serial)),
    }
    Ok(IdentityFile {
        version: 1,
        handle,
        serial: request.serial,
        model: request.model,
        public_key: request.public_key,
        certificate,
        psk,
        cloud_keys: vec![ring.active()],
        signing_keys: vec![],
        server_roots: String::new(),
        host: config.host.clone(),
    })
}

/// Revokes a device by handle or serial.
pub async fn revoke(store: &dyn Store, which: &str, now_s: i64) -> Result<Handle, FactoryError> {
    store.revoke(which.to_owned(), now_s).await?.ok_or_else(|| FactoryError::Unknown(which.to_owned()))
}
