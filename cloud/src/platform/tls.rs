//! TLS for devices: the cloud's own certificate from its own root, and the device's from the factory's.

use crate::{
    clock::Clock,
    keys::{
        Authority, KeysError,
        platform::{PlatformKeys, device_roots},
    },
};
pub use latchkey_protocol::platform::ENROL_ALPN;
use latchkey_protocol::{Handle, platform::ALPN};
use rustls::{
    pki_types::{CertificateDer, UnixTime},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
    time_provider::TimeProvider,
};
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use x509_cert::der::Decode as _;

/// Why devices cannot be let in.
#[derive(Debug, thiserror::Error)]
pub enum DeviceTlsError {
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// TLS itself.
    #[error("TLS for devices cannot be used")]
    Rustls(#[from] rustls::Error),
    /// The factory's certificate cannot be trusted.
    #[error("the factory's certificate cannot be used")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// What TLS needs for devices.
pub struct DeviceTls {
    /// With the device's certificate.
    pub link: Arc<rustls::ServerConfig>,
    /// Without one, for enrolment.
    pub enrol: Arc<rustls::ServerConfig>,
    /// Without one, for the signed time where no browser is served.
    pub time: Arc<rustls::ServerConfig>,
    own: Arc<Own>,
}

impl DeviceTls {
    /// Makes ready.
    pub fn new(
        keys: &PlatformKeys,
        authority: &Authority,
        host: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, DeviceTlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let time: Arc<dyn TimeProvider> = Arc::new(Time(clock.clone()));
        let roots = Arc::new(device_roots(authority)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build()?;
        let own = Arc::new(Own(RwLock::new(certified(keys, host, clock.now_s())?)));
        let config = |alpn: &[u8], asks: bool| -> Result<Arc<rustls::ServerConfig>, DeviceTlsError> {
            let builder = rustls::ServerConfig::builder_with_details(provider.clone(), time.clone())
                .with_protocol_versions(&[&rustls::version::TLS13])?;
            let builder = if asks {
                builder.with_client_cert_verifier(verifier.clone())
            } else {
                builder.with_no_client_auth()
            };
            let mut config = builder.with_cert_resolver(own.clone());
            config.alpn_protocols = vec![alpn.to_vec()];
            // Every connection proves the key anew: nothing to keep, nothing to replay.
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(NoServerSessionStorage {});
            Ok(Arc::new(config))
        };
        Ok(Self {
            link: config(ALPN, true)?,
            enrol: config(ENROL_ALPN, false)?,
            time: config(b"http/1.1", false)?,
            own: own.clone(),
        })
    }

    /// Makes the cloud's own certificate anew.
    pub fn renew(&self, keys: &PlatformKeys, host: &str, now_s: i64) -> Result<(), DeviceTlsError> {
        *self.own.0.write().unwrap_or_else(PoisonError::into_inner) = certified(keys, host, now_s)?;
        Ok(())
    }
}

fn certified(keys: &PlatformKeys, host: &str, now_s: i64) -> Result<Arc<CertifiedKey>, DeviceTlsError> {
    let (chain, key) = keys.server_certificate(host, now_s)?;
    let provider = rustls::crypto::ring::default_provider();
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider)?))
}

/// The cloud's certificate of the day.
struct Own(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own(..)")
    }
}

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

struct Time(Arc<dyn Clock>);

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time(..)")
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let since = u64::try_from(self.0.now_s()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(since)))
    }
}

/// Handle and key of a certificate that TLS has verified.
pub fn named(certificate: &CertificateDer<'_>) -> Option<(Handle, [u8; 32])> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let tbs = certificate.tbs_certificate();
    let key = tbs.subject_public_key_info().subject_public_key.as_bytes()?.try_into().ok()?;
    let name = tbs.subject().common_name().ok()??;
    Some((name.value().parse().ok()?, key))
}
