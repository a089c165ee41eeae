//! From a request to its answer: guards first, then a page or the API.

use super::{
    Caller, Fault, Form, Problem, Response,
    accept::{Connection, Doors},
    api,
    caller::{Entry, unhex},
    context::Context,
    cookies::{self, Cookie},
    form, guards, pages, rates, respond,
    routes::{self, NoRoute, Route},
    same_link::{self, CameIn, Links, OffLink},
};
use crate::recovery::{GrantToken, SessionToken};
use hyper::{HeaderMap, Method, Request, body::Body, header};
use latchkey_protocol::Door;
use std::sync::Arc;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Answers a request, whatever it is.
pub async fn handle<B>(doors: Arc<Doors>, connection: Connection, request: Request<B>) -> Response
where
    B: Body<Data = bytes::Bytes> + Unpin,
{
    let ctx = &*doors.ctx;
    let links =
        Links::read().inspect_err(|error| tracing::warn!(%error, "cannot read interfaces or routes")).ok();
    let caller = caller(&doors, &connection, links.as_ref(), request.headers());
    let is_api = request.uri().path().contains("/api/");
    let mut response =
        match timeout(doors.bounds.answer_max, answer(&doors, &caller, links.as_ref(), request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(fault)) => refuse(ctx, &caller, is_api, &fault),
            Err(_) => refuse(ctx, &caller, is_api, &Fault::TimedOut),
        };
    respond::harden(response.headers_mut());
    response
}

fn refuse(ctx: &Context, caller: &Caller, is_api: bool, fault: &Fault) -> Response {
    let problem = Problem::of(fault, &ctx.catalogue);
    tracing::debug!(problem = problem.name, entry = ?caller.entry, "a door refused a request");
    let mut response = if is_api { problem.to_json() } else { pages::problem(ctx, caller, &problem) };
    if matches!(fault, Fault::TooLarge | Fault::TooSlow | Fault::TargetTooLong) {
        // What is left of the body is not read.
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}

async fn answer<B>(
    doors: &Doors,
    caller: &Caller,
    links: Option<&Links>,
    request: Request<B>,
) -> Result<Response, Fault>
where
    B: Body<Data = bytes::Bytes> + Unpin,
{
    let ctx = &*doors.ctx;
    let (head, body) = request.into_parts();
    let target_len = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target_len > doors.bounds.target_bytes_max {
        return Err(Fault::TargetTooLong);
    }
    let is_unsafe = !matches!(head.method, Method::GET | Method::HEAD);
    let cost = if is_unsafe { rates::UNSAFE_COST } else { 1 };
    let taken = doors.rates.take(caller.peer.map(|peer| peer.ip()), cost, (ctx.uptime_ms)());
    taken.map_err(|wait_s| Fault::TooManyRequests { wait_s })?;
    let host = guards::host(&head.uri, &head.headers)?;
    if caller.entry != Entry::Console {
        let local = caller.local.ok_or(Fault::WrongHost)?;
        let default_ports: &[u16] = if caller.entry == Entry::Tls { &[443] } else { &[80, 443] };
        let links = links.ok_or(Fault::WrongHost)?;
        guards::check_host(host, local.port(), default_ports, &ctx.rules.names, links)?;
    }
    if is_unsafe {
        guards::check_origin(caller.entry, host, &head.headers)?;
    }
    let path = head.uri.path().strip_prefix(caller.base.as_str()).ok_or(Fault::NotFound)?;
    if path.is_empty() {
        return Ok(respond::see_other(caller, "/"));
    }
    let route = routes::route(&head.method, path, caller.door).map_err(|none| match none {
        NoRoute::NotFound => Fault::NotFound,
        NoRoute::MethodNotAllowed(allow) => Fault::MethodNotAllowed(allow),
    })?;
    if route.is_for_this_link_only() {
        caller.must_be_on_link()?;
    }
    match route {
        Route::Asset(name) => pages::asset(name).ok_or(Fault::NotFound),
        Route::Api(api) => {
            let body = match api.takes_json() {
                true => {
                    expect_media_type(&head.headers, "application/json")?;
                    read_body(body, doors).await?
                }
                false => Zeroizing::default(),
            };
            api::handle(ctx, caller, api, &body).await
        }
        Route::Page(page) => {
            let form = if is_unsafe {
                expect_media_type(&head.headers, "application/x-www-form-urlencoded")?;
                let form = parse_form(&read_body(body, doors).await?)?;
                if !caller.form_token_is_right(ctx, form.text(form::TOKEN_FIELD)) {
                    return Err(Fault::StaleForm);
                }
                form
            } else {
                parse_form(head.uri.query().unwrap_or_default().as_bytes())?
            };
            let mut response = pages::handle(ctx, caller, page, &head.method, form).await;
            if caller.form_secret_is_new {
                respond::keep(&mut response, caller, Cookie::Form, &caller.form_secret);
            }
            Ok(response)
        }
    }
}

fn parse_form(bytes: &[u8]) -> Result<Form, Fault> {
    Form::parse(bytes).map_err(|error| Fault::Malformed { kind: error.name(), line: 0, column: 0 })
}

fn expect_media_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Fault> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) { Ok(()) } else { Err(Fault::WrongMediaType(expected)) }
}

