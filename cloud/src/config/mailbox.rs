//! The section `[mailbox]`.

use super::{
    Fault,
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
    /// The program that reads one mail: this one.
    pub program: PathBuf,
}

/// This program's own file, whatever became of its name.
const THIS_PROGRAM: &str = "/proc/self/exe";

pub(super) fn mailbox(mut section: Section<'_>, folder: &Path, faults: &mut Vec<Fault>) -> Option<Mailbox> {
    let address = section.parsed("address", faults, |text| Address::parse(text).map_err(|e| e.to_string()));
    let maildir = section.required("maildir", faults, Value::text).map(|text| folder.join(text));
    section.finish(faults);
    Some(Mailbox { address: address?, maildir: maildir?, program: THIS_PROGRAM.into() })
}
