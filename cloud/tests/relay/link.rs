//! A device at the other end of the platform link: real TLS with its own certificate, a real WebSocket.

use crate::support::*;
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey as _};
use futures_util::{SinkExt as _, StreamExt as _};
use latchkey_cloud::{clock::draw, factory, factory::SignOptions, store::sqlite::Sqlite};
use latchkey_protocol::{
    identity::{IdentityFile, IdentityRequest},
    platform::{
        ALPN, Adding, Capabilities, FromCloud, FromDevice, PATH, Register, Registered, SUBPROTOCOL, Sealed,
    },
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::HeaderValue},
};

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A cloud with a listener for devices and one for operators.
pub fn with_devices(text: String) -> String {
    generous(text)
        .replace("# [platform]", "[platform]\nlisten = [\"127.0.0.1:0\"]")
        .replace("# [operators]", "[operators]\nlisten = \"127.0.0.1:0\"")
}

pub async fn cloud() -> Cloud {
    let mut cloud = Cloud::new(with_devices);
    cloud.run().await;
    cloud
}

pub fn door(cloud: &Cloud) -> SocketAddr {
    cloud.running.as_ref().unwrap().device_addresses[0]
}

/// A recorder with its identity.
#[derive(Clone)]
pub struct Recorder {
    pub file: IdentityFile,
    pub key: SigningKey,
    /// Its device verification code.
    pub code: Option<&'static str>,
}

impl Recorder {
    pub async fn new(cloud: &Cloud, serial: &str) -> Self {
        let store = Sqlite::open(&cloud.config().database()).unwrap();
        Self::with(cloud, &store, serial).await
    }

    pub async fn with(cloud: &Cloud, store: &Sqlite, serial: &str) -> Self {
        let key = SigningKey::from_bytes(&draw());
        let request = IdentityRequest::new(&key, serial, "Recorder 8").unwrap();
        let request = serde_json::to_vec(&request).unwrap();
        let config = cloud.config();
        let now_s = latchkey_cloud::clock::Clock::now_s(&*cloud.clock);
        let file = factory::sign(&config, store, &request, SignOptions::default(), now_s).await.unwrap();
        Self { file, key, code: None }
    }

    pub fn device(&self) -> Device {
        Device(self.file.join(self.key.clone()).unwrap())
    }

    /// The sealed form of a challenge, as it is submitted.
    pub fn sealed(&self, challenge: &latchkey_protocol::Challenge) -> Sealed {
        Sealed(self.device().seal(challenge))
    }

    pub fn tls(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(self.file.server_roots.as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(self.file.certificate.as_bytes()).map(Result::unwrap).collect();
        let key = self.key.to_pkcs8_der().unwrap();
        let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into();
        // Whether they belong together is for the cloud to find out.
        let certified =
            CertifiedKey::new(chain, rustls::crypto::ring::sign::any_supported_type(&key).unwrap());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        tls.alpn_protocols = vec![ALPN.to_vec()];
        tls
    }

    pub async fn dial(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = self.file.host.as_str().to_owned().try_into().unwrap();
        TlsConnector::from(Arc::new(self.tls())).connect(name, stream).await
    }

    pub async fn upgrade(&self, address: SocketAddr) -> Result<Link, Error> {
        let mut request = format!("wss://{}{PATH}", self.file.host).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        let stream = self.dial(address).await?;
        let (ws, response) = tokio_tungstenite::client_async(request, stream).await?;
        assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
        Ok(Link { ws })
    }

    pub fn register(&self) -> FromDevice {
        FromDevice::Register(Register {
            serial: self.file.serial.clone().try_into().unwrap(),
            model: self.file.model.clone().try_into().unwrap(),
            version: "0.1.0".to_owned().try_into().unwrap(),
            capabilities: Capabilities::new(&[
                Capabilities::SUBMIT,
                Capabilities::RENEW,
                Capabilities::KEYS,
                Capabilities::RECONNECT,
            ])
            .unwrap(),
            adding: self.code.map(|code| Adding::of(&self.file.serial, code).unwrap()),
        })
    }

    /// Connects and registers; the first answer.
    pub async fn knock(&self, address: SocketAddr) -> (Link, FromCloud) {
        let mut link = self.upgrade(address).await.unwrap();
        link.say(&self.register()).await;
        let answer = link.hear().await;
        (link, answer)
    }

    /// Connects and is registered.
    pub async fn connect(&self, address: SocketAddr) -> (Link, Registered) {
        match self.knock(address).await {
            (link, FromCloud::Registered(registered)) => (link, registered),
            (_, other) => panic!("not registered: {other:?}"),
        }
    }
}

/// The device's end of a link.
pub struct Link {
    pub ws: WebSocketStream<TlsStream<TcpStream>>,
}

impl Link {
    pub async fn say(&mut self, message: &FromDevice) {
        self.send(Message::text(message.to_frame())).await;
    }

    /// The other side may have closed already.
    pub async fn send(&mut self, message: Message) {
        let _ = self.ws.send(message).await;
    }

    async fn next(&mut self) -> Option<Result<Message, Error>> {
        timeout(PATIENCE, self.ws.next()).await.expect("nothing came")
    }

    pub async fn hear(&mut self) -> FromCloud {
        loop {
            match self.next().await {
                Some(Ok(Message::Text(text))) => return FromCloud::parse(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// A ping, and its answer.
    pub async fn beat(&mut self) {
        self.send(Message::Ping(Default::default())).await;
        match self.next().await {
            Some(Ok(Message::Pong(_))) => {}
            other => panic!("no pong: {other:?}"),
        }
    }

    /// Waits for the close frame; its code. 0 if the connection ended without one.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map_or(0, |frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return 0,
            }
        }
    }
}

/// Looks until it is so.
pub async fn wait_for<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let found = async {
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("it did not come to be so")
}
