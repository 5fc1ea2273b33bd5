//! How long to wait before trying again, and when to stop trying.
//!
//! It does not know what is tried.

use std::time::Duration;

use tokio::time::Instant;

/// Growing pauses up to a cap, each shortened by chance so that many workers do not come back at the
/// same instant after the server was away.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    next: Duration,
    cap: Duration,
}

impl Backoff {
    /// Pauses that begin with `first` and double up to `cap`.
    pub(crate) const fn new(first: Duration, cap: Duration) -> Self {
        Self { first, next: first, cap }
    }

    /// The pause to make now.
    pub(crate) fn delay(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(self.cap);
        // Without random bits, the full pause is as good.
        let chance = getrandom::u32().unwrap_or(0) % 256;
        full - full * chance / 1024
    }

    /// Begins anew, because something succeeded.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }

    /// Waits for the next pause.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.delay()).await;
    }
}

/// A [`Backoff`] that ends after some time without progress.
#[derive(Debug)]
pub(crate) struct Patience {
    backoff: Backoff,
    lasts: Duration,
    since: Option<Instant>,
}

impl Patience {
    /// Patience of this length, counted from the first of several failures in a row.
    pub(crate) const fn new(lasts: Duration) -> Self {
        const FIRST: Duration = Duration::from_millis(100);
        const CAP: Duration = Duration::from_secs(4);
        Self { backoff: Backoff::new(FIRST, CAP), lasts, since: None }
    }

    /// Something went well: the next failure is the first again.
    pub(crate) const fn progress(&mut self) {
        self.since = None;
        self.backoff.reset();
    }

    /// Waits before the next try and answers true, or false at once when patience is at its end.
    pub(crate) async fn wait(&mut self) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.lasts {
            return false;
        }
        self.backoff.pause().await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_cap_and_begin_anew_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4));
        for full in [1, 2, 4, 4] {
            let delay = backoff.delay();
            let full = Duration::from_secs(full);
            assert!(delay <= full && delay >= full * 3 / 4, "{delay:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.delay() <= Duration::from_secs(1));
    }

    #[tokio::test]
    async fn patience_is_over_after_its_time_and_not_before() {
        assert!(!Patience::new(Duration::ZERO).wait().await);
        let mut long = Patience::new(Duration::from_secs(3600));
        assert!(long.wait().await);
        long.since = long.since.and_then(|since| since.checked_sub(Duration::from_secs(3600)));
        let mut renewed = Patience { since: long.since, ..Patience::new(long.lasts) };
        assert!(!long.wait().await, "an hour without progress");
        renewed.progress();
        assert!(renewed.wait().await, "progress begins anew");
    }
}
