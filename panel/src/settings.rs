//! The board's file, the integrator's settings over it, and what the person chose.

use crate::state::Preferences;
use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The longest chain of `inherits`.
const FILES_MAX: usize = 8;

/// What the panel needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// `auto`, `drm` or `fbdev`.
    pub display: String,
    /// The keyboard's layout.
    pub keyboard: String,
    /// Whether text is large unless the person says otherwise.
    pub large_text: bool,
    /// Whether contrast is high unless the person says otherwise.
    pub high_contrast: bool,
    /// Where the person's choice is kept; without it, until the next start.
    pub kept: Option<PathBuf>,
    /// Where sticks are mounted.
    pub sticks: Vec<PathBuf>,
    /// What restarts the recorder.
    pub restart: Option<Vec<String>>,
    /// What shuts it down.
    pub shut_down: Option<Vec<String>>,
    /// Interfaces of the device's own pages, and their port.
    pub interfaces: Vec<String>,
    /// The port.
    pub https_port: u16,
}

/// Why the settings cannot be used: all reasons.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Faults(pub Vec<String>);

impl Settings {
    /// For a socket, with nothing else known: a developer's PC.
    pub fn for_socket(socket: PathBuf) -> Self {
        Self { socket, keyboard: "us".to_owned(), display: "auto".to_owned(), ..Self::default() }
    }

    /// Reads the board's file with what it inherits, and the settings over it.
    pub fn read(board: &Path, settings: Option<&Path>) -> Result<Self, Faults> {
        let mut reader = Reader { tables: Vec::new(), faults: Vec::new() };
        if let Some(settings) = settings {
            reader.add(settings);
        }
        let mut next = Some(board.to_owned());
        for _ in 0..FILES_MAX {
            next = next.and_then(|file| reader.add(&file));
        }
        if next.is_some() {
            reader.faults.push(format!("{}: a chain of more than {FILES_MAX} files", board.display()));
        }
        let read = reader.settings();
        if reader.faults.is_empty() { Ok(read) } else { Err(Faults(reader.faults)) }
    }

    /// What the person chose before, over what the board has.
    pub fn preferences(&self) -> Preferences {
        let kept = self.kept.as_ref().and_then(|file| fs::read_to_string(file).ok());
        let kept: Table = kept.and_then(|text| text.parse().ok()).unwrap_or_default();
        let switch = |key: &str, board| kept.get(key).and_then(Value::as_bool).unwrap_or(board);
        Preferences {
            large_text: switch("large_text", self.large_text),
            high_contrast: switch("high_contrast", self.high_contrast),
            layout: kept.get("keyboard").and_then(Value::as_str).unwrap_or(&self.keyboard).to_owned(),
        }
    }

    /// Keeps what the person chose.
    pub fn keep(&self, preferences: &Preferences) -> io::Result<()> {
        let Some(file) = &self.kept else { return Ok(()) };
        let Preferences { large_text, high_contrast, layout } = preferences;
        let text =
            format!("large_text = {large_text}\nhigh_contrast = {high_contrast}\nkeyboard = {layout:?}\n");
        let part = file.with_extension("part");
        fs::write(&part, text)?;
        fs::rename(part, file)
    }

    /// Where the device's own pages are now.
    pub fn addresses(&self) -> Vec<String> {
        let Ok(all) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
        let port = if self.https_port == 443 { String::new() } else { format!(":{}", self.https_port) };
        let mut addresses: Vec<String> = all
            .filter(|found| self.interfaces.contains(&found.interface_name))
            .filter_map(|found| found.address)
            .filter_map(|address| {
                if let Some(v4) = address.as_sockaddr_in() {
                    return Some(IpAddr::V4(v4.ip()));
                }
                // A link-local address needs the reader's own interface behind it: no browser takes that.
                address
                    .as_sockaddr_in6()
                    .map(|v6| v6.ip())
                    .filter(|ip| !ip.is_unicast_link_local())
                    .map(IpAddr::V6)
            })
            .map(|ip| match ip {
                IpAddr::V4(ip) => format!("https://{ip}{port}/"),
                IpAddr::V6(ip) => format!("https://[{ip}]{port}/"),
            })
            .collect();
        addresses.dedup();
        addresses
    }
}

struct Reader {
    /// The strongest first, each with the folder that relative paths start from.
    tables: Vec<(PathBuf, Table)>,
    faults: Vec<String>,
}

