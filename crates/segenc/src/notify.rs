//! Tells the supervisor that started this service (systemd) how it does: ready, alive, stopping.
//!
//! Silent where no supervisor asks for it. Knows nothing of what the service does.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio_util::task::AbortOnDropHandle;

use self::supervisor::{say, watchdog_period};

/// The supervisor's time has this many parts: one to wait, one for the heart to beat, and one to spare.
const PARTS: u32 = 3;

/// What a supervisor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    Ready,
    Alive,
    Stopping,
    Status(&'a str),
}

/// Says that the service does what it is for, and in a few words what that is.
pub(crate) fn ready(status: &str) {
    say(&[Word::Ready, Word::Status(status)]);
}

/// Says that the service ends because it was told to, and what it still does.
pub(crate) fn stopping(status: &str) {
    say(&[Word::Stopping, Word::Status(status)]);
}

/// Gives signs of life as long as the heart beats, if the supervisor wants them; until dropped.
pub(crate) fn keep_alive(
    heart: impl Stream<Item = ()> + Send + 'static,
) -> Option<AbortOnDropHandle<()>> {
    let period = watchdog_period()?;
    let alive = while_it_beats(heart, period, || say(&[Word::Alive]));
    Some(AbortOnDropHandle::new(tokio::spawn(alive)))
}

/// Calls `alive` at least once in each `period`, as long as the heart beats that often.
async fn while_it_beats(heart: impl Stream<Item = ()>, period: Duration, alive: impl Fn()) {
    let mut heart = std::pin::pin!(heart);
    let part = period / PARTS;
    loop {
        match tokio::time::timeout(part, heart.next()).await {
            Ok(Some(())) => alive(),
            // It has ended in good order, and its end is told by others.
            Ok(None) => return,
            Err(_) => tracing::error!("no sign of life within {} ms", part.as_millis()),
        }
        tokio::time::sleep(part).await;
    }
}

#[cfg(target_os = "linux")]
mod supervisor {
    use std::time::Duration;

    use sd_notify::NotifyState;

    use super::Word;

    /// Says it, if a supervisor listens.
    pub(super) fn say(words: &[Word<'_>]) {
        let states: Vec<NotifyState<'_>> = words
            .iter()
            .map(|word| match word {
                Word::Ready => NotifyState::Ready,
                Word::Alive => NotifyState::Watchdog,
                Word::Stopping => NotifyState::Stopping,
                Word::Status(text) => NotifyState::Status(text),
            })
            .collect();
        if let Err(error) = sd_notify::notify(&states) {
            tracing::warn!(%error, "the supervisor named by NOTIFY_SOCKET cannot be told");
        }
    }

    /// How long the supervisor lives without a sign of life; `None` if it asks for none.
    pub(super) fn watchdog_period() -> Option<Duration> {
        sd_notify::watchdog_enabled().filter(|period| !period.is_zero())
    }
}

/// Other systems' supervisors look at the process alone.
#[cfg(not(target_os = "linux"))]
mod supervisor {
    use std::time::Duration;

    use super::Word;

    pub(super) fn say(words: &[Word<'_>]) {
        tracing::trace!(?words, "there is no supervisor to tell");
    }

    pub(super) const fn watchdog_period() -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::stream;

    use super::*;

    /// Signs of life within ten periods of a minute each.
    async fn signs(heart: impl Stream<Item = ()>) -> u32 {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let alive = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        let period = Duration::from_secs(60);
        let _ = tokio::time::timeout(period * 10, while_it_beats(heart, period, alive)).await;
        count.load(Ordering::Relaxed)
    }

    /// A heart with a beat each second, `beats` times, and silent then.
    fn heart(beats: usize) -> impl Stream<Item = ()> {
        let beat = |_| tokio::time::sleep(Duration::from_secs(1));
        stream::iter(0..beats).then(beat).chain(stream::pending())
    }

    #[tokio::test(start_paused = true)]
    async fn a_heart_that_beats_is_heard_in_every_period() {
        assert!(signs(heart(usize::MAX)).await >= 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_heart_that_stands_still_is_not_covered_up() {
        assert_eq!(signs(stream::pending()).await, 0);
        assert_eq!(signs(heart(3)).await, 3);
    }
}
