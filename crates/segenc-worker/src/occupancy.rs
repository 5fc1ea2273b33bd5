//! Which attempts this worker holds and what stage each is in; from that, whether to ask for more.
//!
//! A slot asks for its next task when the present one is about to end, not earlier: a task that lies
//! waiting here could be encoded elsewhere. It does not know what attempts do.

use std::collections::BTreeMap;
use std::sync::Arc;

use segenc_core::ids::AttemptId;
use tokio::sync::watch;

/// Tasks held beyond the slots, as many as the server hands out.
const PREFETCHED_MAX: usize = 1;

/// Where an attempt stands on this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Gathers its inputs, or waits for a slot.
    Waiting,
    /// Uses a slot.
    Running,
    /// Uses a slot, for a few seconds more.
    Ending,
    /// Needs no slot any more: its output is brought to the server.
    Delivering,
}

/// All attempts of this worker.
#[derive(Debug)]
pub(crate) struct Occupancy {
    slots: usize,
    asking: usize,
    stages: BTreeMap<AttemptId, Stage>,
}

impl Occupancy {
    fn count(&self, stage: Stage) -> usize {
        self.stages.values().filter(|held| **held == stage).count()
    }

    fn running(&self) -> usize {
        self.count(Stage::Running) + self.count(Stage::Ending)
    }

    fn may_ask(&self) -> bool {
        let held = self.stages.len() + self.asking;
        let busy = self.running() + self.count(Stage::Waiting) + self.asking;
        let ending = self.count(Stage::Ending).min(PREFETCHED_MAX);
        held < self.slots + PREFETCHED_MAX && busy < self.slots + ending
    }
}

/// The shared book of a worker's attempts.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    occupancy: Arc<watch::Sender<Occupancy>>,
}

/// The right to ask for one task; given back when dropped.
#[derive(Debug)]
pub(crate) struct Asking {
    places: Places,
}

/// An attempt's entry in the book; struck out when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    attempt: AttemptId,
}

impl Places {
    pub(crate) fn new(slots: u32) -> Self {
        let slots = usize::try_from(slots).unwrap_or(usize::MAX).max(1);
        let occupancy = Occupancy { slots, asking: 0, stages: BTreeMap::new() };
        Self { occupancy: Arc::new(watch::Sender::new(occupancy)) }
    }

    /// Waits until there is room for one more task.
    pub(crate) async fn room(&self) -> Asking {
        let mut changes = self.occupancy.subscribe();
        loop {
            let taken = self.occupancy.send_if_modified(|occupancy| {
                let may = occupancy.may_ask();
                occupancy.asking += usize::from(may);
                may
            });
            if taken {
                return Asking { places: self.clone() };
            }
            if changes.changed().await.is_err() {
                // The sender is held by this very value.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Notes an attempt; `None` if it is held already.
    pub(crate) fn enter(&self, attempt: AttemptId) -> Option<Place> {
        let entered = self.occupancy.send_if_modified(|occupancy| {
            let fresh = !occupancy.stages.contains_key(&attempt);
            if fresh {
                occupancy.stages.insert(attempt, Stage::Waiting);
            }
            fresh
        });
        entered.then(|| Place { places: self.clone(), attempt })
    }

    /// Waits until an attempt is held.
    pub(crate) async fn held(&self) {
        let mut changes = self.occupancy.subscribe();
        // As below.
        let _ = changes.wait_for(|occupancy| !occupancy.stages.is_empty()).await;
    }

    /// Waits until no attempt is held.
    pub(crate) async fn empty(&self) {
        let mut changes = self.occupancy.subscribe();
        // An error would mean that the sender is gone, and it is held by this very value.
        let _ = changes.wait_for(|occupancy| occupancy.stages.is_empty()).await;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.places.occupancy.send_modify(|occupancy| occupancy.asking -= 1);
    }
}

impl Place {
    /// Waits for a slot and takes it.
    pub(crate) async fn take_slot(&self) {
        let mut changes = self.places.occupancy.subscribe();
        loop {
            let taken = self.places.occupancy.send_if_modified(|occupancy| {
                let free = occupancy.running() < occupancy.slots;
                if free {
                    occupancy.stages.insert(self.attempt, Stage::Running);
                }
                free
            });
            if taken {
                return;
            }
            if changes.changed().await.is_err() {
                // The sender is held by this very value.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Says that the slot will be free soon, if the attempt has one.
    pub(crate) fn ending(&self) {
        self.places.occupancy.send_if_modified(|occupancy| {
            match occupancy.stages.get_mut(&self.attempt) {
                Some(stage @ Stage::Running) => {
                    *stage = Stage::Ending;
                    true
                }
                Some(Stage::Waiting | Stage::Ending | Stage::Delivering) | None => false,
            }
        });
    }

    /// Gives the slot back; the attempt is still held.
    pub(crate) fn leave_slot(&self) {
        self.places.occupancy.send_modify(|occupancy| {
            occupancy.stages.insert(self.attempt, Stage::Delivering);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.occupancy.send_modify(|occupancy| {
            occupancy.stages.remove(&self.attempt);
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use segenc_core::ids::{AttemptNumber, TaskId};

    use super::*;

    fn attempt(task: u64) -> AttemptId {
        AttemptId { task: TaskId(task), number: AttemptNumber(1) }
    }

    fn asks(places: &Places) -> bool {
        places.room().now_or_never().is_some()
    }

    #[tokio::test]
    async fn nothing_is_hoarded_while_the_slot_is_busy_for_long() {
        let places = Places::new(1);
        assert!(asks(&places));
        let first = places.enter(attempt(1)).expect("new");
        assert!(!asks(&places), "the first fills the slot already while it waits");
        first.take_slot().await;
        assert!(!asks(&places));
        first.ending();
        assert!(asks(&places), "the slot will be free soon");
        let second = places.enter(attempt(2)).expect("new");
        assert!(!asks(&places));
        assert!(second.take_slot().now_or_never().is_none(), "one slot, one encode");
        first.leave_slot();
        assert!(second.take_slot().now_or_never().is_some(), "the upload needs no slot");
        second.ending();
        assert!(!asks(&places), "two are held, no more is handed out");
        drop(first);
        assert!(asks(&places));
    }

    #[tokio::test]
    async fn only_so_many_ask_as_there_are_slots() {
        let places = Places::new(2);
        let one = places.room().await;
        let two = places.room().await;
        assert!(!asks(&places));
        drop((one, two));
        assert!(asks(&places));
    }

    #[tokio::test]
    async fn an_attempt_that_is_handed_out_twice_is_held_once() {
        let places = Places::new(2);
        let place = places.enter(attempt(1)).expect("new");
        assert!(places.enter(attempt(1)).is_none());
        drop(place);
        assert!(places.enter(attempt(1)).is_some());
        places.empty().await;
    }
}
