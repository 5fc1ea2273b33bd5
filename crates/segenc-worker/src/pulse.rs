//! Signs of life of a running worker, for whoever started it.
//!
//! Knows nothing of tasks and of who listens.

use std::future::Future;
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// So often the heart beats: supervisors ask for signs of life every some seconds.
const BEAT: Duration = Duration::from_millis(500);

/// What is known of the worker's life.
#[derive(Debug, Clone, Copy, Default)]
struct Life {
    beats: u64,
    registered: bool,
}

/// A worker's signs of life. Clones are the same worker's.
#[derive(Debug, Clone, Default)]
pub struct Pulse(watch::Sender<Life>);

impl Pulse {
    /// Waits until the worker has registered for the first time.
    pub async fn registered(&self) {
        // This value holds a sender, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|life| life.registered).await;
    }

    /// A beat whenever the task that runs the worker has had a turn; none when that hangs.
    pub fn heart(&self) -> impl Stream<Item = ()> + Send + use<> {
        stream::unfold(self.0.subscribe(), |mut life| async move {
            life.changed().await.ok().map(|()| ((), life))
        })
    }

    pub(crate) fn note_registered(&self) {
        self.0.send_modify(|life| life.registered = true);
    }

    /// Runs the worker and beats while it has its turns, in one task: what blocks the one stops the other.
    pub(crate) async fn beside<T>(&self, worker: impl Future<Output = T>) -> T {
        let mut worker = std::pin::pin!(worker);
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                ended = &mut worker => return ended,
                _ = ticks.tick() => self.0.send_modify(|life| life.beats = life.beats.wrapping_add(1)),
            }
        }
    }
}
