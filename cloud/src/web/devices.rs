//! What devices ask over HTTP: the time when theirs is wrong, and an identity when they have none.

use super::{
    Stop, Web,
    accept::{ByClaim, Requester},
    body,
};
use crate::{factory::FactoryError, worker::chain};
use axum::{
    Json,
    body::Bytes,
    extract::{
        Extension, Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use latchkey_protocol::{claim::ClaimSecret, identity::IdentityRequest, platform::Nonce};
use serde::Deserialize;

/// The question for the time.
#[derive(Deserialize)]
pub(super) struct Ask {
    nonce: Nonce,
}

/// The time, signed for the nonce: the signature alone is believed.
pub(super) async fn time(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Response {
    let signed = || {
        web.allow_look(requester)?;
        let Ok(Query(Ask { nonce })) = ask else { return Err(Stop::Malformed) };
        web.platform.factory.keys.time(nonce, web.clock.now_s()).ok_or(Stop::Ours)
    };
    match signed() {
        Ok(time) => Json(time).into_response(),
        Err(stop) => web.problem(&stop).into_response(),
    }
}

/// The body of an enrolment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    claim: ClaimSecret,
    request: IdentityRequest,
}

/// Signs a device's identity on a claim. Only over the connection that the claim code vouches for:
/// over another one neither the claim nor the identity would be safe.
pub(super) async fn enrol(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    Extension(ByClaim(by_claim)): Extension<ByClaim>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let enrolled = async {
        if !by_claim {
            return Err(Stop::NoPage);
        }
        web.ask(requester)?;
        let bytes = body(bytes, &headers, "application/json")?;
        let Enrolment { claim, request } = serde_json::from_slice(&bytes).map_err(|_| Stop::Malformed)?;
        let store = &*web.relay.store;
        let signed = web.platform.factory.enrol(store, claim, request, web.clock.now_s()).await;
        signed.map_err(|error| match error {
            FactoryError::NoClaim => Stop::NoClaim,
            FactoryError::SignedBefore(_) => Stop::SignedBefore,
            FactoryError::Request(_) => Stop::Malformed,
            FactoryError::Store(error) => Stop::Refusal(error.into()),
            error => {
                tracing::error!(error = %chain(&error), "an identity cannot be signed");
                Stop::Ours
            }
        })
    };
    match enrolled.await {
        Ok(file) => {
            web.platform.metrics.enrolled.inc();
            tracing::info!(handle = %file.handle, serial = %file.serial, "enrolled by a claim");
            (StatusCode::CREATED, Json(file)).into_response()
        }
        Err(stop) => web.problem(&stop).into_response(),
    }
}
