//! A machine with a worker on it, as far as the server can see it: it asks, works, reports, delivers,
//! repeats what was not answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use segenc_core::ids::{AttemptId, WorkerId};
use segenc_core::pool::command::Command;
use segenc_core::pool::worker::WorkerProfile;
use segenc_core::time::Millis;

use crate::scenario::Machine;
use crate::server::Order;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) machine: Machine,
    /// Which process it is: those before it are dead, and so are their messages.
    pub(crate) process: u32,
    pub(crate) alive: bool,
    pub(crate) frozen_until: Millis,
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

#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) order: Order,
    pub(crate) phase: Phase,
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

    /// Whether it wants one more attempt: as many as slots, and one fetched ahead.
    pub(crate) fn is_hungry(&self) -> bool {
        let open = self.works.values().filter(|work| work.phase != Phase::Delivering).count();
        !self.asking && open < usize::try_from(self.machine.slots).unwrap_or(usize::MAX) + 1
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
        }
    }
}
