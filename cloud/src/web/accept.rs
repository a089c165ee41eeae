//! From a connection to the router, or to the platform link: TLS, limits of number and time, and who is
//! asking.

use crate::{
    config::{Config, Tls},
    keys::{self, KeysError},
    limits::network,
    platform::{Platform, metrics::Metrics, tls::ENROL_ALPN},
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    response::IntoResponse as _,
};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use latchkey_protocol::platform::{ALPN, TIME_PATH};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tower::ServiceExt as _;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 2048;
/// Connections at a time from one IP address, or one /64 of IPv6, that is no trusted proxy's.
const CONNECTIONS_EACH_MAX: usize = 64;
const HANDSHAKE_S: u64 = 10;
/// For the head of a request, and for the pause before the next one.
const HEAD_S: u64 = 15;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The self-made certificate cannot be made or read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A PEM file cannot be read.
    #[error("cannot read {path}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate's file holds none.
    #[error("{0} holds no certificate: it is a PEM file of the certificate and its issuers")]
    NoCertificate(PathBuf),
    /// Certificate and key do not fit.
    #[error("the certificate {certificate} cannot be used with the key {key}")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// TLS itself.
    #[error("TLS cannot be used")]
    Rustls(#[from] rustls::Error),
}

/// TLS as the configuration says; `None` behind a proxy.
pub fn tls(config: &Config) -> Result<Option<Arc<rustls::ServerConfig>>, TlsError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |source| TlsError::Pem { path, source }
    };
    let (certificate, key) = match &config.http.tls {
        Tls::Off => return Ok(None),
        Tls::SelfMade => {
            keys::web_certificate(&config.keys(), config.host.as_str())?;
            (config.keys().join("web.crt"), config.keys().join("web.key"))
        }
        Tls::Files { certificate, key } => (certificate.clone(), key.clone()),
    };
    let chain = CertificateDer::pem_file_iter(&certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(pem(&certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate));
    }
    let key_der = PrivateKeyDer::from_pem_file(&key).map_err(pem(&key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key_der);
    let mut tls = tls.map_err(|source| TlsError::Unusable { certificate, key, source })?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(tls)))
}

/// Who asks: the address on the other end, or what a trusted proxy says of it.
#[derive(Debug, Clone, Copy)]
pub struct Requester(pub IpAddr);

/// Whether a request came over a connection whose server the requester knows by its claim code.
#[derive(Debug, Clone, Copy)]
pub struct ByClaim(pub bool);

/// What a gate leads to.
pub enum Behind {
    /// HTTP without TLS: behind a proxy, or for this machine alone.
    Plain,
    /// HTTP over TLS, and devices.
    Both(Arc<rustls::ServerConfig>, Arc<Platform>),
    /// Devices alone.
    Devices(Arc<Platform>),
}

/// Lets connections in.
pub struct Gate {
    router: Router,
    behind: Behind,
    proxies: Vec<IpAddr>,
    /// By [`network`]: one subscriber has a whole /64 of addresses.
    open: Mutex<HashMap<u128, usize>>,
}

impl Gate {
    /// A gate to a router.
    pub fn new(router: Router, behind: Behind, proxies: Vec<IpAddr>) -> Self {
        Self { router, behind, proxies, open: Mutex::default() }
    }

