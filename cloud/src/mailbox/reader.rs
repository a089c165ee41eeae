//! A mail is read by a process of its own: this program again, under limits that the kernel keeps. A
//! picture that bursts, loops or crashes it costs that process and nothing else.

use super::letter::{self, Found};
use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};
use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

/// The hidden command.
pub const COMMAND: &str = "read-mail";
/// The largest mail: what common services let through, with attachments in base64.
pub const MAIL_BYTES_MAX: u64 = 35 * 1024 * 1024;
/// Address space: a picture of the most points four times over, and the mail.
const MEMORY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
const CPU_S_MAX: u64 = 20;
/// A machine that is busy with other things takes longer.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Eight links of 3 KiB, written as JSON.
const ANSWER_BYTES_MAX: u64 = 32 * 1024;

/// How the reading ended, if it did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The process could not be started or spoken with: nothing is known of the mail.
    #[error("the process that reads mails cannot be used")]
    Process(#[source] io::Error),
    /// The mail brought the process down, or kept it busy for too long.
    #[error("the mail could not be read within its limits")]
    Limits,
}

/// Reads a mail in a process of its own. `program` is this program. The mail goes to it as a file: here it
/// takes no memory.
pub async fn read(program: &Path, mail: File) -> Result<Found, ReadError> {
    let mut child = Command::new(program)
        .arg(COMMAND)
        .env_clear()
        .stdin(mail)
        .stdout(Stdio::piped())
        .stderr(Stdio::null()) // what a decoder says of a stranger's picture is no line for a log
        .kill_on_drop(true)
        .spawn()
        .map_err(ReadError::Process)?;
    let Some(from) = child.stdout.take() else {
        return Err(ReadError::Process(io::Error::other("it has no pipe")));
    };
    let conversation = async {
        let mut answer = vec![];
        let _ = from.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
        (answer, child.wait().await)
    };
    let Ok((answer, ended)) = timeout(TIME_MAX, conversation).await else { return Err(ReadError::Limits) };
    if !ended.map_err(ReadError::Process)?.success() {
        return Err(ReadError::Limits);
    }
    serde_json::from_slice(&answer).map_err(|_| ReadError::Limits)
}

/// The other end: limits itself, reads a mail from standard input, writes what it holds to standard
/// output.
pub fn serve_one() -> io::Result<()> {
    for (resource, most) in [
        (Resource::RLIMIT_AS, MEMORY_BYTES_MAX),
        (Resource::RLIMIT_CPU, CPU_S_MAX),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_NOFILE, 3), // the three that it has
    ] {
        setrlimit(resource, most, most)?;
    }
    prctl::set_no_new_privs()?;
    let mut mail = vec![];
    io::stdin().take(MAIL_BYTES_MAX).read_to_end(&mut mail)?;
    let found = serde_json::to_vec(&letter::read(&mail)).map_err(io::Error::other)?;
    io::stdout().write_all(&found)
}
