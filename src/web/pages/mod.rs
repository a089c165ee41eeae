//! The pages that people see. They turn a [`Reply`] or a [`Refusal`] into a page and know no rule of
//! the account; every sentence comes from the catalogue.
//!
//! A form that is refused comes back with its fields kept, passwords excepted; one that is granted
//! leads on by a redirect, whose query tells in one word what was done.

mod account;
mod activation;
mod assets;
mod confirm;
mod forgot;
mod frame;
mod platform;
mod views;
mod words;

use super::{Caller, Context, Fault, Form, Problem, Response, respond, routes::Page};
use crate::recovery::{
    Refusal, Reply, Request,
    reply::{Description, Lifecycle},
};
use askama::Template;
use assets::Assets;
use frame::{DeviceFacts, Errors, Frame, Viewer};
use hyper::{
    Method, StatusCode,
    header::{self, HeaderValue},
};

/// Answers a page. `form` holds the posted fields, or with GET those of the query. The doors have
/// checked sizes, rates, Host, Origin, the form token and the same-link rule.
pub async fn handle(ctx: &Context, caller: &Caller, page: Page, method: &Method, form: Form) -> Response {
    let session = caller.session.clone();
    let seen = match ctx.heart.ask(caller.door, Request::Describe { session }).await {
        Ok(Reply::Description(seen)) => seen,
        Ok(_) => return refused(ctx, caller, Refusal::Unavailable),
        Err(refusal) => return refused(ctx, caller, refusal),
    };
    let visit = Visit { ctx, caller, seen, token: caller.form_token(ctx) };
    let posted = method == Method::POST;
    match visit.answer(page, posted, &form).await {
        Ok(response) => response,
        Err(Refusal::NotSignedIn) => respond::see_other(caller, "/sign-in?done=ended"),
        Err(refusal) => visit.told(&Fault::Heart(refusal)),
    }
}

/// A refusal as a page, made by the doors before a page was asked.
pub fn problem(ctx: &Context, caller: &Caller, problem: &Problem) -> Response {
    let token = caller.form_token(ctx);
    told(Frame::of_problem(viewer(ctx, caller, &token, None), problem), problem)
}

/// The page of the plain HTTP port: explains the certificate warning that will come and leads on to
/// `url`.
pub fn plain(ctx: &Context, url: &str) -> Response {
    let viewer = Viewer {
        catalogue: &ctx.catalogue,
        base: "",
        token: "",
        device: device(ctx),
        signed_in: false,
        help: false,
    };
    let p = Frame::new(viewer, "plain-http-title");
    draw(&views::Plain { p, fingerprint: ctx.fingerprint(), url })
}

/// A style sheet, script or icon.
pub fn asset(name: &str) -> Option<Response> {
    let asset = Assets::all().find(name)?;
    let mut response = respond::asset(asset.content_type, asset.content);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(assets::CACHE_CONTROL));
    Some(response)
}

/// Someone who looks at a page, and what the heart lets them see.
struct Visit<'a> {
    ctx: &'a Context,
    caller: &'a Caller,
    seen: Description,
    token: String,
}

