//! The routers that the kernel knows of: the next hops of every route in every table (rtnetlink(7)).
//! `/proc/net/route` would not do: it has the main table alone, and one next hop of several.

use netlink_packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NlasIterator};
use nix::{
    errno::Errno,
    libc,
    sys::{
        socket::{
            AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvmsg, send,
            setsockopt, socket, sockopt,
        },
        time::TimeVal,
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, OwnedFd},
};

/// What the kernel sends at once is at most this (`NLMSG_GOODSIZE` and `netlink_dump` in its source).
const DATAGRAM_BYTES_MAX: usize = 32 * 1024;
/// A recorder has a handful of routes; who has more than fit in here is no recorder.
const DUMP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often the table may change while it is read.
const TRIES: usize = 5;
/// The kernel answers from memory.
const ANSWER_S_MAX: i64 = 2;

// <linux/rtnetlink.h> and <linux/netlink.h>; not all of them are in libc for every target.
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLMSG_HEADER_BYTES: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTMSG_BYTES: usize = 12;
const RTNEXTHOP_BYTES: usize = 8;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_MULTIPATH: u16 = 9;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;

/// Every next hop of every route. Errors if the tables cannot be read, do not stand still, or name a next
/// hop in a way that is not known here: who asks must then take everybody for a router.
pub(super) fn next_hops() -> io::Result<Vec<IpAddr>> {
    for _ in 0..TRIES {
        if let Some(found) = dump()? {
            return Ok(found);
        }
    }
    Err(io::Error::other("the routes changed while they were read"))
}

/// One reading of all tables, or nothing if they changed meanwhile.
fn dump() -> io::Result<Option<Vec<IpAddr>>> {
    let kernel = ask()?;
    let (mut found, mut whole, mut read) = (Vec::new(), true, 0);
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (length, from) = receive(&kernel, &mut buffer)?;
        read += length;
        if length > buffer.len() || read > DUMP_BYTES_MAX {
            return Err(io::Error::other("there are more routes than fit"));
        }
        if from.is_none_or(|from| from.pid() != 0) {
            continue; // not the kernel's word
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let message = NetlinkBuffer::new_checked(rest).map_err(io::Error::other)?;
            whole &= message.flags() & NLM_F_DUMP_INTR == 0;
            match message.message_type() {
                RTM_NEWROUTE => next_hops_of(message.payload(), &mut found)?,
                NLMSG_DONE => return Ok(whole.then_some(found)),
                NLMSG_ERROR => return Err(io::Error::other("the kernel refused to list its routes")),
                _ => {}
            }
            // At least the header, which the check above saw: it goes on.
            let length = (message.length() as usize).max(NLMSG_HEADER_BYTES).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

/// Asks for all routes of all families and tables.
fn ask() -> io::Result<OwnedFd> {
    let kernel =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    setsockopt(&kernel, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_S_MAX, 0))?;
    let mut request = [0; NLMSG_HEADER_BYTES + RTMSG_BYTES];
    let length = request.len() as u32; // a constant of 28
    let mut message = NetlinkBuffer::new(&mut request[..]);
    message.set_length(length);
    message.set_message_type(RTM_GETROUTE);
    message.set_flags(NLM_F_REQUEST | NLM_F_DUMP);
    send(kernel.as_raw_fd(), &request, MsgFlags::empty())?;
    Ok(kernel)
}

/// One answer: how long it is, whole or not, and who sent it.
fn receive(kernel: &OwnedFd, buffer: &mut [u8]) -> io::Result<(usize, Option<NetlinkAddr>)> {
    let mut parts = [io::IoSliceMut::new(buffer)];
    loop {
        match recvmsg::<NetlinkAddr>(kernel.as_raw_fd(), &mut parts, None, MsgFlags::MSG_TRUNC) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(message) => return Ok((message.bytes, message.address)),
        }
    }
}

/// The next hops of one route: `struct rtmsg` and its attributes.
fn next_hops_of(route: &[u8], found: &mut Vec<IpAddr>) -> io::Result<()> {
    let family = route.first().copied().unwrap_or_default();
    match gateways(family, route.get(RTMSG_BYTES..).unwrap_or_default(), found)? {
        // A next hop that is an object of its own is told beside its id, unless a switch of the kernel's
        // says otherwise (net.ipv4.nexthop_compat_mode): then it may be anybody.
        Told::ById => Err(io::Error::other("a route's next hop is only told as an id")),
        Told::Nowhere | Told::Here => Ok(()),
    }
}

/// Where a route tells what its next hop is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nowhere,
    ById,
    Here,
}

