//! Reads the reports of mails that came back (RFC 3464), out of a Maildir. A report is matched by
//! the token in its recipient or in the returned mail's Message-ID: nobody but the mail servers on
//! the way knows it, so a forged report finds nothing.

use crate::{
    mail::transport::reason_of,
    relay::Relay,
    store::{MailToken, Reason},
};
use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use std::{fs, io, path::Path, sync::Arc, time::Duration};
use tokio::{sync::watch, time::interval};

/// How often the folder is looked at.
const LOOK_S: u64 = 20;
/// A report is short; of a larger file only the beginning is read.
const REPORT_MAX: u64 = 256 * 1024;

/// What a report says.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// Which mail.
    pub token: MailToken,
    /// Why it came back.
    pub reason: Reason,
}

/// Reads a report. `None` if it is none, or tells of a delay or of success.
pub fn read(bytes: &[u8]) -> Option<Report> {
    let mail = MessageParser::default().parse(bytes)?;
    let status = mail.parts.iter().find(|part| {
        part.content_type().is_some_and(|kind| kind.c_subtype.as_deref() == Some("delivery-status"))
    })?;
    let status = match &status.body {
        PartType::Text(text) | PartType::Html(text) => text.to_string(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        PartType::Message(_) | PartType::Multipart(_) => return None,
    };
    let field = |name: &str| {
        status.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    if !field("Action")?.eq_ignore_ascii_case("failed") {
        return None;
    }
    let reason = reason_of(0, field("Status").unwrap_or_default());
    Some(Report { token: token(bytes)?, reason })
}

/// The first token of ours in the report: after a plus sign in the recipient, or before the @ of
/// the Message-ID. Neither can stand in a text by chance.
fn token(bytes: &[u8]) -> Option<MailToken> {
    let is_hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    bytes.windows(34).find_map(|window| {
        let (before, after) = (window.first()?, window.last()?);
        let digits = window.get(1..33)?;
        let ours = matches!(before, b'+' | b'<') && *after == b'@' && digits.iter().all(is_hex);
        ours.then(|| std::str::from_utf8(digits).ok().and_then(MailToken::parse)).flatten()
    })
}

/// Reads what is new in the Maildir, marks the mails, and removes the reports: they name the address, and
/// often bring the mail back with its code. Gives how many mails were marked.
pub async fn look(folder: &Path, relay: &Relay) -> io::Result<usize> {
    let new = folder.join("new");
    let names = {
        let new = new.clone();
        let list = move || match fs::read_dir(new) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
            entries => entries?.map(|entry| entry.map(|e| e.file_name())).collect::<io::Result<Vec<_>>>(),
        };
        tokio::task::spawn_blocking(list).await.map_err(io::Error::other)??
    };
    let mut marked = 0;
    for name in names {
        let path = new.join(name);
        let read_it = {
            let path = path.clone();
            move || -> io::Result<Option<Report>> {
                use io::Read as _;
                let mut bytes = vec![];
                fs::File::open(path)?.take(REPORT_MAX).read_to_end(&mut bytes)?;
                Ok(read(&bytes))
            }
        };
        let report = match tokio::task::spawn_blocking(read_it).await.map_err(io::Error::other)? {
            Ok(report) => report,
            // What cannot be read must not keep the reports behind it from being read.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a report of a bounce cannot be read");
                continue;
            }
        };
        if let Some(report) = report {
            match relay.store.bounce(report.token, report.reason).await {
                Ok(Some(request)) => {
                    marked += 1;
                    relay.tell(request).await;
                }
                Ok(None) => {}
                Err(error) => return Err(io::Error::other(error)), // the file stays for the next look
            }
        }
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {} // another node may have been faster
        }
    }
    Ok(marked)
}

/// Looks again and again until told to stop.
pub async fn run(folder: std::path::PathBuf, relay: Arc<Relay>, mut stop: watch::Receiver<bool>) {
    let mut schedule = interval(Duration::from_secs(LOOK_S));
    while !*stop.borrow() {
        match look(&folder, &relay).await {
            Ok(0) => {}
            Ok(marked) => tracing::info!(marked, "mails came back"),
            Err(error) => tracing::warn!(%error, "the Maildir of bounces cannot be read"),
        }
        tokio::select! {
            _ = schedule.tick() => {}
            _ = stop.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REPORT: &str = "From: MAILER-DAEMON@mx.example\r\nTo: bounces+000102030405060708090a0b0c0d0e0f@l.example\r\n\
        Subject: Undelivered\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
        Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; o@e.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n";

    fn token() -> MailToken {
        MailToken([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
    }

    #[test]
    fn a_failure_is_read() {
        assert_eq!(read(REPORT.as_bytes()), Some(Report { token: token(), reason: Reason::MailboxUnknown }));
        let full = REPORT.replace("5.1.1", "5.2.2");
        assert_eq!(read(full.as_bytes()), Some(Report { token: token(), reason: Reason::MailboxFull }));
    }

    #[test]
    fn the_returned_message_id_is_enough() {
        let text = REPORT.replace("bounces+000102030405060708090a0b0c0d0e0f@l.example", "latchkey@l.example").replace(
            "--b--",
            "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <000102030405060708090a0b0c0d0e0f@l.example>\r\n\r\n--b--",
        );
        assert_eq!(read(text.as_bytes()).map(|r| r.token), Some(token()));
    }

    #[test]
    fn a_delay_or_a_letter_is_no_failure() {
        assert_eq!(read(REPORT.replace("failed", "delayed").as_bytes()), None);
        assert_eq!(read(b"From: a@b.example\r\nSubject: Hello\r\n\r\nHow are you?\r\n"), None);
        assert_eq!(read(b""), None);
    }

    proptest! {
        #[test]
        fn no_file_stops_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..2000), cut in 0..REPORT.len(), flip in 0..REPORT.len()) {
            let _ = read(&bytes);
            let _ = read(&REPORT.as_bytes()[..cut]);
            let mut changed = REPORT.as_bytes().to_vec();
            changed[flip] ^= 0x20;
            let _ = read(&changed);
        }
    }
}
