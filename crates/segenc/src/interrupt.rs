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
        tokio::spawn(async move {
            loop {
                if next_signal().await.is_err() {
                    // Without signals nobody can interrupt; the program ends on its own.
                    std::future::pending::<()>().await;
                }
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

/// A hang-up keeps its usual meaning, so that `nohup` works.
#[cfg(unix)]
async fn next_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn next_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
