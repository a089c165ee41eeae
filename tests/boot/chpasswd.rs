//! The hook that ships for `/etc/shadow`, with the real programs, on an /etc of its own.

use crate::daemon::{Daemon, Folder, in_own_network, is_root, latchkeyd};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// With what a shell and its JSON could stumble over.
const PASSWORD: &str = r#"Co:rrect "horse" \1 $x 'y' 100% ü"#;
const NEW: &str = "Battery: staple \\\\ 2";

/// The hash of a user in a shadow file.
fn hash(etc: &Path) -> String {
    let shadow = fs::read_to_string(etc.join("shadow")).unwrap();
    let line = shadow.lines().find(|line| line.starts_with("lkadmin:")).unwrap();
    line.split(':').nth(1).unwrap().to_owned()
}

/// Whether a login with this password would be let in: crypt(3), as login asks it.
fn lets_in(password: &str, hash: &str) -> bool {
    let crypt = Command::new("perl").args(["-e", "print crypt($ARGV[0], $ARGV[1])", password, hash]).output();
    let crypt = crypt.unwrap();
    assert!(crypt.status.success());
    String::from_utf8_lossy(&crypt.stdout) == hash
}

/// Tells the hook two passwords, `chpasswd` being what `mount` puts in its place.
fn try_with(name: &str, mount: &str) {
    let folder = Folder::new(name);
    let (etc, hooks) = (folder.0.join("etc"), folder.0.join("hooks"));
    fs::create_dir(&hooks).unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/board/hooks/50-chpasswd");
    fs::copy(shipped, hooks.join("50-chpasswd")).unwrap();
    fs::set_permissions(hooks.join("50-chpasswd"), fs::Permissions::from_mode(0o755)).unwrap();
    for applet in ["chpasswd", "passwd"] {
        let path = folder.0.join(applet);
        fs::write(&path, format!("#!/bin/sh\nexec busybox {applet} \"$@\"\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(Command::new("cp").args(["-a", "/etc"]).arg(&etc).status().unwrap().success());
    for (file, line) in
        [("passwd", "lkadmin:x:4242:4242::/:/bin/sh\n"), ("shadow", "lkadmin:*:19000:0:99999:7:::\n")]
    {
        let text = fs::read_to_string(etc.join(file)).unwrap();
        fs::write(etc.join(file), text + line).unwrap();
    }
    let before = fs::read_to_string("/etc/shadow").unwrap();

    let settings =
        folder.settings("[lan]\ninterfaces = [\"lo\"]\n[hooks]\nfolder = \"hooks\"\nuser = \"lkadmin\"\n");
    let here = folder.0.display();
    let script = format!(
        "mount --bind {here}/etc /etc && {mount} && exec \"$@\"",
        mount = mount.replace("HERE", &here.to_string())
    );
    let mut command: Vec<String> =
        ["unshare", "--mount", "--", "sh", "-c", &script, "sh"].map(str::to_owned).into();
    command.extend(in_own_network(&latchkeyd(&["run"], &settings)));
    let mut daemon = Daemon::spawn(&folder, &command, |_| {});
    daemon.wait_for("ready");
    daemon.activate(PASSWORD);
    daemon.wait_for("other software has taken the password");
    let first = hash(&etc);
    assert!(first.starts_with("$6$"), "SHA-512, which takes more than eight characters: {first}");
    assert!(lets_in(PASSWORD, &first) && !lets_in(NEW, &first));

    let body = serde_json::json!({ "password": PASSWORD }).to_string();
    let session = daemon.ask("POST", "session", &body).1["session"].as_str().unwrap().to_owned();
    let body = serde_json::json!({ "current": PASSWORD, "new": NEW }).to_string();
    assert_eq!(daemon.ask_as(&session, "PUT", "admin/password", &body).0, 204);
    daemon.wait_for("other software has taken the password");
    let second = hash(&etc);
    assert!(lets_in(NEW, &second) && !lets_in(PASSWORD, &second));
    assert_eq!(fs::metadata(etc.join("shadow")).unwrap().permissions().mode() & 0o007, 0);
    assert_eq!(fs::read_to_string("/etc/shadow").unwrap(), before, "the machine's own is untouched");
}

#[test]
fn the_system_takes_the_password_by_shadows_chpasswd() {
    if is_root("change a system's passwords") {
        try_with("shadow", "true");
    }
}

#[test]
fn the_system_takes_the_password_by_busybox() {
    if !is_root("change a system's passwords") {
        return;
    }
    let Ok(applets) = Command::new("busybox").arg("--list").output() else {
        eprintln!("skipped: busybox is not installed");
        return;
    };
    let has_chpasswd = String::from_utf8_lossy(&applets.stdout).lines().any(|applet| applet == "chpasswd");
    // Debian's has no chpasswd: the hook finds none in the system either.
    let chpasswd = if has_chpasswd { "HERE/chpasswd" } else { "/dev/null" };
    let mount =
        format!("mount --bind {chpasswd} /usr/sbin/chpasswd && mount --bind HERE/passwd /usr/bin/passwd");
    try_with("busybox", &mount);
}
