//! A user's commands to a job.

use std::sync::Arc;

use super::{Draft, wrong_state};
use crate::ids::JobId;
use crate::pool::command::{Answer, NewJob, Rejection};
use crate::pool::event::Happening;
use crate::pool::job::JobState;

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
        if !job.state.is_final() {
            return Err(wrong_state(job, "cancel it first"));
        }
        self.happen(Happening::JobDeleted { job: id });
        Ok(Answer::Done)
    }
}
