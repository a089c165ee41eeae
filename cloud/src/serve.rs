//! Wires the parts together and stops them in order.

use crate::{
    bounce,
    clock::{Clock, WallClock},
    config::{Config, Tls},
    keys::{self, KeyRing, KeysError},
    limits::{Meter, Requesters},
    mail::transport::{Transport, TransportError},
    relay::Relay,
    store::{Store, StoreError, sqlite::Sqlite},
    web::{self, Web, accept},
    worker::Worker,
};
use latchkey_look::Catalogue;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::JoinSet,
};

/// Mails that are sent at the same time.
const SENDERS: usize = 4;
/// How often what is over is forgotten.
const TIDY_S: u64 = 300;
/// Looks at a request's state for each request that one requester may make: a page looks again by
/// itself while its mail is under way.
const LOOKS_EACH: u32 = 20;
/// Requests and mails in hand have this long to end.
const DRAIN_S: u64 = 20;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The way out for mails cannot be used.
    #[error(transparent)]
    Mail(#[from] TransportError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] accept::TlsError),
    /// Signals cannot be heard.
    #[error("cannot hear signals")]
    Signal(#[source] std::io::Error),
}

/// A service that runs.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// What it works with.
    pub relay: Arc<Relay>,
    /// Makes the workers look at the queue at once, as after a step of the clock.
    pub bell: Arc<Notify>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Stops: no new connection, what is in hand is finished, then everything ends.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(DRAIN_S), all).await.is_err() {
            tracing::warn!("some work did not end in time and is left; the queue keeps it");
        }
    }
}

/// Starts everything and returns once it listens.
pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Running, ServeError> {
    let config = Arc::new(config);
    let ring = Arc::new(KeyRing::load(&config.keys())?);
    let meter = Meter::new(keys::limits_key(&config.keys())?, config.limits.clone());
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&config.database())?);
    let relay = Arc::new(Relay::new(config.host.clone(), store.clone(), ring, meter, clock.clone()));
    let say = Arc::new(Catalogue::english());
    let bell = Arc::new(Notify::new());
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();

    for _ in 0..SENDERS {
        let worker = Worker::new(relay.clone(), config.clone(), say.clone(), bell.clone()).await?;
        tasks.spawn(worker.run(stopped.clone()));
    }
    if let Some(folder) = config.mail.bounce_maildir.clone() {
        tasks.spawn(bounce::run(folder, store.clone(), stopped.clone()));
    }
    tasks.spawn(tidy(store.clone(), clock.clone(), stopped.clone()));

    let tls = accept::tls(&config)?;
    let web = Web {
        relay: relay.clone(),
        say,
        bell: bell.clone(),
        requesters: Arc::new(Requesters::new(config.limits.requester_per_10_min)),
        lookers: Arc::new(Requesters::new(config.limits.requester_per_10_min.saturating_mul(LOOKS_EACH))),
        config: config.clone(),
        clock,
    };
    let router = web::router(web);
    let gate = Arc::new(accept::Gate::new(router, tls, config.http.trusted_proxies.clone()));
    let mut addresses = vec![];
    for &address in &config.http.listen {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| ServeError::Listen { address, source })?;
        addresses.push(listener.local_addr().map_err(|source| ServeError::Listen { address, source })?);
        tasks.spawn(gate.clone().run(listener, stopped.clone()));
    }
    Ok(Running { addresses, relay, bell, stop, tasks })
}

/// Opens every file that the service needs, without listening and without a change to any of them.
pub async fn check(config: &Config) -> Result<(), ServeError> {
    KeyRing::load(&config.keys())?;
    keys::limits_key(&config.keys())?;
    keys::Authority::load(&config.keys())?;
    if config.http.tls != Tls::SelfMade {
        accept::tls(config)?;
    }
    Transport::check(&config.mail.way, config.host.as_str()).await?;
    Ok(Sqlite::check(&config.database())?)
}

/// Serves until SIGTERM or SIGINT.
pub async fn until_signal(config: Config) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signal)?;
    let running = start(config, Arc::new(WallClock)).await?;
    for address in &running.addresses {
        tracing::info!(%address, host = %running.relay.host, "listening");
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

async fn tidy(store: Arc<dyn Store>, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
    let mut schedule = tokio::time::interval(Duration::from_secs(TIDY_S));
    while !*stop.borrow() {
        if let Err(error) = store.tidy(clock.now_s()).await {
            tracing::error!(error = %crate::worker::chain(&error), "what is over could not be forgotten");
        }
        tokio::select! {
            _ = schedule.tick() => {}
            _ = stop.changed() => {}
        }
    }
}
