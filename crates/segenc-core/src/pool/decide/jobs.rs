//! A user's commands to a job.

use std::sync::Arc;

use super::{Draft, wrong_state};
use crate::ids::JobId;
use crate::pool::command::{Answer, NewJob, Rejection};
use crate::pool::event::Happening;
use crate::pool::job::{JobState, Start};
use crate::pool::limits::DRAFT_MILLIS_MAX;

impl Draft<'_> {
    pub(super) fn create_job(&mut self, wish: &NewJob) -> Answer {
        let job = self.pool.next_job();
        self.happen(Happening::JobCreated {
            job,
            analysis: self.pool.next_task(),
            name: wish.name.clone(),
            spec: Arc::new(wish.spec.clone()),
            source: wish.source.clone(),
            output_path: wish.output_path.clone(),
            priority: wish.priority,
            start: wish.start,
        });
        Answer::Job(job)
    }

    pub(super) fn cancel_job(&mut self, id: JobId) -> Result<Answer, Rejection> {
        let job = self.job(id)?;
        match job.state {
            JobState::Canceled => return Ok(Answer::Done),
            JobState::Completed | JobState::Failed => {
                return Err(wrong_state(job, "it has ended already; it can be deleted"));
            }
            JobState::Analyzing | JobState::Transcoding | JobState::Merging | JobState::Paused => {}
        }
        let running = self.running_of(id, |_| true);
        self.cancel_attempts(running);
        self.happen(Happening::JobCanceled { job: id });
        Ok(Answer::Done)
    }

    pub(super) fn pause_job(&mut self, id: JobId) -> Result<Answer, Rejection> {
        let job = self.job(id)?;
        if job.is_held() {
            return Err(wrong_state(job, "it has not been started, so there is nothing to pause"));
        }
        match job.state {
            JobState::Paused => {}
            JobState::Completed | JobState::Failed | JobState::Canceled => {
                return Err(wrong_state(job, "only a job that goes on can be paused"));
            }
            JobState::Analyzing | JobState::Transcoding | JobState::Merging => {
                self.happen(Happening::JobPaused { job: id });
            }
        }
        Ok(Answer::Done)
    }

    pub(super) fn resume_job(&mut self, id: JobId) -> Result<Answer, Rejection> {
        let job = self.job(id)?;
        match job.state {
            JobState::Paused => self.happen(Happening::JobResumed { job: id }),
            JobState::Analyzing | JobState::Transcoding | JobState::Merging if job.is_held() => {
                self.happen(Happening::JobResumed { job: id });
            }
            JobState::Analyzing | JobState::Transcoding | JobState::Merging => {}
            JobState::Completed => {
                return Err(wrong_state(job, "there is nothing left to do"));
            }
            JobState::Failed | JobState::Canceled => {
                return Err(wrong_state(job, "retry it to take it up again"));
            }
        }
        Ok(Answer::Done)
    }

    pub(super) fn retry_job(&mut self, id: JobId) -> Result<Answer, Rejection> {
        let job = self.job(id)?;
        match job.state {
            JobState::Failed | JobState::Canceled => {
                self.happen(Happening::JobRetried { job: id });
                self.go_on_with_size(id);
            }
            JobState::Analyzing | JobState::Transcoding | JobState::Merging | JobState::Paused => {}
            JobState::Completed => {
                return Err(wrong_state(job, "there is nothing left to do"));
            }
        }
        Ok(Answer::Done)
    }

    pub(super) fn delete_job(&mut self, id: JobId) -> Result<Answer, Rejection> {
        let job = self.job(id)?;
        if job.is_held() {
            self.cancel_job(id)?;
        } else if !job.state.is_final() {
            return Err(wrong_state(job, "cancel it first"));
        }
        self.happen(Happening::JobDeleted { job: id });
        Ok(Answer::Done)
    }

    /// Forgets the drafts that somebody looked at and never started. One that failed meanwhile is forgotten too:
    /// nobody waits for it.
    pub(super) fn forget_drafts(&mut self) {
        let left_behind: Vec<JobId> = self
            .pool
            .jobs()
            .filter(|job| match job.start {
                Start::AtOnce | Start::Held => false,
                Start::Draft => job.created_at.saturating_add(DRAFT_MILLIS_MAX) <= self.now,
            })
            .map(|job| job.id)
            .collect();
        for job in left_behind {
            // It is there, and a held or ended job can be deleted.
            let _ = self.delete_job(job);
        }
    }
}
