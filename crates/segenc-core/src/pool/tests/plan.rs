//! The plan as it grows.

use super::bench::{Bench, facts, film, header, segment, whole, wish};
use crate::plan::{PlanHeader, Way};
use crate::pool::command::{Answer, Command, Rejection};
use crate::pool::job::JobState;
use crate::pool::task::Observed;

#[test]
fn segments_are_encoded_while_the_analysis_still_runs() {
    let mut bench = Bench::new();
    let (job, _, analysis) = bench.planned(2);
    let worker = bench.worker(&["x264"]);
    bench.work(worker);
    assert_eq!(bench.drawn(job), "A>#.");
    bench.extend_plan(analysis, film(4));
    assert_eq!(bench.drawn(job), "A>#...");
}

#[test]
fn all_segments_done_before_the_analysis_ends_do_not_start_the_merge() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = bench.planned(1);
    let worker = bench.worker(&["x264"]);
    bench.work(worker);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A>#", JobState::Analyzing));
    bench.finish(reader, analysis, Observed::default());
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A##M.", JobState::Merging));
}

#[test]
fn a_second_analysis_that_says_the_same_goes_on_where_the_first_ended() {
    let mut bench = Bench::new();
    let (job, reader, first) = bench.planned(2);
    bench.ask(&Command::SignOff(reader));
    let reader = bench.worker(&[]);
    let second = bench.take(reader);
    assert_eq!(second.task, first.task);
    let events = bench.stored.len();
    bench.start_plan(second, header(Way::Segments));
    bench.extend_plan(second, film(2));
    assert_eq!(bench.stored.len(), events);
    bench.extend_plan(second, film(3));
    assert_eq!(bench.drawn(job), "A>...");
    let late = Command::ExtendPlan { attempt: first, segments: film(9) };
    assert!(matches!(bench.refuse(&late), Rejection::StaleAttempt { .. }));
}

#[test]
fn a_plan_that_says_something_else_is_refused() {
    let mut bench = Bench::new();
    let (job, _, attempt) = bench.planned(2);
    let other = vec![segment(1, 5)];
    let refused = bench.refuse(&Command::ExtendPlan { attempt, segments: other });
    assert_eq!(refused, Rejection::PlanChanged { job, index: 1 });
    let gap = vec![segment(3, 5)];
    let refused = bench.refuse(&Command::ExtendPlan { attempt, segments: gap });
    assert_eq!(refused, Rejection::PlanChanged { job, index: 3 });
    let header = PlanHeader { target_millis: 1, ..header(Way::Segments) };
    let refused = bench.refuse(&Command::StartPlan { attempt, facts: Box::new(facts()), header });
    assert_eq!(refused, Rejection::PlanChanged { job, index: 0 });
    assert_eq!(bench.drawn(job), "A>..");
}

#[test]
fn an_analysis_without_a_plan_is_not_finished() {
    let mut bench = Bench::new();
    bench.job_of(wish());
    let worker = bench.worker(&[]);
    let attempt = bench.take(worker);
    let finish = Command::FinishTask { worker, attempt, observed: Observed::default() };
    assert_eq!(bench.refuse(&finish), Rejection::NoOutput(attempt));
}

#[test]
fn a_whole_title_is_one_task_and_a_merge() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let worker = bench.worker(&["opus", "x264"]);
    let analysis = bench.take(worker);
    bench.start_plan(analysis, PlanHeader { other_streams: true, ..header(whole()) });
    assert_eq!(bench.drawn(job), "A>W.");
    assert_eq!(
        bench.ask(&Command::ExtendPlan { attempt: analysis, segments: film(1) }),
        Answer::Done
    );
    bench.finish(worker, analysis, Observed::default());
    assert_eq!(bench.drawn(job), "A#W.M_");
    bench.work(worker);
    bench.work(worker);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A#W#M#", JobState::Completed));
}

#[test]
fn the_merge_waits_for_the_other_streams_too() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let worker = bench.worker(&["x264"]);
    let analysis = bench.take(worker);
    bench.start_plan(analysis, PlanHeader { other_streams: true, ..header(Way::Segments) });
    bench.extend_plan(analysis, film(1));
    bench.finish(worker, analysis, Observed::default());
    bench.work(worker);
    assert_eq!(bench.drawn(job), "A#O.#M_");
    let listener = bench.worker(&["opus"]);
    bench.work(listener);
    assert_eq!(bench.drawn(job), "A#O##M.");
}

#[test]
fn a_film_that_is_only_copied_goes_straight_to_the_merge() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let worker = bench.worker(&[]);
    let analysis = bench.take(worker);
    bench.start_plan(analysis, PlanHeader { film: None, ..header(Way::Segments) });
    bench.finish(worker, analysis, Observed::default());
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A#M.", JobState::Merging));
}

#[test]
fn an_abandoned_split_aborts_the_parts_and_makes_the_film_in_one_piece() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = bench.planned(3);
    let worker = bench.worker(&["opus", "x264"]);
    bench.work(worker);
    bench.take(worker);
    let reason = "edit list".to_owned();
    bench.ask(&Command::AbandonSplit { job, reason: reason.clone() });
    assert_eq!(bench.drawn(job), "A>---W.");
    assert_eq!(bench.job(job).split_abandoned, Some(reason.clone()));
    let events = bench.stored.len();
    assert_eq!(bench.ask(&Command::AbandonSplit { job, reason }), Answer::Done);
    bench.start_plan(analysis, header(Way::Segments));
    bench.extend_plan(analysis, film(4));
    assert_eq!(bench.stored.len(), events, "the analysis may go on telling its old plan");
    bench.finish(reader, analysis, Observed::default());
    bench.work(worker);
    bench.work(worker);
    assert_eq!(
        (bench.drawn(job).as_str(), bench.job(job).state),
        ("A#---W#M#", JobState::Completed)
    );
}
