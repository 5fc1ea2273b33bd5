//! Bodies for notifications: who is told, of what, and how. Secrets go in and never come out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may be told of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationEvent {
    /// A job's output is made and verified.
    JobCompleted,
    /// A job cannot be done.
    JobFailed,
    /// A rule ended a job: skipped, or its result thrown away.
    JobSkipped,
    /// There is work, and no worker for a minute.
    NoWorkers,
    /// A worker failed again and again and gets no more tasks.
    WorkerTakenOut,
    /// Nothing but a test.
    Test,
}

impl NotificationEvent {
    /// All that happen by themselves.
    pub const ALL: [Self; 5] = [
        Self::JobCompleted,
        Self::JobFailed,
        Self::JobSkipped,
        Self::NoWorkers,
        Self::WorkerTakenOut,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JobCompleted => "job-completed",
            Self::JobFailed => "job-failed",
            Self::JobSkipped => "job-skipped",
            Self::NoWorkers => "no-workers",
            Self::WorkerTakenOut => "worker-taken-out",
            Self::Test => "test",
        }
    }
}

/// `POST /api/notifications`: exactly one of `webhook` and `mail`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateNotification {
    /// Name for people.
    #[serde(default)]
    pub label: String,
    /// Of what; empty: of everything.
    #[serde(default)]
    pub events: Vec<NotificationEvent>,
    /// Only of this job.
    #[serde(default)]
    pub job: Option<u64>,
    /// How the text is worded: `{event}`, `{job}`, `{name}`, `{state}`, `{reason}`, `{message}`, `{worker}`,
    /// `{output}`, `{size}`; absent: one sentence.
    #[serde(default)]
    pub text: Option<String>,
    /// By HTTP.
    #[serde(default)]
    pub webhook: Option<WebhookTarget>,
    /// By e-mail, where the server's settings file names a mail server.
    #[serde(default)]
    pub mail: Option<MailTarget>,
}

/// An address that is told by `POST` with a JSON body.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// `http` or `https`.
    pub url: String,
    /// Signs the body: `X-Segenc-Signature: sha256=` and HMAC-SHA256 in hex.
    #[serde(default)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for WebhookTarget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The path of many a webhook is its password.
        formatter.debug_struct("WebhookTarget").finish_non_exhaustive()
    }
}

/// People who are told by e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailTarget {
    /// Addresses.
    pub to: Vec<String>,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotificationView {
    /// Its name, for testing and deleting it.
    pub id: String,
    /// Name for people.
    pub label: String,
    /// `webhook`, `mail` or `command`.
    pub kind: String,
    /// Who, without anything secret: scheme and host of a webhook, addresses, the program of a command.
    pub target: String,
    /// Whether its bodies are signed.
    pub signed: bool,
    /// Of what.
    pub events: Vec<NotificationEvent>,
    /// Only of this job.
    pub job: Option<u64>,
    /// How the text is worded.
    pub text: Option<String>,
    /// It stands in the server's settings file, and can be changed only there.
    pub fixed: bool,
    /// When somebody was last told in vain or not.
    pub last_at: Option<u64>,
    /// Why it was in vain the last time; absent: it arrived.
    pub last_error: Option<String>,
    /// Messages on their way.
    pub pending: u64,
}
