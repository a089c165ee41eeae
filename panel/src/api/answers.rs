//! What the daemon answers, as types.

use super::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A good answer.
#[derive(Debug)]
pub enum Answer {
    /// To [`Request::Device`](super::Request::Device).
    Device(Device),
    /// To [`Request::Activate`](super::Request::Activate) and [`Request::SignIn`](super::Request::SignIn).
    Session(Session),
    /// To [`Request::ReservedEmails`](super::Request::ReservedEmails).
    Emails(Vec<Email>),
    /// To the requests for a challenge.
    Challenge(Challenge),
    /// To [`Request::Matrix`](super::Request::Matrix).
    Matrix(Matrix),
    /// To [`Request::Picture`](super::Request::Picture): PNG.
    Picture(Vec<u8>),
    /// To [`Request::SendChallenge`](super::Request::SendChallenge) and [`Request::SentChallenge`](super::Request::SentChallenge).
    Mail(Mail),
    /// To [`Request::Platform`](super::Request::Platform) and [`Request::SetPlatform`](super::Request::SetPlatform).
    Platform(Platform),
    /// To [`Request::VerifyCode`](super::Request::VerifyCode).
    Grant(Grant),
    /// It is done.
    Done,
}

/// What anyone may see.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs: the daemon's OpenAPI document")]
pub struct Device {
    pub lifecycle: Lifecycle,
    pub serial: String,
    pub model: String,
    pub version: String,
    pub masked_emails: Vec<String>,
    pub emails_confirmed: Vec<bool>,
    pub reset_by_email: String,
    pub pending_doors: Vec<String>,
    #[serde(default)]
    pub platform: String,
    pub signed_in: bool,
    pub password_chars_min: usize,
    pub certificate_sha256: String,
}

/// Where the device is in its life.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// No password yet.
    Inactive,
    /// In use.
    Active,
    /// The account record cannot be read.
    Damaged,
}

/// A session.
#[derive(Debug, Deserialize)]
pub struct Session {
    /// Its secret.
    pub session: Secret,
    /// A reset that the owner was not told of yet.
    #[serde(default)]
    pub reset_to_tell: Option<ToldReset>,
}

/// A completed reset.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ToldReset {
    /// `console` or `lan`.
    pub door: String,
    /// What the device's clock said, in Unix seconds.
    pub wall_unix_s: i64,
}

/// The reserved emails in their frame.
#[derive(Deserialize)]
pub(super) struct Emails {
    pub(super) emails: Vec<Email>,
}

/// Which of the two reserved emails.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The first one.
    #[default]
    Primary,
    /// The other one.
    Second,
}

impl Which {
    /// Both, in the order of every list of them.
    pub const BOTH: [Self; 2] = [Self::Primary, Self::Second];

    /// Its place in such a list.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// As the API calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Second => "second",
        }
    }
}

/// A reserved email.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Email {
    /// In full.
    pub address: Zeroizing<String>,
    /// A code that was mailed to it was typed once.
    pub confirmed: bool,
}

/// A live challenge.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs: the daemon's OpenAPI document")]
pub struct Challenge {
    pub id: String,
    pub tag: String,
    pub to: Which,
    pub masked_emails: Vec<String>,
    pub valid_s: u64,
    pub tries_left: u32,
    pub renew_wait_s: u64,
    pub cloud_host: String,
    pub mailbox: Option<String>,
}

/// How far the mail of a challenge is that was handed over by the platform link.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Mail {
    /// `queued`, `accepted`, `bounced` or `failed`; none if it was not handed over.
    pub state: Option<String>,
    /// Why it bounced or failed.
    pub reason: Option<String>,
}

/// Platform access.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs: the daemon's OpenAPI document")]
pub struct Platform {
    pub enabled: bool,
    pub server: Option<String>,
    pub verification_code: Option<Secret>,
    pub connects_to: String,
    pub state: String,
    pub reason: Option<String>,
    pub heard_ago_s: Option<u64>,
    pub next_try_in_s: Option<u64>,
    pub add_text: Option<Secret>,
}

/// The modules of a QR code, row by row; `1` is dark.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Matrix {
    /// From the top.
    pub rows: Vec<String>,
}

/// The right to set one password.
#[derive(Debug, Deserialize)]
pub struct Grant {
    /// Its secret.
    pub grant: Secret,
    /// How long it is valid, in seconds.
    pub valid_s: u64,
}

/// A refusal, by RFC 9457.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Problem {
    /// `urn:latchkey:problem:` and its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// For people.
    pub title: String,
    /// For people.
    pub detail: String,
    /// Seconds to wait.
    pub wait_s: Option<u64>,
    /// Tries left.
    pub tries_left: Option<u32>,
    /// The fewest characters of a password.
    pub chars_min: Option<u64>,
    /// Why.
    pub reason: Option<String>,
}

impl Problem {
    /// Its name without what all names begin with.
    pub fn name(&self) -> &str {
        self.kind.strip_prefix("urn:latchkey:problem:").unwrap_or(&self.kind)
    }
}

/// Why there is no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The daemon refuses.
    #[error("refused: {}", .0.name())]
    Refused(Box<Problem>),
    /// It does not answer. What was asked for may still have been done.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It answers what cannot be understood.
    #[error("an answer that cannot be understood: {0}")]
    Garbage(String),
}
