//! The account's own page, and what is done there by whoever is signed in.

use super::{Fields, News, Refused, see, see_as, shown_with};
use crate::{
    accounts::Fault,
    store::accounts::Account,
    web::{
        Stop, Web,
        accept::Requester,
        pages::{Frame, Part, page, problem},
    },
};
use askama::Template;
use axum::{
    body::Bytes,
    extract::{Extension, Query, State, rejection::BytesRejection},
    http::HeaderMap,
    response::Response,
};

#[derive(Template)]
#[template(path = "account.html")]
struct Overview<'a> {
    frame: Frame<'a>,
    name: String,
    masked: String,
    form: String,
    fault: Option<String>,
    field: &'static str,
    news: Option<String>,
}

impl Web {
    fn overview_page(
        &self,
        (account, token): &(Account, String),
        why: Option<(&'static str, String)>,
        news: Option<String>,
    ) -> Response {
        let (status, field, fault) = shown_with(why);
        let template = Overview {
            frame: self.frame("account-title").of(Part::More),
            name: account.name.clone(),
            masked: self.accounts.masked(account),
            form: self.accounts.form_token(token),
            fault,
            field,
            news,
        };
        page(status, &template)
    }
}

pub(in crate::web) async fn overview(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    Query(news): Query<News>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let who = looker(&web, requester, &headers).await?;
    Ok(web.overview_page(&who, None, news.words(&web)))
}

/// Who looks, or where they are sent.
pub(super) async fn looker(
    web: &Web,
    requester: Requester,
    headers: &HeaderMap,
) -> Result<(Account, String), Response> {
    let looked = async {
        web.allow_look(requester)?;
        web.signed_in(headers).await
    };
    match looked.await {
        Ok(Some(who)) => Ok(who),
        Ok(None) => Err(see("/account/sign-in")),
        Err(stop) => Err(problem(web, &web.problem(&stop))),
    }
}

/// Who sends a form of the account's own page, and what they typed.
pub(super) async fn own_form(
    web: &Web,
    requester: Requester,
    headers: &HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<((Account, String), Fields), Response> {
    let read = async {
        let fields = web.fields(requester, headers, bytes)?;
        let who = web.signed_in(headers).await?;
        match who {
            Some((_, ref token)) if fields.form != web.accounts.form_token(token) => Err(Stop::Elsewhere),
            who => Ok(who.map(|who| (who, fields))),
        }
    };
    match read.await {
        Ok(Some(read)) => Ok(read),
        Ok(None) => Err(see("/account/sign-in")),
        Err(stop) => Err(problem(web, &web.problem(&stop))),
    }
}

pub(in crate::web) async fn sign_out(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let ((account, token), fields) = own_form(&web, requester, &headers, bytes).await?;
    let out = match fields.everywhere.is_empty() {
        true => web.accounts.sign_out(&token).await,
        false => web.accounts.sign_out_everywhere(&account).await,
    };
    Ok(match out {
        Ok(()) => see_as("/account/sign-in?news=out", None, false),
        Err(fault) => refused(&web, &(account, token), fault),
    })
}

pub(in crate::web) async fn new_email(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let (who, fields) = own_form(&web, requester, &headers, bytes).await?;
    Ok(match web.accounts.ask_new_email(requester.0, &who.0, &fields.password, &fields.email).await {
        Ok(id) => see(&format!("/account/code/{id}")),
        Err(fault) => refused(&web, &who, fault),
    })
}

pub(in crate::web) async fn remove(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let (who, fields) = own_form(&web, requester, &headers, bytes).await?;
    Ok(match web.accounts.remove(requester.0, &who.0, &fields.password).await {
        Ok(()) => see_as("/account/sign-in?news=removed", None, false),
        // Two forms of this page ask for a password.
        Err(Fault::Credentials) => {
            let words = web.say.say("account-fault-credentials");
            web.overview_page(&who, Some(("remove", words)), None)
        }
        Err(fault) => refused(&web, &who, fault),
    })
}

fn refused(web: &Web, who: &(Account, String), fault: Fault) -> Response {
    match web.words(fault) {
        Refused::Page(stop) => problem(web, &web.problem(&stop)),
        Refused::Words { field, words } => web.overview_page(who, Some((field, words)), None),
    }
}
