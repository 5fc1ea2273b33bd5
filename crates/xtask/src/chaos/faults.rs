//! Which fault comes next, how it is done, and how it is undone again.
//!
//! Faults are drawn from the run's seed; when they strike follows from the machine's speed, too.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;
use segenc_sim::random::Random;

use super::farm::Farm;
use super::processes::send;
use super::proxy::Half;

/// ffmpeg may be killed so often in one job: a task that fails on three workers is given up, which is right.
const ENCODER_KILLS_MAX: u32 = 2;
/// Longer than a lease of ten seconds: the work is given to somebody else in between.
const LONG_STOP_MILLIS: u64 = 12_000;

/// What can happen to a farm.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    KillWorker { worker: usize, back_after: u64 },
    StopWorker { worker: usize, millis: u64 },
    KillServer { back_after: u64 },
    StopServer { millis: u64 },
    KillEncoder { worker: usize },
    StopEncoder { worker: usize, millis: u64 },
    KillCommand,
    Cut { relay: usize },
    CutAfter { relay: usize, bytes: u64 },
    CloseHalf { relay: usize, half: Half },
    Slow { relay: usize, delay: u64, millis: u64 },
    Silence { relay: usize, millis: u64 },
}

impl Fault {
    fn draw(random: &mut Random, workers: usize) -> Self {
        let worker = random.position(workers);
        let relay = random.position(workers + 1);
        let back_after = random.between(0, 2_000);
        let millis = if random.chance(250) { LONG_STOP_MILLIS } else { random.between(100, 4_000) };
        match random.between(0, 15) {
            0 | 1 => Self::KillWorker { worker, back_after },
            2 => Self::StopWorker { worker, millis },
            3 | 4 => Self::KillServer { back_after },
            5 => Self::StopServer { millis },
            6 => Self::KillEncoder { worker },
            7 => Self::StopEncoder { worker, millis },
            8 => Self::KillCommand,
            9 => Self::Cut { relay },
            10 | 11 => Self::CutAfter { relay, bytes: random.between(1, 300_000) },
            12 => Self::CloseHalf { relay, half: Half::Down },
            13 => Self::CloseHalf { relay, half: Half::Up },
            14 => Self::Slow { relay, delay: random.between(5, 200), millis },
            _ => Self::Silence { relay, millis },
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillWorker { worker, back_after } => {
                write!(f, "worker {worker} is killed, back after {back_after} ms")
            }
            Self::StopWorker { worker, millis } => {
                write!(f, "worker {worker} stands still for {millis} ms")
            }
            Self::KillServer { back_after } => {
                write!(f, "the server is killed, back after {back_after} ms")
            }
            Self::StopServer { millis } => write!(f, "the server stands still for {millis} ms"),
            Self::KillEncoder { worker } => write!(f, "what worker {worker} runs is killed"),
            Self::StopEncoder { worker, millis } => {
                write!(f, "what worker {worker} runs stands still for {millis} ms")
            }
            Self::KillCommand => write!(f, "the command is killed and given again"),
            Self::Cut { relay } => write!(f, "relay {relay} cuts all connections"),
            Self::CutAfter { relay, bytes } => write!(f, "relay {relay} cuts after {bytes} bytes"),
            Self::CloseHalf { relay, half } => write!(f, "relay {relay} closes one half: {half:?}"),
            Self::Slow { relay, delay, millis } => {
                write!(f, "relay {relay} waits {delay} ms a piece for {millis} ms")
            }
            Self::Silence { relay, millis } => write!(f, "relay {relay} is silent for {millis} ms"),
        }
    }
}

/// What has to be done later to undo a fault.
#[derive(Debug, Clone, Copy)]
enum Repair {
    StartWorker(usize),
    StartServer,
    Continue(u32),
    Calm(usize),
}

/// The faults of one job: how many are still to come, and which are to be undone when.
pub(crate) struct Faults {
    left: u64,
    next_at: Instant,
    encoder_kills: u32,
    repairs: Vec<(Instant, Repair)>,
}

/// What a command has to do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toll {
    Nothing,
    Command,
}

impl Faults {
    pub(crate) fn for_a_job(random: &mut Random) -> Self {
        let first = Duration::from_millis(random.between(0, 1_500));
        Self {
            left: random.between(2, 6),
            next_at: Instant::now() + first,
            encoder_kills: 0,
            repairs: Vec::new(),
        }
    }

