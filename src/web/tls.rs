//! TLS of the LAN door: versions 1.2 and 1.3, HTTP/1.1, the device's own certificate.

use rustls::{
    ServerConfig,
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::sync::Arc;

/// A server's configuration. Errors if the cryptography lacks what these versions need.
pub fn config(certified: CertifiedKey) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // One small device: resumption would only keep secrets in memory.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
