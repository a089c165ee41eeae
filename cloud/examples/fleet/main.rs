//! A fleet of recorders in one process, against a service that runs: what does it cost the service to
//! keep them, and does it lose any? `scripts/bench` and the long tests run it.
//!
//! ```text
//! fleet prepare --config cloud.toml --count N --out fleet.json
//! fleet run --fleet fleet.json --address IP:PORT --pid PID --beats N --per-s N --hold-s N
//! fleet greet --fleet fleet.json --address IP:PORT --pid PID
//! ```
//!
//! `--speaks mqtt` and `--speaks nats` keep the same recorders, with the same certificates, connected to
//! another server, whose own is in the file that `--root` names; `greet` makes TLS connections and closes them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measuring tool: what fails ends it, and says where")]

mod link;

use ed25519_dalek::SigningKey;
use latchkey_cloud::{
    clock::{Clock as _, WallClock, draw},
    config::Config,
    factory::{Factory, SignOptions},
    store::sqlite::Sqlite,
};
use latchkey_protocol::identity::{IdentityFile, IdentityRequest};
use link::{Link, Speaks};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

/// Fewer than one network may have unregistered at a time.
const COMING: usize = 48;
/// The kernel counts a second in so many parts (`getconf CLK_TCK`; Linux has had no other for decades).
const TICKS_S: f64 = 100.0;

#[derive(Serialize, Deserialize, Clone)]
struct Recorder {
    file: IdentityFile,
    key: [u8; 32],
}

/// Where the recorders connect, and what is spoken there.
#[derive(Clone)]
struct Server {
    address: SocketAddr,
    speaks: Speaks,
    /// What its certificate must be; none: the root of the recorder's identity.
    root: Option<String>,
}

impl Server {
    fn of(options: &HashMap<&str, &str>) -> Self {
        let speaks = match options.get("speaks").copied().unwrap_or("latchkey") {
            "latchkey" => Speaks::Latchkey,
            "mqtt" => Speaks::Mqtt,
            "nats" => Speaks::Nats,
            other => panic!("latchkey, mqtt or nats, not {other}"),
        };
        let root = options.get("root").map(|path| fs::read_to_string(path).unwrap());
        Self { address: options["address"].parse().unwrap(), speaks, root }
    }
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
        "greet" => greet(&options).await,
        other => panic!("prepare, run or greet, not {other}"),
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
    let server = Server::of(options);
    let pid = number("pid");
    let count = recorders.len() as u64;

    let (memory_before, cpu_before) = (resident_bytes(pid), cpu_s(pid));
    let began = Instant::now();
    let turns = Arc::new(Semaphore::new(COMING));
    let mut coming = JoinSet::new();
    for recorder in recorders {
        let (turns, server) = (turns.clone(), server.clone());
        coming.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            link::connect(&recorder, &server).await
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
                link.beat().await;
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
            let came = tokio::time::timeout_at(held, link.hear()).await;
            if came.is_ok() { None } else { Some(link) }
        });
    }
    let mut kept: Vec<Link> = holding.join_all().await.into_iter().flatten().collect();
    for link in &mut kept {
        link.beat().await;
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

/// TLS connections with certificates of both sides, one after the other at each of a few hands, that are
/// closed at once.
async fn greet(options: &HashMap<&str, &str>) {
    let recorders: Vec<Recorder> = serde_json::from_slice(&fs::read(options["fleet"]).unwrap()).unwrap();
    let server = Server::of(options);
    let pid = options["pid"].parse().unwrap();
    let (count, cpu_before, began) = (recorders.len(), cpu_s(pid), Instant::now());
    let turns = Arc::new(Semaphore::new(8));
    let mut greeting = JoinSet::new();
    for recorder in recorders {
        let (turns, server) = (turns.clone(), server.clone());
        greeting.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            link::greet(&recorder, &server).await;
        });
    }
    greeting.join_all().await;
    let figures = serde_json::json!({
        "connections": count,
        "connect_s": began.elapsed().as_secs_f64(),
        "connect_cpu_s": cpu_s(pid) - cpu_before,
    });
    println!("{figures}");
}

/// One beat each, so that what registration needed is given back and what a beat needs is there.
async fn settle(links: &mut [Link]) {
    for link in links {
        link.beat().await;
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
