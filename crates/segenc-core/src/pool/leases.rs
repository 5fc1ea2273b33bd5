//! Leases: what is volatile and never stored.
//!
//! For each running attempt until when its worker may be silent, and how far it says it is; for each
//! worker when it was last heard of. It changes no task: the rules do, when they find a lease run out.

use imbl::OrdMap;

use crate::ids::{AttemptId, WorkerId};
use crate::pool::Pool;
use crate::pool::command::{Answer, Command, Directive};
use crate::pool::decide::Decision;
use crate::pool::event::Happening;
use crate::pool::limits::{
    AWAITED_MILLIS, LEASE_MILLIS, REDELIVER_AFTER_MILLIS, REDELIVERIES_MAX, SILENT_MILLIS,
    TICK_LATE_MILLIS,
};
use crate::pool::speeds::{Extent, Speeds};
use crate::time::Millis;

/// The right to an attempt until a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// When the attempt was handed out, last.
    pub handed_out: Millis,
    /// When it runs out.
    pub until: Millis,
    /// The worker has spoken of the attempt since it was handed out: it did get it.
    pub reported: bool,
    /// When its work began, as far as one can see: when it was last handed out or reported without a frame done.
    pub began: Millis,
    /// How often it was handed out again.
    pub redeliveries: u32,
    /// Frames done since its start.
    pub frames: u64,
    /// Frames per second, in thousandths.
    pub speed_millifps: u64,
}

impl Lease {
    const fn fresh(now: Millis) -> Self {
        Self {
            handed_out: now,
            until: now.saturating_add(LEASE_MILLIS),
            reported: false,
            began: now,
            redeliveries: 0,
            frames: 0,
            speed_millifps: 0,
        }
    }

    const fn renew(&mut self, now: Millis) {
        self.until = now.saturating_add(LEASE_MILLIS);
        self.reported = true;
    }
}

/// All leases. A clone costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leases {
    leases: OrdMap<AttemptId, Lease>,
    seen: OrdMap<WorkerId, Millis>,
    resting: OrdMap<WorkerId, Millis>,
    speeds: Speeds,
    /// When the clock was looked at last.
    ticked: Option<Millis>,
}

impl Leases {
    /// Gives every running attempt a fresh lease, and every worker the benefit of the doubt: after a
    /// restart of the server nobody knows who reported when.
    #[must_use]
    pub fn adopt(pool: &Pool, now: Millis) -> Self {
        let mut leases = Self { speeds: Speeds::remembered(pool), ..Self::default() };
        leases.adopt_missing(pool, now);
        for worker in pool.workers() {
            leases.seen.insert(worker.id, now);
        }
        leases
    }

    /// The lease of a running attempt.
    #[must_use]
    pub fn get(&self, attempt: AttemptId) -> Option<&Lease> {
        self.leases.get(&attempt)
    }

    /// When the worker was last heard of, since the server's start.
    #[must_use]
    pub fn last_seen(&self, worker: WorkerId) -> Option<Millis> {
        self.seen.get(&worker).copied()
    }

    /// Whether the worker was heard of lately.
    #[must_use]
    pub fn is_present(&self, worker: WorkerId, now: Millis) -> bool {
        self.last_seen(worker).is_some_and(|seen| seen.saturating_add(SILENT_MILLIS) > now)
    }

    /// Whether a worker that has signed off may well come back. While the clock cannot be trusted, it may.
    #[must_use]
    pub fn is_awaited(&self, worker: WorkerId, now: Millis) -> bool {
        let seen = self.last_seen(worker);
        self.missed(now) > 0 || seen.is_some_and(|seen| seen.saturating_add(AWAITED_MILLIS) > now)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (AttemptId, &Lease)> {
        self.leases.iter().map(|(attempt, lease)| (*attempt, lease))
    }

    /// Until when the worker asks for nothing, as it said itself.
    #[must_use]
    pub fn resting_until(&self, worker: WorkerId, now: Millis) -> Option<Millis> {
        self.resting.get(&worker).copied().filter(|until| *until > now)
    }

    /// Whether any attempt runs, so that one may become late.
    #[must_use]
    pub fn some_run(&self) -> bool {
        !self.leases.is_empty()
    }

    /// How fast workers were seen to be.
    pub(crate) const fn speeds(&self) -> &Speeds {
        &self.speeds
    }

    /// When the next lease runs out, if nobody reports.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Millis> {
        self.leases.values().map(|lease| lease.until).min()
    }

