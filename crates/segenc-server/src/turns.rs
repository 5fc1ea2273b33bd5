//! One writer at a time for one thing, and the newest wins: a client that comes back after its connection
//! broke must not wait until the server has noticed the break.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

/// Turns to write things named by `K`.
#[derive(Debug)]
pub(crate) struct Turns<K> {
    current: Mutex<BTreeMap<K, Slot>>,
}

#[derive(Debug)]
struct Slot {
    interrupt: CancellationToken,
    lock: Arc<tokio::sync::Mutex<()>>,
}

/// The right to write until it is dropped, or until somebody else comes for the same thing.
#[derive(Debug)]
pub(crate) struct Turn {
    interrupt: CancellationToken,
    _guard: OwnedMutexGuard<()>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { current: Mutex::default() }
    }
}

impl<K: Ord> Turns<K> {
    /// Interrupts whoever writes now and waits until that one has stopped.
    pub(crate) async fn take(&self, key: K) -> Turn {
        let interrupt = CancellationToken::new();
        let lock = {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            current.retain(|_, slot| Arc::strong_count(&slot.lock) > 1);
            let slot = current.entry(key).or_insert_with(|| Slot {
                interrupt: CancellationToken::new(),
                lock: Arc::default(),
            });
            slot.interrupt.cancel();
            slot.interrupt = interrupt.clone();
            Arc::clone(&slot.lock)
        };
        Turn { interrupt, _guard: lock.lock_owned().await }
    }
}

impl Turn {
    /// Ends when somebody else wants to write.
    pub(crate) async fn interrupted(&self) {
        self.interrupt.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_writer_interrupts_the_one_before() {
        let turns = Turns::default();
        let first = turns.take(7).await;
        let writer = async {
            first.interrupted().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(turns.take(7), writer);
        let other = turns.take(8).await;
        assert!(!second.interrupt.is_cancelled() && !other.interrupt.is_cancelled());
    }
}
