//! The section `[mailbox]`.

use super::{
    Fault, host_name,
    read::{Section, Value},
};
use latchkey_protocol::Address;
use std::path::{Path, PathBuf};

/// The recovery mailbox: mails to it bring the picture of a QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Where people send the picture.
    pub address: Address,
    /// The Maildir that mails are read from: its own, or that into which they are fetched.
    pub maildir: PathBuf,
    /// Where they are fetched from, unless a mail server puts them into the Maildir.
    pub imap: Option<Imap>,
    /// The program that reads one mail: this one.
    pub program: PathBuf,
}

/// An IMAP server, over TLS from the first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imap {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The file of the password.
    pub password_file: PathBuf,
    /// PEM certificates of the only authorities that may vouch for the server; without it, those
    /// that this machine trusts.
    pub ca: Option<PathBuf>,
    /// The folder, which is this service's alone.
    pub folder: String,
}

/// This program's own file, whatever became of its name.
const THIS_PROGRAM: &str = "/proc/self/exe";

pub(super) fn mailbox(mut section: Section<'_>, folder: &Path, faults: &mut Vec<Fault>) -> Option<Mailbox> {
    let address = section.parsed("address", faults, |text| Address::parse(text).map_err(|e| e.to_string()));
    let maildir = section.required("maildir", faults, Value::text).map(|text| folder.join(text));
    let has_imap = section.has("imap");
    let imap = has_imap.then(|| imap(section.section("imap", faults), folder, faults));
    section.finish(faults);
    Some(Mailbox { address: address?, maildir: maildir?, imap: imap.flatten(), program: THIS_PROGRAM.into() })
}

fn imap(mut section: Section<'_>, folder: &Path, faults: &mut Vec<Fault>) -> Option<Imap> {
    let host = section.required("host", faults, host_name);
    let port = section
        .optional("port", faults, |value| u16::try_from(value.number(1, 65535)?).map_err(|e| e.to_string()));
    let user = section.required("user", faults, Value::text);
    let password_file = section.required("password_file", faults, Value::text).map(|text| folder.join(text));
    let ca = section.optional("ca_file", faults, Value::text).map(|text| folder.join(text));
    let inbox = section.optional("folder", faults, Value::text);
    section.finish(faults);
    Some(Imap {
        host: host?,
        port: port.unwrap_or(993),
        user: user?,
        password_file: password_file?,
        ca,
        folder: inbox.unwrap_or_else(|| "INBOX".into()),
    })
}
