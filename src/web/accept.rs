//! One way in for every connection: TLS on the LAN, plain HTTP for the page that explains, and the two
//! Unix sockets. Bounds the number of connections, their time, and the time of each of their parts.

use super::{
    caller::Entry,
    context::{Bounds, Context},
    dispatch,
    listen::{Bound, LanListener, Listeners},
    plain, proxy,
    rates::Rates,
};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Requests that one connection may make before it is closed.
const REQUESTS_MAX: usize = 200;
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// How long requests that are under way may still take when the daemon stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long to wait after accept failed, as it does when file descriptors run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// What a connection is, for all of its requests.
#[derive(Debug, Clone)]
pub struct Connection {
    /// How it came in.
    pub entry: Entry,
    /// The other end; none at the console, and none for the web server's own requests.
    pub peer: Option<SocketAddr>,
    /// The device's end.
    pub local: Option<SocketAddr>,
    /// The listener's interface, if it is bound to one.
    pub bound: Option<Bound>,
}

/// What all connections share.
pub struct Doors {
    /// What every request may use.
    pub ctx: Arc<Context>,
    /// The limits.
    pub bounds: Bounds,
    /// Requests a second.
    pub rates: Rates,
    // No AtomicU64: an ARM9 has no 64-bit atomics, and a number of 32 bits comes round.
    form_secrets_drawn: Mutex<u64>,
    tls: TlsAcceptor,
    lan: Gate,
    console: Gate,
}

impl Doors {
    /// A secret for a browser's forms, drawn from the process's random key: no two are the same, and
    /// nobody without the key can tell one from random.
    pub fn draw_form_secret(&self) -> [u8; 32] {
        let number = {
            let mut drawn = self.form_secrets_drawn.lock().unwrap_or_else(PoisonError::into_inner);
            *drawn += 1;
            *drawn
        };
        self.ctx.form_secret(number)
    }
}

/// Counts connections.
struct Gate {
    all_max: usize,
    peer_max: usize,
    open: Mutex<HashMap<Option<IpAddr>, usize>>,
}

/// One counted connection.
struct Pass<'g> {
    gate: &'g Gate,
    peer: Option<IpAddr>,
}

impl Gate {
    fn new(all_max: usize, peer_max: usize) -> Self {
        Self { all_max, peer_max, open: Mutex::new(HashMap::new()) }
    }

    fn enter(&self, peer: Option<IpAddr>) -> Option<Pass<'_>> {
        let peer = peer.map(|address| address.to_canonical());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= self.all_max {
            return None;
        }
        let own = open.entry(peer).or_default();
        if *own >= self.peer_max {
            return None;
        }
        *own += 1;
        Some(Pass { gate: self, peer })
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Opens both doors and keeps them open until `stop` turns true, then lets requests that are under way
/// end, for a few seconds at most.
pub async fn serve(
    listeners: Listeners,
    ctx: Arc<Context>,
    tls: Arc<rustls::ServerConfig>,
    bounds: Bounds,
    stop: watch::Receiver<bool>,
) {
    let doors = Arc::new(Doors {
        rates: Rates::new((ctx.uptime_ms)()),
        ctx,
        bounds,
        form_secrets_drawn: Mutex::new(0),
        tls: TlsAcceptor::from(tls),
        lan: Gate::new(bounds.connections_max, bounds.connections_per_peer_max),
        console: Gate::new(bounds.console_connections_max, bounds.console_connections_max),
    });
    let mut loops = JoinSet::new();
    for (group, is_plain) in [(listeners.https, false), (listeners.http, true)] {
        for listener in group {
            let (doors, bound, stopped) = (doors.clone(), listener.bound.clone(), stop.clone());
            let connect = move |(stream, peer)| {
                lan_connection(doors.clone(), stream, peer, bound.clone(), is_plain, stopped.clone())
            };
            loops.spawn(accept_all(listener, connect, stop.clone()));
        }
    }
    for (listener, entry) in [(listeners.console, Entry::Console), (listeners.proxied, Entry::Proxied)] {
        if let Some(listener) = listener {
            let (doors, stopped) = (doors.clone(), stop.clone());
            let connect = move |stream| unix_connection(doors.clone(), stream, entry, stopped.clone());
            loops.spawn(accept_all(listener, connect, stop.clone()));
        }
    }
    while loops.join_next().await.is_some() {}
}

/// Where connections come in.
trait Accept: Send {
    type Accepted: Send;
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Accepted>> + Send;
}

impl Accept for LanListener {
    type Accepted = (TcpStream, SocketAddr);

