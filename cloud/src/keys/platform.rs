//! Keys of the platform link: what signs the time and the lists of keys, and the root that vouches for
//! the cloud's own certificate. Devices get the public halves with their identity.

use super::{
    Authority, KeyRing, KeysError, draw, hex, io_error, private_file, read_hex, read_private, server_params,
};
use ed25519_dalek::SigningKey;
use latchkey_protocol::{
    Host,
    platform::{CloudSigningKey, KEYS_MAX, KeyList, Nonce, SignedTime},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use std::{fs, io, path::Path};
use zeroize::Zeroizing;

const ROOT_KEY: &str = "platform-root.key";
const ROOT_CERTIFICATE: &str = "platform-root.crt";
const LIST_SERIAL: &str = "key-list.serial";
const DAY_S: i64 = 86_400;
/// The cloud's own certificate is made anew each day, and holds this long for devices whose clock is
/// a little off and for services that run long.
const SERVER_DAYS: i64 = 30;

fn signing_path(folder: &Path, number: usize) -> std::path::PathBuf {
    folder.join(format!("signing-{number}.ed25519"))
}

/// What signs for devices.
pub struct PlatformKeys {
    /// Oldest first: the first is the one that most devices trust.
    signing: Vec<SigningKey>,
    root: Issuer<'static, KeyPair>,
    root_pem: String,
    list_serial: u64,
}

impl PlatformKeys {
    /// Reads the keys, and makes those that a folder from before there was a link has not.
    pub fn load(folder: &Path) -> Result<Self, KeysError> {
        make(folder)?;
        let mut signing = vec![];
        for number in 1..=KEYS_MAX {
            let path = signing_path(folder, number);
            if path.exists() {
                signing.push(SigningKey::from_bytes(&*read_hex(&path)?));
            }
        }
        let key = KeyPair::from_pem(&read_private(&folder.join(ROOT_KEY))?)?;
        let path = folder.join(ROOT_CERTIFICATE);
        let root_pem = fs::read_to_string(&path).map_err(io_error(&path))?;
        CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(|_| KeysError::Damaged(path))?;
        Ok(Self {
            signing,
            root: Issuer::new(root_params(), key),
            root_pem,
            list_serial: list_serial(folder)?,
        })
    }

    /// The keys that devices are to trust for the time and for later keys.
    pub fn signing_keys(&self) -> Vec<CloudSigningKey> {
        self.signing.iter().map(CloudSigningKey::of).collect()
    }

    /// The root's certificate, PEM.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The root's certificate, DER.
    pub fn root_der(&self) -> Result<CertificateDer<'static>, KeysError> {
        CertificateDer::from_pem_slice(self.root_pem.as_bytes())
            .map_err(|_| KeysError::Damaged(ROOT_CERTIFICATE.into()))
    }

    /// The time, signed for a device's nonce.
    pub fn time(&self, nonce: Nonce, now_s: i64) -> Option<SignedTime> {
        self.signing.first().map(|key| SignedTime::sign(key, nonce, now_s))
    }

    /// The list of keys, once they have changed: signed by the oldest, which most devices trust.
    pub fn list(&self, ring: &KeyRing, host: &Host) -> Option<KeyList> {
        let key = self.signing.first().filter(|_| self.list_serial > 0)?;
        Some(KeyList::sign(key, host, self.list_serial, vec![ring.active()], self.signing_keys()))
    }

    /// A new certificate for the cloud itself, with its issuer, and its key.
    pub fn server_certificate(
        &self,
        host: &str,
        now_s: i64,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), KeysError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        let mut params = server_params(host)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = super::date(now_s - DAY_S);
        params.not_after = super::date(now_s + SERVER_DAYS * DAY_S);
        let certificate = params.signed_by(&key, &self.root)?;
        let chain = vec![certificate.der().clone(), self.root_der()?];
        Ok((chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }
}

/// The authority that signs the devices' certificates, as TLS takes it.
pub fn device_roots(authority: &Authority) -> Result<rustls::RootCertStore, KeysError> {
    let damaged = || KeysError::Damaged(super::CA_CERTIFICATE.into());
    let der = CertificateDer::from_pem_slice(authority.certificate.as_bytes()).map_err(|_| damaged())?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der).map_err(|_| damaged())?;
    Ok(roots)
}

/// The root's own name and rights: the same at every reading, so that they need no parsing.
fn root_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Latchkey platform");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = super::forever();
    params
}

/// Makes what is not there. Two processes may come at the same time: the first one's files stay.
pub(super) fn make(folder: &Path) -> Result<(), KeysError> {
    let first = signing_path(folder, 1);
    let has_signing = (1..=KEYS_MAX).any(|number| signing_path(folder, number).exists());
    if !has_signing {
        unless_there(&first, hex(&draw::<32>()).as_bytes())?;
    }
    let path = folder.join(ROOT_KEY);
    if !path.exists() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        unless_there(&path, Zeroizing::new(key.serialize_pem()).as_bytes())?;
    }
    let certificate = folder.join(ROOT_CERTIFICATE);
    if !certificate.exists() {
        let key = KeyPair::from_pem(&read_private(&path)?)?;
        unless_there(&certificate, root_params().self_signed(&key)?.pem().as_bytes())?;
    }
    Ok(())
}

fn unless_there(path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    match private_file(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(io_error(path)),
    }
}

/// Adds a key to those that devices trust, by the list that the service sends from its next start on.
pub fn add_signing_key(folder: &Path) -> Result<CloudSigningKey, KeysError> {
    make(folder)?;
    let free = (1..=KEYS_MAX).map(|n| signing_path(folder, n)).find(|path| !path.exists());
    let path = free.ok_or(KeysError::TooMany)?;
    let secret = Zeroizing::new(draw::<32>());
    private_file(&path, hex(&*secret).as_bytes()).map_err(io_error(&path))?;
    next_list(folder)?;
    Ok(CloudSigningKey::of(&SigningKey::from_bytes(&secret)))
}

fn list_serial(folder: &Path) -> Result<u64, KeysError> {
    let path = folder.join(LIST_SERIAL);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(io_error(&path)(error)),
        Ok(text) => text.trim().parse().map_err(|_| KeysError::Damaged(path)),
    }
}

/// The keys have changed: devices take only a list with a greater serial than theirs.
pub(super) fn next_list(folder: &Path) -> Result<(), KeysError> {
    let serial = list_serial(folder)? + 1;
    super::replace_file(&folder.join(LIST_SERIAL), serial.to_string().as_bytes())
}
