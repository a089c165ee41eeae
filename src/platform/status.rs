//! What is known of the link, as pages and the API show it.

use latchkey_protocol::platform::{MailStatus, Problem, Refusal};

/// The link as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Where it is.
    pub state: State,
    /// Why the last attempt or connection ended; gone once a connection holds.
    pub reason: Option<Reason>,
    /// Milliseconds of the boot clock: the last time that the cloud was heard.
    pub last_heard_ms: Option<u64>,
    /// Milliseconds of the boot clock: the next attempt, while there is none under way.
    pub next_try_ms: Option<u64>,
    /// The address that is connected to.
    pub server: String,
    /// How many connections there have been.
    pub connections: u32,
}

/// Where the link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Switched off, or the device is not active: no socket is opened.
    #[default]
    Off,
    /// The device has no identity for a link: it must be registered with a cloud first.
    NoIdentity,
    /// Waiting for the next attempt.
    Offline,
    /// An attempt is under way.
    Connecting,
    /// Registered.
    Online,
}

/// Why the device is not online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The name was not found, or no name server answers.
    Dns,
    /// Nothing answers at the address.
    Tcp,
    /// What answers does not speak as a cloud does, or broke off.
    Tls,
    /// What answers is not this device's cloud.
    Certificate,
    /// The clock is wrong, and the cloud did not tell the time.
    Clock,
    /// What answers is a server, but no platform.
    NotThePlatform,
    /// The cloud did not answer in time, or has fallen silent.
    Silent,
    /// The connection broke.
    Lost,
    /// The cloud said something that has no place in the protocol.
    Protocol,
    /// The cloud refuses this device.
    Refused(Refusal),
}

impl Reason {
    /// The stable name, as in the API and in message keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::Clock => "clock",
            Self::NotThePlatform => "not-the-platform",
            Self::Silent => "silent",
            Self::Lost => "lost",
            Self::Protocol => "protocol",
            Self::Refused(Refusal::Revoked) => "revoked",
            Self::Refused(Refusal::Unknown) => "unknown",
            Self::Refused(Refusal::Duplicate) => "duplicate",
            Self::Refused(Refusal::Version) => "version",
            Self::Refused(Refusal::Busy) => "busy",
        }
    }
}

/// A sealed challenge that the cloud has taken, and how far its mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// How far.
    pub mail: MailStatus,
}

/// Why a sealed challenge was not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The link is not up, or broke meanwhile.
    Offline,
    /// Too many wait for an answer.
    Busy,
    /// The cloud does not carry it out.
    Rejected {
        /// Why.
        problem: Problem,
        /// When to ask again at the earliest.
        retry_after_s: Option<u32>,
    },
}
