//! The pages, drawn on the server. They work without JavaScript, and ask for no password and no code.

use super::{
    Stop, Web,
    accept::Requester,
    api::{Body, Delivery},
    assets, body,
    problem::Problem,
};
use crate::{relay::Shown, store::RequestId};
use askama::Template;
use axum::{
    body::Bytes,
    extract::{
        Extension, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use fluent_bundle::FluentValue;
use latchkey_look::{Catalogue, Icon, tokens};
use latchkey_protocol::{QrLink, Tag};
use serde::Deserialize;

/// What every page has.
pub(super) struct Frame<'a> {
    say: &'a Catalogue,
    pub(super) title: String,
    pub(super) host: String,
    /// Seconds after which a page without JavaScript looks again.
    pub(super) refresh_s: Option<u32>,
    /// The app's part that the page belongs to.
    pub(super) part: Part,
    /// Whether people may have accounts here.
    pub(super) accounts: bool,
}

/// The parts of the app, between which its bar leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The start page, and pages that belong to no part.
    Start,
    /// A reset.
    Reset,
    /// An account's recorders, and the way to them.
    Recorders,
    /// Everything else.
    More,
    /// Not of the app: a page for operators.
    Outside,
}

impl Frame<'_> {
    pub(super) fn say(&self, key: &str) -> String {
        self.say.say(key)
    }

    /// A sentence of one of the kinds of a page for accounts.
    pub(super) fn say_kind(&self, kind: &str, key: &str) -> String {
        self.say.say(&format!("account-{kind}-{key}"))
    }

    /// A sentence of the page that scans: for a reset, or for a recorder to be added.
    pub(super) fn say_for(&self, kind: &str, key: &str) -> String {
        let page = if kind == "add" { "recorders-scan" } else { "reset" };
        self.say.say(&format!("{page}-{key}"))
    }

    pub(super) fn say_with_text(&self, key: &str, name: &str, value: &str) -> String {
        self.say.say_with(key, &[(name, value.to_owned().into())])
    }

    pub(super) fn icon(&self, name: &str) -> &'static str {
        match name {
            "key" => Icon::Key,
            "mail" => Icon::Mail,
            "person" => Icon::Person,
            "renew" => Icon::Renew,
            "danger" => Icon::Danger,
            "success" => Icon::Success,
            "home" => Icon::Home,
            "recorder" => Icon::Recorder,
            "more" => Icon::Menu,
            "next" => Icon::Next,
            "camera" => Icon::Camera,
            "add" => Icon::Add,
            _ => Icon::Info,
        }
        .svg()
    }

    pub(super) fn asset(&self, name: &str) -> String {
        assets::path(name)
    }

    /// The frame of a page of another part.
    pub(super) fn of(self, part: Part) -> Self {
        Self { part, ..self }
    }

    /// The app's bar: where each part is, its icon, its name, and whether the page is there.
    pub(super) fn parts(&self) -> Vec<(&'static str, &'static str, String, bool)> {
        if self.part == Part::Outside {
            return vec![];
        }
        [
            (Part::Start, "/", "home", "part-start"),
            (Part::Reset, super::app::RESET, "key", "part-reset"),
            (Part::Recorders, "/recorders", "recorder", "part-recorders"),
            (Part::More, "/more", "more", "part-more"),
        ]
        .into_iter()
        .filter(|(part, ..)| self.accounts || *part != Part::Recorders)
        .map(|(part, path, icon, name)| (path, icon, self.say(name), part == self.part))
        .collect()
    }

    pub(super) fn theme(&self) -> [&'static str; 2] {
        [tokens::SURFACE.light, tokens::SURFACE.dark]
    }
}

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "scan.html")]
struct Scan<'a> {
    frame: Frame<'a>,
    /// What was read here in a picture: the digits and their tag.
    found: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "status.html")]
struct Status<'a> {
    frame: Frame<'a>,
    id: String,
    tag: Option<String>,
    /// `info`, `success`, `warn` or `danger`: the notice's look.
    tone: &'static str,
    heading: String,
    text: String,
    version: String,
    deliveries: Vec<(String, String)>,
    with_code: bool,
    /// Nothing more will happen by itself: the mail came back or was given up.
    is_over: bool,
    queued: bool,
    facts: Vec<(String, String)>,
    resend_possible: bool,
    resend_after: Option<(i64, String)>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Refused<'a> {
    frame: Frame<'a>,
    title: &'a str,
    detail: &'a str,
    /// The page where another picture is worth a try.
    picture_page: Option<&'static str>,
}

impl Web {
    pub(super) fn frame(&self, title_key: &str) -> Frame<'_> {
        Frame {
            say: &self.say,
            title: self.say.say(title_key),
            host: self.relay.host.to_string(),
            refresh_s: None,
            part: Part::Start,
            accounts: self.config.accounts.enabled,
        }
    }
}

/// Draws a page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(super) async fn landing(State(web): State<Web>) -> Response {
    page(StatusCode::OK, &Landing { frame: web.frame("landing-title") })
}

pub(super) async fn scan(State(web): State<Web>) -> Response {
    page(StatusCode::OK, &Scan { frame: reset_frame(&web, "scan-title"), found: None })
}

