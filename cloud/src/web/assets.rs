//! Style sheet, scripts and pictures, with their hash in the path, so that they can be kept for good.

use super::{Stop, Web, refuse};
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use flate2::{Compression, write::GzEncoder};
use latchkey_look::FAVICON;
use sha2::{Digest as _, Sha256};
use std::{borrow::Cow, io::Write as _, sync::LazyLock};

/// A file as it is served.
struct File {
    name: &'static str,
    kind: &'static str,
    bytes: Cow<'static, [u8]>,
    /// The same, compressed, if that makes it smaller. It is public: what a compressed length tells is no secret.
    gzip: Option<Vec<u8>>,
}

impl File {
    fn new(name: &'static str, kind: &'static str, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let bytes = bytes.into();
        let mut encoder = GzEncoder::new(vec![], Compression::best());
        // Writing to a Vec cannot fail.
        let gzip = encoder.write_all(&bytes).and_then(|()| encoder.finish()).ok();
        let gzip = gzip.filter(|gzip| gzip.len() < bytes.len() * 9 / 10);
        Self { name, kind, bytes, gzip }
    }

    fn script(name: &'static str, text: &'static str) -> Self {
        Self::new(name, "text/javascript; charset=utf-8", text.as_bytes())
    }

    fn png(name: &'static str, bytes: &'static [u8]) -> Self {
        Self::new(name, "image/png", bytes)
    }
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let sheet = [latchkey_look::stylesheet(), include_str!("app.css")].concat();
    vec![
        File::new("look.css", "text/css; charset=utf-8", sheet.into_bytes()),
        File::script("look.js", latchkey_look::script()),
        File::script("relay.js", include_str!("relay.js")),
        File::script("add.js", include_str!("add.js")),
        File::script("scan.js", include_str!("scan.js")),
        File::script("read.js", include_str!("read.js")),
        File::script("qr.js", include_str!("vendor/qr.js")),
        File::new("icon.svg", "image/svg+xml", FAVICON.as_bytes()),
        File::png("icon-180.png", include_bytes!("icons/icon-180.png")),
        File::png("icon-192.png", include_bytes!("icons/icon-192.png")),
        File::png("icon-512.png", include_bytes!("icons/icon-512.png")),
        File::png("icon-maskable-512.png", include_bytes!("icons/icon-maskable-512.png")),
    ]
});

/// Eight bytes over all of them.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for file in FILES.iter() {
        hash.update(&file.bytes);
        hash.update([0]);
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
});

/// The path of a file.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

pub(super) async fn file(
    State(web): State<Web>,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let found = path.ok().filter(|Path((hash, _))| *hash == *HASH);
    let found = found.and_then(|Path((_, name))| FILES.iter().find(|file| file.name == name));
    let Some(file) = found else { return refuse(&web, "/assets", &Stop::NoPage) };
    let kept = [
        (header::CONTENT_TYPE, file.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    match &file.gzip {
        Some(gzip) if takes_gzip(headers.get(header::ACCEPT_ENCODING)) => {
            (kept, [(header::CONTENT_ENCODING, "gzip")], gzip.as_slice()).into_response()
        }
        _ => (kept, file.bytes.as_ref()).into_response(),
    }
}

/// Whether a browser takes gzip: named without a quality, as every browser does.
fn takes_gzip(header: Option<&HeaderValue>) -> bool {
    let told = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    told.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scripts/icons` writes what it drew them from beside them.
    #[test]
    fn the_app_s_icons_are_drawn_from_the_mark() {
        assert_eq!(include_str!("icons/mark.svg").trim_end(), FAVICON, "run scripts/icons");
    }

    #[test]
    fn gzip_is_for_who_takes_it() {
        let takes = |text: &'static str| takes_gzip(Some(&HeaderValue::from_static(text)));
        assert!(takes("gzip, deflate, br") && takes("br,GZIP"));
        assert!(!takes("gzip;q=0") && !takes("identity") && !takes_gzip(None));
        let scripts = FILES.iter().filter(|file| file.name.ends_with(".js") || file.name.ends_with(".css"));
        assert!(scripts.clone().count() > 4 && scripts.clone().all(|file| file.gzip.is_some()));
    }
}
