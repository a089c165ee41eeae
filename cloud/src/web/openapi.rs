//! The JSON interface's description, OpenAPI 3.1.

use axum::{
    http::header,
    response::{IntoResponse as _, Response},
};

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
