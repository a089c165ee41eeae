//! Interfaces that come and go while the daemon runs.

use crate::daemon::{Daemon, Folder, is_root, latchkeyd};
use std::process::Command;

/// Makes an interface in the daemon's network.
fn add(daemon: &Daemon, interface: &str) {
    ip(daemon, &["link", "add", interface, "type", "veth", "peer", "name", &format!("{interface}-peer")]);
}

/// Runs `ip` in the daemon's network.
fn ip(daemon: &Daemon, words: &[&str]) {
    let inside = ["--target", &daemon.pid().to_string(), "--net", "ip"].map(str::to_owned);
    assert!(Command::new("nsenter").args(inside).args(words).status().unwrap().success());
}

#[test]
fn an_interface_that_is_replaced_or_comes_late_is_listened_on_again() {
    if !is_root("make networks") {
        return;
    }
    let folder = Folder::new("links");
    let settings =
        folder.settings("[lan]\ninterfaces = [\"usb0\", \"late0\"]\nhttps_port = 443\nhttp_port = 0\n");
    let script = "ip link add usb0 type veth peer name usb0-peer && exec \"$@\"";
    let mut command: Vec<String> =
        ["unshare", "--net", "--", "sh", "-c", script, "sh"].map(str::to_owned).into();
    command.extend(latchkeyd(&["run"], &settings));
    let mut daemon = Daemon::spawn(&folder, &command, |_| {});
    assert!(daemon.wait_for("the interface is not there").contains("late0"));
    daemon.wait_for("ready");
    add(&daemon, "late0");
    assert!(daemon.wait_for("listening on it again").contains("late0"));
    // Where its socket listens nobody looks at times: what it knows, the kernel told.
    for interface in ["usb0", "late0"] {
        ip(&daemon, &["link", "del", interface]);
        add(&daemon, interface);
        assert!(daemon.wait_for("listening on it again").contains(interface));
    }
    assert!(daemon.stop().success());
}
