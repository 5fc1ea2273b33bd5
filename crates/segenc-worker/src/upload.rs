//! Brings the output of an attempt to the server: whole, or on from where a connection broke.
//!
//! It does not know what the bytes are.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use http::{StatusCode, header};
use reqwest::{Body, RequestBuilder, Response};
use segenc_proto::connect::Secret;
use thiserror::Error;
use tokio::io::AsyncSeekExt as _;
use tokio_util::io::ReaderStream;

use crate::backoff::Patience;
use crate::digest;
use crate::upstream::chain;

/// RFC 9530.
const REPR_DIGEST: &str = "repr-digest";
/// How much of an upload has arrived (the IETF's resumable uploads).
const UPLOAD_OFFSET: &str = "upload-offset";
/// `?1` with the last bytes of an upload.
const UPLOAD_COMPLETE: &str = "upload-complete";
/// Bytes read from the file at once.
const READ_BYTES: usize = 256 * 1024;
/// A server that does not answer a request without a body within this time is gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// A server that takes nothing for so long, or has not answered so long after the last byte, is gone. It
/// syncs the whole file to its disk before it answers.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Bytes that arrive wrong are sent once more: twice wrong is no accident.
const DAMAGED_MAX: u32 = 2;

/// A file on its way.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// The client that knows the server.
    pub(crate) http: reqwest::Client,
    /// The task's output, with the attempt.
    pub(crate) url: String,
    /// The worker's token.
    pub(crate) token: Secret,
    /// What to send.
    pub(crate) path: PathBuf,
    /// So long a server that is gone is waited for without progress.
    pub(crate) patience: Duration,
}