    /// Accepts until told to stop, then lets the requests in hand end.
    pub async fn run(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                _ = stop.changed() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Some(place) = self.clone().admit(peer) {
                        // In a box, which is given back at the end: a task's own memory is not, as long as
                        // a socket that has gone to another task remembers whom to wake.
                        connections.spawn(Box::pin(self.clone().connection(
                            stream,
                            peer,
                            place,
                            stop.clone(),
                        )));
                    }
                }
                Err(error) => {
                    // Out of files, mostly: what ends in the meantime makes room.
                    tracing::warn!(%error, "cannot accept a connection");
                    let then = tokio::time::Instant::now() + Duration::from_millis(100);
                    tokio::time::sleep_until(then).await;
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    fn admit(self: Arc<Self>, peer: SocketAddr) -> Option<Place> {
        let ip = peer.ip().to_canonical();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let from = network(ip);
        let each = open.get(&from).copied().unwrap_or_default();
        if all >= CONNECTIONS_MAX || (each >= CONNECTIONS_EACH_MAX && !self.proxies.contains(&ip)) {
            return None;
        }
        open.insert(from, each + 1);
        drop(open);
        Some(Place { gate: self, from })
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        place: Place,
        stop: watch::Receiver<bool>,
    ) {
        let _ = stream.set_nodelay(true); // only a matter of speed
        let (web, platform) = match &self.behind {
            Behind::Plain => {
                self.talk(stream, peer, For::Anything, stop).await;
                return drop(place);
            }
            Behind::Both(web, platform) => (Some(web), platform),
            Behind::Devices(platform) => (None, platform),
        };
        match timeout(Duration::from_secs(HANDSHAKE_S), handshake(stream, web, platform)).await {
            Ok(Some(Agreed::Link(stream))) => platform.clone().welcome(*stream, place).await,
            Ok(Some(Agreed::Web(stream, what))) => {
                self.talk(*stream, peer, what, stop).await;
                drop(place);
            }
            Ok(None) | Err(_) => {}
        }
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        what: For,
        mut stop: watch::Receiver<bool>,
    ) {
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            let requester = Requester(self.requester(&request, peer.ip().to_canonical()));
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(requester);
            request.extensions_mut().insert(ByClaim(what == For::Claim));
            let router = self.router.clone();
            async move {
                if what == For::Time && request.uri().path() != TIME_PATH {
                    return Ok(StatusCode::NOT_FOUND.into_response());
                }
                router.oneshot(request).await
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(HEAD_S))
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = stop.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    /// The last address that a trusted proxy has added; what is left of it, anyone can write.
    fn requester(&self, request: &Request<Incoming>, peer: IpAddr) -> IpAddr {
        if !self.proxies.contains(&peer) {
            return peer;
        }
        let header = request.headers().get_all("x-forwarded-for").iter().next_back();
        let last = header.and_then(|value| value.to_str().ok()).and_then(|text| text.rsplit(',').next());
        last.and_then(|text| text.trim().parse().ok()).map_or(peer, |ip: IpAddr| ip.to_canonical())
    }
}

/// What a connection is for, once TLS is agreed.
enum Agreed {
    Link(Box<TlsStream<TcpStream>>),
    Web(Box<TlsStream<TcpStream>>, For),
}

/// What may be asked for on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Anything,
    /// And an identity, with a claim.
    Claim,
    /// Nothing else: a device whose clock is wrong asks at the address that it connects to.
    Time,
}

/// TLS for browsers or for devices, as the first message of the other side says by ALPN: a browser is
/// never asked for a certificate.
async fn handshake(
    stream: TcpStream,
    web: Option<&Arc<rustls::ServerConfig>>,
    platform: &Platform,
) -> Option<Agreed> {
    let begun = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await.ok()?;
    let offers = |name: &[u8]| {
        begun.client_hello().alpn().is_some_and(|mut offered| offered.any(|other| other == name))
    };
    if offers(ALPN) {
        match begun.into_stream(platform.tls.link.clone()).await {
            Ok(stream) => Some(Agreed::Link(Box::new(stream))),
            Err(error) => {
                tracing::debug!(%error, "a device's TLS handshake failed");
                Metrics::count(&platform.metrics.failed, "tls");
                None
            }
        }
    } else if offers(ENROL_ALPN) {
        let stream = begun.into_stream(platform.tls.enrol.clone()).await.ok()?;
        Some(Agreed::Web(Box::new(stream), For::Claim))
    } else {
        let (config, what) = web.map_or((&platform.tls.time, For::Time), |web| (web, For::Anything));
        let stream = begun.into_stream(config.clone()).await.ok()?;
        Some(Agreed::Web(Box::new(stream), what))
    }
}

/// A connection's place in the count.
pub(crate) struct Place {
    gate: Arc<Gate>,
    from: u128,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;

    #[test]
    fn a_subscriber_with_many_addresses_has_no_more_connections_than_one_with_one() {
        let proxy: IpAddr = "2001:db8:9::1".parse().unwrap();
        let gate = Arc::new(Gate::new(Router::new(), Behind::Plain, vec![proxy]));
        let admit = |text: String| gate.clone().admit(SocketAddr::new(text.parse().unwrap(), 50_000));
        let places: Vec<_> =
            (1..=CONNECTIONS_EACH_MAX).map(|at| admit(format!("2001:db8::{at:x}")).unwrap()).collect();
        assert!(admit("2001:db8::ffff".into()).is_none(), "the same /64");
        assert!(admit("2001:db8:0:1::1".into()).is_some(), "another one");
        assert!(admit("192.0.2.1".into()).is_some());
        drop(places);
        assert!(admit("2001:db8::ffff".into()).is_some());
        let kept: Vec<_> = (0..2 * CONNECTIONS_EACH_MAX).filter_map(|_| admit(proxy.to_string())).collect();
        assert_eq!(kept.len(), 2 * CONNECTIONS_EACH_MAX, "a trusted proxy speaks for many");
    }
}
