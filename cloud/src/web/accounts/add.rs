//! Adding a recorder: by its QR code, whose serial and code stay in the link's fragment and reach nobody before
//! the form is sent, or typed from its page.

use super::{Fields, Refused, own::own_form, recorders::refused, see, shown_with};
use crate::{
    store::accounts::Account,
    web::{
        Web,
        accept::Requester,
        pages::{Frame, Part, page, problem},
    },
};
use askama::Template;
use axum::{
    body::Bytes,
    extract::{Extension, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use latchkey_protocol::platform::AddLink;

/// What was typed, if something was wrong.
#[derive(Default)]
struct Typed {
    serial: String,
    code: String,
    label: String,
}

#[derive(Template)]
#[template(path = "recorder-add.html")]
struct Add<'a> {
    frame: Frame<'a>,
    /// The token of whoever is signed in.
    form: Option<String>,
    typed: Typed,
    /// Whether that was read from a QR code, not typed.
    read: bool,
    fault: Option<String>,
    field: &'static str,
}

impl Web {
    fn add_page(
        &self,
        who: Option<&(Account, String)>,
        typed: Typed,
        why: Option<(&'static str, String)>,
    ) -> Response {
        let (status, field, fault) = shown_with(why);
        let frame = self.frame("recorders-add-title").of(Part::Recorders);
        let form = who.map(|(_, token)| self.accounts.form_token(token));
        page(status, &Add { frame, form, typed, read: false, fault, field })
    }
}

/// The form as a QR code fills it that was read here. Whoever is not signed in has the browser keep it meanwhile, as if it had
/// scanned the code itself.
pub(in crate::web) fn found(web: &Web, who: Option<&(Account, String)>, link: &AddLink) -> Response {
    let Some((_, token)) = who else { return see(&format!("/add#{}/{}", link.serial, link.code)) };
    let frame = web.frame("recorders-add-title").of(Part::Recorders);
    let typed = Typed { serial: link.serial.clone(), code: link.code.clone(), label: String::new() };
    let form = Some(web.accounts.form_token(token));
    page(StatusCode::OK, &Add { frame, form, typed, read: true, fault: None, field: "" })
}

pub(in crate::web) async fn add(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
) -> Response {
    let looked = async {
        web.allow_look(requester)?;
        web.signed_in(&headers).await
    };
    match looked.await {
        Ok(who) => web.add_page(who.as_ref(), Typed::default(), None),
        Err(stop) => problem(&web, &web.problem(&stop)),
    }
}

pub(in crate::web) async fn do_add(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Response> {
    let (who, fields) = own_form(&web, requester, &headers, bytes).await?;
    let Fields { serial, device_code, label, .. } = &fields;
    let added = web.recorders.add(requester.0, &who.0, (serial, device_code), label).await;
    let fault = match added {
        Ok(id) => return Ok(see(&format!("/recorders/{id}?news=added"))),
        Err(fault) => fault,
    };
    Ok(match refused(&web, fault) {
        Refused::Page(stop) => problem(&web, &web.problem(&stop)),
        Refused::Words { field, words } => {
            let typed = Typed { serial: serial.clone(), code: device_code.clone(), label: label.clone() };
            web.add_page(Some(&who), typed, Some((field, words)))
        }
    })
}

/// The page that scans the code with the camera.
pub(in crate::web) async fn scan(State(web): State<Web>) -> Response {
    crate::web::app::scanner(&web, "add")
}
