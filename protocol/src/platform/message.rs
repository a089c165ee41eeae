//! The messages.

use super::{
    adding::Adding,
    signed::KeyList,
    words::{Capabilities, Model, RelayId, Sealed, Serial, Version},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The longest text frame of either side, in bytes. A certificate with its issuers is the most.
pub const FRAME_BYTES_MAX: usize = 8192;
/// The longest certificate with its issuers, PEM, in bytes.
const CERTIFICATE_BYTES_MAX: usize = 6144;

/// With what code a WebSocket is closed (RFC 6455 7.4.2: 4000 to 4999 are an application's own).
pub mod close {
    /// A restart in good order: come back within the window that `reconnect` named (RFC 6455 7.4.1).
    pub const GOING_AWAY: u16 = 1001;
    /// Not a message, or not one that has its place here.
    pub const MALFORMED: u16 = 4400;
    /// The device is not known.
    pub const UNKNOWN: u16 = 4401;
    /// The device's identity was revoked.
    pub const REVOKED: u16 = 4403;
    /// Nothing was heard for too long.
    pub const SILENT: u16 = 4408;
    /// The same identity is connected elsewhere.
    pub const DUPLICATE: u16 = 4409;
    /// A frame was longer than [`super::FRAME_BYTES_MAX`].
    pub const TOO_LONG: u16 = 4413;
    /// One side is too old for the other.
    pub const VERSION: u16 = 4426;
    /// Too many messages.
    pub const TOO_MANY: u16 = 4429;
    /// Too busy now: later.
    pub const BUSY: u16 = 4503;
}

/// What a device says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromDevice {
    /// The first message, and only the first.
    Register(Register),
    /// A sealed challenge of any purpose, to be acted on as if a relay had brought it. The same bytes
    /// may be sent any number of times and get the same answer.
    Submit {
        /// Chosen by the device; the answer has it too.
        id: u32,
        /// The challenge.
        sealed: Sealed,
    },
    /// Each mail of a request once more.
    Resend {
        /// Chosen by the device; the answer has it too.
        id: u32,
        /// The request.
        relay: RelayId,
    },
    /// A new certificate for the key that the device has, please.
    Renew {
        /// Chosen by the device; the answer has it too.
        id: u32,
    },
}

/// Who connects. The handle stands in the certificate; serial and model must be those it was signed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// The serial on the label.
    pub serial: Serial,
    /// The model's name.
    pub model: Model,
    /// The version of the device's software.
    pub version: Version,
    /// What the device can receive.
    pub capabilities: Capabilities,
    /// What proves that somebody who adds the device to an account has read its verification code. None where it
    /// has no code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adding: Option<Adding>,
}

/// What a cloud says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromCloud {
    /// The answer to `register`: the device is online.
    Registered(Registered),
    /// The other answer to `register`; the connection is closed next.
    Refused {
        /// Why.
        reason: Refusal,
        /// How long to stay away at least, in seconds. The device bounds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u32>,
    },
    /// The answer to `submit` and `resend`: the request is in the cloud's queue.
    Submitted {
        /// The question's.
        id: u32,
        /// The request's name.
        relay: RelayId,
        /// How far its mail is.
        #[serde(flatten)]
        mail: MailStatus,
    },
    /// The other answer to `submit`, `resend` and `renew`.
    Rejected {
        /// The question's.
        id: u32,
        /// Why.
        problem: Problem,
        /// When to ask again at the earliest, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u32>,
    },
    /// The mail of a request that was submitted on this connection got further.
    Mail {
        /// The request's name.
        relay: RelayId,
        /// How far it is.
        #[serde(flatten)]
        mail: MailStatus,
    },
    /// The answer to `renew`.
    Renewed {
        /// The question's.
        id: u32,
        /// The device's new certificate and its issuers, PEM.
        certificate: String,
    },
    /// The cloud's keys, when they are not those of the device's identity.
    Keys(KeyList),
    /// The cloud is about to restart: close, and come back at a moment drawn from the window.
    Reconnect {
        /// The window, in seconds. The device bounds it.
        window_s: u32,
    },
}

/// The device is online, and how to stay so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The cloud's clock, in seconds since 1970.
    pub unix_time_s: i64,
    /// The middle of the interval between two pings of the device, in seconds. The device bounds it.
    pub heartbeat_s: u32,
    /// In which time the whole fleet comes back when the connection breaks, in seconds. The device bounds it.
    pub reconnect_window_s: u32,
    /// What the cloud can receive.
    #[serde(default)]
    pub capabilities: Capabilities,
}

