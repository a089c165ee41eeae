//! The pages of an account's recorders: the list, one recorder, naming, removing, handing over.

use super::{
    Fields, Refused,
    own::{looker, own_form},
    see, shown_with,
};
use crate::{
    accounts::DAY_S,
    recorders::{Fault, List},
    store::{
        OfferId, RecorderId,
        accounts::Account,
        recorders::{Offered, Recorder},
    },
    web::{
        Stop, Web,
        accept::Requester,
        pages::{Frame, Part, page, problem},
    },
};
use askama::Template;
use axum::{
    body::Bytes,
    extract::{
        Extension, Path, Query, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;

/// A recorder as pages show it.
pub(super) struct Shown {
    id: String,
    name: String,
    serial: String,
    model: String,
    version: String,
    /// `online`, `offline` or `withdrawn`: its look.
    state: &'static str,
    /// The same in words.
    words: String,
    /// Since when, or None if it is not offline.
    since: Option<String>,
    added: String,
    /// To whom it is offered, and how long yet.
    offer: Option<(String, String)>,
}

/// An offer to whoever is signed in.
struct Offer {
    id: String,
    from: String,
    model: String,
    serial: String,
    left: String,
}

#[derive(Template)]
#[template(path = "recorders.html")]
struct Overview<'a> {
    frame: Frame<'a>,
    name: String,
    form: String,
    recorders: Vec<Shown>,
    offers: Vec<Offer>,
    news: Option<String>,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "recorder.html")]
struct One<'a> {
    frame: Frame<'a>,
    recorder: Shown,
    form: String,
    news: Option<String>,
    fault: Option<String>,
    field: &'static str,
    typed: String,
}

#[derive(Template)]
#[template(path = "recorder-remove.html")]
struct Remove<'a> {
    frame: Frame<'a>,
    recorder: Shown,
    form: String,
}

/// What has just been done.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct News {
    news: String,
}

impl News {
    fn words(&self, web: &Web) -> Option<String> {
        let known =
            ["registered", "added", "renamed", "removed", "offered", "taken-back", "accepted", "declined"];
        known.contains(&self.news.as_str()).then(|| web.say.say(&format!("recorders-news-{}", self.news)))
    }
}

/// Puts a fault into words, beside the field that it is about.
pub(super) fn refused(web: &Web, fault: Fault) -> Refused {
    let (field, key) = match fault {
        Fault::Account(fault) => return web.words(fault),
        Fault::NoRecorder => return Refused::Page(Stop::NoRecorder),
        Fault::OfferOver => return Refused::Page(Stop::OfferOver),
        Fault::NotFound => ("device", "recorders-fault-not-found"),
        Fault::Elsewhere => ("device", "recorders-fault-elsewhere"),
        Fault::Full => ("device", "recorders-fault-full"),
        Fault::Withdrawn => ("device", "recorders-fault-withdrawn"),
        Fault::Changed => ("device", "recorders-fault-changed"),
        Fault::Name => ("label", "recorders-fault-name"),
        Fault::Email => ("email", "account-fault-email"),
        Fault::OwnEmail => ("email", "recorders-fault-own-email"),
    };
    Refused::Words { field, words: web.say.say(key) }
}

impl Web {
    /// "3 days", in one unit.
    pub(super) fn length(&self, length_s: i64) -> String {
        let (unit, count) = match length_s {
            ..=90 => ("time-seconds", length_s.max(1)),
            91..=5400 => ("time-minutes", length_s / 60),
            5401..=172_800 => ("time-hours", length_s / 3600),
            _ => ("time-days", length_s / DAY_S),
        };
        self.say.say_with(unit, &[("count", count.into())])
    }

    /// What is left of a length of days, as people count it: the day that has begun is one.
    fn left(&self, left_s: i64) -> String {
        self.length(if left_s > 2 * DAY_S { left_s + DAY_S - 1 } else { left_s })
    }

