//! Who is there: a call that each worker keeps open, and what it means when that ends.
//!
//! A process that is killed closes its connections at once, long before its leases run out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use segenc_core::ids::WorkerId;
use segenc_core::pool::command::Command;
use segenc_proto::grpc;
use tokio_stream::wrappers::IntervalStream;
use tonic::Status;

use crate::shared::Shared;

/// A worker whose line broke may be back within this time, and nothing has happened then. Workers try again at
/// once; a second is the most that a killed worker's segment should wait.
const BACK_WITHIN: Duration = Duration::from_millis(700);

/// Something is said on the line this often, since proxies cut silent ones (nginx: after 60 s).
const SIGN_INTERVAL: Duration = Duration::from_secs(20);

/// The workers that keep a line open, and how many each.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    lines: Mutex<BTreeMap<WorkerId, u32>>,
}

/// What a worker hears on its line.
pub(crate) type Line =
    std::pin::Pin<Box<dyn Stream<Item = Result<grpc::PresenceSign, Status>> + Send + 'static>>;

impl Presence {
    /// Opens a line. When it ends and the worker opens no other, what the worker holds goes to others.
    pub(crate) fn open(self: &Arc<Self>, shared: &Arc<Shared>, worker: WorkerId) -> Line {
        *self.lines().entry(worker).or_default() += 1;
        let held = Held {
            presence: Arc::clone(self),
            shared: Arc::clone(shared),
            worker,
            runtime: tokio::runtime::Handle::current(),
        };
        let signs = IntervalStream::new(tokio::time::interval(SIGN_INTERVAL));
        let signs = signs.take_until(shared.stop.clone().cancelled_owned());
        Box::pin(signs.map(move |_| {
            // The line lives as long as the stream that holds this.
            let Held { .. } = &held;
            Ok(grpc::PresenceSign {})
        }))
    }

    fn is_there(&self, worker: WorkerId) -> bool {
        self.lines().contains_key(&worker)
    }

    fn close(&self, worker: WorkerId) {
        let mut lines = self.lines();
        if let Some(count) = lines.get_mut(&worker) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                lines.remove(&worker);
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<WorkerId, u32>> {
        // Counting cannot be interrupted half-way.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open line; its end is its drop.
struct Held {
    presence: Arc<Presence>,
    shared: Arc<Shared>,
    worker: WorkerId,
    runtime: tokio::runtime::Handle,
}

impl Drop for Held {
    fn drop(&mut self) {
        let (presence, shared, worker) =
            (Arc::clone(&self.presence), Arc::clone(&self.shared), self.worker);
        presence.close(worker);
        if shared.stop.is_cancelled() {
            return;
        }
        self.runtime.spawn(async move {
            tokio::select! {
                () = shared.stop.cancelled() => return,
                () = tokio::time::sleep(BACK_WITHIN) => {}
            }
            if presence.is_there(worker) {
                return;
            }
            tracing::info!(worker = worker.0, "a worker's line broke");
            // A worker that was removed in the meantime holds nothing.
            if let Err(refusal) = shared.coordinator.command(Command::LineLost(worker)).await {
                tracing::debug!(worker = worker.0, %refusal, "nothing to take back");
            }
        });
    }
}
