//! Workers that come, go, and are sent away.

use super::bench::{Bench, profile};
use crate::ids::WorkerId;
use crate::pool::command::{Answer, Command, Directive, Rejection};
use crate::pool::limits::ATTEMPTS_PER_TASK_MAX;
use crate::pool::task::AttemptState;
use crate::pool::worker::WorkerState;

#[test]
fn a_worker_that_comes_back_keeps_its_identity_and_has_nothing() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let held = bench.take(worker);
    let back =
        Command::RegisterWorker { known: Some(worker), profile: profile(4, &["opus", "x264"]) };
    assert_eq!(bench.ask(&back), Answer::Worker(worker));
    assert_eq!(bench.drawn(job), "A#.M_");
    let ended = bench.task(held.task).attempt(held.number).map(|attempt| attempt.state);
    assert_eq!(ended, Some(AttemptState::Expired));
    assert_eq!(bench.report(worker, held), Directive::Stop);
    assert_eq!(bench.pool.worker(worker).map(|worker| worker.profile.slots), Some(4));
}

#[test]
fn a_worker_that_was_removed_has_to_join_anew() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    bench.take(worker);
    bench.ask(&Command::RemoveWorker(worker));
    assert_eq!(bench.drawn(job), "A#.M_");
    let back = Command::RegisterWorker { known: Some(worker), profile: profile(1, &[]) };
    assert_eq!(bench.refuse(&back), Rejection::UnknownWorker(worker));
    assert_eq!(bench.worker(&["x264"]), WorkerId(worker.0 + 1));
}

#[test]
fn a_drained_worker_finishes_what_it_has_and_takes_no_more() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let worker = bench.worker(&["x264"]);
    let held = bench.take(worker);
    bench.ask(&Command::DrainWorker(worker));
    assert_eq!(bench.request(worker), None);
    bench.deliver(worker, held);
    assert_eq!(bench.drawn(job), "A##.M_");
    bench.ask(&Command::ResumeWorker(worker));
    bench.work(worker);
    assert_eq!(bench.drawn(job), "A###M.");
}

#[test]
fn a_worker_that_signs_off_gives_back_what_it_holds() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let held = bench.take(worker);
    bench.ask(&Command::SignOff(worker));
    bench.ask(&Command::SignOff(worker));
    assert_eq!(
        (bench.drawn(job).as_str(), bench.state_of(worker)),
        ("A#.M_", &WorkerState::SignedOff)
    );
    assert_eq!(bench.report(worker, held), Directive::Stop);
    assert_eq!(bench.request(worker), None);
    let back = Command::RegisterWorker { known: Some(worker), profile: profile(1, &["x264"]) };
    bench.ask(&back);
    bench.work(worker);
    assert_eq!(bench.drawn(job), "A##M.");
}

#[test]
fn a_released_worker_gives_back_what_it_holds_and_may_go_on() {
    let mut bench = Bench::new();
    let job = bench.analyzed(3);
    let worker = bench.worker_with_slots(2, &["x264"]);
    bench.take(worker);
    bench.take(worker);
    bench.ask(&Command::ReleaseWorker(worker));
    assert_eq!(bench.drawn(job), "A#...M_");
    assert!(bench.request(worker).is_some());
}

#[test]
fn leaving_and_coming_back_is_no_repair() {
    let mut bench = Bench::new();
    bench.analyzed(5);
    bench.worker(&["x264"]);
    let bad = bench.worker(&["x264"]);
    for _ in 0..3 {
        let attempt = bench.take(bad);
        bench.fail(bad, attempt, crate::failure::FailureKind::Worker);
    }
    bench.ask(&Command::SignOff(bad));
    bench.ask(&Command::RegisterWorker { known: Some(bad), profile: profile(1, &["x264"]) });
    assert!(matches!(bench.state_of(bad), WorkerState::TakenOut { .. }));
}

#[test]
fn a_task_that_is_given_back_for_ever_fails_in_the_end() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    for _ in 0..ATTEMPTS_PER_TASK_MAX {
        assert_eq!(bench.drawn(job), "A#.M_");
        bench.take(worker);
        bench.ask(&Command::ReleaseWorker(worker));
    }
    assert_eq!(bench.reason(job), "too-many-attempts");
}

#[test]
fn commands_to_a_worker_that_is_not_there_are_refused() {
    let mut bench = Bench::new();
    let nobody = WorkerId(77);
    for command in [
        Command::DrainWorker(nobody),
        Command::ResumeWorker(nobody),
        Command::ReleaseWorker(nobody),
        Command::RemoveWorker(nobody),
        Command::SignOff(nobody),
        Command::RequestTask(nobody),
    ] {
        assert_eq!(bench.refuse(&command), Rejection::UnknownWorker(nobody));
    }
}
