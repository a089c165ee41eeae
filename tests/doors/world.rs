//! The real doors in front of the real heart, on sockets of this machine, and a client that sends bytes.

#![allow(unreachable_pub, reason = "shared by the modules of this test alone")]

use latchkey::{
    app::heart_task::{HeartTask, Parts},
    certificate::Certificate,
    clock::{KernelEntropy, SystemClock},
    hash::HashCost,
    platform, qr,
    recovery::{Context as HeartContext, Limits},
    store::{Files, disk::RealDisk},
    web::{self, Ask, Bounds, Caller, Entry, Listeners, listen},
};
use latchkey_protocol::{
    Address, CloudSecretKey, Code, DeviceIdentity, Door, Handle, Host, Message, Mode, ParsedChallenge, QrLink,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    sync::{mpsc, watch},
    time::timeout,
};
use zeroize::Zeroizing;

pub const BASE: &str = "/latchkey";
const PATIENCE: Duration = Duration::from_secs(20);
static WORLDS: AtomicUsize = AtomicUsize::new(0);

/// A recorder with its doors open.
pub struct World {
    pub https: SocketAddr,
    pub http: SocketAddr,
    pub console: PathBuf,
    pub proxied: PathBuf,
    pub fingerprint: [u8; 32],
    folder: PathBuf,
    identity: Arc<DeviceIdentity>,
    cloud: CloudSecretKey,
    context: Arc<web::Context>,
    asked: Arc<AtomicUsize>,
    _stop: watch::Sender<bool>,
}

/// A device that was signed before there was a platform link.
fn no_link() -> platform::Parts {
    platform::Parts {
        identity: tokio::sync::watch::channel(None).1,
        keeper: None,
        clock: std::sync::Arc::new(SystemClock::start(0, &KernelEntropy).unwrap().0),
        rng: latchkey::clock::Entropy::generator(&KernelEntropy).unwrap(),
        bounds: platform::policy::Bounds::default(),
        floor_unix_s: 0,
        save_floor: Box::new(|_| ()),
    }
}

/// What a test may set.
pub struct Setup {
    pub bounds: Bounds,
    pub uid: u32,
    pub lan_interfaces: &'static [&'static str],
}

impl Default for Setup {
    fn default() -> Self {
        let uid = nix::unistd::getuid().as_raw();
        Self { bounds: Bounds::default(), uid, lan_interfaces: &["lo"] }
    }
}

impl World {
    pub async fn open() -> Self {
        Self::open_with(Setup::default()).await
    }

    pub async fn open_with(setup: Setup) -> Self {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("latchkey-doors-{}-{number}", std::process::id()));
        let (flash, runtime) = (folder.join("state"), folder.join("runtime"));
        std::fs::create_dir_all(&flash).unwrap();
        std::fs::create_dir_all(&runtime).unwrap();

