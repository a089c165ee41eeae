//! One attempt: name, TCP, TLS, upgrade, registration, each with its time limit and its own reason.

use super::{learn, policy::Bounds, status::Reason, time::LinkTime};
use crate::recovery::DeviceCode;
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use futures_util::{SinkExt, StreamExt};
use latchkey_protocol::{
    Handle, Host,
    platform::{
        ALPN, Adding, Capabilities, CloudSigningKey, FRAME_BYTES_MAX, FromCloud, FromDevice, Model, PATH,
        Register, Registered, SUBPROTOCOL, Serial, Version,
    },
};
use rustls::{
    CertificateError, ClientConfig, Error as TlsError, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject},
    time_provider::TimeProvider,
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode, header},
        protocol::WebSocketConfig,
    },
};

/// A WebSocket to the cloud.
pub type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Why an identity has no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkIdentityError {
    /// It was signed without what a link needs.
    #[error("the identity was signed before there was a platform link: have the device signed again")]
    NoLink,
    /// A certificate in it cannot be read.
    #[error("a certificate in the identity cannot be read")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// Key and certificates cannot be used.
    #[error("the identity's certificates cannot be used for the platform link")]
    Tls(#[from] TlsError),
    /// The key cannot be encoded.
    #[error("the device's key cannot be used for the platform link")]
    Key,
    /// Serial, model or version break the protocol's bounds.
    #[error(transparent)]
    Word(#[from] latchkey_protocol::platform::WordError),
}

/// What it takes to be let in by a cloud, and to know it.
#[derive(Clone)]
pub struct LinkIdentity {
    /// Whose it is.
    pub handle: Handle,
    /// From when on a new certificate is asked for, in seconds since 1970; None: it cannot be told.
    pub(super) renew_from_unix_s: Option<i64>,
    /// Who the cloud is, and where unless the owner has set another address.
    pub host: Host,
    /// What the cloud signs the time with.
    pub signing_keys: Vec<CloudSigningKey>,
    register: Register,
    chain: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl LinkIdentity {
    /// Joins the device's key with what its identity file says of the link.
    pub fn new(
        file: &latchkey_protocol::identity::IdentityFile,
        key: &SigningKey,
        version: &str,
    ) -> Result<Self, LinkIdentityError> {
        if file.server_roots.trim().is_empty() || file.certificate.trim().is_empty() {
            return Err(LinkIdentityError::NoLink);
        }
        let read = |pem: &str| -> Result<Vec<_>, _> {
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()
        };
        let mut roots = RootCertStore::empty();
        for root in read(&file.server_roots).map_err(LinkIdentityError::Pem)? {
            roots.add(root)?;
        }
        let pkcs8 = key.to_pkcs8_der().map_err(|_| LinkIdentityError::Key)?;
        let capabilities =
            [Capabilities::SUBMIT, Capabilities::RENEW, Capabilities::KEYS, Capabilities::RECONNECT];
        let identity = Self {
            handle: file.handle,
            renew_from_unix_s: learn::facts(&file.certificate).map(|facts| facts.renew_from_unix_s()),
            host: file.host.clone(),
            signing_keys: file.signing_keys.clone(),
            register: Register {
                serial: Serial::try_from(file.serial.clone())?,
                model: Model::try_from(file.model.clone())?,
                version: Version::try_from(version.to_owned())?,
                capabilities: Capabilities::new(&capabilities)?,
                adding: None,
            },
            chain: read(&file.certificate).map_err(LinkIdentityError::Pem)?,
            roots: Arc::new(roots),
            key: Arc::new(PrivatePkcs8KeyDer::from(pkcs8.as_bytes().to_vec()).into()),
        };
        identity.tls(LinkTime::new(0).provider())?; // so that what cannot be used is said at the start
        Ok(identity)
    }

    /// The first message, with a proof of the code that the device has.
    fn registration(&self, code: Option<&DeviceCode>) -> FromDevice {
        let adding = code.and_then(|code| Adding::of(self.register.serial.as_str(), code.as_str()).ok());
        FromDevice::Register(Register { adding, ..self.register.clone() })
    }

    fn tls(&self, time: Arc<dyn TimeProvider>) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A connection lasts for days: resumption would only keep secrets in memory.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// Why an attempt came to nothing, and the cloud's word on when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Why.
    pub reason: Reason,
    /// `Retry-After` or `retry_after_s`.
    pub retry_after_s: Option<u32>,
}

impl From<Reason> for Stopped {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_after_s: None }
    }
}

/// Connects and registers. `server` is where; who must answer there is in the identity. `code` is what the device
/// is added to an account with.
pub async fn connect(
    identity: &LinkIdentity,
    server: &Host,
    code: Option<&DeviceCode>,
    time: &LinkTime,
    bounds: &Bounds,
) -> Result<(Socket, Registered), Stopped> {
    let step_max = Duration::from_secs(bounds.step_max_s.into());
    let stream = reach(server, step_max).await?;
    let config = identity.tls(time.provider()).map_err(|_| Reason::Tls)?;
    let name = ServerName::try_from(name_of(&identity.host).to_owned()).map_err(|_| Reason::Tls)?;
    let tls = timeout(step_max, TlsConnector::from(Arc::new(config)).connect(name, stream));
    let tls = tls.await.map_err(|_| Reason::Silent)?.map_err(|error| tls_reason(&error))?;
    if tls.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(Reason::NotThePlatform.into());
    }
    let request = upgrade_request(&identity.host).map_err(|_| Reason::Protocol)?;
    let upgrade = timeout(step_max, client_async_with_config(request, tls, Some(websocket())));
    let (mut socket, _) =
        upgrade.await.map_err(|_| Reason::Silent)?.map_err(|error| upgrade_reason(&error))?;
    let registration = identity.registration(code);
    let registered = timeout(step_max, register(&mut socket, &registration));
    let registered = registered.await.map_err(|_| Reason::Silent)??;
    Ok((socket, registered))
}

