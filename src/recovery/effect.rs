//! What the shell must do for a step.

use super::{
    action::{Action, Password, RequestId, Ticket},
    pending::{Pending, Place},
    record::Record,
    reply::{Refusal, Reply},
};
use latchkey_protocol::{Door, Life};

/// One thing to do. Carried out in order; the durable ones come first.
#[derive(Debug)]
pub enum Effect {
    /// Durable: both copies of the record, on flash.
    CommitRecord(Box<Record>),
    /// Durable: no record any more (factory reset).
    EraseRecord,
    /// Durable until reboot: the pending challenge of its place, on tmpfs.
    WritePending(Box<Pending>),
    /// Durable until reboot: this place has no pending challenge.
    ErasePending(Place),
    /// Run a job off the task; its outcome comes back as [`Action::Hashed`].
    Hash(Ticket, HashJob),
    /// Tell the recorder's other software a new password, or no more of it. What comes of it is fed back
    /// as [`Action::HooksTried`].
    Hooks(HookOrder),
    /// Feed this action back at once, after the state is installed.
    Then(Action),
    /// Answer a request.
    Reply(RequestId, Result<Reply, Refusal>),
    /// Write a line to the log. Never holds a secret.
    Log(Event),
}

/// What the recorder's other software is to be told, by the board's hooks.
#[derive(Debug)]
pub enum HookOrder {
    /// Tell this password until it is taken; one that was told before counts no more.
    Tell {
        /// Why it is told.
        event: HookEvent,
        /// The password.
        password: Password,
        /// The password that it is.
        basis: PasswordId,
    },
    /// Tell nothing any more: the account is erased.
    Forget,
}

/// Which password of which account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordId {
    /// The account.
    pub life: Life,
    /// The password's epoch.
    pub epoch: u32,
}

/// Why a hook is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookEvent {
    /// The first password was set.
    Activated,
    /// The password was changed by someone who knew it.
    PasswordChanged,
    /// The password was reset by email.
    PasswordReset,
    /// It was not taken before a restart, and has just been typed at a sign-in.
    SignedIn,
}

/// Work for Argon2id, or for the authority that a vendor has in its place.
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
    /// Have the vendor's own database, which is the authority, take a new password.
    SetAtAuthority {
        /// The password.
        password: Password,
        /// Why.
        event: HookEvent,
    },
    /// Have the vendor's own database compare a password.
    AskAuthority {
        /// The password as typed.
        password: Password,
    },
}

impl core::fmt::Debug for HashJob {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Make { .. } => "Make(..)",
            Self::Compare { .. } => "Compare(..)",
            Self::SetAtAuthority { .. } => "SetAtAuthority(..)",
            Self::AskAuthority { .. } => "AskAuthority(..)",
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
    PlatformSet(Door),
    ChallengeIssued(Door),
    CodeAccepted(Door),
    CodeRefused(Door),
    PasswordReset(Door),
    ConfirmationIssued(Door),
    EmailConfirmed(Door),
    NoticeDropped,
    LanClosed,
    FactoryReset,
    HooksTaken,
}
