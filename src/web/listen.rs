//! Listening sockets: one on each LAN interface, bound to it by the kernel (SO_BINDTODEVICE), so that
//! "the interface that it came in on" is the kernel's word and not a guess from an address. Other
//! interfaces are not listened on.

use super::links::Links;
use nix::{
    net::if_::if_nametoindex,
    sys::socket::{setsockopt, sockopt},
};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, UnixListener},
    time::timeout,
};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// How often it is looked whether a missing interface can be listened on; and whether one was replaced,
/// where the kernel does not tell that by itself.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// A TCP socket that listens.
#[derive(Debug)]
pub struct LanListener {
    /// None while the interface is not there.
    socket: Option<TcpListener>,
    /// The interface that it is bound to.
    pub bound: Option<Bound>,
    port: u16,
    /// None where the kernel does not tell of interfaces.
    links: Option<Links>,
}

impl LanListener {
    /// Where it listens, if the interface is there.
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.as_ref().and_then(|socket| socket.local_addr().ok())
    }

    /// The next connection. An interface that comes late, or is replaced (a USB adapter), is listened on
    /// again: at once where the kernel tells, or else within [`LOOK_EVERY`].
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            match &self.socket {
                Some(socket) if self.bound.is_none() => return socket.accept().await,
                Some(socket) => tokio::select! {
                    accepted = socket.accept() => return accepted,
                    () = self.news() => {}
                },
                // It may be there and not let itself be listened on yet.
                None => _ = timeout(LOOK_EVERY, self.news()).await,
            }
            let Some(bound) = self.bound.as_mut().filter(|bound| !bound.is_current()) else { continue };
            // Closed first: the port must be free for its follower.
            self.socket = None;
            let Ok(index) = if_nametoindex(bound.interface.as_str()) else { continue };
            match bind(self.port, Some(&bound.interface)) {
                Ok(socket) => {
                    tracing::info!(interface = bound.interface, port = self.port, "listening on it again");
                    bound.index = index;
                    self.socket = Some(socket);
                }
                Err(error) => tracing::warn!(interface = bound.interface, %error, "cannot listen on it"),
            }
        }
    }
}

impl LanListener {
    /// Waits until the interface may be another one.
    async fn news(&self) {
        if let Some(links) = &self.links
            && links.changed().await.is_ok()
        {
            return;
        }
        let _ = timeout(LOOK_EVERY, std::future::pending::<()>()).await; // a look is due
    }
}

/// An interface as it was when a socket was bound to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its name.
    pub interface: String,
    /// Its index; another one means that the interface was taken away and has come back.
    pub index: u32,
}

impl Bound {
    /// Whether the interface is still the one that the socket is bound to.
    pub fn is_current(&self) -> bool {
        if_nametoindex(self.interface.as_str()).is_ok_and(|index| index == self.index)
    }
}

/// Every socket of the daemon.
#[derive(Debug, Default)]
pub struct Listeners {
    /// HTTPS on the LAN.
    pub https: Vec<LanListener>,
    /// The page that explains the certificate warning.
    pub http: Vec<LanListener>,
    /// The local screen.
    pub console: Option<UnixListener>,
    /// The recorder's own web server.
    pub proxied: Option<UnixListener>,
}

/// Listens on a port of each interface; one that is not there yet is waited for. Where the kernel lets
/// nobody bind to an interface (before 5.7 without CAP_NET_RAW), listens on all, and the interface of
/// a connection is told from its address. Errors if the port cannot be had.
pub fn lan(port: u16, interfaces: &[String]) -> io::Result<Vec<LanListener>> {
    let mut listeners = vec![];
    for interface in interfaces {
        // Before the first look, so that nothing is missed between the two.
        let links = Links::watch();
        if let Err(error) = &links {
            tracing::warn!(%error, "the kernel does not tell of interfaces that come and go: looked for at times");
        }
        let index = if_nametoindex(interface.as_str()).unwrap_or(0);
        let socket = match bind(port, Some(interface)) {
            Ok(socket) => Some(socket),
            Err(error) if error.raw_os_error() == Some(nix::libc::ENODEV) => {
                tracing::warn!(%interface, port, "the interface is not there; listening begins when it is");
                None
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && port >= 1024 => {
                tracing::warn!(%error, "cannot listen on an interface alone; listening on all");
                let socket = Some(bind(port, None)?);
                return Ok(vec![LanListener { socket, bound: None, port, links: None }]);
            }
            Err(error) => return Err(error),
        };
        let bound = Some(Bound { interface: interface.clone(), index });
        listeners.push(LanListener { socket, bound, port, links: links.ok() });
    }
    Ok(listeners)
}

fn bind(port: u16, interface: Option<&String>) -> io::Result<TcpListener> {
    let (socket, address) = match TcpSocket::new_v6() {
        Ok(socket) => {
            setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
            (socket, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
        }
        // A kernel without IPv6.
        Err(_) => (TcpSocket::new_v4()?, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
    };
    socket.set_reuseaddr(true)?;
    if let Some(interface) = interface {
        setsockopt(&socket, sockopt::BindToDevice, &interface.into())?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens on a Unix socket, in the place of one that an earlier run left. Everyone may connect: who is
/// heard is decided by the kernel's word on the peer (SO_PEERCRED), not by the file's mode.
pub fn unix(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(old) if old.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something that is no socket is in its place",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}