/// Reads a whole body, wiped when dropped: it may hold a password.
async fn read_body<B>(mut body: B, doors: &Doors) -> Result<Zeroizing<Vec<u8>>, Fault>
where
    B: Body<Data = bytes::Bytes> + Unpin,
{
    use http_body_util::BodyExt;
    let bytes_max = doors.bounds.body_bytes_max;
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Fault::TooLarge);
    }
    // At full size from the start: growing would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max));
    let all = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Fault::Malformed { kind: "body-cut", line: 0, column: 0 })?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > bytes_max {
                return Err(Fault::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    timeout(doors.bounds.body_max, all).await.map_err(|_| Fault::TooSlow)??;
    Ok(bytes)
}

/// Who asks.
fn caller(doors: &Doors, connection: &Connection, links: Option<&Links>, headers: &HeaderMap) -> Caller {
    let ctx = &*doors.ctx;
    let entry = connection.entry;
    let base = if entry == Entry::Proxied { ctx.rules.base_path.clone() } else { String::new() };
    let base_tls = entry == Entry::Proxied && ctx.rules.proxied_tls;
    let scope = match entry {
        Entry::Tls => cookies::Scope::Host,
        Entry::Proxied | Entry::Console => cookies::Scope::Path { base: &base, tls: base_tls },
    };
    let cookie = |cookie| {
        cookies::read(headers.get_all(header::COOKIE).iter().map(|value| value.as_bytes()), scope, cookie)
    };
    let session = bearer(headers).or_else(|| cookie(Cookie::Session)).map(SessionToken);
    let grant = cookie(Cookie::Grant).map(GrantToken);
    let form_secret = cookie(Cookie::Form);
    let link = match entry {
        Entry::Console => Ok(()),
        _ if guards::is_forwarded(headers) => Err(OffLink::Forwarded),
        _ => link(ctx, connection, links),
    };
    Caller {
        door: if entry == Entry::Console { Door::Console } else { Door::Lan },
        entry,
        peer: connection.peer,
        local: connection.local,
        link,
        session,
        grant,
        form_secret_is_new: form_secret.is_none(),
        form_secret: form_secret.unwrap_or_else(|| doors.draw_form_secret()),
        base,
        base_tls,
    }
}

fn link(ctx: &Context, connection: &Connection, links: Option<&Links>) -> Result<(), OffLink> {
    let links = links.ok_or(OffLink::Unknown)?;
    let (Some(peer), Some(local)) = (connection.peer, connection.local) else { return Err(OffLink::Unknown) };
    let (peer, local) = match connection.entry {
        // The PROXY header has no room for the scope of a link-local address.
        Entry::Proxied => (links.scoped(peer, local), links.scoped(local, local)),
        Entry::Tls | Entry::Console => (peer, local),
    };
    let came_in = match &connection.bound {
        Some(bound) if bound.is_current() => CameIn::On(&bound.interface),
        Some(_) => return Err(OffLink::NotALanInterface),
        None => CameIn::ByAddress,
    };
    same_link::verdict(peer, local, came_in, ctx.rules.lan(), links)
}

fn bearer(headers: &HeaderMap) -> Option<[u8; 32]> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { unhex(token) } else { None }
}