        let mut rng = latchkey::clock::Entropy::generator(&KernelEntropy).unwrap();
        let cloud = CloudSecretKey::draw(&mut rng);
        let identity = Arc::new(DeviceIdentity {
            handle: Handle([3; 8]),
            signing_key: ed25519_dalek::SigningKey::from_bytes(&[5; 32]),
            mode: Mode::Psk([9; 32]),
            cloud_key: cloud.public(),
            host: Host::parse("cloud.example").unwrap(),
            mailbox: Address::parse("recovery@cloud.example").ok(),
        });
        let parts = Parts {
            context: HeartContext {
                identity: Some(identity.clone()),
                serial: "LK-TEST".into(),
                label_code: None,
                limits: Limits::default(),
                hooks: latchkey::recovery::Hooks::None,
            },
            store: Box::new(Files::new(RealDisk::open(&flash).unwrap(), RealDisk::open(&runtime).unwrap())),
            clock: Box::new(SystemClock::start(0, &KernelEntropy).unwrap().0),
            entropy: Box::new(KernelEntropy),
            hash_cost: HashCost { memory_kib: 64, passes: 1 },
        };
        let (to_heart, asks) = mpsc::channel(64);
        let task = HeartTask::start(parts, asks).unwrap();
        let (link, link_task) = platform::new(no_link(), task.platform());
        tokio::spawn(link_task.run());
        tokio::spawn(task.run());
        let (heart, mut doors_asks) = web::Heart::new(64);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        tokio::spawn(async move {
            while let Some(ask) = doors_asks.recv().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let _: Result<(), mpsc::error::SendError<Ask>> = to_heart.send(ask).await;
            }
        });

        let certificate = Certificate::make("LK-TEST", &[]).unwrap();
        let (tls, fingerprint) = (web::tls::config(certificate.certified).unwrap(), certificate.sha256);
        let lan_interfaces: Vec<String> =
            setup.lan_interfaces.iter().map(|name| (*name).to_owned()).collect();
        let (console, proxied) = (runtime.join("console.socket"), runtime.join("proxied.socket"));
        let lo = ["lo".to_owned()];
        let listeners = Listeners {
            https: listen::lan(0, &lo).unwrap(),
            http: listen::lan(0, &lo).unwrap(),
            console: Some(listen::unix(&console).unwrap()),
            proxied: Some(listen::unix(&proxied).unwrap()),
        };
        let at = |listeners: &[listen::LanListener]| {
            SocketAddr::from(([127, 0, 0, 1], listeners[0].address().unwrap().port()))
        };
        let (https, http) = (at(&listeners.https), at(&listeners.http));
        let context = Arc::new(web::Context {
            heart,
            link,
            drawing: web::Drawing { svg: qr::svg, png: qr::png, matrix: qr::matrix, text_svg: qr::text_svg },
            device: web::Device { serial: "LK-TEST".into(), model: "Model <T>".into(), version: "1.2.3" },
            uptime_ms: latchkey::clock::uptime_ms,
            rules: web::Rules {
                lan_interfaces,
                not_peers: vec![],
                names: vec!["recorder.lan".into()],
                https_port: https.port(),
                http_port: http.port(),
                console_uids: vec![setup.uid],
                proxied_uids: vec![setup.uid],
                base_path: BASE.into(),
                proxied_tls: true,
                password_chars_min: 8,
                validity_s: 48 * 3600,
            },
            catalogue: latchkey_look::Catalogue::english(),
            certificate_sha256: fingerprint,
            form_key: Zeroizing::new([7; 32]),
        });
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(web::serve(listeners, context.clone(), tls, setup.bounds, stopped));
        Self {
            https,
            http,
            console,
            proxied,
            fingerprint,
            folder,
            identity,
            cloud,
            context,
            asked,
            _stop: stop,
        }
    }

    /// How many requests have reached the heart.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub async fn tls(&self) -> tokio_rustls::client::TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned(self.fingerprint)))
            .with_no_client_auth();
        let stream = TcpStream::connect(self.https).await.unwrap();
        let name = ServerName::from(self.https.ip());
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    /// Sends a request over HTTPS: a first line, headers and a body.
    pub async fn lan(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let host = self.https.to_string();
        exchange(self.tls().await, &text(line, &host, headers, body)).await
    }

    pub async fn lan_json(&self, line: &str, body: &str) -> Answer {
        self.lan(line, &[("Content-Type", "application/json")], body).await
    }

    pub async fn console(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let stream = UnixStream::connect(&self.console).await.unwrap();
        exchange(stream, &text(line, "localhost", headers, body)).await
    }

    pub async fn console_json(&self, line: &str, body: &str) -> Answer {
        self.console(line, &[("Content-Type", "application/json")], body).await
    }

    /// Sends a request as the recorder's own web server does, on behalf of `peer`.
    pub async fn proxied(&self, peer: [u8; 4], line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = UnixStream::connect(&self.proxied).await.unwrap();
        stream.write_all(&proxy_header(peer, [127, 0, 0, 1], 443)).await.unwrap();
        exchange(stream, &text(line, "127.0.0.1", headers, body)).await
    }

    /// Sets the first password and a reserved email, as the local screen does.
    pub async fn activate(&self) {
        let body = r#"{"password":"Correct horse 1","reserved_email":"owner@example.com"}"#;
        let answer = self.console_json("POST /api/v1/activation", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// The code inside a QR text: what the owner of the mailbox reads.
    pub fn code_of(&self, qr_text: &str) -> Code {
        let link = QrLink::parse(qr_text).unwrap();
        let parsed = ParsedChallenge::parse(&link.sealed).unwrap();
        let verified = parsed.verify(&self.identity.signing_key.verifying_key()).unwrap();
        let opened = verified.open(&self.cloud, &self.identity.mode).unwrap();
        match &opened.challenge().message {
            Message::Reset(code) | Message::ConfirmEmail(code) => code.clone(),
            _ => panic!("no code"),
        }
    }

    /// The token of a page's forms for a browser with this form secret and no session.
    pub fn form_token(&self, form_secret: [u8; 32]) -> String {
        let caller = Caller {
            door: Door::Lan,
            entry: Entry::Tls,
            peer: None,
            local: None,
            link: Ok(()),
            base: String::new(),
            base_tls: false,
            session: None,
            grant: None,
            form_secret,
            form_secret_is_new: false,
        };
        caller.form_token(&self.context)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn proxy_header(peer: [u8; 4], local: [u8; 4], port: u16) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(peer);
    header.extend(local);
    header.extend(50_000_u16.to_be_bytes());
    header.extend(port.to_be_bytes());
    header
}

/// A request as text, that asks for the connection to be closed.
pub fn text(line: &str, host: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text += &format!("Host: {host}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

/// An answer, read to the end of the connection.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn cookies(&self) -> Vec<&str> {
        self.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).collect()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The name of the problem, of a problem document.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status);
        let kind = json["type"].as_str().unwrap();
        kind.strip_prefix("urn:latchkey:problem:").unwrap().to_owned()
    }
}

pub async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Answer {
    // A door that has seen enough may close before all is sent.
    let _ = stream.write_all(request.as_bytes()).await;
    let bytes = read_to_end(&mut stream).await;
    parse(&bytes).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)))
}

/// Reads until the other end closes; fails if it does not.
pub async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = vec![];
    match timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the door keeps the connection open")
    {
        Ok(_) => {}
        // Closing without a TLS goodbye, or with unread bytes, is closing too.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {}
        Err(error) => panic!("{error}"),
    }
    bytes
}

pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, head, body: bytes[end + 4..].to_vec() })
}

/// Takes exactly one certificate.
#[derive(Debug)]
struct Pinned([u8; 32]);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use sha2::Digest;
        let own: [u8; 32] = sha2::Sha256::digest(certificate).into();
        if own == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("another certificate".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
