//! Kernels without the system call getrandom (before 3.17, as old recorders have them): the numbers come
//! from /dev/urandom, and not before /dev/random says that the pool is ready.

use crate::daemon::{Daemon, Folder, in_own_network, is_root, latchkeyd};
use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// From here on this thread, and every process that it starts, lives on a kernel without getrandom.
fn forget_getrandom() {
    let rules = [(libc::SYS_getrandom, vec![])].into_iter().collect();
    let no_such_call = SeccompAction::Errno(libc::ENOSYS as u32);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, no_such_call, arch).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

/// Whether the process has this file open.
fn has_open(daemon: &Daemon, inode: u64) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", daemon.child.id())) else { return false };
    open.filter_map(Result::ok).any(|fd| fs::metadata(fd.path()).is_ok_and(|file| file.ino() == inode))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut looks = 0_u64;
    while !is_so() {
        looks += 1;
        assert!(looks < 2_000_000, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn without_getrandom_it_waits_for_the_pool_and_then_draws_its_keys() {
    if !is_root("put another file in the place of /dev/random") {
        return;
    }
    let folder = Folder::new("entropy");
    // Stands for /dev/random before the pool is ready: it can be opened, and there is nothing to read.
    let random = folder.0.join("random");
    nix::unistd::mkfifo(&random, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // As /dev/random: the user that the daemon becomes asks there too.
    fs::set_permissions(&random, fs::Permissions::from_mode(0o666)).unwrap();
    let inode = fs::metadata(&random).unwrap().ino();
    let mut pool = OpenOptions::new().read(true).write(true).open(&random).unwrap();

    let settings = folder.settings("[lan]\ninterfaces = [\"lo\"]\n");
    let script = format!("mount --bind {} /dev/random && exec \"$@\"", random.display());
    let mut command: Vec<String> =
        ["unshare", "--mount", "--", "sh", "-c", &script, "sh"].map(str::to_owned).into();
    command.extend(in_own_network(&latchkeyd(&["run"], &settings)));
    let spawned = std::thread::scope(|scope| {
        let start = || {
            forget_getrandom();
            Daemon::spawn(&folder, &command, |_| {})
        };
        scope.spawn(start).join()
    });
    let mut daemon = spawned.unwrap();

    // The shells before it want no random numbers: whoever has it open is the daemon.
    wait_until("it never looked at /dev/random", || has_open(&daemon, inode));
    wait_until("it does not wait", || daemon.status("State").starts_with('S'));
    let name = fs::read_to_string(format!("/proc/{}/comm", daemon.child.id())).unwrap();
    assert_eq!(name.trim(), "latchkeyd");
    assert!(!Path::new(&folder.state()).exists(), "nothing secret is drawn before the pool is ready");

    pool.write_all(b"x").unwrap();
    daemon.wait_for("ready");
    assert!(!has_open(&daemon, inode), "it looks once");
    assert!(folder.state().join("web.key").exists());
    daemon.activate("Correct horse 1");
    let body = r#"{"terms_accepted":true}"#;
    assert_eq!(daemon.ask("POST", "reset/challenge", body).0, 409, "no email is reserved");
    assert!(daemon.stop().success());
}
