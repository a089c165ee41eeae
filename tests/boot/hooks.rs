//! Hooks, as real programs: what they are told and by whom they are run, what becomes of a password that
//! is not taken, and a vendor's own database in the place of our hash.

use crate::daemon::{Daemon, Folder, USER, in_own_network, is_root, latchkeyd};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

/// With what a shell and its JSON could stumble over.
const PASSWORD: &str = r#"Correct "horse" \1 $x 'y' 100% ü"#;
const NEW: &str = "Battery: staple \\\\ 2";

impl Folder {
    fn hooks(&self) -> PathBuf {
        let path = self.0.join("hooks");
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A hook, by its shell script; `$here` is this folder.
    fn hook(&self, name: &str, script: &str) {
        let path = self.hooks().join(name);
        fs::write(&path, format!("#!/bin/sh\nhere={}\n{script}", self.0.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn with_hooks(&self, more: &str) -> PathBuf {
        self.hooks();
        self.settings(&format!("[lan]\ninterfaces = [\"lo\"]\n[hooks]\nfolder = \"hooks\"\n{more}"))
    }

    /// The lines of JSON that a hook kept.
    fn kept(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.0.join(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Daemon {
    fn other_software(&self) -> String {
        self.ask("GET", "device", "").1["other_software"].as_str().unwrap().to_owned()
    }

    fn change(&self, current: &str, new: &str) -> u16 {
        let body = serde_json::json!({ "password": current }).to_string();
        let session = self.ask("POST", "session", &body).1["session"].as_str().unwrap().to_owned();
        let body = serde_json::json!({ "current": current, "new": new }).to_string();
        self.ask_as(&session, "PUT", "admin/password", &body).0
    }

    /// Nothing that it said has this in it.
    fn never_said(&mut self, secrets: &[&str]) {
        let said = self.all_said().join("\n");
        for secret in secrets {
            assert!(!said.contains(secret), "{secret} is in the log: {said}");
        }
    }
}

#[test]
fn hooks_are_told_as_root_in_order_and_a_failed_one_after_a_restart_at_the_next_sign_in() {
    if !is_root("run hooks as root") {
        return;
    }
    let folder = Folder::new("hooks");
    folder.hook(
        "10-keep",
        "cat >>$here/kept; id -u >>$here/uid; echo \"$0 $*\" >>$here/arguments; env >>$here/environment",
    );
    folder.hook("20-fails", "cat >$here/last; [ -e $here/works ] || { echo \"cannot: $(cat $here/last)\"; exit 3; }; cat $here/last >>$here/second");
    folder.hook("30-hidden.bak", "touch $here/ran-a-leftover");
    let settings = folder.with_hooks("limit_s = 20\n");
    let mut daemon = Daemon::start(&folder, &settings);
    assert_eq!(daemon.status("Uid"), format!("{USER} {USER} {USER} {USER}"));
    daemon.activate(PASSWORD);
    let line = daemon.wait_for("a hook did not do what it was told");
    assert!(
        line.contains("20-fails") && line.contains("exit code 3") && line.contains("not shown"),
        "{line}"
    );
    assert_eq!(folder.kept("kept").len(), 1);
    let told = &folder.kept("kept")[0];
    assert_eq!(
        *told,
        serde_json::json!({
            "version": 1, "event": "activated", "user": "admin", "serial": "LK-BOOT", "password": PASSWORD,
        })
    );
    assert_eq!(fs::read_to_string(folder.0.join("uid")).unwrap(), "0\n", "hooks keep root's rights");
    assert_eq!(fs::read_to_string(folder.0.join("arguments")).unwrap().trim_end().split(' ').count(), 1);
    let environment = fs::read_to_string(folder.0.join("environment")).unwrap();
    assert!(!environment.contains("horse") && environment.contains("PATH=/usr/sbin:"), "{environment}");
    // The line of the log leaves before the heart hears of it.
    assert!((0..100_000).any(|_| daemon.other_software() == "failing"));

    // It was in memory alone; that it is owed stands in the record.
    assert!(daemon.stop().success());
    daemon.never_said(&["horse", "Battery"]);
    fs::write(folder.0.join("works"), "").unwrap();
    let mut daemon = Daemon::start(&folder, &settings);
    assert_eq!(daemon.other_software(), "at-next-sign-in");
    assert_eq!(daemon.sign_in(NEW), 403);
    assert_eq!(daemon.other_software(), "at-next-sign-in");
    assert_eq!(daemon.sign_in(PASSWORD), 201);
    daemon.wait_for("other software has taken the password");
    assert_eq!(folder.kept("second")[0]["event"], "signed-in");
    assert_eq!(folder.kept("second")[0]["password"], PASSWORD);
    assert_eq!(daemon.other_software(), "settled");

    assert_eq!(daemon.change(PASSWORD, NEW), 204);
    daemon.wait_for("other software has taken the password");
    let told = folder.kept("kept");
    assert_eq!((&told[2]["event"], &told[2]["password"]), (&"password-changed".into(), &NEW.into()));
    assert!(daemon.stop().success());
    let daemon = Daemon::start(&folder, &settings);
    assert_eq!(daemon.other_software(), "settled", "and nothing is owed after the next start");
    assert!(!folder.0.join("ran-a-leftover").exists());
}

#[test]
fn a_hook_that_fails_is_told_again_from_memory_and_one_that_took_it_is_not() {
    if !is_root("run hooks as root") {
        return;
    }
    let folder = Folder::new("again");
    folder.hook("10-takes", "echo >>$here/took; cat >/dev/null");
    folder.hook("20-second-time", "echo >>$here/tries; [ \"$(wc -l <$here/tries)\" -ge 2 ]");
    let mut daemon = Daemon::start(&folder, &folder.with_hooks(""));
    daemon.activate(PASSWORD);
    daemon.wait_for("exit code 1");
    daemon.wait_for("other software has taken the password");
    assert_eq!(fs::read_to_string(folder.0.join("took")).unwrap().len(), 1);
    assert_eq!(fs::read_to_string(folder.0.join("tries")).unwrap().len(), 2);
}

#[test]
fn a_hook_that_hangs_is_ended_with_all_it_started_and_the_password_is_set_all_the_same() {
    if !is_root("run hooks as root") {
        return;
    }
    let folder = Folder::new("hang");
    let marker = format!("{}", 86_400 + std::process::id());
    folder.hook("10-hangs", &format!("sleep {marker} & sleep {marker}"));
    folder.hook("20-after", "cat >>$here/kept");
    let mut daemon = Daemon::start(&folder, &folder.with_hooks("limit_s = 1\n"));
    daemon.activate(PASSWORD);
    assert_eq!(daemon.sign_in(PASSWORD), 201);
    let line = daemon.wait_for("a hook did not do what it was told");
    assert!(line.contains("not done within 1 s"), "{line}");
    assert_eq!(folder.kept("kept").len(), 1, "the others are told");
    let left = Command::new("pgrep").args(["-f", &format!("^sleep {marker}")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
    assert_eq!(daemon.stop().code(), Some(0));
}

#[test]
fn a_lost_helper_or_a_hook_that_others_can_change_is_told_and_done_without() {
    if !is_root("run hooks as root") {
        return;
    }
    let folder = Folder::new("lost");
    folder.hook("10-open", "touch $here/ran");
    fs::set_permissions(folder.hooks().join("10-open"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut daemon = Daemon::start(&folder, &folder.with_hooks(""));
    let started = daemon.said.iter().find(|line| line.contains("a helper runs the hooks")).unwrap();
    let helper = started.rsplit_once("pid=").unwrap().1.parse().unwrap();
    daemon.activate(PASSWORD);
    let line = daemon.wait_for("a hook did not do what it was told");
    assert!(line.contains("others can change"), "{line}");
    assert!(!folder.0.join("ran").exists());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(helper), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(daemon.change(PASSWORD, NEW), 204);
    daemon.wait_for("the helper that runs the hooks is lost");
    assert_eq!(daemon.sign_in(NEW), 201);
    assert_eq!(daemon.stop().code(), Some(0));
}

/// A vendor's database of users: one file, the password as it is. No example to follow.
const DATABASE: &str = r#"
line=$(cat)
event=${line#*\"event\":\"}; event=${event%%\"*}
password=${line#*\"password\":}
case $event in
set) printf '%s' "$password" >$here/database ;;
verify) [ "$(cat $here/database)" = "$password" ] || exit 1 ;;
*) exit 2 ;;
esac
[ ! -e $here/broken ] || exit 70
"#;

#[test]
fn a_vendors_database_keeps_the_password_and_the_record_has_no_hash() {
    if !is_root("run hooks as root") {
        return;
    }
    let folder = Folder::new("authority");
    folder.hook("users", DATABASE);
    let settings = folder.with_hooks("authority = \"users\"\n");
    let mut daemon = Daemon::start(&folder, &settings);
    daemon.activate(PASSWORD);
    assert!(folder.0.join("database").exists());
    let record = fs::read_to_string(folder.state().join("account.a")).unwrap();
    assert!(!record.contains("argon2") && record.contains(r#""password_phc":"""#), "{record}");
    assert_eq!(daemon.sign_in(PASSWORD), 201);
    assert_eq!(daemon.sign_in(NEW), 403);
    assert_eq!(daemon.change(PASSWORD, NEW), 204);
    assert_eq!((daemon.sign_in(PASSWORD), daemon.sign_in(NEW)), (403, 201));

    // A database that fails decides nothing, and costs no try.
    fs::write(folder.0.join("broken"), "").unwrap();
    for _ in 0..8 {
        assert_eq!(daemon.sign_in(NEW), 503);
    }
    fs::remove_file(folder.0.join("broken")).unwrap();
    assert_eq!(daemon.sign_in(NEW), 201);
    // Wrong ones are throttled as they are with a hash.
    let refused = (0..10).map(|_| daemon.sign_in(PASSWORD)).find(|status| *status != 403);
    assert_eq!(refused, Some(429));
    assert!(daemon.stop().success());
    daemon.never_said(&["horse", "Battery"]);
}

#[test]
fn without_its_authority_the_daemon_ends_to_be_started_again() {
    if !is_root("run hooks as root") {
        return;
    }
    let folder = Folder::new("orphan");
    folder.hook("users", DATABASE);
    let command = in_own_network(&latchkeyd(&["run"], &folder.with_hooks("authority = \"users\"\n")));
    let mut daemon = Daemon::spawn(&folder, &command, |_| {});
    let line = daemon.wait_for("a helper runs the hooks");
    daemon.wait_for("ready");
    daemon.activate(PASSWORD);
    let helper = line.rsplit_once("pid=").unwrap().1.parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(helper), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(daemon.sign_in(PASSWORD), 503);
    assert_eq!(daemon.child.wait().unwrap().code(), Some(1));
}
