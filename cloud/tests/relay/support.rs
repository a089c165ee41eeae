//! A cloud in a folder of its own, a device that seals, and a client that speaks HTTP by hand.

use ed25519_dalek::SigningKey;
use latchkey_cloud::{
    clock::{Clock, SetClock, draw, system_rng},
    config::Config,
    factory::{self, SignOptions},
    serve::{self, Running},
    setup::{self, Plan},
    store::sqlite::Sqlite,
};
use latchkey_protocol::{
    Address, Addresses, Challenge, ChallengeId, Code, DeviceIdentity, Door, Host, Life, Locale, Message,
    QrLink, SealedChallenge, identity::IdentityRequest,
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

/// 2026-11-22 17:43 UTC.
pub const START_S: i64 = 1_795_369_380;
pub const ADDRESS: &str = "owner.of.it@mailbox.example";
pub const SECOND: &str = "installer.of.it@mailbox.example";
pub const CODE: u32 = 40_302_010;
pub const DIGITS: &str = "40302010";

/// A folder that goes away with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name: String = draw::<8>().iter().map(|b| format!("{b:02x}")).collect();
        let path = std::env::temp_dir().join(format!("latchkey-cloud-{name}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub struct Cloud {
    pub folder: Folder,
    pub clock: Arc<SetClock>,
    pub running: Option<Running>,
}

impl Cloud {
    /// A new cloud that is not started. `change` edits `cloud.toml`.
    pub fn new(change: impl FnOnce(String) -> String) -> Self {
        let folder = Folder::new();
        let host = Host::parse("cloud.example").unwrap();
        let plan = Plan { host: &host, listen: "127.0.0.1:0".parse().unwrap(), smtp: None };
        setup::init(&folder.0, &plan).unwrap();
        let path = folder.0.join("cloud.toml");
        let text = fs::read_to_string(&path).unwrap().replace("tls = \"self-made\"", "tls = \"off\"");
        fs::write(&path, change(text)).unwrap();
        Self { folder, clock: Arc::new(SetClock::at(START_S)), running: None }
    }

    /// A cloud that runs and puts mails into a Maildir.
    pub async fn start() -> Self {
        let mut cloud = Self::new(generous);
        cloud.run().await;
        cloud
    }

    pub fn config(&self) -> Config {
        Config::load(&self.folder.0.join("cloud.toml")).unwrap()
    }

    pub async fn run(&mut self) {
        self.running = Some(serve::start(self.config(), self.clock.clone()).await.unwrap());
    }

    pub async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().unwrap().addresses[0]
    }

    pub async fn device(&self) -> Device {
        self.device_with("LK-2026-0042", SignOptions::default()).await
    }

    pub async fn device_with(&self, serial: &str, options: SignOptions) -> Device {
        let key = SigningKey::from_bytes(&draw());
        let request = IdentityRequest::new(&key, serial, "Recorder 8").unwrap();
        let request = serde_json::to_vec(&request).unwrap();
        let store = Sqlite::open(&self.config().database()).unwrap();
        let file =
            factory::sign(&self.config(), &store, &request, options, self.clock.now_s()).await.unwrap();
        Device(file.join(key).unwrap())
    }

    /// Posts a sealed challenge to the JSON interface.
    pub async fn relay(&self, text: &str) -> Answer {
        let body = serde_json::json!({ "sealed": text }).to_string();
        post(self.address(), "/api/v1/relay", "application/json", body.as_bytes()).await
    }

    pub async fn show(&self, id: &str) -> serde_json::Value {
        show(self.address(), id).await
    }

    /// Waits until the mail of a request has left a state.
    pub async fn past(&self, id: &str, state: &str) -> serde_json::Value {
        self.until(id, |shown| shown["mail"]["state"] != state).await
    }

    pub async fn until(&self, id: &str, done: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        until(self.address(), id, done).await
    }

    /// The mails in the Maildir.
    pub fn mails(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.0.join("mail/new")) else { return vec![] };
        entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    /// Every byte of every file but the mails: neither the address nor the code is anywhere.
    pub fn assert_keeps_no_secret(&self) {
        let mut looked_at = 0;
        let mut folders = vec![self.folder.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if !path.ends_with("mail") {
                        folders.push(path);
                    }
                    continue;
                }
                let bytes = fs::read(&path).unwrap();
                looked_at += bytes.len();
                assert_no_secret(&bytes, &path.display());
            }
        }
        assert!(looked_at > 50_000, "only {looked_at} bytes were looked at");
        // Through the database's own eyes, too: a value may lie on several of its pages.
        let database = self.config().database();
        if !database.exists() {
            return;
        }
        let tables = rows(&database, "SELECT name FROM sqlite_master WHERE type = 'table'");
        assert!(tables.len() > 5, "only {tables:?} were looked at");
        let connection = rusqlite::Connection::open(&database).unwrap();
        for table in tables {
            let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let columns = statement.column_count();
            let mut values = statement.query([]).unwrap();
            while let Some(row) = values.next().unwrap() {
                for column in 0..columns {
                    use rusqlite::types::ValueRef;
                    match row.get_ref(column).unwrap() {
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => assert_no_secret(bytes, &table),
                        ValueRef::Integer(number) => assert_ne!(number, i64::from(CODE), "{table}"),
                        ValueRef::Real(_) | ValueRef::Null => {}
                    }
                }
            }
        }
    }
}

