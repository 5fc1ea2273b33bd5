//! Sends a file or a part of it, straight from the disk and in bounded memory.

use std::io::SeekFrom;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::problem::Problem;
use super::ranges::{Selection, select};
use crate::incoming::PIECE_BYTES;
use crate::traffic::{Cargo, Counters};

/// A file to be sent.
pub(super) struct Sending<'a> {
    pub(super) path: &'a Path,
    /// What it must be large: another size is another file.
    pub(super) size: u64,
    /// Its strong tag, in quotes.
    pub(super) etag: String,
    pub(super) content_type: &'static str,
    /// Counts what was sent.
    pub(super) counters: Option<(Arc<Counters>, Cargo)>,
}

impl Sending<'_> {
    /// Answers a GET or HEAD.
    pub(super) async fn answer(
        self,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        let gone = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Problem::new(
                StatusCode::GONE,
                "file-gone",
                "the file is not there any more".to_owned(),
            ),
            _ => Problem::io(&error),
        };
        let mut file = File::open(self.path).await.map_err(gone)?;
        let size = file.metadata().await.map_err(|error| Problem::io(&error))?.len();
        if size != self.size {
            return Err(Problem::conflict(
                "source-changed",
                format!("the file has {size} bytes now, it had {}", self.size),
            ));
        }
        // A range is defined for GET alone.
        let selection = match *method {
            Method::GET => select(headers, &self.etag, size),
            _ => Selection::Whole,
        };
        let (status, first, length) = match selection {
            Selection::Whole => (StatusCode::OK, 0, size),
            Selection::Part { first, last } => {
                (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
            }
            Selection::Unsatisfiable => return Err(unsatisfiable(size)),
        };
        let body = if *method == Method::HEAD {
            Body::empty()
        } else {
            file.seek(SeekFrom::Start(first)).await.map_err(|error| Problem::io(&error))?;
            let counters = self.counters;
            let pieces = ReaderStream::with_capacity(file.take(length), PIECE_BYTES);
            Body::from_stream(pieces.inspect(move |piece| {
                if let (Ok(piece), Some((counters, cargo))) = (piece, &counters) {
                    counters.add(*cargo, piece.len() as u64);
                }
            }))
        };
        let mut response = (status, body).into_response();
        let answer = response.headers_mut();
        answer.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            answer.insert(header::ETAG, etag);
        }
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {first}-{}/{size}", first + length - 1);
            if let Ok(range) = HeaderValue::from_str(&range) {
                answer.insert(header::CONTENT_RANGE, range);
            }
        }
        Ok(response)
    }
}

fn unsatisfiable(size: u64) -> Problem {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range-not-satisfiable",
        format!("the file has {size} bytes"),
    );
    match HeaderValue::from_str(&format!("bytes */{size}")) {
        Ok(range) => problem.header(header::CONTENT_RANGE, range),
        Err(_) => problem,
    }
}
