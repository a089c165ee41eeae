//! The store's and the relay's words, as they are said on the link.

use super::sessions::End;
use crate::{
    relay::Refusal,
    store::{Limit, Request},
};
use latchkey_protocol::platform::{MailStatus, Problem, close};

/// How far a request's mail is.
pub(super) fn mail(request: &Request) -> Option<MailStatus> {
    request.mail().map(|mail| MailStatus { state: mail.state, reason: mail.reason })
}

/// A refusal of the relay, and when to ask again.
pub(super) fn problem(refusal: &Refusal) -> (Problem, Option<u32>) {
    let later = |wait_s: i64| u32::try_from(wait_s.max(1)).ok();
    match refusal {
        Refusal::Unusable(_) | Refusal::OtherService(_) => (Problem::UnusableQr, None),
        Refusal::Revoked => (Problem::Revoked, None),
        Refusal::Superseded => (Problem::Superseded, None),
        Refusal::Expired => (Problem::Expired, None),
        Refusal::Limited { limit: Limit::Device, retry_after_s } => {
            (Problem::DeviceLimit, later(*retry_after_s))
        }
        Refusal::Limited { limit: Limit::Address | Limit::Requester | Limit::Once, retry_after_s } => {
            (Problem::AddressLimit, later(*retry_after_s))
        }
        Refusal::NotFound => (Problem::UnknownRequest, None),
        Refusal::ResendTooEarly { after_s } => (Problem::ResendTooEarly, later(*after_s)),
        Refusal::StillQueued => (Problem::StillQueued, None),
        Refusal::ResendUsed => (Problem::ResendUsed, None),
        Refusal::Store(_) => (Problem::Unavailable, Some(10)),
    }
}

impl End {
    /// The word for metrics and log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Unread => "unread",
            Self::Silent => "silent",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::TooMany => "too_many",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::Stopping => "stopping",
        }
    }

    /// The close code; none when nobody is there to read it.
    pub(super) fn close_code(self) -> Option<u16> {
        match self {
            Self::Gone | Self::Unread => None,
            Self::Silent => Some(close::SILENT),
            Self::Malformed => Some(close::MALFORMED),
            Self::TooLong => Some(close::TOO_LONG),
            Self::TooMany => Some(close::TOO_MANY),
            Self::Revoked => Some(close::REVOKED),
            Self::Replaced => Some(close::DUPLICATE),
            Self::Stopping => Some(close::GOING_AWAY),
        }
    }
}
