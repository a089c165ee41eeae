//! The heart: decides everything about the account and recovery, and does nothing itself.
//!
//! [`State::step`] takes an [`Action`] and the moment, and gives the next state and the [`Effect`]s that
//! must happen for it. The shell carries out the effects in order; the next state is installed only
//! after every durable one succeeded. If one fails, what is on the disk is unknown: the shell reads
//! it back and calls [`State::boot`] again.
//!
//! Must not: know of sockets, files, clocks, threads, JSON or tokio. A tidy test checks.

pub mod action;
pub mod effect;
pub mod limits;
pub mod pending;
pub mod record;
pub mod reply;

pub use action::{Action, HashOutcome, Request, RequestId, Ticket};
pub use effect::{Effect, HashJob};
pub use limits::Limits;
pub use pending::Pending;
pub use record::{Debt, Record, ReservedEmail};
pub use reply::{ChallengeView, Ended, GrantToken, Refusal, Reply, SessionToken};

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
