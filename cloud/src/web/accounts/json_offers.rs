//! Handing a recorder over, as JSON: a code is mailed to its owner, with it the recorder is offered, and whoever it is offered to
//! answers.

use super::{
    json::{account, answer, described, parse},
    recorders::id,
};
use crate::{
    recorders::Fault,
    store::{CodeId, OfferId},
    web::{Stop, Web, accept::Requester},
};
use axum::{
    Json,
    body::Bytes,
    extract::{
        Extension, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, post},
};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// The new owner's address.
    email: String,
    /// The device verification code.
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmed {
    confirmation: String,
    /// The mailed code.
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    answer: Choice,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Accept,
    Decline,
}

/// What is done with the offer of one recorder.
pub(in crate::web) fn of_recorder() -> MethodRouter<Web> {
    post(ask).put(make).delete(take_back)
}

/// Has its owner mailed the code that makes the offer.
async fn ask(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let asked = async {
        web.ask(requester)?;
        let account = account(&web, &headers).await?;
        let (id, Wish { email, code }) = (id(path)?, parse(bytes, &headers)?);
        let asked = web.recorders.ask_transfer(requester.0, &account, id, (&email, &code)).await;
        let confirmation = asked.map_err(|fault| match fault {
            Fault::NotFound => Stop::Recorder(StatusCode::UNPROCESSABLE_ENTITY, "wrong-device-code"),
            fault => fault.into(),
        })?;
        let told = json!({ "confirmation": confirmation.to_string() });
        Ok((StatusCode::ACCEPTED, Json(told)).into_response())
    };
    answer(&web, asked.await)
}

/// Makes the offer.
async fn make(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let made = async {
        web.ask(requester)?;
        let account = account(&web, &headers).await?;
        let (id, Confirmed { confirmation, code }) = (id(path)?, parse(bytes, &headers)?);
        web.recorders.one(&account, id).await?;
        let confirmation = CodeId::parse(&confirmation).ok_or(Stop::CodeOver)?;
        let transfer = web.accounts.pending(confirmation).await?.transfer;
        if transfer.is_none_or(|transfer| transfer.recorder != id.to_string()) {
            return Err(Stop::CodeOver);
        }
        web.recorders.offer(&account, confirmation, &code).await?;
        Ok(Json(described(&web, &web.recorders.one(&account, id).await?)).into_response())
    };
    answer(&web, made.await)
}

async fn take_back(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let taken = async {
        web.ask(requester)?;
        let account = account(&web, &headers).await?;
        let id = id(path)?;
        web.recorders.one(&account, id).await?;
        web.recorders.take_back(&account, id).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answer(&web, taken.await)
}

/// The answer of whoever a recorder is offered to.
pub(in crate::web) async fn reply(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let replied = async {
        web.ask(requester)?;
        let account = account(&web, &headers).await?;
        let Reply { answer } = parse(bytes, &headers)?;
        let offer = path.ok().and_then(|Path(text)| OfferId::parse(&text)).ok_or(Stop::OfferOver)?;
        match answer {
            Choice::Accept => {
                let id = web.recorders.accept(&account, offer).await?;
                let told = described(&web, &web.recorders.one(&account, id).await?);
                let location = (header::LOCATION, format!("/api/v1/account/recorders/{id}"));
                Ok((StatusCode::CREATED, [location], Json(told)).into_response())
            }
            Choice::Decline => {
                web.recorders.decline(&account, offer).await?;
                Ok(StatusCode::NO_CONTENT.into_response())
            }
        }
    };
    answer(&web, replied.await)
}
