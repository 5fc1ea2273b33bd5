//! Tells the structure of a source: a stream of records, made while it is sent.

use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::problem::Problem;
use crate::structure::{Extent, Structure};
use crate::traffic::{Cargo, Counters};

/// What the records are called. Who asks an older server gets the plain bytes, under another name.
pub(super) const MEDIA_TYPE: &str = "application/vnd.segenc.structure";

/// Records are sent in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;
/// What is found is sent at least this often: encoding begins with the first frames, and who hears nothing for
/// long believes the server gone.
const PIECE_TIME: Duration = Duration::from_millis(50);

/// A source that is to be told.
pub(super) struct Telling {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) extent: Extent,
    /// Its strong tag, in quotes.
    pub(super) etag: String,
    pub(super) counters: Arc<Counters>,
}

/// What is left to be told.
struct Rest {
    structure: Structure<File>,
    file: File,
    /// What the file was when it was opened.
    before: Metadata,
}

impl Telling {
    /// Answers with the records; without content where nothing can be left out.
    pub(super) async fn answer(self) -> Result<Response, Problem> {
        let (path, size, extent) = (self.path, self.size, self.extent);
        let opened = tokio::task::spawn_blocking(move || Rest::open(&path, size, extent));
        let opened = opened.await.map_err(|error| Problem::internal(&error))?;
        let etag = HeaderValue::from_str(&self.etag).map_err(|error| Problem::internal(&error))?;
        let Some(rest) = opened.map_err(|error| Problem::io(&error))? else {
            return Ok((StatusCode::NO_CONTENT, [(header::ETAG, etag)]).into_response());
        };
        let counters = self.counters;
        let pieces = stream::try_unfold(Some(rest), move |rest| {
            let counters = Arc::clone(&counters);
            async move {
                let Some(rest) = rest else { return Ok(None) };
                let piece = tokio::task::spawn_blocking(move || rest.piece());
                let (piece, rest) = piece.await.map_err(io::Error::other)??;
                counters.add(Cargo::Source, piece.len() as u64);
                Ok::<_, io::Error>(Some((piece, rest)))
            }
        });
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        let headers = [(header::CONTENT_TYPE, media_type), (header::ETAG, etag)];
        Ok((headers, Body::from_stream(pieces)).into_response())
    }
}

impl Rest {
    fn open(path: &std::path::Path, size: u64, extent: Extent) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let before = file.metadata()?;
        let structure = Structure::open(file.try_clone()?, size, extent)?;
        Ok(structure.map(|structure| Self { structure, file, before }))
    }

    /// The next records, and what is left after them.
    fn piece(mut self) -> io::Result<(Bytes, Option<Self>)> {
        let since = Instant::now();
        let mut piece = Vec::new();
        loop {
            if !self.structure.advance(&mut piece)? {
                return self.ended().map(|()| (piece.into(), None));
            }
            if since.elapsed() >= PIECE_TIME {
                self.structure.flush(&mut piece)?;
            }
            if piece.len() >= PIECE_BYTES || (since.elapsed() >= PIECE_TIME && !piece.is_empty()) {
                return Ok((piece.into(), Some(self)));
            }
        }
    }

    /// A file that was written to meanwhile must not be believed.
    fn ended(&self) -> io::Result<()> {
        let now = self.file.metadata()?;
        if now.len() == self.before.len() && now.modified().ok() == self.before.modified().ok() {
            return Ok(());
        }
        Err(io::Error::other("the source was changed while it was read"))
    }
}
