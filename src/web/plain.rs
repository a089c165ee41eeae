//! The plain HTTP port: one page that explains the certificate warning that will come, shows the
//! fingerprint to compare, and links to the real door. Nothing else is served there.

use super::{
    Response,
    accept::{Connection, Doors},
    context::Context,
    guards, pages, respond,
    same_link::Links,
};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, body::Body, header};
use std::sync::Arc;

/// Answers a request on the plain port.
pub async fn handle<B: Body>(doors: Arc<Doors>, connection: Connection, request: Request<B>) -> Response {
    let mut response = answer(&doors, &connection, request.method(), request.uri(), request.headers());
    respond::harden(response.headers_mut());
    // One page: nobody needs the connection again.
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}

fn answer(
    doors: &Doors,
    connection: &Connection,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    let (Some(peer), Some(local)) = (connection.peer, connection.local) else {
        return respond::empty(StatusCode::BAD_REQUEST);
    };
    if let Err(wait_s) = doors.rates.take(Some(peer.ip()), 1, (doors.ctx.uptime_ms)()) {
        let mut response = respond::empty(StatusCode::TOO_MANY_REQUESTS);
        response.headers_mut().insert(header::RETRY_AFTER, wait_s.into());
        return response;
    }
    let rules = &doors.ctx.rules;
    let host = guards::host(uri, headers).and_then(|host| {
        let links = Links::read().unwrap_or_default();
        guards::check_host(host, local.port(), &[80], &rules.names, &links)?;
        Ok(guards::split_port(host).map_or(host, |(name, _)| name))
    });
    let Ok(host) = host else { return respond::empty(StatusCode::MISDIRECTED_REQUEST) };
    match (method, uri.path()) {
        (&Method::GET | &Method::HEAD, "/") => page(&doors.ctx, host),
        (&Method::GET | &Method::HEAD, path) => path
            .strip_prefix("/assets/")
            .and_then(pages::asset)
            .unwrap_or_else(|| respond::empty(StatusCode::NOT_FOUND)),
        _ => {
            let mut response = respond::empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
            response
        }
    }
}

/// `host` is on the allowlist: an address or a configured name.
fn page(ctx: &Context, host: &str) -> Response {
    let port = match ctx.rules.https_port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    pages::plain(ctx, &format!("https://{host}{port}/"))
}
