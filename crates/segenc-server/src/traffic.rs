//! Bytes that travelled, by worker, since the server's start. Volatile, for the curious and for figures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use segenc_core::ids::WorkerId;

/// The counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    fetched: AtomicU64,
    delivered: AtomicU64,
}

impl Counters {
    pub(crate) fn fetched(&self, bytes: u64) {
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn delivered(&self, bytes: u64) {
        self.delivered.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes fetched and bytes delivered.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.fetched.load(Ordering::Relaxed), self.delivered.load(Ordering::Relaxed))
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
