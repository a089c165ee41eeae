//! The same-link rule: a reset is only for someone on the device's own link.
//!
//! A peer is on the link if its address lies in a prefix of the interface that it came in on, that
//! interface is one of the board's LAN interfaces, the link is not point-to-point, and the address is
//! neither a router's (one that masquerades makes the internet look like it) nor one of the device's
//! own. A router is who is the next hop of any route, or whom the settings name: a device without a
//! route to the internet cannot tell a router from a neighbour. The rule is a pure function; [`Links::read`] reads what it needs from the kernel.

use super::routers;
use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Why a peer does not count as being on the device's own link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OffLink {
    /// The interface that it came in on is not one of the LAN interfaces.
    #[error("the connection did not come in on a LAN interface")]
    NotALanInterface,
    /// Its address lies in no prefix of that interface.
    #[error("the peer's address is not in a network of the interface")]
    OtherNetwork,
    /// The link is point-to-point or the prefix has a single address.
    #[error("the link is point-to-point")]
    PointToPoint,
    /// It is a router's own address.
    #[error("the peer's address is a router's")]
    Gateway,
    /// A link-local address of another interface.
    #[error("the link-local address belongs to another interface")]
    OtherScope,
    /// It is no address of a single peer.
    #[error("the peer's address is not a unicast address")]
    NotUnicast,
    /// The request says that it was passed on by somebody.
    #[error("the request carries a forwarding header")]
    Forwarded,
    /// The kernel's tables could not be read: nobody is on the link.
    #[error("the tables of interfaces and routes could not be read")]
    Unknown,
}

impl OffLink {
    /// The name in a problem document's `reason`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotALanInterface => "not-a-lan-interface",
            Self::OtherNetwork => "other-network",
            Self::PointToPoint => "point-to-point",
            Self::Gateway => "gateway",
            Self::OtherScope => "other-scope",
            Self::NotUnicast => "not-unicast",
            Self::Forwarded => "forwarded",
            Self::Unknown => "unknown",
        }
    }
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The interface's name.
    pub interface: String,
    /// The interface's index, which is the scope id of its link-local addresses.
    pub index: u32,
    /// The device's address.
    pub address: IpAddr,
    /// Leading bits that the link shares.
    pub prefix_bits: u8,
    /// The link has exactly one other end.
    pub point_to_point: bool,
    /// The link goes nowhere.
    pub loopback: bool,
}

/// What the rule needs to know of the device's network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Every address of every interface that is up.
    pub links: Vec<Link>,
    /// The next hop of every route.
    pub routers: Vec<IpAddr>,
}

/// How a connection came in, as the kernel told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameIn<'a> {
    /// By a listener that is bound to this interface: the kernel's own word.
    On(&'a str),
    /// By a socket that is bound to none: the interface is told from the device's own address. Linux
    /// answers for each of its addresses on every interface, so this is weaker.
    ByAddress,
}

/// Who may be on the device's own link, as the settings say.
#[derive(Debug, Clone, Copy)]
pub struct Lan<'a> {
    /// The interfaces where the rule may be met.
    pub interfaces: &'a [String],
    /// Addresses that are a router's, whatever the routes say.
    pub not_peers: &'a [IpAddr],
}

