//! Pages and JSON. A GET changes nothing; no page asks for a recorder's password, or for a code that resets it.

pub mod accept;
mod accounts;
mod api;
mod app;
mod assets;
mod devices;
mod openapi;
pub mod operators;
mod pages;
mod picture;
mod problem;

use crate::{
    accounts::Accounts,
    clock::Clock,
    config::Config,
    limits::Requesters,
    mailbox::letter::Nothing,
    platform::Platform,
    recorders::Recorders,
    relay::{Refusal, Relay, Shown},
    store::RequestId,
};
use accept::Requester;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use latchkey_look::Catalogue;
pub use picture::Pictures;
use problem::Problem;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// A QR link is at most 984 bytes.
const BODY_MAX: usize = 8 * 1024;
const REQUEST_S: u64 = 15;

/// What the handlers work with.
#[derive(Clone)]
pub struct Web {
    /// The relay.
    pub relay: Arc<Relay>,
    /// Every sentence.
    pub say: Arc<Catalogue>,
    /// Rung when a mail was queued.
    pub bell: Arc<Notify>,
    /// How often each requester asks.
    pub requesters: Arc<Requesters>,
    /// How often each requester looks at what became of it.
    pub lookers: Arc<Requesters>,
    /// The sender's name and the host.
    pub config: Arc<Config>,
    /// Who is connected.
    pub platform: Arc<Platform>,
    /// Who signs in here.
    pub accounts: Arc<Accounts>,
    /// Where pictures are read that a page could not read itself.
    pub pictures: Arc<Pictures>,
    /// Whose recorders are whose.
    pub recorders: Arc<Recorders>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why a request is refused, before or in the relay.
enum Stop {
    /// The relay's reason.
    Refusal(Refusal),
    /// Too many from one requester.
    TooMany { retry_after_s: i64 },
    /// The body is not what it should be.
    Malformed,
    /// The body is of another kind.
    MediaType,
    /// The body is too large.
    TooLarge,
    /// No such page.
    NoPage,
    /// Not that method.
    Method,
    /// Took too long.
    Slow,
    /// A claim that allows nothing.
    NoClaim,
    /// The serial has an identity.
    SignedBefore,
    /// A form of another site's.
    Elsewhere,
    /// No such code of an account is waited for.
    CodeOver,
    /// The account has no such recorder.
    NoRecorder,
    /// There is no such offer.
    OfferOver,
    /// A recorder is not added or named, for a reason with a name.
    Recorder(StatusCode, &'static str),
    /// Nobody is signed in.
    NotSignedIn,
    /// Not the account's name and password.
    Credentials,
    /// Something of ours failed.
    Ours,
    /// There is no QR code of a recorder in a picture.
    Picture(Nothing),
    /// More pictures are being read than can be.
    PicturesBusy,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl Web {
    fn ask(&self, requester: Requester) -> Result<(), Stop> {
        self.requesters
            .ask(requester.0, self.clock.now_s())
            .map_err(|retry_after_s| Stop::TooMany { retry_after_s })
    }

    fn allow_look(&self, requester: Requester) -> Result<(), Stop> {
        self.lookers
            .ask(requester.0, self.clock.now_s())
            .map_err(|retry_after_s| Stop::TooMany { retry_after_s })
    }

    /// A request's state. Each look opens its sealed bytes, so looking has a rate of its own.
    async fn look(
        &self,
        requester: Requester,
        path: Result<Path<String>, PathRejection>,
    ) -> Result<Shown, Stop> {
        self.allow_look(requester)?;
        Ok(self.relay.show(id(path)?).await?)
    }

    /// Sends a request's mails once more.
    async fn resend(
        &self,
        requester: Requester,
        path: Result<Path<String>, PathRejection>,
    ) -> Result<RequestId, Stop> {
        self.ask(requester)?;
        let id = id(path)?;
        self.relay.resend(id).await?;
        self.bell.notify_one();
        Ok(id)
    }

    fn problem(&self, stop: &Stop) -> Problem {
        if let Stop::Refusal(refusal) = stop {
            match refusal {
                Refusal::Store(error) => {
                    tracing::error!(error = %crate::worker::chain(error), "the store has no answer");
                }
                refusal => tracing::info!(reason = %crate::worker::chain(refusal), "refused"),
            }
        }
        problem::of(&self.say, stop)
    }
}

/// Every route.
pub fn router(web: Web) -> Router {
    let accounts = if web.config.accounts.enabled { of_accounts() } else { Router::new() };
    Router::new()
        .route("/", get(pages::landing))
        .route("/more", get(app::more))
        .route(app::RESET, get(app::reset))
        .route(picture::PATH, post(picture::submit))
        .route("/r", get(pages::scan).post(pages::submit))
        .route("/r/status/{id}", get(pages::status))
        .route("/r/status/{id}/resend", post(pages::resend))
        .route("/api/v1/relay", post(api::submit))
        .route("/api/v1/relay/{id}", get(api::show))
        .route("/api/v1/relay/{id}/resend", post(api::resend))
        .route("/api/v1/time", get(devices::time))
        .route("/api/v1/enrolment", post(devices::enrol))
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/manifest.webmanifest", get(app::manifest))
        .route("/healthz", get(api::health))
        .route("/assets/{hash}/{name}", get(assets::file))
        .merge(accounts)
        .fallback(no_page)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(web.clone(), around))
        .with_state(web)
}

/// The routes of people with accounts.
fn of_accounts() -> Router<Web> {
    Router::new()
        .route("/account", get(accounts::own::overview))
        .route("/account/sign-up", get(accounts::sign_up).post(accounts::ask_sign_up))
        .route("/account/forgot", get(accounts::forgot).post(accounts::ask_forgot))
        .route("/account/code/{id}", get(accounts::code).post(accounts::type_code))
        .route("/account/code/{id}/resend", post(accounts::resend))
        .route("/account/sign-in", get(accounts::sign_in).post(accounts::do_sign_in))
        .route("/account/sign-out", post(accounts::own::sign_out))
        .route("/account/email", post(accounts::own::new_email))
        .route("/account/remove", post(accounts::own::remove))
        .route("/account/picture/{token}", get(accounts::picture))
        .route("/add", get(accounts::add::add).post(accounts::add::do_add))
        .route(app::SCAN, get(accounts::add::scan))
        .route("/recorders", get(accounts::recorders::overview))
        .route("/recorders/offers/{id}", post(accounts::recorders::answer))
        .route("/recorders/{id}", get(accounts::recorders::one))
        .route("/recorders/{id}/name", post(accounts::recorders::rename))
        .route(
            "/recorders/{id}/remove",
            get(accounts::recorders::ask_remove).post(accounts::recorders::remove),
        )
        .route("/recorders/{id}/transfer", post(accounts::recorders::transfer))
        .route("/recorders/{id}/take-back", post(accounts::recorders::take_back))
        .route(picture::ADD_PATH, post(picture::submit_to_add))
        .route("/api/v1/account/session", post(accounts::json::sign_in).delete(accounts::json::sign_out))
        .route("/api/v1/account/recorders", get(accounts::json::list).post(accounts::json::add))
        .route("/api/v1/account/recorders/{id}", accounts::json::one())
        .route("/api/v1/account/recorders/{id}/offer", accounts::json_offers::of_recorder())
        .route("/api/v1/account/offers/{id}", post(accounts::json_offers::reply))
}

fn wants_json(path: &str) -> bool {
    path.starts_with("/api/") || path == "/healthz"
}

async fn no_page(State(web): State<Web>, request: Request) -> Response {
    refuse(&web, request.uri().path(), &Stop::NoPage)
}

async fn no_method(State(web): State<Web>, request: Request) -> Response {
    refuse(&web, request.uri().path(), &Stop::Method)
}

fn refuse(web: &Web, path: &str, stop: &Stop) -> Response {
    let problem = web.problem(stop);
    if wants_json(path) { problem.into_response() } else { pages::problem(web, &problem) }
}

/// What holds for every answer: a time limit and the headers.
async fn around(State(web): State<Web>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let time_s =
        if [picture::PATH, picture::ADD_PATH].contains(&&*path) { picture::REQUEST_S } else { REQUEST_S };
    let answer = tokio::time::timeout(Duration::from_secs(time_s), next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| refuse(&web, &path, &Stop::Slow));
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; worker-src 'self'; img-src 'self'; \
             connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            header::HeaderName::from_static("permissions-policy"),
            // The pages that scan have the camera, and no page has anything else.
            if path == app::RESET || path == app::SCAN {
                "camera=(self), microphone=(), geolocation=(), payment=(), usb=()"
            } else {
                "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
            },
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let closed = ["/r/", "/account", "/recorders", "/add"];
    if path == "/r" || closed.iter().any(|start| path.starts_with(start)) {
        headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    }
    if web.config.http.tls != crate::config::Tls::SelfMade {
        // With a self-made certificate it would lock out whoever clicks through the warning.
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The id of a path.
fn id(path: Result<Path<String>, PathRejection>) -> Result<RequestId, Stop> {
    let id = path.ok().and_then(|Path(text)| RequestId::parse(&text));
    id.ok_or(Stop::Refusal(Refusal::NotFound))
}

/// The text of a request that is within the limits and of the right kind.
fn body(
    result: Result<axum::body::Bytes, axum::extract::rejection::BytesRejection>,
    headers: &axum::http::HeaderMap,
    kind: &str,
) -> Result<axum::body::Bytes, Stop> {
    let bytes = result.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Stop::TooLarge,
        _ => Stop::Malformed,
    })?;
    let told = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let told = told.split(';').next().unwrap_or_default().trim();
    if told.eq_ignore_ascii_case(kind) { Ok(bytes) } else { Err(Stop::MediaType) }
}
