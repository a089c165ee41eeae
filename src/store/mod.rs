//! What outlives a step: the account record on flash, and the pending challenges on tmpfs.
//!
//! | module | holds |
//! |---|---|
//! | [`disk`] | the filesystem operations that all of it is made of |
//! | [`format`] | the bytes of a file: a header line with generation and SHA-256, then JSON |
//! | [`files`] | two copies of the record, one file a place; commit, repair, put back |
//!
//! Must not: decide anything about the account, or know of doors, requests or clocks.

pub mod disk;
pub mod files;
pub mod format;

#[cfg(test)]
pub(crate) mod tests;

pub use files::Files;

use crate::recovery::{Pending, Place, Record, Stored};
use std::io;

/// One durable change, as the heart's effects ask for it.
#[derive(Debug, Clone)]
pub enum Change {
    /// Both copies of the record, on flash.
    CommitRecord(Box<Record>),
    /// No record any more.
    EraseRecord,
    /// The pending challenge of its place, on tmpfs.
    WritePending(Box<Pending>),
    /// No pending challenge at this place.
    ErasePending(Place),
}

/// Where the record and the pending challenges are kept.
pub trait Store: Send {
    /// Reads everything, repairs what can be repaired, and says what was found.
    fn load(&mut self) -> Loaded;

    /// Carries out the changes of one step, in order. `Ok` means that all of them are durable. On an
    /// error what was done already is put back as far as the disk lets, and [`Store::settled`] is
    /// what counts: nothing of the failed step.
    fn carry_out(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// What counts after the last [`Store::carry_out`]: what was loaded, with every change that
    /// succeeded since.
    fn settled(&self) -> Stored;
}

/// What [`Store::load`] gives.
#[derive(Debug)]
pub struct Loaded {
    /// What is stored.
    pub stored: Stored,
    /// What the log must tell, in order.
    pub findings: Vec<Finding>,
}

/// Something about the files that the log must tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// One copy of the record is damaged or missing; the other is used.
    #[error("{file} is not whole ({reason}); the other copy of the account record is used")]
    CopyNotWhole {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A change reached only one copy before the power failed.
    #[error("{file} is older than the other copy of the account record, which is used")]
    CopyOlder {
        /// The file.
        file: &'static str,
    },
    /// A copy was written again from the good one.
    #[error("{file} was repaired from the other copy")]
    CopyRepaired {
        /// The file.
        file: &'static str,
    },
    /// A copy could not be written again.
    #[error("{file} could not be repaired ({reason}); the account now hangs on one copy: check the storage")]
    RepairFailed {
        /// The file.
        file: &'static str,
        /// Why.
        reason: String,
    },
    /// Neither copy is whole.
    #[error(
        "both copies of the account record are damaged (account.a: {a}; account.b: {b}); they are left in \
         place, and the way out is a factory reset at the recorder itself"
    )]
    BothDamaged {
        /// What is wrong with the first copy.
        a: String,
        /// What is wrong with the second copy.
        b: String,
    },
    /// A damaged copy was kept aside for whoever looks into it.
    #[error("{file} was kept as {file}.damaged")]
    KeptAside {
        /// The file.
        file: &'static str,
    },
    /// A damaged copy could not be kept aside.
    #[error("{file} could not be kept aside ({reason})")]
    NotKeptAside {
        /// The file.
        file: &'static str,
        /// Why.
        reason: String,
    },
    /// A pending challenge is not whole: it is lost, and a new one must be asked for.
    #[error("{file} is not whole ({reason}); its challenge is lost and a new QR code must be asked for")]
    PendingNotWhole {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder could not be made durable at the start.
    #[error("the state folder could not be synced ({reason}): check the storage")]
    NotSynced {
        /// Why.
        reason: String,
    },
}

/// A change could not be made durable.
#[derive(Debug, thiserror::Error)]
#[error("failed to store {what}; {}", if *.put_back { "what was stored before is in force" }
    else { "what was stored before stays in force until a restart, which may bring the change back: check the storage" })]
pub struct StoreError {
    /// What was being stored.
    pub what: &'static str,
    /// Whether the disk again holds what it held before.
    pub put_back: bool,
    /// What the disk said.
    #[source]
    pub source: io::Error,
}