    pub(super) fn shown(&self, recorder: &Recorder) -> Shown {
        let now_s = self.clock.now_s();
        let since =
            |key: &str, at_s: i64| self.say.say_with(key, &[("time", self.length(now_s - at_s).into())]);
        let (state, words, since_s) = match (&recorder.presence, recorder.revoked_at_s) {
            (_, Some(_)) => ("withdrawn", self.say.say("recorders-withdrawn"), None),
            (Some(presence), _) if presence.online => ("online", self.say.say("recorders-online"), None),
            (Some(presence), _) if now_s - presence.since_s < 60 => {
                ("offline", self.say.say("recorders-offline-now"), Some(presence.since_s))
            }
            (Some(presence), _) => {
                ("offline", since("recorders-offline", presence.since_s), Some(presence.since_s))
            }
            (None, _) => ("offline", self.say.say("recorders-never"), None),
        };
        let offer = recorder
            .offer
            .as_ref()
            .map(|offer| (self.accounts.masked_sealed(&offer.email), self.left(offer.expires_at_s - now_s)));
        Shown {
            id: recorder.id.to_string(),
            name: recorder.name.clone(),
            serial: recorder.serial.clone(),
            model: recorder.model.clone(),
            version: recorder.presence.as_ref().map(|presence| presence.version.clone()).unwrap_or_default(),
            state,
            words,
            since: since_s.map(crate::web::operators::moment),
            added: crate::web::operators::moment(recorder.added_at_s),
            offer,
        }
    }

    fn offer_shown(&self, offered: &Offered) -> Offer {
        Offer {
            id: offered.id.to_string(),
            from: offered.from.name.clone(),
            model: offered.model.clone(),
            serial: offered.serial.clone(),
            left: self.left(offered.expires_at_s - self.clock.now_s()),
        }
    }

    async fn list_page(
        &self,
        (account, token): &(Account, String),
        news: Option<String>,
        fault: Option<String>,
    ) -> Response {
        let List { own, offered } = match self.recorders.list(account).await {
            Ok(list) => list,
            Err(fault) => return problem(self, &self.problem(&fault.into())),
        };
        let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        let template = Overview {
            frame: self.frame("recorders-title").of(Part::Recorders),
            name: account.name.clone(),
            form: self.accounts.form_token(token),
            recorders: own.iter().map(|recorder| self.shown(recorder)).collect(),
            offers: offered.iter().map(|offered| self.offer_shown(offered)).collect(),
            news,
            fault,
        };
        page(status, &template)
    }

