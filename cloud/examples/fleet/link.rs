//! One connection of a recorder: to the recovery service, or to what it is compared with.

use super::{Recorder, Server};
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey as _};
use futures_util::{SinkExt as _, StreamExt as _};
use latchkey_protocol::platform::{ALPN, Capabilities, FromCloud, FromDevice, PATH, Register, SUBPROTOCOL};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

/// The longest keepalive of MQTT: nothing but what is measured is sent.
const KEEPALIVE_S: [u8; 2] = [0xff, 0xff];

/// What is spoken with the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// The platform link.
    Latchkey,
    /// MQTT 3.1.1.
    Mqtt,
    /// The protocol of nats-server.
    Nats,
}

type Tls = TlsStream<TcpStream>;

/// A connection that is registered.
pub(super) enum Link {
    Latchkey(Box<WebSocketStream<Tls>>),
    Mqtt(Box<Tls>),
    Nats(Box<Tls>),
}

impl Link {
    /// A heartbeat and its answer.
    pub(super) async fn beat(&mut self) {
        match self {
            Self::Latchkey(link) => {
                link.send(Message::Ping(Default::default())).await.unwrap();
                match link.next().await {
                    Some(Ok(Message::Pong(_))) => {}
                    other => panic!("no pong: {other:?}"),
                }
            }
            Self::Mqtt(tls) => {
                say(tls, &[0xc0, 0]).await; // PINGREQ, PINGRESP
                expect(tls, &[0xd0, 0]).await;
            }
            Self::Nats(tls) => {
                say(tls, b"PING\r\n").await;
                pong(tls).await.unwrap();
            }
        }
    }

    /// Whatever comes next, if only the end.
    pub(super) async fn hear(&mut self) {
        match self {
            Self::Latchkey(link) => drop(link.next().await),
            Self::Mqtt(tls) => drop(tls.read_u8().await),
            Self::Nats(tls) => drop(pong(tls).await),
        }
    }
}

async fn say(tls: &mut Tls, bytes: &[u8]) {
    tls.write_all(bytes).await.unwrap();
    tls.flush().await.unwrap();
}

/// Waits for the answer to a ping. The server asks the same once, soon after a connection came.
async fn pong(tls: &mut Tls) -> std::io::Result<()> {
    loop {
        let mut line = vec![];
        while !line.ends_with(b"\n") {
            line.push(tls.read_u8().await?);
        }
        match line.as_slice() {
            b"PONG\r\n" => return Ok(()),
            b"PING\r\n" => say(tls, b"PONG\r\n").await,
            other if other.starts_with(b"INFO ") => {}
            other => panic!("not a pong: {}", String::from_utf8_lossy(other)),
        }
    }
}

async fn expect(tls: &mut Tls, wanted: &[u8]) {
    let mut came = vec![0; wanted.len()];
    tls.read_exact(&mut came).await.unwrap();
    assert_eq!(came, wanted);
}

/// Connects and registers, as far as that has a name there.
pub(super) async fn connect(recorder: &Recorder, server: &Server) -> Link {
    let mut tls = handshake(recorder, server).await;
    match server.speaks {
        Speaks::Latchkey => Link::Latchkey(Box::new(register(recorder, tls).await)),
        Speaks::Mqtt => {
            let name = recorder.file.serial.as_bytes();
            let length = u8::try_from(12 + name.len()).unwrap();
            // CONNECT: MQTT, level 4, a clean session, keepalive, the client's name. CONNACK: accepted.
            let head =
                [&[0x10, length, 0, 4][..], b"MQTT", &[4, 2], &KEEPALIVE_S, &[0, length - 12]].concat();
            say(&mut tls, &[&head[..], name].concat()).await;
            expect(&mut tls, &[0x20, 2, 0, 0]).await;
            Link::Mqtt(Box::new(tls))
        }
        Speaks::Nats => {
            let options = "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":true}\r\nPING\r\n";
            say(&mut tls, options.as_bytes()).await;
            pong(&mut tls).await.unwrap();
            Link::Nats(Box::new(tls))
        }
    }
}

/// Connects, and closes.
pub(super) async fn greet(recorder: &Recorder, server: &Server) {
    let mut tls = handshake(recorder, server).await;
    // The server has checked our certificate once it has answered anything, if only our end.
    let _ = tls.shutdown().await;
    let _ = tls.read_u8().await;
}

async fn handshake(recorder: &Recorder, server: &Server) -> Tls {
    let mut roots = rustls::RootCertStore::empty();
    let root = server.root.as_ref().unwrap_or(&recorder.file.server_roots);
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(recorder.file.certificate.as_bytes()).map(Result::unwrap).collect();
    let key = SigningKey::from_bytes(&recorder.key).to_pkcs8_der().unwrap();
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    if server.root.is_none() {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    config.resumption = rustls::client::Resumption::disabled();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    if server.speaks == Speaks::Nats {
        // It speaks first, in the clear, and says that TLS comes next.
        while stream.read_u8().await.unwrap() != b'\n' {}
    }
    let host = recorder.file.host.as_str();
    let name = host.split(':').next().unwrap().to_owned().try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn register(recorder: &Recorder, tls: Tls) -> WebSocketStream<Tls> {
    let mut request = format!("wss://{}{PATH}", recorder.file.host).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    let (mut link, _) = tokio_tungstenite::client_async(request, tls).await.unwrap();
    let register = FromDevice::Register(Register {
        serial: recorder.file.serial.clone().try_into().unwrap(),
        model: recorder.file.model.clone().try_into().unwrap(),
        version: "0.1.0".to_owned().try_into().unwrap(),
        capabilities: Capabilities::new(&[Capabilities::SUBMIT, Capabilities::RECONNECT]).unwrap(),
        adding: None,
    });
    link.send(Message::text(register.to_frame())).await.unwrap();
    match link.next().await {
        Some(Ok(Message::Text(text))) => match FromCloud::parse(&text) {
            Ok(FromCloud::Registered(_)) => link,
            other => panic!("not registered: {other:?}"),
        },
        other => panic!("not registered: {other:?}"),
    }
}
