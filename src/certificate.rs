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
    /// The certificate, PEM.
    pub pem: Vec<u8>,
    /// Its private key, PEM.
    pub key_pem: Zeroizing<Vec<u8>>,
    /// SHA-256 of the certificate's DER form: the fingerprint that people compare.
    pub sha256: [u8; 32],
    /// Both as TLS uses them. To read a key takes as long as to sign with it, so it is read once.
    pub certified: CertifiedKey,
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
pub enum MakeError {
    /// No key or certificate came about.
    #[error("failed to make a certificate")]
    Make(#[from] rcgen::Error),
    /// It cannot be used.
    #[error("the certificate that was made cannot be used")]
    Made(#[from] CertificateError),
}

impl Certificate {
    /// Reads the files back.
    pub fn read(pem: Vec<u8>, key_pem: Zeroizing<Vec<u8>>) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(&pem).map_err(CertificateError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(CertificateError::Key)?;
        let signing = any_supported_type(&key).map_err(CertificateError::Pair)?;
        let sha256 = Sha256::digest(&der).into();
        let certified = CertifiedKey::new(vec![der], signing);
        certified.keys_match().map_err(CertificateError::Pair)?;
        Ok(Self { pem, key_pem, sha256, certified })
    }

    /// Makes a key (ECDSA P-256, which every browser knows) and a certificate for it.
    ///
    /// A recorder's clock may be in 1970 or anywhere else: the certificate is valid from 2000 to the end
    /// of 9999, which RFC 5280 4.1.2.5 defines as having no end.
    pub fn make(serial: &str, names: &[String]) -> Result<Self, MakeError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, format!("Recorder {serial}"));
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(9999, 12, 31) + Duration::from_secs(24 * 3600 - 1);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.self_signed(&key)?;
        let key_pem = Zeroizing::new(key.serialize_pem().into_bytes());
        Ok(Self::read(certificate.pem().into_bytes(), key_pem)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn made() -> Certificate {
        Certificate::make("LK-1", &["recorder.example".to_owned()]).unwrap()
    }

    fn read(pem: &[u8], key_pem: &[u8]) -> Result<Certificate, CertificateError> {
        Certificate::read(pem.to_vec(), key_pem.to_vec().into())
    }

    #[test]
    fn what_is_made_is_read_back_and_has_no_end() {
        let made = made();
        assert_eq!(read(&made.pem, &made.key_pem).unwrap().sha256, made.sha256);
        let der = CertificateDer::from_pem_slice(&made.pem).unwrap();
        let holds = |text: &[u8]| der.windows(text.len()).any(|window| window == text);
        assert!(holds(b"99991231235959Z") && holds(b"000101000000Z"));
        assert!(holds(b"Recorder LK-1") && holds(b"recorder.example"));
    }

    #[test]
    fn damaged_and_foreign_files_are_refused() {
        let (own, other) = (made(), made());
        assert!(matches!(read(&own.pem, &other.key_pem), Err(CertificateError::Pair(_))));
        assert!(matches!(read(b"", &own.key_pem), Err(CertificateError::Certificate(_))));
        assert!(matches!(read(&own.pem, b"\xff"), Err(CertificateError::Key(_))));
        for cut in (1..own.key_pem.len() - 30).step_by(7) {
            assert!(read(&own.pem, &own.key_pem[..cut]).is_err(), "{cut}");
        }
        for cut in (1..own.pem.len() - 30).step_by(7) {
            assert!(read(&own.pem[..cut], &own.key_pem).is_err(), "{cut}");
        }
    }
}
