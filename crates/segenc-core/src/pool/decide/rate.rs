//! A wished size on its way: when all segments are measured their bits are allocated, and when all are made
//! those that missed theirs are made again, if the film is off.

use std::sync::Arc;

use super::Draft;
use crate::failure::{Failure, FailureKind};
use crate::ids::JobId;
use crate::plan::{Origin, PlanHeader, Way};
use crate::pool::event::Happening;
use crate::pool::job::Job;
use crate::pool::limits::RETAKE_ROUNDS_MAX;
use crate::pool::task::{TaskKind, TaskState};
use crate::rate::{self, Share};

/// Reason: everything beside the film takes the wished size.
const REASON_SIZE_TOO_SMALL: &str = "target-size-too-small";
/// Reason: the film is made in one piece, where no size can be promised.
const REASON_SIZE_NEEDS_SEGMENTS: &str = "target-size-needs-segments";

impl Draft<'_> {
    /// Whether the copied streams have to be weighed.
    pub(super) fn weighs(&self, job: &Job, header: &PlanHeader) -> bool {
        let copied = header.layout.iter().any(|stream| stream.origin == Origin::Copied);
        header.way == Way::Segments && job.aims_at_file_size() && copied
    }

    /// Ends a job whose film is made in one piece although the file is to have a size.
    pub(super) fn fail_unless_size_can_be_met(&mut self, id: JobId, reason: &str) {
        if !self.pool.job(id).is_some_and(Job::aims_at_file_size) {
            return;
        }
        let message = format!(
            "a size of the whole file is met by measuring segments, but this film is made in one piece: \
             {reason}"
        );
        self.fail_job(id, failure(REASON_SIZE_NEEDS_SEGMENTS, message));
    }

    /// What was measured before a job failed may be all that its segments wait for.
    pub(super) fn go_on_with_size(&mut self, id: JobId) {
        match self.pool.job(id).and_then(|job| job.header.as_deref()).map(|header| &header.way) {
            Some(Way::Whole { reason }) => self.fail_unless_size_can_be_met(id, &reason.clone()),
            Some(Way::Segments) => self.allocate_if_measured(id),
            None => {}
        }
    }

    /// Allocates the bits of the segments as soon as everything that this takes is known.
    pub(super) fn allocate_if_measured(&mut self, id: JobId) {
        let Some(job) = self.pool.job(id) else { return };
        let open = !job.state.is_final() && job.plan_complete && job.is_split();
        let Some(wish) = job.rate().filter(|_| open && job.awaits_bits()) else { return };
        let Some(shares) = self.shares(job) else { return };
        let Some(others) = self.bytes_beside_the_film(job) else { return };
        let micros = shares.iter().map(|share| share.micros).fold(0, u64::saturating_add);
        match rate::film_bits(wish.aim, others, micros) {
            Ok(bits) => {
                let limit = job.spec.buffer.as_ref().map(|buffer| buffer.limit);
                let allocation = rate::allocate(bits, &shares, limit, wish.passes.overshoot);
                self.happen(Happening::BitsAllocated { job: id, allocation: Arc::new(allocation) });
            }
            Err(error) => self.fail_job(id, failure(REASON_SIZE_TOO_SMALL, error.to_string())),
        }
    }

    /// What each segment took at one quality; `None` while some are not measured.
    fn shares(&self, job: &Job) -> Option<Vec<Share>> {
        let mut measured = vec![None; job.segments.len()];
        for task in self.pool.tasks_of(job.id) {
            if let TaskKind::Measure(index) = task.kind {
                *measured.get_mut(usize::try_from(index).ok()?)? = task.media_bytes();
            }
        }
        let shares = job.segments.iter().zip(measured).map(|(segment, bytes)| {
            let bytes = bytes?;
            Some(Share { bytes, micros: job.micros_of(segment)? })
        });
        shares.collect()
    }

    /// What the file takes beside the film's packets; `None` while that is not known.
    fn bytes_beside_the_film(&self, job: &Job) -> Option<u64> {
        if !job.aims_at_file_size() {
            return Some(0);
        }
        let mut bytes = job.framing_bytes();
        for task in self.pool.tasks_of(job.id) {
            match task.kind {
                TaskKind::OtherStreams | TaskKind::Weigh => {
                    bytes = bytes.saturating_add(task.media_bytes()?);
                }
                TaskKind::Analysis
                | TaskKind::Segment(_)
                | TaskKind::Measure(_)
                | TaskKind::Retake(_)
                | TaskKind::Whole
                | TaskKind::Merge => {}
            }
        }
        Some(bytes)
    }

    /// Has those segments made again that missed their bits, if the film is off. Answers whether any is.
    pub(super) fn retakes_begin(&mut self, id: JobId) -> bool {
        let Some(job) = self.pool.job(id) else { return false };
        let Some(allocation) = job.allocation.clone() else { return false };
        if !job.is_split() || job.retake_rounds >= RETAKE_ROUNDS_MAX {
            return false;
        }
        let mut asked = allocation.asked.clone();
        let mut came_out = vec![0; allocation.due.len()];
        // The tasks of later rounds come later.
        for task in self.pool.tasks_of(id) {
            if let (TaskKind::Segment(index) | TaskKind::Retake(index), TaskState::Done) =
                (task.kind, task.state)
                && let Ok(place) = usize::try_from(index)
                && let (Some(asked), Some(came)) = (asked.get_mut(place), came_out.get_mut(place))
            {
                *came = task.media_bytes().unwrap_or_default().saturating_mul(8);
                *asked = job.retakes.get(&index).copied().unwrap_or(*asked);
            }
        }
        let retakes = rate::retakes(&allocation.due, &asked, &came_out);
        if retakes.is_empty() {
            return false;
        }
        let first_task = self.pool.next_task();
        self.happen(Happening::SegmentsRetaken { job: id, first_task, retakes });
        self.fail_stranded();
        true
    }
}

fn failure(reason: &str, message: String) -> Failure {
    Failure { kind: FailureKind::Task, reason: reason.to_owned(), message, log_tail: String::new() }
}
