//! Listening sockets: each LAN interface has its own, bound to it by the kernel, so that "the interface
//! that it came in on" is the kernel's word and not a guess from an address.
//!
//! Linux answers for every address of the machine on every interface, so the address alone does not
//! tell. A further socket, bound to no interface, takes what comes in elsewhere: such peers may look and
//! sign in, but never meet the same-link rule on an interface that has a socket of its own.

use nix::{
    net::if_::if_nametoindex,
    sys::socket::{setsockopt, sockopt},
};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// A TCP socket that listens.
#[derive(Debug)]
pub struct LanListener {
    /// The socket.
    pub socket: TcpListener,
    /// The interface that it is bound to.
    pub bound: Option<Bound>,
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

/// Listens on a port: once on each of the interfaces that is there and may be bound to, and once on
/// all. Errors if the port cannot be had at all.
pub fn lan(port: u16, interfaces: &[String]) -> io::Result<Vec<LanListener>> {
    let everywhere = bind(port, None)?;
    // With port 0 (tests) the kernel has chosen one: the others take the same.
    let port = everywhere.local_addr()?.port();
    let mut listeners = vec![];
    for interface in interfaces {
        let bound = if_nametoindex(interface.as_str())
            .map_err(io::Error::from)
            .and_then(|index| Ok((index, bind(port, Some(interface))?)));
        match bound {
            Ok((index, socket)) => {
                let bound = Some(Bound { interface: interface.clone(), index });
                listeners.push(LanListener { socket, bound });
            }
            Err(error) => tracing::warn!(
                %interface, %error,
                "cannot listen on this interface alone; the interface of a connection is told from its address"
            ),
        }
    }
    listeners.push(LanListener { socket: everywhere, bound: None });
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
    // The sockets share a port: the kernel picks the one that is bound to the interface, if there is one.
    socket.set_reuseport(true)?;
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
