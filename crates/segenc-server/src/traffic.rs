//! Bytes that travelled, by worker, since the server's start. Volatile, for the curious and for figures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use segenc_core::ids::WorkerId;

/// What bytes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cargo {
    /// A source, on its way to a worker.
    Source,
    /// What other tasks made, on its way to a worker that merges.
    Part,
    /// What a worker made, on its way to the server.
    Output,
}

/// The counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sources: AtomicU64,
    parts: AtomicU64,
    outputs: AtomicU64,
}

impl Counters {
    pub(crate) fn add(&self, cargo: Cargo, bytes: u64) {
        self.counter(cargo).fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, cargo: Cargo) -> u64 {
        self.counter(cargo).load(Ordering::Relaxed)
    }

    fn counter(&self, cargo: Cargo) -> &AtomicU64 {
        match cargo {
            Cargo::Source => &self.sources,
            Cargo::Part => &self.parts,
            Cargo::Output => &self.outputs,
        }
    }
}

/// The counters of all workers; there are as many as workers that are known or were.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    workers: Mutex<BTreeMap<WorkerId, Arc<Counters>>>,
}

impl Traffic {
    pub(crate) fn of(&self, worker: WorkerId) -> Arc<Counters> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(workers.entry(worker).or_default())
    }
}
