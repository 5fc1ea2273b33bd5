//! Whole inputs, fetched into a file and checked: what a merge joins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::backoff::Patience;
use crate::digest;
use crate::upstream::{Upstream, UpstreamError};

/// So long a server that is gone is waited for, as for sources.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// Bytes that come wrong are fetched once more: twice wrong is no accident.
const WHOLE_TRIES_MAX: u32 = 2;

/// What is to be fetched.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// From where.
    pub(crate) upstream: Upstream,
    /// Size in bytes.
    pub(crate) size: u64,
    /// SHA-256 in lower-case hex.
    pub(crate) sha256: String,
    /// Where to put it.
    pub(crate) path: PathBuf,
}

/// Why an input did not come.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    /// The server could not be reached for too long.
    #[error("could not fetch an input: {0}")]
    Interrupted(String),
    /// The server refuses, or has another file.
    #[error("could not fetch an input: {0}")]
    Refused(UpstreamError),
    /// What came is not what was promised.
    #[error("an input of {size} bytes came with another digest than {wanted}")]
    WrongDigest {
        /// Its size.
        size: u64,
        /// What was promised.
        wanted: String,
    },
    /// It cannot be stored here.
    #[error("cannot store a fetched input in {}", path.display())]
    Storing {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Fetches a whole input, going on where a connection broke, and checks its digest.
pub(crate) async fn fetch(wanted: &Wanted) -> Result<(), FetchError> {
    let mut tries = 1;
    loop {
        let sha256 = fetch_once(wanted).await?;
        if sha256 == wanted.sha256 {
            return Ok(());
        }
        if tries == WHOLE_TRIES_MAX {
            return Err(FetchError::WrongDigest {
                size: wanted.size,
                wanted: wanted.sha256.clone(),
            });
        }
        tries += 1;
        tracing::warn!(url = %wanted.upstream.url, "an input came damaged; fetching it again");
    }
}

async fn fetch_once(wanted: &Wanted) -> Result<String, FetchError> {
    let storing = |source| FetchError::Storing { path: wanted.path.clone(), source };
    let mut file = create(&wanted.path).await.map_err(storing)?;
    let mut hasher = Sha256::new();
    let mut received = 0;
    let mut version = None;
    let mut patience = Patience::new(RETRY_FOR);
    while received < wanted.size {
        let before = received;
        let ended = receive(wanted, &mut file, &mut hasher, &mut received, &mut version).await;
        if received > before {
            patience.progress();
        }
        match ended {
            Ok(()) => {}
            Err(FetchError::Interrupted(why)) => {
                if !patience.wait().await {
                    return Err(FetchError::Interrupted(why));
                }
            }
            Err(
                error @ (FetchError::Refused(_)
                | FetchError::WrongDigest { .. }
                | FetchError::Storing { .. }),
            ) => return Err(error),
        }
    }
    file.flush().await.map_err(storing)?;
    Ok(digest::hex(&hasher.finalize()))
}

async fn create(path: &Path) -> std::io::Result<File> {
    File::create(path).await
}

/// Receives what is missing by one request, as far as it comes.
async fn receive(
    wanted: &Wanted,
    file: &mut File,
    hasher: &mut Sha256,
    received: &mut u64,
    version: &mut Option<String>,
) -> Result<(), FetchError> {
    let range = *received..wanted.size;
    let mut answer = wanted.upstream.get(range, wanted.size, version.as_deref()).await?;
    *version = answer.etag.take();
    while let Some(bytes) = answer.next().await? {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > wanted.size - *received {
            return Err(FetchError::Refused(UpstreamError::Changed));
        }
        let written = file.write_all(&bytes).await;
        written.map_err(|source| FetchError::Storing { path: wanted.path.clone(), source })?;
        hasher.update(&bytes);
        *received += length;
    }
    if *received < wanted.size {
        return Err(FetchError::Interrupted("the answer ended too early".to_owned()));
    }
    Ok(())
}

impl From<UpstreamError> for FetchError {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Interrupted(why) => Self::Interrupted(why),
            UpstreamError::Changed | UpstreamError::Refused(_) => Self::Refused(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::extract::State;
    use axum::response::{IntoResponse as _, Response};
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};
    use segenc_proto::connect::Secret;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;

    const BLOB: &[u8] = b"a segment that was encoded elsewhere";

    /// Answers no more than ten bytes at once, and damages the first byte of the first answers.
    struct Script {
        requests: AtomicUsize,
        damaged: usize,
    }

    async fn serve(State(script): State<Arc<Script>>, headers: HeaderMap) -> Response {
        let request = script.requests.fetch_add(1, Ordering::SeqCst);
        let range = headers.get("range").and_then(|value| value.to_str().ok());
        let first = range.and_then(|range| range.strip_prefix("bytes=")?.split('-').next());
        let first: usize =
            first.and_then(|first| first.parse().ok()).expect("a range is asked for");
        let last = (first + 10).min(BLOB.len());
        let mut part = BLOB[first..last].to_vec();
        if first == 0 && request < script.damaged {
            part[0] ^= 1;
        }
        let mut response = Bytes::from(part).into_response();
        *response.status_mut() = http::StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {first}-{}/{}", last - 1, BLOB.len());
        let range = HeaderValue::from_str(&range).expect("digits");
        response.headers_mut().insert("content-range", range);
        response
    }

    async fn fetch_from(damaged: usize) -> (Result<(), FetchError>, Vec<u8>, usize) {
        segenc_proto::connect::install_crypto_provider();
        let script = Arc::new(Script { requests: AtomicUsize::new(0), damaged });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let app = Router::new().fallback(serve).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        let _server = AbortOnDropHandle::new(server);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let wanted = Wanted {
            upstream: Upstream {
                http: reqwest::Client::builder().no_proxy().build().expect("a client"),
                url: format!("http://{address}/input/1"),
                token: Secret::new("hush"),
            },
            size: u64::try_from(BLOB.len()).expect("fits"),
            sha256: digest::hex(&Sha256::digest(BLOB)),
            path: folder.path().join("input-1"),
        };
        let result = fetch(&wanted).await;
        let bytes = std::fs::read(&wanted.path).expect("the file is there");
        (result, bytes, script.requests.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn an_input_that_comes_in_pieces_is_whole_in_the_end() {
        let (result, bytes, requests) = fetch_from(0).await;
        result.expect("it comes");
        assert_eq!(bytes, BLOB);
        assert_eq!(requests, BLOB.len().div_ceil(10), "no byte is asked for twice");
    }

    #[tokio::test]
    async fn damage_is_noticed_and_repaired_once() {
        let (result, bytes, _) = fetch_from(1).await;
        result.expect("the second time it comes well");
        assert_eq!(bytes, BLOB);
        let (result, _, _) = fetch_from(usize::MAX).await;
        assert!(matches!(result, Err(FetchError::WrongDigest { .. })));
    }
}
