//! Asks for tasks while slots are free and its hours last, and runs what comes, until the worker leaves or the session ends.

use std::sync::Arc;
use std::time::Duration;

use segenc_proto::convert::{self, AssignedTask};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::Leave;
use crate::attempt::{self, Workshop};
use crate::backoff::Backoff;
use crate::occupancy::{Asking, Place, Places};
use crate::server::{CallError, Session};
use crate::spans;
use crate::timetable::Shift;
use crate::wakefulness::Watcher;

/// An answer without a task normally comes after a long wait; one that comes sooner is not asked for
/// again before this.
const ASK_INTERVAL: Duration = Duration::from_millis(500);
/// The first pause after the server could not be reached.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest: work flows again this long after the server came back.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Killed programs are waited for no longer than this when the worker leaves.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Why the slots stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The worker was told to leave, and holds nothing any more.
    Left,
    /// The server does not know the worker any more.
    SessionLost,
}

/// Works for one session.
pub(crate) async fn work(
    workshop: &Arc<Workshop>,
    session: &Session,
    slots: u32,
    shift: &mut watch::Receiver<Shift>,
    leave: &mut watch::Receiver<Leave>,
) -> Stopped {
    let places = Places::new(slots);
    let _awake = Watcher::follow(workshop.wakefulness, &places);
    let stop = session.lost.child_token();
    let mut attempts = JoinSet::new();
    let mut asks = JoinSet::new();
    let stopped = loop {
        tokio::select! {
            biased;
            () = told(leave, Leave::Drain) => break Stopped::Left,
            () = session.lost.cancelled() => break Stopped::SessionLost,
            Some(ended) = attempts.join_next() => note_panic(ended),
            Some(asked) = asks.join_next() => {
                let Ok((asking, answer)) = asked else { continue };
                if let Some((task, place)) = accept(answer, &places) {
                    let (workshop, session) = (Arc::clone(workshop), session.clone());
                    let cancel = stop.child_token();
                    let (job, id) = (task.job.0, task.attempt);
                    let (number, of) = (id.number.0, id.task.0);
                    let span = tracing::info_span!("attempt", job, task = of, attempt = number);
                    let work = span.in_scope(|| spans::work(&task, workshop.join_trace));
                    let run = async move {
                        attempt::run(&workshop, &session, task, place, cancel).await;
                    };
                    attempts.spawn(run.instrument(work).instrument(span));
                }
                // After the task has its place, so that the room is not given away twice.
                drop::<Asking>(asking);
            }
            Ok(()) = shift.changed() => {}
            asking = places.room(), if *shift.borrow() == Shift::Working => {
                let session = session.clone();
                asks.spawn(async move { (asking, ask(&session).await) });
            }
        }
        workshop.cache.forget_idle();
    };
    // A task that is on its way here in this moment is given back by signing off.
    asks.shutdown().await;
    if stopped == Stopped::Left {
        tokio::select! {
            () = places.empty() => {}
            () = told(leave, Leave::Release) => {}
            () = session.lost.cancelled() => {}
        }
    }
    finish(&stop, &mut attempts).await;
    stopped
}

/// Stops what still runs and waits for it.
async fn finish(stop: &CancellationToken, attempts: &mut JoinSet<()>) {
    stop.cancel();
    let all = async {
        while let Some(ended) = attempts.join_next().await {
            note_panic(ended);
        }
    };
    if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
        tracing::warn!("an attempt does not stop; leaving it");
        attempts.shutdown().await;
    }
}

/// Asks until a task comes or the session ends; `None` if it must be looked anew whether to ask.
async fn ask(session: &Session) -> Option<AssignedTask> {
    let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
    loop {
        let began = Instant::now();
        match session.request_task().await {
            Ok(message) => match convert::task(message) {
                Ok(Some(task)) => return Some(task),
                Ok(None) => {
                    tokio::time::sleep_until(began + ASK_INTERVAL).await;
                    return None;
                }
                Err(error) => {
                    // Its lease runs out, and a worker that understands it gets it.
                    tracing::error!(%error, "a task cannot be understood; is the server newer?");
                    backoff.pause().await;
                }
            },
            Err(CallError::Unreachable(_)) => backoff.pause().await,
            Err(CallError::NotKnown(_)) => return None,
            Err(error @ (CallError::Refused(..) | CallError::OtherCertificate)) => {
                tracing::warn!(%error, "the server gives no task");
                backoff.pause().await;
            }
        }
    }
}

/// Gives a task its place; `None` if there is none or it runs already.
fn accept(answer: Option<AssignedTask>, places: &Places) -> Option<(AssignedTask, Arc<Place>)> {
    let task = answer?;
    let Some(place) = places.enter(task.attempt) else {
        tracing::debug!(attempt = %task.attempt, "handed out again; it runs already");
        return None;
    };
    Some((task, Arc::new(place)))
}

/// Waits until the worker is told at least this.
pub(crate) async fn told(leave: &mut watch::Receiver<Leave>, least: Leave) {
    if leave.wait_for(|now| *now >= least).await.is_err() {
        // Nobody is left who could tell.
        std::future::pending::<()>().await;
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an attempt ended in a panic; its lease runs out");
    }
}
