//! The board file and the settings file, read once into a validated [`Config`]. Nothing else reads
//! settings, and nothing reads the environment but [`ServiceManager`], for its protocol.
//!
//! A board file may begin with `inherits = "other.toml"`; its keys win over the other's, and the
//! settings file, which has the same keys, wins over both. Every fault is found before any is
//! reported, each with its file, line and field and what would be right.

mod layers;
mod machine;
mod service_manager;
#[cfg(test)]
mod tests;

pub use machine::{Hooks, Log, Privileges, Watchdog};
pub use service_manager::ServiceManager;

use crate::recovery::{DeviceCode, Limits};
use layers::Layers;
use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// What the daemon runs by. Every value has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What the recorder is.
    pub device: Device,
    /// Where things are kept.
    pub paths: Paths,
    /// The LAN door.
    pub lan: Lan,
    /// Users that may speak on the console's socket.
    pub console_uids: Vec<u32>,
    /// The door for the recorder's own web server, if it has one.
    pub proxied: Option<Proxied>,
    /// What a password hash costs.
    pub password_hash: PasswordHash,
    /// The numbers of recovery.
    pub limits: Limits,
    /// Who the daemon becomes if it is started as root; none: it stays who it is.
    pub privileges: Option<Privileges>,
    /// How the log looks.
    pub log: Log,
    /// The kernel's watchdog, if the daemon is to feed it.
    pub watchdog: Option<Watchdog>,
    /// The board's hooks, if it has any.
    pub hooks: Option<Hooks>,
    /// The board file and the settings file, for a helper that reads them again.
    pub files: (PathBuf, Option<PathBuf>),
}

/// What the recorder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// On the label: 1 to 32 letters, digits and hyphens.
    pub serial: String,
    /// 1 to 64 printable characters.
    pub model: String,
    /// On the label, beside the serial; absent: one is drawn when it is needed.
    pub verification_code: Option<DeviceCode>,
    /// What the wall clock is ahead of UTC, in minutes; only shown.
    pub utc_offset_min: i16,
}

/// Where things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Flash: the account record, keys, identity, certificate.
    pub state: PathBuf,
    /// tmpfs or ramfs: pending challenges, sockets.
    pub runtime: PathBuf,
}

/// The LAN door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lan {
    /// Interfaces where the same-link rule is met.
    pub interfaces: Vec<String>,
    /// The HTTPS port.
    pub https_port: u16,
    /// The port of the page that explains the certificate warning; zero: none.
    pub http_port: u16,
    /// Host names besides the device's own addresses that browsers may use, in lowercase.
    pub names: Vec<String>,
    /// Addresses on the link that are a router's, which masquerades, and whom no route names.
    pub not_peers: Vec<IpAddr>,
}

/// The door for the recorder's own web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxied {
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Where that server shows the pages: empty, or `/` and a name, no `/` at the end.
    pub base_path: String,
    /// Users that may connect: the one that server runs as.
    pub uids: Vec<u32>,
    /// Whether browsers reach that server by TLS.
    pub tls: bool,
}

/// What a password hash costs (Argon2id).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordHash {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

/// The cheapest hash that a board may ask for: memory in KiB times passes (7 MiB and 5, the smallest
/// choice of the OWASP Password Storage Cheat Sheet).
const HASH_WORK_MIN: u32 = 7168 * 5;

/// What a board file says to others: to those who build for the board, which `scripts/build` checks, and to
/// the local screen, which checks its own keys.
const OF_OTHERS: [&str; 12] = [
    "build.target",
    "build.size_max_kib",
    "build.panel_size_max_kib",
    "build.cpu",
    "panel.display",
    "panel.keyboard",
    "panel.large_text",
    "panel.high_contrast",
    "panel.kept",
    "panel.sticks",
    "panel.restart",
    "panel.shut_down",
];

impl Config {
    /// Reads a board file, what it inherits, and a settings file over them.
    pub fn read(board: &Path, settings: Option<&Path>) -> Result<Self, Faults> {
        let mut layers = Layers::read(board, settings);
        let config = Self {
            device: device(&mut layers),
            paths: paths(&mut layers),
            lan: lan(&mut layers),
            console_uids: layers.list("console.uids", UIDS, uid),
            proxied: None,
            password_hash: password_hash(&mut layers),
            limits: limits(&mut layers),
            privileges: machine::privileges(&mut layers),
            log: machine::log(&mut layers),
            watchdog: machine::watchdog(&mut layers),
            hooks: machine::hooks(&mut layers),
            files: (board.to_owned(), settings.map(Path::to_owned)),
        };
        let proxied = proxied(&mut layers, &config.paths.runtime);
        for name in OF_OTHERS {
            layers.skip(name);
        }
        layers.finish()?;
        Ok(Self { proxied, ..config })
    }
}

const UIDS: &str = "a list of at least one user id, such as [0]";

