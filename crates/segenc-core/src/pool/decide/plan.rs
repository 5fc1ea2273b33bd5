//! The plan as the analysis reports it. It may be reported again from the start, by a second attempt;
//! then it must say the same.

use std::sync::Arc;

use super::attempts::stale;
use super::{Draft, wrong_state};
use crate::ids::{AttemptId, JobId, TaskId};
use crate::plan::{PlanHeader, Segment, Way};
use crate::pool::command::{Answer, Rejection};
use crate::pool::event::Happening;
use crate::pool::job::Job;
use crate::pool::task::{AttemptState, TaskKind};
use crate::source::SourceFacts;

impl Draft<'_> {
    /// The job whose analysis this attempt is, and whether the attempt still runs. One that has
    /// succeeded may repeat itself.
    fn analyzed_job(&self, attempt: AttemptId) -> Result<(&Job, AttemptState), Rejection> {
        let task = self.task(attempt.task)?;
        let state = task.attempt(attempt.number).map(|attempt| attempt.state);
        match (task.kind, state) {
            (
                TaskKind::Analysis,
                Some(state @ (AttemptState::Running | AttemptState::Succeeded)),
            ) => Ok((self.job(task.job)?, state)),
            (
                TaskKind::Analysis
                | TaskKind::Segment(_)
                | TaskKind::Measure(_)
                | TaskKind::Retake(_)
                | TaskKind::OtherStreams
                | TaskKind::Weigh
                | TaskKind::Whole
                | TaskKind::Merge,
                _,
            ) => Err(stale(task, attempt)),
        }
    }

    pub(super) fn start_plan(
        &mut self,
        attempt: AttemptId,
        facts: &SourceFacts,
        header: &PlanHeader,
    ) -> Result<Answer, Rejection> {
        let (job, state) = self.analyzed_job(attempt)?;
        let id = job.id;
        if job.header.is_some() {
            if says_the_same(job, facts, header) {
                return Ok(Answer::Done);
            }
            return Err(Rejection::PlanChanged { job: id, index: 0 });
        }
        if state != AttemptState::Running {
            return Err(stale(self.task(attempt.task)?, attempt));
        }
        let next = self.pool.next_task();
        let (other_streams, whole) = match &header.way {
            Way::Segments => (header.other_streams.then_some(next), None),
            // It makes everything in one go, the other streams too.
            Way::Whole { .. } => (None, Some(next)),
        };
        let weigh = self.weighs(job, header).then(|| match other_streams {
            Some(task) => TaskId(task.0 + 1),
            None => next,
        });
        self.happen(Happening::PlanStarted {
            job: id,
            facts: Arc::new(facts.clone()),
            header: Arc::new(header.clone()),
            other_streams,
            whole,
            weigh,
        });
        if let Way::Whole { reason } = &header.way {
            self.fail_unless_size_can_be_met(id, reason);
        }
        self.fail_stranded();
        Ok(Answer::Done)
    }

    pub(super) fn extend_plan(
        &mut self,
        attempt: AttemptId,
        segments: &[Segment],
    ) -> Result<Answer, Rejection> {
        let (job, state) = self.analyzed_job(attempt)?;
        let id = job.id;
        let Some(header) = &job.header else {
            return Err(wrong_state(job, "start the plan before extending it"));
        };
        match header.way {
            Way::Segments => {}
            // The split was abandoned while the analysis went on: its cuts matter no more.
            Way::Whole { .. } => return Ok(Answer::Done),
        }
        let mut added = Vec::new();
        for segment in segments {
            let changed = Rejection::PlanChanged { job: id, index: segment.index };
            let index = usize::try_from(segment.index).map_err(|_| changed.clone())?;
            match job.segments.get(index) {
                Some(known) if **known == *segment => {}
                Some(_) => return Err(changed),
                None if index == job.segments.len() + added.len() => added.push(segment.clone()),
                None => return Err(changed),
            }
        }
        if added.is_empty() {
            return Ok(Answer::Done);
        }
        if state != AttemptState::Running {
            return Err(stale(self.task(attempt.task)?, attempt));
        }
        let first_task = self.pool.next_task();
        let first = job.segments.is_empty();
        self.happen(Happening::SegmentsPlanned { job: id, first_task, segments: added });
        if first {
            self.fail_stranded();
        }
        Ok(Answer::Done)
    }

    pub(super) fn abandon_on_wish(&mut self, id: JobId, reason: &str) -> Result<Answer, Rejection> {
        let job = self.job(id)?;
        if job.state.is_final() {
            return Err(wrong_state(job, "it has ended already"));
        }
        if job.header.is_none() {
            return Err(wrong_state(job, "it has no plan yet"));
        }
        if job.is_split() {
            self.abandon_split(id, reason);
        }
        Ok(Answer::Done)
    }
}

/// Whether a plan that is told again is the known one. An abandoned split has changed its way since.
fn says_the_same(job: &Job, facts: &SourceFacts, header: &PlanHeader) -> bool {
    let Some(known) = job.header.as_deref() else { return false };
    let told = match job.split_abandoned {
        Some(_) => &PlanHeader { way: known.way.clone(), ..header.clone() },
        None => header,
    };
    job.facts.as_deref() == Some(facts) && known == told
}
