//! What comes out wrong: the rungs from a longer run-up to the unsplit way.

use super::bench::{Bench, header, whole, wish};
use crate::failure::FailureKind;
use crate::ids::{AttemptId, WorkerId};
use crate::pool::job::JobState;
use crate::pool::task::{Check, Observed};
use crate::pool::worker::WorkerState;

/// Delivers an attempt with one frame too few.
fn deliver_short(bench: &mut Bench, worker: WorkerId, attempt: AttemptId) {
    let mut observed = bench.good(attempt);
    if let Some(frames) = &mut observed.frames {
        frames.count -= 1;
    }
    bench.store(worker, attempt);
    bench.finish(worker, attempt, observed);
}

/// Delivers an attempt made by another build of the encoder.
fn deliver_odd(bench: &mut Bench, worker: WorkerId, attempt: AttemptId) {
    let mut observed = bench.good(attempt);
    observed.extradata_sha256 = Some("odd".to_owned());
    bench.store(worker, attempt);
    bench.finish(worker, attempt, observed);
}

#[test]
fn the_first_mismatch_of_a_segment_lengthens_its_run_up() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let worker = bench.worker(&["opus", "x264"]);
    let first = bench.take(worker);
    deliver_short(&mut bench, worker, first);
    assert!(bench.task(first.task).longer_run_up);
    assert_eq!(bench.drawn(job), "A#..M_");
    let again = bench.work(worker);
    assert_eq!(again.task, first.task, "the same worker may do it");
    assert_eq!(bench.drawn(job), "A##.M_");
}

#[test]
fn a_mismatch_with_the_longer_run_up_abandons_the_split() {
    let mut bench = Bench::new();
    let job = bench.analyzed(3);
    let worker = bench.worker(&["opus", "x264"]);
    bench.work(worker);
    for _ in 0..2 {
        let attempt = bench.take(worker);
        deliver_short(&mut bench, worker, attempt);
    }
    assert_eq!(bench.drawn(job), "A#---M_W.");
    let why = bench.job(job).split_abandoned.clone().expect("the split is abandoned");
    assert!(why.contains("99 frames") && why.contains("100 frames"), "{why}");
    bench.work(worker);
    bench.work(worker);
    assert_eq!(bench.job(job).state, JobState::Completed);
}

#[test]
fn frames_that_nobody_counted_are_a_mismatch() {
    let mut bench = Bench::new();
    bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let attempt = bench.take(worker);
    bench.store(worker, attempt);
    bench.finish(worker, attempt, Observed::default());
    assert!(bench.task(attempt.task).longer_run_up);
}

#[test]
fn a_merge_that_does_not_pass_its_checks_abandons_the_split_and_publishes_nothing() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["opus", "x264"]);
    bench.work(worker);
    let merge = bench.take(worker);
    bench.store(worker, merge);
    let check = Check { name: "dts".to_owned(), passed: false, detail: "goes back".to_owned() };
    bench.finish(worker, merge, Observed { checks: vec![check], ..Observed::default() });
    assert_eq!(bench.drawn(job), "A#-M_W.");
    assert_eq!(bench.job(job).state, JobState::Transcoding);
    bench.work(worker);
    let merge = bench.take(worker);
    bench.fail(worker, merge, FailureKind::Mismatch);
    assert_eq!(bench.job(job).state, JobState::Failed, "there is no rung below the unsplit way");
}

#[test]
fn a_merge_with_frames_missing_is_a_mismatch() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let worker = bench.worker(&["opus", "x264"]);
    bench.work(worker);
    bench.work(worker);
    let merge = bench.take(worker);
    bench.store(worker, merge);
    let frames = super::bench::segment(0, 1).expected;
    bench.finish(worker, merge, Observed { frames: Some(frames), ..Observed::default() });
    assert_eq!(bench.drawn(job), "A#--M_W.");
}

#[test]
fn a_mismatch_of_the_whole_title_fails_the_job() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let worker = bench.worker(&["opus", "x264"]);
    let analysis = bench.take(worker);
    bench.start_plan(analysis, header(whole()));
    bench.finish(worker, analysis, Observed::default());
    let attempt = bench.take(worker);
    bench.fail(worker, attempt, FailureKind::Mismatch);
    assert_eq!(bench.drawn(job), "A#WxM-");
}

#[test]
fn a_worker_whose_encoder_differs_gets_no_more_segments_of_the_job() {
    let mut bench = Bench::new();
    let job = bench.analyzed(4);
    let (usual, odd) = (bench.worker(&["x264"]), bench.worker(&["x264"]));
    bench.work(usual);
    let attempt = bench.take(odd);
    deliver_odd(&mut bench, odd, attempt);
    assert_eq!(bench.drawn(job), "A##...M_");
    assert_eq!(bench.request(odd), None);
    assert_eq!(*bench.state_of(odd), WorkerState::Active);
    assert_eq!(bench.take(usual).task, attempt.task);
}

#[test]
fn three_workers_with_other_parameter_sets_abandon_the_split() {
    let mut bench = Bench::new();
    let job = bench.analyzed(3);
    let strange = bench.worker(&["x264"]);
    bench.work(strange);
    let attempt = bench.take(strange);
    bench.ask(&crate::pool::command::Command::ReleaseWorker(strange));
    for _ in 0..3 {
        assert!(bench.job(job).is_split());
        let worker = bench.worker(&["x264"]);
        let again = bench.take(worker);
        assert_eq!(again.task, attempt.task);
        deliver_odd(&mut bench, worker, again);
    }
    assert!(!bench.job(job).is_split());
    assert_eq!(bench.drawn(job), "A#---M_W.");
}
