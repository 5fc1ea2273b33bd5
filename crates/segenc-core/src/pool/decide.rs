//! `decide`: what follows from a command, as events, or why it is refused. Pure; it changes nothing.
//!
//! A file per group of commands, and one for what follows from a failure.

mod attempts;
mod consequences;
mod hand_out;
mod jobs;
mod judge;
mod plan;
mod rate;
mod workers;

use crate::ids::{AttemptId, JobId, TaskId, WorkerId};
use crate::pool::Pool;
use crate::pool::command::{Answer, Command, Rejection};
use crate::pool::event::{Event, Happening};
use crate::pool::job::Job;
use crate::pool::leases::Leases;
use crate::pool::task::Task;
use crate::pool::worker::Worker;
use crate::time::Millis;

pub(super) use judge::REASON_ENCODER_DIFFERS;

/// What follows from a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What to tell whoever asked, once the events are stored.
    pub answer: Answer,
    /// What happens, in order. All or nothing is stored.
    pub events: Vec<Event>,
}

/// Decides what follows from a command.
///
/// # Errors
/// When the command does not fit what is: the rejection says why. Nothing follows then.
pub fn decide(
    pool: &Pool,
    leases: &Leases,
    now: Millis,
    command: &Command,
) -> Result<Decision, Rejection> {
    let mut draft = Draft { pool: pool.clone(), leases, now, events: Vec::new() };
    let answer = match command {
        Command::CreateJob(wish) => draft.create_job(wish),
        Command::CancelJob(job) => draft.cancel_job(*job)?,
        Command::PauseJob(job) => draft.pause_job(*job)?,
        Command::ResumeJob(job) => draft.resume_job(*job)?,
        Command::RetryJob(job) => draft.retry_job(*job)?,
        Command::DeleteJob(job) => draft.delete_job(*job)?,
        Command::RegisterWorker { known, profile } => draft.register(*known, profile)?,
        Command::DrainWorker(worker) => draft.drain(*worker)?,
        Command::PauseWorker(worker) => draft.pause(*worker)?,
        Command::ResumeWorker(worker) => draft.resume(*worker)?,
        Command::ReleaseWorker(worker) => draft.release(*worker)?,
        Command::RemoveWorker(worker) => draft.remove(*worker)?,
        Command::LineLost(worker) => draft.lose_line(*worker)?,
        Command::SignOff(worker) => draft.sign_off(*worker)?,
        Command::RestWorker { worker, .. } => draft.rest(*worker)?,
        Command::RequestTask(worker) => draft.request(*worker)?,
        Command::ReportStatus { worker, attempt, .. } => draft.report(*worker, *attempt)?,
        Command::StartPlan { attempt, facts, header } => {
            draft.start_plan(*attempt, facts, header)?
        }
        Command::ExtendPlan { attempt, segments } => draft.extend_plan(*attempt, segments)?,
        Command::AbandonSplit { job, reason } => draft.abandon_on_wish(*job, reason)?,
        Command::StoreOutput { worker, attempt, blob } => draft.store(*worker, *attempt, blob)?,
        Command::FinishTask { worker, attempt, observed } => {
            draft.finish(*worker, *attempt, observed)?
        }
        Command::FailTask { worker, attempt, failure } => draft.fail(*worker, *attempt, failure)?,
        Command::Tick => draft.tick(),
    };
    Ok(Decision { answer, events: draft.events })
}

/// A pool on which a decision is tried out: each event is applied at once, so that the next step sees
/// what the one before has done.
struct Draft<'a> {
    pool: Pool,
    leases: &'a Leases,
    now: Millis,
    events: Vec<Event>,
}

impl Draft<'_> {
    fn happen(&mut self, what: Happening) {
        let event = Event { at: self.now, what };
        self.pool.apply(&event);
        self.events.push(event);
    }

    fn job(&self, id: JobId) -> Result<&Job, Rejection> {
        self.pool.job(id).ok_or(Rejection::UnknownJob(id))
    }

    fn task(&self, id: TaskId) -> Result<&Task, Rejection> {
        self.pool.task(id).ok_or(Rejection::UnknownTask(id))
    }

    fn worker(&self, id: WorkerId) -> Result<&Worker, Rejection> {
        self.pool.worker(id).ok_or(Rejection::UnknownWorker(id))
    }

    /// The attempts of a job that run and whose task is chosen.
    fn running_of(&self, job: JobId, choose: impl Fn(&Task) -> bool) -> Vec<AttemptId> {
        self.pool
            .tasks_of(job)
            .filter(|task| choose(task))
            .flat_map(|task| {
                task.running().map(|attempt| AttemptId { task: task.id, number: attempt.number })
            })
            .collect()
    }

    fn cancel_attempts(&mut self, attempts: Vec<AttemptId>) {
        for attempt in attempts {
            self.happen(Happening::AttemptCanceled { attempt });
        }
    }
}

fn wrong_state(job: &Job, hint: &str) -> Rejection {
    Rejection::WrongState { job: job.id, state: job.standing(), hint: hint.to_owned() }
}
