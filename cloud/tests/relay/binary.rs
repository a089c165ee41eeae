//! The program itself: its commands, its log, and what a kill leaves.

use crate::{
    smtp::{Guard, Server},
    support::*,
};
use ed25519_dalek::SigningKey;
use latchkey_cloud::clock::draw;
use latchkey_protocol::{
    Address, Addresses, Code, Message, NoticeEvent,
    identity::{IdentityFile, IdentityRequest},
};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};
use tokio::net::TcpSocket;

const PROGRAM: &str = env!("CARGO_BIN_EXE_latchkey-cloud");

/// The lines of a log, as they come.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Log {
    /// Waits for a line.
    pub fn until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let (lines, came) = &*self.0;
        let none = |lines: &mut Vec<String>| !lines.iter().any(|line| wanted(line));
        let (lines, _) =
            came.wait_timeout_while(lines.lock().unwrap(), Duration::from_secs(60), none).unwrap();
        let found = lines.iter().find(|line| wanted(line));
        found.unwrap_or_else(|| panic!("the line did not come: {lines:#?}")).clone()
    }

    pub fn all(&self) -> String {
        self.0.0.lock().unwrap().join("\n")
    }
}

/// `latchkey-cloud serve`, killed when it is dropped.
pub struct Binary {
    child: Child,
    pub address: SocketAddr,
    pub log: Log,
}

impl Binary {
    pub fn serve(folder: &Path) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--config"])
            .arg(folder.join("cloud.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::default();
        let (stderr, into) = (child.stderr.take().unwrap(), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                into.0.0.lock().unwrap().push(line);
                into.0.1.notify_all();
            }
        });
        let line = log.until(|line| line.contains("listening address="));
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        Self { child, address, log }
    }

    /// Where it listens for devices.
    pub fn devices(&self) -> SocketAddr {
        let line = self.log.until(|line| line.contains("listening for devices address="));
        line.split("address=").nth(1).unwrap().trim().parse().unwrap()
    }

    pub async fn relay(&self, digits: &str) -> Answer {
        let body = serde_json::json!({ "sealed": digits }).to_string();
        post(self.address, "/api/v1/relay", "application/json", body.as_bytes()).await
    }

    /// SIGKILL: nothing is finished or put away.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One command of the program, with `--config`.
