//! The farm: takes what is due from the agenda and lets it happen, until all jobs have ended.

mod machines;
mod users;

use segenc_core::ids::JobId;
use segenc_core::pool::command::{Command, Rejection};
use segenc_core::pool::job::{Job, JobState};
use segenc_core::time::Millis;

use crate::agenda::{Agenda, Letter, Local, Occurrence};
use crate::host::Host;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::server::{Reply, Server};
use crate::{Outcome, Violation};

/// How often the server looks at the clock.
const TICK_MILLIS: Millis = 1_000;
/// After it got quiet, users look this often for what has failed, and have it taken up again.
const RETRY_MILLIS: Millis = 60_000;
/// The fastest a message travels.
const TRAVEL_MILLIS: Millis = 1;

struct Farm<'a> {
    scenario: &'a Scenario,
    agenda: Agenda,
    random: Random,
    server: Server,
    hosts: Vec<Host>,
    /// The job that each wish became.
    jobs: Vec<Option<JobId>>,
    calls: u64,
    quiet: bool,
}

/// Runs a scenario to its end.
pub(crate) fn run(scenario: &Scenario) -> Result<Outcome, Violation> {
    let mut farm = Farm {
        scenario,
        agenda: Agenda::default(),
        // Not the scenario's own stream: drawing one fault more must not change the jobs.
        random: Random::new(scenario.seed ^ 0x5eed_5eed_5eed_5eed),
        server: Server::default(),
        hosts: scenario.machines.iter().cloned().map(Host::new).collect(),
        jobs: vec![None; scenario.jobs.len()],
        calls: 0,
        quiet: false,
    };
    match farm.run() {
        Ok(()) => Ok(farm.outcome()),
        Err(what) => Err(Violation { seed: scenario.seed, at: farm.agenda.now, what }),
    }
}

impl Farm<'_> {
    fn run(&mut self) -> Result<(), String> {
        for (number, wish) in self.scenario.jobs.iter().enumerate() {
            self.agenda.plan(wish.at, Occurrence::Submit(number));
        }
        for (at, mishap) in &self.scenario.mishaps {
            self.agenda.plan(*at, Occurrence::Mishap(*mishap));
        }
        for machine in 0..self.hosts.len() {
            let after = if self.scenario.calm { 0 } else { self.random.between(0, 10_000) };
            self.agenda.plan(after, Occurrence::Machine(machine, 0, Local::Start));
        }
        self.agenda.plan(self.scenario.quiet_from, Occurrence::Quiet);
        self.agenda.plan(TICK_MILLIS, Occurrence::Tick);
        while !self.all_ended() {
            let Some(what) = self.agenda.next() else {
                return Err("nothing is planned any more, but a job is open".to_owned());
            };
            if self.agenda.now > self.scenario.deadline {
                return Err(format!("jobs are still open after all this time: {}", self.open()));
            }
            self.happen(what)?;
        }
        self.server.check_replay()
    }

    fn happen(&mut self, what: Occurrence) -> Result<(), String> {
        match what {
            Occurrence::Submit(number) => self.submit(number),
            Occurrence::Mishap(mishap) => self.mishap(mishap),
            Occurrence::Quiet => self.quiet(),
            Occurrence::Retry => self.retry(),
            Occurrence::Tick => {
                self.agenda.plan(TICK_MILLIS, Occurrence::Tick);
                self.ask(&Command::Tick).map(|_| ())
            }
            Occurrence::Call(letter, command) => self.arrive(letter, &command),
            Occurrence::Machine(machine, process, local) => self.local(machine, process, local),
        }
    }

    fn is_down(&self) -> bool {
        self.agenda.now < self.server.down_until
    }

    /// A command that does not travel; `None`: the server is down.
    fn ask(
        &mut self,
        command: &Command,
    ) -> Result<Option<Result<segenc_core::pool::command::Answer, Rejection>>, String> {
        if self.is_down() {
            return Ok(None);
        }
        self.server.call(self.agenda.now, command).map(Some)
    }

    /// A message reaches the server: it is decided, and the answer travels back.
    fn arrive(&mut self, letter: Letter, command: &Command) -> Result<(), String> {
        let Some(answer) = self.ask(command)? else { return Ok(()) };
        let reply = self.server.reply(answer);
        for after in self.travels() {
            let local = Local::Answer(letter.call, reply.clone());
            self.agenda.plan(after, Occurrence::Machine(letter.machine, letter.process, local));
        }
        Ok(())
    }

    /// When a message arrives: not at all, once or twice, soon or late.
    fn travels(&mut self) -> Vec<Millis> {
        if self.quiet {
            return vec![TRAVEL_MILLIS];
        }
        let network = self.scenario.network;
        if self.random.chance(network.lost) {
            return Vec::new();
        }
        let mut arrivals = vec![self.travel()];
        if self.random.chance(network.doubled) {
            arrivals.push(self.travel());
        }
        arrivals
    }

    fn travel(&mut self) -> Millis {
        let network = self.scenario.network;
        if self.random.chance(network.late) {
            self.random.between(TRAVEL_MILLIS, network.latest)
        } else {
            self.random.between(TRAVEL_MILLIS, 50)
        }
    }

    /// Whether all jobs have ended for good: what failed is taken up again once it is quiet.
    fn all_ended(&self) -> bool {
        self.jobs.iter().all(|job| match job.and_then(|job| self.server.pool.job(job)) {
            Some(job) => {
                matches!(job.state, JobState::Completed | JobState::Canceled) || cannot_be(job)
            }
            None => false,
        })
    }

    /// What is open, for the message.
    fn open(&self) -> String {
        let open: Vec<String> = self
            .server
            .pool
            .jobs()
            .filter(|job| job.state != JobState::Completed)
            .map(|job| {
                let counts = self.server.pool.counts(job.id);
                let why = job.failure.as_ref().map(|it| it.message.as_str()).unwrap_or_default();
                format!("{} is {} ({counts:?}) {why}", job.id, job.state)
            })
            .collect();
        open.join("; ")
    }

    fn outcome(&self) -> Outcome {
        let completed =
            self.server.pool.jobs().filter(|job| job.state == JobState::Completed).count();
        let first = self.scenario.jobs.iter().map(|wish| wish.at).min().unwrap_or_default();
        let last = self.server.pool.jobs().filter_map(|job| job.ended_at).max();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Outcome {
            seed: self.scenario.seed,
            calm: self.scenario.calm,
            jobs: number(self.jobs.len()),
            completed: number(completed),
            makespan: last.unwrap_or_default().saturating_sub(first),
            ideal: self.scenario.ideal,
            commands: self.server.commands,
            rejections: self.server.rejections,
            events: self.server.events(),
        }
    }
}

/// Whether the job wishes what no farm can do, and was told so.
fn cannot_be(job: &Job) -> bool {
    let reason = job.failure.as_ref().map(|failure| failure.reason.as_str());
    matches!(reason, Some("target-size-too-small" | "target-size-needs-segments"))
}

/// What a worker hears that the server could not even be asked: nothing. What it hears else is a reply.
fn is_gone(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused(Rejection::UnknownWorker(_)))
}
