//! Wires the parts together and stops them in order.

use crate::{
    accounts::{Accounts, post::Postman, secrets::Secrets},
    bounce,
    clock::{Clock, WallClock},
    config::{self, Config, Tls},
    factory::Factory,
    keys::{self, KeyRing, KeysError},
    limits::{Meter, Requesters},
    mail::transport::{Transport, TransportError},
    mailbox::{
        Mailbox,
        imap::{self, ImapError},
    },
    platform::{Platform, tls::DeviceTlsError},
    recorders::Recorders,
    relay::Relay,
    store::{Store, StoreError, sqlite::Sqlite},
    web::{
        self, Pictures, Web,
        accept::{self, Behind, Gate},
        operators,
    },
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
    /// Devices cannot be let in.
    #[error("cannot set up the platform link")]
    Devices(#[from] DeviceTlsError),
    /// The recovery mailbox cannot be used.
    #[error("cannot use the Maildir of [mailbox]")]
    Mailbox(#[source] std::io::Error),
    /// The recovery mails cannot be fetched.
    #[error("cannot use [mailbox.imap]")]
    Imap(#[from] ImapError),
    /// The program cannot start itself again to read a picture.
    #[error("cannot find this program's own file")]
    Program(#[source] std::io::Error),
    /// Signals cannot be heard.
    #[error("cannot hear signals")]
    Signal(#[source] std::io::Error),
}

/// A service that runs.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// Where it listens for devices alone.
    pub device_addresses: Vec<SocketAddr>,
    /// Where it listens for its operators.
    pub operators_address: Option<SocketAddr>,
    /// Who is connected.
    pub platform: Arc<Platform>,
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
        let all = async {
            self.platform.stop().await;
            while self.tasks.join_next().await.is_some() {}
        };
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
        tasks.spawn(bounce::run(folder, relay.clone(), stopped.clone()));
    }
    tasks.spawn(tidy(relay.clone(), stopped.clone()));

    let secrets = Arc::new(Secrets::load(&config.keys())?);
    let factory = Factory::load(&config)?;
    let platform = Platform::new(relay.clone(), config.clone(), factory, secrets.clone(), bell.clone())?;
    let platform = Arc::new(platform);
    platform.open_node().await?;
    tasks.spawn(platform.clone().keep_presence(stopped.clone()));
    tasks.spawn(platform.clone().sweep(stopped.clone()));
    if let Some(config::Mailbox { maildir, program, imap, .. }) = config.mailbox.clone() {
        let counts = platform.metrics.mailbox.clone();
        let mailbox = Mailbox::open(maildir, program, relay.clone(), bell.clone(), counts);
        let mailbox = Arc::new(mailbox.map_err(ServeError::Mailbox)?);
        if let Some(imap) = imap {
            tasks.spawn(mailbox.fetcher(imap)?.run(stopped.clone()));
        }
        tasks.spawn(mailbox.run(stopped.clone()));
    }

    let accounts = Accounts::new(store.clone(), clock.clone(), secrets, config.accounts.code_digits);
    let accounts = Arc::new(accounts);
    let recorders = Arc::new(Recorders::new(accounts.clone(), store, clock.clone()));
    tasks.spawn(Postman::new(accounts.clone(), config.clone(), say.clone()).await?.run(stopped.clone()));

    let program = match &config.mailbox {
        Some(mailbox) => mailbox.program.clone(),
        None => std::env::current_exe().map_err(ServeError::Program)?,
    };
    let web = Web {
        accounts,
        recorders,
        relay: relay.clone(),
        say,
        bell: bell.clone(),
        requesters: Arc::new(Requesters::new(config.limits.requester_per_10_min)),
        lookers: Arc::new(Requesters::new(config.limits.requester_per_10_min.saturating_mul(LOOKS_EACH))),
        config: config.clone(),
        platform: platform.clone(),
        pictures: Arc::new(Pictures::new(program)),
        clock,
    };
    let operators = operators::router(web.clone());
    let router = web::router(web);
    let behind = accept::tls(&config)?.map_or(Behind::Plain, |tls| Behind::Both(tls, platform.clone()));
    let gate = Gate::new(router.clone(), behind, config.http.trusted_proxies.clone());
    let mut open = async |gate: Gate, listen: &[SocketAddr]| -> Result<Vec<SocketAddr>, ServeError> {
        let gate = Arc::new(gate);
        let mut addresses = vec![];
        for &address in listen {
            let refused = |source| ServeError::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(refused)?;
            addresses.push(listener.local_addr().map_err(refused)?);
            tasks.spawn(gate.clone().run(listener, stopped.clone()));
        }
        Ok(addresses)
    };
    let addresses = open(gate, &config.http.listen).await?;
    let gate = Gate::new(router, Behind::Devices(platform.clone()), vec![]);
    let device_addresses = open(gate, &config.platform.listen).await?;
    let gate = Gate::new(operators, Behind::Plain, vec![]);
    let operators_address = open(gate, config.operators.listen.as_slice()).await?.pop();
    Ok(Running { addresses, device_addresses, operators_address, platform, relay, bell, stop, tasks })
}

/// Every device is an open file, and the usual limit is 1024.
fn allow_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    match raised {
        Ok(files) => tracing::info!(files, "at most so many connections and files"),
        Err(error) => tracing::warn!(%error, "the number of open files stays as it is"),
    }
}

/// Opens every file that the service needs, without listening and without a change to any of them.
pub async fn check(config: &Config) -> Result<(), ServeError> {
    KeyRing::load(&config.keys())?;
    keys::limits_key(&config.keys())?;
    keys::Authority::load(&config.keys())?;
    if config.http.tls != Tls::SelfMade {
        accept::tls(config)?;
    }
    if let Some(server) = config.mailbox.as_ref().and_then(|mailbox| mailbox.imap.as_ref()) {
        imap::check(server)?;
    }
    Transport::check(&config.mail.way, config.host.as_str()).await?;
    Ok(Sqlite::check(&config.database())?)
}

/// Serves until SIGTERM or SIGINT.
pub async fn until_signal(config: Config) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signal)?;
    allow_many_files();
    let running = start(config, Arc::new(WallClock)).await?;
    for address in &running.addresses {
        tracing::info!(%address, host = %running.relay.host, "listening");
    }
    for address in &running.device_addresses {
        tracing::info!(%address, "listening for devices");
    }
    if let Some(address) = running.operators_address {
        tracing::info!(%address, "listening for operators");
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

async fn tidy(relay: Arc<Relay>, mut stop: watch::Receiver<bool>) {
    let mut schedule = tokio::time::interval(Duration::from_secs(TIDY_S));
    while !*stop.borrow() {
        relay.tidy();
        if let Err(error) = relay.store.tidy(relay.clock.now_s()).await {
            tracing::error!(error = %crate::worker::chain(&error), "what is over could not be forgotten");
        }
        tokio::select! {
            _ = schedule.tick() => {}
            _ = stop.changed() => {}
        }
    }
}
