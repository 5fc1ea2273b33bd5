//! A worker's coming and going, by its own will or the user's.

use super::Draft;
use crate::ids::{AttemptId, WorkerId};
use crate::pool::command::{Answer, Rejection};
use crate::pool::event::Happening;
use crate::pool::worker::{WorkerProfile, WorkerState};

impl Draft<'_> {
    pub(super) fn register(
        &mut self,
        known: Option<WorkerId>,
        profile: &WorkerProfile,
    ) -> Result<Answer, Rejection> {
        let worker = match known {
            Some(worker) => {
                // A process that has just started holds nothing, whatever the one before it held.
                self.expire_all(worker)?;
                worker
            }
            None => self.pool.next_worker(),
        };
        self.happen(Happening::WorkerRegistered { worker, profile: profile.clone() });
        Ok(Answer::Worker(worker))
    }

    pub(super) fn lose_line(&mut self, worker: WorkerId) -> Result<Answer, Rejection> {
        self.expire_all(worker)?;
        Ok(Answer::Done)
    }

    fn expire_all(&mut self, worker: WorkerId) -> Result<(), Rejection> {
        for attempt in self.held_by(worker)? {
            self.if_running(attempt, Self::expire);
        }
        Ok(())
    }

    fn held_by(&self, worker: WorkerId) -> Result<Vec<AttemptId>, Rejection> {
        Ok(self.worker(worker)?.running.iter().copied().collect())
    }

    /// One attempt's end can end its whole job, and so the attempts beside it.
    fn if_running(&mut self, attempt: AttemptId, end: impl FnOnce(&mut Self, AttemptId)) {
        if self.pool.running_attempt(attempt) {
            end(self, attempt);
        }
    }

    fn give_all_back(&mut self, worker: WorkerId) -> Result<(), Rejection> {
        for attempt in self.held_by(worker)? {
            self.if_running(attempt, Self::give_back);
        }
        Ok(())
    }

    pub(super) fn drain(&mut self, id: WorkerId) -> Result<Answer, Rejection> {
        match self.worker(id)?.state {
            WorkerState::Active => {
                self.happen(Happening::WorkerChanged { worker: id, state: WorkerState::Draining });
            }
            // It goes on, to its end.
            WorkerState::Paused => {
                self.happen(Happening::WorkerChanged { worker: id, state: WorkerState::Draining });
            }
            WorkerState::Draining | WorkerState::TakenOut { .. } | WorkerState::SignedOff => {}
        }
        Ok(Answer::Done)
    }

    pub(super) fn pause(&mut self, id: WorkerId) -> Result<Answer, Rejection> {
        let worker = self.worker(id)?;
        if !worker.profile.can_pause {
            return Err(Rejection::CannotPause(id));
        }
        match worker.state {
            WorkerState::Active | WorkerState::Draining => {
                self.happen(Happening::WorkerChanged { worker: id, state: WorkerState::Paused });
            }
            WorkerState::Paused | WorkerState::TakenOut { .. } | WorkerState::SignedOff => {}
        }
        Ok(Answer::Done)
    }

    /// Nothing follows: that it rests is only shown, and a worker that rests is there.
    pub(super) fn rest(&self, id: WorkerId) -> Result<Answer, Rejection> {
        self.worker(id)?;
        Ok(Answer::Done)
    }

    pub(super) fn resume(&mut self, id: WorkerId) -> Result<Answer, Rejection> {
        match self.worker(id)?.state {
            WorkerState::Active => {}
            WorkerState::Draining
            | WorkerState::Paused
            | WorkerState::TakenOut { .. }
            | WorkerState::SignedOff => {
                self.happen(Happening::WorkerChanged { worker: id, state: WorkerState::Active });
            }
        }
        Ok(Answer::Done)
    }

    pub(super) fn release(&mut self, id: WorkerId) -> Result<Answer, Rejection> {
        self.give_all_back(id)?;
        Ok(Answer::Done)
    }

    pub(super) fn remove(&mut self, id: WorkerId) -> Result<Answer, Rejection> {
        self.give_all_back(id)?;
        self.happen(Happening::WorkerRemoved { worker: id });
        self.fail_stranded();
        Ok(Answer::Done)
    }

    pub(super) fn sign_off(&mut self, id: WorkerId) -> Result<Answer, Rejection> {
        self.give_all_back(id)?;
        match self.worker(id)?.state {
            WorkerState::Active | WorkerState::Draining | WorkerState::Paused => {
                self.happen(Happening::WorkerChanged { worker: id, state: WorkerState::SignedOff });
                self.fail_stranded();
            }
            // One that was taken out stays so: leaving and coming back is no repair.
            WorkerState::TakenOut { .. } | WorkerState::SignedOff => {}
        }
        Ok(Answer::Done)
    }
}