    /// Lets a fault strike if it is time for one.
    pub(crate) fn strike(
        &mut self,
        random: &mut Random,
        farm: &mut Farm,
    ) -> Result<Option<(Fault, Toll)>> {
        if self.left == 0 || Instant::now() < self.next_at {
            return Ok(None);
        }
        self.next_at = Instant::now() + Duration::from_millis(random.between(150, 2_000));
        let fault = Fault::draw(random, farm.layout.workers);
        let Some(toll) = self.apply(fault, farm)? else { return Ok(None) };
        self.left -= 1;
        Ok(Some((fault, toll)))
    }

    /// The next fault comes now: something has begun that is seldom hit.
    pub(crate) fn hurry(&mut self) {
        self.next_at = Instant::now();
    }

    /// `None`: there is nothing there that it could hit.
    fn apply(&mut self, fault: Fault, farm: &mut Farm) -> Result<Option<Toll>> {
        match fault {
            Fault::KillWorker { worker, back_after } => {
                if farm.worker_pid(worker).is_none() {
                    return Ok(None);
                }
                farm.kill_worker(worker)?;
                self.later(back_after, Repair::StartWorker(worker));
            }
            Fault::KillServer { back_after } => {
                if farm.server_pid().is_none() {
                    return Ok(None);
                }
                farm.kill_server()?;
                self.later(back_after, Repair::StartServer);
            }
            Fault::StopWorker { worker, millis } => {
                let Some(pid) = farm.worker_pid(worker) else { return Ok(None) };
                self.stop(pid, millis);
            }
            Fault::StopServer { millis } => {
                let Some(pid) = farm.server_pid() else { return Ok(None) };
                self.stop(pid, millis);
            }
            Fault::KillEncoder { worker } => {
                let encoders = farm.encoders_of(worker);
                if encoders.is_empty() || self.encoder_kills >= ENCODER_KILLS_MAX {
                    return Ok(None);
                }
                self.encoder_kills += 1;
                encoders.iter().for_each(|one| send(one.pid, Signal::KILL));
            }
            Fault::StopEncoder { worker, millis } => {
                let encoders = farm.encoders_of(worker);
                if encoders.is_empty() {
                    return Ok(None);
                }
                encoders.iter().for_each(|one| self.stop(one.pid, millis));
            }
            Fault::KillCommand => return Ok(Some(Toll::Command)),
            Fault::Cut { relay } => farm.relays[relay].cut(),
            Fault::CutAfter { relay, bytes } => farm.relays[relay].cut_after(bytes),
            Fault::CloseHalf { relay, half } => farm.relays[relay].close_half(half),
            Fault::Slow { relay, delay, millis } => {
                farm.relays[relay].delay(delay);
                self.later(millis, Repair::Calm(relay));
            }
            Fault::Silence { relay, millis } => {
                farm.relays[relay].fall_silent();
                self.later(millis, Repair::Calm(relay));
            }
        }
        Ok(Some(Toll::Nothing))
    }

    fn stop(&mut self, pid: u32, millis: u64) {
        send(pid, Signal::STOP);
        self.later(millis, Repair::Continue(pid));
    }

    fn later(&mut self, millis: u64, repair: Repair) {
        self.repairs.push((Instant::now() + Duration::from_millis(millis), repair));
    }

    /// Undoes what is due.
    pub(crate) fn repair(&mut self, farm: &mut Farm) -> Result<()> {
        let now = Instant::now();
        let (due, later): (Vec<_>, Vec<_>) = self.repairs.iter().partition(|(at, _)| *at <= now);
        self.repairs = later;
        due.into_iter().try_for_each(|(_, repair)| undo(repair, farm))
    }

    /// Undoes everything at once: the job is over, or the run.
    pub(crate) fn repair_all(&mut self, farm: &mut Farm) -> Result<()> {
        let all = std::mem::take(&mut self.repairs);
        all.into_iter().try_for_each(|(_, repair)| undo(repair, farm))?;
        farm.relays.iter().for_each(super::proxy::Proxy::calm);
        Ok(())
    }
}

fn undo(repair: Repair, farm: &mut Farm) -> Result<()> {
    match repair {
        Repair::StartWorker(worker) => farm.start_worker(worker),
        Repair::StartServer => farm.start_server().map(drop),
        Repair::Calm(relay) => {
            farm.relays[relay].calm();
            Ok(())
        }
        Repair::Continue(pid) => {
            send(pid, Signal::CONT);
            Ok(())
        }
    }
}
