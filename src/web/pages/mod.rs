//! The pages that people see.

use super::{Caller, Context, Form, Problem, Response, respond, routes::Page};
use hyper::{Method, StatusCode};

/// Answers a page. `form` holds the posted fields, or with GET those of the query. The doors have
/// checked sizes, rates, Host, Origin, the form token and the same-link rule.
pub async fn handle(ctx: &Context, caller: &Caller, page: Page, method: &Method, form: Form) -> Response {
    let _ = (caller, page, method, form);
    respond::html(
        StatusCode::OK,
        format!("<!doctype html><title>{}</title>", ctx.catalogue.say("product-name")),
    )
}

/// A refusal as a page, made by the doors before a page was asked.
pub fn problem(_ctx: &Context, _caller: &Caller, problem: &Problem) -> Response {
    let page = format!("<!doctype html><title>{0}</title><h1>{0}</h1><p>{1}", problem.title, problem.detail);
    let mut response = respond::html(problem.status, page);
    problem.headers(&mut response);
    response
}

/// A style sheet, script or icon.
pub fn asset(name: &str) -> Option<Response> {
    match name {
        "style.css" => Some(respond::asset("text/css; charset=utf-8", latchkey_look::stylesheet())),
        _ => None,
    }
}
