//! The recovery mailbox at a real IMAP server: Dovecot, from the system's packages.

use crate::{
    mailbox::{drawn, letter_with, names, png_of, until},
    support::*,
};
use latchkey_cloud::serve;
use nix::unistd::{Gid, Uid, User, chown, getgid, getuid};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::net::TcpStream;

const DOVECOT: &str = "/usr/sbin/dovecot";
const PASSWORD: &str = "a password with \"quotes\" and \\";

/// A Dovecot of our own, with one user and one Maildir.
struct Dovecot {
    folder: Folder,
    address: SocketAddr,
    process: Option<Child>,
}

impl Dovecot {
    fn new(authority: &Authority) -> Self {
        assert!(Path::new(DOVECOT).exists(), "Dovecot is missing: apt-get install dovecot-imapd");
        let folder = Folder::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let dovecot = Self { folder, address: port, process: None };
        let (certificate, key) = authority.vouch("localhost");
        fs::write(dovecot.path("server.pem"), certificate.pem()).unwrap();
        fs::write(dovecot.path("server.key"), key.serialize_pem()).unwrap();
        fs::set_permissions(&dovecot.folder.0, fs::Permissions::from_mode(0o755)).unwrap();
        for part in ["mail", "mail/new", "mail/cur", "mail/tmp"] {
            fs::create_dir(dovecot.path(part)).unwrap();
            dovecot.give(&dovecot.path(part));
        }
        fs::write(dovecot.path("users"), format!("recovery:{{PLAIN}}{PASSWORD}::::::\n")).unwrap();
        fs::write(dovecot.path("dovecot.conf"), dovecot.settings()).unwrap();
        dovecot
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Who reads mails: Dovecot never does it as root.
    fn reader() -> (Uid, Gid) {
        if getuid().is_root() { (Uid::from_raw(65534), Gid::from_raw(65534)) } else { (getuid(), getgid()) }
    }

    fn give(&self, path: &Path) {
        let (uid, gid) = Self::reader();
        if getuid().is_root() {
            chown(path, Some(uid), Some(gid)).unwrap();
        }
    }

    fn settings(&self) -> String {
        let (uid, gid) = Self::reader();
        let (top, port) = (self.folder.0.display(), self.address.port());
        let mut text = format!(
            "protocols = imap\nbase_dir = {top}/run\nstate_dir = {top}/state\nlog_path = {top}/log\n\
             ssl = required\nssl_cert = <{top}/server.pem\nssl_key = <{top}/server.key\n\
             disable_plaintext_auth = yes\nauth_mechanisms = plain\nmail_location = maildir:{top}/mail\n\
             first_valid_uid = 1\nfirst_valid_gid = 0\n\
             passdb {{\n driver = passwd-file\n args = scheme=PLAIN {top}/users\n}}\n\
             userdb {{\n driver = static\n args = uid={uid} gid={gid} home={top}/mail allow_all_users=yes\n}}\n\
             service imap-login {{\n inet_listener imap {{\n  port = 0\n }}\n \
             inet_listener imaps {{\n  address = 127.0.0.1\n  port = {port}\n  ssl = yes\n }}\n}}\n"
        );
        if !getuid().is_root() {
            let me = User::from_uid(getuid()).unwrap().unwrap().name;
            let group = nix::unistd::Group::from_gid(getgid()).unwrap().unwrap().name;
            text.push_str(&format!(
                "default_internal_user = {me}\ndefault_login_user = {me}\ndefault_internal_group = {group}\n\
                 service anvil {{\n chroot =\n}}\nservice imap-login {{\n chroot =\n}}\n"
            ));
        }
        text
    }

    async fn start(&mut self) {
        let started = Command::new(DOVECOT)
            .args(["-F", "-c"])
            .arg(self.path("dovecot.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("errors")).unwrap())
            .spawn();
        self.process = Some(started.unwrap());
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
        for _ in 0..3000 {
            if TcpStream::connect(self.address).await.is_ok() {
                return;
            }
            looks.tick().await;
        }
        panic!("Dovecot does not answer: {:?}", fs::read_to_string(self.path("errors")));
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let pid = nix::unistd::Pid::from_raw(process.id().cast_signed());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
            process.wait().unwrap();
        }
    }

    /// As a mail server delivers.
    fn deliver(&self, name: &str, mail: &[u8]) {
        let temporary = self.path("mail/tmp").join(name);
        fs::write(&temporary, mail).unwrap();
        self.give(&temporary);
        fs::rename(temporary, self.path("mail/new").join(name)).unwrap();
    }

    /// The mails that are there, with their flags.
    fn left(&self) -> Vec<String> {
        ["mail/new", "mail/cur"]
            .iter()
            .flat_map(|folder| fs::read_dir(self.path(folder)).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A cloud that fetches its recovery mails from there.
async fn cloud(dovecot: &Dovecot, authority: &Authority) -> Cloud {
    let section = format!(
        "\n[mailbox]\naddress = \"recovery@cloud.example\"\nmaildir = \"recovery\"\n[mailbox.imap]\n\
         host = \"localhost\"\nport = {}\nuser = \"recovery\"\npassword_file = \"imap-password\"\nca_file = \"ca.pem\"\n",
        dovecot.address.port()
    );
    let mut cloud = Cloud::new(|text| generous(text) + &section);
    fs::write(cloud.folder.0.join("imap-password"), format!("{PASSWORD}\n")).unwrap();
    fs::write(cloud.folder.0.join("ca.pem"), authority.certificate.pem()).unwrap();
    let mut config = cloud.config();
    config.mailbox.as_mut().unwrap().program = env!("CARGO_BIN_EXE_latchkey-cloud").into();
    cloud.running = Some(serve::start(config, cloud.clock.clone()).await.unwrap());
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_fetched_from_an_imap_server_and_none_is_lost() {
    let authority = Authority::new();
    let mut dovecot = Dovecot::new(&authority);
    dovecot.start().await;
    // What has come before is fetched, what is too large stays there and is in nobody's way.
    dovecot.deliver("1.large", &[b"Subject: x\r\n\r\n".to_vec(), vec![b'x'; 36 * 1024 * 1024]].concat());
    let mut cloud = cloud(&dovecot, &authority).await;
    let device = cloud.device().await;
    let link = |counter| device.link(&device.challenge(counter));
    let mail = |link: &str| {
        let (side, points) = drawn(link, 6);
        letter_with("image/png", png_of(side, side, &points))
    };
    dovecot.deliver("2.before", &mail(&link(1)));
    until(|| cloud.mails().len() == 1, "the code for a mail that came before").await;
    // It is heard of while the connection idles.
    dovecot.deliver("3.hello", b"Subject: Hello\r\n\r\nHow are you?\r\n");
    dovecot.deliver("4.idle", &mail(&link(2)));
    until(|| cloud.mails().len() == 2, "the code for a mail that came in the meantime").await;
    until(|| names(&cloud, "aside/no-picture").len() == 1, "the letter").await;
    until(|| dovecot.left().len() == 1, "the end of the mails there").await;
    let left = dovecot.left();
    assert!(left[0].starts_with("1.large") && left[0].contains(":2,") && left[0].contains('F'), "{left:?}");
    let metrics = || cloud.running.as_ref().unwrap().platform.metrics.text();
    assert!(metrics().contains("latchkey_mailbox_mails_total{reason=\"too-large\"} 1"), "{}", metrics());

    // The server goes away and comes back, with a mail that came meanwhile.
    dovecot.stop();
    dovecot.deliver("5.away", &mail(&link(3)));
    dovecot.start().await;
    until(|| cloud.mails().len() == 3, "the code for a mail that came while the server was away").await;
    until(|| dovecot.left().len() == 1, "the end of that one too").await;
    cloud.assert_keeps_no_secret();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_gets_no_password() {
    let authority = Authority::new();
    let mut dovecot = Dovecot::new(&Authority::new());
    dovecot.start().await;
    dovecot.deliver("1.mail", b"Subject: Hello\r\n\r\nHow are you?\r\n");
    let mut cloud = cloud(&dovecot, &authority).await;
    // Dovecot tells of every handshake that fails, and of every login.
    let told = || fs::read_to_string(dovecot.path("log")).unwrap_or_default();
    until(|| told().contains("TLS handshaking"), "the end of the handshake").await;
    cloud.stop().await;
    assert!(!told().contains("Login: user"), "{}", told());
    assert_eq!(dovecot.left(), ["1.mail"]);
}
