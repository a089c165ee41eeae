//! Hooks: the board's programs that tell the recorder's other software a new password, or keep and
//! compare it in our place.
//!
//! They want root, which the daemon gives up. So before it does, it starts itself a second time as
//! [`helper`]: that process reads its own configuration, runs the programs in the board's folder and
//! nothing else, and ends with the daemon. What passes between the two is an [`Order`] and what came of
//! it, over a socket pair.
//!
//! Must not: know of requests, doors, the heart or the store.

pub mod helper;
mod run;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use zeroize::Zeroizing;

/// The most hooks of a board: more are not run.
pub const HOOKS_MAX: usize = 16;
/// A password has 128 characters at most, each of four bytes and a backslash.
const FRAME_BYTES_MAX: usize = 16 * 1024;

/// What the hooks are to be told.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Why: one of the words of `docs/PORTING.md`.
    pub event: String,
    /// The password.
    pub password: Zeroizing<String>,
    /// Hooks that have taken it already.
    pub done: Vec<String>,
}

/// What came of one hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// The hook's file name.
    pub name: String,
    /// How it ended.
    pub ended: Ended,
    /// The last of what it said, as far as it can be shown; one line.
    pub said: String,
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// With exit code 0: it did what it was told.
    Done,
    /// With exit code 1: it did not; asked whether a password is right, it is not.
    No,
    /// In any other way, and why.
    Failed(String),
}

/// The daemon's end.
#[derive(Debug)]
pub struct Helper {
    socket: UnixStream,
    child: Child,
}

impl Helper {
    /// Starts the helper with the rights that this process has now. `arguments` are those of
    /// `latchkeyd hook-helper`; `limit_s` is what each hook has.
    pub fn start(arguments: &[PathBuf], limit_s: u64) -> io::Result<Self> {
        let (socket, its_own) = UnixStream::pair()?;
        // Every hook to its limit, and what it takes to start them.
        let longest_s = limit_s.saturating_mul(HOOKS_MAX as u64).saturating_add(30);
        socket.set_read_timeout(Some(Duration::from_secs(longest_s)))?;
        socket.set_write_timeout(Some(Duration::from_secs(10)))?;
        let child = Command::new(std::env::current_exe()?)
            .arg("hook-helper")
            .args(arguments)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(its_own)))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { socket, child })
    }

    /// Has the hooks told, and waits for what comes of it. After an error nothing can be told any more.
    pub fn carry_out(&mut self, order: &Order) -> io::Result<Vec<Ran>> {
        send(&mut self.socket, order)?;
        receive(&mut self.socket)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The helper's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// Writes one message: its length, then JSON.
fn send(socket: &mut UnixStream, message: &impl Serialize) -> io::Result<()> {
    // One allocation that is large enough: a growing buffer would leave copies of the password behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FRAME_BYTES_MAX));
    bytes.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    socket.write_all(&bytes)
}

/// Reads one message; none if the other end is gone.
fn receive<T: DeserializeOwned>(socket: &mut UnixStream) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if let Err(error) = socket.read_exact(&mut length) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message that is too long"));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    socket.read_exact(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}
