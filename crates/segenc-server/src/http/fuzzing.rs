//! Readers of headers and lines, opened for the fuzz targets alone.

use axum::http::{HeaderMap, HeaderValue, header};

use super::ranges::{Selection, select};
use super::{jobs, options, outputs, uploads};

/// The first and last byte that a `Range` asks for, if it is for a part.
#[must_use]
pub fn range(range: &[u8], if_range: &[u8], size: u64) -> Option<(u64, u64)> {
    let mut headers = HeaderMap::new();
    headers.insert(header::RANGE, HeaderValue::from_bytes(range).ok()?);
    if !if_range.is_empty() {
        headers.insert(header::IF_RANGE, HeaderValue::from_bytes(if_range).ok()?);
    }
    match select(&headers, "\"tag\"", size) {
        Selection::Part { first, last } => Some((first, last)),
        Selection::Whole | Selection::Unsatisfiable => None,
    }
}

/// The digest in a `Repr-Digest`.
#[must_use]
pub fn digest(value: &str) -> Option<String> {
    outputs::parse_digest(value)
}

/// The file name in an `Upload-Metadata`, if it can be a header at all.
#[must_use]
pub fn upload_name(metadata: &[u8]) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert("upload-metadata", HeaderValue::from_bytes(metadata).ok()?);
    Some(uploads::file_name(&headers))
}

/// The `Content-Disposition` of a download.
#[must_use]
pub fn disposition(name: &str) -> String {
    jobs::disposition(name)
}

/// The words of a line of options, unless a quote is open.
#[must_use]
pub fn words(line: &str) -> Option<Vec<String>> {
    options::words(line).ok()
}