/// Adds the gateways among attributes.
fn gateways(family: u8, attributes: &[u8], found: &mut Vec<IpAddr>) -> io::Result<Told> {
    let mut told = Told::Nowhere;
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(io::Error::other)?;
        let value = attribute.value();
        match attribute.kind() {
            RTA_OIF => {}
            RTA_GATEWAY => found.extend(address(family, value)),
            // `struct rtvia`: the family in 16 bits, then the address.
            RTA_VIA => {
                let (family, bytes) = value.split_first_chunk().ok_or_else(cut_short)?;
                found.extend(u8::try_from(u16::from_ne_bytes(*family)).ok().and_then(|f| address(f, bytes)));
            }
            RTA_MULTIPATH => {
                let mut rest = value;
                // `struct rtnexthop`: its whole length in 16 bits, flags, hops, interface; attributes.
                while let Some((length, _)) = rest.split_first_chunk() {
                    let length = usize::from(u16::from_ne_bytes(*length));
                    gateways(family, rest.get(RTNEXTHOP_BYTES..length).ok_or_else(cut_short)?, found)?;
                    rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                }
            }
            RTA_NH_ID if told == Told::Nowhere => {
                told = Told::ById;
                continue;
            }
            _ => continue,
        }
        told = Told::Here;
    }
    Ok(told)
}

fn cut_short() -> io::Error {
    io::Error::other("a next hop is cut short")
}

fn address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        libc::AF_INET6 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn route(family: i32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0; RTMSG_BYTES];
        bytes[0] = u8::try_from(family).unwrap();
        bytes.extend(attributes.concat());
        bytes
    }

    fn hops(route: &[u8]) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        next_hops_of(route, &mut found).map_err(|error| error.to_string())?;
        Ok(found.iter().map(IpAddr::to_string).collect())
    }

    fn hop(attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(RTNEXTHOP_BYTES + attributes.len()).unwrap();
        [&length.to_ne_bytes()[..], &[0; 6], attributes].concat()
    }

    #[test]
    fn every_next_hop_of_a_route_is_found() {
        let gateway = attribute(RTA_GATEWAY, &[192, 0, 2, 1]);
        let eth0 = attribute(RTA_OIF, &2_u32.to_ne_bytes());
        assert_eq!(hops(&route(libc::AF_INET, &[gateway.clone(), eth0.clone()])).unwrap(), ["192.0.2.1"]);

        let v6 = attribute(RTA_GATEWAY, &Ipv6Addr::LOCALHOST.octets());
        assert_eq!(hops(&route(libc::AF_INET6, &[v6])).unwrap(), ["::1"]);

        let v6_family = u16::try_from(libc::AF_INET6).unwrap().to_ne_bytes();
        let via = attribute(RTA_VIA, &[&v6_family[..], &Ipv6Addr::LOCALHOST.octets()].concat());
        assert_eq!(hops(&route(libc::AF_INET, std::slice::from_ref(&via))).unwrap(), ["::1"]);

        let several = attribute(RTA_MULTIPATH, &[hop(&gateway), hop(&via)].concat());
        assert_eq!(hops(&route(libc::AF_INET, &[several])).unwrap(), ["192.0.2.1", "::1"]);

        assert_eq!(hops(&route(libc::AF_INET, &[eth0])).unwrap(), [""; 0]);
    }

    #[test]
    fn a_next_hop_that_is_only_an_id_may_be_anybody() {
        let id = attribute(RTA_NH_ID, &7_u32.to_ne_bytes());
        assert!(hops(&route(libc::AF_INET, std::slice::from_ref(&id))).is_err());
        let gateway = attribute(RTA_GATEWAY, &[192, 0, 2, 1]);
        for both in [[id.clone(), gateway.clone()], [gateway, id]] {
            assert_eq!(hops(&route(libc::AF_INET, &both)).unwrap(), ["192.0.2.1"]);
        }
    }

    #[test]
    fn a_route_that_is_cut_short_is_an_error_and_never_a_panic() {
        let gateway = attribute(RTA_GATEWAY, &[192, 0, 2, 1]);
        let whole =
            route(libc::AF_INET, &[attribute(RTA_MULTIPATH, &[hop(&gateway), hop(&gateway)].concat())]);
        for length in 0..whole.len() {
            let _ = hops(&whole[..length]); // whatever it says
        }
        assert!(hops(&whole[..whole.len() - 4]).is_err());
        let endless = route(libc::AF_INET, &[attribute(RTA_MULTIPATH, &[0; 8])]);
        assert!(hops(&endless).is_err());
    }
}
