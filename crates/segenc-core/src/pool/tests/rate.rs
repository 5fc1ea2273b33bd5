//! A wished size: measured, allocated, encoded, and taken again where it was missed.

use super::bench::{Bench, film, header, whole, wish};
use crate::failure::FailureKind;
use crate::ids::{AttemptId, JobId, TaskId, WorkerId};
use crate::plan::{Origin, OutputStream, PlanHeader, Way};
use crate::pool::command::{Command, NewJob};
use crate::pool::job::JobState;
use crate::pool::task::{Observed, TaskKind, TaskState};
use crate::rate::{Notes, Overshoot, Passes, QualityScale, RateAim, RateWish};

/// Each of the bench's segments lasts 100 microseconds, so that this is 10,000 bits for each.
const BITS_PER_SECOND: u64 = 100_000_000;

pub(super) fn sized(aim: RateAim) -> NewJob {
    let mut wish = wish();
    wish.spec.rate = Some(RateWish {
        aim,
        passes: Passes {
            measure: Vec::new(),
            quality: QualityScale {
                option: "crf".to_owned(),
                at_reference: 20,
                per_halving: 6,
                least: 10,
                most: 40,
            },
            real: Vec::new(),
            bitrate_option: "b:v".to_owned(),
            notes: Notes::Measured,
            overshoot: Overshoot { usual: 0, per_doubling: 0 },
        },
    });
    wish
}

fn bitrate() -> NewJob {
    sized(RateAim::BitsPerSecond(BITS_PER_SECOND))
}

/// A job with its analysis still running, by a worker that can do nothing else.
fn planned(bench: &mut Bench, wish: NewJob, segments: u32) -> (JobId, WorkerId, AttemptId) {
    let job = bench.job_of(wish);
    let reader = bench.worker(&[]);
    let analysis = bench.take(reader);
    bench.start_plan(analysis, header(Way::Segments));
    bench.extend_plan(analysis, film(segments));
    (job, reader, analysis)
}

/// Delivers an attempt whose film has so many bits.
fn deliver(bench: &mut Bench, worker: WorkerId, attempt: AttemptId, bits: u64) {
    bench.store(worker, attempt);
    let observed = Observed { media_bytes: Some(bits / 8), ..bench.good(attempt) };
    bench.finish(worker, attempt, observed);
}

fn work(bench: &mut Bench, worker: WorkerId, bits: u64) -> TaskId {
    let attempt = bench.take(worker);
    deliver(bench, worker, attempt, bits);
    attempt.task
}

#[test]
fn segments_wait_until_all_are_measured_and_the_plan_is_complete() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = planned(&mut bench, bitrate(), 2);
    let worker = bench.worker(&["x264"]);
    assert_eq!(bench.drawn(job), "A>m._m._");
    work(&mut bench, worker, 8_000);
    work(&mut bench, worker, 24_000);
    assert_eq!(bench.drawn(job), "A>m#_m#_");
    bench.finish(reader, analysis, Observed::default());
    assert_eq!(bench.drawn(job), "A#m#.m#.M_");
    let allocation = bench.job(job).allocation.clone().expect("all is measured");
    assert_eq!(
        (allocation.due.as_slice(), bench.job(job).state),
        ([5_000, 15_000].as_slice(), JobState::Transcoding)
    );
    work(&mut bench, worker, 5_000);
    work(&mut bench, worker, 15_000);
    bench.work(worker);
    assert_eq!(
        (bench.drawn(job).as_str(), bench.job(job).state),
        ("A#m##m##M#", JobState::Completed)
    );
}

#[test]
fn the_same_measurements_give_the_same_bits_in_whatever_order_they_come() {
    let allocation = |reversed: bool| {
        let mut bench = Bench::new();
        let (job, reader, analysis) = planned(&mut bench, bitrate(), 3);
        bench.finish(reader, analysis, Observed::default());
        let worker = bench.worker_with_slots(3, &["x264"]);
        let mut attempts: Vec<AttemptId> = (0..3).map(|_| bench.take(worker)).collect();
        if reversed {
            attempts.reverse();
        }
        for attempt in attempts {
            let TaskKind::Measure(index) = bench.task(attempt.task).kind else {
                panic!("only measurements are ready")
            };
            deliver(&mut bench, worker, attempt, 8_000 * u64::from(index + 1));
        }
        bench.job(job).allocation.clone().expect("all is measured")
    };
    assert_eq!(allocation(false), allocation(true));
}

#[test]
fn a_film_that_missed_its_size_has_its_worst_segments_taken_again_twice_at_most() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = planned(&mut bench, bitrate(), 2);
    let worker = bench.worker(&["x264"]);
    bench.finish(reader, analysis, Observed::default());
    for bits in [8_000, 8_000, 10_000] {
        work(&mut bench, worker, bits);
    }
    work(&mut bench, worker, 12_000);
    assert_eq!(bench.drawn(job), "A#m##m##M_r.");
    assert_eq!(bench.job(job).bits_asked(1, TaskKind::Retake(1)), Some(8_333));
    work(&mut bench, worker, 11_000);
    assert_eq!(bench.drawn(job), "A#m##m##M_r#r.");
    assert_eq!(bench.job(job).bits_asked(1, TaskKind::Retake(1)), Some(7_575));
    // Missed again: that is how the encoder is.
    work(&mut bench, worker, 11_000);
    assert_eq!(bench.drawn(job), "A#m##m##M.r#r#");
    bench.work(worker);
    assert_eq!(bench.job(job).state, JobState::Completed);
}