/// The page that a QR code opens, of a link that was read here. It acts on the person's tap alone, too.
pub(super) fn found(web: &Web, link: &QrLink) -> Response {
    let tag = Tag::of(link.sealed.as_bytes()).to_string();
    let frame = reset_frame(web, "scan-title");
    page(StatusCode::OK, &Scan { frame, found: Some((link.digits(), tag)) })
}

/// The frame of a page of a reset.
pub(super) fn reset_frame<'a>(web: &'a Web, title_key: &str) -> Frame<'a> {
    web.frame(title_key).of(Part::Reset)
}

/// The form's one field.
#[derive(Deserialize)]
struct Fields {
    sealed: String,
}

pub(super) async fn submit(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let submitted = async {
        web.ask(requester)?;
        let bytes = body(bytes, &headers, "application/x-www-form-urlencoded")?;
        let fields: Fields = serde_urlencoded::from_bytes(&bytes).map_err(|_| Stop::Malformed)?;
        let id = web.relay.submit(&fields.sealed).await?;
        web.bell.notify_one();
        Ok::<_, Stop>(id)
    };
    match submitted.await {
        Ok(id) => see(id),
        Err(stop) => problem(&web, &web.problem(&stop)),
    }
}

fn see(id: RequestId) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/r/status/{id}"))]).into_response()
}

pub(super) async fn resend(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    match web.resend(requester, path).await {
        Ok(id) => see(id),
        Err(stop) => problem(&web, &web.problem(&stop)),
    }
}

pub(super) async fn status(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    match web.look(requester, path).await {
        Ok(shown) => page(StatusCode::OK, &drawn(&web, &shown)),
        Err(stop) => problem(&web, &web.problem(&stop)),
    }
}

fn drawn<'a>(web: &'a Web, shown: &Shown) -> Status<'a> {
    let body = Body::of(shown, web.clock.now_s());
    let say = &web.say;
    let state = body.mail.state;
    let reason = |reason: &Option<&'static str>| match reason {
        Some(reason) => say.say(&format!("mail-reason-{reason}")),
        None => String::new(),
    };
    let deliveries = if body.mail.deliveries.len() > 1 {
        body.masked_addresses
            .iter()
            .zip(&body.mail.deliveries)
            .map(|(a, d)| (a.clone(), told(say, d)))
            .collect()
    } else {
        vec![]
    };
    let mut facts = vec![];
    if let Some(inside) = &shown.inside {
        let sender = format!("{} <{}>", web.config.mail.from_name, web.config.mail.from.as_str());
        let tag: FluentValue<'_> = inside.tag.to_string().into();
        facts.push((say.say("status-to"), body.masked_addresses.join(", ")));
        facts.push((say.say("status-from"), sender));
        facts.push((say.say("status-subject"), say.say_with(&inside.subject_key, &[("tag", tag)])));
    }
    let with_code = matches!(body.purpose, Some("reset" | "confirm-email" | "rehearsal"));
    let queued = state == "queued";
    let retried = body.mail.deliveries.iter().any(|d| d.state == "queued" && d.reason.is_some());
    let key = if queued && retried { "retrying" } else { state };
    let wait_s = body.resend.after_s;
    let time = say.say_with("time-seconds", &[("count", wait_s.into())]);
    let mut frame = reset_frame(web, "status-title");
    frame.refresh_s = queued.then_some(5);
    Status {
        frame,
        tag: body.tag,
        tone: match state {
            "accepted" => "success",
            "queued" => "info",
            _ => "danger",
        },
        heading: say.say(&format!("status-{key}")),
        text: say.say_with(
            &match body.purpose {
                Some(purpose @ "confirm-email") if key == "bounced" => {
                    format!("status-bounced-text-{purpose}")
                }
                _ => format!("status-{key}-text"),
            },
            &[
                ("reason", reason(&body.mail.reason).into()),
                ("address", body.masked_addresses.join(", ").into()),
            ],
        ),
        version: body.mail.version,
        deliveries,
        with_code,
        is_over: !matches!(state, "accepted" | "queued"),
        queued,
        facts,
        resend_possible: body.resend.possible,
        resend_after: (wait_s > 0).then_some((wait_s, time)),
        id: body.id,
    }
}

fn told(say: &Catalogue, delivery: &Delivery) -> String {
    let state = say.say(&format!("delivery-{}", delivery.state));
    match delivery.reason {
        Some(reason) => format!("{state}: {}", say.say(&format!("mail-reason-{reason}"))),
        None => state,
    }
}

/// A refusal as a page.
pub(super) fn problem(web: &Web, problem: &Problem) -> Response {
    problem_page(web, problem, None)
}

/// The refusal of a picture that a page sent, which leads back to that page.
pub(super) fn picture_problem(web: &Web, problem: &Problem, page: &'static str) -> Response {
    problem_page(web, problem, problem.kind.contains("picture").then_some(page))
}

fn problem_page(web: &Web, problem: &Problem, picture_page: Option<&'static str>) -> Response {
    let mut frame = web.frame("landing-title");
    frame.title.clone_from(&problem.title);
    let refused = Refused { frame, title: &problem.title, detail: &problem.detail, picture_page };
    let mut response = page(problem.status, &refused);
    if let Some(wait_s) = problem.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s.max(1)));
    }
    response
}
