//! The relay as JSON.

use super::{Stop, Web, accept::Requester, body};
use crate::{
    relay::Shown,
    store::{MailState, RESEND_AFTER_S, Reason, TRANSMISSIONS_MAX},
};
use axum::{
    Json,
    body::Bytes,
    extract::{
        Extension, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use latchkey_protocol::Purpose;
use serde::{Deserialize, Serialize};

/// The body of a submission.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submission {
    sealed: String,
}

/// A request as JSON.
#[derive(Serialize)]
pub(super) struct Body {
    pub(super) id: String,
    pub(super) purpose: Option<&'static str>,
    pub(super) tag: Option<String>,
    pub(super) masked_addresses: Vec<String>,
    pub(super) received_at_unix_s: i64,
    pub(super) expires_at_unix_s: i64,
    pub(super) mail: MailBody,
    pub(super) resend: ResendBody,
}

/// The mails of a request.
#[derive(Serialize)]
pub(super) struct MailBody {
    pub(super) state: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) deliveries: Vec<Delivery>,
    /// Changes whenever the rest does.
    pub(super) version: String,
}

/// One mail.
#[derive(Serialize)]
pub(super) struct Delivery {
    pub(super) state: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) attempts: u32,
}

/// Whether a mail can be sent once more.
#[derive(Serialize)]
pub(super) struct ResendBody {
    pub(super) possible: bool,
    pub(super) after_s: i64,
}

fn state_name(state: MailState) -> &'static str {
    match state {
        MailState::Queued => "queued",
        MailState::Accepted => "accepted",
        MailState::Bounced => "bounced",
        MailState::Failed => "failed",
    }
}

fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::MailboxUnknown => "mailbox-unknown",
        Reason::MailboxFull => "mailbox-full",
        Reason::Refused => "refused",
        Reason::Unreachable => "unreachable",
        Reason::NoAnswer => "no-answer",
        Reason::Expired => "expired",
        Reason::NotReadable => "not-readable",
        Reason::Other => "other",
    }
}

fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Reset => "reset",
        Purpose::ConfirmEmail => "confirm-email",
        Purpose::Rehearsal => "rehearsal",
        Purpose::Notice => "notice",
        Purpose::AddressChanged => "address-changed",
    }
}

impl Body {
    pub(super) fn of(shown: &Shown, now_s: i64) -> Self {
        let request = &shown.request;
        let inside = shown.inside.as_ref();
        let best = request.mail();
        let can_arrive = request.mails.iter().any(|mail| mail.transmissions < TRANSMISSIONS_MAX);
        let open = request.mails.iter().any(|mail| mail.state == MailState::Queued);
        let possible = inside.is_some() && request.resent_at_s.is_none() && can_arrive && !open;
        let deliveries: Vec<Delivery> = request
            .mails
            .iter()
            .map(|mail| Delivery {
                state: state_name(mail.state),
                reason: mail.reason.map(reason_name),
                attempts: mail.attempts,
            })
            .collect();
        let parts = deliveries.iter().map(|d| format!("{}{}", d.state, d.reason.unwrap_or("")));
        Self {
            id: request.id.to_string(),
            purpose: inside.map(|inside| purpose_name(inside.purpose)),
            tag: inside.map(|inside| inside.tag.to_string()),
            masked_addresses: inside.map(|inside| inside.masked.clone()).unwrap_or_default(),
            received_at_unix_s: request.received_at_s,
            expires_at_unix_s: request.expires_at_s,
            mail: MailBody {
                state: best.map_or("failed", |mail| state_name(mail.state)),
                reason: best.and_then(|mail| mail.reason).map(reason_name),
                version: parts.collect::<Vec<_>>().join("."),
                deliveries,
            },
            resend: ResendBody {
                possible,
                after_s: (request.received_at_s + RESEND_AFTER_S - now_s).clamp(0, RESEND_AFTER_S),
            },
        }
    }
}

pub(super) async fn submit(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let submitted = async {
        web.ask(requester)?;
        let bytes = body(bytes, &headers, "application/json")?;
        let Submission { sealed } = serde_json::from_slice(&bytes).map_err(|_| Stop::Malformed)?;
        let id = web.relay.submit(&sealed).await?;
        web.bell.notify_one();
        Ok::<_, Stop>((id, web.relay.show(id).await?))
    };
    match submitted.await {
        Ok((id, shown)) => {
            let location = (header::LOCATION, format!("/api/v1/relay/{id}"));
            let answer = Json(Body::of(&shown, web.clock.now_s()));
            (StatusCode::ACCEPTED, [location], answer).into_response()
        }
        Err(stop) => web.problem(&stop).into_response(),
    }
}

pub(super) async fn show(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    match web.look(requester, path).await {
        Ok(shown) => Json(Body::of(&shown, web.clock.now_s())).into_response(),
        Err(stop) => web.problem(&stop).into_response(),
    }
}

pub(super) async fn resend(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let resent = async {
        let id = web.resend(requester, path).await?;
        Ok::<_, Stop>(web.relay.show(id).await?)
    };
    match resent.await {
        Ok(shown) => (StatusCode::ACCEPTED, Json(Body::of(&shown, web.clock.now_s()))).into_response(),
        Err(stop) => web.problem(&stop).into_response(),
    }
}

/// Well when the database answers.
pub(super) async fn health(State(web): State<Web>) -> Response {
    match web.relay.store.next_due().await {
        Ok(_) => Json(serde_json::json!({ "status": "ok" })).into_response(),
        Err(error) => web.problem(&Stop::Refusal(error.into())).into_response(),
    }
}
