//! A second opinion: what may happen, told from the events and answers alone, with a book-keeping that
//! shares nothing with the pool's.

mod patience;

use std::collections::{BTreeMap, BTreeSet};

use patience::Patience;
use segenc_core::ids::{AttemptId, AttemptNumber, JobId, TaskId, WorkerId};
use segenc_core::pool::Pool;
use segenc_core::pool::command::{Answer, Command, Directive};
use segenc_core::pool::event::{Event, Happening};
use segenc_core::pool::limits::{LEASE_MILLIS, TICK_LATE_MILLIS};
use segenc_core::pool::task::{AttemptRole, AttemptState, TaskKind, TaskState};
use segenc_core::time::Millis;

#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// Attempts that were handed out and have not ended: whose, and when last spoken of.
    current: BTreeMap<AttemptId, Current>,
    /// The newest attempt of each task.
    newest: BTreeMap<TaskId, u32>,
    /// Accepted results.
    accepted: BTreeMap<TaskId, AttemptId>,
    /// Attempts whose bytes are stored.
    delivered: BTreeSet<AttemptId>,
    /// Jobs whose bits are shared.
    allocated: BTreeSet<JobId>,
    /// Attempts whose result was looked at and found wrong.
    judged: BTreeSet<AttemptId>,
    /// Results whose worker was told that they count.
    told: BTreeSet<AttemptId>,
    /// Jobs that users had forgotten.
    deleted: BTreeSet<JobId>,
    /// When the server looked at the clock last.
    ticked: Option<Millis>,
    patience: Patience,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    worker: WorkerId,
    heard_at: Millis,
}

impl Witness {
    /// An event was applied.
    pub(crate) fn saw(
        &mut self,
        pool: &Pool,
        command: &Command,
        event: &Event,
    ) -> Result<(), String> {
        match &event.what {
            Happening::AttemptStarted { attempt, worker, role } => {
                self.patience.started(pool, event.at, *attempt, *worker)?;
                self.started(event.at, *attempt, *worker, *role)
            }
            Happening::OutputStored { attempt, .. } => {
                self.delivered.insert(*attempt);
                self.is_current(*attempt, "stored an output")?;
                self.is_told_by_its_worker(command, *attempt)
            }
            Happening::AttemptSucceeded { attempt, .. } => self.succeeded(pool, command, *attempt),
            Happening::AttemptFailed { attempt, .. } => {
                self.judged.insert(*attempt);
                self.is_current(*attempt, "failed")?;
                self.current.remove(attempt);
                Ok(())
            }
            Happening::BitsAllocated { job, .. } => self.allocated(pool, *job),
            Happening::AttemptExpired { attempt } => self.expired(command, event.at, *attempt),
            Happening::AttemptCanceled { attempt } => {
                self.is_current(*attempt, "was canceled")?;
                self.current.remove(attempt);
                Ok(())
            }
            Happening::JobCompleted { job } => self.completed(pool, *job),
            Happening::SegmentRunUpLengthened { task } => {
                match self.current.range(all_of(*task)).next() {
                    Some((id, _)) => Err(format!("the rung changed while attempt {id} runs on it")),
                    None => Ok(()),
                }
            }
            Happening::JobDeleted { job } => {
                self.deleted.insert(*job);
                Ok(())
            }
            Happening::JobFailed { job, failure } if failure.reason == "no-worker-left" => {
                self.patience.gave_up(pool, event.at, *job)
            }
            Happening::WorkerChanged { worker, state } => {
                self.patience.changed(event.at, *worker, state);
                Ok(())
            }
            Happening::JobCreated { .. }
            | Happening::PlanStarted { .. }
            | Happening::SegmentsPlanned { .. }
            | Happening::SegmentsRetaken { .. }
            | Happening::PlanCompleted { .. }
            | Happening::SplitAbandoned { .. }
            | Happening::TaskFailed { .. }
            | Happening::MergeReady { .. }
            | Happening::JobFailed { .. }
            | Happening::JobCanceled { .. }
            | Happening::JobPaused { .. }
            | Happening::JobResumed { .. }
            | Happening::JobRetried { .. }
            | Happening::WorkerRegistered { .. }
            | Happening::WorkerRemoved { .. } => Ok(()),
        }
    }

    fn is_current(&self, attempt: AttemptId, what: &str) -> Result<(), String> {
        if self.current.contains_key(&attempt) {
            return Ok(());
        }
        Err(format!("attempt {attempt} {what} although it had ended"))
    }