impl<'a> Visit<'a> {
    async fn answer(&self, page: Page, posted: bool, form: &Form) -> Result<Response, Refusal> {
        match self.seen.lifecycle {
            Lifecycle::Damaged => return Err(Refusal::RecordDamaged),
            Lifecycle::Inactive if page != Page::Activate => return Ok(self.go("/activate")),
            Lifecycle::Inactive | Lifecycle::Active => {}
        }
        match (page, posted) {
            (Page::Home, _) if self.seen.signed_in => Ok(self.go("/overview")),
            (Page::Home, _) => Ok(self.go("/sign-in")),
            (Page::Activate, false) => Ok(self.activation()),
            (Page::Activate, true) => self.activate(form).await,
            (Page::SignIn, false) => Ok(self.sign_in_page(form)),
            (Page::SignIn, true) => self.sign_in(form).await,
            (Page::SignOut, _) => self.sign_out().await,
            (Page::Help, _) => Ok(self.help()),
            (Page::Forgot, false) => self.forgot().await,
            (Page::Forgot, true) => self.begin(form).await,
            (Page::ForgotCode, false) => self.code_page(form).await,
            (Page::ForgotCode, true) => self.code(form).await,
            (Page::ForgotSend, _) => self.send_now().await,
            (Page::ForgotRenew, _) => self.renew().await,
            (Page::ForgotPicture, _) => self.picture().await,
            (Page::ForgotPassword, false) => Ok(self.new_password_page()),
            (Page::ForgotPassword, true) => self.new_password(form).await,
            (Page::ForgotComplete, _) => Ok(self.complete(form)),
            // From here on for a signed-in person alone.
            _ if !self.seen.signed_in && self.caller.session.is_none() => Ok(self.go("/sign-in")),
            _ if !self.seen.signed_in => Err(Refusal::NotSignedIn),
            (Page::Overview, _) => Ok(self.overview(form)),
            (Page::Users, _) => Ok(self.users()),
            (Page::Admin, _) => Ok(self.admin(form)),
            (Page::AccountSecurity, false) => self.security_page(form).await,
            (Page::AccountSecurity, true) => self.security(form).await,
            (Page::Confirm, false) => self.confirm_page(form).await,
            (Page::Confirm, true) => self.confirm(form).await,
            (Page::ConfirmBegin, _) => self.confirm_begin(form).await,
            (Page::ConfirmSend, _) => self.confirm_send().await,
            (Page::Platform, false) => self.platform_page(form).await,
            (Page::Platform, true) => self.platform_set(form).await,
            (Page::ChangePassword, false) => Ok(self.change_password_page()),
            (Page::ChangePassword, true) => self.change_password(form).await,
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply, Refusal> {
        self.ctx.heart.ask(self.caller.door, request).await
    }

    fn go(&self, path: &str) -> Response {
        respond::see_other(self.caller, path)
    }

    fn say(&self, key: &str) -> String {
        self.ctx.catalogue.say(key)
    }

    fn viewer(&'a self) -> Viewer<'a> {
        viewer(self.ctx, self.caller, &self.token, Some(&self.seen))
    }

    fn frame(&'a self, title_key: &str) -> Frame<'a> {
        Frame::new(self.viewer(), title_key)
    }

    fn problem(&self, refusal: Refusal) -> Problem {
        Problem::of(&Fault::Heart(refusal), &self.ctx.catalogue)
    }

    fn told(&self, fault: &Fault) -> Response {
        let problem = Problem::of(fault, &self.ctx.catalogue);
        told(Frame::of_problem(self.viewer(), &problem), &problem)
    }

    /// The reserved emails, masked, as a person lists them.
    fn emails(&self) -> String {
        words::listed(&self.ctx.catalogue, "and", &self.seen.masked_emails)
    }

    fn chars_min(&self) -> usize {
        self.ctx.rules.password_chars_min
    }

    /// Errors of fields that the page itself found.
    fn check(&self, fields: Vec<frame::FieldError>) -> Wrong {
        Wrong { errors: words::check(&self.ctx.catalogue, fields), problem: None }
    }

    /// A refusal that comes back with its form, at the field that it is about.
    fn wrong(&self, refusal: Refusal, field: Option<&'static str>) -> Wrong {
        let problem = self.problem(refusal);
        let mut errors = words::errors(&problem);
        if let Some(field) = field {
            errors.fields.push(frame::FieldError { field, text: problem.title.clone() });
        }
        Wrong { errors, problem: Some(problem) }
    }
}

/// Why a form comes back.
#[derive(Default)]
struct Wrong {
    errors: Errors,
    /// None if only fields are wrong.
    problem: Option<Problem>,
}

impl Wrong {
    /// Nothing is wrong: the form as it is first seen.
    fn nothing() -> Self {
        Self::default()
    }

    fn status(&self) -> StatusCode {
        match &self.problem {
            Some(problem) => problem.status,
            None if self.errors.any() => StatusCode::UNPROCESSABLE_ENTITY,
            None => StatusCode::OK,
        }
    }

    /// A page with this form, its status and the headers that go with it.
    fn answer(self, draw: impl FnOnce(Errors) -> Response) -> Response {
        let status = self.status();
        let mut response = draw(self.errors);
        *response.status_mut() = status;
        if let Some(problem) = &self.problem {
            problem.headers(&mut response);
        }
        response
    }
}

/// Draws a page. A template that cannot be drawn is out of memory: say so without a template.
fn draw(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => respond::html(StatusCode::OK, text),
        Err(_) => respond::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn viewer<'a>(
    ctx: &'a Context,
    caller: &'a Caller,
    token: &'a str,
    seen: Option<&Description>,
) -> Viewer<'a> {
    Viewer {
        catalogue: &ctx.catalogue,
        base: &caller.base,
        token,
        device: device(ctx),
        signed_in: seen.is_some_and(|seen| seen.signed_in),
        help: seen.is_some_and(|seen| seen.lifecycle == Lifecycle::Active),
    }
}

fn device(ctx: &Context) -> DeviceFacts<'_> {
    DeviceFacts { model: &ctx.device.model, serial: &ctx.device.serial, version: ctx.device.version }
}

/// A refusal before it is known who looks.
fn refused(ctx: &Context, caller: &Caller, refusal: Refusal) -> Response {
    problem(ctx, caller, &Problem::of(&Fault::Heart(refusal), &ctx.catalogue))
}

fn told(p: Frame<'_>, problem: &Problem) -> Response {
    let words::Told { steps, ways } = words::told(p.catalogue, problem);
    let mut response = draw(&views::ToldPage { p, lines: vec![problem.detail.clone()], steps, ways });
    *response.status_mut() = problem.status;
    problem.headers(&mut response);
    response
}
