//! The operator's interface of a server, as the command line uses it: requests, answers, refusals.
//!
//! Knows HTTP and the bodies of `segenc_proto::rest`; must not know what a command does with them.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use segenc_proto::connect::{ConnectError, Secret, ServerAddress, http_client};
use segenc_proto::rest::{JobView, Page, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::halt::Exit;

/// An answer to a small question takes no longer; a server that is silent for this long is stuck.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A list is read page by page up to this many pages, so that a confused server cannot keep us for ever.
const PAGES_MAX: usize = 1000;

/// A server and the right to ask it.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    server: ServerAddress,
    http: reqwest::Client,
    token: Option<Secret>,
}

/// A question without a useful answer.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    /// Nobody answers.
    #[error("the server {address} cannot be reached")]
    Unreachable {
        /// Whom we asked.
        address: String,
        /// What the connection says.
        source: reqwest::Error,
    },
    /// The server refuses.
    #[error("{}", problem_text(.0))]
    Refused(Problem),
    /// The answer cannot be understood.
    #[error("the server {address} answered {what}, which this program does not understand")]
    Strange {
        /// Whom we asked.
        address: String,
        /// What came.
        what: String,
    },
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] ConnectError),
}

fn problem_text(problem: &Problem) -> &str {
    if problem.detail.is_empty() { &problem.title } else { &problem.detail }
}

impl ApiError {
    /// The exit code that this end of a command gets.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Address(_) => Exit::Usage,
            Self::Strange { .. } => Exit::Failed,
            Self::Refused(problem) => match problem.status {
                401 => Exit::Unauthorised,
                // The wish was right; the world was not.
                422 if problem.kind == "not-delivered" => Exit::Failed,
                403 if problem.kind != "path-not-allowed" => Exit::Unauthorised,
                400 | 403 | 404 | 422 => Exit::Usage,
                _ => Exit::Failed,
            },
        }
    }

    /// The stable name of the problem.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(problem.kind.as_str()),
            Self::Unreachable { .. } | Self::Address(_) | Self::Strange { .. } => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some(
                "is the server running, and is this the URL that `segenc serve` printed?".to_owned(),
            ),
            Self::Refused(problem) if problem.status == 401 => problem.hint.clone().or_else(|| {
                Some("give the token with --token @FILE or SEGENC_TOKEN; `segenc serve` prints where it is".to_owned())
            }),
            Self::Refused(problem) if problem.kind == "not-found" => {
                problem.hint.clone().or_else(|| {
                    let lists = "`segenc jobs`, `workers`, `watch` and `notifications` list what is there";
                    Some(lists.to_owned())
                })
            }
            Self::Refused(problem) => problem.hint.clone(),
            Self::Address(_) | Self::Strange { .. } => None,
        }
    }

    /// Whether the same question may be answered later: the server is away or overloaded.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem) => matches!(problem.status, 429 | 502 | 503 | 504),
            Self::Address(_) | Self::Strange { .. } => false,
        }
    }

    /// Whether the server names the problem so.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.reason() == Some(kind)
    }
}

impl Api {
    /// A way to ask `server`. Nothing is sent yet.
    pub(crate) fn new(server: ServerAddress, token: Option<Secret>) -> Result<Self, ApiError> {
        let http = http_client(&server)?;
        Ok(Self { server, http, token })
    }

    /// The server's address, as people write it.
    pub(crate) fn address(&self) -> String {
        self.server.to_string()
    }

    /// A request with the token, to be finished by the caller.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server.base_url()));
        match &self.token {
            Some(token) => request.header("authorization", token.bearer()),
            None => request,
        }
    }

    /// Sends a request and refuses every answer that is no success.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        let response = request.send().await.map_err(|source| self.unreachable(source))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// A broken connection, as an error of this interface.
    pub(crate) fn unreachable(&self, source: reqwest::Error) -> ApiError {
        ApiError::Unreachable { address: self.server.base_url(), source: source.without_url() }
    }

    /// An answer that was not expected, as an error of this interface.
    pub(crate) fn strange(&self, what: impl Into<String>) -> ApiError {
        ApiError::Strange { address: self.server.base_url(), what: what.into() }
    }

    /// Asks for something.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.answer(self.request(Method::GET, path)).await
    }

    /// Asks for something to be made.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ApiError> {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    /// Puts something in its place.
    pub(crate) async fn put<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ApiError> {
        self.answer(self.request(Method::PUT, path).json(body)).await
    }

    /// Asks for something to be made once, however often the same is asked with this key.
    pub(crate) async fn post_once<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        key: &str,
    ) -> Result<T, ApiError> {
        let request = self.request(Method::POST, path).header("idempotency-key", key);
        self.answer(request.json(body)).await
    }

    /// Tells the server to do something; what it answers does not matter.
    pub(crate) async fn tell(&self, method: Method, path: &str) -> Result<(), ApiError> {
        self.send(self.request(method, path).timeout(ANSWER_TIMEOUT)).await.map(|_| ())
    }

    /// All entries of a list, page by page. `query` goes before the cursor, such as `state=failed`.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &str,
    ) -> Result<Vec<T>, ApiError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let asked = match &cursor {
                Some(cursor) => format!("{path}?{query}&cursor={cursor}"),
                None => format!("{path}?{query}"),
            };
            let page: Page<T> = self.get(asked.trim_end_matches('?')).await?;
            items.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// A job as it is now.
    pub(crate) async fn job(&self, id: u64) -> Result<JobView, ApiError> {
        self.get(&format!("/api/jobs/{id}")).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ApiError> {
        let response = self.send(request.timeout(ANSWER_TIMEOUT)).await?;
        let bytes = response.bytes().await.map_err(|source| self.unreachable(source))?;
        serde_json::from_slice(&bytes).map_err(|error| self.strange(format!("JSON ({error})")))
    }

    async fn refusal(&self, response: Response) -> ApiError {
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => ApiError::Refused(problem),
            Err(_) if status == StatusCode::UNAUTHORIZED => ApiError::Refused(Problem {
                kind: "not-authorised".to_owned(),
                title: "the server wants another token".to_owned(),
                status: status.as_u16(),
                ..Problem::default()
            }),
            Err(_) => self.strange(status.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, kind: &str) -> ApiError {
        ApiError::Refused(Problem { kind: kind.to_owned(), status, ..Problem::default() })
    }

    #[test]
    fn every_refusal_has_the_promised_exit_code() {
        for (status, kind, exit) in [
            (401, "not-authorised", Exit::Unauthorised),
            (403, "role-too-low", Exit::Unauthorised),
            (403, "path-not-allowed", Exit::Usage),
            (404, "job-unknown", Exit::Usage),
            (422, "option-refused", Exit::Usage),
            (422, "not-delivered", Exit::Failed),
            (409, "job-is-final", Exit::Failed),
            (507, "disk-full", Exit::Failed),
        ] {
            assert_eq!(refused(status, kind).exit(), exit, "{status} {kind}");
        }
    }

    #[test]
    fn only_an_absent_or_busy_server_is_asked_again() {
        assert!(refused(503, "starting").may_pass());
        assert!(!refused(422, "option-refused").may_pass());
    }
}
