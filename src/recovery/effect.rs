//! What the shell must do for a step.

use super::{
    action::{Action, Password, RequestId, Ticket},
    pending::Pending,
    record::Record,
    reply::{Refusal, Reply},
};
use latchkey_protocol::Door;

/// One thing to do. Carried out in order; the durable ones come first.
#[derive(Debug)]
pub enum Effect {
    /// Durable: both copies of the record, on flash.
    CommitRecord(Box<Record>),
    /// Durable: no record any more (factory reset).
    EraseRecord,
    /// Durable until reboot: this door's pending challenge, on tmpfs.
    WritePending(Box<Pending>),
    /// Durable until reboot: this door has no pending challenge.
    ErasePending(Door),
    /// Run a job off the task; its outcome comes back as [`Action::Hashed`].
    Hash(Ticket, HashJob),
    /// Feed this action back at once, after the state is installed.
    Then(Action),
    /// Answer a request.
    Reply(RequestId, Result<Reply, Refusal>),
    /// Write a line to the log. Never holds a secret.
    Log(Event),
}

/// Work for Argon2id.
#[derive(Clone)]
pub enum HashJob {
    /// Hash a new password with this salt.
    Make {
        /// The password.
        password: Password,
        /// Random.
        salt: [u8; 16],
    },
    /// Compare a password with a PHC string.
    Compare {
        /// The password as typed.
        password: Password,
        /// The record's hash.
        phc: String,
    },
}

impl core::fmt::Debug for HashJob {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Make { .. } => "Make(..)",
            Self::Compare { .. } => "Compare(..)",
        })
    }
}

/// What the log tells (ASVS 16.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Event {
    Activated(Door),
    SignedIn(Door),
    SignInFailed(Door),
    PasswordChanged(Door),
    EmailChanged(Door),
    ChallengeIssued(Door),
    CodeAccepted(Door),
    CodeRefused(Door),
    PasswordReset(Door),
    LanClosed,
    FactoryReset,
}
