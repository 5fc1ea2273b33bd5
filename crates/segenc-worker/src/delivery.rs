//! The end of an attempt: its output brought to the server and finished, or its failure told.

use std::path::PathBuf;
use std::time::Duration;

use segenc_core::failure::Failure;
use segenc_core::ids::{AttemptId, JobId};
use segenc_core::pool::task::Observed;
use segenc_proto::{convert, grpc};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::backoff::Patience;
use crate::failures;
use crate::server::{CallError, Session};
use crate::upload::{Upload, UploadError};

/// So long a finished output is kept for a server that is gone: an operator's repair fits into it. The
/// server decides whether the lease still holds.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
/// So often an output is sent that the server says has not arrived.
const UPLOADS_MAX: u32 = 2;

/// What an attempt came to.
#[derive(Debug)]
pub(crate) enum Ending {
    /// A file to be stored.
    File(PathBuf, Observed),
    /// The input of this number is the output.
    Input(u32, Observed),
    /// Everything has been reported already.
    Reported(Observed),
    /// It failed.
    Failed(Failure),
    /// Nobody wants it any more.
    Canceled,
}

/// The way from an attempt's end to the server.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    /// The server.
    pub(crate) session: &'a Session,
    /// The attempt's job.
    pub(crate) job: JobId,
    /// The attempt.
    pub(crate) attempt: AttemptId,
    /// Canceled when the attempt has become stale.
    pub(crate) cancel: &'a CancellationToken,
}

/// How a call that says the last word ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Accepted,
    /// The server does not have what was to come before.
    Missing,
    /// The attempt is stale, or nobody was there to hear.
    Dropped,
}

impl Delivery<'_> {
    /// Delivers, unless the attempt is canceled.
    pub(crate) async fn run(&self, ending: Ending) {
        tokio::select! {
            () = self.deliver(ending) => {}
            () = self.cancel.cancelled() => {
                tracing::info!(attempt = %self.attempt, "stopped; nothing is delivered");
            }
        }
    }

    async fn deliver(&self, ending: Ending) {
        match ending {
            Ending::Canceled => {}
            Ending::Failed(failure) => self.fail(failure).await,
            Ending::Reported(observed) => {
                let request = convert::finish_request(self.attempt, observed);
                match self.finish(request).await {
                    Said::Accepted | Said::Dropped => {}
                    // The server was started anew after the last report.
                    Said::Missing => self.fail(failures::analysis_not_taken()).await,
                }
            }
            Ending::Input(num, observed) => {
                let mut request = convert::finish_request(self.attempt, observed);
                request.output_is_input = Some(num);
                self.finish(request).await;
            }
            Ending::File(path, observed) => self.upload_and_finish(path, observed).await,
        }
    }

    async fn upload_and_finish(&self, path: PathBuf, observed: Observed) {
        let request = convert::finish_request(self.attempt, observed);
        for _ in 0..UPLOADS_MAX {
            if let Err(error) = self.upload(path.clone()).await {
                match failures::output(&error) {
                    Some(failure) => self.fail(failure).await,
                    None => tracing::info!(attempt = %self.attempt, %error, "dropped"),
                }
                return;
            }
            match self.finish(request.clone()).await {
                Said::Accepted | Said::Dropped => return,
                Said::Missing => {}
            }
        }
        let error = UploadError::Interrupted("it is not there after it was sent".to_owned());
        if let Some(failure) = failures::output(&error) {
            self.fail(failure).await;
        }
    }

    async fn upload(&self, path: PathBuf) -> Result<(), UploadError> {
        let (http, url, token) = self.session.output(self.job, self.attempt);
        let sent = Upload { http, url, token, path, patience: KEPT_FOR }.run().await;
        if matches!(sent, Err(UploadError::NotKnown)) {
            self.session.lost.cancel();
        }
        sent
    }

    async fn finish(&self, request: grpc::FinishRequest) -> Said {
        let mut patience = Patience::new(KEPT_FOR);
        loop {
            let answer = self.session.finish(request.clone()).await;
            if let Some(said) = self.last_word(answer, &mut patience).await {
                return said;
            }
        }
    }

    async fn fail(&self, failure: Failure) {
        tracing::warn!(
            attempt = %self.attempt,
            reason = failure.reason,
            message = failure.message,
            "the attempt failed"
        );
        let request = grpc::FailRequest::new(self.attempt, failures::bounded(failure));
        let mut patience = Patience::new(KEPT_FOR);
        loop {
            let answer = self.session.fail(request.clone()).await;
            if self.last_word(answer, &mut patience).await.is_some() {
                return;
            }
        }
    }

    /// What an answer means; `None`: say it again.
    async fn last_word(
        &self,
        answer: Result<(), CallError>,
        patience: &mut Patience,
    ) -> Option<Said> {
        match answer {
            Ok(()) => Some(Said::Accepted),
            Err(CallError::Unreachable(_)) if patience.wait().await => None,
            Err(CallError::Refused(Code::FailedPrecondition, why)) => {
                tracing::warn!(attempt = %self.attempt, why, "the server misses something");
                Some(Said::Missing)
            }
            Err(
                error @ (CallError::Unreachable(_)
                | CallError::Refused(..)
                | CallError::NotKnown(_)
                | CallError::OtherCertificate),
            ) => {
                tracing::info!(attempt = %self.attempt, %error, "dropped");
                Some(Said::Dropped)
            }
        }
    }
}
