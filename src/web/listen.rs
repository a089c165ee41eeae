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
    // Sockets that share a port are tried by the kernel in a certain order, and the first that fits gets
    // the connection, be it bound to the interface or not (Linux, inet_hashtables.c): IPv6 sockets in the
    // order of their birth, IPv4 ones the other way round. The one that takes everything must come last.
    let family = Family::of_this_kernel();
    let mut order: Vec<Option<&String>> = interfaces.iter().map(Some).collect();
    match family {
        Family::Both => order.push(None),
        Family::V4Only => order.insert(0, None),
    }
    let mut port = port;
    let mut listeners = vec![];
    for interface in order {
        let listener = match interface {
            None => LanListener { socket: bind(family, port, None)?, bound: None },
            Some(interface) => match bind_to(family, port, interface) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::warn!(
                        %interface, %error,
                        "cannot listen on this interface alone; the interface of a connection is told from its address"
                    );
                    continue;
                }
            },
        };
        // With port 0 (tests) the kernel has chosen one: the others take the same.
        port = listener.socket.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(listeners)
}

#[derive(Clone, Copy)]
enum Family {
    /// IPv6 sockets that take IPv4 too.
    Both,
    /// A kernel without IPv6.
    V4Only,
}

impl Family {
    fn of_this_kernel() -> Self {
        if TcpSocket::new_v6().is_ok() { Self::Both } else { Self::V4Only }
    }
}

fn bind_to(family: Family, port: u16, interface: &String) -> io::Result<LanListener> {
    let index = if_nametoindex(interface.as_str())?;
    let socket = bind(family, port, Some(interface))?;
    Ok(LanListener { socket, bound: Some(Bound { interface: interface.clone(), index }) })
}

fn bind(family: Family, port: u16, interface: Option<&String>) -> io::Result<TcpListener> {
    let (socket, address) = match family {
        Family::Both => {
            let socket = TcpSocket::new_v6()?;
            setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
            (socket, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
        }
        Family::V4Only => (TcpSocket::new_v4()?, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
    };
    socket.set_reuseaddr(true)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;
    use tokio::{net::TcpStream, time::timeout};

    /// Which of the sockets gets a connection, by the interface that it is bound to.
    async fn taken_by(listeners: &[LanListener], address: SocketAddr) -> Option<String> {
        let _peer = TcpStream::connect(address).await.unwrap();
        for listener in listeners {
            if timeout(Duration::from_millis(100), listener.socket.accept()).await.is_ok() {
                return listener.bound.as_ref().map(|bound| bound.interface.clone());
            }
        }
        unreachable!("one of them got it");
    }

    #[tokio::test]
    async fn a_connection_comes_to_the_socket_of_its_interface() {
        let listeners = lan(0, &["lo".into()]).unwrap();
        let port = listeners[0].socket.local_addr().unwrap().port();
        for _ in 0..8 {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            assert_eq!(taken_by(&listeners, address).await.as_deref(), Some("lo"));
        }
    }

    #[tokio::test]
    async fn the_same_holds_on_a_kernel_without_ipv6() {
        let everywhere = bind(Family::V4Only, 0, None).unwrap();
        let port = everywhere.local_addr().unwrap().port();
        let listeners = [
            LanListener { socket: everywhere, bound: None },
            bind_to(Family::V4Only, port, &"lo".to_owned()).unwrap(),
        ];
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        assert_eq!(taken_by(&listeners, address).await.as_deref(), Some("lo"));
    }
}
