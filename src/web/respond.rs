//! Answers: pages, redirects, pictures, JSON; every one with the headers that keep it safe.

use super::{Caller, cookies::Cookie};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};

/// An answer, whole in memory.
pub type Response = hyper::Response<Full<Bytes>>;

/// An answer with a body of a type.
pub fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A page.
pub fn html(status: StatusCode, page: String) -> Response {
    with_body(status, "text/html; charset=utf-8", page)
}

/// To another page after a form was posted: the browser asks for it with GET, and "back" and
/// "reload" never post twice. `path` is without the base.
pub fn see_other(caller: &Caller, path: &str) -> Response {
    let mut response = empty(StatusCode::SEE_OTHER);
    // Paths are the product's own constants: all visible ASCII.
    if let Ok(location) = HeaderValue::from_str(&caller.path(path)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A file that the browser keeps under a name instead of showing it.
pub fn download(content_type: &'static str, file_name: &str, body: impl Into<Bytes>) -> Response {
    let mut response = with_body(StatusCode::OK, content_type, body);
    let name: String =
        file_name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// A part of the pages that may be kept for an hour: style sheet, script, icon.
pub fn asset(content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = with_body(StatusCode::OK, content_type, body);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600, must-revalidate"));
    response
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Keeps a secret in the browser.
pub fn keep(response: &mut Response, caller: &Caller, cookie: Cookie, secret: &[u8; 32]) {
    add_cookie(response, &caller.cookie(cookie, secret));
}

/// Takes a secret out of the browser.
pub fn forget(response: &mut Response, caller: &Caller, cookie: Cookie) {
    add_cookie(response, &caller.no_cookie(cookie));
}

fn add_cookie(response: &mut Response, cookie: &str) {
    if let Ok(mut value) = HeaderValue::from_str(cookie) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Sent with every answer. No HSTS: a self-made certificate that changes would lock people out.
/// `same-origin` rather than `no-referrer`, with which browsers post forms with `Origin: null`.
const EVERY_ANSWER: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Adds the headers that every answer carries; what an answer has set itself stays.
pub fn harden(headers: &mut HeaderMap) {
    for (name, value) in EVERY_ANSWER {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
