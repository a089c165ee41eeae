//! The app: the service's pages as a phone keeps them. Installed or not, they are the same pages.

use super::{
    Web,
    pages::{Frame, Part, page, reset_frame},
    picture,
};
use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use latchkey_look::tokens;

/// The pages that scan a QR code: of a reset, and of a recorder to be added. They alone may have the camera.
pub(super) const RESET: &str = "/reset";
pub(super) const SCAN: &str = "/add/scan";

#[derive(Template)]
#[template(path = "more.html")]
struct More<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "reset.html")]
struct Reset<'a> {
    frame: Frame<'a>,
    /// `reset` or `add`.
    kind: &'static str,
    picture_path: &'static str,
    picture_bytes_max: u64,
}

pub(super) async fn more(State(web): State<Web>) -> Response {
    page(StatusCode::OK, &More { frame: web.frame("more-title").of(Part::More) })
}

pub(super) async fn reset(State(web): State<Web>) -> Response {
    scanner(&web, "reset")
}

/// A page that scans.
pub(super) fn scanner(web: &Web, kind: &'static str) -> Response {
    let (frame, picture_path) = match kind {
        "add" => (web.frame("recorders-add-title").of(Part::Recorders), picture::ADD_PATH),
        _ => (reset_frame(web, "reset-title"), picture::PATH),
    };
    let picture_bytes_max = picture::BYTES_MAX;
    page(StatusCode::OK, &Reset { frame, kind, picture_path, picture_bytes_max })
}

/// What a phone needs to know to keep the app: <https://www.w3.org/TR/appmanifest/>.
pub(super) async fn manifest(State(web): State<Web>) -> Response {
    let frame = web.frame("landing-title");
    let icon = |name: &str, side: u32, purpose: &str| {
        serde_json::json!({
            "src": frame.asset(name), "sizes": format!("{side}x{side}"), "type": "image/png", "purpose": purpose,
        })
    };
    let name = frame.say("product-name");
    let manifest = serde_json::json!({
        "id": "/",
        "name": name,
        "short_name": name,
        "description": frame.say("landing-lead"),
        "lang": web.say.language(),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": tokens::GROUND.light,
        "theme_color": tokens::SURFACE.light,
        "icons": [
            icon("icon-192.png", 192, "any"),
            icon("icon-512.png", 512, "any"),
            icon("icon-maskable-512.png", 512, "maskable"),
        ],
        "shortcuts": [{ "name": frame.say("reset-title"), "url": RESET }],
    });
    ([(header::CONTENT_TYPE, "application/manifest+json")], manifest.to_string()).into_response()
}
