//! Who calls: extractors that let only those in who may, and a JSON body that is bounded.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use segenc_core::ids::WorkerId;
use serde::de::DeserializeOwned;

use super::App;
use super::problem::Problem;
use crate::auth;
use crate::store::TokenKind;

/// A wish fits into a few kilobytes; this is far beyond it.
const JSON_MAX_BYTES: usize = 1024 * 1024;

/// Somebody who may change things.
pub(crate) struct Operator;

/// Somebody who may look: an operator or a viewer.
pub(crate) struct Reader {
    pub(crate) role: &'static str,
}

/// A worker.
pub(crate) struct WorkerCaller(pub(crate) WorkerId);

fn kind_of(headers: &HeaderMap, app: &App) -> Result<TokenKind, Problem> {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(auth::bearer)
        .and_then(|token| app.tokens.kind_of(token))
        .ok_or_else(Problem::unauthorized)
}

fn not_enough(detail: &str) -> Problem {
    Problem::forbidden("not-permitted", detail.to_owned())
}

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match kind_of(&parts.headers, app)? {
            TokenKind::Operator => Ok(Self),
            TokenKind::Viewer | TokenKind::Join | TokenKind::Worker(_) => {
                Err(not_enough("this takes an operator's token"))
            }
        }
    }
}

impl FromRequestParts<App> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match kind_of(&parts.headers, app)? {
            TokenKind::Operator => Ok(Self { role: "operator" }),
            TokenKind::Viewer => Ok(Self { role: "viewer" }),
            TokenKind::Join | TokenKind::Worker(_) => {
                Err(not_enough("this takes an operator's or a viewer's token"))
            }
        }
    }
}

impl FromRequestParts<App> for WorkerCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match kind_of(&parts.headers, app)? {
            TokenKind::Worker(worker) => Ok(Self(worker)),
            TokenKind::Operator | TokenKind::Viewer | TokenKind::Join => {
                Err(not_enough("this takes the token of the worker that holds the task"))
            }
        }
    }
}

/// The numbers and names in an address; what cannot be one leads nowhere.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let nowhere = || Problem::not_found(format!("there is nothing at {}", parts.uri.path()));
        let found = axum::extract::Path::<T>::from_request_parts(&mut parts.clone(), app).await;
        found.map(|axum::extract::Path(found)| Self(found)).map_err(|_| nowhere())
    }
}

/// What stands after the question mark.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, app).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => Err(Problem::bad_request("bad-query", error.body_text().to_lowercase())),
        }
    }
}

/// A JSON body. It is read after the caller was let in.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &App) -> Result<Self, Problem> {
        let bytes: Bytes =
            axum::body::to_bytes(request.into_body(), JSON_MAX_BYTES).await.map_err(|_| {
                Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body-too-large",
                    format!("the body is larger than {JSON_MAX_BYTES} bytes, or broke off"),
                )
            })?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::bad_request("bad-json", format!("the body is not what is expected: {error}"))
        })?;
        Ok(Self(value))
    }
}
