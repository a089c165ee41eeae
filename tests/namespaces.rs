//! The same-link rule on real networks: the real daemon in a network namespace, one client on its link,
//! one behind a router. The router joins two links; with masquerading the far client comes with the
//! router's own address. None of it has a way to the internet.
//!
//! Needs root, `ip` and `nft`: without them it says so and tries nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that is surprised fails")]

use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

const PASSWORD: &str = "Correct horse 1";

/// Four namespaces, gone when dropped.
struct Network {
    tag: String,
    masquerading: bool,
}

impl Network {
    /// device 192.168.77.10 - near 192.168.77.20 - router 192.168.77.1 | 10.77.0.1 - far 10.77.0.20
    fn build(masquerading: bool) -> Self {
        let network = Self {
            tag: format!("lk{}{}", std::process::id() % 100_000, u8::from(masquerading)),
            masquerading,
        };
        for node in ["device", "near", "router", "far"] {
            run(&["ip", "netns", "add", &network.name(node)]);
            network.at(node, &["ip", "link", "set", "lo", "up"]);
        }
        // The device's link is a bridge in the router, as in a home router's switch.
        network.at("router", &["ip", "link", "add", "br0", "type", "bridge"]);
        for node in ["device", "near"] {
            network.cable(node, "lan0", &format!("p{node}"));
            network.at("router", &["ip", "link", "set", &format!("p{node}"), "master", "br0"]);
        }
        network.cable("far", "wan0", "pfar");
        for (node, interface, v4, v6) in [
            ("device", "lan0", "192.168.77.10/24", "fd77::10/64"),
            ("near", "lan0", "192.168.77.20/24", "fd77::20/64"),
            ("router", "br0", "192.168.77.1/24", "fd77::1/64"),
            ("router", "pfar", "10.77.0.1/24", "fd78::1/64"),
            ("far", "wan0", "10.77.0.20/24", "fd78::20/64"),
        ] {
            network.at(node, &["ip", "link", "set", interface, "up"]);
            network.at(node, &["ip", "address", "add", v4, "dev", interface]);
            network.at(node, &["ip", "address", "add", v6, "dev", interface, "nodad"]);
        }
        for (node, v4, v6) in [("device", "192.168.77.1", "fd77::1"), ("far", "10.77.0.1", "fd78::1")] {
            network.at(node, &["ip", "route", "add", "default", "via", v4]);
            network.at(node, &["ip", "-6", "route", "add", "default", "via", v6]);
        }
        network.at("router", &["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
        if masquerading {
            let rules = "table inet nat {\n chain out {\n  type nat hook postrouting priority 100\n  \
                         ip saddr 10.77.0.0/24 masquerade\n  ip6 saddr fd78::/64 masquerade\n }\n}";
            network.at("router", &["nft", rules]);
        }
        network
    }

    fn name(&self, node: &str) -> String {
        format!("{}-{node}", self.tag)
    }

    /// A virtual cable from an interface of a node to one of the router.
    fn cable(&self, node: &str, interface: &str, port: &str) {
        let (node, router) = (self.name(node), self.name("router"));
        run(&[
            "ip",
            "link",
            "add",
            interface,
            "address",
            &address_of(&node),
            "netns",
            &node,
            "type",
            "veth",
            "peer",
            "name",
            port,
            "netns",
            &router,
        ]);
        // Without duplicate address detection an address can be used at once.
        run(&[
            "ip",
            "netns",
            "exec",
            &node,
            "sysctl",
            "-qw",
            &format!("net.ipv6.conf.{interface}.accept_dad=0"),
        ]);
        run(&[
            "ip",
            "netns",
            "exec",
            &node,
            "sysctl",
            "-qw",
            &format!("net.ipv6.conf.{interface}.dad_transmits=0"),
        ]);
        run(&["ip", "netns", "exec", &node, "ip", "link", "set", interface, "up"]);
        run(&["ip", "netns", "exec", &router, "ip", "link", "set", port, "up"]);
    }

    fn at(&self, node: &str, command: &[&str]) -> Output {
        run(&[&["ip", "netns", "exec", &self.name(node)], command].concat())
    }

    /// Asks the device from a node by curl, and gives status and JSON.
    fn ask(&self, node: &str, address: &str, method: &str, path: &str, more: &[&str]) -> (u16, Value) {
        let url = format!("https://{address}{path}");
        let fixed = [
            "curl",
            "--silent",
            "--show-error",
            "--insecure",
            "--globoff",
            "--noproxy",
            "*",
            "--max-time",
            "20",
            "--request",
            method,
            "--write-out",
            "\n%{http_code}",
            &url,
        ];
        let output = self.at(node, &[&fixed, more].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn post(&self, node: &str, address: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask(node, address, "POST", path, &["--header", "Content-Type: application/json", "--data", body])
    }

    /// Asks for a reset from a node: what an owner who forgot the password does.
    fn begin(&self, node: &str, address: &str) -> (u16, Value) {
        self.post(node, address, "/api/v1/reset/challenge", r#"{"terms_accepted":true}"#)
    }

    /// The link-local address of the device.
    fn link_local(&self) -> String {
        let output =
            self.at("device", &["ip", "-j", "-6", "address", "show", "dev", "lan0", "scope", "link"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let infos = json.as_array().unwrap().iter().flat_map(|one| one["addr_info"].as_array().unwrap());
        let mut addresses = infos.filter_map(|info| info["local"].as_str());
        addresses.next().unwrap_or_else(|| panic!("no link-local address: {json}")).to_owned()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in ["device", "near", "router", "far"] {
            let _ = Command::new("ip").args(["netns", "delete", &self.name(node)]).status();
        }
    }
}

/// A fixed hardware address a node, so that its link-local address is the same in every run.
fn address_of(node: &str) -> String {
    let sum = node.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let [a, b, c, d] = sum.to_be_bytes();
    format!("02:77:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn run(command: &[&str]) -> Output {
    let output = Command::new(command[0]).args(&command[1..]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", command.join(" "));
    output
}

/// The daemon in the device's namespace; stopped when dropped.
struct Daemon {
    child: Child,
    folder: PathBuf,
}

impl Daemon {
    fn start(network: &Network, lan: &str) -> Self {
        // On tmpfs, where the daemon insists that pending challenges are.
        let folder = PathBuf::from(format!("/dev/shm/{}", network.tag));
        fs::create_dir_all(folder.join("state")).unwrap();
        fs::create_dir_all(folder.join("run")).unwrap();
        let base = concat!(env!("CARGO_MANIFEST_DIR"), "/board/base.toml");
        let settings = format!(
            "[device]\nserial = \"LK-NET\"\n[paths]\nstate = \"{0}/state\"\nruntime = \"{0}/run\"\n\
             [lan]\ninterfaces = [\"lan0\"]\nhttps_port = 443\nhttp_port = 80\n{lan}",
            folder.display()
        );
        fs::write(folder.join("settings.toml"), settings).unwrap();
        let mut child = Command::new("ip")
            .args([
                "netns",
                "exec",
                &network.name("device"),
                env!("CARGO_BIN_EXE_latchkeyd"),
                "run",
                "--board",
                base,
            ])
            .arg("--settings")
            .arg(folder.join("settings.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines.by_ref().map_while(Result::ok).find(|line| line.contains("ready"));
        assert!(ready.is_some(), "the daemon ended: {:?}", child.wait());
        // Whoever stops reading stops the daemon at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, folder }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn can_build_networks() -> bool {
    let missing = ["ip", "nft", "curl"].into_iter().find(|tool| {
        Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    });
    if !nix::unistd::getuid().is_root() {
        eprintln!("skipped: only root can make network namespaces");
        false
    } else if let Some(tool) = missing {
        panic!("{tool} is not installed");
    } else {
        true
    }
}

fn assert_off_link((status, problem): (u16, Value), reason: &str) {
    assert_eq!(status, 403, "{problem}");
    assert_eq!(problem["type"], "urn:latchkey:problem:not-on-this-network", "{problem}");
    assert_eq!(problem["reason"], reason);
}

/// A neighbour may, a stranger may not, by every address that the device has.
fn try_both(network: &Network) {
    let _daemon = Daemon::start(network, "");
    let (v4, v6) = ("192.168.77.10", "[fd77::10]");
    let activation = format!(r#"{{"password":"{PASSWORD}","reserved_email":"owner@example.com"}}"#);
    let far_v4 = if network.masquerading { "gateway" } else { "other-network" };

    // A stranger takes over no new device.
    assert_off_link(network.post("far", v4, "/api/v1/activation", &activation), far_v4);
    assert_off_link(network.post("far", v6, "/api/v1/activation", &activation), far_v4);
    assert_eq!(network.ask("near", v4, "GET", "/api/v1/device", &[]).1["lifecycle"], "inactive");
    let (status, answer) = network.post("near", v4, "/api/v1/activation", &activation);
    assert_eq!(status, 201, "{answer}");

    // Nor begins a reset there; a neighbour gets as far as the device goes without an identity.
    for address in [v4, v6] {
        assert_off_link(network.begin("far", address), far_v4);
        let (_, problem) = network.begin("near", address);
        assert_eq!(problem["type"], "urn:latchkey:problem:no-identity", "{address}: {problem}");
    }
    // The link-local address, with the scope that the neighbour's own interface gives it.
    let link_local = network.link_local();
    let scoped = [
        "--interface",
        "lan0",
        "--header",
        "Content-Type: application/json",
        "--data",
        r#"{"terms_accepted":true}"#,
    ];
    let (_, problem) =
        network.ask("near", &format!("[{link_local}]"), "POST", "/api/v1/reset/challenge", &scoped);
    assert_eq!(problem["type"], "urn:latchkey:problem:no-identity", "{problem}");

    // A header makes nobody a neighbour, and a neighbour who carries one a stranger.
    let forwarded = [
        "--header",
        "X-Forwarded-For: 192.168.77.20",
        "--header",
        "Content-Type: application/json",
        "--data",
        r#"{"terms_accepted":true}"#,
    ];
    let path = "/api/v1/reset/challenge";
    assert_off_link(network.ask("far", v4, "POST", path, &forwarded), "forwarded");
    assert_off_link(network.ask("near", v4, "POST", path, &forwarded), "forwarded");

    // Whoever knows the password may sign in from afar.
    let password = format!(r#"{{"password":"{PASSWORD}"}}"#);
    assert_eq!(network.post("far", v4, "/api/v1/session", &password).0, 201);
    let device = network.ask("far", v4, "GET", "/api/v1/device", &[]).1;
    assert_eq!(device["reset_by_email"], "not-on-this-network");
    assert_eq!(device["masked_emails"].as_array().unwrap().len(), 0);

    // The router itself is nobody's computer: its address may stand for the whole internet.
    assert_off_link(network.begin("router", v4), "gateway");
}

#[test]
fn behind_a_router() {
    if can_build_networks() {
        try_both(&Network::build(false));
    }
}

#[test]
fn behind_a_router_that_masquerades() {
    if can_build_networks() {
        try_both(&Network::build(true));
    }
}

/// However the device knows the router: one of two default routes, a default route in halves, a table of
/// its own, a route to somewhere else, a next hop of the other family.
#[test]
fn a_masquerading_router_is_known_by_any_route() {
    if !can_build_networks() {
        return;
    }
    let network = Network::build(true);
    let _daemon = Daemon::start(&network, "");
    let v4 = "192.168.77.10";
    let at_device = |commands: &[&str]| {
        for command in commands {
            network.at("device", &command.split(' ').collect::<Vec<_>>());
        }
    };
    for (add, remove) in [
        (
            &["ip route replace default nexthop via 192.168.77.99 dev lan0 weight 1 \
                 nexthop via 192.168.77.1 dev lan0 weight 1"][..],
            &["ip route delete default"][..],
        ),
        (
            &["ip route add 0.0.0.0/1 via 192.168.77.1", "ip route add 128.0.0.0/1 via 192.168.77.1"],
            &["ip route delete 0.0.0.0/1", "ip route delete 128.0.0.0/1"],
        ),
        (
            &["ip route add default via 192.168.77.1 table 77", "ip rule add from all lookup 77"],
            &["ip rule delete from all lookup 77", "ip route flush table 77"],
        ),
        (
            &["ip nexthop add id 7 via 192.168.77.1 dev lan0", "ip route add default nhid 7"],
            &["ip route delete default", "ip nexthop delete id 7"],
        ),
        (&["ip route add 10.77.0.0/24 via 192.168.77.1"], &[]),
    ] {
        at_device(&["ip route flush default"]);
        at_device(add);
        assert_off_link(network.begin("far", v4), "gateway");
        assert_ne!(network.begin("near", v4).1["reason"], "gateway", "{add:?}");
        at_device(remove);
    }
}

/// Without a route to the internet the device cannot tell: then the settings do.
#[test]
fn a_masquerading_router_that_no_route_names_is_named_by_the_settings() {
    if !can_build_networks() {
        return;
    }
    let network = Network::build(true);
    network.at("device", &["ip", "route", "flush", "default"]);
    network.at("device", &["ip", "-6", "route", "flush", "default"]);
    let _daemon = Daemon::start(&network, "not_peers = [\"192.168.77.1\", \"fd77::1\"]\n");
    for address in ["192.168.77.10", "[fd77::10]"] {
        assert_off_link(network.begin("far", address), "gateway");
    }
    assert_ne!(network.begin("near", "192.168.77.10").1["reason"], "gateway");
}
