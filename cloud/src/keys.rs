//! Key files: the ring of X25519 keys, the factory's authority, the key of the limits. Each is made
//! once, at 0600, and never overwritten.

pub mod platform;

use crate::clock::{draw, system_rng};
use latchkey_protocol::{CloudPublicKey, CloudSecretKey, KeyId};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::{Zeroize as _, Zeroizing};

const ACTIVE: &str = "active";
const LIMITS: &str = "limits.key";
const CA_KEY: &str = "factory-ca.key";
const CA_CERTIFICATE: &str = "factory-ca.crt";
/// The end of a date that never comes (RFC 5280 4.1.2.5): devices have no clock to trust.
fn forever() -> time::OffsetDateTime {
    rcgen::date_time_ymd(9999, 12, 31)
}

/// A certificate's date.
fn date(unix_s: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or_else(|_| forever())
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file can be read by others.
    #[error("{0} can be read by others: take that away with chmod 600")]
    Open(PathBuf),
    /// A file does not hold what its name says.
    #[error("{0} is not a key that this program wrote")]
    Damaged(PathBuf),
    /// There is no room for one more key in the list that devices take.
    #[error(
        "devices take at most eight signing keys: delete the file of the oldest that is not trusted any more"
    )]
    TooMany,
    /// A certificate cannot be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> KeysError + '_ {
    move |source| KeysError::Io { path: path.to_owned(), source }
}

/// Makes a folder that only its owner may enter.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a new file at 0600 and has it on the disk before returning.
pub(crate) fn private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

fn closed_to_others(path: &Path) -> Result<(), KeysError> {
    let mode = fs::metadata(path).map_err(io_error(path))?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeysError::Open(path.to_owned())) }
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    closed_to_others(path)?;
    let bytes = Zeroizing::new(fs::read(path).map_err(io_error(path))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| KeysError::Damaged(path.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    Zeroizing::new(bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    }))
}

fn read_hex(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let text = read_private(path)?;
    let digits = text.trim().as_bytes();
    let mut bytes = Zeroizing::new([0; 32]);
    let pairs = digits.chunks_exact(2);
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(KeysError::Damaged(path.to_owned()));
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let pair = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        *byte = pair.ok_or_else(|| KeysError::Damaged(path.to_owned()))?;
    }
    Ok(bytes)
}

/// Makes every key that a new cloud needs.
pub fn make_all(folder: &Path) -> Result<(), KeysError> {
    private_folder(folder).map_err(io_error(folder))?;
    add_sealing_key(folder)?;
    let path = folder.join(LIMITS);
    let mut key = draw::<32>();
    private_file(&path, hex(&key).as_bytes()).map_err(io_error(&path))?;
    key.zeroize();
    platform::make(folder)?;
    make_authority(folder)
}

/// Draws a new sealing key, to which identities are signed from now on. The old ones stay, to open
/// what devices have sealed and will seal.
pub fn add_sealing_key(folder: &Path) -> Result<KeyId, KeysError> {
    let key = CloudSecretKey::draw(&mut system_rng());
    let id = key.public().id();
    let path = folder.join(format!("{id}.x25519"));
    private_file(&path, hex(&*key.to_bytes()).as_bytes()).map_err(io_error(&path))?;
    let active = folder.join(ACTIVE);
    let is_first = !active.exists();
    replace_file(&active, id.to_string().as_bytes())?;
    if !is_first {
        platform::next_list(folder)?;
    }
    Ok(id)
}

/// Puts a file in another's place: whoever reads it finds the old or the new one, whole.
fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&temporary)(error)),
        _ => {}
    }
    private_file(&temporary, bytes).map_err(io_error(&temporary))?;
    fs::rename(&temporary, path).map_err(io_error(path))?;
    let folder = path.parent().unwrap_or(path);
    fs::File::open(folder).and_then(|f| f.sync_all()).map_err(io_error(folder))
}

/// The cloud's sealing keys.
pub struct KeyRing {
    active: CloudPublicKey,
    keys: Vec<(KeyId, CloudSecretKey)>,
}

impl KeyRing {
    /// Reads every key of the folder.
    pub fn load(folder: &Path) -> Result<Self, KeysError> {
        let mut keys = vec![];
        for entry in fs::read_dir(folder).map_err(io_error(folder))? {
            let path = entry.map_err(io_error(folder))?.path();
            if path.extension().is_none_or(|ending| ending != "x25519") {
                continue;
            }
            let key = CloudSecretKey::from_bytes(&*read_hex(&path)?)
                .ok_or_else(|| KeysError::Damaged(path.clone()))?;
            keys.push((key.public().id(), key));
        }
        let path = folder.join(ACTIVE);
        let active = read_private(&path)?.trim().parse::<KeyId>();
        let active = active.ok().and_then(|id| keys.iter().find(|(other, _)| *other == id));
        let active = active.map(|(_, key)| key.public()).ok_or(KeysError::Damaged(path))?;
        Ok(Self { active, keys })
    }

    /// The key of an id.
    pub fn find(&self, id: KeyId) -> Option<&CloudSecretKey> {
        self.keys.iter().find(|(other, _)| *other == id).map(|(_, key)| key)
    }

    /// The ids of all keys.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|(id, _)| *id)
    }

    /// The key that devices are to seal to.
    pub fn active(&self) -> CloudPublicKey {
        self.active
    }
}

/// A key of 32 bytes in a file of its own, drawn when it is asked for the first time.
pub(crate) fn read_or_draw(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    if !path.exists() {
        let mut key = draw::<32>();
        private_file(path, hex(&key).as_bytes()).map_err(io_error(path))?;
        key.zeroize();
    }
    read_hex(path)
}

