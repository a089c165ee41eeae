//! HTTP/1.1 over the daemon's Unix socket, one request at a time, on a thread of its own: the screen
//! never waits for the daemon.
//!
//! Every request has a connection of its own, so that a daemon that was started again is found at once.

use crate::{
    api::{Answer, Failure, Problem, Request, Wire},
    clock::Moment,
};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::{
    io::{ErrorKind, Read, Write},
    os::{fd::AsFd, fd::BorrowedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};
use zeroize::Zeroizing;

/// The largest answer: the QR code's picture has some 20 kB.
const ANSWER_BYTES_MAX: usize = 512 * 1024;
/// The longest that an answer may take. A password may wait for others to be hashed before it.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Headers of an answer.
const HEADERS_MAX: usize = 32;
/// Requests that wait. The screen asks for one thing at a time, and for the device's state beside it.
const QUEUE_MAX: usize = 8;

/// A request with its answer.
pub type Answered = (Request, Result<Answer, Failure>);

/// Status and body of an answer.
type Whole = (u16, Zeroizing<Vec<u8>>);

/// The thread that asks.
pub struct Client {
    requests: SyncSender<Request>,
    answers: Receiver<Answered>,
    ready: Arc<EventFd>,
}

impl Client {
    /// Starts it. Nothing is asked yet.
    pub fn start(socket: PathBuf) -> std::io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let ready = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let (requests, asked) = sync_channel::<Request>(QUEUE_MAX);
        let (answer, answers) = sync_channel(QUEUE_MAX);
        let signal = Arc::clone(&ready);
        thread::Builder::new().name("client".to_owned()).stack_size(256 * 1024).spawn(move || {
            while let Ok(request) = asked.recv() {
                let answered = ask(&socket, &request);
                if answer.send((request, answered)).is_err() || signal.write(1).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { requests, answers, ready })
    }

    /// Asks. Gives the request back as unanswered if too many wait.
    pub fn ask(&self, request: Request) -> Option<Answered> {
        match self.requests.try_send(request) {
            Ok(()) => None,
            Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) => {
                Some((request, Err(Failure::Unreachable("too many requests wait".to_owned()))))
            }
        }
    }

    /// An answer that has come.
    pub fn next(&self) -> Option<Answered> {
        let _ = self.ready.read(); // empties it; what has come is in the queue
        self.answers.try_recv().ok()
    }

    /// Readable when an answer has come.
    pub fn ready(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }
}

fn ask(socket: &Path, request: &Request) -> Result<Answer, Failure> {
    let (status, body) = exchange(socket, &request.wire(), ANSWER_TIME_MAX)?;
    if (200..300).contains(&status) {
        return request.read(&body).map_err(|error| Failure::Garbage(place(&error)));
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(Failure::Refused(Box::new(problem))),
        Err(_) => Err(Failure::Garbage(format!("status {status} without a reason"))),
    }
}

/// Where it cannot be read. What serde says may quote a value.
fn place(error: &serde_json::Error) -> String {
    format!("JSON, line {}, column {}", error.line(), error.column())
}

/// One request and its whole answer: status and body.
fn exchange(socket: &Path, wire: &Wire, time_max: Duration) -> Result<Whole, Failure> {
    let lost = |error: std::io::Error| Failure::Unreachable(error.to_string());
    let until = Moment::now().after(time_max);
    let mut stream = UnixStream::connect(socket).map_err(lost)?;
    stream.set_write_timeout(Some(time_max)).map_err(lost)?;
    stream.write_all(&head_and_body(wire)).map_err(lost)?;
    // Never moved while it grows: an answer may hold a session.
    let mut answer = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let mut piece = Zeroizing::new([0_u8; 4096]);
    loop {
        let left = until.since(Moment::now()).filter(|left| !left.is_zero());
        let left = left.ok_or_else(|| Failure::Unreachable("it took too long".to_owned()))?;
        stream.set_read_timeout(Some(left)).map_err(lost)?;
        let read = match stream.read(&mut piece[..]) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(error) => return Err(lost(error)),
        };
        if answer.len() + read > ANSWER_BYTES_MAX {
            return Err(Failure::Garbage("larger than any answer".to_owned()));
        }
        if answer.len() + read > answer.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(answer.capacity() * 4));
            larger.extend_from_slice(&answer);
            answer = larger;
        }
        answer.extend_from_slice(&piece[..read]);
        if let Some(found) = whole(&answer, read == 0)? {
            return Ok(found);
        }
        if read == 0 {
            return Err(Failure::Unreachable("the connection was closed".to_owned()));
        }
    }
}

fn head_and_body(wire: &Wire) -> Zeroizing<Vec<u8>> {
    let body = wire.body.as_ref().map_or(&[][..], |body| body);
    let mut bytes = Zeroizing::new(Vec::with_capacity(512 + body.len()));
    let start =
        format!("{} /api/v1{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", wire.method, wire.path);
    bytes.extend_from_slice(start.as_bytes());
    if let Some(session) = &wire.session {
        bytes.extend_from_slice(b"Authorization: Bearer ");
        bytes.extend_from_slice(session.0.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    if wire.body.is_some() {
        bytes.extend_from_slice(
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()).as_bytes(),
        );
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Status and body, once all of it is there.
fn whole(bytes: &[u8], ended: bool) -> Result<Option<Whole>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let head = answer.parse(bytes).map_err(|error| Failure::Garbage(format!("HTTP: {error}")))?;
    let httparse::Status::Complete(head) = head else { return Ok(None) };
    let named = |name: &str| answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let length = named("content-length")
        .map(|header| std::str::from_utf8(header.value).ok().and_then(|text| text.parse::<usize>().ok()));
    let body = &bytes[head..];
    let body = match (answer.code, length) {
        (Some(204), _) => &[][..],
        (_, Some(Some(length))) if body.len() >= length => &body[..length],
        (_, Some(Some(_))) => return Ok(None),
        (_, None) if ended => body,
        (_, None) => return Ok(None),
        (_, Some(None)) => return Err(Failure::Garbage("HTTP: a length that is no number".to_owned())),
    };
    let status = answer.code.ok_or_else(|| Failure::Garbage("HTTP: no status".to_owned()))?;
    Ok(Some((status, Zeroizing::new(body.to_vec()))))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
