//! Keeps the computer from going to sleep by itself while attempts are held.
//!
//! It asks the system (logind on Linux, a power request on Windows, an assertion on macOS) and takes every refusal: a
//! computer that sleeps is only a worker that is silent. It must not know what attempts do.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use keepawake::KeepAwake;
use tokio::task::JoinHandle;

use crate::occupancy::Places;

/// Between two tasks the system is not asked anew; no computer goes to sleep within this time.
const LINGER: Duration = Duration::from_secs(10);

/// Whether the computer is kept awake while it encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wakefulness {
    /// As far as the system allows.
    #[default]
    WhileBusy,
    /// It may go to sleep when it wants.
    MaySleep,
}

/// What is asked of the system, each apart: where one is refused, the other may be granted.
#[derive(Debug, Clone, Copy)]
enum Wish {
    /// Not to suspend because nobody types.
    NotWhenIdle,
    /// Not to suspend at all, which desktops on Linux do of their own accord, too. Elsewhere this would be against a
    /// person's wish.
    #[cfg(target_os = "linux")]
    NotAtAll,
}

const WISHES: &[Wish] = &[
    Wish::NotWhenIdle,
    #[cfg(target_os = "linux")]
    Wish::NotAtAll,
];

/// What a worker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Attempts,
    Nothing,
}

/// Follows a worker's attempts until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    following: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to follow.
    pub(crate) fn follow(wakefulness: Wakefulness, places: &Places) -> Self {
        match wakefulness {
            Wakefulness::WhileBusy => Self::with(places, LINGER, ask),
            Wakefulness::MaySleep => Self { following: None },
        }
    }

    /// The system is asked on a thread of its own: some tie what they grant to the thread that asked, and an answer may
    /// be long in coming.
    fn with<G>(places: &Places, linger: Duration, ask: impl FnMut() -> G + Send + 'static) -> Self {
        let (tell, told) = mpsc::channel();
        let keeper = thread::Builder::new().name("wakefulness".to_owned());
        if let Err(error) = keeper.spawn(move || keep(&told, linger, ask)) {
            tracing::debug!(%error, "the computer is not kept awake: there is no thread for it");
            return Self { following: None };
        }
        let places = places.clone();
        let following = tokio::spawn(async move {
            // The thread ends with this sender, and gives back what it was granted.
            loop {
                places.held().await;
                let busy = tell.send(Held::Attempts);
                places.empty().await;
                if busy.and(tell.send(Held::Nothing)).is_err() {
                    break;
                }
            }
        });
        Self { following: Some(following) }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

/// Asks when there are attempts, and gives back what was granted when there have been none for a while.
fn keep<G>(told: &Receiver<Held>, linger: Duration, mut ask: impl FnMut() -> G) {
    while let Ok(held) = told.recv() {
        if held == Held::Nothing {
            continue;
        }
        let granted = ask();
        loop {
            match told.recv() {
                Ok(Held::Attempts) => continue,
                Ok(Held::Nothing) => {}
                Err(_) => return,
            }
            match told.recv_timeout(linger) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        drop(granted);
    }
}

/// Asks the system for all that it grants.
fn ask() -> Vec<KeepAwake> {
    WISHES.iter().filter_map(|wish| ask_for(*wish)).collect()
}

fn ask_for(wish: Wish) -> Option<KeepAwake> {
    let mut request = keepawake::Builder::default();
    request.app_name("segenc").app_reverse_domain("org.segenc.worker").reason("a film is encoded");
    match wish {
        Wish::NotWhenIdle => request.idle(true),
        #[cfg(target_os = "linux")]
        Wish::NotAtAll => request.sleep(true),
    };
    match request.create() {
        Ok(granted) => {
            tracing::debug!(?wish, "the computer is kept awake");
            Some(granted)
        }
        Err(error) => {
            tracing::debug!(?wish, %error, "the system does not keep the computer awake");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use segenc_core::ids::{AttemptId, AttemptNumber, TaskId};

    use super::*;

    /// What was granted; tells when it is given back.
    struct Granted(mpsc::Sender<&'static str>);

    impl Drop for Granted {
        fn drop(&mut self) {
            // Nobody listens any more when a test has ended.
            let _ = self.0.send("given back");
        }
    }

    /// A system that grants everything, and what is heard of it.
    fn system() -> (impl FnMut() -> Granted + Send + 'static, Receiver<&'static str>) {
        let (tell, heard) = mpsc::channel();
        let ask = move || {
            tell.send("granted").expect("the test listens");
            Granted(tell.clone())
        };
        (ask, heard)
    }

    const fn attempt(task: u64) -> AttemptId {
        AttemptId { task: TaskId(task), number: AttemptNumber(1) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_computer_is_kept_awake_while_attempts_are_held() {
        let places = Places::new(2);
        let (ask, heard) = system();
        let _watcher = Watcher::with(&places, Duration::ZERO, ask);
        for _ in 0..2 {
            let first = places.enter(attempt(1)).expect("new");
            assert_eq!(heard.recv(), Ok("granted"));
            let second = places.enter(attempt(2)).expect("new");
            drop(first);
            assert_eq!(heard.try_recv(), Err(mpsc::TryRecvError::Empty), "one is held still");
            drop(second);
            assert_eq!(heard.recv(), Ok("given back"));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_worker_that_leaves_gives_back_what_it_was_granted() {
        let places = Places::new(1);
        let (ask, heard) = system();
        let watcher = Watcher::with(&places, LINGER, ask);
        let _held = places.enter(attempt(1)).expect("new");
        assert_eq!(heard.recv(), Ok("granted"));
        drop(watcher);
        assert_eq!(heard.recv(), Ok("given back"));
    }

    #[test]
    fn between_two_tasks_the_system_is_not_asked_anew() {
        let (tell, told) = mpsc::channel();
        for held in [Held::Attempts, Held::Nothing, Held::Attempts, Held::Nothing, Held::Attempts] {
            tell.send(held).expect("somebody listens");
        }
        drop(tell);
        let (ask, heard) = system();
        keep(&told, LINGER, ask);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["granted", "given back"]);
    }
}
