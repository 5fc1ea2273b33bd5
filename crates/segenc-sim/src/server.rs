//! The server of the simulation: decide, store, apply, answer, with the real rules. Everything it does
//! passes the witness.

use segenc_core::ids::{AttemptId, JobId};
use segenc_core::pool::command::{Answer, Command, Rejection};
use segenc_core::pool::event::Event;
use segenc_core::pool::task::TaskKind;
use segenc_core::pool::{Leases, Pool, decide, sanity_check};
use segenc_core::time::Millis;

use crate::witness::Witness;

/// What a worker hears.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// An attempt, with what the worker must know of it.
    Assigned(Order),
    /// Anything else.
    Answered(Answer),
    Refused(Rejection),
}

/// An attempt as it is handed out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) attempt: AttemptId,
    pub(crate) job: JobId,
    pub(crate) kind: TaskKind,
    pub(crate) longer_run_up: bool,
    pub(crate) bits_asked: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Server {
    pub(crate) pool: Pool,
    leases: Leases,
    /// What is on disk.
    stored: Vec<Event>,
    pub(crate) witness: Witness,
    /// It is down until then.
    pub(crate) down_until: Millis,
    pub(crate) commands: u64,
    pub(crate) rejections: u64,
}

impl Server {
    /// Decides, stores, applies. The error is a broken invariant.
    pub(crate) fn call(
        &mut self,
        now: Millis,
        command: &Command,
    ) -> Result<Result<Answer, Rejection>, String> {
        self.commands += 1;
        let decision = match decide(&self.pool, &self.leases, now, command) {
            Ok(decision) => decision,
            Err(rejection) => {
                self.rejections += 1;
                return Ok(Err(rejection));
            }
        };
        for event in &decision.events {
            self.pool.apply(event);
            self.witness.saw(&self.pool, command, event)?;
        }
        self.leases.note(&self.pool, now, command, &decision);
        self.stored.extend(decision.events.iter().cloned());
        if !decision.events.is_empty() {
            sanity_check(&self.pool)?;
        }
        self.witness.heard(&self.pool, now, command, &decision.answer)?;
        Ok(Ok(decision.answer))
    }

    /// What the worker hears of an answer.
    pub(crate) fn reply(&self, answer: Result<Answer, Rejection>) -> Reply {
        match answer {
            Ok(Answer::Assigned(Some(attempt))) => match self.order(attempt) {
                Some(order) => Reply::Assigned(order),
                None => Reply::Refused(Rejection::UnknownTask(attempt.task)),
            },
            Ok(answer) => Reply::Answered(answer),
            Err(rejection) => Reply::Refused(rejection),
        }
    }

    fn order(&self, attempt: AttemptId) -> Option<Order> {
        let task = self.pool.task(attempt.task)?;
        let (job, kind, longer_run_up) = (task.job, task.kind, task.longer_run_up);
        let index = match kind {
            TaskKind::Segment(index) | TaskKind::Retake(index) => Some(index),
            TaskKind::Analysis
            | TaskKind::Measure(_)
            | TaskKind::OtherStreams
            | TaskKind::Weigh
            | TaskKind::Whole
            | TaskKind::Merge => None,
        };
        let bits_asked = index.and_then(|index| self.pool.job(job)?.bits_asked(index, kind));
        Some(Order { attempt, job, kind, longer_run_up, bits_asked })
    }

    /// Dies, and is back at `until` with what it stored.
    pub(crate) fn restart(&mut self, now: Millis, until: Millis) -> Result<(), String> {
        self.check_replay()?;
        self.down_until = self.down_until.max(until);
        self.leases = Leases::adopt(&self.pool, self.down_until);
        self.witness.restarted(self.down_until.max(now));
        Ok(())
    }

    /// What is stored is what is.
    pub(crate) fn check_replay(&mut self) -> Result<(), String> {
        let mut replayed = Pool::default();
        for event in &self.stored {
            replayed.apply(event);
        }
        if replayed != self.pool {
            return Err("the stored events make another pool".to_owned());
        }
        self.pool = replayed;
        Ok(())
    }

    pub(crate) fn events(&self) -> u64 {
        u64::try_from(self.stored.len()).unwrap_or(u64::MAX)
    }
}