/// Why an output did not arrive.
#[derive(Debug, Error)]
pub(crate) enum UploadError {
    /// The attempt is stale or not this worker's: drop the output.
    #[error("the server does not want the output of this attempt: it answers {0}")]
    Stale(StatusCode),
    /// The worker's token is not known any more.
    #[error("the server does not know this worker any more")]
    NotKnown,
    /// The server could not be reached, or could not store, for too long.
    #[error("the output could not be brought to the server: {0}")]
    Interrupted(String),
    /// It arrived damaged, again and again.
    #[error("the output arrived damaged at the server")]
    Damaged,
    /// The server does not understand the upload.
    #[error("the server refuses the upload: {0}")]
    Refused(String),
    /// The file cannot be read here.
    #[error("cannot read the output {}", path.display())]
    Reading {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// How one request ended.
enum Sent {
    /// Everything is stored.
    Stored,
    /// Not all has arrived: ask how far it came.
    Broken(String),
    /// What arrived has another digest; nothing of it is kept.
    Damaged,
}

impl Upload {
    /// Sends the file until it is stored.
    pub(crate) async fn run(&self) -> Result<(), UploadError> {
        let (sha256, size) = digest::of_file(&self.path).await.map_err(reading(&self.path))?;
        let digest = digest::repr_digest(&sha256);
        let mut patience = Patience::new(self.patience);
        let mut arrived = 0;
        let mut damaged = 0;
        let mut sent = self.put(&digest, size).await?;
        loop {
            let why = match sent {
                Sent::Stored => return Ok(()),
                Sent::Broken(why) => why,
                Sent::Damaged => {
                    damaged += 1;
                    if damaged == DAMAGED_MAX {
                        return Err(UploadError::Damaged);
                    }
                    sent = self.put(&digest, size).await?;
                    continue;
                }
            };
            tracing::debug!(url = %self.url, why, "an upload was interrupted");
            if !patience.wait().await {
                return Err(UploadError::Interrupted(why));
            }
            sent = match self.offset().await? {
                Offset::Unknown(why) => Sent::Broken(why),
                Offset::None => self.put(&digest, size).await?,
                Offset::Stored => Sent::Stored,
                Offset::At(offset) if offset > size => self.put(&digest, size).await?,
                Offset::At(offset) => {
                    if offset > arrived {
                        patience.progress();
                        arrived = offset;
                    }
                    self.patch(&digest, offset, size).await?
                }
            };
        }
    }

    async fn put(&self, digest: &str, size: u64) -> Result<Sent, UploadError> {
        let (body, taken) = self.body(0).await?;
        let request = self
            .http
            .put(&self.url)
            .header(header::AUTHORIZATION, self.token.bearer())
            .header(header::CONTENT_LENGTH, size)
            .header(REPR_DIGEST, digest)
            .body(body);
        attempt(request, &taken).await
    }

    async fn patch(&self, digest: &str, offset: u64, size: u64) -> Result<Sent, UploadError> {
        let (body, taken) = self.body(offset).await?;
        let request = self
            .http
            .patch(&self.url)
            .header(header::AUTHORIZATION, self.token.bearer())
            .header(header::CONTENT_LENGTH, size - offset)
            .header(header::CONTENT_TYPE, "application/partial-upload")
            .header(UPLOAD_OFFSET, offset)
            .header(UPLOAD_COMPLETE, "?1")
            .header(REPR_DIGEST, digest)
            .body(body);
        attempt(request, &taken).await
    }

    /// The file from `offset` on, and a count of the pieces that were taken of it.
    async fn body(&self, offset: u64) -> Result<(Body, Arc<AtomicU64>), UploadError> {
        let reading = reading(&self.path);
        let mut file = tokio::fs::File::open(&self.path).await.map_err(&reading)?;
        file.seek(SeekFrom::Start(offset)).await.map_err(&reading)?;
        let taken = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&taken);
        let pieces = ReaderStream::with_capacity(file, READ_BYTES).inspect(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        Ok((Body::wrap_stream(pieces), taken))
    }

    /// Asks how much has arrived.
    async fn offset(&self) -> Result<Offset, UploadError> {
        let request =
            self.http.head(&self.url).header(header::AUTHORIZATION, self.token.bearer()).send();
        let response = match tokio::time::timeout(ANSWER_WITHIN, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Ok(Offset::Unknown(chain(&error))),
            Err(_) => return Ok(Offset::Unknown("the server does not answer".to_owned())),
        };
        let status = response.status();
        if status.is_success() {
            let value = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
            if value(UPLOAD_COMPLETE) == Some("?1") {
                return Ok(Offset::Stored);
            }
            let offset = value(UPLOAD_OFFSET).and_then(|value| value.parse().ok());
            return Ok(offset.map_or(Offset::None, Offset::At));
        }
        match status {
            StatusCode::UNAUTHORIZED => Err(UploadError::NotKnown),
            StatusCode::CONFLICT | StatusCode::FORBIDDEN | StatusCode::GONE => {
                Err(UploadError::Stale(status))
            }
            // Nothing of it there, or a server that cannot resume: from the start.
            status if status.is_client_error() => Ok(Offset::None),
            status => Ok(Offset::Unknown(format!("the server answers {status}"))),
        }
    }
}

/// How much of an upload has arrived.
enum Offset {
    /// Nothing.
    None,
    /// So many bytes.
    At(u64),
    /// All, and stored.
    Stored,
    /// The server does not say just now.
    Unknown(String),
}

/// Sends a request, unless the server falls silent.
async fn attempt(request: RequestBuilder, taken: &AtomicU64) -> Result<Sent, UploadError> {
    let silence = async {
        let mut before = None;
        loop {
            let now = Some(taken.load(Ordering::Relaxed));
            if now == before {
                return;
            }
            before = now;
            tokio::time::sleep(SILENCE_MAX).await;
        }
    };
    tokio::select! {
        result = request.send() => sent(result).await,
        () = silence => Ok(Sent::Broken("the server fell silent".to_owned())),
    }
}

async fn sent(result: Result<Response, reqwest::Error>) -> Result<Sent, UploadError> {
    let response = match result {
        Ok(response) => response,
        Err(error) => return Ok(Sent::Broken(chain(&error))),
    };
    let status = response.status();
    match status {
        status if status.is_success() => Ok(Sent::Stored),
        StatusCode::UNAUTHORIZED => Err(UploadError::NotKnown),
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => {
            Err(UploadError::Stale(status))
        }
        // Also what a PATCH at the wrong offset answers; asking for the offset tells the two apart.
        StatusCode::CONFLICT if response.headers().contains_key(UPLOAD_OFFSET) => {
            Ok(Sent::Broken("the server has another part of the upload".to_owned()))
        }
        StatusCode::CONFLICT => Err(UploadError::Stale(status)),
        StatusCode::UNPROCESSABLE_ENTITY => Ok(Sent::Damaged),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Ok(Sent::Broken(format!("the server answers {status}")))
        }
        // 507 too: a full disk at the server is waited for.
        status if status.is_server_error() => {
            Ok(Sent::Broken(format!("the server answers {status}")))
        }
        status => Err(UploadError::Refused(format!("{status}: {}", beginning(response).await))),
    }
}

/// The first part of an answer's text, for the log.
async fn beginning(mut response: Response) -> String {
    let first = tokio::time::timeout(ANSWER_WITHIN, response.chunk()).await;
    match first {
        Ok(Ok(Some(bytes))) => String::from_utf8_lossy(&bytes).chars().take(500).collect(),
        Ok(Ok(None) | Err(_)) | Err(_) => String::new(),
    }
}

fn reading(path: &Path) -> impl Fn(std::io::Error) -> UploadError {
    let path = path.to_owned();
    move |source| UploadError::Reading { path: path.clone(), source }
}

#[cfg(test)]
mod tests;