    /// The attempts whose lease has run out. None has while nobody could have been heard: the server stood still,
    /// or its clock was set forward.
    pub(super) fn run_out(&self, now: Millis) -> impl Iterator<Item = AttemptId> {
        let heard = self.missed(now) == 0;
        let past = self.leases.iter().filter(move |(_, lease)| heard && lease.until <= now);
        past.map(|(attempt, _)| *attempt)
    }

    /// For how long the clock was not looked at, if that is longer than it should be.
    fn missed(&self, now: Millis) -> Millis {
        let since = self.ticked.map_or(0, |ticked| now.saturating_sub(ticked));
        if since > TICK_LATE_MILLIS { since } else { 0 }
    }

    /// Whether the answer that handed out the attempt seems lost.
    pub(super) fn seems_lost(&self, attempt: AttemptId, now: Millis) -> bool {
        self.get(attempt).is_some_and(|lease| {
            !lease.reported
                && lease.redeliveries < REDELIVERIES_MAX
                && lease.handed_out.saturating_add(REDELIVER_AFTER_MILLIS) <= now
        })
    }

    /// Renews, adds and drops leases after a command was committed. `pool_after` is the pool with the
    /// decision's events applied.
    pub fn note(&mut self, pool_after: &Pool, now: Millis, command: &Command, decision: &Decision) {
        self.hear(pool_after, now, command, &decision.answer);
        for event in &decision.events {
            match &event.what {
                Happening::AttemptSucceeded { attempt, .. } => {
                    self.learn(pool_after, *attempt, event.at);
                    self.leases.remove(attempt);
                }
                Happening::AttemptFailed { attempt, .. }
                | Happening::AttemptExpired { attempt }
                | Happening::AttemptCanceled { attempt } => {
                    self.leases.remove(attempt);
                }
                Happening::WorkerRemoved { worker } => {
                    self.resting.remove(worker);
                    self.seen.remove(worker);
                }
                Happening::JobCompleted { job }
                | Happening::JobFailed { job, .. }
                | Happening::JobCanceled { job }
                | Happening::JobDeleted { job } => self.speeds.forget(*job),
                Happening::JobCreated { .. }
                | Happening::PlanStarted { .. }
                | Happening::SegmentsPlanned { .. }
                | Happening::BitsAllocated { .. }
                | Happening::SegmentsRetaken { .. }
                | Happening::PlanCompleted { .. }
                | Happening::SplitAbandoned { .. }
                | Happening::SegmentRunUpLengthened { .. }
                | Happening::AttemptStarted { .. }
                | Happening::OutputStored { .. }
                | Happening::TaskFailed { .. }
                | Happening::MergeReady { .. }
                | Happening::JobPaused { .. }
                | Happening::JobResumed { .. }
                | Happening::JobRetried { .. }
                | Happening::WorkerRegistered { .. }
                | Happening::WorkerChanged { .. } => {}
            }
        }
    }

