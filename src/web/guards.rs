//! What a browser must show before a request is heard: the right Host, and the right Origin.

use super::{caller::Entry, problem::Fault, same_link::Links};
use hyper::{
    HeaderMap, Uri,
    header::{self, HeaderName},
};
use std::net::IpAddr;

/// Headers by which somebody says that a request is passed on. They are never believed; what carries
/// one does not count as being on the link.
const FORWARDING: [HeaderName; 7] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("true-client-ip"),
];

/// Whether a request says that it was passed on.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDING.iter().any(|name| headers.contains_key(name))
}

/// The host that a request is for, as it stands in its one `Host` header (or its absolute target).
pub fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Result<&'r str, Fault> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Fault::WrongHost) };
    let host = host.to_str().map_err(|_| Fault::WrongHost)?;
    match uri.authority() {
        Some(authority) if authority.as_str() != host => Err(Fault::WrongHost),
        _ => Ok(host),
    }
}

/// Checks a host against the allowlist: an address of the device or one of its names, with the port
/// that the connection came to. DNS rebinding needs a name of the attacker's, which is on no list.
pub fn check_host(
    host: &str,
    port: u16,
    default_ports: &[u16],
    names: &[String],
    links: &Links,
) -> Result<(), Fault> {
    let (name, typed_port) = split_port(host).ok_or(Fault::WrongHost)?;
    let port_ok = match typed_port {
        Some(typed) => typed == port,
        None => default_ports.contains(&port),
    };
    let name_ok = match name.strip_prefix('[') {
        Some(v6) => {
            v6.strip_suffix(']').and_then(|v6| v6.parse().ok()).is_some_and(|v6| links.is_own(IpAddr::V6(v6)))
        }
        None => match name.parse() {
            Ok(v4) => links.is_own(IpAddr::V4(v4)),
            Err(_) => names.iter().any(|listed| listed.eq_ignore_ascii_case(name)),
        },
    };
    if port_ok && name_ok { Ok(()) } else { Err(Fault::WrongHost) }
}

/// A host without and with its port. `None` if the port is no number.
pub fn split_port(host: &str) -> Option<(&str, Option<u16>)> {
    let at = match host.rfind(']') {
        Some(end) => (end + 1 < host.len()).then_some(end + 1),
        None => host.find(':'),
    };
    let Some(at) = at else { return Some((host, None)) };
    let port = host[at..].strip_prefix(':')?;
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((&host[..at], Some(port.parse().ok()?)))
}

/// Checks that a request that changes something comes from the device's own pages, or from no browser.
/// A browser sends `Origin` with every such request; `null` is what other sites' frames send.
pub fn check_origin(entry: Entry, host: &str, headers: &HeaderMap) -> Result<(), Fault> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if let Some(origin) = origins.next() {
        let origin = origin.to_str().map_err(|_| Fault::WrongOrigin)?;
        let own = match entry {
            Entry::Tls => origin.strip_prefix("https://"),
            Entry::Proxied => origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")),
            // No browser speaks on the console's socket.
            Entry::Console => None,
        };
        // Browsers write both in the same way: in lowercase, without a default port.
        if own != Some(host) || origins.next().is_some() {
            return Err(Fault::WrongOrigin);
        }
    }
    match headers.get("sec-fetch-site").map(|value| value.as_bytes()) {
        None | Some(b"same-origin") => Ok(()),
        Some(_) => Err(Fault::WrongOrigin),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::web::same_link::Link;
    use proptest::prelude::*;

    fn links() -> Links {
        let link = |address: &str| Link {
            interface: "eth0".into(),
            index: 2,
            address: address.parse().unwrap(),
            prefix_bits: 24,
            point_to_point: false,
            loopback: false,
        };
        Links { links: vec![link("192.168.1.10"), link("fd00::10")], routers: vec![] }
    }

    #[test]
    fn only_own_addresses_and_listed_names_with_the_right_port_are_hosts() {
        let names = ["recorder.lan".to_owned()];
        let check = |host: &str, port| check_host(host, port, &[443], &names, &links()).is_ok();
        for good in [
            "192.168.1.10",
            "192.168.1.10:443",
            "[fd00::10]",
            "[fd00:0::10]:443",
            "recorder.lan",
            "127.0.0.1",
        ] {
            assert!(check(good, 443), "{good}");
        }
        assert!(check("192.168.1.10:8443", 8443));
        for bad in [
            "",
            ":",
            ":443",
            "192.168.1.11",
            "192.168.1.10:80",
            "192.168.1.10:",
            "192.168.1.10:+443",
            "evil.example",
            "recorder.lan.evil.example",
            "recorder.lan.",
            "[fd00::10",
            "[fd00::10]443",
            "[fd00::11]",
            "fd00::10",
            "[192.168.1.10]",
            "192.168.1.10:443:443",
            "3232235786",
            "0xc0a8010a",
            "192.168.1.10:65979",
        ] {
            assert!(!check(bad, 443), "{bad}");
        }
        assert!(!check("192.168.1.10", 8443), "no port is the default port");
    }

    #[test]
    fn an_origin_must_be_the_device_itself() {
        let check = |entry, pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            check_origin(entry, "192.168.1.10:8443", &headers).is_ok()
        };
        let own = ("origin", "https://192.168.1.10:8443");
        assert!(check(Entry::Tls, &[]));
        assert!(check(Entry::Tls, &[own]));
        assert!(check(Entry::Tls, &[own, ("sec-fetch-site", "same-origin")]));
        assert!(check(Entry::Proxied, &[("origin", "http://192.168.1.10:8443")]));
        assert!(!check(Entry::Tls, &[("origin", "http://192.168.1.10:8443")]));
        assert!(!check(Entry::Tls, &[("origin", "null")]));
        assert!(!check(Entry::Tls, &[("origin", "")]));
        assert!(!check(Entry::Tls, &[("origin", "https://192.168.1.10:8443.evil.example")]));
        assert!(!check(Entry::Tls, &[own, own]));
        assert!(!check(Entry::Tls, &[own, ("sec-fetch-site", "cross-site")]));
        assert!(!check(Entry::Tls, &[("sec-fetch-site", "same-site")]));
        assert!(!check(Entry::Console, &[own]));
    }

    proptest! {
        #[test]
        fn no_host_makes_it_panic(host in ".*") {
            let _ = check_host(&host, 443, &[443], &[], &links());
        }
    }
}