/// Why a device is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The identity was revoked.
    Revoked,
    /// No such device, or not with this serial and model.
    Unknown,
    /// The same identity is connected elsewhere, and answers.
    Duplicate,
    /// One side is too old for the other.
    Version,
    /// Too busy now.
    Busy,
}

impl Refusal {
    /// The close code that follows.
    pub fn close_code(self) -> u16 {
        match self {
            Self::Revoked => close::REVOKED,
            Self::Unknown => close::UNKNOWN,
            Self::Duplicate => close::DUPLICATE,
            Self::Version => close::VERSION,
            Self::Busy => close::BUSY,
        }
    }

    /// The refusal that a close code stands for, should the message have been lost.
    pub fn of_close_code(code: u16) -> Option<Self> {
        let all = [Self::Revoked, Self::Unknown, Self::Duplicate, Self::Version, Self::Busy];
        all.into_iter().find(|refusal| refusal.close_code() == code)
    }
}

/// How far a mail is, and why not further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailStatus {
    /// How far.
    pub state: MailState,
    /// Why it waits, failed or came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<MailReason>,
}

/// How far a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// In the cloud's queue.
    Queued,
    /// A mail server has taken it, which does not say that it was read.
    Accepted,
    /// It came back.
    Bounced,
    /// It was given up.
    Failed,
}

/// Why a mail waits, failed or came back, as a class: the relay's own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailReason {
    /// There is no such mailbox or domain.
    MailboxUnknown,
    /// The mailbox is full.
    MailboxFull,
    /// The mail server refuses the mail or its sender.
    Refused,
    /// The mail server cannot be reached, or says "later".
    Unreachable,
    /// The mail server never said whether it took it.
    NoAnswer,
    /// Its time ran out.
    Expired,
    /// The cloud cannot open the challenge any more.
    NotReadable,
    /// A class that this build does not know.
    #[serde(other)]
    Other,
}

/// Why a request is not carried out: the names of the relay's problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// The cloud cannot use the challenge.
    UnusableQr,
    /// The device's identity was revoked.
    Revoked,
    /// The device has issued a newer challenge.
    Superseded,
    /// The request is over.
    Expired,
    /// No request has this name.
    UnknownRequest,
    /// The device has asked too often.
    DeviceLimit,
    /// Too many mails to the address.
    AddressLimit,
    /// Too many requests.
    TooManyRequests,
    /// The mail was sent a moment ago.
    ResendTooEarly,
    /// The mail is still on its way: there is nothing to send again.
    StillQueued,
    /// The mail was sent again before: once is all.
    ResendUsed,
    /// The cloud cannot do it now; nothing was lost.
    Unavailable,
    /// A name that this build does not know.
    #[serde(other)]
    Other,
}

/// Why a frame is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("the frame is longer than a message may be")]
    TooLong,
    /// Not JSON, not a known type, or a member is missing or breaks its bounds.
    #[error("the frame is not a message of this protocol")]
    Malformed,
}

impl FrameError {
    /// The close code that says so.
    pub fn close_code(self) -> u16 {
        match self {
            Self::TooLong => close::TOO_LONG,
            Self::Malformed => close::MALFORMED,
        }
    }
}

fn parse<T: DeserializeOwned>(frame: &str) -> Result<T, FrameError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong);
    }
    serde_json::from_str(frame).map_err(|_| FrameError::Malformed)
}

fn write<T: Serialize>(message: &T) -> String {
    // Every message is made of texts, numbers and lists: none of them can fail to be written.
    serde_json::to_string(message).unwrap_or_default()
}

impl FromDevice {
    /// Reads a text frame.
    pub fn parse(frame: &str) -> Result<Self, FrameError> {
        parse(frame)
    }

    /// The text frame.
    pub fn to_frame(&self) -> String {
        write(self)
    }
}

impl FromCloud {
    /// Reads a text frame.
    pub fn parse(frame: &str) -> Result<Self, FrameError> {
        let message = parse(frame)?;
        match &message {
            Self::Renewed { certificate, .. } if certificate.len() > CERTIFICATE_BYTES_MAX => {
                Err(FrameError::Malformed)
            }
            _ => Ok(message),
        }
    }

    /// The text frame.
    pub fn to_frame(&self) -> String {
        write(self)
    }
}
