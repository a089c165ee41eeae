//! Tells that a network interface has come, gone or changed: the kernel's own word (rtnetlink(7)), so
//! that nobody has to look again and again.
//!
//! Must not: say what has changed. Whoever waits here looks for themselves.

use nix::{
    libc,
    sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket},
};
use std::{io, os::fd::AsRawFd, os::unix::net};
use tokio::net::UnixDatagram;

/// The group of news on interfaces, <linux/rtnetlink.h>.
const RTMGRP_LINK: u32 = 1;
/// What is read at once; how much of a message that is does not matter here.
const READ_BYTES: usize = 256;

/// The kernel's news on interfaces. The runtime has no type for a netlink socket; one for Unix sockets
/// waits for datagrams in the same way, and nothing is asked of their address.
#[derive(Debug)]
pub(super) struct Links(UnixDatagram);

impl Links {
    /// News from now on. Errors if the kernel or a sandbox lets nobody listen; only within a runtime.
    pub(super) fn watch() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let kernel = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(kernel.as_raw_fd(), &NetlinkAddr::new(0, RTMGRP_LINK))?;
        UnixDatagram::from_std(net::UnixDatagram::from(kernel)).map(Self)
    }

    /// Waits for news. Safe to drop and call again.
    pub(super) async fn changed(&self) -> io::Result<()> {
        match self.0.recv(&mut [0; READ_BYTES]).await {
            // There was more than the socket takes: news as well.
            Err(error) if error.raw_os_error() != Some(libc::ENOBUFS) => Err(error),
            _ => Ok(()),
        }
    }
}
