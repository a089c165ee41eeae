//! An orderly stop, and those who watch over the daemon until then.

use crate::daemon::{Daemon, Folder, PATIENCE, answer, in_own_network, is_root, latchkeyd};
use std::{
    fs::OpenOptions,
    io::Read,
    os::unix::{fs::OpenOptionsExt, net::UnixDatagram},
    time::Duration,
};

const PASSWORD: &str = "Correct horse 1";

#[test]
fn what_is_under_way_is_finished_and_answered() {
    if !is_root("make a network") {
        return;
    }
    let folder = Folder::new("stop");
    // A hash of seconds: there is time to stop in the middle of it.
    let slow = "[lan]\ninterfaces = [\"lo\"]\n";
    let settings = folder.settings(slow);
    let text = std::fs::read_to_string(&settings).unwrap().replace("passes = 5", "passes = 64");
    std::fs::write(&settings, text).unwrap();
    let mut daemon = Daemon::start(&folder, &settings);
    assert_eq!(daemon.status("Threads"), "1");
    let asked = daemon.send("POST", "activation", &format!(r#"{{"password":"{PASSWORD}"}}"#));
    // The hash has a thread of its own: it is under way.
    let mut looks = 0_u64;
    while daemon.status("Threads") == "1" {
        looks += 1;
        assert!(looks < 10_000_000, "the hash never began");
        std::thread::yield_now();
    }
    let ended = daemon.stop();
    assert_eq!(answer(asked).0, 201);
    assert_eq!(ended.code(), Some(0));
    assert!(
        daemon.all_said().iter().any(|line| line.contains("stopping: what is under way is finished first"))
    );

    let daemon = Daemon::start(&folder, &settings);
    assert_eq!(daemon.sign_in(PASSWORD), 201, "it was stored before it was answered");
}

/// The next datagram of the daemon.
fn told(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 256];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn the_service_manager_and_the_kernels_watchdog_are_fed_until_the_stop() {
    if !is_root("make a network") {
        return;
    }
    let folder = Folder::new("watchdog");
    let notify = folder.0.join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    std::fs::set_permissions(&notify, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    // Stands for the kernel's device: what is written can be read here.
    let device = folder.0.join("watchdog");
    nix::unistd::mkfifo(&device, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut kernel = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(&device).unwrap();

    let settings = folder
        .settings("[lan]\ninterfaces = [\"lo\"]\n[watchdog]\ndevice = \"watchdog\"\nfeed_every_s = 1\n");
    let command = in_own_network(&latchkeyd(&["run"], &settings));
    let mut daemon = Daemon::spawn(&folder, &command, |command| {
        command
            .env("NOTIFY_SOCKET", &notify)
            .env("WATCHDOG_USEC", Duration::from_secs(2).as_micros().to_string());
    });
    assert!(told(&manager).starts_with("READY=1"));
    daemon.wait_for("ready");
    assert_eq!(told(&manager), "WATCHDOG=1");
    assert_eq!(told(&manager), "WATCHDOG=1");
    assert_eq!(daemon.stop().code(), Some(0));
    let mut last = String::new();
    while last != "STOPPING=1" {
        last = told(&manager);
    }
    let mut written = Vec::new();
    kernel.read_to_end(&mut written).unwrap();
    let (close, fed) = written.split_last().unwrap();
    assert!(fed.len() >= 2 && fed.iter().all(|byte| *byte == 0), "{written:?}");
    assert_eq!(*close, b'V', "the machine is not restarted after an orderly stop");

    // A daemon that is killed closes in no order: the machine restarts unless it is started again.
    let mut daemon = Daemon::start(&folder, &settings);
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let mut written = Vec::new();
    kernel.read_to_end(&mut written).unwrap();
    assert!(!written.contains(&b'V'), "{written:?}");
}
