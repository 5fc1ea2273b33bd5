//! Handing out tasks: again what seems lost, else what the schedule chooses, else a backup of what is late.

use super::Draft;
use crate::ids::WorkerId;
use crate::pool::command::{Answer, Rejection};
use crate::pool::event::Happening;
use crate::pool::task::AttemptRole;
use crate::schedule;

impl Draft<'_> {
    pub(super) fn request(&mut self, id: WorkerId) -> Result<Answer, Rejection> {
        let worker = self.worker(id)?;
        if !worker.is_active() {
            return Ok(Answer::Assigned(None));
        }
        let lost = worker.running.iter().find(|it| self.leases.seems_lost(**it, self.now));
        if let Some(attempt) = lost {
            return Ok(Answer::Assigned(Some(*attempt)));
        }
        let held = worker.running.len();
        let ahead = held >= worker.slots() && !self.pool.has_plenty();
        if ahead || held >= worker.capacity() {
            return Ok(Answer::Assigned(None));
        }
        let chosen = schedule::choose(&self.pool, self.leases, self.now, worker);
        let (task, role) = match chosen {
            Some(task) => (task, AttemptRole::Regular),
            // With its slots full it takes only what nobody else would start sooner.
            None if held >= worker.slots() => return Ok(Answer::Assigned(None)),
            None => match schedule::choose_backup(&self.pool, self.leases, self.now, worker) {
                Some(task) => (task, AttemptRole::Backup),
                None => return Ok(Answer::Assigned(None)),
            },
        };
        let attempt = task.next_attempt();
        self.happen(Happening::AttemptStarted { attempt, worker: id, role });
        Ok(Answer::Assigned(Some(attempt)))
    }
}
