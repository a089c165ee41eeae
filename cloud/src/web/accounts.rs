//! The pages of accounts. They work without JavaScript; every form says what was wrong beside what was
//! typed, and never says whether an address is known.

pub(super) mod add;
pub(super) mod json;
pub(super) mod json_offers;
pub(super) mod own;
pub(super) mod recorders;

use super::{
    Stop, Web,
    accept::Requester,
    body,
    pages::{Frame, Part, page, problem},
};
use crate::{
    accounts::{Fault, Fresh, Pending, SESSION_LASTING_S, Token, riddle::Riddle, rules},
    store::{
        CodeId,
        accounts::{Account, Purpose},
    },
};
use askama::Template;
use axum::{
    body::Bytes,
    extract::{
        Extension, Path, Query, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;

/// The cookie: of this host alone, over TLS alone, never for a script.
const COOKIE: &str = "__Host-latchkey";

/// Every field that a form of these pages has.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    email: String,
    who: String,
    name: String,
    password: String,
    again: String,
    code: String,
    riddle: String,
    answer: String,
    stay: String,
    everywhere: String,
    form: String,
    serial: String,
    device_code: String,
    label: String,
}

/// Which riddle is asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Way {
    riddle: String,
}

/// A riddle as a page shows it.
struct Asked {
    token: String,
    /// The path of its picture.
    picture: Option<String>,
    /// The sum in words.
    sum: String,
}

#[derive(Template)]
#[template(path = "account-ask.html")]
struct Ask<'a> {
    frame: Frame<'a>,
    /// `sign-up` or `forgot`.
    kind: &'static str,
    typed: String,
    riddle: Asked,
    fault: Option<String>,
    field: &'static str,
}

/// What stays in the fields when something else was wrong.
#[derive(Default)]
struct Typed {
    code: String,
    name: String,
}

#[derive(Template)]
#[template(path = "account-code.html")]
struct TypeCode<'a> {
    frame: Frame<'a>,
    /// `sign-up`, `forgot` or `new-email`.
    kind: &'static str,
    id: String,
    /// The recorder that is to be handed over, and to whom.
    transfer: Option<(String, String)>,
    typed: Typed,
    digits: String,
    valid: String,
    resend_after: Option<(i64, String)>,
    fault: Option<String>,
    field: &'static str,
    password_min: usize,
}

#[derive(Template)]
#[template(path = "account-sign-in.html")]
struct SignIn<'a> {
    frame: Frame<'a>,
    who: String,
    fault: Option<String>,
    news: Option<String>,
}

/// What stands in a form's way: a page of its own, or words in the form.
enum Refused {
    Page(Stop),
    Words { field: &'static str, words: String },
}

impl From<Stop> for Refused {
    fn from(stop: Stop) -> Self {
        Self::Page(stop)
    }
}

impl Web {
    /// Puts a fault into words, beside the field that it is about.
    fn words(&self, fault: Fault) -> Refused {
        let (field, key) = match fault {
            Fault::Store(error) => return Refused::Page(Stop::Refusal(error.into())),
            Fault::Limited { retry_after_s } => return Refused::Page(Stop::TooMany { retry_after_s }),
            Fault::Busy => return Refused::Page(Stop::Ours),
            Fault::Riddle => ("answer", "account-fault-riddle"),
            Fault::Email => ("email", "account-fault-email"),
            Fault::Name => ("name", "account-fault-name"),
            Fault::NameTaken => ("name", "account-fault-name-taken"),
            Fault::Weak => ("password", "account-fault-weak"),
            Fault::Differ => ("again", "account-fault-differ"),
            Fault::CodeOver => ("code", "account-fault-code-over"),
            Fault::Credentials => ("password", "account-fault-credentials"),
            Fault::WrongCode { left } => {
                let words = self.say.say_with("account-fault-code", &[("left", left.into())]);
                return Refused::Words { field: "code", words };
            }
        };
        Refused::Words { field, words: self.say.say(key) }
    }

