//! Ranges of an input, asked from the server: one request, its answer checked.
//!
//! It repeats nothing and keeps nothing; who calls it knows what a failure means to him.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use reqwest::Response;
use segenc_proto::connect::Secret;
use thiserror::Error;

/// A server that does not begin its answer, or does not go on with it, within this time is treated as
/// gone: three times what a disk that has to wake up takes.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How the server's problem documents call a source that was changed after its job was made.
const SOURCE_CHANGED: &str = "source-changed";

/// What a server calls the structure of a source.
const STRUCTURE: &str = "application/vnd.segenc.structure";

/// Where one input of one task is fetched.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    /// The client that knows the server.
    pub(crate) http: reqwest::Client,
    /// The input's address.
    pub(crate) url: String,
    /// The worker's token.
    pub(crate) token: Secret,
}

/// Why a range did not come.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum UpstreamError {
    /// The connection broke or the server is in trouble: again.
    #[error("{0}")]
    Interrupted(String),
    /// The file is not the one that was read before.
    #[error("the file has changed while it was read")]
    Changed,
    /// The server says no: the task is not held any more.
    #[error("the server answers {0}")]
    Refused(StatusCode),
}

/// An answer whose bytes are still to come.
#[derive(Debug)]
pub(crate) struct RangeAnswer {
    response: Response,
    /// The file's version, where it is strong enough to be compared.
    pub(crate) etag: Option<String>,
}

impl RangeAnswer {
    /// The next bytes, or `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        match tokio::time::timeout(SILENCE_MAX, self.response.chunk()).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(interrupted(&error)),
            Err(_) => Err(UpstreamError::Interrupted("the server fell silent".to_owned())),
        }
    }
}

impl Upstream {
    /// Asks for `range` of a file of `size` bytes; with `version`, only if it is still that one.
    pub(crate) async fn get(
        &self,
        range: Range<u64>,
        size: u64,
        version: Option<&str>,
    ) -> Result<RangeAnswer, UpstreamError> {
        let mut request =
            self.http.get(&self.url).header(header::AUTHORIZATION, self.token.bearer()).header(
                header::RANGE,
                format!("bytes={}-{}", range.start, range.end.saturating_sub(1)),
            );
        if let Some(version) = version {
            request = request.header(header::IF_RANGE, version);
        }
        let response = send(request).await?;
        check(response.status(), response.headers(), &range, size)?;
        let etag = strong_etag(response.headers());
        if version.is_some() && etag.as_deref() != version {
            return Err(UpstreamError::Changed);
        }
        Ok(RangeAnswer { response, etag })
    }

    /// Asks for the structure of a source from the byte `from` on, with the first `whole` bytes of each film; with `version`, only of that one. `None`
    /// where there is none, or the server is too old to tell it.
    pub(crate) async fn structure(
        &self,
        from: u64,
        whole: u64,
        version: Option<&str>,
    ) -> Result<Option<RangeAnswer>, UpstreamError> {
        let url = format!("{}?holes=video&from={from}&whole={whole}", self.url);
        let request = self.http.get(&url).header(header::AUTHORIZATION, self.token.bearer());
        let response = send(request).await?;
        let media_type = response.headers().get(header::CONTENT_TYPE);
        let is_structure = media_type.is_some_and(|value| value == STRUCTURE);
        match response.status() {
            StatusCode::OK if is_structure => {}
            StatusCode::OK
            | StatusCode::NO_CONTENT
            | StatusCode::BAD_REQUEST
            | StatusCode::NOT_ACCEPTABLE => return Ok(None),
            status => return Err(refusal(status)),
        }
        let etag = strong_etag(response.headers());
        if version.is_some() && etag.as_deref() != version {
            return Err(UpstreamError::Changed);
        }
        Ok(Some(RangeAnswer { response, etag }))
    }
}

