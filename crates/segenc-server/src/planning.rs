//! Turns what an analysis reports into a plan: one planner for each running analysis.
//!
//! Planners live outside of the pool and are never stored. After a restart the analysis runs again from its
//! start and yields the same segments. What a planner has said but a failed commit has not stored is kept and
//! said again.

use std::collections::BTreeMap;

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::ids::{AttemptId, WorkerId};
use segenc_core::plan::{Look, Planner, Segment, Unsplittable};
use segenc_core::pool::Pool;
use segenc_core::pool::command::{Answer, Command, Directive, Rejection};
use segenc_core::pool::job::Job;
use segenc_core::pool::task::{AttemptState, Observed, TaskKind};
use segenc_core::source::{Packet, SourceFacts};

use crate::coordinator::{Draft, Refusal};

/// A wish that does not fit the source.
const REASON_PLAN_IMPOSSIBLE: &str = "plan-impossible";
/// The source is not what it was.
const REASON_SOURCE_CHANGED: &str = "source-changed";

/// A worker's report on a running attempt.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) worker: WorkerId,
    pub(crate) attempt: AttemptId,
    pub(crate) frames: u64,
    pub(crate) speed_millifps: u64,
    pub(crate) seen: Seen,
}

/// The end of an analysis.
#[derive(Debug)]
pub(crate) struct Finish {
    pub(crate) worker: WorkerId,
    pub(crate) attempt: AttemptId,
    pub(crate) observed: Observed,
    pub(crate) seen: Seen,
}

/// What is new in a report of an analysis.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) facts: Option<SourceFacts>,
    /// Packets, and how many were reported before them.
    pub(crate) packets: Option<(u64, Vec<Packet>)>,
    /// Why the worker holds that the film must not be cut.
    pub(crate) unsplittable: Option<String>,
    pub(crate) scenes: Scenes,
}

/// What a report says of changes of scene.
#[derive(Debug, Default)]
pub(crate) struct Scenes {
    /// The worker can look for them.
    pub(crate) can_look: bool,
    /// What it saw: by the look's last picture, the first of a new scene.
    pub(crate) seen: Vec<(i64, Option<i64>)>,
    /// All packets were reported.
    pub(crate) packets_end: bool,
}

/// What an analysis is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AnalysisAnswer {
    /// The stream whose packets are wanted.
    pub(crate) film_stream: Option<u32>,
    pub(crate) packets_received: u64,
    /// The streams beside the film, if the packets are wanted of a copy.
    pub(crate) copy_beside: Option<Vec<u32>>,
    /// Where it should look for changes of scene.
    pub(crate) looks: Vec<Look>,
}

/// The planners of all running analyses.
#[derive(Debug, Default)]
pub(crate) struct Planning {
    analyses: BTreeMap<AttemptId, Analysis>,
}

#[derive(Debug)]
struct Analysis {
    planner: Planner,
    facts: SourceFacts,
    /// Packets that the planner has seen.
    received: u64,
    /// The planner was told that there are no more.
    ended: bool,
    /// Segments that are planned but perhaps not stored.
    pending: Vec<Segment>,
    /// The packets show that the film must not be cut.
    unsplittable: Option<Unsplittable>,
    /// Where the facts came from: the attempt told them, or an earlier one did and the server has been
    /// started since. Then nobody knows how many packets the worker believes to have delivered.
    told: Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Here,
    Earlier,
}

impl Planning {
    /// Forgets what has been stored, and analyses that no longer run.
    pub(crate) fn committed(&mut self, pool: &Pool) {
        self.analyses.retain(|attempt, analysis| {
            let stored = job_of(pool, *attempt).map_or(0, |job| job.segments.len());
            analysis.pending.retain(|segment| segment.index as usize >= stored);
            is_running(pool, *attempt)
        });
    }

    /// Takes a report: renews the lease and, for an analysis, carries the plan on.
    pub(crate) fn report(
        &mut self,
        draft: &mut Draft<'_>,
        report: &Report,
    ) -> Result<(Directive, Option<AnalysisAnswer>), Refusal> {
        let answer = draft.decide(&Command::ReportStatus {
            worker: report.worker,
            attempt: report.attempt,
            frames: report.frames,
            speed_millifps: report.speed_millifps,
        })?;
        if answer != Answer::Directive(Directive::Continue) || !is_analysis(draft, report.attempt) {
            let directive = if let Answer::Directive(directive) = answer {
                directive
            } else {
                Directive::Continue
            };
            return Ok((directive, None));
        }
        match self.advance(draft, report.attempt, &report.seen) {
            Ok(()) => Ok((Directive::Continue, Some(self.analysis_answer(draft, report.attempt)))),
            Err(Stop::Failed(failure)) => {
                fail(draft, report.worker, report.attempt, failure)?;
                Ok((Directive::Stop, None))
            }
            // The answer says how many packets have arrived: the worker goes on from there.
            Err(Stop::Refused(Refusal::PacketsMissing { .. } | Refusal::FactsMissing)) => {
                Ok((Directive::Continue, Some(self.analysis_answer(draft, report.attempt))))
            }
            Err(Stop::Refused(refusal)) => Err(refusal),
        }
    }

