#![allow(clippy::unwrap_used)]
use super::*;

fn link(interface: &str, index: u32, address: &str, prefix_bits: u8) -> Link {
    Link {
        interface: interface.into(),
        index,
        address: address.parse().unwrap(),
        prefix_bits,
        point_to_point: false,
        loopback: interface == "lo",
    }
}

fn links() -> Links {
    let mut ppp = link("ppp0", 5, "10.9.0.1", 24);
    ppp.point_to_point = true;
    let links = vec![
        link("lo", 1, "127.0.0.1", 8),
        link("lo", 1, "::1", 128),
        link("eth0", 2, "192.168.1.10", 24),
        link("eth0", 2, "fd00::10", 64),
        link("eth0", 2, "fe80::10", 64),
        link("eth1", 3, "172.16.0.10", 16),
        link("eth1", 3, "fe80::11", 64),
        link("eth2", 4, "192.0.2.1", 32),
        link("eth2", 4, "198.51.100.0", 31),
        ppp,
    ];
    Links { links, routers: vec!["192.168.1.1".parse().unwrap(), "fe80::1".parse().unwrap()] }
}

fn socket(text: &str) -> SocketAddr {
    // The standard library reads a scope id only as a number, which is what the tests use.
    text.parse().unwrap()
}

fn decide(peer: &str, local: &str, came_in: CameIn<'_>, lan: &[&str]) -> Result<(), OffLink> {
    let lan: Vec<String> = lan.iter().map(|name| (*name).to_owned()).collect();
    let lan = Lan { interfaces: &lan, not_peers: &["192.168.1.9".parse().unwrap()] };
    verdict(socket(peer), socket(local), came_in, lan, &links())
}

/// What it is about, peer, the device's end, how it came in, LAN interfaces, the verdict.
type Row =
    (&'static str, &'static str, &'static str, CameIn<'static>, &'static [&'static str], Result<(), OffLink>);

