//! The attempt number as fencing token: what the late, the doubled and the wrong worker may say.

use super::bench::{Bench, attempt, blob, failure};
use crate::failure::FailureKind;
use crate::ids::{AttemptId, WorkerId};
use crate::pool::command::{Answer, Command, Directive, Rejection};
use crate::pool::limits::LEASE_MILLIS;
use crate::pool::task::{AttemptState, Observed};

/// Everything that a worker may say of an attempt, but a status report.
fn said(worker: WorkerId, attempt: AttemptId) -> [Command; 3] {
    [
        Command::StoreOutput { worker, attempt, blob: blob(attempt) },
        Command::FinishTask { worker, attempt, observed: Observed::default() },
        Command::FailTask { worker, attempt, failure: failure(FailureKind::Transient) },
    ]
}

fn assert_stale(bench: &mut Bench, worker: WorkerId, id: AttemptId, expected: &str) {
    for command in said(worker, id) {
        match bench.refuse(&command) {
            Rejection::StaleAttempt { attempt, why } => {
                assert_eq!((attempt, why.as_str()), (id, expected));
            }
            other => panic!("{command:?}: {other}"),
        }
    }
}

#[test]
fn late_worker_cannot_overwrite_its_successor() {
    let mut bench = Bench::new();
    bench.analyzed(1);
    let late = bench.worker(&["x264"]);
    let first = bench.take(late);
    bench.tick(LEASE_MILLIS);
    assert_stale(&mut bench, late, first, "expired");
    let next = bench.worker(&["x264"]);
    let second = bench.take(next);
    assert_eq!((second.task, second.number.0), (first.task, 2));
    assert_stale(&mut bench, late, first, "expired, superseded by attempt 2");
    assert_eq!(bench.report(late, first), Directive::Stop);
    bench.deliver(next, second);
    assert_stale(&mut bench, late, first, "expired, superseded by attempt 2");
    assert_eq!(bench.task(first.task).output(), Some(&blob(second)));
}

#[test]
fn nobody_speaks_of_an_attempt_that_is_not_theirs() {
    let mut bench = Bench::new();
    bench.analyzed(2);
    let (one, two) = (bench.worker(&["x264"]), bench.worker(&["x264"]));
    let held = bench.take(one);
    assert_stale(&mut bench, two, held, "handed to another worker, or for another purpose");
    assert_stale(&mut bench, one, attempt(held.task.0, 7), "never handed out");
    let report = Command::ReportStatus { worker: two, attempt: held, frames: 0, speed_millifps: 0 };
    assert!(matches!(bench.refuse(&report), Rejection::StaleAttempt { .. }));
    for command in said(WorkerId(99), held) {
        assert_eq!(bench.refuse(&command), Rejection::UnknownWorker(WorkerId(99)));
    }
    for command in said(one, attempt(999, 1)) {
        assert!(matches!(bench.refuse(&command), Rejection::UnknownTask(_)));
    }
}

#[test]
fn nothing_is_finished_without_its_output() {
    let mut bench = Bench::new();
    bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let held = bench.take(worker);
    let observed = bench.good(held);
    let finish = Command::FinishTask { worker, attempt: held, observed };
    assert_eq!(bench.refuse(&finish), Rejection::NoOutput(held));
    bench.store(worker, held);
    assert_eq!(bench.ask(&finish), Answer::Done);
}

#[test]
fn what_was_said_may_be_said_again() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let worker = bench.worker(&["x264"]);
    let held = bench.take(worker);
    let store = Command::StoreOutput { worker, attempt: held, blob: blob(held) };
    let finish = Command::FinishTask { worker, attempt: held, observed: bench.good(held) };
    bench.ask(&store);
    bench.ask(&store);
    bench.ask(&finish);
    let drawn = bench.drawn(job);
    let events = bench.stored.len();
    assert_eq!(bench.ask(&finish), Answer::Done);
    assert_eq!(bench.ask(&store), Answer::Done);
    let failing = bench.take(worker);
    let fail =
        Command::FailTask { worker, attempt: failing, failure: failure(FailureKind::Transient) };
    bench.ask(&fail);
    assert_eq!(bench.ask(&fail), Answer::Done);
    // One hand-out and one failure: the repetitions left no trace.
    assert_eq!(bench.stored.len(), events + 2);
    assert_eq!(bench.drawn(job), drawn);
}

#[test]
fn a_mismatch_that_was_answered_may_be_finished_again_without_effect() {
    let mut bench = Bench::new();
    bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let held = bench.take(worker);
    bench.store(worker, held);
    bench.finish(worker, held, Observed::default());
    let events = bench.stored.len();
    bench.finish(worker, held, Observed::default());
    assert_eq!(bench.stored.len(), events);
}

#[test]
fn another_output_under_a_finished_attempt_is_refused() {
    let mut bench = Bench::new();
    bench.analyzed(2);
    let worker = bench.worker(&["x264"]);
    let held = bench.work(worker);
    let mut other = blob(held);
    other.sha256 = "other".to_owned();
    let store = Command::StoreOutput { worker, attempt: held, blob: other };
    assert!(matches!(bench.refuse(&store), Rejection::StaleAttempt { .. }));
}

#[test]
fn attempt_numbers_grow_from_one() {
    let mut bench = Bench::new();
    bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    for number in 1..=4 {
        let held = bench.take(worker);
        assert_eq!(held.number.0, number);
        bench.ask(&Command::ReleaseWorker(worker));
        let ended = bench.task(held.task).attempt(held.number).map(|attempt| attempt.state);
        assert_eq!(ended, Some(AttemptState::Canceled));
        assert_stale(&mut bench, worker, held, "canceled");
    }
}
