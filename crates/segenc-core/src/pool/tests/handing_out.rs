//! Who gets which task, in which order, and how many.

use super::bench::{Bench, film, header, segment, wish};
use crate::ids::WorkerId;
use crate::plan::{PlanHeader, Way};
use crate::pool::command::NewJob;
use crate::pool::limits::SLOTS_MAX;
use crate::pool::task::TaskKind;

/// The kinds of the next tasks that a worker gets, with their jobs.
fn taken(bench: &mut Bench, worker: WorkerId, count: usize) -> Vec<(u64, TaskKind)> {
    (0..count)
        .map(|_| {
            let attempt = bench.take(worker);
            let task = bench.task(attempt.task);
            (task.job.0, task.kind)
        })
        .collect()
}

#[test]
fn the_longest_goes_first_and_the_older_among_equals() {
    let mut bench = Bench::new();
    let (_, _, analysis) = bench.planned(0);
    let costs = [5, 9, 9, 1];
    let segments = (0..).zip(costs).map(|(index, cost)| segment(index, cost)).collect();
    bench.extend_plan(analysis, segments);
    let worker = bench.worker_with_slots(8, &["x264"]);
    let order = [1, 2, 0, 3].map(|index| (1, TaskKind::Segment(index)));
    assert_eq!(taken(&mut bench, worker, 4), order);
}

#[test]
fn what_others_wait_for_goes_before_segments() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let worker = bench.worker_with_slots(9, &["opus", "x264"]);
    let analysis = bench.take(worker);
    bench.start_plan(analysis, PlanHeader { other_streams: true, ..header(Way::Segments) });
    bench.extend_plan(analysis, film(2));
    let second = bench.job_of(wish());
    assert_eq!(
        taken(&mut bench, worker, 3),
        [
            (second.0, TaskKind::Analysis),
            (job.0, TaskKind::OtherStreams),
            (job.0, TaskKind::Segment(0)),
        ]
    );
}

#[test]
fn the_higher_priority_goes_first_whatever_the_kind() {
    let mut bench = Bench::new();
    bench.analyzed(1);
    let urgent = bench.job_of(NewJob { priority: 5, ..wish() });
    let idle = bench.job_of(NewJob { priority: -5, ..wish() });
    let worker = bench.worker_with_slots(4, &["x264"]);
    assert_eq!(
        taken(&mut bench, worker, 3),
        [(urgent.0, TaskKind::Analysis), (1, TaskKind::Segment(0)), (idle.0, TaskKind::Analysis)]
    );
}

#[test]
fn a_worker_gets_only_what_it_has_the_encoders_for() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let reader = bench.worker(&[]);
    let analysis = bench.take(reader);
    bench.start_plan(analysis, PlanHeader { other_streams: true, ..header(Way::Segments) });
    bench.extend_plan(analysis, film(1));
    let listener = bench.worker_with_slots(4, &["opus"]);
    assert_eq!(taken(&mut bench, listener, 1), [(job.0, TaskKind::OtherStreams)]);
    assert_eq!(bench.request(listener), None);
    let seer = bench.worker_with_slots(4, &["x264"]);
    assert_eq!(taken(&mut bench, seer, 1), [(job.0, TaskKind::Segment(0))]);
}

#[test]
fn a_whole_title_takes_a_worker_with_all_its_encoders() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let reader = bench.worker(&["opus"]);
    let analysis = bench.take(reader);
    bench.start_plan(analysis, header(super::bench::whole()));
    let seer = bench.worker(&["x264"]);
    assert_eq!(bench.request(seer), None);
    let both = bench.worker(&["opus", "x264"]);
    assert_eq!(taken(&mut bench, both, 1), [(job.0, TaskKind::Whole)]);
}

#[test]
fn a_worker_fetches_one_task_ahead_while_there_are_plenty() {
    let mut bench = Bench::new();
    bench.analyzed(8);
    let worker = bench.worker_with_slots(2, &["x264"]);
    assert_eq!(taken(&mut bench, worker, 3).len(), 3);
    assert_eq!(bench.request(worker), None);
}

#[test]
fn at_the_tail_nobody_takes_a_task_ahead_of_a_free_slot() {
    let mut bench = Bench::new();
    bench.analyzed(3);
    let (slow, fast) = (bench.worker(&["x264"]), bench.worker(&["x264"]));
    bench.take(slow);
    assert_eq!(bench.request(slow), None, "two are left for two slots");
    bench.work(fast);
    bench.work(fast);
}

#[test]
fn a_worker_without_slots_gets_nothing_and_one_with_millions_not_everything() {
    let mut bench = Bench::new();
    bench.analyzed(SLOTS_MAX * 3);
    let none = bench.worker_with_slots(0, &["x264"]);
    assert_eq!(bench.request(none), None);
    let greedy = bench.worker_with_slots(u32::MAX, &["x264"]);
    let mut got = 0;
    while bench.request(greedy).is_some() {
        got += 1;
    }
    assert_eq!(got, SLOTS_MAX + 1);
}