    /// Ends an analysis: the rest of the plan, then the attempt's success.
    pub(crate) fn finish(
        &mut self,
        draft: &mut Draft<'_>,
        finish: &Finish,
    ) -> Result<Answer, Refusal> {
        let Finish { worker, attempt, observed, seen } = finish;
        let command =
            Command::FinishTask { worker: *worker, attempt: *attempt, observed: observed.clone() };
        if !is_running(&draft.pool, *attempt) {
            // It has succeeded already, or is stale: the rules know.
            return Ok(draft.decide(&command)?);
        }
        let result = self
            .advance(draft, *attempt, seen)
            .and_then(|()| copy_is_there(draft, *attempt))
            .and_then(|()| self.end(draft, *attempt));
        match result {
            Ok(()) => Ok(draft.decide(&command)?),
            Err(Stop::Failed(failure)) => fail(draft, *worker, *attempt, failure),
            Err(Stop::Refused(refusal)) => Err(refusal),
        }
    }

    fn advance(
        &mut self,
        draft: &mut Draft<'_>,
        attempt: AttemptId,
        seen: &Seen,
    ) -> Result<(), Stop> {
        self.open(draft, attempt, seen)?;
        let Some(analysis) = self.analyses.get_mut(&attempt) else { return Ok(()) };
        analysis.start_plan(draft, attempt)?;
        if let Some(reason) = &seen.unsplittable {
            analysis.unsplittable.get_or_insert_with(|| Unsplittable { reason: reason.clone() });
        }
        let taken = match &seen.packets {
            Some((first, packets)) => analysis.take(*first, packets),
            None => Ok(()),
        };
        if taken.is_ok() {
            analysis.look(&seen.scenes);
        }
        analysis.extend_plan(draft, attempt)?;
        taken
    }

    /// Makes the planner when facts come, or from stored facts when the server was started in between.
    fn open(&mut self, draft: &Draft<'_>, attempt: AttemptId, seen: &Seen) -> Result<(), Stop> {
        let told = seen.facts.as_ref();
        let job = job_of(&draft.pool, attempt)?;
        if let Some(analysis) = self.analyses.get(&attempt) {
            return match told {
                Some(facts) if *facts != analysis.facts => Err(Stop::Failed(changed(
                    "the analysis told other facts of the source than before".to_owned(),
                ))),
                _ => Ok(()),
            };
        }
        let (facts, told) = match (told, &job.facts) {
            (Some(facts), _) => (facts.clone(), Told::Here),
            (None, Some(facts)) => (facts.as_ref().clone(), Told::Earlier),
            (None, None) => return Ok(()),
        };
        let planner = Planner::new(&job.spec, &facts).map_err(|error| {
            Stop::Failed(Failure {
                kind: FailureKind::Task,
                reason: REASON_PLAN_IMPOSSIBLE.to_owned(),
                message: error.to_string(),
                log_tail: String::new(),
            })
        })?;
        // What an earlier analysis has stored stands, whatever this one sees.
        let planner = planner.following(job.segments.iter().map(AsRef::as_ref));
        let planner = if seen.scenes.can_look { planner.with_looks(&job.spec) } else { planner };
        let analysis = Analysis {
            planner,
            facts,
            received: 0,
            ended: false,
            pending: Vec::new(),
            unsplittable: None,
            told,
        };
        self.analyses.insert(attempt, analysis);
        Ok(())
    }

    fn end(&mut self, draft: &mut Draft<'_>, attempt: AttemptId) -> Result<(), Stop> {
        let Some(analysis) = self.analyses.get_mut(&attempt) else {
            return Err(Stop::Refused(Refusal::FactsMissing));
        };
        let wants = analysis.wants_packets(job_of(&draft.pool, attempt)?);
        if wants && analysis.told == Told::Earlier && analysis.received == 0 {
            return Err(Stop::Refused(Refusal::PacketsMissing { received: 0 }));
        }
        if !analysis.ended {
            analysis.ended = true;
            let rest = analysis.planner.finish();
            analysis.note(rest);
        }
        analysis.extend_plan(draft, attempt)
    }

    fn analysis_answer(&self, draft: &Draft<'_>, attempt: AttemptId) -> AnalysisAnswer {
        let job = job_of(&draft.pool, attempt).ok();
        let (Some(analysis), Some(job)) = (self.analyses.get(&attempt), job) else {
            return AnalysisAnswer::default();
        };
        let header = analysis.planner.header();
        let film = header.film.as_ref().map(|film| film.stream);
        let film = film.filter(|_| analysis.wants_packets(job));
        AnalysisAnswer {
            film_stream: film,
            packets_received: analysis.received,
            copy_beside: film
                .filter(|_| header.decoded_from.is_copy())
                .map(|_| header.beside(&analysis.facts)),
            looks: film.map(|_| analysis.planner.looks()).unwrap_or_default(),
        }
    }
}

impl Analysis {
    fn wants_packets(&self, job: &Job) -> bool {
        self.planner.wants_packets() && self.unsplittable.is_none() && job.split_abandoned.is_none()
    }