    /// What is delivered and finished is so by the word of the worker that was given the attempt.
    fn is_told_by_its_worker(&self, command: &Command, id: AttemptId) -> Result<(), String> {
        let current = self.current.get(&id).map(|current| current.worker);
        match command {
            Command::StoreOutput { worker, attempt, .. }
            | Command::FinishTask { worker, attempt, .. }
                if Some(*worker) == current && *attempt == id =>
            {
                Ok(())
            }
            _ => Err(format!("attempt {id} went on without its worker's word")),
        }
    }

    /// A task is handed out when nobody has it, or once more as a backup to somebody else.
    fn is_free_for(
        &self,
        id: AttemptId,
        worker: WorkerId,
        role: AttemptRole,
    ) -> Result<(), String> {
        let mut holders = self.current.range(all_of(id.task)).map(|(_, current)| current);
        match (role, holders.next(), holders.next()) {
            (AttemptRole::Regular, None, None) => Ok(()),
            (AttemptRole::Backup, Some(one), None) if one.worker != worker => Ok(()),
            (AttemptRole::Regular | AttemptRole::Backup, one, two) => {
                Err(format!("{role:?} attempt {id} began beside {one:?} and {two:?}"))
            }
        }
    }

    fn started(
        &mut self,
        at: Millis,
        id: AttemptId,
        worker: WorkerId,
        role: AttemptRole,
    ) -> Result<(), String> {
        self.is_free_for(id, worker, role)?;
        // An abandoned split takes a new task; nothing that is done is ever done again.
        if self.accepted.contains_key(&id.task) {
            return Err(format!("task {} is done, but was handed out again", id.task));
        }
        let newest = self.newest.entry(id.task).or_default();
        if id.number.0 <= *newest {
            return Err(format!("attempt {id} does not follow attempt {newest}"));
        }
        *newest = id.number.0;
        self.current.insert(id, Current { worker, heard_at: at });
        Ok(())
    }

    fn succeeded(&mut self, pool: &Pool, command: &Command, id: AttemptId) -> Result<(), String> {
        if !self.current.contains_key(&id) {
            return Err(format!("the stale attempt {id} was accepted"));
        }
        self.is_told_by_its_worker(command, id)?;
        self.current.remove(&id);
        if let Some(earlier) = self.accepted.insert(id.task, id) {
            return Err(format!("task {} has two results: {earlier} and {id}", id.task));
        }
        let task = pool.task(id.task).ok_or_else(|| format!("task {} is lost", id.task))?;
        if !task.only_tells() && !self.delivered.contains(&id) {
            return Err(format!("attempt {id} was accepted without its output"));
        }
        if task.state != TaskState::Done {
            return Err(format!("attempt {id} was accepted, but its task is not done"));
        }
        Ok(())
    }

    fn expired(&mut self, command: &Command, at: Millis, id: AttemptId) -> Result<(), String> {
        let Some(current) = self.current.remove(&id) else {
            return Err(format!("attempt {id} expired although it had ended"));
        };
        match command {
            Command::Tick if current.heard_at + LEASE_MILLIS > at => {
                Err(format!("attempt {id} expired within its lease"))
            }
            _ => Ok(()),
        }
    }

