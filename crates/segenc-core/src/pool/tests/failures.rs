//! Failures: again, elsewhere, or not at all.

use super::bench::{Bench, header, wish};
use crate::failure::FailureKind;
use crate::ids::JobId;
use crate::plan::{PlanHeader, Way};
use crate::pool::command::Command;
use crate::pool::job::JobState;
use crate::pool::limits::{AWAITED_MILLIS, FAILURES_PER_TASK_MAX, LEASE_MILLIS, SILENT_MILLIS};
use crate::pool::worker::WorkerState;

#[test]
fn a_fault_of_source_or_options_fails_the_job_at_once() {
    let mut bench = Bench::new();
    let job = bench.analyzed(3);
    let (one, two) = (bench.worker(&["x264"]), bench.worker(&["x264"]));
    let first = bench.take(one);
    bench.take(two);
    bench.fail(one, first, FailureKind::Task);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A#x--M-", JobState::Failed));
    assert_eq!(bench.reason(job), "it-broke");
    assert_eq!(bench.pool.running().count(), 0);
}

#[test]
fn a_task_that_failed_on_a_worker_goes_to_another() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let (one, two) = (bench.worker(&["x264"]), bench.worker(&["x264"]));
    let first = bench.take(one);
    bench.fail(one, first, FailureKind::Worker);
    assert_eq!(bench.request(one), None);
    bench.work(two);
    assert_eq!(bench.drawn(job), "A##M.");
}

#[test]
fn a_task_that_failed_on_a_worker_comes_back_when_nobody_else_is_heard_of() {
    let mut bench = Bench::new();
    bench.analyzed(1);
    let (one, _silent) = (bench.worker(&["x264"]), bench.worker(&["x264"]));
    let first = bench.take(one);
    bench.fail(one, first, FailureKind::Worker);
    bench.wait(SILENT_MILLIS - 1);
    assert_eq!(bench.request(one), None);
    bench.wait(1);
    assert_eq!(bench.take(one).task, first.task);
}

#[test]
fn a_task_fails_for_good_on_the_third_worker() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let workers = [(); 5].map(|()| bench.worker(&["x264"]));
    for (worker, drawn) in workers.into_iter().zip(["A#.M_", "A#.M_", "A#xM-"]) {
        let attempt = bench.take(worker);
        bench.fail(worker, attempt, FailureKind::Worker);
        assert_eq!(bench.drawn(job), drawn);
    }
    assert_eq!(bench.reason(job), "it-broke");
}

#[test]
fn with_fewer_workers_a_task_fails_for_good_when_it_failed_on_each() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let workers = [(); 2].map(|()| bench.worker(&["x264"]));
    bench.worker(&["opus"]);
    for (worker, drawn) in workers.into_iter().zip(["A#.M_", "A#xM-"]) {
        let attempt = bench.take(worker);
        bench.fail(worker, attempt, FailureKind::Worker);
        assert_eq!(bench.drawn(job), drawn);
    }
}

#[test]
fn bad_luck_on_the_only_worker_is_tried_again_there() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    for _ in 0..2 {
        let attempt = bench.take(worker);
        bench.fail(worker, attempt, FailureKind::Transient);
        assert_eq!(bench.drawn(job), "A#.M_");
    }
    bench.work(worker);
    assert_eq!(bench.drawn(job), "A##M.");
}

#[test]
fn a_task_fails_for_good_after_so_many_failures_in_all() {
    let mut bench = Bench::new();
    let job = bench.analyzed(20);
    let workers = [(); 2].map(|()| bench.worker_with_slots(2, &["x264"]));
    // The first segment fails every time, others succeed in between: nobody is taken out.
    let mut failed = 0;
    while bench.job(job).state != JobState::Failed {
        for worker in workers {
            let Some(attempt) = bench.request(worker) else { continue };
            bench.report(worker, attempt);
            if bench.task(attempt.task).cost == 1000 {
                failed += 1;
                bench.fail(worker, attempt, FailureKind::Transient);
            } else {
                bench.deliver(worker, attempt);
            }
        }
    }
    assert_eq!(failed, FAILURES_PER_TASK_MAX);
    assert_eq!(bench.reason(job), "it-broke");
}

#[test]
fn a_worker_that_fails_three_tasks_in_a_row_is_taken_out_until_put_back() {
    let mut bench = Bench::new();
    bench.analyzed(6);
    let (bad, _good) = (bench.worker(&["x264"]), bench.worker(&["x264"]));
    for _ in 0..2 {
        let attempt = bench.take(bad);
        bench.fail(bad, attempt, FailureKind::Worker);
    }
    bench.work(bad);
    for _ in 0..3 {
        assert_eq!(*bench.state_of(bad), WorkerState::Active, "a success starts the count anew");
        let attempt = bench.take(bad);
        bench.fail(bad, attempt, FailureKind::Transient);
    }
    let WorkerState::TakenOut { reason } = bench.state_of(bad) else { panic!("it goes on") };
    assert!(reason.contains("3 tasks in a row") && reason.contains("something broke"), "{reason}");
    assert_eq!(bench.request(bad), None);
    bench.ask(&Command::ResumeWorker(bad));
    assert_eq!(bench.request(bad), None, "what is left has failed on it, and another can do it");
    bench.tick(SILENT_MILLIS);
    assert!(bench.request(bad).is_some());
}

