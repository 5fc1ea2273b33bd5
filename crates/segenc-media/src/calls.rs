//! Runs invocations on behalf of an attempt: progress goes out, failures come back classified.
//!
//! Must not know what is run.

use segenc_core::failure::FailureKind;

use crate::attempt::{Attempt, WorkError};
use crate::ffmpeg_log::{self, Reading};
use crate::invocation::{Invocation, Program};
use crate::progress::ProgressLines;
use crate::runner::{self, Finished, RunError, Running};

/// What runs, and what its complaints are about.
pub(crate) struct Call<'a> {
    pub(crate) attempt: &'a Attempt<'a>,
    pub(crate) invocation: &'a Invocation,
    /// Whether complaints about data are about the source or about what was made of it.
    pub(crate) reading: Reading,
    /// What it does, for messages: "encoding segment 3".
    pub(crate) what: &'a str,
}

impl Call<'_> {
    /// Starts it for somebody who reads its lines.
    pub(crate) async fn start(&self) -> Result<Running, WorkError> {
        let path = self.attempt.tools.path(self.invocation.program);
        let cancel = self.attempt.cancel.clone();
        let place = self.attempt.place();
        let invocation = self.invocation.in_the_words_of(&self.attempt.tools.version);
        let started = Running::start(path, &invocation, place, cancel).await;
        started.map_err(|error| self.not_run(&error))
    }

    /// Runs a call of ffmpeg to its end, whatever that is, and passes its progress on.
    pub(crate) async fn run_to_any_end(&self) -> Result<Finished, WorkError> {
        let mut running = self.start().await?;
        let mut lines = ProgressLines::default();
        while let Some(line) = running.next_line().await.map_err(|error| self.not_run(&error))? {
            if let Some(progress) = lines.line(&line) {
                self.attempt.progress.send_replace(progress);
            }
        }
        running.finish().await.map_err(|error| self.not_run(&error))
    }

    /// Runs a call of ffmpeg to its good end.
    pub(crate) async fn run(&self) -> Result<Finished, WorkError> {
        let finished = self.run_to_any_end().await?;
        self.good(finished)
    }

    /// Runs a call of ffprobe and answers what it tells.
    pub(crate) async fn ask(&self) -> Result<String, WorkError> {
        let path = self.attempt.tools.path(self.invocation.program);
        let cancel = self.attempt.cancel.clone();
        let run = runner::capture_until(path, self.invocation, self.attempt.place(), cancel);
        let (finished, text) = run.await.map_err(|error| self.not_run(&error))?;
        self.good(finished)?;
        Ok(text)
    }

    /// Takes a good end, and makes a failure of any other.
    pub(crate) fn good(&self, finished: Finished) -> Result<Finished, WorkError> {
        if finished.exit.is_success() && !ffmpeg_log::is_cut_short(&finished.log_tail) {
            return Ok(finished);
        }
        Err(self.failure(finished))
    }

    /// What its end means, if that is not a good one.
    pub(crate) fn failure(&self, finished: Finished) -> WorkError {
        let (exit, log) = (finished.exit, finished.log_tail);
        WorkError::Failed(ffmpeg_log::failure(self.what, exit, log, self.reading))
    }

    /// The program did not run, or nobody knows how it ended.
    pub(crate) fn not_run(&self, error: &RunError) -> WorkError {
        let name = match self.invocation.program {
            Program::Ffmpeg => "ffmpeg",
            Program::Ffprobe => "ffprobe",
        };
        match error {
            RunError::Canceled => WorkError::Canceled,
            RunError::Start { .. } => WorkError::failed(
                FailureKind::Worker,
                "ffmpeg-missing",
                format!("{}: {name} does not start: {error}", self.what),
            ),
            RunError::Lost { .. } => WorkError::failed(
                FailureKind::Transient,
                "killed",
                format!("{}: {error}", self.what),
            ),
            RunError::TooMuch { .. } => WorkError::failed(
                FailureKind::Task,
                "source-unreadable",
                format!("{}: {error}", self.what),
            ),
        }
    }
}
