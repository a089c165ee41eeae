//! The question about the time, for a device whose clock is wrong: one request over TLS that checks
//! nothing, whose answer counts by its signature alone. Nothing secret is sent, and nothing but a
//! signed time is believed.

use super::{
    connect::{LinkIdentity, name_of, reach},
    https,
    policy::Bounds,
};
use chacha20::ChaCha20Rng;
use latchkey_protocol::{
    Host,
    platform::{Nonce, SignedTime, TIME_PATH},
};
use rand_core::Rng;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// An answer with its head; a cloud's is a few hundred bytes.
const ANSWER_BYTES_MAX: u64 = 8 * 1024;

/// Asks for the time, in seconds since 1970. None: no answer, or not one that this device's cloud
/// has signed for this question.
pub(super) async fn ask(
    identity: &LinkIdentity,
    server: &Host,
    bounds: &Bounds,
    rng: &mut ChaCha20Rng,
) -> Option<i64> {
    let mut nonce = Nonce([0; 16]);
    rng.fill_bytes(&mut nonce.0);
    let step_max = Duration::from_secs(bounds.step_max_s.into());
    let answer = timeout(step_max, question(identity, server, step_max, nonce)).await.ok()??;
    let (200, body) = https::parts(&answer)? else { return None };
    let signed: SignedTime = serde_json::from_slice(body).ok()?;
    signed.verify(&identity.signing_keys, nonce)
}

async fn question(
    identity: &LinkIdentity,
    server: &Host,
    step_max: Duration,
    nonce: Nonce,
) -> Option<Vec<u8>> {
    let stream = reach(server, step_max).await.ok()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(name_of(&identity.host).to_owned()).ok()?;
    let request = format!(
        "GET {TIME_PATH}?nonce={nonce} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
        identity.host
    );
    https::exchange(config, name, stream, request.as_bytes(), ANSWER_BYTES_MAX).await.ok()
}

/// Takes every certificate, for the one question whose answer is signed by itself.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
