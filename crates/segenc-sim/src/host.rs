//! A machine with a worker on it, as far as the server can see it: it asks, works, reports, delivers,
//! repeats what was not answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use segenc_core::ids::{AttemptId, WorkerId};
use segenc_core::pool::command::Command;
use segenc_core::pool::worker::WorkerProfile;
use segenc_core::time::Millis;

use crate::scenario::{ENCODER, Machine};
use crate::server::Order;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) machine: Machine,
    /// Which process it is: those before it are dead, and so are their messages.
    pub(crate) process: u32,
    pub(crate) alive: bool,
    pub(crate) frozen_until: Millis,
    /// So many times slower than it should be.
    pub(crate) slowed: u64,
    /// Until when nothing gets through, which way.
    pub(crate) cut: Cut,
    /// Work that it did for attempts that others finished first.
    pub(crate) wasted: u64,
    /// Who it is, as long as it knows.
    pub(crate) worker: Option<WorkerId>,
    pub(crate) works: BTreeMap<AttemptId, Work>,
    /// Attempts it ever got in this process: an answer that comes twice starts nothing twice.
    pub(crate) got: BTreeSet<AttemptId>,
    /// Commands without an answer.
    pub(crate) calls: BTreeMap<u64, Command>,
    /// It has asked, or has planned to.
    pub(crate) asking: bool,
}

/// A slot asks for its next task when the present one ends within this time.
pub(crate) const ENDING_MILLIS: Millis = 3_000;

/// A partition, each way until its own time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cut {
    pub(crate) requests: Millis,
    pub(crate) uploads: Millis,
    pub(crate) answers: Millis,
}

#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) order: Order,
    pub(crate) phase: Phase,
    /// When it began in its slot, and when it will be done.
    pub(crate) began_at: Millis,
    pub(crate) ends_at: Millis,
    /// What is still to be said, one after the other.
    pub(crate) steps: VecDeque<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its input is there, no slot is free.
    Waiting,
    /// It runs in a slot.
    Working,
    /// Its slot is free again; it is being delivered.
    Delivering,
}

impl Host {
    pub(crate) const fn new(machine: Machine) -> Self {
        Self {
            machine,
            process: 0,
            alive: false,
            frozen_until: 0,
            slowed: 1,
            cut: Cut { requests: 0, uploads: 0, answers: 0 },
            wasted: 0,
            worker: None,
            works: BTreeMap::new(),
            got: BTreeSet::new(),
            calls: BTreeMap::new(),
            asking: false,
        }
    }

    /// The process is gone, with all it had.
    pub(crate) fn die(&mut self) {
        self.process += 1;
        self.alive = false;
        self.works.clear();
        self.got.clear();
        self.calls.clear();
        self.asking = false;
    }

    pub(crate) fn free_slots(&self) -> usize {
        let busy = self.works.values().filter(|work| work.phase == Phase::Working).count();
        usize::try_from(self.machine.slots).unwrap_or(usize::MAX).saturating_sub(busy)
    }

    /// Whether it wants one more attempt: a slot is free, or will be soon.
    pub(crate) fn is_hungry(&self, now: Millis) -> bool {
        let open = self.works.values().filter(|work| work.phase != Phase::Delivering).count();
        let ending = self.works.values().any(|work| {
            work.phase == Phase::Working && work.ends_at <= now.saturating_add(ENDING_MILLIS)
        });
        let slots = usize::try_from(self.machine.slots).unwrap_or(usize::MAX);
        !self.asking && open < slots + usize::from(ending)
    }

    /// It stands still for this time, and what it works on as well.
    pub(crate) fn freeze(&mut self, now: Millis, time: Millis) {
        let until = self.frozen_until.max(now + time);
        let longer = until - self.frozen_until.max(now);
        self.frozen_until = until;
        for work in self.works.values_mut().filter(|work| work.phase == Phase::Working) {
            work.ends_at += longer;
        }
    }

    /// It is thawed before its time.
    pub(crate) fn thaw(&mut self, now: Millis) {
        self.frozen_until = self.frozen_until.min(now);
    }

    /// What it works on takes so many times longer from now on.
    pub(crate) fn slow_down(&mut self, now: Millis, times: u64) {
        for work in self.works.values_mut().filter(|work| work.phase == Phase::Working) {
            work.ends_at = now + work.ends_at.saturating_sub(now) * times;
        }
        self.slowed *= times;
    }

    /// Work per second and slot, now.
    pub(crate) fn speed(&self) -> u64 {
        (self.machine.speed / self.slowed).max(1)
    }

    /// It is as fast again as it was. When what it works on will be done.
    pub(crate) fn speed_up(&mut self, now: Millis) -> Vec<(AttemptId, Millis)> {
        let times = std::mem::replace(&mut self.slowed, 1);
        let working = self.works.iter_mut().filter(|(_, work)| work.phase == Phase::Working);
        working
            .map(|(attempt, work)| {
                let left = work.ends_at.saturating_sub(now) / times;
                work.ends_at = now + left;
                (*attempt, left)
            })
            .collect()
    }

    /// How far an attempt is, of `frames`. It never says that it is done before it is.
    pub(crate) fn frames_done(&self, attempt: AttemptId, now: Millis, frames: u64) -> u64 {
        let Some(work) = self.works.get(&attempt) else { return 0 };
        match work.phase {
            Phase::Waiting => 0,
            Phase::Working => {
                let whole = work.ends_at.saturating_sub(work.began_at).max(1);
                let part = now.min(work.ends_at).saturating_sub(work.began_at);
                frames * part / whole
            }
            Phase::Delivering => frames,
        }
    }

    /// The first attempt that waits for a slot.
    pub(crate) fn next_waiting(&self) -> Option<AttemptId> {
        let waiting = self.works.iter().find(|(_, work)| work.phase == Phase::Waiting);
        waiting.map(|(attempt, _)| *attempt)
    }

    pub(crate) fn profile(&self, number: usize) -> WorkerProfile {
        WorkerProfile {
            name: format!("machine {number}"),
            version: String::new(),
            slots: self.machine.slots,
            cores: self.machine.slots,
            memory_bytes: 0,
            encoders: self.machine.encoders.clone(),
            ffmpeg_version: String::new(),
            platform: String::new(),
            can_pause: true,
            trial_sets: self
                .machine
                .told
                .iter()
                .map(|told| (ENCODER.to_owned(), told.clone()))
                .collect(),
        }
    }
}
