//! How spans reach the collector: the exporter's own thread waits, the program's runtime sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

/// A collector that takes longer is not there. The standard's default.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a collector answers is a few bytes; more is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends by HTTP.
#[derive(Debug)]
pub(super) struct Post {
    client: reqwest::Client,
    runtime: Handle,
    state: Arc<Line>,
}

/// Whether the last batch arrived, so that a break is said once.
#[derive(Debug, Default)]
struct Line {
    broken: AtomicBool,
}

impl Post {
    pub(super) fn new(runtime: &Handle) -> anyhow::Result<Self> {
        let client = segenc_proto::connect::public_client_builder()?
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("segenc/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("setting up HTTP for traces failed")?;
        Ok(Self { client, runtime: runtime.clone(), state: Arc::default() })
    }
}

#[async_trait]
impl HttpClient for Post {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let request =
            self.client.request(head.method, head.uri.to_string()).headers(head.headers).body(body);
        // The exporter waits in a thread without a runtime.
        let sent = self.runtime.spawn(send(request)).await?;
        self.state.note(&sent);
        sent.map_err(Into::into)
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<Response<Bytes>, reqwest::Error> {
    // Addresses may hold passwords.
    let mut answer = request.send().await.map_err(reqwest::Error::without_url)?;
    let mut bytes = Vec::new();
    while let Some(read) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        bytes.extend_from_slice(&read);
        if bytes.len() > ANSWER_BYTES_MAX {
            bytes.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    let mut response = Response::new(Bytes::from(bytes));
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

impl Line {
    /// Says when spans begin to be lost, and when no more.
    fn note(&self, sent: &Result<Response<Bytes>, reqwest::Error>) {
        let trouble = match sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answered {}", response.status())),
            Err(error) => Some(with_causes(error)),
        };
        match trouble {
            Some(trouble) => {
                if !self.broken.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        trouble,
                        "the collector of traces does not take them; spans are lost until it does"
                    );
                }
            }
            None => {
                if self.broken.swap(false, Ordering::Relaxed) {
                    tracing::info!("the collector of traces takes them again");
                }
            }
        }
    }
}

fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