/// A TCP connection to the first address that takes one.
pub(super) async fn reach(server: &Host, step_max: Duration) -> Result<TcpStream, Reason> {
    let port = server.as_str().split_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(443);
    let found = timeout(step_max, lookup_host((name_of(server), port))).await;
    let addresses: Vec<_> = found.map_err(|_| Reason::Dns)?.map_err(|_| Reason::Dns)?.collect();
    if addresses.is_empty() {
        return Err(Reason::Dns);
    }
    let stream = timeout(step_max, TcpStream::connect(&addresses[..])).await;
    let stream = stream.map_err(|_| Reason::Tcp)?.map_err(|_| Reason::Tcp)?;
    let _ = stream.set_nodelay(true); // only slower without
    Ok(stream)
}

pub(super) fn name_of(host: &Host) -> &str {
    host.as_str().split(':').next().unwrap_or_default()
}

/// What a failed handshake says.
pub(super) fn tls_reason(error: &io::Error) -> Reason {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match inner {
        Some(TlsError::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => Reason::Clock,
        Some(TlsError::InvalidCertificate(_)) => Reason::Certificate,
        Some(TlsError::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => {
            Reason::NotThePlatform
        }
        _ => Reason::Tls,
    }
}

fn websocket() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * FRAME_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
}

fn upgrade_request(host: &Host) -> Result<tungstenite::handshake::client::Request, tungstenite::Error> {
    let mut request = format!("wss://{host}{PATH}").into_client_request()?;
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(request)
}

fn upgrade_reason(error: &tungstenite::Error) -> Stopped {
    let tungstenite::Error::Http(response) = error else {
        return match error {
            tungstenite::Error::Io(_) => Reason::Lost.into(),
            // Something that speaks, but not this.
            _ => Reason::NotThePlatform.into(),
        };
    };
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status());
    if !busy {
        return Reason::NotThePlatform.into();
    }
    let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_s = after.and_then(|text| text.trim().parse().ok());
    Stopped { reason: Reason::Refused(latchkey_protocol::platform::Refusal::Busy), retry_after_s }
}

async fn register(socket: &mut Socket, message: &FromDevice) -> Result<Registered, Stopped> {
    socket.send(Message::text(message.to_frame())).await.map_err(|_| Reason::Lost)?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(frame))) => {
                return match FromCloud::parse(&frame) {
                    Ok(FromCloud::Registered(registered)) => Ok(registered),
                    Ok(FromCloud::Refused { reason, retry_after_s }) => {
                        Err(Stopped { reason: Reason::Refused(reason), retry_after_s })
                    }
                    _ => Err(Reason::Protocol.into()),
                };
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(close))) => {
                return Err(closed_reason(close.map(|close| close.code.into())).into());
            }
            Some(Ok(_)) => return Err(Reason::Protocol.into()),
            Some(Err(_)) | None => return Err(Reason::Lost.into()),
        }
    }
}

/// What a close code says, should the message before it have been lost.
pub(super) fn closed_reason(code: Option<u16>) -> Reason {
    use latchkey_protocol::platform::{Refusal, close};
    match code {
        Some(close::MALFORMED | close::TOO_LONG | close::TOO_MANY) => Reason::Protocol,
        Some(close::SILENT) => Reason::Silent,
        Some(code) => Refusal::of_close_code(code).map_or(Reason::Lost, Reason::Refused),
        None => Reason::Lost,
    }
}
