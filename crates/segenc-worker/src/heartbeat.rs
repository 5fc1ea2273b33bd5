//! Reports on an attempt from the moment it was received: renews its lease, obeys when told to stop.

use std::sync::Arc;
use std::time::Duration;

use segenc_core::ids::AttemptId;
use segenc_media::{Progress, Suspension};
use segenc_proto::grpc;
use segenc_proto::grpc::status_answer::Directive;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::occupancy::Place;
use crate::server::{CallError, Session};

/// So often a report is due, if the lease is not so short that it must be oftener: the page shows
/// progress by it, and a stop is obeyed within two of them.
const INTERVAL: Duration = Duration::from_secs(1);
/// So many reports fit into a lease, so that two may be lost.
const REPORTS_PER_LEASE: u32 = 4;
/// A slot that is free in so many seconds may ask for its next task: receiving it and fetching its first
/// bytes takes less.
const ENDING_SECONDS: u64 = 3;

/// What reports are made of.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// To whom.
    pub(crate) session: Session,
    /// On what.
    pub(crate) attempt: AttemptId,
    /// How far it is.
    pub(crate) progress: watch::Receiver<Progress>,
    /// Frames that are to be made, if that is known.
    pub(crate) frames: Option<u64>,
    /// Told when the slot will soon be free.
    pub(crate) place: Arc<Place>,
    /// Told whether its programs stand still.
    pub(crate) suspension: watch::Sender<Suspension>,
    /// Canceled when the server wants the attempt stopped.
    pub(crate) cancel: CancellationToken,
}

impl Heartbeat {
    /// Reports at once and then regularly, until dropped.
    pub(crate) fn start(self) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(self.run()))
    }

    async fn run(self) {
        let began = Instant::now();
        let interval = INTERVAL.min(self.session.lease / REPORTS_PER_LEASE);
        let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mut progress = *self.progress.borrow();
            // An encoder may be shown more than it is to make.
            progress.frames = progress.frames.min(self.frames.unwrap_or(u64::MAX));
            if nearly_done(progress, self.frames, began.elapsed()) {
                self.place.ending();
            }
            let report = status_report(self.attempt, progress);
            let answer = self.session.report(report).await;
            if let Some(suspension) = suspension(&answer) {
                // Only what is new: who stopped a program by hand wants it stopped.
                self.suspension
                    .send_if_modified(|now| std::mem::replace(now, suspension) != suspension);
            }
            if stops(&answer) {
                tracing::info!(attempt = %self.attempt, "told to stop");
                self.cancel.cancel();
                return;
            }
        }
    }
}

/// A report without what only an analysis adds.
pub(crate) fn status_report(attempt: AttemptId, progress: Progress) -> grpc::StatusReport {
    grpc::StatusReport {
        task_id: attempt.task.0,
        attempt: attempt.number.0,
        frames: progress.frames,
        speed_millifps: progress.speed_millifps,
        facts: None,
        packets: None,
        unsplittable: None,
        can_look: true,
        seen: Vec::new(),
        packets_end: false,
    }
}

/// Whether the attempt goes on or stands still, if the answer to a report says so.
fn suspension(answer: &Result<grpc::StatusAnswer, CallError>) -> Option<Suspension> {
    match answer.as_ref().ok()?.directive() {
        Directive::Pause => Some(Suspension::Stands),
        Directive::Continue => Some(Suspension::Runs),
        Directive::Stop | Directive::Unspecified => None,
    }
}

/// Whether the answer to a report ends the attempt.
pub(crate) fn stops(answer: &Result<grpc::StatusAnswer, CallError>) -> bool {
    match answer {
        Ok(answer) => match answer.directive() {
            Directive::Stop => true,
            Directive::Continue | Directive::Pause | Directive::Unspecified => false,
        },
        // The attempt goes on meanwhile: its lease may still hold when the server is back.
        Err(CallError::Unreachable(_)) => false,
        Err(CallError::Refused(..) | CallError::NotKnown(_) | CallError::OtherCertificate) => true,
    }
}

/// Whether the rest takes only a few seconds, going by the speed so far.
fn nearly_done(progress: Progress, frames: Option<u64>, elapsed: Duration) -> bool {
    let Some(frames) = frames else { return false };
    if progress.frames == 0 {
        return false;
    }
    let left = u128::from(frames.saturating_sub(progress.frames));
    // left / (done / elapsed) <= limit, without division.
    left * elapsed.as_millis() <= u128::from(progress.frames) * u128::from(ENDING_SECONDS * 1000)
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn the_end_is_near_when_little_is_left_at_the_speed_so_far() {
        let at = |frames| Progress { frames, speed_millifps: 0 };
        let ten = Duration::from_secs(10);
        assert!(!nearly_done(at(0), Some(100), ten));
        assert!(!nearly_done(at(50), Some(100), ten));
        assert!(nearly_done(at(80), Some(100), ten));
        assert!(nearly_done(at(100), Some(100), ten));
        assert!(!nearly_done(at(100), None, ten));
    }

    #[test]
    fn a_pause_lasts_until_the_server_says_otherwise() {
        let told = |directive: Directive| {
            suspension(&Ok(grpc::StatusAnswer {
                directive: directive.into(),
                ..Default::default()
            }))
        };
        assert_eq!(told(Directive::Pause), Some(Suspension::Stands));
        assert_eq!(told(Directive::Continue), Some(Suspension::Runs));
        assert_eq!(suspension(&Err(CallError::Unreachable(String::new()))), None);
    }

    #[test]
    fn a_server_that_is_gone_stops_nothing_and_one_that_refuses_does() {
        let directive = |directive: Directive| {
            Ok(grpc::StatusAnswer { directive: directive.into(), ..Default::default() })
        };
        assert!(stops(&directive(Directive::Stop)));
        assert!(!stops(&directive(Directive::Continue)));
        assert!(!stops(&Err(CallError::Unreachable(String::new()))));
        assert!(stops(&Err(CallError::Refused(Code::NotFound, String::new()))));
    }
}
