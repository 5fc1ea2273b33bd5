//! The farm: takes what is due from the agenda and lets it happen, until all jobs have ended.

mod machines;
mod users;

use segenc_core::pool::command::{Command, Rejection};
use segenc_core::pool::job::{Job, JobState};
use segenc_core::time::Millis;

use crate::agenda::{Agenda, Letter, Local, Occurrence};
use crate::host::Host;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::server::{Begun, Reply, Sender, Server, Torn};
use crate::{Outcome, Violation, tail};

/// How often the server looks at the clock.
const TICK_MILLIS: Millis = 1_000;
/// After it got quiet, users look this often for what has failed, and have it taken up again.
const RETRY_MILLIS: Millis = 60_000;
/// What the server's wall clock says at the beginning: far enough from 0 to be set back.
const CLOCK_MILLIS: Millis = 1_000_000_000;
/// The fastest a message travels.
const TRAVEL_MILLIS: Millis = 1;

struct Farm<'a> {
    scenario: &'a Scenario,
    agenda: Agenda,
    random: Random,
    server: Server,
    hosts: Vec<Host>,
    disk: Disk,
    /// What the server's wall clock says more than the agenda's.
    clock: Millis,
    /// It is down until then, by the agenda's clock.
    down_until: Millis,
    calls: u64,
    restarts: u64,
    quiet: bool,
    trace: Option<Vec<String>>,
}

/// What is wrong with the server's disk, and until when.
#[derive(Debug, Clone, Copy, Default)]
struct Disk {
    slow_until: Millis,
    full_until: Millis,
    blobs_full_until: Millis,
}

/// Whether to write down what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    Nothing,
    Everything,
}

/// What a run leaves behind.
pub(crate) struct Ended {
    pub(crate) result: Result<Outcome, Violation>,
    pub(crate) trace: Vec<String>,
    /// Work of attempts that others finished first.
    pub(crate) wasted: u64,
    /// From the first segment handed out to the last one done.
    pub(crate) encoding: Millis,
    pub(crate) backups: u64,
}

/// Runs a scenario to its end.
pub(crate) fn run(scenario: &Scenario, telling: Telling) -> Ended {
    let mut farm = Farm {
        scenario,
        agenda: Agenda::default(),
        // Not the scenario's own stream: drawing one fault more must not change the jobs.
        random: Random::new(scenario.seed ^ 0x5eed_5eed_5eed_5eed),
        server: Server::new(scenario.jobs.len(), scenario.backups),
        hosts: scenario.machines.iter().cloned().map(Host::new).collect(),
        disk: Disk::default(),
        clock: CLOCK_MILLIS,
        down_until: 0,
        calls: 0,
        restarts: 0,
        quiet: false,
        trace: (telling == Telling::Everything).then(Vec::new),
    };
    let result = match farm.run() {
        Ok(()) => Ok(farm.outcome()),
        Err(what) => Err(Violation { seed: scenario.seed, at: farm.agenda.now, what }),
    };
    let (encoding, backups) = tail::of(farm.server.history());
    let wasted = farm.hosts.iter().map(|host| host.wasted).sum();
    Ended { result, trace: farm.trace.unwrap_or_default(), wasted, encoding, backups }
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
            self.note(&what);
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
                self.wish_for(Command::Tick)
            }
            Occurrence::Stored(number) => self.stored(number),
            Occurrence::Call(letter, command) => self.arrive(letter, command),
            Occurrence::Machine(machine, process, local) => self.local(machine, process, local),
        }
    }

    fn is_down(&self) -> bool {
        self.agenda.now < self.down_until
    }

    fn note(&mut self, what: &Occurrence) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>8} ms  {what:?}", self.agenda.now));
        }
    }

    /// A command that does not travel and whose answer nobody waits for. A server that is down does not hear it.
    fn wish_for(&mut self, command: Command) -> Result<(), String> {
        self.tell_server(Sender::Nobody, command)
    }

    fn tell_server(&mut self, sender: Sender, command: Command) -> Result<(), String> {
        if self.is_down() {
            return Ok(());
        }
        self.server.receive(sender, command);
        self.server_goes_on()
    }

    fn server_goes_on(&mut self) -> Result<(), String> {
        let now = self.agenda.now + self.clock;
        while let Some(begun) = self.server.begin(now)? {
            match begun {
                Begun::Answered(replies) => self.deliver(replies),
                Begun::Storing(number) => {
                    let after = self.storing_takes();
                    self.agenda.plan(after, Occurrence::Stored(number));
                }
            }
        }
        Ok(())
    }

    fn storing_takes(&mut self) -> Millis {
        if self.scenario.calm {
            1
        } else if self.agenda.now < self.disk.slow_until {
            self.random.between(200, 9_000)
        } else {
            self.random.between(1, 10)
        }
    }

    /// What was being written is on disk, or there was no room, or the server dies in this moment.
    fn stored(&mut self, number: u64) -> Result<(), String> {
        if self.is_down() {
            return Ok(());
        }
        let fragile = self.scenario.network.server_brittle;
        if !self.quiet && self.random.between(1, 10_000) <= fragile {
            let time = self.random.between(10, 20_000);
            return self.crash(time);
        }
        let replies = if self.agenda.now < self.disk.full_until {
            self.server.not_stored(number)?
        } else {
            self.server.stored(number)?
        };
        self.deliver(replies);
        self.server_goes_on()
    }

    /// The server dies. What it was writing is on its disk, or it is not.
    fn crash(&mut self, time: Millis) -> Result<(), String> {
        self.restarts += 1;
        self.down_until = self.down_until.max(self.agenda.now + time);
        let torn = if self.random.chance(500) { Torn::Stored } else { Torn::Lost };
        self.server.restart(torn, self.down_until + self.clock)
    }

    /// A message reaches the server; a full disk takes no outputs.
    fn arrive(&mut self, letter: Letter, command: Command) -> Result<(), String> {
        let upload = matches!(command, Command::StoreOutput { .. });
        let room = self.disk.blobs_full_until.max(self.disk.full_until) <= self.agenda.now;
        if upload && !room {
            return Ok(());
        }
        self.tell_server(Sender::Worker(letter), command)
    }

    /// Answers travel back.
    fn deliver(&mut self, replies: Vec<(Letter, Reply)>) {
        for (letter, reply) in replies {
            let cut = self.hosts.get(letter.machine).map_or(0, |host| host.cut.answers);
            if !self.quiet && self.agenda.now < cut {
                continue;
            }
            for after in self.travels() {
                let local = Local::Answer(letter.call, reply.clone());
                self.agenda.plan(after, Occurrence::Machine(letter.machine, letter.process, local));
            }
        }
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
        self.server.jobs.iter().all(|job| {
            // One that was made and is not there any more was forgotten by its user.
            job.is_some_and(|job| self.server.pool.job(job).is_none_or(has_ended))
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
        let first =
            self.scenario.jobs.iter().map(|wish| wish.at + self.clock).min().unwrap_or_default();
        let last = self.server.pool.jobs().filter_map(|job| job.ended_at).max();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Outcome {
            seed: self.scenario.seed,
            calm: self.scenario.calm,
            jobs: number(self.scenario.jobs.len()),
            completed: number(completed),
            makespan: last.unwrap_or_default().saturating_sub(first),
            ideal: self.scenario.ideal,
            commands: self.server.commands,
            rejections: self.server.rejections,
            events: self.server.events(),
            backups: tail::of(self.server.history()).1,
            restarts: self.restarts,
        }
    }
}

fn has_ended(job: &Job) -> bool {
    matches!(job.state, JobState::Completed | JobState::Canceled) || cannot_be(job)
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
