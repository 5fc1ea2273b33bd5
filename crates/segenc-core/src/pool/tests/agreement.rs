//! Builds of the encoder that do not agree: who gets which job's segments, told from what each wrote when it was tried.

use super::bench::{Bench, profile};
use crate::failure::FailureKind;
use crate::ids::{AttemptId, WorkerId};
use crate::pool::command::{Answer, Command};
use crate::pool::job::JobState;
use crate::pool::limits::SILENT_MILLIS;
use crate::pool::task::Observed;
use crate::pool::worker::WorkerProfile;
use crate::schedule;

/// A worker whose encoder wrote this when it was tried.
fn worker(bench: &mut Bench, wrote: &str, cores: u32) -> WorkerId {
    let trial_sets = [("x264".to_owned(), wrote.to_owned())].into();
    let profile = WorkerProfile { cores, trial_sets, ..profile(1, &["x264"]) };
    match bench.ask(&Command::RegisterWorker { known: None, profile }) {
        Answer::Worker(worker) => worker,
        other => panic!("{other:?}"),
    }
}

fn deliver_odd(bench: &mut Bench, worker: WorkerId, attempt: AttemptId) {
    bench.store(worker, attempt);
    let odd = Some("odd".to_owned());
    let observed = Observed { extradata_sha256: odd, ..bench.good(attempt) };
    bench.finish(worker, attempt, observed);
}

#[test]
fn a_worker_that_would_make_other_headers_gets_not_one_segment() {
    let mut bench = Bench::new();
    let job = bench.analyzed(3);
    let (usual, odd) = (worker(&mut bench, "a", 4), worker(&mut bench, "b", 4));
    bench.work(usual);
    assert_eq!(bench.request(odd), None);
    assert_eq!(bench.job(job).trial_sets.as_deref(), Some("a"));
    let odd = bench.pool.worker(odd).expect("it has joined");
    let kept = schedule::kept_from(&bench.pool, &bench.leases, bench.now, odd);
    assert_eq!(kept.map(|kept| kept.id), Some(job), "and it can be told why");
    bench.work(usual);
    bench.work(usual);
    assert_eq!(bench.drawn(job), "A####M.");
}

#[test]
fn before_the_first_segment_is_finished_most_processors_decide() {
    let mut bench = Bench::new();
    bench.analyzed(4);
    let small = [(); 3].map(|()| worker(&mut bench, "a", 2));
    let large = worker(&mut bench, "b", 4);
    assert_eq!(bench.request(large), None, "six processors against four");
    for small in small {
        bench.take(small);
    }
}

#[test]
fn builds_that_wrote_the_same_share_the_work() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let (one, two) = (worker(&mut bench, "a", 1), worker(&mut bench, "a", 8));
    bench.work(one);
    bench.work(two);
    assert_eq!(bench.drawn(job), "A###M.");
}

#[test]
fn a_worker_that_told_nothing_may_try() {
    let mut bench = Bench::new();
    bench.analyzed(2);
    let usual = worker(&mut bench, "a", 4);
    let silent = bench.worker(&["x264"]);
    bench.work(usual);
    assert!(bench.request(silent).is_some());
}

#[test]
fn an_odd_worker_takes_segments_when_nobody_else_is_heard_of() {
    let mut bench = Bench::new();
    bench.analyzed(2);
    let (usual, odd) = (worker(&mut bench, "a", 4), worker(&mut bench, "b", 1));
    bench.work(usual);
    assert_eq!(bench.request(odd), None);
    bench.tick(SILENT_MILLIS);
    assert!(bench.request(odd).is_some());
}

#[test]
fn other_work_of_the_job_goes_to_odd_workers_too() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let (usual, odd) = (worker(&mut bench, "a", 4), worker(&mut bench, "b", 4));
    bench.work(usual);
    assert_eq!(bench.drawn(job), "A##M.");
    bench.work(odd);
    assert_eq!(bench.job(job).state, JobState::Completed);
}

#[test]
fn what_failed_on_the_only_fitting_worker_is_tried_on_an_odd_one_before_the_job_fails() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let (usual, odd) = (worker(&mut bench, "a", 4), worker(&mut bench, "b", 1));
    bench.work(usual);
    let attempt = bench.take(usual);
    bench.fail(usual, attempt, FailureKind::Worker);
    assert_eq!(bench.request(usual), None);
    let again = bench.take(odd);
    assert_eq!(again.task, attempt.task);
    deliver_odd(&mut bench, odd, again);
    assert!(!bench.job(job).is_split(), "nobody can make that segment: the film goes in one piece");
    assert_eq!(bench.drawn(job), "A#--M_W.");
}

#[test]
fn builds_that_wrote_the_same_and_differ_all_the_same_are_found_out_by_their_segments() {
    let mut bench = Bench::new();
    let job = bench.analyzed(4);
    let (usual, odd) = (worker(&mut bench, "a", 4), worker(&mut bench, "a", 4));
    bench.work(usual);
    let attempt = bench.take(odd);
    deliver_odd(&mut bench, odd, attempt);
    assert_eq!(bench.request(odd), None);
    let odd = bench.pool.worker(odd).expect("it has joined");
    let kept = schedule::kept_from(&bench.pool, &bench.leases, bench.now, odd);
    assert_eq!(kept.map(|kept| kept.id), Some(job));
}