/// Decides.
pub fn verdict(
    peer: SocketAddr,
    local: SocketAddr,
    came_in: CameIn<'_>,
    lan: Lan<'_>,
    links: &Links,
) -> Result<(), OffLink> {
    let peer_ip = peer.ip().to_canonical();
    let local_ip = local.ip().to_canonical();
    if peer_ip.is_unspecified() || peer_ip.is_multicast() || peer_ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err(OffLink::NotUnicast);
    }
    let scope = |address: &SocketAddr| match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => Some(v6.scope_id()),
        _ => None,
    };
    let (peer_scope, local_scope) = (scope(&peer), scope(&local));

    // A process on the device itself reaches its own addresses through the loopback interface.
    let from_itself =
        peer_ip.is_loopback() || links.links.iter().any(|link| is_at(link, peer_ip, peer_scope));
    let interface = match came_in {
        CameIn::On(name) => name,
        CameIn::ByAddress => {
            let link = links
                .links
                .iter()
                .find(|link| if from_itself { link.loopback } else { is_at(link, local_ip, local_scope) });
            link.ok_or(OffLink::NotALanInterface)?.interface.as_str()
        }
    };
    if !lan.interfaces.iter().any(|name| name == interface) {
        return Err(OffLink::NotALanInterface);
    }
    let here: Vec<&Link> = links.links.iter().filter(|link| link.interface == interface).collect();
    if here.iter().any(|link| link.loopback) {
        return if from_itself { Ok(()) } else { Err(OffLink::OtherNetwork) };
    }
    if from_itself {
        return Err(OffLink::NotALanInterface);
    }
    if here.iter().any(|link| link.point_to_point) {
        return Err(OffLink::PointToPoint);
    }
    if links.routers.contains(&peer_ip) || lan.not_peers.contains(&peer_ip) {
        return Err(OffLink::Gateway);
    }
    if peer_scope.is_some_and(|scope| !here.iter().any(|link| link.index == scope)) {
        return Err(OffLink::OtherScope);
    }
    let holding: Vec<&&Link> =
        here.iter().filter(|link| shares_prefix(link.address, peer_ip, link.prefix_bits)).collect();
    match holding.iter().any(|link| link.prefix_bits < host_bits(link.address)) {
        true => Ok(()),
        false if holding.is_empty() => Err(OffLink::OtherNetwork),
        false => Err(OffLink::PointToPoint),
    }
}

fn is_at(link: &Link, address: IpAddr, scope: Option<u32>) -> bool {
    link.address == address && scope.is_none_or(|scope| scope == link.index)
}

/// One bit short of a single address; /31 (RFC 3021) and /127 (RFC 6164) are point-to-point too.
fn host_bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 31,
        IpAddr::V6(_) => 127,
    }
}

fn shares_prefix(ours: IpAddr, theirs: IpAddr, bits: u8) -> bool {
    // A prefix of nothing would hold the whole internet: it is a wrong setting, never a link.
    if bits == 0 {
        return false;
    }
    match (ours, theirs) {
        (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
            (ours.to_bits() ^ theirs.to_bits()).leading_zeros() >= u32::from(bits)
        }
        (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
            (ours.to_bits() ^ theirs.to_bits()).leading_zeros() >= u32::from(bits)
        }
        _ => false,
    }
}

impl Links {
    /// Reads interfaces and routes from the kernel. Errors if either cannot be read.
    pub fn read() -> io::Result<Self> {
        let mut links = vec![];
        for entry in getifaddrs()?.filter(|entry| entry.flags.contains(InterfaceFlags::IFF_UP)) {
            let (Some(address), Some(mask)) = (entry.address, entry.netmask) else { continue };
            let (address, prefix_bits) =
                if let (Some(v4), Some(mask)) = (address.as_sockaddr_in(), mask.as_sockaddr_in()) {
                    (IpAddr::V4(v4.ip()), leading_ones(mask.ip().to_bits().into(), 96))
                } else if let (Some(v6), Some(mask)) = (address.as_sockaddr_in6(), mask.as_sockaddr_in6()) {
                    (IpAddr::V6(v6.ip()), leading_ones(mask.ip().to_bits(), 0))
                } else {
                    continue;
                };
            links.push(Link {
                index: nix::net::if_::if_nametoindex(entry.interface_name.as_str())?,
                point_to_point: entry.flags.contains(InterfaceFlags::IFF_POINTOPOINT),
                loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                interface: entry.interface_name,
                address,
                prefix_bits,
            });
        }
        Ok(Self { links, routers: routers::next_hops()? })
    }

    /// An address with its scope, if it is link-local without one and `local` tells the interface.
    pub fn scoped(&self, address: SocketAddr, local: SocketAddr) -> SocketAddr {
        let SocketAddr::V6(mut v6) = address else { return address };
        if v6.scope_id() == 0 && v6.ip().is_unicast_link_local() {
            let mut at = self.links.iter().filter(|link| link.address == local.ip());
            // The same link-local address may stand on two interfaces: then nothing is told.
            if let (Some(link), None) = (at.next(), at.next()) {
                v6.set_scope_id(link.index);
            }
        }
        v6.into()
    }

    /// Whether an address is one of the device's own.
    pub fn is_own(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.links.iter().any(|link| link.address == address)
    }
}

fn leading_ones(mask: u128, skipped: u32) -> u8 {
    // At most 128.
    u8::try_from((mask << skipped).leading_ones()).unwrap_or(u8::MAX)
}

#[cfg(test)]
#[path = "same_link_tests.rs"]
mod tests;
