//! The store on two folders: flash for the account record, tmpfs for the pending challenges.

use super::{
    Change, Finding, Loaded, Store, StoreError,
    disk::{Disk, remove, replace, temporary_name},
    format::{
        PENDING_BYTES_MAX, RECORD_BYTES_MAX, decode_pending, decode_record, encode_pending, encode_record,
    },
};
use crate::recovery::{Pending, Place, Record, Stored, StoredPending, StoredRecord};
use std::io;
use zeroize::Zeroizing;

/// The two copies of the record, written in this order.
const COPIES: [&str; 2] = ["account.a", "account.b"];
/// Where damaged copies are kept for whoever looks into them.
const ASIDE: [&str; 2] = ["account.a.damaged", "account.b.damaged"];

/// The store on two folders.
#[derive(Debug)]
pub struct Files<F, R> {
    flash: F,
    runtime: R,
    /// The highest generation that was ever tried: two different contents never share one.
    generation: u64,
    settled: Stored,
}

impl<F: Disk, R: Disk> Files<F, R> {
    /// A store that has read nothing yet: [`Store::load`] comes first.
    pub fn new(flash: F, runtime: R) -> Self {
        Self { flash, runtime, generation: 0, settled: Stored::of(StoredRecord::Absent) }
    }

    fn make(&mut self, change: &Change) -> Result<(), Failure> {
        match change {
            Change::CommitRecord(record) => self.write_record(Some(record)),
            Change::EraseRecord => self.write_record(None),
            Change::WritePending(pending) => {
                let bytes = encode_pending(pending).map_err(Failure::before)?;
                replace(&self.runtime, pending_name(pending.place()), &bytes).map_err(Failure::within)
            }
            Change::ErasePending(place) => {
                remove(&self.runtime, pending_name(*place)).map_err(Failure::within)
            }
        }
    }

    /// Copy A, then copy B, each durable before the next step. An erased account is written like any
    /// other content, so that a cut leaves the old one or none, never a damaged one, and the
    /// generation goes on.
    fn write_record(&mut self, record: Option<&Record>) -> Result<(), Failure> {
        self.generation += 1;
        let bytes = encode_record(self.generation, record).map_err(Failure::before)?;
        let [a, b] = COPIES;
        let temporary = temporary_name(a);
        let staged = self.flash.create(&temporary).and_then(|mut file| {
            self.flash.write(&mut file, &bytes)?;
            self.flash.fsync(&file)
        });
        if let Err(error) = staged {
            // Until the first rename nothing that counts has changed. The leftover does no harm;
            // the next write or start removes it if this cannot.
            let _ = self.flash.unlink(&temporary);
            return Err(Failure::before(error));
        }
        self.flash.rename(&temporary, a).map_err(Failure::within)?;
        self.flash.fsync_dir().map_err(Failure::within)?;
        replace(&self.flash, b, &bytes).map_err(Failure::within)
    }

    /// Undoes changes, the last one first, so that what stays if the disk refuses is a beginning of
    /// the step: a record may have been charged for a challenge that does not exist, never the other
    /// way round. Then reads back: a disk that failed once is not believed.
    fn put_back(&mut self, before: &Stored, changes: &[Change]) -> bool {
        changes.iter().rev().all(|change| self.undo(before, change)) && self.holds(before)
    }

    fn undo(&mut self, before: &Stored, change: &Change) -> bool {
        let place = match change {
            Change::CommitRecord(_) | Change::EraseRecord => {
                return match &before.record {
                    StoredRecord::Absent => self.write_record(None).is_ok(),
                    StoredRecord::Whole(record) => self.write_record(Some(record)).is_ok(),
                    StoredRecord::Damaged => false,
                };
            }
            Change::WritePending(pending) => pending.place(),
            Change::ErasePending(place) => *place,
        };
        match before.pending(place) {
            StoredPending::Whole(pending) => {
                encode_pending(pending).and_then(|b| replace(&self.runtime, pending_name(place), &b)).is_ok()
            }
            StoredPending::Absent | StoredPending::Unreadable => {
                remove(&self.runtime, pending_name(place)).is_ok()
            }
        }
    }

