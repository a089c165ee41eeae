//! The daemon as a program: its exit codes, what it says, and what it refuses to start on.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

struct Folder(PathBuf);

impl Folder {
    fn new(within: &str, name: &str) -> Self {
        let path = Path::new(within).join(format!("latchkey-daemon-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn settings(&self, text: &str) -> PathBuf {
        let path = self.0.join("settings.toml");
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn latchkeyd(words: &[&str], settings: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latchkeyd"))
        .args(words)
        .arg("--board")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("board/host.toml"))
        .arg("--settings")
        .arg(settings)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn every_fault_of_the_settings_is_said_at_once_with_exit_code_78() {
    let folder = Folder::new("/dev/shm", "faults");
    let settings = folder.settings("[lan]\nhttps_port = 0\n[recovery]\nvalidity_h = 100\nx = 1\n");
    for words in [&["check"][..], &["run"], &["identity", "request"]] {
        let output = latchkeyd(words, &settings);
        assert_eq!(output.status.code(), Some(78));
        let text = said(&output);
        for place in
            ["device.serial", "toml:2: lan.https_port", "toml:4: recovery.validity_h", "toml:5: recovery.x"]
        {
            assert!(text.contains(place), "{place}: {text}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let folder = Folder::new("/dev/shm", "usage");
    let settings = folder.settings("[device]\nserial = \"LK-1\"\n");
    for words in [&[][..], &["walk"], &["run", "fast"], &["identity"], &["run", "--colour"]] {
        let output = latchkeyd(words, &settings);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(said(&output).contains("usage: latchkeyd run"), "{words:?}");
    }
}

#[test]
fn it_does_not_run_where_a_reset_would_outlive_a_reboot_or_others_could_write() {
    let folder = Folder::new("/dev/shm", "places");
    let disk = Folder::new(env!("CARGO_TARGET_TMPDIR"), "places");
    // Its own port: a recorder that runs on this machine has the board's.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = |runtime: &Path| {
        let state = folder.0.join("state");
        folder.settings(&format!(
            "[device]\nserial = \"LK-1\"\n[lan]\nhttps_port = {port}\nhttp_port = 0\n[paths]\nstate = {state:?}\nruntime = {runtime:?}\n"
        ))
    };
    let output = latchkeyd(&["run"], &settings(&disk.0.join("run")));
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("not on a tmpfs or ramfs"), "{}", said(&output));
    let open = folder.0.join("run");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let output = latchkeyd(&["run"], &settings(&open));
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("chmod go-w"), "{}", said(&output));
}

#[test]
fn a_request_for_an_identity_is_printed_and_a_foreign_identity_is_refused() {
    let folder = Folder::new("/dev/shm", "identity");
    let settings =
        folder.settings("[device]\nserial = \"LK-1\"\n[paths]\nstate = \"state\"\nruntime = \"run\"\n");
    let output = latchkeyd(&["identity", "request"], &settings);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let request: latchkey_protocol::identity::IdentityRequest =
        serde_json::from_slice(&output.stdout).unwrap();
    request.verify().unwrap();
    let key = folder.0.join("state/device.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let again = latchkeyd(&["identity", "request"], &settings);
    assert_eq!(again.stdout, output.stdout, "the key is drawn once");
    let foreign = folder.0.join("foreign.json");
    fs::write(&foreign, &output.stdout).unwrap();
    let output = latchkeyd(&["identity", "install", foreign.to_str().unwrap()], &settings);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("not an identity file"), "{}", said(&output));
    assert!(!folder.0.join("state/identity.json").exists());
}

#[test]
fn folders_that_it_makes_on_the_way_let_others_pass_to_its_sockets() {
    let folder = Folder::new("/dev/shm", "above");
    let state = folder.0.join("vendor/latchkey/state");
    let settings = folder.settings(&format!(
        "[device]\nserial = \"LK-1\"\n[paths]\nstate = {:?}\nruntime = {:?}\n",
        state,
        folder.0.join("run")
    ));
    let output = latchkeyd(&["identity", "request"], &settings);
    assert!(output.status.success(), "{}", said(&output));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&state.join("device.key")), 0o600);
    for above in [folder.0.join("vendor"), folder.0.join("vendor/latchkey")] {
        assert_eq!(mode(&above), 0o755, "{}", above.display());
    }
}
