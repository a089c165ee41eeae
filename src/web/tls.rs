//! TLS of the LAN door: versions 1.2 and 1.3, HTTP/1.1, the device's own certificate.

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Why a key and certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not PEM, or without what is needed.
    #[error("the web certificate or its key is not a PEM file")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// No certificate in the file.
    #[error("the web certificate's file holds no certificate")]
    Empty,
    /// They do not fit together.
    #[error("the web certificate and its key cannot be used")]
    Rustls(#[from] rustls::Error),
}

/// A server's configuration, and the SHA-256 of its certificate's DER form.
pub fn config(certificate_pem: &[u8], key_pem: &[u8]) -> Result<(Arc<ServerConfig>, [u8; 32]), TlsError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(certificate_pem).collect::<Result<_, _>>().map_err(TlsError::Pem)?;
    let own: [u8; 32] = Sha256::digest(chain.first().ok_or(TlsError::Empty)?).into();
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(TlsError::Pem)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // One small device: resumption would only keep secrets in memory.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((Arc::new(config), own))
}
