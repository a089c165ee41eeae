//! The platform link's cloud side: lets devices in, knows who is connected, carries out what they ask.
//!
//! | module | holds |
//! |---|---|
//! | [`tls`] | the cloud's own certificate, and whose certificates are taken |
//! | [`welcome`] | from a TLS connection to a registered session |
//! | [`sessions`] | who is connected: one session a device |
//! | [`session`] | one registered connection |
//! | [`rate`] | how much one connection may send |
//! | [`presence`] | the node's lease, and who came and went, in the store |
//! | [`sweep`] | ends who is silent or revoked |
//! | [`metrics`] | what the operators' monitoring reads |

pub mod metrics;
pub mod presence;
pub mod rate;
mod session;
pub mod sessions;
pub mod sweep;
pub mod tls;
mod welcome;
mod words;

use crate::{
    accounts::secrets::Secrets,
    clock::Clock,
    config::Config,
    factory::{Factory, FactoryError},
    relay::{Refusal, Relay},
    store::RequestId,
};
use latchkey_protocol::{
    Handle,
    platform::{FromCloud, KeyList},
};
use metrics::Metrics;
use presence::Presence;
use rate::Metered;
use sessions::{End, Post, Session, Sessions};
use std::sync::{Arc, Mutex, PoisonError};
use tls::{DeviceTls, DeviceTlsError};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;

/// A device's connection.
type Link = WebSocketStream<Metered<TlsStream<TcpStream>>>;

/// All that sessions work with.
pub struct Platform {
    /// TLS for devices.
    pub tls: DeviceTls,
    /// The counts.
    pub metrics: Metrics,
    /// Who is connected.
    pub sessions: Sessions,
    /// Who came and went.
    pub presence: Presence,
    /// Signs certificates.
    pub factory: Factory,
    relay: Arc<Relay>,
    config: Arc<Config>,
    secrets: Arc<Secrets>,
    /// Rung when a mail was queued.
    bell: Arc<Notify>,
    keys: Option<KeyList>,
    /// Every session's task has a clone; none is given any more once the service stops.
    alive: Mutex<Option<mpsc::Sender<()>>>,
    all_ended: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

impl Platform {
    /// Makes ready.
    pub fn new(
        relay: Arc<Relay>,
        config: Arc<Config>,
        factory: Factory,
        secrets: Arc<Secrets>,
        bell: Arc<Notify>,
    ) -> Result<Self, DeviceTlsError> {
        let tls = DeviceTls::new(&factory.keys, &factory.authority, config.host.as_str(), &relay.clock)?;
        let keys = factory.keys.list(&relay.keys, &config.host);
        let (alive, all_ended) = mpsc::channel(1);
        Ok(Self {
            tls,
            metrics: Metrics::new(),
            sessions: Sessions::new(config.platform.connections_max),
            presence: Presence::new(),
            factory,
            relay,
            config,
            secrets,
            bell,
            keys,
            alive: Mutex::new(Some(alive)),
            all_ended: tokio::sync::Mutex::new(all_ended),
        })
    }

    fn clock(&self) -> &Arc<dyn Clock> {
        &self.relay.clock
    }

    fn sign_of_life(&self) -> Option<mpsc::Sender<()>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn came(&self, session: &Session) {
        self.metrics.registered.inc();
        self.metrics.connected.inc();
        self.presence.moved(session.moved(true, self.clock().now_s()));
    }

    fn left(&self, session: &Arc<Session>, end: End) {
        self.metrics.connected.dec();
        Metrics::count(&self.metrics.ended, end.word());
        if self.sessions.leave(session) {
            self.presence.moved(session.moved(false, self.clock().now_s()));
        }
        tracing::debug!(handle = %session.handle, why = end.word(), "a device is gone");
    }

    /// Sends a device's own request once more.
    async fn resend(&self, id: RequestId, handle: Handle) -> Result<(), Refusal> {
        let request = self.relay.store.request(id).await?;
        request.filter(|request| request.handle == handle).ok_or(Refusal::NotFound)?;
        self.relay.resend(id).await
    }

    /// A new certificate for a device.
    async fn renew(&self, handle: Handle) -> Result<String, FactoryError> {
        let device = self.relay.store.device(handle).await?;
        let device = device.filter(|device| device.revoked_at_s.is_none());
        let device = device.ok_or_else(|| FactoryError::Unknown(handle.to_string()))?;
        self.factory.certify(&device, self.clock().now_s())
    }

    /// Makes the cloud's own certificate anew, as each day.
    pub fn renew_own(&self) -> Result<(), DeviceTlsError> {
        self.tls.renew(&self.factory.keys, self.config.host.as_str(), self.clock().now_s())
    }

    /// Tells every device to come back within the window, and waits until they have gone.
    pub async fn stop(&self) {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reconnect = FromCloud::Reconnect { window_s: self.config.platform.reconnect_window_s };
        for session in self.sessions.all() {
            if session.takes_reconnect {
                session.post(Post::Frame(reconnect.to_frame()));
            }
            session.post(Post::End(End::Stopping));
        }
        while self.all_ended.lock().await.recv().await.is_some() {}
        let ended = self.relay.store.end_node(self.presence.node, self.clock().now_s());
        if let Err(error) = ended.await {
            tracing::error!(error = %crate::worker::chain(&error), "the node's end could not be kept");
        }
    }
}