#[test]
fn if_all_that_could_go_on_are_taken_out_the_job_fails_with_the_last_reason() {
    let mut bench = Bench::new();
    let job = bench.analyzed(4);
    bench.tick(AWAITED_MILLIS);
    let bystander = bench.worker(&["opus"]);
    take_out(&mut bench, job);
    assert_eq!(bench.reason(job), "no-worker-left");
    let failure = bench.job(job).failure.clone().expect("it has failed");
    assert!(failure.message.contains("something broke"), "{}", failure.message);
    assert_eq!(failure.log_tail, "the end");
    assert_eq!(*bench.state_of(bystander), WorkerState::Active);
}

/// A worker that fails until it is taken out.
fn take_out(bench: &mut Bench, job: JobId) {
    let bad = bench.worker(&["x264"]);
    for _ in 0..3 {
        assert_eq!(bench.job(job).state, JobState::Transcoding);
        let attempt = bench.take(bad);
        bench.fail(bad, attempt, FailureKind::Transient);
    }
    assert!(matches!(bench.state_of(bad), WorkerState::TakenOut { .. }));
}

#[test]
fn a_good_worker_that_has_just_signed_off_is_waited_for() {
    let mut bench = Bench::new();
    let job = bench.analyzed(4);
    let good = bench.worker(&["x264"]);
    bench.work(good);
    take_out(&mut bench, job);
    bench.ask(&Command::SignOff(good));
    bench.tick(AWAITED_MILLIS - 1);
    assert_eq!(bench.drawn(job), "A##...M_");
    let profile = super::bench::profile(1, &["x264"]);
    bench.ask(&Command::RegisterWorker { known: Some(good), profile });
    bench.work(good);
    assert_eq!(bench.job(job).state, JobState::Transcoding);
}

#[test]
fn a_good_worker_that_has_signed_off_is_not_waited_for_longer_than_an_hour() {
    let mut bench = Bench::new();
    let job = bench.analyzed(4);
    let good = bench.worker(&["x264"]);
    bench.work(good);
    take_out(&mut bench, job);
    bench.ask(&Command::SignOff(good));
    bench.tick(AWAITED_MILLIS);
    assert_eq!(bench.reason(job), "no-worker-left");
}

#[test]
fn a_clock_that_is_set_forward_ends_no_waiting() {
    let mut bench = Bench::new();
    let job = bench.analyzed(4);
    let good = bench.worker(&["x264"]);
    bench.work(good);
    bench.tick(500);
    take_out(&mut bench, job);
    bench.ask(&Command::SignOff(good));
    bench.wait(2 * AWAITED_MILLIS);
    bench.tick(500);
    assert_eq!(bench.drawn(job), "A##...M_");
}

#[test]
fn a_job_whose_only_worker_is_drained_waits() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    bench.ask(&Command::DrainWorker(worker));
    bench.worker(&["opus"]);
    bench.tick(LEASE_MILLIS);
    assert_eq!(bench.drawn(job), "A#.M_");
}

#[test]
fn without_any_worker_a_job_waits() {
    let mut bench = Bench::empty();
    let job = bench.job_of(wish());
    bench.tick(LEASE_MILLIS);
    assert_eq!(bench.drawn(job), "A.");
}

#[test]
fn an_encoder_that_no_worker_has_fails_the_job_and_names_those_there_are() {
    let mut bench = Bench::empty();
    let job = bench.job_of(wish());
    let worker = bench.worker(&["opus", "svt"]);
    let analysis = bench.take(worker);
    bench.start_plan(analysis, header(Way::Segments));
    bench.extend_plan(analysis, super::bench::film(1));
    assert_eq!(bench.reason(job), "encoder-missing");
    let failure = bench.job(job).failure.clone().expect("it has failed");
    assert_eq!(failure.message, "no worker has x264; the encoders there are: opus, svt");
}

#[test]
fn an_encoder_of_a_worker_that_is_away_is_waited_for() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let worker = bench.worker(&["svt"]);
    let analysis = bench.take(worker);
    bench.start_plan(analysis, PlanHeader { other_streams: true, ..header(Way::Segments) });
    bench.extend_plan(analysis, super::bench::film(1));
    bench.report(worker, analysis);
    bench.tick(LEASE_MILLIS - 1);
    assert_eq!(bench.drawn(job), "A>O..");
}
