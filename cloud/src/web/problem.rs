//! Refusals as RFC 9457 problem documents; the pages show the same words.

use super::Stop;
use crate::{mailbox::letter::Nothing, relay::Refusal, store::Limit};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use latchkey_look::Catalogue;

/// A refusal in words.
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// The last part of the `type`.
    pub(super) kind: &'static str,
    pub(super) title: String,
    pub(super) detail: String,
    pub(super) retry_after_s: Option<i64>,
}

/// The status and the name of every refusal.
fn class(stop: &Stop) -> (StatusCode, &'static str, Option<i64>) {
    match stop {
        Stop::Refusal(refusal) => match refusal {
            Refusal::Unusable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unusable-qr", None),
            Refusal::OtherService(_) => (StatusCode::UNPROCESSABLE_ENTITY, "other-service", None),
            Refusal::Revoked => (StatusCode::FORBIDDEN, "revoked", None),
            Refusal::Superseded => (StatusCode::CONFLICT, "superseded", None),
            Refusal::Expired => (StatusCode::GONE, "expired", None),
            Refusal::Limited { limit: Limit::Device, retry_after_s } => {
                (StatusCode::TOO_MANY_REQUESTS, "device-limit", Some(*retry_after_s))
            }
            Refusal::Limited { limit: Limit::Address | Limit::Requester | Limit::Once, retry_after_s } => {
                (StatusCode::TOO_MANY_REQUESTS, "address-limit", Some(*retry_after_s))
            }
            Refusal::NotFound => (StatusCode::NOT_FOUND, "unknown-request", None),
            Refusal::ResendTooEarly { after_s } => {
                (StatusCode::TOO_MANY_REQUESTS, "resend-too-early", Some(*after_s))
            }
            Refusal::StillQueued => (StatusCode::CONFLICT, "still-queued", None),
            Refusal::ResendUsed => (StatusCode::CONFLICT, "resend-used", None),
            Refusal::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some(10)),
        },
        Stop::TooMany { retry_after_s } => {
            (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", Some(*retry_after_s))
        }
        Stop::Malformed => (StatusCode::BAD_REQUEST, "malformed-request", None),
        Stop::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", None),
        Stop::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", None),
        Stop::NoPage => (StatusCode::NOT_FOUND, "not-found", None),
        Stop::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", None),
        Stop::Slow => (StatusCode::REQUEST_TIMEOUT, "timeout", None),
        Stop::Elsewhere => (StatusCode::FORBIDDEN, "elsewhere", None),
        Stop::Recorder(status, name) => (*status, name, None),
        Stop::NotSignedIn => (StatusCode::UNAUTHORIZED, "not-signed-in", None),
        Stop::Credentials => (StatusCode::FORBIDDEN, "wrong-credentials", None),
        Stop::NoRecorder => (StatusCode::NOT_FOUND, "unknown-recorder", None),
        Stop::OfferOver => (StatusCode::GONE, "offer-over", None),
        Stop::CodeOver => (StatusCode::GONE, "code-over", None),
        Stop::NoClaim => (StatusCode::FORBIDDEN, "no-claim", None),
        Stop::SignedBefore => (StatusCode::CONFLICT, "signed-before", None),
        Stop::Picture(nothing) => (StatusCode::UNPROCESSABLE_ENTITY, picture_kind(*nothing), None),
        Stop::PicturesBusy => (StatusCode::SERVICE_UNAVAILABLE, "pictures-busy", Some(20)),
        Stop::Ours => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some(10)),
    }
}

fn picture_kind(nothing: Nothing) -> &'static str {
    match nothing {
        Nothing::NoMail | Nothing::NoPicture => "no-picture",
        Nothing::PictureTooLarge => "picture-too-large",
        Nothing::PictureDamaged => "picture-damaged",
        Nothing::NoCode => "picture-without-code",
        Nothing::OtherCode => "picture-of-other-code",
    }
}

/// Puts a refusal into words.
pub(super) fn of(say: &Catalogue, stop: &Stop) -> Problem {
    let (status, kind, retry_after_s) = class(stop);
    let host = match stop {
        Stop::Refusal(Refusal::OtherService(host)) => host.to_string(),
        _ => String::new(),
    };
    let detail = say.say_with(&format!("refusal-{kind}-detail"), &[("host", host.into())]);
    let detail = match retry_after_s {
        Some(wait_s) => format!("{detail} {}", wait(say, wait_s)),
        None => detail,
    };
    Problem { status, kind, title: say.say(&format!("refusal-{kind}")), detail, retry_after_s }
}

/// "Try again in ...", in one unit, rounded up.
fn wait(say: &Catalogue, wait_s: i64) -> String {
    let (unit, count) = match wait_s {
        ..=90 => ("time-seconds", wait_s.max(1)),
        91..=5400 => ("time-minutes", wait_s.div_euclid(60) + 1),
        _ => ("time-hours", wait_s.div_euclid(3600) + 1),
    };
    let time = say.say_with(unit, &[("count", count.into())]);
    say.say_with("refusal-retry", &[("time", time.into())])
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = serde_json::json!({
            "type": format!("urn:latchkey:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = (header::CONTENT_TYPE, "application/problem+json");
        let mut response = (self.status, [kind], document.to_string()).into_response();
        if let Some(wait_s) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s.max(1)));
        }
        response
    }
}
