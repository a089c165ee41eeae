//! Style sheet, scripts and icon, with their hash in the path, so that they can be kept for good.

use super::{Stop, Web, refuse};
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::{IntoResponse as _, Response},
};
use latchkey_look::{FAVICON, tokens};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

const RELAY_SCRIPT: &str = include_str!("relay.js");

/// Eight bytes over all of them.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for text in [latchkey_look::stylesheet(), latchkey_look::script(), RELAY_SCRIPT, FAVICON] {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
});

/// The path of a file.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

/// What a phone needs to know to put the pages beside its apps.
pub(super) async fn manifest(State(web): State<Web>) -> Response {
    let name = web.say.say("product-name");
    let document = serde_json::json!({
        "name": name,
        "short_name": name,
        "id": "/account",
        "start_url": "/account",
        "scope": "/",
        "display": "standalone",
        "lang": web.say.language(),
        "background_color": tokens::GROUND.light,
        "theme_color": tokens::BRASS.light,
        "icons": [{ "src": path("icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any" }],
    });
    ([(header::CONTENT_TYPE, "application/manifest+json")], document.to_string()).into_response()
}

pub(super) async fn file(
    State(web): State<Web>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let Ok(Path((hash, name))) = path else { return refuse(&web, "/assets", &Stop::NoPage) };
    let (text, kind) = match name.as_str() {
        _ if hash != *HASH => return refuse(&web, "/assets", &Stop::NoPage),
        "look.css" => (latchkey_look::stylesheet(), "text/css; charset=utf-8"),
        "look.js" => (latchkey_look::script(), "text/javascript; charset=utf-8"),
        "relay.js" => (RELAY_SCRIPT, "text/javascript; charset=utf-8"),
        "icon.svg" => (FAVICON, "image/svg+xml"),
        _ => return refuse(&web, "/assets", &Stop::NoPage),
    };
    let kept = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    ([(header::CONTENT_TYPE, kind), kept], text).into_response()
}
