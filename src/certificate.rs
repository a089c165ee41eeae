//! The device's own certificate for HTTPS: made by the device, kept across restarts, independent of
//! any clock. Pure: the bytes come and go through `app`.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use std::time::Duration;
use zeroize::Zeroizing;

/// A certificate with its key, which have been checked to belong together.
pub struct Certificate {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
    /// SHA-256 of the certificate's DER form: the fingerprint that people compare.
    pub sha256: [u8; 32],
}

/// What the two files hold, PEM.
pub struct Files {
    /// `web.crt`.
    pub certificate: String,
    /// `web.key`.
    pub key: Zeroizing<String>,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate's file is damaged.
    #[error("the certificate cannot be read")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// The key's file is damaged.
    #[error("the key cannot be read")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// The key is not one that TLS can use, or is not the certificate's.
    #[error("the key and the certificate do not belong together")]
    Pair(#[source] rustls::Error),
}

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to make a certificate")]
pub struct MakeError(#[from] rcgen::Error);

impl Certificate {
    /// Reads the files back.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(certificate).map_err(CertificateError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
        let signing = any_supported_type(&key).map_err(CertificateError::Pair)?;
        CertifiedKey::new(vec![der.clone()], signing).keys_match().map_err(CertificateError::Pair)?;
        let sha256 = Sha256::digest(&der).into();
        Ok(Self { der, key, sha256 })
    }
}

/// Makes a key (ECDSA P-256, which every browser knows) and a certificate for it.
///
/// A recorder's clock may be in 1970 or anywhere else: the certificate is valid from 2000 to the end
/// of 9999, which RFC 5280 4.1.2.5 defines as having no end.
pub fn make(serial: &str, names: &[String]) -> Result<Files, MakeError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, format!("Recorder {serial}"));
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31) + Duration::from_secs(24 * 3600 - 1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?.pem();
    Ok(Files { certificate, key: key.serialize_pem().into() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn files() -> Files {
        make("LK-1", &["recorder.example".to_owned()]).unwrap()
    }

    #[test]
    fn what_is_made_is_read_back_and_has_no_end() {
        let files = files();
        let read = Certificate::read(files.certificate.as_bytes(), files.key.as_bytes()).unwrap();
        let holds = |text: &[u8]| read.der.windows(text.len()).any(|window| window == text);
        assert!(holds(b"99991231235959Z") && holds(b"000101000000Z"));
        assert!(holds(b"Recorder LK-1") && holds(b"recorder.example"));
        let again = Certificate::read(files.certificate.as_bytes(), files.key.as_bytes()).unwrap();
        assert_eq!(read.sha256, again.sha256);
    }

    #[test]
    fn damaged_and_foreign_files_are_refused() {
        let (own, other) = (files(), files());
        let read = |certificate: &[u8], key: &[u8]| Certificate::read(certificate, key);
        assert!(matches!(
            read(own.certificate.as_bytes(), other.key.as_bytes()),
            Err(CertificateError::Pair(_))
        ));
        assert!(matches!(read(b"", own.key.as_bytes()), Err(CertificateError::Certificate(_))));
        assert!(matches!(read(own.certificate.as_bytes(), b"\xff"), Err(CertificateError::Key(_))));
        for cut in (1..own.key.len() - 30).step_by(7) {
            assert!(read(own.certificate.as_bytes(), &own.key.as_bytes()[..cut]).is_err());
        }
        let mut flipped = own.certificate.clone().into_bytes();
        flipped[100] = if flipped[100] == b'A' { b'B' } else { b'A' };
        // A change that keeps the structure whole is a certificate that no browser trusts or knows;
        // nothing here may panic, and the pair must still be checked.
        let _ = read(&flipped, own.key.as_bytes());
    }
}
