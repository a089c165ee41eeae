//! A fleet of recorders in one process, against a service that runs: what does it cost the service to
//! keep them, and does it lose any? `scripts/bench` and the long tests run it.
//!
//! ```text
//! fleet prepare --config cloud.toml --count N --out fleet.json
//! fleet run --fleet fleet.json --address IP:PORT --pid PID --beats N --per-s N --hold-s N
//! ```
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measuring tool: what fails ends it, and says where")]

use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey as _};
use futures_util::{SinkExt as _, StreamExt as _};
use latchkey_cloud::{
    clock::{Clock as _, WallClock, draw},
    config::Config,
    factory::{Factory, SignOptions},
    store::sqlite::Sqlite,
};
use latchkey_protocol::{
    identity::{IdentityFile, IdentityRequest},
    platform::{ALPN, Capabilities, FromCloud, FromDevice, PATH, Register, SUBPROTOCOL},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::Semaphore, task::JoinSet, time::Instant};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

/// Fewer than one network may have unregistered at a time.
const COMING: usize = 48;
/// The kernel counts a second in so many parts (`getconf CLK_TCK`; Linux has had no other for decades).
const TICKS_S: f64 = 100.0;

type Link = WebSocketStream<TlsStream<TcpStream>>;

#[derive(Serialize, Deserialize, Clone)]
struct Recorder {
    file: IdentityFile,
    key: [u8; 32],
}

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let options: HashMap<&str, &str> =
        words.chunks_exact(2).map(|pair| (pair[0].trim_start_matches("--"), pair[1].as_str())).collect();
    match command.as_str() {
        "prepare" => prepare(&options).await,
        "run" => run(&options).await,
        other => panic!("prepare or run, not {other}"),
    }
}

async fn prepare(options: &HashMap<&str, &str>) {
    let config = Arc::new(Config::load(Path::new(options["config"])).unwrap());
    let store = Arc::new(Sqlite::open(&config.database()).unwrap());
    let factory = Arc::new(Factory::load(&config).unwrap());
    // The store takes a few thousand jobs at a time.
    let turns = Arc::new(Semaphore::new(1000));
    let mut signing = JoinSet::new();
    for n in 0..options["count"].parse::<usize>().unwrap() {
        let (store, factory, turns) = (store.clone(), factory.clone(), turns.clone());
        signing.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            let key = SigningKey::from_bytes(&draw());
            let request = IdentityRequest::new(&key, &format!("FLEET-{n}"), "Recorder 8").unwrap();
            let request = serde_json::to_vec(&request).unwrap();
            let file =
                factory.sign(&*store, &request, SignOptions::default(), WallClock.now_s()).await.unwrap();
            Recorder { file, key: key.to_bytes() }
        });
    }
    let recorders = signing.join_all().await;
    fs::write(options["out"], serde_json::to_vec(&recorders).unwrap()).unwrap();
}

async fn run(options: &HashMap<&str, &str>) {
    let number = |name: &str| options.get(name).map_or(0, |text| text.parse::<u64>().unwrap());
    let recorders: Vec<Recorder> = serde_json::from_slice(&fs::read(options["fleet"]).unwrap()).unwrap();
    let address: SocketAddr = options["address"].parse().unwrap();
    let pid = number("pid");
    let count = recorders.len() as u64;

    let (memory_before, cpu_before) = (resident_bytes(pid), cpu_s(pid));
    let began = Instant::now();
    let turns = Arc::new(Semaphore::new(COMING));
    let mut coming = JoinSet::new();
    for recorder in recorders {
        let turns = turns.clone();
        coming.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            connect(&recorder, address).await
        });
    }
    let mut links = coming.join_all().await;
    let (connect_s, connect_cpu_s) = (began.elapsed().as_secs_f64(), cpu_s(pid) - cpu_before);
    settle(&mut links).await;
    let memory = resident_bytes(pid) - memory_before;

    let cpu_before = cpu_s(pid);
    let began = Instant::now();
    let each = number("beats") / count;
    let period = Duration::from_secs_f64(count as f64 / (number("per-s").max(1)) as f64);
    let mut beating = JoinSet::new();
    for (n, mut link) in (0_u32..).zip(links) {
        let first = began + period * n / u32::try_from(count).unwrap();
        beating.spawn(async move {
            for beat in 0..u32::try_from(each).unwrap() {
                tokio::time::sleep_until(first + period * beat).await;
                beat_once(&mut link).await;
            }
            link
        });
    }
    let mut links = beating.join_all().await;
    let (beats_s, beats_cpu_s) = (began.elapsed().as_secs_f64(), cpu_s(pid) - cpu_before);

    let held = Instant::now() + Duration::from_secs(number("hold-s"));
    let mut holding = JoinSet::new();
    for mut link in links.drain(..) {
        holding.spawn(async move {
            // Whatever comes while it is held is the end of it, or nobody asked for it.
            let came = tokio::time::timeout_at(held, link.next()).await;
            if came.is_ok() { None } else { Some(link) }
        });
    }
    let mut kept: Vec<Link> = holding.join_all().await.into_iter().flatten().collect();
    for link in &mut kept {
        beat_once(link).await;
    }
    let figures = serde_json::json!({
        "connections": count,
        "connect_s": connect_s,
        "connect_cpu_s": connect_cpu_s,
        "memory_each_bytes": memory / count as f64,
        "beats": each * count,
        "beats_s": beats_s,
        "beats_cpu_s": beats_cpu_s,
        "held_s": number("hold-s"),
        "lost": count - kept.len() as u64,
    });
    println!("{figures}");
}

/// One beat each, so that what registration needed is given back and what a beat needs is there.
async fn settle(links: &mut [Link]) {
    for link in links {
        beat_once(link).await;
    }
}

async fn beat_once(link: &mut Link) {
    link.send(Message::Ping(Default::default())).await.unwrap();
    match link.next().await {
        Some(Ok(Message::Pong(_))) => {}
        other => panic!("no pong: {other:?}"),
    }
}

async fn connect(recorder: &Recorder, address: SocketAddr) -> Link {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(recorder.file.server_roots.as_bytes()).unwrap()).unwrap();
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(recorder.file.certificate.as_bytes()).map(Result::unwrap).collect();
    let key = SigningKey::from_bytes(&recorder.key).to_pkcs8_der().unwrap();
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let host = recorder.file.host.as_str();
    let name = host.split(':').next().unwrap().to_owned().try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
    let mut request = format!("wss://{host}{PATH}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    let (mut link, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let register = FromDevice::Register(Register {
        serial: recorder.file.serial.clone().try_into().unwrap(),
        model: recorder.file.model.clone().try_into().unwrap(),
        version: "0.1.0".to_owned().try_into().unwrap(),
        capabilities: Capabilities::new(&[Capabilities::SUBMIT, Capabilities::RECONNECT]).unwrap(),
    });
    link.send(Message::text(register.to_frame())).await.unwrap();
    match link.next().await {
        Some(Ok(Message::Text(text))) => match FromCloud::parse(&text) {
            Ok(FromCloud::Registered(_)) => link,
            other => panic!("not registered: {other:?}"),
        },
        other => panic!("not registered: {other:?}"),
    }
}

/// The process's resident memory.
fn resident_bytes(pid: u64) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0
}

/// Processor time that the process has used, of user and kernel.
fn cpu_s(pid: u64) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_S
}
