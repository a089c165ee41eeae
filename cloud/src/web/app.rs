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

/// The page that scans a QR code; the one page that may have the camera.
pub(super) const RESET: &str = "/reset";

#[derive(Template)]
#[template(path = "more.html")]
struct More<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "reset.html")]
struct Reset<'a> {
    frame: Frame<'a>,
    picture_path: &'static str,
    picture_bytes_max: u64,
}

pub(super) async fn more(State(web): State<Web>) -> Response {
    page(StatusCode::OK, &More { frame: web.frame("more-title").of(Part::More) })
}

pub(super) async fn reset(State(web): State<Web>) -> Response {
    let reset = Reset {
        frame: reset_frame(&web, "reset-title"),
        picture_path: picture::PATH,
        picture_bytes_max: picture::BYTES_MAX,
    };
    page(StatusCode::OK, &reset)
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