/// The key under which the limits keep addresses.
pub fn limits_key(folder: &Path) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    read_hex(&folder.join(LIMITS))
}

/// The authority's own name and rights: the same at every reading, so that they need no parsing.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Latchkey factory");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = forever();
    params
}

fn make_authority(folder: &Path) -> Result<(), KeysError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
    let certificate = authority_params().self_signed(&key)?;
    let key_pem = Zeroizing::new(key.serialize_pem());
    let path = folder.join(CA_KEY);
    private_file(&path, key_pem.as_bytes()).map_err(io_error(&path))?;
    let path = folder.join(CA_CERTIFICATE);
    private_file(&path, certificate.pem().as_bytes()).map_err(io_error(&path))
}

/// A device's public key, as a certificate takes it.
struct DeviceKey<'a>(&'a [u8; 32]);

impl rcgen::PublicKeyData for DeviceKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

/// What signs the devices' certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// Reads key and certificate.
    pub fn load(folder: &Path) -> Result<Self, KeysError> {
        let key = KeyPair::from_pem(&read_private(&folder.join(CA_KEY))?)?;
        let path = folder.join(CA_CERTIFICATE);
        let certificate = fs::read_to_string(&path).map_err(io_error(&path))?;
        Ok(Self { issuer: Issuer::new(authority_params(), key), certificate })
    }

    /// A certificate for a device's key. The device's name in it is its
    /// handle, so that a serial is nothing to ask the platform with. Without an end it holds for good.
    pub fn certify(
        &self,
        handle: &str,
        serial: &str,
        public_key: &[u8; 32],
        validity_s: Option<(i64, i64)>,
    ) -> Result<String, KeysError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, handle);
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        // A device has it renewed when a third is left: what ends must also have begun.
        (params.not_before, params.not_after) = match validity_s {
            Some((from_s, until_s)) => (date(from_s), date(until_s)),
            None => (rcgen::date_time_ymd(2026, 1, 1), forever()),
        };
        let certificate = params.signed_by(&DeviceKey(public_key), &self.issuer)?;
        // The root is known where this is shown: sent with it, it would only take room.
        Ok(certificate.pem())
    }
}

/// What a certificate of this cloud says of its host: the name without the port, and the addresses that
/// stand for a developer's own machine.
fn server_params(host: &str) -> Result<CertificateParams, KeysError> {
    let name = host.split(':').next().unwrap_or(host);
    let mut names = vec![name.to_owned()];
    if name == "localhost" {
        names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// A self-made certificate for the pages, `web.crt` and `web.key`: made at the first start and kept.
/// It speaks for nobody but this trial, so one that is damaged is put aside and made anew.
pub fn web_certificate(folder: &Path, host: &str) -> Result<(), KeysError> {
    let (key_path, path) = (folder.join("web.key"), folder.join("web.crt"));
    if key_path.exists() && path.exists() {
        closed_to_others(&key_path)?;
        if is_pair(&path, &key_path) {
            return Ok(());
        }
    }
    for stale in [&key_path, &path] {
        if stale.exists() {
            let mut aside = stale.clone().into_os_string();
            aside.push(".damaged");
            fs::rename(stale, &aside).map_err(io_error(stale))?;
            tracing::warn!(file = %stale.display(), "the self-made certificate cannot be used and is made anew");
        }
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = server_params(host)?;
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2036, 1, 1);
    let certificate = params.self_signed(&key)?;
    let key_pem = Zeroizing::new(key.serialize_pem());
    private_file(&key_path, key_pem.as_bytes()).map_err(io_error(&key_path))?;
    private_file(&path, certificate.pem().as_bytes()).map_err(io_error(&path))
}

/// Whether two PEM files are a certificate and its key.
fn is_pair(certificate: &Path, key: &Path) -> bool {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let (Ok(chain), Ok(key)) = (chain, PrivateKeyDer::from_pem_file(key)) else { return false };
    let provider = rustls::crypto::ring::default_provider();
    !chain.is_empty() && rustls::sign::CertifiedKey::from_der(chain, key, &provider).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_damaged_certificate_of_the_pages_is_made_anew() {
        let name: String = hex(&draw::<8>()).to_string();
        let folder = std::env::temp_dir().join(format!("latchkey-keys-{name}"));
        private_folder(&folder).unwrap();
        let (key, certificate) = (folder.join("web.key"), folder.join("web.crt"));
        let read = || (fs::read(&key).unwrap(), fs::read(&certificate).unwrap());
        web_certificate(&folder, "cloud.example").unwrap();
        let first = read();
        web_certificate(&folder, "cloud.example").unwrap();
        assert_eq!(read(), first, "it is kept");

        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        let garbage: [&[u8]; 4] = [b"", &[0xff; 40], other.as_bytes(), &first.0[..60]];
        for bytes in garbage {
            fs::write(&key, bytes).unwrap();
            web_certificate(&folder, "cloud.example").unwrap();
            assert!(is_pair(&certificate, &key));
            assert_ne!(read(), first);
            assert_eq!(fs::read(folder.join("web.key.damaged")).unwrap(), bytes, "put aside");
        }
        fs::write(&certificate, b"-----BEGIN CERTIFICATE-----\n").unwrap();
        web_certificate(&folder, "cloud.example").unwrap();
        assert!(is_pair(&certificate, &key));

        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(web_certificate(&folder, "cloud.example"), Err(KeysError::Open(_))));
        fs::remove_dir_all(&folder).unwrap();
    }
}
