//! The server itself: who it is, whether it lives, whether it can work.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use segenc_proto::rest::ServerView;

use super::App;
use super::caller::Reader;
use super::problem::Problem;
use crate::incoming::free_bytes;

/// Who answers here.
#[utoipa::path(
    get,
    path = "/api/server",
    tag = "server",
    responses((status = 200, body = ServerView))
)]
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Json<ServerView> {
    Json(ServerView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        role: reader.role.to_owned(),
        free_bytes: free_bytes(app.blobs.folder()).unwrap_or_default(),
    })
}

/// The farm in numbers, as Prometheus reads them.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(app): State<App>, _: Reader) -> Response {
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, media_type)], crate::metrics::render(&app)).into_response()
}

/// The process lives. Open to everybody.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "server",
    security(()),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// The server can work: its database answers, its disk has room.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "server",
    responses((status = 200, body = String, content_type = "text/plain"), (status = 503))
)]
pub(super) async fn readyz(State(app): State<App>, _: Reader) -> Result<&'static str, Problem> {
    let not_ready = |detail: &str| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail.to_owned())
    };
    if !app.store.is_alive().await {
        return Err(not_ready("the database does not answer"));
    }
    match free_bytes(app.blobs.folder()) {
        Ok(0) => Err(not_ready("the disk is full")),
        Ok(_) => Ok("ready"),
        Err(_) => Err(not_ready("the folder of blobs cannot be looked at")),
    }
}