    async fn accept(&mut self) -> io::Result<Self::Accepted> {
        LanListener::accept(self).await
    }
}

impl Accept for UnixListener {
    type Accepted = UnixStream;

    async fn accept(&mut self) -> io::Result<Self::Accepted> {
        UnixListener::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Accepts until it is told to stop, then lets what is under way end.
async fn accept_all<L, C>(
    mut listener: L,
    connect: impl Fn(L::Accepted) -> C,
    mut stop: watch::Receiver<bool>,
) where
    L: Accept,
    C: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok(accepted) => {
                let connection = connect(accepted);
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "accept failed");
                let _ = timeout(ACCEPT_AGAIN, stop.wait_for(|stop| *stop)).await; // the next turn looks
            }
        }
    }
    drain(connections).await;
}

async fn lan_connection(
    doors: Arc<Doors>,
    stream: TcpStream,
    peer: SocketAddr,
    bound: Option<Bound>,
    is_plain: bool,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let Some(_pass) = doors.lan.enter(Some(peer.ip())) else {
        return Err(io::Error::other("too many connections: this one is turned away"));
    };
    let connection =
        Connection { entry: Entry::Tls, peer: Some(peer), local: stream.local_addr().ok(), bound };
    stream.set_nodelay(true)?;
    if is_plain {
        return http(&doors, stream, connection, plain::handle, stop).await;
    }
    let stream = timeout(doors.bounds.handshake_max, doors.tls.accept(stream)).await??;
    http(&doors, stream, connection, dispatch::handle, stop).await
}

async fn unix_connection(
    doors: Arc<Doors>,
    mut stream: UnixStream,
    entry: Entry,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let rules = &doors.ctx.rules;
    let allowed = if entry == Entry::Console { &rules.console_uids } else { &rules.proxied_uids };
    let uid = stream.peer_cred()?.uid();
    if !allowed.contains(&uid) {
        tracing::warn!(uid, ?entry, "a user who may not use this socket was turned away");
        return Ok(());
    }
    let mut connection = Connection { entry, peer: None, local: None, bound: None };
    if entry == Entry::Proxied {
        let proxied = timeout(doors.bounds.handshake_max, proxy::read(&mut stream)).await?;
        if let proxy::Proxied::Peer { peer, local } = proxied.map_err(io::Error::other)? {
            connection.peer = Some(peer);
            connection.local = Some(local);
        }
    }
    let gate = if entry == Entry::Console { &doors.console } else { &doors.lan };
    let Some(_pass) = gate.enter(connection.peer.map(|peer| peer.ip())) else { return Ok(()) };
    http(&doors, stream, connection, dispatch::handle, stop).await
}

/// HTTP/1.1 on a connection, to its end.
async fn http<S, H, A>(
    doors: &Arc<Doors>,
    stream: S,
    connection: Connection,
    handle: H,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Arc<Doors>, Connection, Request<Incoming>) -> A,
    A: Future<Output = super::Response>,
{
    let requests = AtomicUsize::new(0);
    let service = service_fn(|request: Request<Incoming>| {
        let last = requests.fetch_add(1, Ordering::Relaxed) + 1 >= REQUESTS_MAX;
        let answer = handle(doors.clone(), connection.clone(), request);
        async move {
            let mut response = answer.await;
            if last {
                let close = hyper::header::HeaderValue::from_static("close");
                response.headers_mut().insert(hyper::header::CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(doors.bounds.head_max)
        .max_buf_size(doors.bounds.head_bytes_max.max(8192))
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let ended = timeout(doors.bounds.connection_max, async {
        tokio::select! {
            ended = served.as_mut() => return ended,
            _ = stop.wait_for(|stop| *stop) => {}
        }
        served.as_mut().graceful_shutdown();
        served.await
    });
    ended.await?.map_err(io::Error::other)
}

async fn drain(mut connections: JoinSet<()>) {
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN_MAX, all).await.is_err() {
        tracing::info!("connections that did not end in time are closed");
    }
}
