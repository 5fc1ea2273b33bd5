//! Users and misfortune: what comes from outside the protocol.

use segenc_core::ids::JobId;
use segenc_core::pool::command::Command;
use segenc_core::pool::job::JobState;
use segenc_core::pool::task::{Blob, Observed};
use segenc_core::pool::worker::WorkerState;
use segenc_core::time::Millis;

use super::{Disk, Farm, RETRY_MILLIS};
use crate::agenda::{Local, Occurrence};
use crate::host::Cut;
use crate::scenario::{Direction, Mishap};
use crate::server::Sender;

/// A user who sees no job tries again after this time.
const AGAIN_MILLIS: Millis = 1_000;

impl Farm<'_> {
    pub(super) fn submit(&mut self, number: usize) -> Result<(), String> {
        let Some(wish) = self.scenario.jobs.get(number) else { return Ok(()) };
        if self.server.jobs.get(number).copied().flatten().is_some() {
            return Ok(());
        }
        // Whether it arrived is not known before the job is seen.
        self.agenda.plan(AGAIN_MILLIS, Occurrence::Submit(number));
        self.tell_server(Sender::Submit(number), Command::CreateJob(Box::new(wish.job.clone())))
    }

    pub(super) fn mishap(&mut self, mishap: Mishap) -> Result<(), String> {
        if self.quiet {
            return Ok(());
        }
        match mishap {
            Mishap::Kill(machine, back) => self.kill(machine, back),
            Mishap::Forget(machine, back) => {
                if let Some(host) = self.hosts.get_mut(machine) {
                    host.worker = None;
                }
                self.kill(machine, back);
            }
            Mishap::SignOff(machine, back) => {
                self.of_worker(machine, Command::SignOff)?;
                self.kill(machine, back);
            }
            Mishap::LineLost(machine) => self.of_worker(machine, Command::LineLost)?,
            Mishap::Freeze(machine, time) => {
                let now = self.agenda.now;
                if let Some(host) = self.hosts.get_mut(machine) {
                    host.freeze(now, time);
                }
            }
            Mishap::Slow(machine, times) => {
                let now = self.agenda.now;
                if let Some(host) = self.hosts.get_mut(machine) {
                    host.slow_down(now, times);
                }
            }
            Mishap::Cut(machine, way, time) => {
                let until = self.agenda.now + time;
                if let Some(host) = self.hosts.get_mut(machine) {
                    let both = way == Direction::Both;
                    if both || way == Direction::Requests {
                        host.cut.requests = until;
                    }
                    if both || way == Direction::Answers {
                        host.cut.answers = until;
                    }
                    if both || way == Direction::Uploads {
                        host.cut.uploads = until;
                    }
                }
            }
            Mishap::Server(time) => self.crash(time)?,
            Mishap::SlowDisk(time) => self.disk.slow_until = self.agenda.now + time,
            Mishap::FullDisk(time) => self.disk.full_until = self.agenda.now + time,
            Mishap::FullBlobs(time) => self.disk.blobs_full_until = self.agenda.now + time,
            Mishap::Clock(by) => self.clock = self.clock.saturating_add_signed(by),
            Mishap::Retry(job) => self.of_job(job, Command::RetryJob)?,
            Mishap::Delete(job) => self.of_job(job, Command::DeleteJob)?,
            Mishap::Wake(machine) => self.of_worker(machine, Command::ResumeWorker)?,
            Mishap::Pause(job) => self.of_job(job, Command::PauseJob)?,
            Mishap::Resume(job) => self.of_job(job, Command::ResumeJob)?,
            Mishap::Cancel(job) => self.of_job(job, Command::CancelJob)?,
            Mishap::Abandon(job) => {
                let reason = "it turned out to be unsafe".to_owned();
                self.of_job(job, |job| Command::AbandonSplit { job, reason })?;
            }
            Mishap::Stand(machine) => self.of_worker(machine, Command::PauseWorker)?,
            Mishap::Drain(machine) => self.of_worker(machine, Command::DrainWorker)?,
            Mishap::Release(machine) => self.of_worker(machine, Command::ReleaseWorker)?,
            Mishap::Remove(machine) => self.of_worker(machine, Command::RemoveWorker)?,
            Mishap::Claim(machine) => self.claim(machine)?,
        }
        Ok(())
    }

    /// A worker delivers every attempt that is not its own; the witness sees if one is accepted.
    fn claim(&mut self, machine: usize) -> Result<(), String> {
        let Some(worker) = self.hosts.get(machine).and_then(|host| host.worker) else {
            return Ok(());
        };
        let others: Vec<_> =
            self.server.pool.running().filter(|attempt| attempt.worker != worker).collect();
        for attempt in others.into_iter().map(|attempt| attempt.id) {
            let name = format!("forged {attempt}");
            let blob = Blob { name, size: 1, sha256: "forged".to_owned() };
            self.wish_for(Command::StoreOutput { worker, attempt, blob })?;
            self.wish_for(Command::FinishTask { worker, attempt, observed: Observed::default() })?;
        }
        Ok(())
    }

    pub(super) fn kill(&mut self, machine: usize, back: Millis) {
        let Some(host) = self.hosts.get_mut(machine) else { return };
        host.die();
        let process = host.process;
        self.agenda.plan(back, Occurrence::Machine(machine, process, Local::Start));
    }

    fn of_worker(
        &mut self,
        machine: usize,
        command: impl FnOnce(segenc_core::ids::WorkerId) -> Command,
    ) -> Result<(), String> {
        if let Some(worker) = self.hosts.get(machine).and_then(|host| host.worker) {
            self.wish_for(command(worker))?;
        }
        Ok(())
    }

    fn of_job(
        &mut self,
        number: usize,
        command: impl FnOnce(JobId) -> Command,
    ) -> Result<(), String> {
        if let Some(job) = self.server.jobs.get(number).copied().flatten() {
            self.wish_for(command(job))?;
        }
        Ok(())
    }

    /// Nothing goes wrong from now on; what was put aside is put back.
    pub(super) fn quiet(&mut self) -> Result<(), String> {
        self.quiet = true;
        self.disk = Disk::default();
        let now = self.agenda.now;
        for machine in 0..self.hosts.len() {
            self.kill_if_gone(machine);
            if let Some(host) = self.hosts.get_mut(machine) {
                host.thaw(now);
                host.cut = Cut::default();
                for (attempt, left) in host.speed_up(now) {
                    self.later(machine, left, Local::Worked(attempt));
                }
            }
        }
        self.agenda.plan(0, Occurrence::Retry);
        Ok(())
    }

    /// What is down is started at once.
    fn kill_if_gone(&mut self, machine: usize) {
        if self.hosts.get(machine).is_some_and(|host| !host.alive) {
            self.kill(machine, 0);
        }
    }

    /// Users put back what was taken out, and have failed jobs taken up again.
    pub(super) fn retry(&mut self) -> Result<(), String> {
        self.agenda.plan(RETRY_MILLIS, Occurrence::Retry);
        let out: Vec<_> = self
            .hosts
            .iter()
            .filter_map(|host| self.server.pool.worker(host.worker?))
            .filter(|worker| match worker.state {
                WorkerState::Draining | WorkerState::Paused | WorkerState::TakenOut { .. } => true,
                WorkerState::Active | WorkerState::SignedOff => false,
            })
            .map(|worker| worker.id)
            .collect();
        for worker in out {
            self.wish_for(Command::ResumeWorker(worker))?;
        }
        let mut commands = Vec::new();
        for job in self.server.pool.jobs() {
            match job.state {
                _ if job.is_held() => commands.push(Command::ResumeJob(job.id)),
                JobState::Paused => commands.push(Command::ResumeJob(job.id)),
                JobState::Failed => commands.push(Command::RetryJob(job.id)),
                JobState::Analyzing
                | JobState::Transcoding
                | JobState::Merging
                | JobState::Completed
                | JobState::Canceled => {}
            }
        }
        for command in commands {
            self.wish_for(command)?;
        }
        Ok(())
    }
}