#[test]
fn the_rule_as_a_table() {
    use OffLink::*;
    let on = CameIn::On;
    let by_address = CameIn::ByAddress;
    let table: &[Row] = &[
        ("a neighbour", "192.168.1.20:5", "192.168.1.10:443", on("eth0"), &["eth0"], Ok(())),
        (
            "a neighbour, by address alone",
            "192.168.1.20:5",
            "192.168.1.10:443",
            by_address,
            &["eth0"],
            Ok(()),
        ),
        (
            "IPv4 in IPv6",
            "[::ffff:192.168.1.20]:5",
            "[::ffff:192.168.1.10]:443",
            on("eth0"),
            &["eth0"],
            Ok(()),
        ),
        ("IPv6 of the prefix", "[fd00::20]:5", "[fd00::10]:443", on("eth0"), &["eth0"], Ok(())),
        ("link-local, its scope", "[fe80::20%2]:5", "[fe80::10%2]:443", on("eth0"), &["eth0"], Ok(())),
        (
            "link-local, another scope",
            "[fe80::20%3]:5",
            "[fe80::10%2]:443",
            on("eth0"),
            &["eth0"],
            Err(OtherScope),
        ),
        (
            "link-local without a scope",
            "[fe80::20]:5",
            "[fe80::10%2]:443",
            on("eth0"),
            &["eth0"],
            Err(OtherScope),
        ),
        ("another network", "8.8.8.8:5", "192.168.1.10:443", on("eth0"), &["eth0"], Err(OtherNetwork)),
        (
            "a private network behind a router",
            "192.168.2.20:5",
            "192.168.1.10:443",
            on("eth0"),
            &["eth0"],
            Err(OtherNetwork),
        ),
        (
            "another IPv6 network",
            "[2001:db8::1]:5",
            "[fd00::10]:443",
            on("eth0"),
            &["eth0"],
            Err(OtherNetwork),
        ),
        ("the gateway itself", "192.168.1.1:5", "192.168.1.10:443", on("eth0"), &["eth0"], Err(Gateway)),
        (
            "the gateway, IPv4 in IPv6",
            "[::ffff:192.168.1.1]:5",
            "192.168.1.10:443",
            on("eth0"),
            &["eth0"],
            Err(Gateway),
        ),
        ("the IPv6 gateway", "[fe80::1%2]:5", "[fe80::10%2]:443", on("eth0"), &["eth0"], Err(Gateway)),
        (
            "a router of the settings",
            "[::ffff:192.168.1.9]:5",
            "192.168.1.10:443",
            on("eth0"),
            &["eth0"],
            Err(Gateway),
        ),
        (
            "not a LAN interface",
            "172.16.0.20:5",
            "172.16.0.10:443",
            on("eth1"),
            &["eth0"],
            Err(NotALanInterface),
        ),
        ("a second LAN interface", "172.16.0.20:5", "172.16.0.10:443", on("eth1"), &["eth0", "eth1"], Ok(())),
        (
            "eth0's address by eth1",
            "192.168.1.20:5",
            "192.168.1.10:443",
            on("eth1"),
            &["eth0"],
            Err(NotALanInterface),
        ),
        (
            "eth0's network on eth1",
            "192.168.1.20:5",
            "192.168.1.10:443",
            on("eth1"),
            &["eth0", "eth1"],
            Err(OtherNetwork),
        ),
        (
            "eth0's address, but not by eth0's socket",
            "192.168.1.20:5",
            "192.168.1.10:443",
            CameIn::ByAddress,
            &["eth1"],
            Err(NotALanInterface),
        ),
        ("a single address", "192.0.2.1:5", "192.168.1.10:443", on("eth2"), &["eth2"], Err(NotALanInterface)),
        ("a /31", "198.51.100.1:5", "198.51.100.0:443", on("eth2"), &["eth2"], Err(PointToPoint)),
        ("point-to-point", "10.9.0.2:5", "10.9.0.1:443", on("ppp0"), &["ppp0"], Err(PointToPoint)),
        (
            "loopback, not listed",
            "127.0.0.1:5",
            "127.0.0.1:443",
            by_address,
            &["eth0"],
            Err(NotALanInterface),
        ),
        ("loopback, listed", "127.0.0.1:5", "127.0.0.1:443", on("lo"), &["lo"], Ok(())),
        ("loopback IPv6, listed", "[::1]:5", "[::1]:443", on("lo"), &["lo"], Ok(())),
        (
            "itself by its own address",
            "192.168.1.10:5",
            "192.168.1.10:443",
            by_address,
            &["eth0"],
            Err(NotALanInterface),
        ),
        (
            "itself by its own address, lo listed",
            "192.168.1.10:5",
            "192.168.1.10:443",
            on("lo"),
            &["lo", "eth0"],
            Ok(()),
        ),
        (
            "a spoofed own address",
            "192.168.1.10:5",
            "192.168.1.10:443",
            on("eth0"),
            &["eth0"],
            Err(NotALanInterface),
        ),
        ("a stranger on lo", "192.168.1.20:5", "127.0.0.1:443", on("lo"), &["lo"], Err(OtherNetwork)),
        (
            "an address that is nobody's",
            "192.168.1.20:5",
            "192.168.7.7:443",
            by_address,
            &["eth0"],
            Err(NotALanInterface),
        ),
        ("unspecified", "0.0.0.0:5", "192.168.1.10:443", on("eth0"), &["eth0"], Err(NotUnicast)),
        ("broadcast", "255.255.255.255:5", "192.168.1.10:443", on("eth0"), &["eth0"], Err(NotUnicast)),
        ("multicast", "[ff02::1]:5", "[fd00::10]:443", on("eth0"), &["eth0"], Err(NotUnicast)),
    ];
    for (what, peer, local, came_in, lan, expected) in table {
        assert_eq!(decide(peer, local, *came_in, lan), *expected, "{what}");
    }
}

#[test]
fn a_prefix_of_nothing_holds_nobody() {
    let mut links = links();
    links.links.push(link("eth0", 2, "192.168.1.11", 0));
    let lan = Lan { interfaces: &["eth0".to_owned()], not_peers: &[] };
    let decided = verdict(socket("8.8.8.8:5"), socket("192.168.1.11:443"), CameIn::On("eth0"), lan, &links);
    assert_eq!(decided, Err(OffLink::OtherNetwork));
}

#[test]
fn this_machines_own_tables_can_be_read() {
    let links = Links::read().unwrap();
    assert!(links.links.iter().any(|link| link.loopback && link.prefix_bits == 8), "127.0.0.1/8");
    assert!(links.is_own("127.0.0.1".parse().unwrap()));
    assert!(links.is_own("::ffff:127.0.0.1".parse().unwrap()));
    assert!(!links.is_own("192.0.2.77".parse().unwrap()));
}

#[test]
fn the_scope_of_a_proxied_address_is_told_by_the_devices_own_end() {
    let links = links();
    let local = socket("[fe80::10]:443");
    assert_eq!(links.scoped(socket("[fe80::20]:5"), local), socket("[fe80::20%2]:5"));
    assert_eq!(links.scoped(socket("[fd00::20]:5"), local), socket("[fd00::20]:5"));
    assert_eq!(links.scoped(socket("[fe80::20]:5"), socket("[fe80::99]:443")), socket("[fe80::20]:5"));
}