    fn start_plan(&self, draft: &mut Draft<'_>, attempt: AttemptId) -> Result<(), Stop> {
        if job_of(&draft.pool, attempt)?.header.is_some() && self.received > 0 {
            return Ok(());
        }
        let command = Command::StartPlan {
            attempt,
            facts: Box::new(self.facts.clone()),
            header: self.planner.header().clone(),
        };
        draft.decide(&command).map(drop).map_err(told_otherwise)
    }

    /// Hands the packets that are new to the planner.
    fn take(&mut self, first: u64, packets: &[Packet]) -> Result<(), Stop> {
        if first > self.received {
            return Err(Stop::Refused(Refusal::PacketsMissing { received: self.received }));
        }
        let known = usize::try_from(self.received - first).unwrap_or(usize::MAX);
        let Some(fresh) = packets.get(known..) else { return Ok(()) };
        self.received += fresh.len() as u64;
        if self.unsplittable.is_some() || self.ended {
            return Ok(());
        }
        let planned = self.planner.push(fresh);
        self.note(planned);
        Ok(())
    }

    /// Tells the planner what was seen.
    fn look(&mut self, scenes: &Scenes) {
        if self.unsplittable.is_some() || self.ended {
            return;
        }
        for (until, scene) in &scenes.seen {
            let planned = self.planner.seen(*until, *scene);
            self.note(planned);
        }
        if scenes.packets_end {
            let planned = self.planner.end_of_packets();
            self.note(planned);
        }
    }

    /// Keeps what the planner says until it is stored.
    fn note(&mut self, planned: Result<Vec<Segment>, Unsplittable>) {
        match planned {
            Ok(segments) => self.pending.extend(segments),
            Err(reason) => self.unsplittable = Some(reason),
        }
    }

    /// Says everything of the plan that may not be stored yet.
    fn extend_plan(&self, draft: &mut Draft<'_>, attempt: AttemptId) -> Result<(), Stop> {
        let job = job_of(&draft.pool, attempt)?.id;
        if let Some(Unsplittable { reason }) = &self.unsplittable {
            let command = Command::AbandonSplit { job, reason: reason.clone() };
            return draft.decide(&command).map(drop).map_err(told_otherwise);
        }
        // Segments that are decoded from a copy are said with the end of the analysis: then its output is there,
        // and is the one that counts.
        let held_back = self.planner.header().decoded_from.is_copy() && !self.ended;
        if self.pending.is_empty() || held_back {
            return Ok(());
        }
        let command = Command::ExtendPlan { attempt, segments: self.pending.clone() };
        draft.decide(&command).map(drop).map_err(told_otherwise)
    }
}

/// Why an analysis does not go on.
enum Stop {
    Failed(Failure),
    Refused(Refusal),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(Refusal::Rejected(rejection))
    }
}

fn told_otherwise(rejection: Rejection) -> Stop {
    match rejection {
        Rejection::PlanChanged { .. } => Stop::Failed(changed(rejection.to_string())),
        Rejection::UnknownJob(_)
        | Rejection::UnknownTask(_)
        | Rejection::UnknownWorker(_)
        | Rejection::StaleAttempt { .. }
        | Rejection::CannotPause(_)
        | Rejection::NoOutput(_)
        | Rejection::WrongState { .. } => Stop::from(rejection),
    }
}

/// Before anything is said of the end: segments must not become known without what they are decoded from.
fn copy_is_there(draft: &Draft<'_>, attempt: AttemptId) -> Result<(), Stop> {
    let delivered = draft
        .pool
        .task(attempt.task)
        .and_then(|task| task.attempt(attempt.number))
        .is_some_and(|attempt| attempt.output.is_some());
    if job_of(&draft.pool, attempt)?.decodes_copy() && !delivered {
        return Err(Stop::from(Rejection::NoOutput(attempt)));
    }
    Ok(())
}

fn changed(message: String) -> Failure {
    Failure {
        kind: FailureKind::Task,
        reason: REASON_SOURCE_CHANGED.to_owned(),
        message,
        log_tail: String::new(),
    }
}

fn fail(
    draft: &mut Draft<'_>,
    worker: WorkerId,
    attempt: AttemptId,
    failure: Failure,
) -> Result<Answer, Refusal> {
    Ok(draft.decide(&Command::FailTask { worker, attempt, failure })?)
}

fn job_of(pool: &Pool, attempt: AttemptId) -> Result<&Job, Rejection> {
    let task = pool.task(attempt.task).ok_or(Rejection::UnknownTask(attempt.task))?;
    pool.job(task.job).ok_or(Rejection::UnknownJob(task.job))
}

fn is_analysis(draft: &Draft<'_>, attempt: AttemptId) -> bool {
    draft.pool.task(attempt.task).is_some_and(|task| task.kind == TaskKind::Analysis)
}

fn is_running(pool: &Pool, attempt: AttemptId) -> bool {
    pool.task(attempt.task)
        .and_then(|task| task.attempt(attempt.number))
        .is_some_and(|attempt| attempt.state == AttemptState::Running)
}