    /// Bits are shared only when everything that decides on them is known, and never again.
    fn allocated(&mut self, pool: &Pool, id: JobId) -> Result<(), String> {
        let job = pool.job(id).ok_or_else(|| format!("job {id} is lost"))?;
        if !self.allocated.insert(id) {
            return Err(format!("the bits of job {id} are shared twice"));
        }
        for task in pool.tasks_of(id) {
            let known = self.accepted.contains_key(&task.id);
            match task.kind {
                TaskKind::Measure(_) if !known => {
                    return Err(format!("task {} has not measured yet", task.id));
                }
                TaskKind::OtherStreams | TaskKind::Weigh if !known && job.aims_at_file_size() => {
                    return Err(format!("task {} decides on the bits of job {id}", task.id));
                }
                TaskKind::Segment(_) if self.newest.contains_key(&task.id) => {
                    return Err(format!("task {} began before it had its bits", task.id));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn completed(&self, pool: &Pool, id: JobId) -> Result<(), String> {
        let job = pool.job(id).ok_or_else(|| format!("job {id} is lost"))?;
        let done = |kind: TaskKind| {
            pool.tasks_of(id).any(|task| task.kind == kind && self.accepted.contains_key(&task.id))
        };
        let film = if job.is_split() {
            job.segments.iter().all(|segment| done(TaskKind::Segment(segment.index)))
        } else {
            done(TaskKind::Whole)
        };
        // A film that is made in one piece after all needs none of its segments again.
        let retaken =
            !job.is_split() || job.retakes.keys().all(|index| done(TaskKind::Retake(*index)));
        let sized = !job.is_split() || job.rate().is_none() || self.allocated.contains(&id);
        if film && retaken && sized && done(TaskKind::Merge) && done(TaskKind::Analysis) {
            return Ok(());
        }
        Err(format!("job {id} is completed, but a part of it was never made"))
    }

    /// A command was answered.
    pub(crate) fn heard(
        &mut self,
        pool: &Pool,
        now: Millis,
        command: &Command,
        answer: &Answer,
    ) -> Result<(), String> {
        self.patience.heard(now, command);
        match (command, answer) {
            (Command::RequestTask(worker), Answer::Assigned(Some(attempt))) => {
                match self.current.get_mut(attempt) {
                    Some(current) if current.worker == *worker => current.heard_at = now,
                    _ => return Err(format!("attempt {attempt} was handed to the wrong worker")),
                }
            }
            (Command::ReportStatus { worker, attempt, .. }, Answer::Directive(directive)) => {
                let current = self.current.get_mut(attempt);
                match (current, directive) {
                    (Some(current), Directive::Continue | Directive::Pause)
                        if current.worker == *worker =>
                    {
                        current.heard_at = now;
                    }
                    (None, Directive::Stop) => {}
                    _ => return Err(format!("attempt {attempt} was told the wrong thing")),
                }
            }
            (
                Command::StartPlan { attempt, .. }
                | Command::ExtendPlan { attempt, .. }
                | Command::StoreOutput { attempt, .. },
                _,
            ) => {
                if let Some(current) = self.current.get_mut(attempt) {
                    current.heard_at = now;
                }
            }
            (Command::FinishTask { attempt, .. }, _) => {
                let done = self.accepted.contains_key(&attempt.task);
                if done && self.current.range(all_of(attempt.task)).next().is_some() {
                    return Err(format!("task {} is done, but goes on elsewhere", attempt.task));
                }
            }
            (Command::Tick, _) => {
                self.follow_clock(now);
                return self.no_dead_lease(pool, now);
            }
            _ => {}
        }
        Ok(())
    }

    /// A worker is told what became of its result.
    pub(crate) fn acknowledged(
        &mut self,
        command: &Command,
        answer: &Answer,
    ) -> Result<(), String> {
        if let (Command::FinishTask { attempt, .. }, Answer::Done) = (command, answer) {
            if self.accepted.get(&attempt.task) == Some(attempt) {
                self.told.insert(*attempt);
            } else if !self.judged.contains(attempt) {
                return Err(format!("attempt {attempt} was told it is done, but it is not stored"));
            }
        }
        Ok(())
    }

    /// What workers were told to be done is so still, unless its job was forgotten.
    pub(crate) fn check_kept(&self, pool: &Pool) -> Result<(), String> {
        for id in &self.told {
            let kept = pool.task(id.task).and_then(|task| task.attempt(id.number));
            if kept.is_some_and(|attempt| attempt.state != AttemptState::Succeeded) {
                return Err(format!("attempt {id} was told it is done, but it is no more"));
            }
            if kept.is_none() && self.deleted.is_empty() {
                return Err(format!("attempt {id} was told it is done, and is lost"));
            }
        }
        Ok(())
    }

    /// The server stood still or its clock was set: nobody was silent meanwhile.
    fn follow_clock(&mut self, now: Millis) {
        let late = self.ticked.is_some_and(|ticked| now.saturating_sub(ticked) > TICK_LATE_MILLIS);
        let set_back = self.ticked.is_some_and(|ticked| now < ticked);
        if late || set_back {
            self.patience.forget_times();
        }
        for current in self.current.values_mut() {
            current.heard_at = if late { now } else { current.heard_at.min(now) };
        }
        self.ticked = Some(now);
    }

    fn no_dead_lease(&self, pool: &Pool, now: Millis) -> Result<(), String> {
        for (id, current) in &self.current {
            if current.heard_at + LEASE_MILLIS <= now {
                return Err(format!("attempt {id} is silent for too long, but keeps its lease"));
            }
        }
        let running = pool.running().count();
        if running != self.current.len() {
            return Err(format!("{running} attempts run, but {} should", self.current.len()));
        }
        Ok(())
    }

    /// The server was restarted and is back at `at`: nobody knows who spoke when.
    pub(crate) fn restarted(&mut self, at: Millis) {
        self.ticked = None;
        self.patience.forget_times();
        for current in self.current.values_mut() {
            current.heard_at = at;
        }
    }
}

/// All attempts of a task.
fn all_of(task: TaskId) -> std::ops::RangeInclusive<AttemptId> {
    AttemptId { task, number: AttemptNumber(0) }..=AttemptId {
        task,
        number: AttemptNumber(u32::MAX),
    }
}
