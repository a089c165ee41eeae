//! From a TLS connection to a registered session: the upgrade, the registration and its answer.

use super::{
    Link, Platform,
    metrics::Metrics,
    rate::Metered,
    session::{end_of, run, say_goodbye},
    sessions::{End, Entry, Session},
    tls::named,
};
use crate::web::accept::Place;
use futures_util::{SinkExt as _, StreamExt as _};
use latchkey_protocol::{
    Handle,
    platform::{
        Capabilities, FRAME_BYTES_MAX, FromCloud, FromDevice, PATH, Refusal, Register, Registered,
        SUBPROTOCOL, close,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::server::{ErrorResponse, Request, Response},
    http::{HeaderValue, StatusCode, header},
    protocol::WebSocketConfig,
};

/// For the upgrade and the registration.
const REGISTER_S: u64 = 15;
/// For the answer to it.
const ANSWER_S: u64 = 10;
/// An older session of the same device has so long to give a sign of life.
const PROBE_S: u64 = 10;
/// How long a device stays away when there is no place for it.
const BUSY_S: u32 = 300;
/// A duplicate is for somebody to look at.
const DUPLICATE_S: u32 = 600;
/// Heartbeats are a few bytes; what is longer is read in several steps.
const READ_BYTES: usize = 256;

/// Why there is no session.
enum Stop {
    Silent,
    Broken,
    End(End),
    Refused(Refusal, Option<u32>),
}

impl Platform {
    /// Lets a device in, if it may: afterwards its connection has a task of its own, and gives the
    /// place back that it had among those who are not known yet.
    pub(crate) async fn welcome(self: Arc<Self>, stream: TlsStream<TcpStream>, place: Place) {
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let Some((handle, key)) = certificate.and_then(named) else {
            return Metrics::count(&self.metrics.failed, "certificate"); // TLS has verified it: not ours
        };
        let stream = Metered::new(stream, self.clock().clone());
        let upgraded = timeout(Duration::from_secs(REGISTER_S), upgrade(stream)).await;
        let Ok(Some(mut link)) = upgraded else {
            return Metrics::count(&self.metrics.failed, "upgrade");
        };
        let registered = async {
            let register = registration(&mut link).await?;
            self.judge(handle, key, register).await
        };
        let session = match registered.await {
            Ok(session) => session,
            Err(stop) => return self.turn_away(handle, link, stop).await,
        };
        let Some(alive) = self.sign_of_life() else {
            self.sessions.leave(&session);
            return self.turn_away(handle, link, Stop::End(End::Stopping)).await;
        };
        self.came(&session);
        tracing::debug!(%handle, "a device is here");
        if !matches!(
            timeout(Duration::from_secs(ANSWER_S), self.greet(&mut link, &session)).await,
            Ok(Ok(()))
        ) {
            return self.left(&session, End::Gone);
        }
        drop(place);
        let platform = self.clone();
        tokio::spawn(async move {
            run(link, session, platform).await;
            drop(alive);
        });
    }

    async fn judge(&self, handle: Handle, key: [u8; 32], register: Register) -> Result<Arc<Session>, Stop> {
        let device = self.relay.store.device(handle).await.map_err(|error| {
            tracing::error!(error = %crate::worker::chain(&error), "a device cannot be looked up");
            Stop::Refused(Refusal::Busy, Some(BUSY_S))
        })?;
        let device = device
            .filter(|device| {
                device.key.as_bytes() == &key
                    && device.serial == register.serial.as_str()
                    && device.model == register.model.as_str()
            })
            .ok_or(Stop::Refused(Refusal::Unknown, None))?;
        if device.revoked_at_s.is_some() {
            return Err(Stop::Refused(Refusal::Revoked, None));
        }
        let adding = register.adding.map(|adding| self.secrets.adding(adding));
        let session = Session::new(handle, &register, adding, self.clock().up_ms());
        let patience = async {
            let then = tokio::time::Instant::now() + Duration::from_secs(PROBE_S);
            tokio::time::sleep_until(then).await;
        };
        match self.sessions.enter(&session, patience).await {
            Entry::In => Ok(session),
            Entry::Duplicate => {
                tracing::warn!(%handle, serial = %register.serial, "two connections have one device's key");
                Err(Stop::Refused(Refusal::Duplicate, Some(DUPLICATE_S)))
            }
            Entry::Busy => Err(Stop::Refused(Refusal::Busy, Some(BUSY_S))),
        }
    }

    async fn greet(&self, link: &mut Link, session: &Session) -> Result<(), ()> {
        let registered = FromCloud::Registered(Registered {
            unix_time_s: self.clock().now_s(),
            heartbeat_s: self.config.platform.heartbeat_s,
            reconnect_window_s: self.config.platform.reconnect_window_s,
            capabilities: Capabilities::new(&[Capabilities::SUBMIT, Capabilities::RENEW]).unwrap_or_default(),
        });
        link.send(Message::text(registered.to_frame())).await.map_err(drop)?;
        match &self.keys {
            Some(keys) if session.takes_keys => {
                link.send(Message::text(FromCloud::Keys(keys.clone()).to_frame())).await.map_err(drop)
            }
            _ => Ok(()),
        }
    }

    async fn turn_away(&self, handle: Handle, mut link: Box<Link>, stop: Stop) {
        let (code, word) = match stop {
            Stop::Broken => return Metrics::count(&self.metrics.failed, "broken"),
            Stop::Silent => (close::SILENT, "silent"),
            Stop::End(end) => match end.close_code() {
                Some(code) => (code, end.word()),
                None => return Metrics::count(&self.metrics.failed, end.word()),
            },
            Stop::Refused(reason, retry_after_s) => {
                let word = match reason {
                    Refusal::Revoked => "revoked",
                    Refusal::Unknown => "unknown",
                    Refusal::Duplicate => "duplicate",
                    Refusal::Version => "version",
                    Refusal::Busy => "busy",
                };
                tracing::info!(%handle, reason = word, "a device is refused");
                Metrics::count(&self.metrics.refused, word);
                let refused = FromCloud::Refused { reason, retry_after_s };
                let said = link.send(Message::text(refused.to_frame()));
                if !matches!(timeout(Duration::from_secs(ANSWER_S), said).await, Ok(Ok(()))) {
                    return;
                }
                return say_goodbye(&mut link, reason.close_code(), word).await;
            }
        };
        Metrics::count(&self.metrics.failed, word);
        say_goodbye(&mut link, code, word).await;
    }
}

async fn upgrade(stream: Metered<TlsStream<TcpStream>>) -> Option<Box<Link>> {
    let limits = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * FRAME_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let link = tokio_tungstenite::accept_hdr_async_with_config(stream, agree, Some(limits)).await;
    link.ok().map(Box::new)
}

/// The one path and the one subprotocol.
#[expect(clippy::result_large_err, reason = "the library's own")]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let refuse = |status, why: &str| {
        let mut refusal = ErrorResponse::new(Some(why.to_owned()));
        *refusal.status_mut() = status;
        Err(refusal)
    };
    if request.uri().path() != PATH {
        return refuse(StatusCode::NOT_FOUND, "devices connect to /platform");
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    if !offered.any(|name| name.trim() == SUBPROTOCOL) {
        return refuse(StatusCode::BAD_REQUEST, "the subprotocol is latchkey.v1");
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

/// The first message.
async fn registration(link: &mut Link) -> Result<Register, Stop> {
    let first = async {
        loop {
            match link.next().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(text))) => {
                    return match FromDevice::parse(&text) {
                        Ok(FromDevice::Register(register)) => Ok(register),
                        _ => Err(Stop::End(End::Malformed)),
                    };
                }
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => return Err(Stop::End(End::Malformed)),
                Some(Ok(Message::Close(_))) | None => return Err(Stop::Broken),
                Some(Err(error)) => return Err(Stop::End(end_of(&error))),
            }
        }
    };
    timeout(Duration::from_secs(REGISTER_S), first).await.unwrap_or(Err(Stop::Silent))
}
