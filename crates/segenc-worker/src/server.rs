//! The connection to the server: its control calls with their deadlines, and what their errors mean.
//!
//! It repeats nothing by itself and knows nothing of media.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use segenc_core::ids::{AttemptId, JobId};
use segenc_proto::connect::{Secret, ServerAddress, grpc_channel, http_client};
use segenc_proto::grpc;
use segenc_proto::grpc::segmented_encoder_client::SegmentedEncoderClient;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::error::WorkerError;
use crate::upstream::{Upstream, chain};

/// A call that is answered at once takes no longer than this, or the connection is gone.
const CALL_WITHIN: Duration = Duration::from_secs(5);
/// Registering waits for the server's disk.
const REGISTER_WITHIN: Duration = Duration::from_secs(30);
/// Finishing a merge waits until the output has been copied to its place, perhaps to another disk. That
/// the connection is alive is seen earlier, by its own keep-alive.
const FINISH_WITHIN: Duration = Duration::from_secs(30 * 60);
/// The server answers a request for a task after about 20 seconds at the latest.
const LONG_POLL_WITHIN: Duration = Duration::from_secs(40);
/// A merge of a long film names thousands of segments with some hundred bytes each.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What the pinned verifier says; it comes back through the layers only as text.
const OTHER_CERTIFICATE: &str = "another certificate than the join string names";

/// How the server is reached, whoever calls.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its address, for messages.
    pub(crate) address: ServerAddress,
    client: SegmentedEncoderClient<Channel>,
    http: reqwest::Client,
    reached: AtomicBool,
}

/// The server as a registered worker.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    server: Arc<Server>,
    token: Secret,
    /// A report is due well within this time.
    pub(crate) lease: Duration,
    /// Whether the server's files can be opened here.
    pub(crate) sees_files: bool,
    /// Canceled when the server does not know this worker any more.
    pub(crate) lost: CancellationToken,
}

/// Why a call failed.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// The server cannot be reached or is in trouble: again.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server shows another certificate than it should.
    #[error("the server shows another certificate than the join string names")]
    OtherCertificate,
    /// The token is not known (any more).
    #[error("the server does not know this worker: {0}")]
    NotKnown(String),
    /// The server says no.
    #[error("the server refuses: {1}")]
    Refused(Code, String),
}

impl Server {
    /// Prepares the clients; connects with the first call.
    pub(crate) fn new(address: ServerAddress) -> Result<Self, WorkerError> {
        let client = SegmentedEncoderClient::new(grpc_channel(&address)?)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let http = http_client(&address)?;
        Ok(Self { address, client, http, reached: AtomicBool::new(true) })
    }

    /// Registers, with the join token or the worker's own.
    pub(crate) async fn register(
        &self,
        token: &Secret,
        profile: grpc::RegistrationRequest,
    ) -> Result<grpc::RegistrationResponse, CallError> {
        let request = authorized(profile, token)?;
        let mut client = self.client.clone();
        self.answered(REGISTER_WITHIN, client.register_client(request)).await
    }

    /// Waits for an answer, and says in the log when the server is gone and when it is back.
    async fn answered<T>(
        &self,
        within: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, CallError> {
        let result = match tokio::time::timeout(within, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(meaning(&status)),
            Err(_) => Err(CallError::Unreachable("no answer".to_owned())),
        };
        let reached = !matches!(result, Err(CallError::Unreachable(_)));
        let before = self.reached.swap(reached, Ordering::Relaxed);
        match (&result, before) {
            (Err(CallError::Unreachable(why)), true) => {
                tracing::warn!(server = %self.address, why, "the server cannot be reached; trying on");
            }
            (Ok(_), false) => tracing::info!(server = %self.address, "the server is back"),
            (Ok(_) | Err(_), _) => {}
        }
        result
    }
}

impl Session {
    pub(crate) fn new(
        server: Arc<Server>,
        token: Secret,
        lease: Duration,
        sees_files: bool,
    ) -> Self {
        Self { server, token, lease, sees_files, lost: CancellationToken::new() }
    }

    /// Waits for a task; a Task without work after a while.
    pub(crate) async fn request_task(&self) -> Result<grpc::Task, CallError> {
        let request = authorized((), &self.token)?;
        let mut client = self.server.client.clone();
        self.noticing(self.server.answered(LONG_POLL_WITHIN, client.request_task(request))).await
    }

    /// Reports on an attempt.
    pub(crate) async fn report(
        &self,
        report: grpc::StatusReport,
    ) -> Result<grpc::StatusAnswer, CallError> {
        let request = authorized(report, &self.token)?;
        let mut client = self.server.client.clone();
        self.noticing(self.server.answered(CALL_WITHIN, client.report_status(request))).await
    }

