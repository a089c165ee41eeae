//! Running hooks: which files count, what they are told, how long they have, and what of their output
//! may be shown.

use super::{Ended, HOOKS_MAX, Order, Ran, helper::Settings};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, Uid},
};
use std::{
    fs,
    io::{self, PipeWriter},
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, process::ExitStatusExt},
    },
    path::Path,
    process::{ExitStatus, Stdio},
};
use tokio::{
    io::AsyncWriteExt,
    net::unix::pipe::Receiver,
    process::{Child, Command},
    time::timeout,
};
use zeroize::Zeroizing;

/// What is kept of a hook's output: its end.
const OUTPUT_BYTES_MAX: usize = 4 * 1024;
/// The longest line that is shown.
const SHOWN_CHARS_MAX: usize = 200;
/// A line that has so many characters in a row with the password is not shown.
const ALIKE_CHARS: usize = 4;
/// Where hooks find their programs; nothing else is in their environment.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The hooks of a board.
pub(super) struct Hooks {
    settings: Settings,
}

impl Hooks {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Tells every hook in the order of their names, whatever becomes of the others.
    pub(super) async fn carry_out(&self, order: &Order) -> Vec<Ran> {
        let names = match self.names() {
            Ok(names) => names,
            Err(error) => {
                let why = format!("cannot read {}: {error}", self.settings.folder.display());
                return vec![Ran { name: String::new(), ended: Ended::Failed(why), said: String::new() }];
            }
        };
        let told = self.told(order);
        let mut ran = Vec::new();
        for name in names.into_iter().filter(|name| !order.done.contains(name)) {
            let (ended, output) = match self.run(&name, &told).await {
                Ok((ended, output)) => (ended, output),
                Err(error) => (Ended::Failed(error.to_string()), Zeroizing::new(Vec::new())),
            };
            ran.push(Ran { name, ended, said: shown(&output, &order.password) });
        }
        ran
    }

    /// File names of hooks, sorted. Hidden files and what editors and packagers leave behind are none.
    fn names(&self) -> io::Result<Vec<String>> {
        if let Some(authority) = &self.settings.authority {
            return Ok(vec![authority.clone()]);
        }
        may_be_trusted(&self.settings.folder)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.settings.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            let metadata = fs::metadata(entry.path())?;
            if is_name && metadata.is_file() && metadata.mode() & 0o111 != 0 {
                names.push(name);
            }
        }
        names.sort();
        names.truncate(HOOKS_MAX);
        Ok(names)
    }

    /// One line of JSON, the password last: a shell without a JSON reader can take it apart.
    fn told(&self, order: &Order) -> Zeroizing<Vec<u8>> {
        let mut line = Zeroizing::new(Vec::with_capacity(2048));
        let Settings { user, serial, .. } = &self.settings;
        let head = format!(
            r#"{{"version":1,"event":"{}","user":"{user}","serial":"{serial}","password":"#,
            order.event
        );
        line.extend_from_slice(head.as_bytes());
        // Writing to memory cannot fail, and text always is JSON.
        let _ = serde_json::to_writer(&mut *line, order.password.as_str());
        line.extend_from_slice(b"}\n");
        line
    }

    async fn run(&self, name: &str, told: &[u8]) -> io::Result<(Ended, Zeroizing<Vec<u8>>)> {
        let path = self.settings.folder.join(name);
        may_be_trusted(&path)?;
        let (reader, writer) = io::pipe()?;
        let mut child = spawn(&path, writer)?;
        let mut reader = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let mut output = Zeroizing::new(Vec::with_capacity(2 * OUTPUT_BYTES_MAX));
        let mut input = child.stdin.take();
        let talk = async {
            if let Some(input) = &mut input {
                let _ = input.write_all(told).await; // a hook that does not read has ended or will be
            }
            drop(input);
            while read(&mut reader, &mut output).await {}
            std::future::pending::<()>().await;
        };
        let ended = timeout(self.settings.limit, async {
            tokio::select! {
                status = child.wait() => status,
                () = talk => unreachable_status(),
            }
        });
        let ended = match ended.await {
            Ok(status) => how(status?),
            Err(_) => {
                // With all that it started.
                if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
                    let _ = killpg(Pid::from_raw(id), Signal::SIGKILL); // it may have ended just now
                }
                child.wait().await?;
                Ended::Failed(format!("not done within {} s", self.settings.limit.as_secs()))
            }
        };
        // What it said last, without waiting for what it may have left running.
        while take(&reader, &mut output) {}
        Ok((ended, output))
    }
}

