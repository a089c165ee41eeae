//! The daemon as a process of its own, with its folders, its log, and a way to ask it things.

use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    time::Duration,
};

/// A generous limit on every wait: the machine may be slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Who the daemon becomes in these tests.
pub(crate) const USER: u32 = 59_443;

/// Whether root is who runs the tests; says so if not.
pub(crate) fn is_root(what: &str) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can {what}");
    }
    is_root
}

/// A folder on tmpfs that others can pass through, gone when dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/latchkey-boot-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Settings of a recorder in this folder, with more sections.
    pub(crate) fn settings(&self, more: &str) -> PathBuf {
        let path = self.0.join("settings.toml");
        let text = format!(
            "[device]\nserial = \"LK-BOOT\"\n[paths]\nstate = \"state\"\nruntime = \"run\"\n\
             [password_hash]\nmemory_kib = 7168\npasses = 5\n{more}"
        );
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `latchkeyd` with these words, on the settings, by base.toml.
pub(crate) fn latchkeyd(words: &[&str], settings: &Path) -> Vec<String> {
    let mut all = vec![env!("CARGO_BIN_EXE_latchkeyd").to_owned()];
    all.extend(words.iter().map(|word| (*word).to_owned()));
    let board = concat!(env!("CARGO_MANIFEST_DIR"), "/board/base.toml");
    all.extend(["--board", board, "--settings", settings.to_str().unwrap()].map(str::to_owned));
    all
}

/// Ports that nobody else has: those of a network of its own.
pub(crate) fn in_own_network(command: &[String]) -> Vec<String> {
    let script = "ip link set lo up && exec \"$@\"";
    let mut all: Vec<String> = ["unshare", "--net", "--", "sh", "-c", script, "sh"].map(str::to_owned).into();
    all.extend_from_slice(command);
    all
}

/// A daemon that runs; killed when dropped.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    lines: Receiver<String>,
    pub(crate) said: Vec<String>,
    console: PathBuf,
}

impl Daemon {
    /// Starts a command that becomes the daemon, after `prepare` has changed how.
    pub(crate) fn spawn(folder: &Folder, command: &[String], prepare: impl FnOnce(&mut Command)) -> Self {
        let mut started = Command::new(&command[0]);
        started.args(&command[1..]).stdin(Stdio::null()).stderr(Stdio::piped());
        prepare(&mut started);
        let mut child = started.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = sync_channel(100_000);
        // Whoever stops reading stops the daemon at a full pipe.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines, said: Vec::new(), console: folder.0.join("run/console.socket") }
    }

    /// Starts it in a network of its own, and waits until it is ready.
    pub(crate) fn start(folder: &Folder, settings: &Path) -> Self {
        let mut daemon = Self::spawn(folder, &in_own_network(&latchkeyd(&["run"], settings)), |_| {});
        daemon.wait_for("ready");
        daemon
    }

    /// Waits for a line of the log.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("it never said {text:?}, but: {:#?}", self.said);
            };
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// What it has said to its end.
    pub(crate) fn all_said(&mut self) -> &[String] {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push(line);
        }
        &self.said
    }

    pub(crate) fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// A field of its /proc/PID/status.
    pub(crate) fn status(&self, field: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Sends a request to the console's socket.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> UnixStream {
        self.send_as("", method, path, body)
    }

    /// Asks at the console with a session.
    pub(crate) fn ask_as(&self, session: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        answer(self.send_as(&format!("Authorization: Bearer {session}\r\n"), method, path, body))
    }

    fn send_as(&self, header: &str, method: &str, path: &str, body: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.console).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nHost: console\r\nConnection: close\r\n\
             {header}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    /// Asks at the console, and gives status and JSON.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        answer(self.send(method, path, body))
    }

    pub(crate) fn activate(&self, password: &str) {
        let body = serde_json::json!({ "password": password }).to_string();
        let (status, answer) = self.ask("POST", "activation", &body);
        assert_eq!(status, 201, "{answer}");
    }

    /// The status of a sign-in.
    pub(crate) fn sign_in(&self, password: &str) -> u16 {
        self.ask("POST", "session", &serde_json::json!({ "password": password }).to_string()).0
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        nix::sys::signal::kill(self.pid(), nix::sys::signal::Signal::SIGTERM).unwrap();
        self.child.wait().unwrap()
    }
}

/// The answer to a request that was sent.
pub(crate) fn answer(mut stream: UnixStream) -> (u16, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
