//! Conditional requests (RFC 9110, section 13): who has a document already is told that it is still the same.
//!
//! Knows no document: the tag is a digest of what would be sent. Files have tags of their own.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::Problem;

/// Longer documents are sent as they are: a report of the longest job has a few megabytes.
const TAGGED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the digest that stand in the tag.
const TAG_BYTES: usize = 16;

/// Tags documents, and leaves them out where the asking side has them.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    if looks && is_document(&response) { tagged(response, known.as_ref()).await } else { response }
}

/// Whether it is JSON of known length that nobody has forbidden to keep.
fn is_document(response: &Response) -> bool {
    let is = |headers: &HeaderMap, name, text: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes().starts_with(text.as_bytes()))
    };
    let headers = response.headers();
    let length = response.body().size_hint().exact();
    response.status() == StatusCode::OK
        && is(headers, header::CONTENT_TYPE, "application/json")
        && !headers.contains_key(header::CACHE_CONTROL)
        && !headers.contains_key(header::ETAG)
        && length.is_some_and(|length| length <= TAGGED_BYTES_MAX as u64)
}

async fn tagged(response: Response, known: Option<&HeaderValue>) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = match to_bytes(body, TAGGED_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let digest = Sha256::digest(&bytes);
    let hex: String = digest.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hex}\"");
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    // To be kept by who asked, and to be asked for again each time.
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if known.is_some_and(|known| names(known, &tag)) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Whether a list of tags holds this one, by the weak comparison that belongs to `If-None-Match`.
fn names(known: &HeaderValue, tag: &str) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list() {
        let names = |list: &'static str| names(&HeaderValue::from_static(list), "\"a\"");
        assert!(names("\"a\"") && names("\"b\", W/\"a\"") && names("*"));
        assert!(!names("\"b\"") && !names("a") && !names(""));
    }
}