    /// A form's fields, from a page of ours.
    fn fields(
        &self,
        requester: Requester,
        headers: &HeaderMap,
        bytes: Result<Bytes, BytesRejection>,
    ) -> Result<Fields, Stop> {
        self.ask(requester)?;
        if !is_ours(headers) {
            return Err(Stop::Elsewhere);
        }
        let bytes = body(bytes, headers, "application/x-www-form-urlencoded")?;
        serde_urlencoded::from_bytes(&bytes).map_err(|_| Stop::Malformed)
    }

    fn riddle(&self, as_picture: bool) -> Asked {
        let (riddle, token) = self.accounts.riddle(as_picture);
        let number = |n: u8| self.say.say(&format!("account-number-{n}"));
        let sum = match riddle {
            Riddle::Letters(_) => String::new(),
            Riddle::Sum(a, b) => {
                self.say.say_with("account-sum", &[("a", number(a).into()), ("b", number(b).into())])
            }
        };
        let picture = as_picture.then(|| format!("/account/picture/{token}"));
        Asked { token, picture, sum }
    }

    /// Who is signed in, and their cookie.
    pub(super) async fn signed_in(&self, headers: &HeaderMap) -> Result<Option<(Account, String)>, Stop> {
        let Some(token) = cookie(headers) else { return Ok(None) };
        Ok(self.accounts.session(&token).await?.map(|account| (account, token)))
    }

    fn ask_page(
        &self,
        kind: &'static str,
        as_picture: bool,
        typed: String,
        why: Option<(&'static str, String)>,
    ) -> Response {
        let (status, field, fault) = shown_with(why);
        let frame = self.frame(&format!("account-{kind}-title")).of(Part::Recorders);
        page(status, &Ask { frame, kind, typed, riddle: self.riddle(as_picture), fault, field })
    }

    async fn code_page(&self, id: CodeId, typed: Typed, why: Option<(&'static str, String)>) -> Response {
        let pending = match self.accounts.pending(id).await {
            Ok(pending) => pending,
            Err(Fault::Store(error)) => return problem(self, &self.problem(&Stop::Refusal(error.into()))),
            Err(_) => return problem(self, &self.problem(&Stop::CodeOver)),
        };
        let (status, field, fault) = shown_with(why);
        let kind = kind_of(&pending);
        let wait_s = pending.resend_after_s;
        let time = |key: &str, count: i64| self.say.say_with(key, &[("count", count.into())]);
        let template = TypeCode {
            frame: self.frame(&format!("account-{kind}-title")).of(Part::Recorders),
            kind,
            id: id.to_string(),
            transfer: pending.transfer.as_ref().map(|transfer| (transfer.label.clone(), transfer.masked())),
            typed,
            digits: pending.digits.to_string(),
            valid: time("time-minutes", pending.valid_s.div_euclid(60).max(1)),
            resend_after: (wait_s > 0).then(|| (wait_s, time("time-seconds", wait_s))),
            fault,
            field,
            password_min: rules::PASSWORD_MIN,
        };
        page(status, &template)
    }

    fn sign_in_page(&self, who: String, fault: Option<String>, news: Option<String>) -> Response {
        let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        page(
            status,
            &SignIn { frame: self.frame("account-sign-in-title").of(Part::Recorders), who, fault, news },
        )
    }
}

/// A form's page with what was wrong, or with nothing: its status, the field, the words.
fn shown_with(why: Option<(&'static str, String)>) -> (StatusCode, &'static str, Option<String>) {
    match why {
        Some((field, words)) => (StatusCode::UNPROCESSABLE_ENTITY, field, Some(words)),
        None => (StatusCode::OK, "", None),
    }
}

fn kind_of(pending: &Pending) -> &'static str {
    match pending.purpose {
        Purpose::SignUp => "sign-up",
        Purpose::Forgot => "forgot",
        Purpose::NewEmail => "new-email",
        Purpose::Transfer => "transfer",
    }
}

/// Whether a browser says that a form comes from a page of this site. Programs say nothing.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("-"));
    let site_is_ours = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = text("host").unwrap_or_default();
    let origin_is_ours = text("origin").is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
    });
    site_is_ours && origin_is_ours
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let token = cookies
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
    (token.len() == 64).then(|| token.to_owned())
}

