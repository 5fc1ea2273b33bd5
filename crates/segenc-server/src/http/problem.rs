//! Errors as `application/problem+json` (RFC 9457): a stable name, what went wrong here, what to do.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use segenc_core::pool::command::Rejection;
use segenc_proto::rest;

use crate::coordinator::Refusal;
use crate::media_files::PathProblem;
use crate::store::StoreError;

/// An answer that says what went wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    hint: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, kind: &'static str, detail: String) -> Self {
        Self { status, kind, detail, hint: None, headers: Vec::new() }
    }

    /// Its stable name.
    pub(crate) const fn kind(&self) -> &'static str {
        self.kind
    }

    /// What went wrong.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) const fn bad_request(kind: &'static str, detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, detail)
    }

    pub(crate) const fn unprocessable(kind: &'static str, detail: String) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, detail)
    }

    pub(crate) const fn conflict(kind: &'static str, detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, kind, detail)
    }

    pub(crate) const fn forbidden(kind: &'static str, detail: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, kind, detail)
    }

    pub(crate) const fn not_found(detail: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "the token is missing or not known".to_owned(),
        )
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// A browser sends what another page than ours made it send.
    pub(crate) fn other_origin() -> Self {
        let detail = "this was not sent from this server's own page".to_owned();
        Self::forbidden("other-origin", detail).hint(Some(
            "open the page at the server's own address; programs use a token instead".to_owned(),
        ))
    }

    /// Whether the server had no room for what was sent.
    pub(crate) fn is_disk_full(&self) -> bool {
        self.status == StatusCode::INSUFFICIENT_STORAGE
    }

    pub(crate) fn disk_full() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "disk-full",
            "the server has no room for it".to_owned(),
        )
        .hint(Some("make room on the server's disk, or delete jobs that are done".to_owned()))
    }

    /// A fault of the server or its disk.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server could not do this; its log says why".to_owned(),
        )
    }

    /// A file operation of the server that failed.
    pub(crate) fn io(error: &std::io::Error) -> Self {
        if crate::incoming::is_disk_full(error) { Self::disk_full() } else { Self::internal(error) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("error").to_lowercase();
        let body = rest::Problem {
            kind: self.kind.to_owned(),
            title,
            status: self.status.as_u16(),
            detail: self.detail,
            hint: self.hint,
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Rejected(rejection) => match rejection {
                Rejection::UnknownJob(_)
                | Rejection::UnknownTask(_)
                | Rejection::UnknownWorker(_) => Self::not_found(detail),
                Rejection::StaleAttempt { .. } => Self::conflict("stale-attempt", detail),
                Rejection::NoOutput(_) => Self::conflict("no-output", detail),
                Rejection::WrongState { .. } => Self::conflict("wrong-state", detail),
                Rejection::CannotPause(_) => Self::conflict("cannot-pause", detail),
                Rejection::PlanChanged { .. } => Self::conflict("source-changed", detail),
            },
            Refusal::NotStored => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "database-unwritable", detail)
            }
            Refusal::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail),
            Refusal::PacketsMissing { .. } | Refusal::FactsMissing => {
                Self::conflict("analysis-incomplete", detail)
            }
        }
    }
}

impl From<PathProblem> for Problem {
    fn from(problem: PathProblem) -> Self {
        let detail = problem.to_string();
        let hint = |text: &str| Some(text.to_owned());
        match problem {
            PathProblem::NotAllowed { .. } => Self::forbidden("path-not-allowed", detail).hint(
                hint("start the server with --media-root for that folder, or upload the file"),
            ),
            PathProblem::NotVisible { .. } | PathProblem::Different { .. } => {
                Self::unprocessable("source-not-visible", detail)
                    .hint(hint("upload the file instead"))
            }
            PathProblem::Unreadable { .. } => Self::unprocessable("source-unreadable", detail),
            PathProblem::Empty { .. } => Self::unprocessable("source-empty", detail),
            PathProblem::Exists { .. } => Self::unprocessable("output-exists", detail)
                .hint(hint("choose another name, or ask for overwriting")),
            PathProblem::Unwritable { .. } => Self::unprocessable("output-unwritable", detail),
            PathProblem::IsSource { .. } => Self::unprocessable("output-is-source", detail)
                .hint(hint("choose another name: the source is never changed")),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}