impl Reader {
    /// Adds a file; gives the one that it inherits.
    fn add(&mut self, file: &Path) -> Option<PathBuf> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                self.faults.push(format!("{}: cannot be read: {error}", file.display()));
                return None;
            }
        };
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                self.faults.push(format!("{}: not TOML: {}", file.display(), error.to_string().trim_end()));
                return None;
            }
        };
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let base = table.get("inherits").and_then(Value::as_str).map(|base| folder.join(base));
        for key in table.get("panel").and_then(Value::as_table).into_iter().flat_map(Table::keys) {
            if !KEYS.contains(&key.as_str()) {
                self.faults.push(format!(
                    "{}: panel.{key}: is not known; [panel] has {}",
                    file.display(),
                    KEYS.join(", ")
                ));
            }
        }
        self.tables.push((folder, table));
        base
    }

    fn find(&self, section: &str, key: &str) -> Option<(&PathBuf, &Value)> {
        self.tables.iter().find_map(|(folder, table)| Some((folder, table.get(section)?.get(key)?)))
    }

    fn take<T>(
        &mut self,
        section: &str,
        key: &str,
        right: &str,
        absent: T,
        parse: impl Fn(&Path, &Value) -> Option<T>,
    ) -> T {
        let Some((folder, value)) = self.find(section, key) else { return absent };
        match parse(folder, value) {
            Some(value) => value,
            None => {
                self.faults.push(format!("{section}.{key}: must be {right}"));
                absent
            }
        }
    }

    fn settings(&mut self) -> Settings {
        let text = |_: &Path, value: &Value| value.as_str().map(str::to_owned);
        let path = |folder: &Path, value: &Value| value.as_str().map(|text| folder.join(text));
        let switch = |_: &Path, value: &Value| value.as_bool();
        let list = |_: &Path, value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let paths = |folder: &Path, value: &Value| -> Option<Vec<PathBuf>> {
            value.as_array()?.iter().map(|item| item.as_str().map(|text| folder.join(text))).collect()
        };
        let command =
            |folder: &Path, value: &Value| list(folder, value).filter(|words| !words.is_empty()).map(Some);
        let display = |_: &Path, value: &Value| {
            value.as_str().filter(|name| ["auto", "drm", "fbdev"].contains(name)).map(str::to_owned)
        };
        let port = |_: &Path, value: &Value| value.as_integer().and_then(|port| u16::try_from(port).ok());
        let runtime = self.take("paths", "runtime", "the path of a folder", PathBuf::new(), path);
        if runtime.as_os_str().is_empty() {
            self.faults
                .push("paths.runtime: is missing; it must be the path of a folder on a tmpfs".to_owned());
        }
        Settings {
            socket: runtime.join("console.socket"),
            display: self.take("panel", "display", "auto, drm or fbdev", "auto".to_owned(), display),
            keyboard: self.take(
                "panel",
                "keyboard",
                "the name of a layout, such as us",
                "us".to_owned(),
                text,
            ),
            large_text: self.take("panel", "large_text", "true or false", false, switch),
            high_contrast: self.take("panel", "high_contrast", "true or false", false, switch),
            kept: self.take("panel", "kept", "the path of a file", None, |folder, value| {
                path(folder, value).map(Some)
            }),
            sticks: self.take("panel", "sticks", "a list of folders", Vec::new(), paths),
            restart: self.take("panel", "restart", "a list: a program and its arguments", None, command),
            shut_down: self.take("panel", "shut_down", "a list: a program and its arguments", None, command),
            interfaces: self.take("lan", "interfaces", "a list of interfaces", Vec::new(), list),
            https_port: self.take("lan", "https_port", "a port", 443, port),
        }
    }
}

/// The keys of `[panel]`.
const KEYS: [&str; 8] =
    ["display", "keyboard", "large_text", "high_contrast", "kept", "sticks", "restart", "shut_down"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn settings_lie_over_the_board_and_faults_come_together() {
        let folder = std::env::temp_dir().join(format!("latchkey-panel-settings-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.join(name), text).unwrap();
            folder.join(name)
        };
        file(
            "base.toml",
            "[paths]\nruntime = \"run\"\n[panel]\nkeyboard = \"us\"\nkept = \"kept.toml\"\n[lan]\nhttps_port = 8443\n",
        );
        let board = file("board.toml", "inherits = \"base.toml\"\n[panel]\nrestart = [\"/sbin/reboot\"]\n");
        let own = file("settings.toml", "[device]\nserial = \"X\"\n[panel]\nkeyboard = \"de\"\n");
        let read = Settings::read(&board, Some(&own)).unwrap();
        assert_eq!(read.socket, folder.join("run/console.socket"));
        assert_eq!((read.keyboard.as_str(), read.https_port), ("de", 8443));
        assert_eq!(read.restart.as_deref(), Some(&["/sbin/reboot".to_owned()][..]));
        let mut chosen = read.preferences();
        assert_eq!((chosen.large_text, chosen.layout.as_str()), (false, "de"));
        chosen.large_text = true;
        read.keep(&chosen).unwrap();
        assert_eq!(read.preferences(), chosen);
        file("kept.toml", "large_text = \"yes\"\nkeyboard = [");
        assert!(!read.preferences().large_text, "what cannot be read is as if it were not there");
        let bad = file("bad.toml", "[panel]\ndisplay = \"vga\"\nkeyboard = 5\ncolour = 1\nrestart = []\n");
        let faults = Settings::read(&board, Some(&bad)).unwrap_err().to_string();
        for part in ["panel.display", "panel.keyboard", "panel.colour", "panel.restart"] {
            assert!(faults.contains(part), "{part}: {faults}");
        }
        let turned = file("turned.toml", "inherits = \"turned.toml\"\n[paths]\nruntime = \"run\"\n");
        assert!(Settings::read(&turned, None).unwrap_err().to_string().contains("chain"));
        fs::remove_dir_all(folder).unwrap();
    }
}
