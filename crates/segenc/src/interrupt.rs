//! Ctrl-C and the system's request to end, counted.
//!
//! Knows nothing of what is interrupted.

use tokio::sync::watch;

/// How often the user has asked the program to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Begins to listen. From here on Ctrl-C alone ends nothing.
    pub(crate) fn listen() -> Self {
        let (sender, receiver) = watch::channel(0);
        // Before anything else can happen, so that the first wish is not lost.
        let signals = Signals::listen();
        tokio::spawn(async move {
            // Without signals nobody can interrupt; the program ends on its own.
            let Ok(mut signals) = signals else { return std::future::pending().await };
            loop {
                signals.next().await;
                sender.send_modify(|count: &mut u32| *count = count.saturating_add(1));
            }
        });
        Self(receiver)
    }

    /// Waits until the user has asked at least `times` times.
    pub(crate) async fn at_least(&self, times: u32) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|count| *count >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A hang-up keeps its usual meaning, so that `nohup` works. Both kinds are listened to all the time: a supervisor may
/// send one of each at once.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        let heard = tokio::select! {
            heard = self.interrupt.recv() => heard,
            heard = self.terminate.recv() => heard,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// A closed console and a logoff end the program as Ctrl-C does; Windows waits some seconds for that.
#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self { interrupt: ctrl_c()?, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
    }

    async fn next(&mut self) {
        let heard = tokio::select! {
            heard = self.interrupt.recv() => heard,
            heard = self.close.recv() => heard,
            heard = self.shutdown.recv() => heard,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn two_kinds_of_signal_at_once_are_two_wishes() {
        let interrupts = Interrupts::listen();
        for signal in [Signal::INT, Signal::TERM] {
            kill_process(getpid(), signal).expect("a process may send signals to itself");
        }
        let both = tokio::time::timeout(Duration::from_secs(20), interrupts.at_least(2));
        both.await.expect("both are heard");
    }
}