    fn one_page(
        &self,
        token: &str,
        recorder: &Recorder,
        news: Option<String>,
        why: Option<(&'static str, String)>,
        typed: String,
    ) -> Response {
        let (status, field, fault) = shown_with(why);
        let recorder = self.shown(recorder);
        let mut frame = self.frame("recorders-title").of(Part::Recorders);
        frame.title.clone_from(&recorder.name);
        let form = self.accounts.form_token(token);
        page(status, &One { frame, recorder, form, news, fault, field, typed })
    }
}

pub(super) fn id(path: Result<Path<String>, PathRejection>) -> Result<RecorderId, Fault> {
    path.ok().and_then(|Path(text)| RecorderId::parse(&text)).ok_or(Fault::NoRecorder)
}

/// The recorder of a path, which is on the account, or a page that says that there is none.
async fn find(
    web: &Web,
    account: &Account,
    path: Result<Path<String>, PathRejection>,
) -> Result<Recorder, Response> {
    let found = async { web.recorders.one(account, id(path)?).await };
    found.await.map_err(|fault| problem(web, &web.problem(&fault.into())))
}

/// Who sends a form about a recorder of theirs, and what they typed.
async fn form_of(
    web: &Web,
    requester: Requester,
    path: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<((Account, String), Fields, Recorder), Response> {
    let (who, fields) = own_form(web, requester, headers, bytes).await?;
    let recorder = find(web, &who.0, path).await?;
    Ok((who, fields, recorder))
}

pub(in crate::web) async fn overview(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    Query(news): Query<News>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let who = looker(&web, requester, &headers).await?;
    Ok(web.list_page(&who, news.words(&web), None).await)
}

pub(in crate::web) async fn one(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    Query(news): Query<News>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let (account, token) = looker(&web, requester, &headers).await?;
    let recorder = find(&web, &account, path).await?;
    Ok(web.one_page(&token, &recorder, news.words(&web), None, String::new()))
}

pub(in crate::web) async fn rename(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let (who, fields, recorder) = form_of(&web, requester, path, &headers, bytes).await?;
    Ok(match web.recorders.rename(&who.0, recorder.id, &fields.label).await {
        Ok(()) => see(&format!("/recorders/{}?news=renamed", recorder.id)),
        Err(fault) => again(&web, &who, &recorder, fault, fields.label.clone()),
    })
}

fn again(web: &Web, who: &(Account, String), recorder: &Recorder, fault: Fault, typed: String) -> Response {
    match refused(web, fault) {
        Refused::Page(stop) => problem(web, &web.problem(&stop)),
        Refused::Words { field, words } => web.one_page(&who.1, recorder, None, Some((field, words)), typed),
    }
}

pub(in crate::web) async fn ask_remove(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let (account, token) = looker(&web, requester, &headers).await?;
    let recorder = web.shown(&find(&web, &account, path).await?);
    let frame = web.frame("recorders-remove-title").of(Part::Recorders);
    let form = web.accounts.form_token(&token);
    Ok(page(StatusCode::OK, &Remove { frame, recorder, form }))
}

pub(in crate::web) async fn remove(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let (who, _, recorder) = form_of(&web, requester, path, &headers, bytes).await?;
    Ok(match web.recorders.remove(&who.0, recorder.id).await {
        Ok(()) => see("/recorders?news=removed"),
        Err(fault) => problem(&web, &web.problem(&fault.into())),
    })
}

/// Asks for the code that makes an offer.
pub(in crate::web) async fn transfer(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let (who, fields, recorder) = form_of(&web, requester, path, &headers, bytes).await?;
    let wish = (fields.email.as_str(), fields.device_code.as_str());
    Ok(match web.recorders.ask_transfer(requester.0, &who.0, recorder.id, wish).await {
        Ok(code) => see(&format!("/account/code/{code}")),
        Err(Fault::NotFound) => {
            let words = web.say.say("recorders-fault-code");
            web.one_page(&who.1, &recorder, None, Some(("device", words)), fields.email.clone())
        }
        Err(fault) => again(&web, &who, &recorder, fault, fields.email.clone()),
    })
}

pub(in crate::web) async fn take_back(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let (who, _, recorder) = form_of(&web, requester, path, &headers, bytes).await?;
    Ok(match web.recorders.take_back(&who.0, recorder.id).await {
        Ok(()) => see(&format!("/recorders/{}?news=taken-back", recorder.id)),
        Err(fault) => problem(&web, &web.problem(&fault.into())),
    })
}

/// The receiver's answer to an offer.
pub(in crate::web) async fn answer(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let (who, fields) = own_form(&web, requester, &headers, bytes).await?;
    let answered = async {
        let offer = path.ok().and_then(|Path(text)| OfferId::parse(&text)).ok_or(Fault::OfferOver)?;
        if fields.answer == "accept" {
            let id = web.recorders.accept(&who.0, offer).await?;
            return Ok(format!("/recorders/{id}?news=accepted"));
        }
        web.recorders.decline(&who.0, offer).await?;
        Ok::<_, Fault>("/recorders?news=declined".to_owned())
    };
    Ok(match answered.await {
        Ok(to) => see(&to),
        Err(fault) => match refused(&web, fault) {
            Refused::Page(stop) => problem(&web, &web.problem(&stop)),
            Refused::Words { words, .. } => web.list_page(&who, None, Some(words)).await,
        },
    })
}