/// On to another page.
fn see(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

/// On to another page, with a new cookie, or without the old one.
fn see_as(path: &str, token: Option<&Token>, lasting: bool) -> Response {
    let (value, age) = match token {
        Some(token) if lasting => (token.as_str(), format!("; Max-Age={SESSION_LASTING_S}")),
        Some(token) => (token.as_str(), String::new()),
        None => ("", "; Max-Age=0".to_owned()),
    };
    let mut response = see(path);
    let cookie = format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

fn id(path: Result<Path<String>, PathRejection>) -> Result<CodeId, Stop> {
    path.ok().and_then(|Path(text)| CodeId::parse(&text)).ok_or(Stop::CodeOver)
}

pub(super) async fn sign_up(State(web): State<Web>, Query(way): Query<Way>) -> Response {
    web.ask_page("sign-up", way.riddle != "words", String::new(), None)
}

pub(super) async fn forgot(State(web): State<Web>, Query(way): Query<Way>) -> Response {
    web.ask_page("forgot", way.riddle != "words", String::new(), None)
}

pub(super) async fn ask_sign_up(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let fields = match web.fields(requester, &headers, bytes) {
        Ok(fields) => fields,
        Err(stop) => return problem(&web, &web.problem(&stop)),
    };
    let asked = web.accounts.ask_sign_up(requester.0, &fields.email, (&fields.riddle, &fields.answer));
    after_asking(&web, "sign-up", fields.email.clone(), &fields, asked.await)
}

pub(super) async fn ask_forgot(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let fields = match web.fields(requester, &headers, bytes) {
        Ok(fields) => fields,
        Err(stop) => return problem(&web, &web.problem(&stop)),
    };
    let asked = web.accounts.ask_forgot(requester.0, &fields.who, (&fields.riddle, &fields.answer));
    after_asking(&web, "forgot", fields.who.clone(), &fields, asked.await)
}

fn after_asking(
    web: &Web,
    kind: &'static str,
    typed: String,
    fields: &Fields,
    asked: Result<CodeId, Fault>,
) -> Response {
    let words = match asked {
        Ok(id) => return see(&format!("/account/code/{id}")),
        Err(fault) => web.words(fault),
    };
    match words {
        Refused::Page(stop) => problem(web, &web.problem(&stop)),
        Refused::Words { field, words } => {
            // Whoever was asked in words is asked in words again.
            let as_picture = web.accounts.is_picture(&fields.riddle);
            web.ask_page(kind, as_picture, typed, Some((field, words)))
        }
    }
}

pub(super) async fn picture(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let picture = |Path(token): Path<String>| web.accounts.picture(&token);
    let picture = web.allow_look(requester).and_then(|()| path.ok().and_then(picture).ok_or(Stop::NoPage));
    match picture {
        Ok(bytes) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        Err(stop) => problem(&web, &web.problem(&stop)),
    }
}

pub(super) async fn code(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    match web.allow_look(requester).and_then(|()| id(path)) {
        Ok(id) => web.code_page(id, Typed::default(), None).await,
        Err(stop) => problem(&web, &web.problem(&stop)),
    }
}

pub(super) async fn type_code(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let read = web.fields(requester, &headers, bytes).and_then(|fields| Ok((fields, id(path)?)));
    let (fields, id) = match read {
        Ok(read) => read,
        Err(stop) => return problem(&web, &web.problem(&stop)),
    };
    let refused = match finish(&web, id, &fields, &headers).await {
        Ok(response) => return response,
        Err(refused) => refused,
    };
    match refused {
        Refused::Page(stop) => problem(&web, &web.problem(&stop)),
        Refused::Words { field, words } => {
            let code = if field == "code" { String::new() } else { fields.code };
            web.code_page(id, Typed { code, name: fields.name }, Some((field, words))).await
        }
    }
}

/// Does what a code is for.
async fn finish(web: &Web, id: CodeId, fields: &Fields, headers: &HeaderMap) -> Result<Response, Refused> {
    let pending = web.accounts.pending(id).await.map_err(|fault| match fault {
        Fault::Store(error) => Refused::Page(Stop::Refusal(error.into())),
        _ => Refused::Page(Stop::CodeOver),
    })?;
    let fresh = Fresh { code: &fields.code, password: &fields.password, again: &fields.again };
    match pending.purpose {
        Purpose::SignUp => {
            let account = web.accounts.register(id, &fields.name, &fresh).await;
            let account = account.map_err(|fault| web.words(fault))?;
            let token = web.accounts.begin(account.id, false).await.map_err(|fault| web.words(fault))?;
            Ok(see_as("/recorders?news=registered", Some(&token), false))
        }
        Purpose::Forgot => {
            web.accounts.reset(id, &fresh).await.map_err(|fault| web.words(fault))?;
            Ok(see_as("/account/sign-in?news=password", None, false))
        }
        Purpose::NewEmail => {
            let Some((account, _)) = web.signed_in(headers).await? else {
                return Ok(see("/account/sign-in"));
            };
            web.accounts.set_email(&account, id, &fields.code).await.map_err(|fault| web.words(fault))?;
            Ok(see("/account?news=email"))
        }
        Purpose::Transfer => {
            let Some((account, _)) = web.signed_in(headers).await? else {
                return Ok(see("/account/sign-in"));
            };
            match web.recorders.offer(&account, id, &fields.code).await {
                Ok(recorder) => Ok(see(&format!("/recorders/{recorder}?news=offered"))),
                Err(fault) => Err(recorders::refused(web, fault)),
            }
        }
    }
}

pub(super) async fn resend(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let read = web.fields(requester, &headers, bytes).and_then(|_| id(path));
    let id = match read {
        Ok(id) => id,
        Err(stop) => return problem(&web, &web.problem(&stop)),
    };
    let stop = match web.accounts.resend(requester.0, id).await {
        Ok(()) => return see(&format!("/account/code/{id}")),
        Err(Fault::Limited { retry_after_s }) => Stop::TooMany { retry_after_s },
        Err(Fault::Store(error)) => Stop::Refusal(error.into()),
        Err(_) => Stop::CodeOver,
    };
    problem(&web, &web.problem(&stop))
}

/// What has just been done, told once on the next page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct News {
    news: String,
}

impl News {
    fn words(&self, web: &Web) -> Option<String> {
        let known = matches!(self.news.as_str(), "registered" | "password" | "email" | "removed" | "out");
        known.then(|| web.say.say(&format!("account-news-{}", self.news)))
    }
}

pub(super) async fn sign_in(State(web): State<Web>, Query(news): Query<News>) -> Response {
    let news = news.words(&web);
    web.sign_in_page(String::new(), None, news)
}

pub(super) async fn do_sign_in(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Response {
    let fields = match web.fields(requester, &headers, bytes) {
        Ok(fields) => fields,
        Err(stop) => return problem(&web, &web.problem(&stop)),
    };
    let lasting = !fields.stay.is_empty();
    let fault = match web.accounts.sign_in(requester.0, &fields.who, &fields.password, lasting).await {
        Ok(token) => return see_as("/recorders", Some(&token), lasting),
        Err(fault) => web.words(fault),
    };
    match fault {
        Refused::Page(stop) => problem(&web, &web.problem(&stop)),
        Refused::Words { words, .. } => web.sign_in_page(fields.who, Some(words), None),
    }
}