fn device(layers: &mut Layers) -> Device {
    let serial_right = "the serial on the label: 1 to 32 letters, digits and hyphens";
    let (own, file) = (layers.rank("device.serial"), layers.rank("device.serial_file"));
    let serial = if own.is_some() && own == file {
        layers.wrong("device.serial", "stand in a file without serial_file: give one of the two");
        layers.skip("device.serial_file");
        String::new()
    } else if file > own {
        layers.skip("device.serial");
        let right = "a readable file that holds the serial: 1 to 32 letters, digits and hyphens";
        layers.take("device.serial_file", right, |value| {
            let text = layers::read_text(&value.path()?, 256).ok()?;
            Some(text.trim_matches(['\0', ' ', '\t', '\r', '\n']).to_owned()).filter(|text| is_serial(text))
        })
    } else {
        layers.skip("device.serial_file");
        layers.take("device.serial", serial_right, |value| value.text().filter(|text| is_serial(text)))
    };
    let printable =
        |text: &String| (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let code = "device.verification_code_file";
    let verification_code = if layers.rank(code).is_some() {
        layers.take(
            code,
            "a readable file that holds the label's code: 6 to 12 letters and digits",
            |value| {
                let text = layers::read_text(&value.path()?, 256).ok()?;
                DeviceCode::parse(text.trim_matches(['\0', ' ', '\t', '\r', '\n'])).ok().map(Some)
            },
        )
    } else {
        layers.skip(code);
        None
    };
    Device {
        serial,
        verification_code,
        model: layers
            .take("device.model", "1 to 64 printable characters", |value| value.text().filter(printable)),
        utc_offset_min: layers.take("device.utc_offset_min", "minutes ahead of UTC, -840 to 840", |value| {
            value.number(-840, 840)
        }),
    }
}

fn is_serial(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn paths(layers: &mut Layers) -> Paths {
    let state: PathBuf = layers.take("paths.state", "the path of a folder on flash", |value| value.path());
    let runtime = layers.take("paths.runtime", "the path of a folder on a tmpfs", |value| value.path());
    if state == runtime && !state.as_os_str().is_empty() {
        layers.wrong("paths.runtime", "be another folder than paths.state: it must not outlive a reboot");
    }
    Paths { state, runtime }
}

fn lan(layers: &mut Layers) -> Lan {
    let interfaces =
        layers.list("lan.interfaces", "a list of at least one network interface, such as [\"eth0\"]", |v| {
            // IFNAMSIZ is 16 with the closing zero.
            v.text().filter(|name| {
                (1..16).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
            })
        });
    let https_port = layers.take("lan.https_port", "a port, 1 to 65535", |value| value.number(1, 65535));
    let http_port =
        layers.take("lan.http_port", "a port, 1 to 65535, or 0 for none", |value| value.number(0, 65535));
    if https_port == http_port && https_port != 0 {
        layers.wrong("lan.http_port", "be another port than lan.https_port");
    }
    let right = "a list of host names, such as [\"recorder.example\"], or []";
    let names = layers.list_or_empty("lan.names", right, |value| {
        value.text().map(|name| name.to_ascii_lowercase()).filter(|name| is_host_name(name))
    });
    let right = "a list of addresses of routers on the link, such as [\"192.168.1.1\"], or []";
    let not_peers = layers.list_or_empty("lan.not_peers", right, |value| {
        value.text().and_then(|text| text.parse::<IpAddr>().ok()).map(|address| address.to_canonical())
    });
    Lan { interfaces, https_port, http_port, names, not_peers }
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..64).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // An address is no name: the device's own are allowed by themselves, and no other is.
    name.len() < 254 && name.split('.').all(label) && name.parse::<std::net::Ipv4Addr>().is_err()
}

fn proxied(layers: &mut Layers, runtime: &Path) -> Option<Proxied> {
    if !layers.has_section("proxied") {
        return None;
    }
    let socket: String =
        layers.take("proxied.socket", "a file name in paths.runtime, or a whole path", |v| {
            v.text().filter(|text| !text.is_empty() && !text.ends_with('/') && text.len() < 100)
        });
    let right = "empty, or a path such as \"/recovery\" without a slash at its end";
    let base_path = layers.take_or("proxied.base_path", right, String::new(), |value| {
        value.text().filter(|path| is_base_path(path))
    });
    let uids = layers.list("proxied.uids", UIDS, uid);
    let tls = layers.take_or("proxied.tls", "true or false", true, |value| value.boolean());
    Some(Proxied { socket: runtime.join(socket), base_path, uids, tls })
}

fn is_base_path(path: &str) -> bool {
    let segment = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    path.is_empty()
        || (path.len() <= 128 && path.strip_prefix('/').is_some_and(|p| p.split('/').all(segment)))
}

fn uid(value: &layers::Value) -> Option<u32> {
    // The largest value stands for no user at all (chown(2)).
    value.number(0, i64::from(u32::MAX) - 1)
}

fn password_hash(layers: &mut Layers) -> PasswordHash {
    let memory_kib: u32 =
        layers.take("password_hash.memory_kib", "7168 to 131072 KiB", |value| value.number(7168, 131_072));
    let passes: u32 = layers.take("password_hash.passes", "1 to 64", |value| value.number(1, 64));
    if memory_kib != 0 && passes != 0 && memory_kib * passes < HASH_WORK_MIN {
        let right = format!("be larger: memory_kib times passes is at least {HASH_WORK_MIN} (7168 and 5)");
        layers.wrong("password_hash.passes", &right);
    }
    PasswordHash { memory_kib, passes }
}

fn limits(layers: &mut Layers) -> Limits {
    let hours: u64 = layers.take("recovery.validity_h", "1 to 48 hours", |value| value.number(1, 48));
    Limits {
        validity_s: hours * 3600,
        password_chars_min: layers
            .take("recovery.password_chars_min", "8 to 64 characters", |value| value.number(8, 64)),
        lan_reset: layers.take("recovery.lan_reset", "true or false", |value| value.boolean()),
    }
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one; zero if it is about the file as a whole.
    pub line: usize,
    /// The section and key; empty if it is about the file as a whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong, in the order of files and lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.0.iter().map(Fault::to_string).collect::<Vec<_>>();
        f.write_str(&faults.join("\n"))
    }
}

impl std::error::Error for Faults {}