fn unreachable_status() -> io::Result<ExitStatus> {
    Err(io::Error::other("the output ended before the hook")) // `talk` never ends
}

fn spawn(path: &Path, output: PipeWriter) -> io::Result<Child> {
    Command::new(path)
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Waits for output and takes it. False: there is no more.
async fn read(reader: &mut Receiver, output: &mut Vec<u8>) -> bool {
    reader.readable().await.is_ok() && {
        let mut piece = Zeroizing::new([0; 1024]);
        match reader.try_read(&mut *piece) {
            Ok(0) => false,
            Ok(length) => keep_end(output, &piece[..length]),
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

fn take(reader: &Receiver, output: &mut Vec<u8>) -> bool {
    let mut piece = Zeroizing::new([0; 1024]);
    matches!(reader.try_read(&mut *piece), Ok(length) if length > 0 && keep_end(output, &piece[..length]))
}

/// Keeps the end of the output, in memory that never grows.
fn keep_end(output: &mut Vec<u8>, piece: &[u8]) -> bool {
    output.extend_from_slice(piece);
    let over = output.len().saturating_sub(OUTPUT_BYTES_MAX);
    output.drain(..over);
    true
}

fn how(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ended::Done,
        (Some(1), _) => Ended::No,
        (Some(code), _) => Ended::Failed(format!("exit code {code}")),
        (None, signal) => Ended::Failed(format!("ended by signal {}", signal.unwrap_or_default())),
    }
}

/// Nobody but root, or whom this process is, can have put something else there.
fn may_be_trusted(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let is_ours = metadata.uid() == 0 || metadata.uid() == Uid::effective().as_raw();
    if is_ours && metadata.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("others can change {}: run chown root and chmod go-w", path.display()),
    ))
}

/// The last line that a hook said, unless it may tell the password.
fn shown(output: &[u8], password: &str) -> String {
    let text = Zeroizing::new(String::from_utf8_lossy(output).into_owned());
    let Some(line) = text.lines().map(str::trim).rfind(|line| !line.is_empty()) else {
        return String::new();
    };
    if is_alike(line, password) {
        return "(not shown: it may tell the password)".to_owned();
    }
    line.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}

/// Whether a line has some characters in a row with the password, in any case.
fn is_alike(line: &str, password: &str) -> bool {
    let line = Zeroizing::new(line.to_lowercase());
    let password = Zeroizing::new(password.to_lowercase());
    let starts: Vec<usize> = password.char_indices().map(|(at, _)| at).chain([password.len()]).collect();
    let mut pieces = starts.windows(ALIKE_CHARS + 1);
    pieces.any(|at| line.contains(&password[at[0]..at[ALIKE_CHARS]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_may_tell_the_password_is_not_shown() {
        let password = "Correct horse 1";
        for bad in ["password is Correct horse 1", "CORRECT", "orse 1\n\n", "x\nuser admin: horse?"] {
            assert!(shown(bad.as_bytes(), password).starts_with("(not shown"), "{bad}");
        }
        assert_eq!(shown(b"horse\nno such user\x1b[2J\n", password), "no such user[2J");
        assert_eq!(shown(b"", password), "");
        assert_eq!(shown(&[b'x'; 9000], password).len(), SHOWN_CHARS_MAX);
        assert!(is_alike("\u{fc}berall", "\u{dc}BERall"));
    }
}