/// Sends a request and waits for the beginning of its answer.
async fn send(request: reqwest::RequestBuilder) -> Result<Response, UpstreamError> {
    let response = match tokio::time::timeout(SILENCE_MAX, request.send()).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(interrupted(&error)),
        Err(_) => {
            return Err(UpstreamError::Interrupted("the server does not answer".to_owned()));
        }
    };
    if response.status() == StatusCode::CONFLICT {
        return Err(conflict(response).await);
    }
    Ok(response)
}

/// Two things are in conflict with a request: a stale attempt, and a source that is another one by now.
async fn conflict(mut response: Response) -> UpstreamError {
    let beginning = tokio::time::timeout(SILENCE_MAX, response.chunk()).await;
    let problem = match &beginning {
        Ok(Ok(Some(bytes))) => String::from_utf8_lossy(bytes),
        Ok(Ok(None) | Err(_)) | Err(_) => "".into(),
    };
    if problem.contains(SOURCE_CHANGED) {
        UpstreamError::Changed
    } else {
        UpstreamError::Refused(StatusCode::CONFLICT)
    }
}

fn check(
    status: StatusCode,
    headers: &HeaderMap,
    range: &Range<u64>,
    size: u64,
) -> Result<(), UpstreamError> {
    match status {
        StatusCode::PARTIAL_CONTENT => {
            let answered = headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
            match answered.and_then(content_range) {
                Some((start, total)) if start == range.start && total == size => Ok(()),
                Some((_, total)) if total != size => Err(UpstreamError::Changed),
                Some(_) | None => {
                    Err(UpstreamError::Interrupted("the server answers another range".to_owned()))
                }
            }
        }
        // Whole files are allowed as an answer to any range; it fits only if the whole was asked for.
        StatusCode::OK if *range == (0..size) && content_length(headers) == Some(size) => Ok(()),
        StatusCode::OK | StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PRECONDITION_FAILED => {
            Err(UpstreamError::Changed)
        }
        status => Err(refusal(status)),
    }
}

/// What a status means that brings nothing.
fn refusal(status: StatusCode) -> UpstreamError {
    let waits = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if waits || status.is_server_error() {
        UpstreamError::Interrupted(format!("the server answers {status}"))
    } else {
        UpstreamError::Refused(status)
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// First byte and total size of `bytes 0-99/1000`.
fn content_range(value: &str) -> Option<(u64, u64)> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, total.parse().ok()?))
}

/// Weak tags may be equal for files of different bytes (RFC 9110, section 8.8.1).
fn strong_etag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(header::ETAG)?.to_str().ok()?;
    tag.starts_with('"').then(|| tag.to_owned())
}

fn interrupted(error: &reqwest::Error) -> UpstreamError {
    UpstreamError::Interrupted(chain(error))
}

/// An error with its causes in one line, without the address, which names nothing new.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_the_range_of_the_file_that_was_asked_for_is_taken() {
        let partial = StatusCode::PARTIAL_CONTENT;
        let answer = |value| headers(&[(header::CONTENT_RANGE, value)]);
        assert_eq!(check(partial, &answer("bytes 10-19/100"), &(10..20), 100), Ok(()));
        assert_eq!(
            check(partial, &answer("bytes 10-19/101"), &(10..20), 100),
            Err(UpstreamError::Changed)
        );
        assert!(matches!(
            check(partial, &answer("bytes 11-19/100"), &(10..20), 100),
            Err(UpstreamError::Interrupted(_))
        ));
        let whole = headers(&[(header::CONTENT_LENGTH, "100")]);
        assert_eq!(check(StatusCode::OK, &whole, &(0..100), 100), Ok(()));
        assert_eq!(check(StatusCode::OK, &whole, &(1..100), 100), Err(UpstreamError::Changed));
    }

    #[test]
    fn a_lost_lease_is_told_from_a_server_in_trouble() {
        let none = HeaderMap::new();
        for status in [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED] {
            assert_eq!(check(status, &none, &(0..1), 2), Err(UpstreamError::Refused(status)));
        }
        assert!(matches!(
            check(StatusCode::BAD_GATEWAY, &none, &(0..1), 2),
            Err(UpstreamError::Interrupted(_))
        ));
    }
}