/// Neither the addresses nor the code is in there, in any form that gives them away.
pub fn assert_no_secret(bytes: &[u8], place: &impl std::fmt::Display) {
    static SECRETS: std::sync::LazyLock<Vec<(String, Vec<u8>)>> = std::sync::LazyLock::new(secrets);
    for (name, secret) in SECRETS.iter() {
        let found = memchr::memmem::find(bytes, secret).is_some();
        assert!(!found, "{place} holds {name}");
    }
}

/// What must not be found: the addresses and their parts, the code as digits and as a number; plain, as hexadecimal digits, in
/// base64 at each of its three offsets, and as hashes that anyone could try addresses on.
fn secrets() -> Vec<(String, Vec<u8>)> {
    use sha2::{Digest as _, Sha256};
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let plain = ["owner.of.it", "mailbox.example", ADDRESS, SECOND, "installer.of.it", DIGITS];
    let mut secrets = vec![
        ("the code as a number".to_owned(), CODE.to_be_bytes().to_vec()),
        ("the code as a number".to_owned(), CODE.to_le_bytes().to_vec()),
    ];
    for text in plain {
        let upper = text.to_uppercase();
        for form in [text, upper.as_str()] {
            secrets.push((format!("{form} plain"), form.as_bytes().to_vec()));
            let digits = hex(form.as_bytes());
            secrets.push((format!("{form} in hexadecimal"), digits.to_uppercase().into_bytes()));
            secrets.push((format!("{form} in hexadecimal"), digits.into_bytes()));
            for before in 0..3 {
                secrets.push((format!("{form} in base64"), base64_inside(form.as_bytes(), before)));
            }
        }
        for digest in [Sha256::digest(text).to_vec(), Sha256::digest(&upper).to_vec()] {
            secrets.push((format!("a hash of {text}"), hex(&digest).into_bytes()));
            secrets.push((format!("a hash of {text}"), digest[..16].to_vec()));
        }
    }
    secrets
}

/// The characters of base64 that hold these bytes alone, so many bytes after the beginning of a group.
fn base64_inside(bytes: &[u8], before: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1)).collect();
    let skipped = (6 - before * 8 % 6) % 6;
    let letters = bits[skipped..].chunks_exact(6);
    letters.map(|six| LETTERS[six.iter().fold(0, |sum, bit| sum << 1 | usize::from(*bit))]).collect()
}

#[test]
fn base64_is_found_at_every_offset() {
    // As `base64` of coreutils prints them: "owner", "xowner", "xxowner".
    for (before, whole) in [(0, "b3duZXI="), (1, "eG93bmVy"), (2, "eHhvd25lcg==")] {
        let inside = String::from_utf8(base64_inside(b"owner", before)).unwrap();
        assert!(inside.len() >= 5 && whole.contains(&inside), "{inside} in {whole}");
    }
}

