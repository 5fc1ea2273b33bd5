//! Second attempts beside late ones: who gets them, which counts, and what a loser costs.

use super::bench::{Bench, blob};
use crate::failure::FailureKind;
use crate::ids::{AttemptId, JobId, WorkerId};
use crate::pool::command::{Answer, Command, Directive, Rejection};
use crate::pool::job::JobState;
use crate::pool::leases::Leases;
use crate::pool::limits::{FAILURES_IN_A_ROW_MAX, LEASE_MILLIS};
use crate::pool::task::{AttemptRole, AttemptState};

/// A farm at its tail: a fast worker that makes a segment (100 frames) in two seconds and has nothing to do, and a
/// slow one that has the last segment.
struct Tail {
    bench: Bench,
    job: JobId,
    fast: WorkerId,
    slow: WorkerId,
    last: AttemptId,
}

fn tail() -> Tail {
    let mut bench = Bench::new();
    let job = bench.analyzed(3);
    let fast = bench.worker(&["x264"]);
    let slow = bench.worker(&["x264"]);
    let last = bench.take(slow);
    for _ in 0..2 {
        let held = bench.take(fast);
        frames(&mut bench, fast, held, 0);
        bench.tick(2_000);
        bench.deliver(fast, held);
    }
    assert_eq!(bench.drawn(job), "A#>##M_");
    Tail { bench, job, fast, slow, last }
}

fn frames(bench: &mut Bench, worker: WorkerId, attempt: AttemptId, frames: u64) {
    bench.ask(&Command::ReportStatus { worker, attempt, frames, speed_millifps: 0 });
}

impl Tail {
    /// Ten frames in about four seconds: thirty-six seconds are left.
    fn late() -> Self {
        let mut tail = tail();
        frames(&mut tail.bench, tail.slow, tail.last, 10);
        tail
    }

    fn backup(&mut self) -> AttemptId {
        let backup = self.bench.take(self.fast);
        assert_eq!((backup.task, backup.number.0), (self.last.task, 2));
        backup
    }

    fn state(&self, attempt: AttemptId) -> AttemptState {
        self.bench.task(attempt.task).attempt(attempt.number).expect("it is there").state
    }
}

#[test]
fn an_idle_worker_that_would_be_earlier_gets_a_backup() {
    let mut tail = Tail::late();
    let backup = tail.backup();
    let role = tail.bench.task(backup.task).attempt(backup.number).map(|attempt| attempt.role);
    assert_eq!(role, Some(AttemptRole::Backup));
    assert_eq!(tail.bench.drawn(tail.job), "A#>##M_");
}

#[test]
fn nobody_gets_a_backup_of_what_ends_sooner_by_itself() {
    let mut tail = tail();
    // Ninety frames in four seconds: the rest takes half a second, a backup two.
    frames(&mut tail.bench, tail.slow, tail.last, 90);
    assert_eq!(tail.bench.request(tail.fast), None);
    // It stands still: the longer, the less it is believed to end soon.
    for _ in 0..60 {
        tail.bench.tick(1_000);
        frames(&mut tail.bench, tail.slow, tail.last, 90);
    }
    tail.backup();
}

#[test]
fn what_is_stuck_before_its_first_frame_gets_a_backup_also_among_equals() {
    let mut tail = tail();
    // Two seconds were expected; four have passed, and another second does.
    for _ in 0..2 {
        tail.bench.tick(500);
        frames(&mut tail.bench, tail.slow, tail.last, 0);
    }
    tail.backup();
}

#[test]
fn the_first_result_wins_and_the_loser_is_canceled_at_once() {
    let mut tail = Tail::late();
    let backup = tail.backup();
    tail.bench.deliver(tail.fast, backup);
    assert_eq!(tail.bench.drawn(tail.job), "A####M.");
    assert_eq!(
        (tail.state(backup), tail.state(tail.last)),
        (AttemptState::Succeeded, AttemptState::Canceled)
    );
    assert_eq!(tail.bench.report(tail.slow, tail.last), Directive::Stop);
    let late =
        Command::StoreOutput { worker: tail.slow, attempt: tail.last, blob: blob(tail.last) };
    assert!(matches!(tail.bench.refuse(&late), Rejection::StaleAttempt { .. }));
    assert_eq!(tail.bench.task(backup.task).output(), Some(&blob(backup)));
    let slow = tail.bench.pool.worker(tail.slow).expect("it is there");
    assert_eq!((slow.failed, slow.failures_in_a_row, slow.running.len()), (0, 0, 0));
}

#[test]
fn the_attempt_with_a_backup_may_still_win() {
    let mut tail = Tail::late();
    let backup = tail.backup();
    tail.bench.deliver(tail.slow, tail.last);
    assert_eq!(tail.state(backup), AttemptState::Canceled);
    assert_eq!(tail.bench.report(tail.fast, backup), Directive::Stop);
    assert_eq!(tail.bench.drawn(tail.job), "A####M.");
}

#[test]
fn there_is_no_second_backup_and_none_on_the_worker_that_has_it() {
    let mut tail = Tail::late();
    assert_eq!(tail.bench.request(tail.slow), None, "it is full");
    let other = tail.bench.worker_with_slots(2, &["x264"]);
    tail.backup();
    assert_eq!(tail.bench.request(other), None);
    assert_eq!(tail.bench.request(tail.slow), None);
}

#[test]
fn one_machine_with_many_slots_makes_no_backup_of_its_own_work() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let machine = bench.worker_with_slots(4, &["x264"]);
    let (slow, quick) = (bench.take(machine), bench.take(machine));
    bench.tick(2_000);
    bench.deliver(machine, quick);
    frames(&mut bench, machine, slow, 1);
    bench.tick(5_000);
    assert_eq!(bench.request(machine), None);
    assert_eq!(bench.drawn(job), "A#>#M_");
}

