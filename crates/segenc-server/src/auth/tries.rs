//! How often somebody may be wrong before everybody has to wait.
//!
//! Counts, and knows nothing of what is tried.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use segenc_core::time::Millis;

/// Wrong tries within [`TRIES_WINDOW`] after which the others have to wait.
pub(super) const TRIES_MAX: usize = 10;
/// See [`TRIES_MAX`].
const TRIES_WINDOW: Millis = 60 * 1000;

/// When somebody was wrong lately; never more than [`TRIES_MAX`] and what is tried at that moment.
#[derive(Debug, Default)]
pub(super) struct Tries {
    wrong: Mutex<VecDeque<Millis>>,
}

impl Tries {
    /// Whether another one is looked at now.
    pub(super) fn may_try(&self, now: Millis) -> bool {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|then| now < then.saturating_add(TRIES_WINDOW));
        wrong.len() < TRIES_MAX
    }

    /// One was wrong.
    pub(super) fn was_wrong(&self, now: Millis) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_wrong_ones_everybody_waits_for_a_minute() {
        let tries = Tries::default();
        for then in 0..10 {
            assert!(tries.may_try(then));
            tries.was_wrong(then);
        }
        assert!(!tries.may_try(10));
        assert!(!tries.may_try(TRIES_WINDOW - 1));
        assert!(tries.may_try(TRIES_WINDOW), "the first one is forgotten");
    }
}