async fn show(address: SocketAddr, id: &str) -> serde_json::Value {
    get(address, &format!("/api/v1/relay/{id}")).await.json()
}

/// Looks at a request until what it waits for is there.
pub async fn until(
    address: SocketAddr,
    id: &str,
    done: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..3000 {
        let shown = show(address, id).await;
        if done(&shown) {
            return shown;
        }
        looks.tick().await;
    }
    panic!("the mail's state did not come: {}", show(address, id).await);
}

/// An authority that vouches for servers.
pub struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub certificate: rcgen::Certificate,
}

impl Authority {
    pub fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: rcgen::Issuer::new(params, key), certificate }
    }

    /// Certificate and key for a name or an IP address.
    pub fn vouch(&self, name: &str) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server's side of TLS under a name.
    pub fn acceptor(&self, name: &str) -> tokio_rustls::TlsAcceptor {
        let (certificate, key) = self.vouch(name);
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(tls).into()
    }

    /// A client that believes this authority alone.
    pub fn connector(&self) -> tokio_rustls::TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(tls).into()
    }
}

/// Limits that a test does not meet by chance.
pub fn generous(text: String) -> String {
    text.replace("requester_per_10_min = 60", "requester_per_10_min = 1000000")
        .replace("device_door_per_day = 12", "device_door_per_day = 1000")
        .replace("unconfirmed_address_per_day = 8", "unconfirmed_address_per_day = 1000")
}

pub struct Device(pub DeviceIdentity);

impl Device {
    pub fn challenge(&self, counter: u32) -> Challenge {
        Challenge {
            id: ChallengeId(draw()),
            message: Message::Reset(Code::from_number(CODE).unwrap()),
            life: Life([1, 2, 3, 4]),
            counter,
            door: Door::Console,
            confirmed: true,
            device_time_unix_s: START_S,
            locale: Locale::English,
            tz_offset_min: 60,
            addresses: Addresses::new(vec![Address::parse(ADDRESS).unwrap()]).unwrap(),
        }
    }

    pub fn seal(&self, challenge: &Challenge) -> SealedChallenge {
        SealedChallenge::seal(&self.0, challenge, &mut system_rng()).unwrap()
    }

    pub fn digits(&self, challenge: &Challenge) -> String {
        let sealed = self.seal(challenge);
        QrLink { host: self.0.host.clone(), sealed }.digits()
    }

    pub fn link(&self, challenge: &Challenge) -> String {
        QrLink { host: self.0.host.clone(), sealed: self.seal(challenge) }.to_string()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn id(&self) -> String {
        assert_eq!(self.status, 202, "{self:?}");
        self.json()["id"].as_str().unwrap().to_owned()
    }

    /// The last part of a problem's type.
    pub fn problem(&self) -> (u16, String) {
        let kind = self.header("content-type").unwrap_or_default();
        assert_eq!(kind, "application/problem+json", "{self:?}");
        let told = self.json();
        assert_eq!(told["status"], self.status);
        for field in ["title", "detail"] {
            let text = told[field].as_str().unwrap();
            assert!(text.contains(' '), "a sentence is missing from the catalogue: {text}");
        }
        let kind = told["type"].as_str().unwrap();
        (self.status, kind.strip_prefix("urn:latchkey:problem:").unwrap().to_owned())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub async fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    ask(TcpStream::connect(address).await.unwrap(), request).await
}

/// One request over a connection that is there.
pub async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Answer {
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut bytes = vec![];
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub async fn get(address: SocketAddr, path: &str) -> Answer {
    raw(address, format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").as_bytes()).await
}

pub async fn post(address: SocketAddr, path: &str, kind: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    raw(address, &[head.as_bytes(), body].concat()).await
}

/// Reads every table as SQLite's own shell would, for what the byte scan cannot see.
pub fn rows(path: &Path, sql: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