    fn holds(&self, expected: &Stored) -> bool {
        let record = match &expected.record {
            StoredRecord::Whole(record) => Some(record.as_ref()),
            StoredRecord::Absent | StoredRecord::Damaged => None,
        };
        let copies = COPIES.map(|name| self.read_copy(name));
        let record_holds = copies.iter().all(|copy| match copy {
            Copy::Whole { record: found, .. } => found.as_deref() == record,
            Copy::Missing => expected.record == StoredRecord::Absent,
            Copy::NotWhole { .. } => false,
        });
        let pending_holds = |place| match (self.read_pending(place), expected.pending(place)) {
            (Ok(Some(found)), StoredPending::Whole(pending)) => found == **pending,
            (Ok(None), StoredPending::Absent | StoredPending::Unreadable) => true,
            _ => false,
        };
        record_holds && Place::ALL.into_iter().all(pending_holds)
    }

    fn note(&mut self, change: &Change) {
        match change {
            Change::CommitRecord(record) => self.settled.record = StoredRecord::Whole(record.clone()),
            Change::EraseRecord => self.settled.record = StoredRecord::Absent,
            Change::WritePending(pending) => {
                *self.settled.pending_mut(pending.place()) = StoredPending::Whole(pending.clone());
            }
            Change::ErasePending(place) => *self.settled.pending_mut(*place) = StoredPending::Absent,
        }
    }

    fn load_record(&mut self, findings: &mut Vec<Finding>) -> StoredRecord {
        for name in COPIES.iter().chain(&ASIDE) {
            // A leftover of a write that was cut; nothing counts on it being gone.
            let _ = self.flash.unlink(&temporary_name(name));
        }
        let copies = COPIES.map(|name| self.read_copy(name));
        if copies.iter().all(|copy| matches!(copy, Copy::Missing)) {
            return StoredRecord::Absent;
        }
        // A rename that the last daemon did not live to sync is made durable before it counts.
        if let Err(error) = self.flash.fsync_dir() {
            findings.push(Finding::NotSynced { reason: error.to_string() });
        }
        // The newest wins; both being the same, the first.
        let winner = match (copies[0].generation(), copies[1].generation()) {
            (None, None) => return self.both_damaged(&copies, findings),
            (a, b) if a >= b => 0,
            _ => 1,
        };
        let Copy::Whole { generation, record, bytes } = &copies[winner] else {
            return StoredRecord::Damaged; // generation() said that it is whole
        };
        self.generation = self.generation.max(*generation);
        let loser = 1 - winner;
        self.repair(COPIES[loser], &copies[loser], *generation, bytes, findings);
        record.clone().map_or(StoredRecord::Absent, StoredRecord::Whole)
    }

    fn repair(&self, file: &'static str, copy: &Copy, newest: u64, good: &[u8], findings: &mut Vec<Finding>) {
        findings.push(match copy {
            Copy::Whole { generation, .. } if *generation == newest => return,
            Copy::Whole { .. } => Finding::CopyOlder { file },
            Copy::Missing | Copy::NotWhole { .. } => Finding::CopyNotWhole { file, reason: copy.reason() },
        });
        findings.push(match replace(&self.flash, file, good) {
            Ok(()) => Finding::CopyRepaired { file },
            Err(error) => Finding::RepairFailed { file, reason: error.to_string() },
        });
    }

    /// The damaged copies stay where they are, so that every later start finds them and says the
    /// same; a factory reset writes over them, and then the ones kept aside are what is left.
    fn both_damaged(&self, copies: &[Copy; 2], findings: &mut Vec<Finding>) -> StoredRecord {
        findings.push(Finding::BothDamaged { a: copies[0].reason(), b: copies[1].reason() });
        for (i, copy) in copies.iter().enumerate() {
            let Copy::NotWhole { bytes: Some(bytes), .. } = copy else { continue };
            let file = COPIES[i];
            let kept = self.flash.read(ASIDE[i], RECORD_BYTES_MAX);
            if matches!(&kept, Ok(Some(kept)) if kept == bytes) {
                continue;
            }
            findings.push(match replace(&self.flash, ASIDE[i], bytes) {
                Ok(()) => Finding::KeptAside { file },
                Err(error) => Finding::NotKeptAside { file, reason: error.to_string() },
            });
        }
        StoredRecord::Damaged
    }

