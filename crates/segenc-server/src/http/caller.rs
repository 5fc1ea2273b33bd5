//! Who calls: extractors that let only those in who may, and a JSON body that is bounded.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use segenc_core::ids::WorkerId;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::App;
use super::problem::Problem;
use crate::auth::{self, Role};
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

/// Which of its pages a browser sends a request from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the caller may open: by a token, or by the cookie of somebody who has logged in.
fn kind_of(parts: &Parts, app: &App) -> Result<TokenKind, Problem> {
    if let Some(value) = parts.headers.get(AUTHORIZATION) {
        let token = value.to_str().ok().and_then(auth::bearer);
        return token.and_then(|token| app.tokens.kind_of(token)).ok_or_else(Problem::unauthorized);
    }
    let session = session_cookie(&parts.headers, app).ok_or_else(Problem::unauthorized)?;
    let role = app.people.role_of(&session).ok_or_else(Problem::unauthorized)?;
    // A browser adds its cookie to whatever some other page makes it send.
    if !parts.method.is_safe() && !is_from_here(&parts.headers) {
        return Err(Problem::other_origin());
    }
    Ok(match role {
        Role::Operator => TokenKind::Operator,
        Role::Viewer => TokenKind::Viewer,
    })
}

/// The session that a browser shows.
pub(super) fn session_cookie(headers: &HeaderMap, app: &App) -> Option<String> {
    let name = app.people.cookie_name();
    headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|cookies| {
        cookies.split(';').find_map(|cookie| {
            let (found, value) = cookie.trim().split_once('=')?;
            (found == name).then(|| value.to_owned())
        })
    })
}

/// Whether the browser says that our own page sends this. Without any such word it is not believed.
fn is_from_here(headers: &HeaderMap) -> bool {
    origin_of(headers) == Some(Origin::Here)
}

/// Whether the browser says that another page sends this.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    origin_of(headers) == Some(Origin::Elsewhere)
}

#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Here,
    Elsewhere,
}

/// `Sec-Fetch-Site` holds behind any proxy; browsers that do not send it, or not over plain HTTP, send `Origin`.
fn origin_of(headers: &HeaderMap) -> Option<Origin> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_here = match text(FETCH_SITE) {
        Some(site) => site == "same-origin",
        None => {
            let (_, authority) = text(ORIGIN)?.split_once("://")?;
            text(HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority))
        }
    };
    Some(if is_here { Origin::Here } else { Origin::Elsewhere })
}

fn not_enough(detail: &str) -> Problem {
    Problem::forbidden("not-permitted", detail.to_owned())
}

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match kind_of(parts, app)? {
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
        match kind_of(parts, app)? {
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
        match kind_of(parts, app)? {
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
        read_json(&bytes).map(Self).map_err(|error| {
            Problem::bad_request("bad-json", format!("the body is not what is expected: {error}"))
        })
    }
}

/// A number without a fraction is a whole number in JSON, also as `3.0`, which some languages write.
fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|error| {
        let Ok(mut value) = serde_json::from_slice(bytes) else { return Err(error) };
        make_whole(&mut value);
        serde_json::from_value(value).map_err(|_| error)
    })
}

/// Writes whole numbers as such, as far as a float tells them exactly.
fn make_whole(value: &mut Value) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT);
            #[expect(clippy::cast_possible_truncation, reason = "whole, and less than 2^53")]
            if let (true, Some(float)) = (number.is_f64(), float) {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(members) => members.iter_mut().for_each(make_whole),
        Value::Object(members) => members.values_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let read = |text: &str| read_json::<Vec<u32>>(text.as_bytes()).ok();
        assert_eq!(read("[3.0, 4, 1e2]"), Some(vec![3, 4, 100]));
        let large: Option<Vec<u64>> = read_json(b"[3982950514827830.0]").ok();
        assert_eq!(large, Some(vec![3_982_950_514_827_830]));
        for wrong in ["[3.5]", "[-1.0]", "[1e99]", "[\"3.0\"]", "[3.0"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn other_pages_are_told_from_our_own() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, axum::http::HeaderValue::from_static(value));
            }
            origin_of(&headers)
        };
        let host = ("host", "farm.local:8642");
        assert_eq!(with(&[host]), None);
        assert_eq!(with(&[host, ("sec-fetch-site", "same-origin")]), Some(Origin::Here));
        for site in ["same-site", "cross-site", "none"] {
            assert_eq!(with(&[host, ("sec-fetch-site", site)]), Some(Origin::Elsewhere), "{site}");
        }
        assert_eq!(with(&[host, ("origin", "http://farm.local:8642")]), Some(Origin::Here));
        assert_eq!(with(&[host, ("origin", "http://farm.local:1")]), Some(Origin::Elsewhere));
        assert_eq!(with(&[host, ("origin", "null")]), None);
    }
}
