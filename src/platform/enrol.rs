//! A device without an identity, or one that changes its cloud, claims one: `docs/PROTOCOL.md`, 8.8.

use super::{
    connect::{name_of, reach, tls_reason},
    https,
    learn::Keeper,
    policy::Bounds,
    status::Reason,
    time::LinkTime,
};
use crate::clock::Clock;
use latchkey_protocol::{
    Host,
    claim::ClaimCode,
    identity::IdentityRequest,
    platform::{ENROL_ALPN, ENROL_PATH},
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::timeout};

/// An answer with its head: the largest identity file is as large.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Why a claim brought no identity. What the device had is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEnrolled {
    /// Another enrolment is under way.
    #[error("another enrolment is under way")]
    Busy,
    /// No connection, or none to a server that the code allows.
    #[error("the service cannot be reached, or is not the one of the code: {}", .0.name())]
    NotReached(Reason),
    /// The cloud does not know the claim.
    #[error("the claim code is unknown, over, used up or for another serial")]
    NoClaim,
    /// The serial has an identity there.
    #[error("the service has an identity for this serial already: it must be withdrawn there first")]
    SignedBefore,
    /// Too many tries.
    #[error("too many tries: wait a while")]
    TooMany,
    /// Something else was answered.
    #[error("the service answered with something else than an identity for this device")]
    Unexpected,
    /// It could not be kept.
    #[error("the identity was not kept")]
    NotKept,
}

impl NotEnrolled {
    /// The stable name, as in the API and in message keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NotReached(reason) => reason.name(),
            Self::NoClaim => "no-claim",
            Self::SignedBefore => "signed-before",
            Self::TooMany => "too-many-requests",
            Self::Unexpected => "unexpected",
            Self::NotKept => "not-kept",
        }
    }
}

/// Enrols while the daemon runs, one at a time.
pub struct Enroller {
    pub(super) keeper: Option<Arc<dyn Keeper>>,
    pub(super) clock: Arc<dyn Clock + Sync>,
    pub(super) floor_unix_s: i64,
    pub(super) bounds: Bounds,
    pub(super) one: Mutex<()>,
}

impl Enroller {
    /// Claims an identity and keeps it.
    pub async fn enrol(&self, server: &Host, code: &ClaimCode) -> Result<(), NotEnrolled> {
        let _alone = self.one.try_lock().map_err(|_| NotEnrolled::Busy)?;
        let keeper = self.keeper.as_deref().ok_or(NotEnrolled::NotKept)?;
        let not_kept = |error| {
            tracing::error!(%error, "no identity can be kept");
            NotEnrolled::NotKept
        };
        let time = LinkTime::new(self.floor_unix_s);
        time.set(self.clock.now().map_err(|_| NotEnrolled::NotReached(Reason::Clock))?);
        let request = keeper.request().map_err(not_kept)?;
        let file = fetch(server, code, &request, &time, &self.bounds).await?;
        keeper.install(&file).map_err(not_kept)
    }
}

#[derive(Deserialize)]
struct Refused {
    #[serde(rename = "type")]
    kind: String,
}

/// The identity file that a cloud gives for a claim. Nothing is told to a server whose root is not the
/// one that the code names.
pub async fn fetch(
    server: &Host,
    code: &ClaimCode,
    request: &IdentityRequest,
    time: &LinkTime,
    bounds: &Bounds,
) -> Result<Vec<u8>, NotEnrolled> {
    let step_max = Duration::from_secs(bounds.step_max_s.into());
    let stream = reach(server, step_max).await.map_err(NotEnrolled::NotReached)?;
    let config = config(*code, time).map_err(|_| NotEnrolled::NotReached(Reason::Tls))?;
    let name = ServerName::try_from(name_of(server).to_owned());
    let name = name.map_err(|_| NotEnrolled::NotReached(Reason::Tls))?;
    let body = serde_json::json!({ "claim": code.secret, "request": request }).to_string();
    let question = format!(
        "POST {ENROL_PATH} HTTP/1.1\r\nHost: {server}\r\nAccept: application/json\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let exchange = https::exchange(config, name, stream, question.as_bytes(), ANSWER_BYTES_MAX);
    let answer = timeout(step_max, exchange).await.map_err(|_| NotEnrolled::NotReached(Reason::Silent))?;
    let answer = answer.map_err(|error| NotEnrolled::NotReached(tls_reason(&error)))?;
    let (status, body) = https::parts(&answer).ok_or(NotEnrolled::Unexpected)?;
    if status == 201 {
        return Ok(body.to_vec());
    }
    let refused: Refused = serde_json::from_slice(body).map_err(|_| NotEnrolled::Unexpected)?;
    Err(match refused.kind.strip_prefix("urn:latchkey:problem:") {
        Some("no-claim") => NotEnrolled::NoClaim,
        Some("signed-before") => NotEnrolled::SignedBefore,
        Some("too-many-requests") => NotEnrolled::TooMany,
        _ => NotEnrolled::Unexpected,
    })
}

fn config(code: ClaimCode, time: &LinkTime) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_details(Arc::clone(&provider), time.provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Claimed { code, provider }))
        .with_no_client_auth();
    config.alpn_protocols = vec![ENROL_ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Takes the root that the code names, and then checks everything against it alone.
#[derive(Debug)]
struct Claimed {
    code: ClaimCode,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Claimed {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let unknown = || TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let root = others.iter().find(|other| self.code.is_root(other)).ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        let provider = Arc::clone(&self.provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier.build().map_err(|_| unknown())?;
        verifier.verify_server_cert(end, &[], name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