    /// Says that an attempt is done.
    pub(crate) async fn finish(&self, finish: grpc::FinishRequest) -> Result<(), CallError> {
        let request = authorized(finish, &self.token)?;
        let mut client = self.server.client.clone();
        let call = self.server.answered(FINISH_WITHIN, client.finish_task(request));
        self.noticing(call).await.map(|grpc::FinishAnswer {}| ())
    }

    /// Says that an attempt failed.
    pub(crate) async fn fail(&self, failure: grpc::FailRequest) -> Result<(), CallError> {
        let request = authorized(failure, &self.token)?;
        let mut client = self.server.client.clone();
        let call = self.server.answered(FINISH_WITHIN, client.fail_task(request));
        self.noticing(call).await.map(|grpc::FailAnswer {}| ())
    }

    /// Says that this worker asks for nothing before a time.
    pub(crate) async fn rest(&self, until_unix_millis: u64) -> Result<(), CallError> {
        let request = authorized(grpc::RestNotice { until_unix_millis }, &self.token)?;
        let mut client = self.server.client.clone();
        let call = self.server.answered(CALL_WITHIN, client.rest(request));
        self.noticing(call).await.map(|grpc::RestAnswer {}| ())
    }

    /// Gives back whatever this worker holds.
    pub(crate) async fn sign_off(&self) -> Result<(), CallError> {
        let request = authorized(grpc::SignOffRequest {}, &self.token)?;
        let mut client = self.server.client.clone();
        let call = self.server.answered(CALL_WITHIN, client.sign_off(request));
        call.await.map(|grpc::SignOffAnswer {}| ())
    }

    /// Opens the line of presence and waits for its end, having been there.
    pub(crate) async fn keep_presence(&self) -> Result<(), CallError> {
        let request = authorized((), &self.token)?;
        let mut client = self.server.client.clone();
        let opened = self.server.answered(CALL_WITHIN, client.keep_presence(request));
        let mut line = self.noticing(opened).await?;
        // The signs say nothing but that the line is open; an error is its end like any other.
        while let Ok(Some(grpc::PresenceSign {})) = line.message().await {}
        Ok(())
    }

    /// Where an input of a task is fetched.
    pub(crate) fn input(&self, job: JobId, attempt: AttemptId, num: u32) -> Upstream {
        let base = self.server.address.base_url();
        let task = attempt.task;
        Upstream {
            http: self.server.http.clone(),
            url: format!("{base}/api/jobs/{job}/tasks/{task}/input/{num}"),
            token: self.token.clone(),
        }
    }

    /// Where the output of an attempt goes: client, address, token.
    pub(crate) fn output(
        &self,
        job: JobId,
        attempt: AttemptId,
    ) -> (reqwest::Client, String, Secret) {
        let base = self.server.address.base_url();
        let AttemptId { task, number } = attempt;
        let url = format!("{base}/api/jobs/{job}/tasks/{task}/output?attempt={number}");
        (self.server.http.clone(), url, self.token.clone())
    }

    /// Where the small picture of an attempt goes: client, address, token.
    pub(crate) fn thumbnail(
        &self,
        job: JobId,
        attempt: AttemptId,
    ) -> (reqwest::Client, String, Secret) {
        let base = self.server.address.base_url();
        let AttemptId { task, number } = attempt;
        let url = format!("{base}/api/jobs/{job}/tasks/{task}/thumbnail?attempt={number}");
        (self.server.http.clone(), url, self.token.clone())
    }

    /// Ends the session when the server does not know the worker any more.
    async fn noticing<T>(
        &self,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let result = call.await;
        if let Err(CallError::NotKnown(why)) = &result {
            tracing::warn!(why, "the server does not know this worker any more");
            self.lost.cancel();
        }
        result
    }
}

fn authorized<T>(message: T, token: &Secret) -> Result<Request<T>, CallError> {
    let mut request = Request::new(message);
    let value = token.bearer().parse().map_err(|_| {
        CallError::NotKnown("the token has characters that no token has".to_owned())
    })?;
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

fn meaning(status: &Status) -> CallError {
    let why = std::error::Error::source(status).map_or_else(String::new, chain);
    let why = if why.is_empty() { status.message().to_owned() } else { why };
    if why.contains(OTHER_CERTIFICATE) {
        return CallError::OtherCertificate;
    }
    match status.code() {
        Code::Unauthenticated => CallError::NotKnown(status.message().to_owned()),
        code @ (Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented) => CallError::Refused(code, status.message().to_owned()),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => CallError::Unreachable(why),
    }
}
