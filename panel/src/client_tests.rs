#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::api::{Aim, Secret};
use std::os::unix::net::UnixListener;

/// Answers one connection with these bytes; `None` says nothing until the other end gives up.
fn serve(answer: Option<&'static [u8]>) -> (PathBuf, thread::JoinHandle<Vec<u8>>) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("latchkey-panel-{}-{number}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = vec![0; 4096];
        let length = stream.read(&mut asked).unwrap();
        asked.truncate(length);
        match answer {
            Some(answer) => drop(stream.write_all(answer)),
            None => drop(stream.read(&mut [0; 1])),
        }
        asked
    });
    (path, server)
}

fn asked(answer: &'static [u8]) -> Result<Answer, Failure> {
    let (path, server) = serve(Some(answer));
    let answered = ask(&path, &Request::Challenge(Aim::Reset));
    server.join().unwrap();
    std::fs::remove_file(path).unwrap();
    answered
}

#[test]
fn a_request_is_whole_and_a_refusal_is_read() {
    let (path, server) = serve(Some(
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 107\r\n\r\n{\"type\":\"urn:latchkey:problem:wrong-password\",\"title\":\"t\",\"status\":403,\"detail\":\"d\",\"wait_s\":30,\"new\":true}",
    ));
    let session = Secret(Zeroizing::new("00ff".to_owned()));
    let current = Secret(Zeroizing::new("old".to_owned()));
    let new = Secret(Zeroizing::new("new".to_owned()));
    let refused = ask(&path, &Request::ChangePassword { session, current, new }).unwrap_err();
    let Failure::Refused(problem) = refused else { unreachable!("{refused:?}") };
    assert_eq!((problem.name(), problem.wait_s), ("wrong-password", Some(30)));
    let text = String::from_utf8(server.join().unwrap()).unwrap();
    assert!(text.starts_with("PUT /api/v1/admin/password HTTP/1.1\r\n"), "{text}");
    assert!(
        text.contains("\r\nAuthorization: Bearer 00ff\r\n") && text.contains("\r\nContent-Length: 29\r\n")
    );
    assert!(text.ends_with("\r\n\r\n{\"current\":\"old\",\"new\":\"new\"}"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn garbage_is_called_garbage() {
    let garbage: [&[u8]; 7] = [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nsorry",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        &[0xff; 3000],
    ];
    for answer in garbage {
        assert!(matches!(asked(answer), Err(Failure::Garbage(_))), "{:?}", String::from_utf8_lossy(answer));
    }
    static ENDLESS: [u8; ANSWER_BYTES_MAX + 8192] = {
        let mut bytes = [b'a'; ANSWER_BYTES_MAX + 8192];
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
        let mut at = 0;
        while at < head.len() {
            bytes[at] = head[at];
            at += 1;
        }
        bytes
    };
    assert!(matches!(asked(&ENDLESS), Err(Failure::Garbage(_))));
}

#[test]
fn silence_and_absence_are_told_apart_from_garbage() {
    for cut in [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"] {
        assert!(matches!(asked(cut), Err(Failure::Unreachable(_))));
    }
    let nowhere = Path::new("/nonexistent/socket");
    assert!(matches!(ask(nowhere, &Request::Challenge(Aim::Reset)), Err(Failure::Unreachable(_))));
    let (path, server) = serve(None);
    let late = exchange(&path, &Request::Challenge(Aim::Reset).wire(), Duration::from_millis(50));
    assert_eq!(late.unwrap_err(), Failure::Unreachable("it took too long".to_owned()));
    server.join().unwrap();
    std::fs::remove_file(path).unwrap();
}
