//! The heart: decides everything about the account and recovery, and does nothing itself.
//!
//! [`State::step`] takes an [`Action`] and the moment, and gives the next state and the [`Effect`]s that
//! must happen for it. The shell carries out the effects in order; the next state is installed only
//! after every durable one succeeded. If one fails, what is on the disk is unknown: the shell drops the
//! rest of the step, reads back what is stored, goes on from [`State::read_back`], and answers
//! [`Refusal::StorageFailed`] to every request that has no answer yet.
//!
//! | module | holds |
//! |---|---|
//! | [`state`] | the lifecycle, boot, and the step that hands each action on |
//! | [`account`] | activation, new passwords, factory reset |
//! | [`emails`] | the reserved emails: setting, removing, confirming them |
//! | [`sign_in`] | sessions, and the proof that the admin password was typed |
//! | [`challenge`] | codes by email: issue, show, charge, compare, grant |
//! | [`notices`] | what reserved emails are told of |
//! | [`hashing`] | the queue of hash jobs: one at a time, the console first |
//! | [`hooks`] | what the recorder's other software is still to be told |
//! | [`throttle`] | what waiting costs, counted as a debt |
//! | [`password`] | the rules for new passwords, and the meter |
//!
//! Must not: know of sockets, files, clocks, threads, JSON or tokio. A tidy test checks.

pub mod account;
pub mod action;
pub mod challenge;
pub mod effect;
pub mod emails;
pub mod hashing;
pub mod hooks;
pub mod limits;
pub mod notices;
pub mod password;
pub mod pending;
pub mod record;
pub mod reply;
pub mod sign_in;
pub mod state;
pub mod throttle;

pub use action::{Action, HashOutcome, Password, Request, RequestId, Ticket};
pub use challenge::ChargedTry;
pub use effect::{Effect, HashJob, HookEvent, HookOrder, PasswordId};
pub use limits::Limits;
pub use pending::{Aim, Pending, Place};
pub use record::{Debt, DeviceCode, Notice, PlatformSettings, Record, ReservedEmail, Which};
pub use reply::{ChallengeView, Ended, GrantToken, Refusal, Reply, SessionToken};
pub use state::{Context, Hooks, State, Step, Stored, StoredPending, StoredRecord};

/// The moment of an action, and the boot that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of CLOCK_BOOTTIME: never jumps, counts suspend, starts again at each boot.
    pub boottime_ms: u64,
    /// The kernel's random id of this boot.
    pub boot_id: BootId,
    /// The wall clock: only shown to people, never decides anything.
    pub wall_unix_s: i64,
    /// The wall clock's offset from UTC.
    pub tz_offset_min: i16,
}

/// `/proc/sys/kernel/random/boot_id`, as 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct BootId(pub [u8; 16]);
