//! How everybody else talks to the coordinator.

use std::sync::Arc;

use segenc_core::ids::JobId;
use segenc_core::pool::command::{Answer, Command, Directive, NewJob, Rejection};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Ask, Message, Reply, View};
use crate::planning::{AnalysisAnswer, Finish, Report};
use crate::store::Wish;

/// A handle; clones talk to the same coordinator.
#[derive(Clone)]
pub(crate) struct Coordinator {
    queue: mpsc::Sender<Message>,
    view: watch::Receiver<Arc<View>>,
    work: watch::Receiver<u64>,
    ended: watch::Receiver<u64>,
}

/// Why something asked was not done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("the server cannot write its database just now; nothing was changed, ask again")]
    NotStored,
    #[error("the server is stopping; ask again when it is back")]
    Stopping,
    #[error("packets are missing: {received} have arrived, go on from there")]
    PacketsMissing { received: u64 },
    #[error("no facts of the source have arrived")]
    FactsMissing,
}

/// A job that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Created {
    pub(crate) job: JobId,
    /// It was there already: the same wish came twice.
    pub(crate) repeated: bool,
}

impl Coordinator {
    pub(super) const fn new(
        queue: mpsc::Sender<Message>,
        view: watch::Receiver<Arc<View>>,
        work: watch::Receiver<u64>,
        ended: watch::Receiver<u64>,
    ) -> Self {
        Self { queue, view, work, ended }
    }

    /// The pool as it is now.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Tells of every new view.
    pub(crate) fn views(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Changes whenever a task may have become ready.
    pub(crate) fn work(&self) -> watch::Receiver<u64> {
        self.work.clone()
    }

    /// Changes whenever something has ended whose bytes may be needless now.
    pub(crate) fn ended(&self) -> watch::Receiver<u64> {
        self.ended.clone()
    }

    /// Has a command decided and stored.
    pub(crate) async fn command(&self, command: Command) -> Result<Answer, Refusal> {
        Ok(self.ask(Ask::Command(command)).await?.answer)
    }

    /// Makes a job, or finds the one that the same key has made before.
    pub(crate) async fn create(&self, job: NewJob, wish: Wish) -> Result<Created, Refusal> {
        let reply = self.ask(Ask::Create { job: Box::new(job), wish }).await?;
        match reply.answer {
            Answer::Job(job) => Ok(Created { job, repeated: reply.repeated }),
            Answer::Done | Answer::Worker(_) | Answer::Assigned(_) | Answer::Directive(_) => {
                Err(Refusal::Stopping)
            }
        }
    }

    /// A worker reports on an attempt.
    pub(crate) async fn report(
        &self,
        report: Report,
    ) -> Result<(Directive, Option<AnalysisAnswer>), Refusal> {
        let reply = self.ask(Ask::Report(Box::new(report))).await?;
        let directive = match reply.answer {
            Answer::Directive(directive) => directive,
            Answer::Done | Answer::Job(_) | Answer::Worker(_) | Answer::Assigned(_) => {
                Directive::Continue
            }
        };
        Ok((directive, reply.analysis))
    }

    /// A worker has finished an analysis.
    pub(crate) async fn finish_analysis(&self, finish: Finish) -> Result<(), Refusal> {
        self.ask(Ask::FinishAnalysis(Box::new(finish))).await.map(drop)
    }

    async fn ask(&self, ask: Ask) -> Result<Reply, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Message { ask, reply }).await.map_err(|_| Refusal::Stopping)?;
        answer.await.map_err(|_| Refusal::Stopping)?
    }
}