    fn read_copy(&self, name: &str) -> Copy {
        let bytes = match self.flash.read(name, RECORD_BYTES_MAX) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Copy::Missing,
            Err(error) => return Copy::NotWhole { reason: error.to_string(), bytes: None },
        };
        match decode_record(&bytes) {
            Ok((generation, record)) => Copy::Whole { generation, record: record.map(Box::new), bytes },
            Err(error) => Copy::NotWhole { reason: error.to_string(), bytes: Some(bytes) },
        }
    }

    fn read_pending(&self, place: Place) -> Result<Option<Pending>, String> {
        let bytes =
            self.runtime.read(pending_name(place), PENDING_BYTES_MAX).map_err(|error| error.to_string())?;
        let Some(bytes) = bytes else { return Ok(None) };
        let pending = decode_pending(&bytes).map_err(|error| error.to_string())?;
        if pending.place() == place { Ok(Some(pending)) } else { Err("it is another place's".to_owned()) }
    }

    fn load_pending(&self, place: Place, findings: &mut Vec<Finding>) -> StoredPending {
        let file = pending_name(place);
        let _ = self.runtime.unlink(&temporary_name(file)); // a leftover, as above
        match self.read_pending(place) {
            Ok(None) => StoredPending::Absent,
            Ok(Some(pending)) => StoredPending::Whole(Box::new(pending)),
            Err(reason) => {
                findings.push(Finding::PendingNotWhole { file, reason });
                StoredPending::Unreadable
            }
        }
    }
}

impl<F: Disk, R: Disk> Store for Files<F, R> {
    fn load(&mut self) -> Loaded {
        let mut findings = Vec::new();
        self.settled = Stored {
            record: self.load_record(&mut findings),
            pending: Place::ALL.map(|place| self.load_pending(place, &mut findings)),
        };
        Loaded { stored: self.settled.clone(), findings }
    }

    fn carry_out(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let before = self.settled.clone();
        for (done, change) in changes.iter().enumerate() {
            if let Err(Failure { touched, source }) = self.make(change) {
                let end = if touched { done + 1 } else { done };
                let put_back = end == 0 || self.put_back(&before, &changes[..end]);
                self.settled = before;
                return Err(StoreError { what: name_of(change), put_back, source });
            }
            self.note(change);
        }
        Ok(())
    }

    fn settled(&self) -> Stored {
        self.settled.clone()
    }
}

/// A change failed: whether what counts may have been touched, and what the disk said.
struct Failure {
    touched: bool,
    source: io::Error,
}

impl Failure {
    fn before(source: io::Error) -> Self {
        Self { touched: false, source }
    }

    fn within(source: io::Error) -> Self {
        Self { touched: true, source }
    }
}

/// One copy of the record, as found.
enum Copy {
    Missing,
    NotWhole { reason: String, bytes: Option<Zeroizing<Vec<u8>>> },
    Whole { generation: u64, record: Option<Box<Record>>, bytes: Zeroizing<Vec<u8>> },
}

impl Copy {
    fn generation(&self) -> Option<u64> {
        match self {
            Self::Whole { generation, .. } => Some(*generation),
            Self::Missing | Self::NotWhole { .. } => None,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Missing => "it is missing".to_owned(),
            Self::NotWhole { reason, .. } => reason.clone(),
            Self::Whole { .. } => "whole".to_owned(),
        }
    }
}

fn pending_name(place: Place) -> &'static str {
    ["pending-console", "pending-lan", "confirm-console", "confirm-lan"][place.index()]
}

fn name_of(change: &Change) -> &'static str {
    match change {
        Change::CommitRecord(_) => "the account record",
        Change::EraseRecord => "the erased account record",
        Change::WritePending(_) => "a pending challenge",
        Change::ErasePending(_) => "the end of a pending challenge",
    }
}