#[test]
fn a_measurement_with_wrong_frames_goes_down_the_ladder() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = planned(&mut bench, bitrate(), 1);
    bench.finish(reader, analysis, Observed::default());
    let worker = bench.worker(&["opus", "x264"]);
    for _ in 0..2 {
        let attempt = bench.take(worker);
        bench.store(worker, attempt);
        bench.finish(worker, attempt, Observed::default());
    }
    assert_eq!(bench.drawn(job), "A#m--M_W.");
}

#[test]
fn a_retried_job_keeps_its_measurements() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = planned(&mut bench, bitrate(), 2);
    bench.finish(reader, analysis, Observed::default());
    let worker = bench.worker(&["x264"]);
    work(&mut bench, worker, 8_000);
    bench.ask(&Command::CancelJob(job));
    assert_eq!(bench.drawn(job), "A#m#cmccMc");
    bench.ask(&Command::RetryJob(job));
    assert_eq!(bench.drawn(job), "A#m#_m._M_");
    work(&mut bench, worker, 8_000);
    assert_eq!(bench.drawn(job), "A#m#.m#.M_");
    bench.ask(&Command::CancelJob(job));
    bench.ask(&Command::RetryJob(job));
    assert_eq!(bench.drawn(job), "A#m#.m#.M_");
}

/// A job whose file has a copied stream and an encoded one beside the film.
fn with_others(bench: &mut Bench, bytes: u64) -> (JobId, WorkerId, AttemptId) {
    let job = bench.job_of(sized(RateAim::FileBytes(bytes)));
    let reader = bench.worker(&[]);
    let analysis = bench.take(reader);
    let copied = OutputStream { source_stream: 1, origin: Origin::Copied };
    let header = PlanHeader { other_streams: true, layout: vec![copied], ..header(Way::Segments) };
    bench.start_plan(analysis, header);
    bench.extend_plan(analysis, film(1));
    (job, reader, analysis)
}

#[test]
fn a_file_s_size_waits_for_what_is_beside_the_film() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = with_others(&mut bench, 10_000);
    bench.finish(reader, analysis, Observed::default());
    assert_eq!(bench.drawn(job), "A#O.w.m._M_");
    let worker = bench.worker(&["opus", "x264"]);
    let parts: Vec<_> = (0..3).map(|_| bench.work(worker)).collect();
    assert_eq!(parts.len(), 3);
    assert_eq!(bench.drawn(job), "A#O#w#m#.M_");
    let due = bench.job(job).allocation.as_ref().map(|allocation| allocation.due.clone());
    // A thousand bytes weighed, one encoded, and eight for each of a hundred frames.
    assert_eq!(due, Some(vec![8 * (10_000 - 1_000 - 1 - 800)]));
}

#[test]
fn a_size_that_the_sound_alone_exceeds_fails_the_job_however_often_it_is_retried() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = with_others(&mut bench, 1_000);
    bench.finish(reader, analysis, Observed::default());
    let worker = bench.worker(&["opus", "x264"]);
    for _ in 0..3 {
        bench.work(worker);
    }
    assert_eq!(
        (bench.reason(job), bench.drawn(job).as_str()),
        ("target-size-too-small", "A#O#w#m#-M-")
    );
    bench.ask(&Command::RetryJob(job));
    assert_eq!(
        (bench.reason(job), bench.job(job).state),
        ("target-size-too-small", JobState::Failed)
    );
}

#[test]
fn a_worker_that_weighs_nothing_is_not_believed() {
    let mut bench = Bench::new();
    let (job, ..) = with_others(&mut bench, 10_000);
    let first = bench.worker(&[]);
    bench.worker(&[]);
    let attempt = bench.take(first);
    assert_eq!(bench.task(attempt.task).kind, TaskKind::Weigh);
    bench.finish(first, attempt, Observed::default());
    let failure = bench.task(attempt.task).attempts[0].failure.clone().expect("it failed");
    assert_eq!((failure.reason.as_str(), failure.kind), ("not-weighed", FailureKind::Worker));
    assert_eq!(bench.task(attempt.task).state, TaskState::Ready);
    assert_eq!(bench.job(job).state, JobState::Analyzing);
}

#[test]
fn no_size_is_promised_for_a_film_in_one_piece() {
    let mut bench = Bench::new();
    let job = bench.job_of(sized(RateAim::FileBytes(1_000_000)));
    let worker = bench.worker(&["opus", "x264"]);
    let analysis = bench.take(worker);
    bench.start_plan(analysis, header(whole()));
    assert_eq!(bench.reason(job), "target-size-needs-segments");
    bench.ask(&Command::RetryJob(job));
    assert_eq!(bench.job(job).state, JobState::Failed);

    let (job, ..) = planned(&mut bench, sized(RateAim::FileBytes(1_000_000)), 1);
    bench.ask(&Command::AbandonSplit { job, reason: "edit list".to_owned() });
    assert_eq!(bench.reason(job), "target-size-needs-segments");
    bench.ask(&Command::RetryJob(job));
    assert_eq!(bench.job(job).state, JobState::Failed);
}
