//! An account's recorders as JSON. Whoever asks has a token of their own in the `Authorization` header; the pages'
//! cookie counts for nothing here, so that no other site can make a browser ask.

use super::recorders::id;
use crate::{
    accounts::{self, SESSION_S},
    recorders::Fault,
    store::{
        accounts::Account,
        recorders::{Offered, Recorder},
    },
    web::{Stop, Web, accept::Requester, body},
};
use axum::{
    Json,
    body::Bytes,
    extract::{
        Extension, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, get},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    who: String,
    password: zeroize::Zeroizing<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    serial: String,
    code: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoRecorder => Self::NoRecorder,
            Fault::OfferOver => Self::OfferOver,
            Fault::NotFound => Self::Recorder(StatusCode::UNPROCESSABLE_ENTITY, "recorder-not-added"),
            Fault::Elsewhere => Self::Recorder(StatusCode::CONFLICT, "recorder-elsewhere"),
            Fault::Full => Self::Recorder(StatusCode::CONFLICT, "recorders-full"),
            Fault::Name => Self::Recorder(StatusCode::UNPROCESSABLE_ENTITY, "recorder-name"),
            Fault::Account(fault) => fault.into(),
            Fault::Email => Self::Recorder(StatusCode::UNPROCESSABLE_ENTITY, "not-an-email"),
            Fault::OwnEmail => Self::Recorder(StatusCode::UNPROCESSABLE_ENTITY, "own-email"),
            Fault::Withdrawn => Self::Recorder(StatusCode::CONFLICT, "recorder-withdrawn"),
            // Over in a moment.
            Fault::Changed => Self::Ours,
        }
    }
}

impl From<accounts::Fault> for Stop {
    fn from(fault: accounts::Fault) -> Self {
        match fault {
            accounts::Fault::Store(error) => Self::Refusal(error.into()),
            accounts::Fault::Limited { retry_after_s } => Self::TooMany { retry_after_s },
            accounts::Fault::Credentials => Self::Credentials,
            accounts::Fault::CodeOver => Self::CodeOver,
            accounts::Fault::WrongCode { .. } => Self::Recorder(StatusCode::FORBIDDEN, "wrong-mailed-code"),
            _ => Self::Ours,
        }
    }
}

pub(super) fn parse<T: DeserializeOwned>(
    bytes: Result<Bytes, BytesRejection>,
    headers: &HeaderMap,
) -> Result<T, Stop> {
    let bytes = body(bytes, headers, "application/json")?;
    serde_json::from_slice(&bytes).map_err(|_| Stop::Malformed)
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() == 64).then_some(token)
}

pub(super) async fn account(web: &Web, headers: &HeaderMap) -> Result<Account, Stop> {
    let token = token(headers).ok_or(Stop::NotSignedIn)?;
    web.accounts.session(token).await?.ok_or(Stop::NotSignedIn)
}

pub(super) fn described(web: &Web, recorder: &Recorder) -> Value {
    let presence = recorder.presence.as_ref();
    let state = match presence {
        _ if recorder.revoked_at_s.is_some() => "withdrawn",
        Some(presence) if presence.online => "online",
        _ => "offline",
    };
    let offer = recorder.offer.as_ref().map(|offer| {
        json!({
            "masked_address": web.accounts.masked_sealed(&offer.email),
            "expires_at_unix_s": offer.expires_at_s,
        })
    });
    json!({
        "id": recorder.id.to_string(),
        "name": recorder.name,
        "serial": recorder.serial,
        "model": recorder.model,
        "version": presence.map(|presence| presence.version.as_str()),
        "state": state,
        "since_unix_s": recorder.revoked_at_s.or(presence.map(|presence| presence.since_s)),
        "added_at_unix_s": recorder.added_at_s,
        "offer": offer,
    })
}

fn offer(offered: &Offered) -> Value {
    json!({
        "id": offered.id.to_string(),
        "from": offered.from.name,
        "model": offered.model,
        "serial": offered.serial,
        "expires_at_unix_s": offered.expires_at_s,
    })
}

pub(super) fn answer(web: &Web, answered: Result<Response, Stop>) -> Response {
    answered.unwrap_or_else(|stop| {
        let mut response = web.problem(&stop).into_response();
        if matches!(stop, Stop::NotSignedIn) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    })
}

/// What is done with one recorder.
pub(in crate::web) fn one() -> MethodRouter<Web> {
    get(show).patch(rename).delete(remove)
}

pub(in crate::web) async fn sign_in(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let signed_in = async {
        web.ask(requester)?;
        let Credentials { who, password } = parse(bytes, &headers)?;
        let token = web.accounts.sign_in(requester.0, &who, &password, false).await?;
        let told = json!({ "token": token.as_str(), "expires_in_s": SESSION_S });
        Ok((StatusCode::CREATED, Json(told)).into_response())
    };
    answer(&web, signed_in.await)
}

pub(in crate::web) async fn sign_out(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
) -> Response {
    let signed_out = async {
        web.ask(requester)?;
        account(&web, &headers).await?;
        web.accounts.sign_out(token(&headers).unwrap_or_default()).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answer(&web, signed_out.await)
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
) -> Response {
    let listed = async {
        web.allow_look(requester)?;
        let list = web.recorders.list(&account(&web, &headers).await?).await?;
        let own: Vec<Value> = list.own.iter().map(|recorder| described(&web, recorder)).collect();
        let offers: Vec<Value> = list.offered.iter().map(offer).collect();
        Ok(Json(json!({ "recorders": own, "offers": offers })).into_response())
    };
    answer(&web, listed.await)
}

pub(in crate::web) async fn add(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let added = async {
        web.ask(requester)?;
        let account = account(&web, &headers).await?;
        let New { serial, code, name } = parse(bytes, &headers)?;
        let id = web.recorders.add(requester.0, &account, (&serial, &code), &name).await?;
        let told = described(&web, &web.recorders.one(&account, id).await?);
        let location = (header::LOCATION, format!("/api/v1/account/recorders/{id}"));
        Ok((StatusCode::CREATED, [location], Json(told)).into_response())
    };
    answer(&web, added.await)
}

async fn show(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let shown = async {
        web.allow_look(requester)?;
        let account = account(&web, &headers).await?;
        Ok(Json(described(&web, &web.recorders.one(&account, id(path)?).await?)).into_response())
    };
    answer(&web, shown.await)
}

async fn rename(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let renamed = async {
        web.ask(requester)?;
        let account = account(&web, &headers).await?;
        let (id, Name { name }) = (id(path)?, parse(bytes, &headers)?);
        web.recorders.rename(&account, id, &name).await?;
        Ok(Json(described(&web, &web.recorders.one(&account, id).await?)).into_response())
    };
    answer(&web, renamed.await)
}

async fn remove(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let removed = async {
        web.ask(requester)?;
        let account = account(&web, &headers).await?;
        web.recorders.remove(&account, id(path)?).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answer(&web, removed.await)
}
