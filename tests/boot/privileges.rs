//! From root to a user of the board's choice.

use crate::daemon::{Daemon, Folder, USER, in_own_network, is_root, latchkeyd};
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

const PASSWORD: &str = "Correct horse 1";
/// Of linux/capability.h, as /proc/PID/status shows them.
const NET_BIND_SERVICE: &str = "0000000000000400";
const NOTHING: &str = "0000000000000000";

fn owner(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
}

#[test]
fn root_is_given_up_for_good_and_a_late_interface_is_listened_on_without_it() {
    if !is_root("give up root's rights") {
        return;
    }
    let folder = Folder::new("root");
    let settings =
        folder.settings("[lan]\ninterfaces = [\"lo\", \"late0\"]\n[privileges]\ngroups = [4711]\n");
    let mut daemon = Daemon::start(&folder, &settings);
    for ids in ["Uid", "Gid"] {
        assert_eq!(daemon.status(ids), format!("{USER} {USER} {USER} {USER}"), "{ids}");
    }
    assert_eq!(daemon.status("Groups"), "4711");
    assert_eq!(daemon.status("NoNewPrivs"), "1");
    for (set, expected) in
        [("CapEff", NET_BIND_SERVICE), ("CapPrm", NET_BIND_SERVICE), ("CapInh", NOTHING), ("CapAmb", NOTHING)]
    {
        assert_eq!(daemon.status(set), expected, "{set}");
    }
    // No core dump, and nobody but root looks into it.
    let proc = format!("/proc/{}", daemon.child.id());
    let limits = fs::read_to_string(format!("{proc}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    assert_eq!(fs::metadata(format!("{proc}/environ")).unwrap().uid(), 0, "the process is not dumpable");

    daemon.activate(PASSWORD);
    for (path, mode) in
        [("state", 0o700), ("run", 0o711), ("state/account.a", 0o600), ("state/web.key", 0o600)]
    {
        assert_eq!(owner(&folder.0.join(path)), (USER, USER, mode), "{path}");
    }
    let enter =
        ["nsenter".to_owned(), "--net".to_owned(), "--target".to_owned(), daemon.child.id().to_string()];
    let made = Command::new(&enter[0])
        .args(&enter[1..])
        .args(["--", "sh", "-c", "ip link add late0 type veth peer name other0 && ip link set late0 up"])
        .status();
    assert!(made.unwrap().success());
    let line = daemon.wait_for("listening on it again");
    assert!(line.contains("late0"), "{line}");
    assert_eq!(daemon.stop().code(), Some(0));
}

#[test]
fn a_state_that_root_made_keeps_working_and_nothing_else_is_given_away() {
    if !is_root("make a state as root") {
        return;
    }
    let folder = Folder::new("handover");
    let stays = folder.settings("[privileges]\nuid = 0\ngid = 0\n[lan]\ninterfaces = [\"lo\"]\n");
    let mut daemon = Daemon::start(&folder, &stays);
    daemon.activate(PASSWORD);
    assert_eq!(daemon.status("Uid"), "0 0 0 0");
    assert!(daemon.stop().success());
    assert_eq!(owner(&folder.state().join("account.a")).0, 0);

    // What a user of the folder could put there in order to be given another's file.
    let foreign = folder.0.join("shadow");
    fs::write(&foreign, "root:*\n").unwrap();
    fs::hard_link(&foreign, folder.state().join("second-name")).unwrap();
    symlink(&foreign, folder.state().join("link")).unwrap();
    fs::write(folder.state().join("others"), "").unwrap();
    chown(folder.state().join("others"), Some(12), Some(12)).unwrap();
    fs::set_permissions(folder.state().join("account.b"), fs::Permissions::from_mode(0o644)).unwrap();

    let settings = folder.settings("[lan]\ninterfaces = [\"lo\"]\n");
    let mut daemon = Daemon::start(&folder, &settings);
    assert_eq!(daemon.status("Uid"), format!("{USER} {USER} {USER} {USER}"));
    assert_eq!(daemon.sign_in(PASSWORD), 201);
    for file in ["account.a", "account.b", "web.key", "web.crt"] {
        assert_eq!(owner(&folder.state().join(file)), (USER, USER, 0o600), "{file}");
    }
    assert!(daemon.said.iter().any(|line| line.contains("account.b") && line.contains("0600")));
    assert_eq!(owner(&foreign).0, 0, "a file with a second name stays its owner's");
    assert_eq!(owner(&folder.state().join("others")).0, 12);
    assert!(daemon.stop().success());
}

#[test]
fn what_the_factory_does_as_root_is_the_daemons() {
    if !is_root("run the factory's commands as root") {
        return;
    }
    let folder = Folder::new("factory");
    let command = latchkeyd(&["identity", "request"], &folder.settings(""));
    let output = Command::new(&command[0]).args(&command[1..]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(owner(&folder.state().join("device.key")), (USER, USER, 0o600));
    // While someone else is at it, neither command touches the keys.
    let lock = fs::File::open(folder.state().join("identity.lock")).unwrap();
    lock.lock().unwrap();
    let output = Command::new(&command[0]).args(&command[1..]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("identity.lock"));
}

#[test]
fn started_as_a_user_it_works_as_that_user() {
    if !is_root("start the daemon as another user") {
        return;
    }
    let folder = Folder::new("user");
    chown(&folder.0, Some(1234), Some(1234)).unwrap();
    let settings = folder.settings(
        "[lan]\ninterfaces = [\"lo\"]\nhttps_port = 8443\nhttp_port = 8080\n[console]\nuids = [0, 1234]\n",
    );
    // The network first: making one takes root.
    let setpriv = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "--"].map(str::to_owned);
    let command = [&setpriv[..], &latchkeyd(&["run"], &settings)].concat();
    let mut daemon = Daemon::spawn(&folder, &in_own_network(&command), |_| {});
    daemon.wait_for("ready");
    assert_eq!(daemon.status("Uid"), "1234 1234 1234 1234");
    assert_eq!((daemon.status("CapEff").as_str(), daemon.status("NoNewPrivs").as_str()), (NOTHING, "1"));
    daemon.activate(PASSWORD);
    assert_eq!(owner(&folder.state().join("account.a")), (1234, 1234, 0o600));
    assert!(daemon.stop().success());
}

#[test]
fn a_folder_that_the_user_cannot_reach_is_told_at_the_start() {
    if !is_root("give up root's rights") {
        return;
    }
    let folder = Folder::new("closed");
    let settings = folder.settings("[lan]\ninterfaces = [\"lo\"]\n");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
    let command = in_own_network(&latchkeyd(&["run"], &settings));
    let output = Command::new(&command[0]).args(&command[1..]).process_group(0).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("failed to open the folder") && said.contains("Permission denied"), "{said}");
}