pub fn command(folder: &Path, words: &[&str]) -> Output {
    Command::new(PROGRAM).args(words).arg("--config").arg(folder.join("cloud.toml")).output().unwrap()
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Has a new key signed by the program.
fn sign(folder: &Path, serial: &str, more: &[&str]) -> Result<Device, (Option<i32>, String)> {
    let key = SigningKey::from_bytes(&draw());
    let request = IdentityRequest::new(&key, serial, "Recorder 8").unwrap();
    let path = folder.join("request.json");
    fs::write(&path, serde_json::to_vec(&request).unwrap()).unwrap();
    let words = [&["factory", "sign", path.to_str().unwrap()], more].concat();
    let output = command(folder, &words);
    if !output.status.success() {
        assert!(output.stdout.is_empty(), "a refusal prints no identity");
        return Err(told(&output));
    }
    let file: IdentityFile = serde_json::from_slice(&output.stdout).unwrap();
    Ok(Device(file.join(key).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_mail_and_doubles_none() {
    // Bound and not listening: connections are refused, and the port stays ours.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let way = format!("[mail.smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"");
    let cloud = Cloud::new(|text| generous(text).replace("maildir = \"mail\"", &way));
    let folder = &cloud.folder.0;
    let device = sign(folder, "LK-2026-0042", &[]).unwrap();
    let digits = device.digits(&device.challenge(1));

    let service = Binary::serve(folder);
    let id = service.relay(&digits).await.id();
    until(service.address, &id, |shown| shown["mail"]["reason"] == "unreachable").await;
    service.kill();
    cloud.assert_keeps_no_secret();

    let server = Server::on(socket.listen(16).unwrap(), Guard::default(), &[]);
    let service = Binary::serve(folder);
    let shown = until(service.address, &id, |shown| shown["mail"]["state"] != "queued").await;
    assert_eq!(shown["mail"]["state"], "accepted");
    assert_eq!(server.mails().len(), 1);
    service.kill();

    // Killed once more after it left, and asked for once more: there is still one.
    let service = Binary::serve(folder);
    assert_eq!(service.relay(&digits).await.id(), id);
    // A newer mail goes out after whatever might be left of the old one.
    let newer = service.relay(&device.digits(&device.challenge(2))).await.id();
    until(service.address, &newer, |shown| shown["mail"]["state"] == "accepted").await;
    let tag = shown["tag"].as_str().unwrap();
    let of_it = server.mails().iter().filter(|(_, _, text)| text.contains(tag)).count();
    assert_eq!((of_it, server.mails().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_purpose_leaves_an_address_or_a_code_in_a_table_a_file_or_the_log() {
    let cloud = Cloud::new(generous);
    let folder = &cloud.folder.0;
    let service = Binary::serve(folder);
    let device = sign(folder, "LK-2026-0042", &[]).unwrap();
    let code = || Code::from_number(CODE).unwrap();
    let kinds = [
        Message::Reset(code()),
        Message::ConfirmEmail(code()),
        Message::Rehearsal(code()),
        Message::Notice(NoticeEvent::ResetRequested),
        Message::Notice(NoticeEvent::ResetCompleted),
        Message::AddressChanged,
    ];
    let kept_none = |service: &Binary| {
        cloud.assert_keeps_no_secret();
        assert_no_secret(service.log.all().as_bytes(), &"the log");
    };
    for (counter, message) in (1..).zip(kinds) {
        let mut challenge = device.challenge(counter);
        challenge.message = message;
        let both = [ADDRESS, SECOND].map(|text| Address::parse(text).unwrap());
        challenge.addresses = Addresses::new(both.to_vec()).unwrap();
        let digits = device.digits(&challenge);
        let id = service.relay(&digits).await.id();
        kept_none(&service);
        let done = |shown: &serde_json::Value| {
            shown["mail"]["deliveries"].as_array().unwrap().iter().all(|d| d["state"] == "accepted")
        };
        until(service.address, &id, done).await;
        kept_none(&service);
        // Looked at, asked for again, damaged, and asked to be sent again.
        get(service.address, &format!("/r/status/{id}")).await;
        service.relay(&digits).await.id();
        let damaged = service.relay(&digits.replacen('1', "2", 1)).await;
        assert_eq!(damaged.status, 422);
        post(service.address, &format!("/api/v1/relay/{id}/resend"), "text/plain", b"").await;
        kept_none(&service);
    }
    assert_eq!(cloud.mails().len(), 12);
    let mails = cloud.mails().join("\n");
    assert!([ADDRESS, SECOND, DIGITS].iter().all(|secret| mails.contains(secret)), "the mails have them");
    service.kill();
    // What a killed service leaves: the write-ahead log is read, too.
    cloud.assert_keeps_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_factory_signs_once_replaces_and_revokes() {
    let cloud = Cloud::new(generous);
    let folder = &cloud.folder.0;
    let service = Binary::serve(folder);
    let first = sign(folder, "LK-2026-0042", &[]).unwrap();
    service.relay(&first.digits(&first.challenge(1))).await.id();

    let (code, why) = sign(folder, "LK-2026-0042", &[]).err().unwrap();
    assert_eq!(code, Some(1));
    assert!(why.contains("LK-2026-0042 has an identity already") && why.contains("--replace"), "{why}");
    // The refusal changed nothing.
    service.relay(&first.digits(&first.challenge(2))).await.id();

    let second = sign(folder, "LK-2026-0042", &["--replace"]).unwrap();
    assert_ne!(first.0.handle, second.0.handle);
    let old = service.relay(&first.digits(&first.challenge(3))).await;
    assert_eq!(old.problem(), (403, "revoked".into()));
    service.relay(&second.digits(&second.challenge(1))).await.id();

    let handle = second.0.handle.to_string();
    let output = command(folder, &["factory", "revoke", &handle]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{handle} is revoked\n"));
    let gone = service.relay(&second.digits(&second.challenge(2))).await;
    assert_eq!(gone.problem(), (403, "revoked".into()));

    let base = sign(folder, "LK-BASE", &["--mode", "base"]).unwrap();
    service.relay(&base.digits(&base.challenge(1))).await.id();
    assert!(command(folder, &["factory", "revoke", "LK-BASE"]).status.success());
    assert_eq!(service.relay(&base.digits(&base.challenge(2))).await.problem(), (403, "revoked".into()));

    let (code, why) = told(&command(folder, &["factory", "revoke", "LK-NONE"]));
    assert_eq!(code, Some(1));
    assert!(why.contains("no device has the handle or serial LK-NONE"), "{why}");
    let (code, why) = sign(folder, "LK-3", &["--mode", "none"]).err().unwrap();
    assert_eq!(code, Some(2));
    assert!(why.contains("--mode is psk or base"), "{why}");
}
