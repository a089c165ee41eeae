//! The factory: signs a device's identity, revokes and lists.

use crate::{
    clock::draw,
    config::Config,
    keys::{Authority, KeyRing, KeysError, platform::PlatformKeys},
    store::{
        AddDevice, Device, Store, StoreError,
        fleet::{Claim, Enrolled},
    },
};
use latchkey_protocol::{
    CloudPublicKey, Handle, Mode,
    claim::{ClaimCode, ClaimSecret},
    identity::{IdentityError, IdentityFile, IdentityRequest, Psk},
};
use std::sync::Arc;

/// A node's clock may be so far behind that of the one that signs.
const SKEW_S: i64 = 3600;

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
    /// The claim allows nothing.
    #[error("there is no such claim, or it is over, used up or for another serial")]
    NoClaim,
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

/// What signs identities.
pub struct Factory {
    /// What signs for devices later on.
    pub keys: Arc<PlatformKeys>,
    /// What signs the devices' certificates.
    pub authority: Arc<Authority>,
    config: Arc<Config>,
    active: CloudPublicKey,
}

impl Factory {
    /// Reads the keys.
    pub fn load(config: &Arc<Config>) -> Result<Self, KeysError> {
        Ok(Self {
            keys: Arc::new(PlatformKeys::load(&config.keys())?),
            authority: Arc::new(Authority::load(&config.keys())?),
            active: KeyRing::load(&config.keys())?.active(),
            config: config.clone(),
        })
    }

    /// Draws handle and secret for a device, and writes its file. Nothing is recorded yet.
    fn draft(
        &self,
        request: IdentityRequest,
        base: bool,
        now_s: i64,
    ) -> Result<(Device, IdentityFile), FactoryError> {
        let key = request.verify()?;
        let psk = (!base).then(|| Psk(draw()));
        let device = Device {
            handle: Handle(draw()),
            serial: request.serial.clone(),
            model: request.model.clone(),
            key,
            mode: psk.as_ref().map_or(Mode::Base, |psk| Mode::Psk(psk.0)),
            signed_at_s: now_s,
            revoked_at_s: None,
        };
        let file = IdentityFile {
            version: 1,
            handle: device.handle,
            serial: request.serial,
            model: request.model,
            public_key: request.public_key,
            certificate: self.certify(&device, now_s)?,
            psk,
            cloud_keys: vec![self.active],
            signing_keys: self.keys.signing_keys(),
            keys_serial: 0,
            server_roots: self.keys.root_pem().to_owned(),
            host: self.config.host.clone(),
            mailbox: self.config.mailbox.as_ref().map(|mailbox| mailbox.address.clone()),
        };
        Ok((device, file))
    }

    /// A device's certificate, made now.
    pub fn certify(&self, device: &Device, now_s: i64) -> Result<String, FactoryError> {
        let end_s = self.config.platform.certificate_end_s(now_s);
        let validity_s = end_s.map(|end_s| (now_s - SKEW_S, end_s));
        let (handle, key) = (device.handle.to_string(), device.key.as_bytes());
        Ok(self.authority.certify(&handle, &device.serial, key, validity_s)?)
    }

    /// Signs a request: records the device, gives its file.
    pub async fn sign(
        &self,
        store: &dyn Store,
        request: &[u8],
        options: SignOptions,
        now_s: i64,
    ) -> Result<IdentityFile, FactoryError> {
        let (device, file) = self.draft(serde_json::from_slice(request)?, options.base, now_s)?;
        match store.add_device(device, options.replace).await? {
            AddDevice::Added => Ok(file),
            AddDevice::SerialTaken => Err(FactoryError::SignedBefore(file.serial)),
        }
    }

    /// Makes a code with which devices can be enrolled, for a while.
    pub async fn claim(
        &self,
        store: &dyn Store,
        options: ClaimOptions,
        now_s: i64,
    ) -> Result<ClaimCode, FactoryError> {
        let code = ClaimCode::new(draw(), &self.keys.root_der()?);
        let ClaimOptions { uses, hold_s, serial } = options;
        let claim = Claim { digest: code.digest(), expires_at_s: now_s + hold_s, uses, serial };
        store.add_claim(claim).await?;
        Ok(code)
    }

    /// Signs a request on a claim.
    pub async fn enrol(
        &self,
        store: &dyn Store,
        secret: ClaimSecret,
        request: IdentityRequest,
        now_s: i64,
    ) -> Result<IdentityFile, FactoryError> {
        let (device, file) = self.draft(request, false, now_s)?;
        match store.enrol(secret.digest(), device).await? {
            Enrolled::Added => Ok(file),
            Enrolled::NoClaim => Err(FactoryError::NoClaim),
            Enrolled::SerialTaken => Err(FactoryError::SignedBefore(file.serial)),
        }
    }
}

/// What a claim allows.
#[derive(Debug, Clone)]
pub struct ClaimOptions {
    /// How many devices.
    pub uses: u32,
    /// For how long, in seconds.
    pub hold_s: i64,
    /// Only a device with this serial.
    pub serial: Option<String>,
}

/// Signs a request, with the keys of a configuration.
pub async fn sign(
    config: &Config,
    store: &dyn Store,
    request: &[u8],
    options: SignOptions,
    now_s: i64,
) -> Result<IdentityFile, FactoryError> {
    Factory::load(&Arc::new(config.clone()))?.sign(store, request, options, now_s).await
}

/// Revokes a device by handle or serial.
pub async fn revoke(store: &dyn Store, which: &str, now_s: i64) -> Result<Handle, FactoryError> {
    store.revoke(which.to_owned(), now_s).await?.ok_or_else(|| FactoryError::Unknown(which.to_owned()))
}