#[test]
fn work_that_waits_goes_before_backups() {
    let mut tail = Tail::late();
    let other = tail.bench.analyzed(1);
    let taken = tail.bench.take(tail.fast);
    assert_eq!(tail.bench.task(taken.task).job, other);
}

#[test]
fn a_paused_job_gets_no_backups() {
    let mut tail = Tail::late();
    tail.bench.ask(&Command::PauseJob(tail.job));
    assert_eq!(tail.bench.request(tail.fast), None);
    tail.bench.ask(&Command::ResumeJob(tail.job));
    tail.backup();
}

#[test]
fn a_backup_that_fails_counts_against_nobody_whatever_it_says() {
    for kind in
        [FailureKind::Transient, FailureKind::Worker, FailureKind::Task, FailureKind::Mismatch]
    {
        let mut tail = Tail::late();
        let backup = tail.backup();
        tail.bench.fail(tail.fast, backup, kind);
        assert_eq!(tail.bench.drawn(tail.job), "A#>##M_", "{kind:?}");
        let task = tail.bench.task(backup.task);
        assert_eq!((task.retryable_failures().count(), task.longer_run_up), (0, false));
        let fast = tail.bench.pool.worker(tail.fast).expect("it is there");
        assert_eq!(fast.failures_in_a_row, 0);
        assert_eq!(tail.bench.request(tail.fast), None, "there was a backup already");
        tail.bench.deliver(tail.slow, tail.last);
        assert_eq!(tail.bench.drawn(tail.job), "A####M.");
    }
}

#[test]
fn a_backup_goes_on_when_the_attempt_beside_it_fails_expires_or_is_given_back() {
    type End = fn(&mut Tail);
    let ends: [End; 3] = [
        |tail| tail.bench.fail(tail.slow, tail.last, FailureKind::Task),
        |tail| assert_eq!(tail.bench.ask(&Command::LineLost(tail.slow)), Answer::Done),
        |tail| assert_eq!(tail.bench.ask(&Command::ReleaseWorker(tail.slow)), Answer::Done),
    ];
    for end in ends {
        let mut tail = Tail::late();
        let backup = tail.backup();
        end(&mut tail);
        assert_eq!(tail.bench.drawn(tail.job), "A#>##M_");
        tail.bench.deliver(tail.fast, backup);
        assert_eq!(tail.bench.drawn(tail.job), "A####M.");
    }
}

#[test]
fn when_both_fail_the_last_one_decides_what_follows() {
    let mut tail = Tail::late();
    let backup = tail.backup();
    tail.bench.fail(tail.slow, tail.last, FailureKind::Mismatch);
    assert!(!tail.bench.task(backup.task).longer_run_up, "the other may come out right");
    tail.bench.fail(tail.fast, backup, FailureKind::Mismatch);
    assert!(tail.bench.task(backup.task).longer_run_up);
    assert_eq!(tail.bench.drawn(tail.job), "A#.##M_");
    let third = tail.bench.take(tail.fast);
    let role = tail.bench.task(third.task).attempt(third.number).map(|attempt| attempt.role);
    assert_eq!(role, Some(AttemptRole::Regular));
}

#[test]
fn a_worker_that_is_taken_out_is_so_also_beside_a_backup() {
    let mut tail = Tail::late();
    let job = tail.bench.analyzed(FAILURES_IN_A_ROW_MAX);
    tail.bench.ask(&Command::PauseJob(job));
    tail.backup();
    tail.bench.fail(tail.slow, tail.last, FailureKind::Worker);
    tail.bench.ask(&Command::ResumeJob(job));
    let mut failed = 1;
    while let Some(held) = tail.bench.request(tail.slow) {
        tail.bench.fail(tail.slow, held, FailureKind::Worker);
        failed += 1;
    }
    assert_eq!(failed, FAILURES_IN_A_ROW_MAX);
}

#[test]
fn canceling_a_job_cancels_both() {
    let mut tail = Tail::late();
    let backup = tail.backup();
    tail.bench.ask(&Command::CancelJob(tail.job));
    assert_eq!(
        (tail.state(backup), tail.state(tail.last)),
        (AttemptState::Canceled, AttemptState::Canceled)
    );
    assert_eq!(tail.bench.job(tail.job).state, JobState::Canceled);
}

#[test]
fn a_restarted_server_remembers_who_is_fast() {
    let mut tail = Tail::late();
    tail.bench.leases = Leases::adopt(&tail.bench.pool, tail.bench.now);
    frames(&mut tail.bench, tail.slow, tail.last, 10);
    tail.bench.tick(4_000);
    frames(&mut tail.bench, tail.slow, tail.last, 20);
    tail.backup();
}

#[test]
fn a_hung_server_makes_nobody_late() {
    let mut tail = tail();
    frames(&mut tail.bench, tail.slow, tail.last, 90);
    tail.bench.wait(1_000_000);
    tail.bench.ask(&Command::Tick);
    assert_eq!(tail.bench.request(tail.fast), None);
    assert_eq!(tail.bench.drawn(tail.job), "A#>##M_", "no lease ran out while nobody was heard");
    tail.bench.tick(LEASE_MILLIS - 1);
    assert_eq!(tail.bench.drawn(tail.job), "A#>##M_");
    tail.bench.tick(1);
    assert_eq!(tail.bench.drawn(tail.job), "A#.##M_");
}
