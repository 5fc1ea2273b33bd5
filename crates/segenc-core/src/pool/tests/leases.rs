//! Leases: renewed, run out, adopted, and hand-outs whose answer was lost.

use super::bench::Bench;
use crate::pool::command::{Command, Directive};
use crate::pool::leases::Leases;
use crate::pool::limits::{
    EXPIRIES_PER_TASK_MAX, LEASE_MILLIS, REDELIVER_AFTER_MILLIS, REDELIVERIES_MAX,
};

#[test]
fn a_silent_attempt_expires_and_its_task_is_ready_again() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    bench.take(worker);
    bench.tick(LEASE_MILLIS - 1);
    assert_eq!(bench.drawn(job), "A#>M_");
    bench.tick(1);
    assert_eq!(bench.drawn(job), "A#.M_");
}

#[test]
fn a_worker_whose_line_broke_loses_what_it_holds_at_once_and_hears_of_it() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let (gone, other) = (bench.worker(&["x264"]), bench.worker(&["x264"]));
    let lost = bench.take(gone);
    bench.take(other);
    assert_eq!(bench.drawn(job), "A#>>M_");
    bench.ask(&Command::LineLost(gone));
    assert_eq!(bench.drawn(job), "A#.>M_");
    assert_eq!(bench.report(gone, lost), Directive::Stop);
}

#[test]
fn a_report_renews_the_lease_and_keeps_the_highest_count() {
    let mut bench = Bench::new();
    bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let attempt = bench.take(worker);
    for frames in [50, 20] {
        bench.wait(LEASE_MILLIS - 1);
        let report = Command::ReportStatus { worker, attempt, frames, speed_millifps: frames };
        bench.ask(&report);
    }
    let lease = *bench.leases.get(attempt).expect("it holds a lease");
    assert_eq!((lease.frames, lease.speed_millifps), (50, 20));
    assert_eq!(lease.until, bench.now + LEASE_MILLIS);
    assert_eq!(bench.leases.next_expiry(), Some(lease.until));
    bench.deliver(worker, attempt);
    assert_eq!(bench.leases.get(attempt), None);
}

#[test]
fn after_a_restart_every_running_attempt_has_a_fresh_lease() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let attempt = bench.take(worker);
    bench.wait(100 * LEASE_MILLIS);
    bench.leases = Leases::adopt(&bench.pool, bench.now);
    bench.tick(LEASE_MILLIS - 1);
    assert_eq!(bench.report(worker, attempt), Directive::Continue);
    bench.tick(LEASE_MILLIS);
    assert_eq!(bench.drawn(job), "A#.M_");
}

#[test]
fn a_lost_answer_is_not_a_lost_task() {
    let mut bench = Bench::new();
    bench.analyzed(3);
    let worker = bench.worker(&["x264"]);
    let lost = bench.request(worker);
    bench.wait(REDELIVER_AFTER_MILLIS - 1);
    let other = bench.request(worker);
    assert_ne!(other, lost, "the first answer may still be on its way");
    bench.wait(1);
    assert_eq!(bench.request(worker), lost);
    assert_eq!(bench.request(worker), None, "both are on their way, and its hands are full");
}

#[test]
fn what_was_reported_is_not_handed_out_again() {
    let mut bench = Bench::new();
    bench.analyzed(3);
    let worker = bench.worker(&["x264"]);
    let first = bench.take(worker);
    bench.wait(REDELIVER_AFTER_MILLIS);
    assert_ne!(bench.request(worker), Some(first));
}

#[test]
fn a_worker_that_only_asks_cannot_hold_a_task_for_ever() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let held = bench.request(worker);
    for _ in 0..REDELIVERIES_MAX {
        bench.tick(LEASE_MILLIS - 1);
        assert_eq!(bench.request(worker), held);
    }
    bench.tick(LEASE_MILLIS - 1);
    assert_eq!(bench.request(worker), None);
    bench.tick(1);
    assert_eq!(bench.drawn(job), "A#.M_");
}

#[test]
fn a_clock_that_is_set_back_stretches_no_lease() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    bench.take(worker);
    bench.now -= 500_000;
    bench.tick(0);
    bench.tick(LEASE_MILLIS);
    assert_eq!(bench.drawn(job), "A#.M_");
}

#[test]
fn a_task_whose_leases_run_out_again_and_again_fails_its_job() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let worker = bench.worker(&["x264"]);
    for time in 1..=EXPIRIES_PER_TASK_MAX {
        assert!(bench.job(job).failure.is_none(), "failed before the {time}th time");
        bench.take(worker);
        bench.tick(LEASE_MILLIS);
    }
    assert_eq!(bench.reason(job), "worker-lost");
    assert_eq!(bench.drawn(job), "A#x-M-");
}
