//! A recorder's link, and a server that says what a test wants, on real sockets of this machine.

#![allow(unreachable_pub, reason = "shared by the modules of this test alone")]

use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use latchkey::{
    clock::{Entropy, KernelEntropy, SystemClock},
    platform::{self, Handle, LinkIdentity, Parts, State, Status, policy::Bounds},
    recovery::PlatformSettings,
};
use latchkey_protocol::{
    CloudSecretKey, Handle as DeviceHandle, Host,
    identity::IdentityFile,
    platform::{
        ALPN, Capabilities, CloudSigningKey, FromCloud, FromDevice, Register, Registered, SUBPROTOCOL,
    },
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

/// How long anything may take before the test is given up.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const NAME: &str = "cloud.example";

/// Waits for something, but not forever.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes too long")
}

/// Who signs what.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server's certificate for a name, valid in these years.
    pub fn server(
        &self,
        name: &str,
        years: (i32, i32),
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap();
        (chain, PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap())
    }

    fn device(&self, key: &SigningKey) -> String {
        struct Public([u8; 32]);
        impl rcgen::PublicKeyData for Public {
            fn der_bytes(&self) -> &[u8] {
                &self.0
            }
            fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
                &rcgen::PKCS_ED25519
            }
        }
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, DeviceHandle([7; 8]).to_string());
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let public = Public(key.verifying_key().to_bytes());
        params.signed_by(&public, &self.issuer).unwrap().pem() + &self.pem
    }
}

/// A cloud's keys, and the recorder's.
pub struct World {
    pub platform: Authority,
    pub factory: Authority,
    pub signing: SigningKey,
    device: SigningKey,
}

impl World {
    pub fn new() -> Self {
        Self {
            platform: Authority::new("platform"),
            factory: Authority::new("factory"),
            signing: SigningKey::from_bytes(&[0x51; 32]),
            device: SigningKey::from_bytes(&[0x52; 32]),
        }
    }

    pub fn identity(&self) -> LinkIdentity {
        let file = IdentityFile {
            version: 1,
            handle: DeviceHandle([7; 8]),
            serial: "LK-0001".into(),
            model: "Recorder 8".into(),
            public_key: self.device.verifying_key().to_bytes(),
            certificate: self.factory.device(&self.device),
            psk: None,
            cloud_keys: vec![CloudSecretKey::from_bytes(&[0x43; 32]).unwrap().public()],
            signing_keys: vec![CloudSigningKey::of(&self.signing)],
            keys_serial: 0,
            server_roots: self.platform.pem.clone(),
            host: Host::parse(NAME).unwrap(),
            mailbox: None,
        };
        LinkIdentity::new(&file, &self.device, "1.2.3").unwrap()
    }

    /// TLS as a cloud speaks it to devices.
    pub fn tls(&self, name: &str, years: (i32, i32)) -> TlsAcceptor {
        let (chain, key) = self.platform.server(name, years);
        self.tls_with(chain, key, &[ALPN])
    }

    pub fn tls_with(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        alpn: &[&[u8]],
    ) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.factory.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Figures that make a test short; the waits after a failure are the real ones.
pub fn bounds() -> Bounds {
    Bounds { heartbeat_min_s: 1, window_s: 0, pong_max_s: 2, step_max_s: 5, ..Bounds::default() }
}

/// A recorder's link that runs.
pub struct Recorder {
    pub handle: Handle,
    pub settings: watch::Sender<PlatformSettings>,
}

pub fn settings(server: &str) -> PlatformSettings {
    PlatformSettings { enabled: true, server: Some(Host::parse(server).unwrap()), verification_code: None }
}

impl Recorder {
    pub fn start(world: &World, server: &str, bounds: Bounds) -> Self {
        let (settings, seen) = watch::channel(settings(server));
        let parts = Parts {
            identity: watch::channel(Some(world.identity())).1,
            keeper: None,
            clock: Arc::new(SystemClock::start(0, &KernelEntropy).unwrap().0),
            rng: KernelEntropy.generator().unwrap(),
            bounds,
            floor_unix_s: 0,
            save_floor: Box::new(|_| ()),
        };
        let (handle, link) = platform::new(parts, seen);
        tokio::spawn(link.run());
        Self { handle, settings }
    }

    /// Waits until the status is as wanted.
    pub async fn until(&mut self, wanted: impl Fn(&Status) -> bool) -> Status {
        soon(async {
            loop {
                let status = self.handle.status();
                if wanted(&status) {
                    return status;
                }
                self.handle.changed().await;
            }
        })
        .await
    }

    /// The reason after the first attempt that failed.
    pub async fn reason(&mut self) -> &'static str {
        let status = self.until(|status| status.state == State::Offline && status.reason.is_some()).await;
        assert!(status.next_try_ms.is_some());
        status.reason.unwrap().name()
    }
}

pub async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let server = listener.local_addr().unwrap().to_string();
    (listener, server)
}

pub type Peer = WebSocketStream<TlsStream<TcpStream>>;

/// Takes the next connection up to the WebSocket.
pub async fn accept(listener: &TcpListener, tls: &TlsAcceptor) -> Peer {
    let (stream, _) = soon(listener.accept()).await.unwrap();
    upgrade(soon(tls.accept(stream)).await.unwrap()).await
}

#[allow(clippy::result_large_err, reason = "the callback's own type")]
pub async fn upgrade(tls: TlsStream<TcpStream>) -> Peer {
    use tokio_tungstenite::tungstenite::{
        handshake::server::{Request, Response},
        http::{HeaderValue, header},
    };
    let callback = |request: &Request, mut response: Response| {
        assert_eq!(request.uri().path(), "/platform");
        assert_eq!(request.headers()[header::HOST], NAME);
        assert_eq!(request.headers()[header::SEC_WEBSOCKET_PROTOCOL], SUBPROTOCOL);
        let chosen = HeaderValue::from_static(SUBPROTOCOL);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
        Ok(response)
    };
    soon(tokio_tungstenite::accept_hdr_async(tls, callback)).await.unwrap()
}

/// The next text of the device, read as a message.
pub async fn heard(peer: &mut Peer) -> FromDevice {
    loop {
        if let Message::Text(frame) = soon(peer.next()).await.unwrap().unwrap() {
            return FromDevice::parse(&frame).unwrap();
        }
    }
}

pub async fn say(peer: &mut Peer, message: FromCloud) {
    soon(peer.send(Message::text(message.to_frame()))).await.unwrap();
}

/// Takes the next connection and registers its device.
pub async fn register(listener: &TcpListener, tls: &TlsAcceptor) -> Peer {
    registers(listener, tls).await.0
}

/// The same, with what the device says of itself.
pub async fn registers(listener: &TcpListener, tls: &TlsAcceptor) -> (Peer, Register) {
    let mut peer = accept(listener, tls).await;
    let FromDevice::Register(register) = heard(&mut peer).await else { panic!("not registered first") };
    assert_eq!((register.serial.as_str(), register.version.as_str()), ("LK-0001", "1.2.3"));
    say(&mut peer, FromCloud::Registered(registered())).await;
    (peer, register)
}

pub fn registered() -> Registered {
    let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    Registered {
        unix_time_s: now_s as i64,
        heartbeat_s: 1,
        reconnect_window_s: 0,
        capabilities: Capabilities::new(&["submit"]).unwrap(),
    }
}

/// The close code that the device ends with.
pub async fn close_code(peer: &mut Peer) -> Option<u16> {
    loop {
        match soon(peer.next()).await {
            Some(Ok(Message::Close(close))) => return close.map(|close| close.code.into()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}