    fn hear(&mut self, pool: &Pool, now: Millis, command: &Command, answer: &Answer) {
        match command {
            Command::RegisterWorker { .. } => {
                if let Answer::Worker(worker) = answer {
                    self.resting.remove(worker);
                    self.seen.insert(*worker, now);
                }
            }
            Command::RestWorker { worker, until } => {
                self.seen.insert(*worker, now);
                self.resting.insert(*worker, *until);
            }
            Command::RequestTask(worker) => {
                self.resting.remove(worker);
                self.seen.insert(*worker, now);
                if let Answer::Assigned(Some(attempt)) = answer {
                    self.hand_out(pool, now, *attempt);
                }
            }
            Command::ReportStatus { worker, attempt, frames, speed_millifps } => {
                self.seen.insert(*worker, now);
                let Answer::Directive(Directive::Continue | Directive::Pause) = answer else {
                    return;
                };
                if let Some(lease) = self.leases.get_mut(attempt) {
                    lease.renew(now);
                    if lease.frames == 0 && *frames == 0 {
                        lease.began = now;
                    }
                    // A report that was overtaken by a later one must not turn the count back.
                    lease.frames = lease.frames.max(*frames);
                    lease.speed_millifps = *speed_millifps;
                }
            }
            Command::StoreOutput { worker, attempt, .. } => {
                self.seen.insert(*worker, now);
                self.renew(*attempt, now);
            }
            Command::FinishTask { worker, .. } | Command::FailTask { worker, .. } => {
                self.seen.insert(*worker, now);
            }
            Command::StartPlan { attempt, .. } | Command::ExtendPlan { attempt, .. } => {
                self.renew(*attempt, now);
            }
            Command::Tick => {
                self.adopt_missing(pool, now);
                self.forgive(self.missed(now), now);
                self.follow_clock_back(now);
                self.ticked = Some(now);
            }
            Command::CreateJob(_)
            | Command::CancelJob(_)
            | Command::PauseJob(_)
            | Command::ResumeJob(_)
            | Command::RetryJob(_)
            | Command::DeleteJob(_)
            | Command::DrainWorker(_)
            | Command::PauseWorker(_)
            | Command::ResumeWorker(_)
            | Command::ReleaseWorker(_)
            | Command::RemoveWorker(_)
            | Command::LineLost(_)
            | Command::SignOff(_)
            | Command::AbandonSplit { .. } => {}
        }
    }

    fn learn(&mut self, pool: &Pool, id: AttemptId, at: Millis) {
        let (Some(lease), Some(task)) = (self.leases.get(&id), pool.task(id.task)) else { return };
        let (Some(attempt), Some(job)) = (task.attempt(id.number), pool.job(task.job)) else {
            return;
        };
        if let Some(extent) = Extent::of(job, task.kind) {
            self.speeds.learn(extent, attempt.worker, at.saturating_sub(lease.began));
        }
    }

    /// Time that passed while nobody could be heard is nobody's silence.
    fn forgive(&mut self, missed: Millis, now: Millis) {
        if missed == 0 {
            return;
        }
        let all: Vec<AttemptId> = self.leases.keys().copied().collect();
        for attempt in all {
            if let Some(lease) = self.leases.get_mut(&attempt) {
                lease.until = now.saturating_add(LEASE_MILLIS);
                lease.began = lease.began.saturating_add(missed).min(now);
                lease.handed_out = lease.handed_out.saturating_add(missed).min(now);
            }
        }
        self.seen = self.seen.keys().map(|worker| (*worker, now)).collect();
    }

    fn renew(&mut self, attempt: AttemptId, now: Millis) {
        if let Some(lease) = self.leases.get_mut(&attempt) {
            lease.renew(now);
        }
    }

    fn hand_out(&mut self, pool: &Pool, now: Millis, attempt: AttemptId) {
        if let Some(lease) = self.leases.get_mut(&attempt) {
            lease.redeliveries += 1;
            lease.handed_out = now;
            lease.began = now;
            lease.until = now.saturating_add(LEASE_MILLIS);
        } else if pool.running_attempt(attempt) {
            self.leases.insert(attempt, Lease::fresh(now));
        }
    }

    /// Gives a lease to what runs without one, so that nothing can run for ever unwatched. It counts as
    /// reported: handing it out again could start it twice.
    fn adopt_missing(&mut self, pool: &Pool, now: Millis) {
        for running in pool.running() {
            if !self.leases.contains_key(&running.id) {
                let lease = Lease { reported: true, ..Lease::fresh(now) };
                self.leases.insert(running.id, lease);
            }
        }
    }

    /// A wall clock that was set back must not stretch a lease.
    fn follow_clock_back(&mut self, now: Millis) {
        let latest = now.saturating_add(LEASE_MILLIS);
        let ahead: Vec<AttemptId> = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.until > latest)
            .map(|(attempt, _)| *attempt)
            .collect();
        for attempt in ahead {
            if let Some(lease) = self.leases.get_mut(&attempt) {
                lease.until = latest;
                lease.handed_out = lease.handed_out.min(now);
                lease.began = lease.began.min(now);
            }
        }
        let early: Vec<WorkerId> =
            self.seen.iter().filter(|(_, seen)| **seen > now).map(|(worker, _)| *worker).collect();
        for worker in early {
            self.seen.insert(worker, now);
        }
    }
}
