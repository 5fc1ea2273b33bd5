//! Workers that come, go, and are sent away.

use super::bench::{Bench, profile};
use crate::ids::WorkerId;
use crate::pool::command::{Answer, Command, Directive, Rejection};
use crate::pool::limits::{ATTEMPTS_PER_TASK_MAX, LEASE_MILLIS};
use crate::pool::task::AttemptState;
use crate::pool::worker::{WorkerProfile, WorkerState};

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
        Command::PauseWorker(nobody),
        Command::ResumeWorker(nobody),
        Command::RestWorker { worker: nobody, until: 0 },
        Command::ReleaseWorker(nobody),
        Command::RemoveWorker(nobody),
        Command::SignOff(nobody),
        Command::RequestTask(nobody),
    ] {
        assert_eq!(bench.refuse(&command), Rejection::UnknownWorker(nobody));
    }
}

#[test]
fn a_paused_worker_stands_still_keeps_its_lease_and_goes_on() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let worker = bench.worker_with_slots(2, &["x264"]);
    let held = bench.take(worker);
    bench.ask(&Command::PauseWorker(worker));
    bench.ask(&Command::PauseWorker(worker));
    assert_eq!(bench.request(worker), None);
    for _ in 0..10 {
        bench.tick(LEASE_MILLIS - 1);
        assert_eq!(bench.report(worker, held), Directive::Pause);
    }
    bench.ask(&Command::ResumeWorker(worker));
    assert_eq!(bench.report(worker, held), Directive::Continue);
    bench.deliver(worker, held);
    assert_eq!(bench.drawn(job), "A##.M_");
}

#[test]
fn a_paused_worker_that_is_silent_loses_what_it_has_like_any_other() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    bench.take(worker);
    bench.ask(&Command::PauseWorker(worker));
    bench.tick(LEASE_MILLIS);
    assert_eq!(bench.drawn(job), "A#.M_");
}

#[test]
fn a_paused_worker_may_be_released_drained_or_leave() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let held = bench.take(worker);
    bench.ask(&Command::PauseWorker(worker));
    bench.ask(&Command::ReleaseWorker(worker));
    assert_eq!(
        (bench.drawn(job).as_str(), bench.state_of(worker)),
        ("A#.M_", &WorkerState::Paused)
    );
    assert_eq!(bench.report(worker, held), Directive::Stop);
    bench.ask(&Command::DrainWorker(worker));
    assert_eq!(bench.state_of(worker), &WorkerState::Draining);
    bench.ask(&Command::PauseWorker(worker));
    bench.ask(&Command::SignOff(worker));
    assert_eq!(bench.state_of(worker), &WorkerState::SignedOff);
}

#[test]
fn the_reading_of_a_source_is_not_suspended() {
    let mut bench = Bench::new();
    let (_, reader, analysis) = bench.planned(1);
    bench.ask(&Command::PauseWorker(reader));
    assert_eq!(bench.report(reader, analysis), Directive::Continue);
}

#[test]
fn a_worker_that_cannot_suspend_programs_is_not_paused_quietly() {
    let mut bench = Bench::new();
    let profile = WorkerProfile { can_pause: false, ..profile(1, &["x264"]) };
    let Answer::Worker(worker) = bench.ask(&Command::RegisterWorker { known: None, profile })
    else {
        panic!("it registers");
    };
    assert_eq!(bench.refuse(&Command::PauseWorker(worker)), Rejection::CannotPause(worker));
    assert_eq!(bench.state_of(worker), &WorkerState::Active);
}

#[test]
fn a_worker_that_rests_is_there_and_says_until_when() {
    let mut bench = Bench::new();
    let worker = bench.worker(&["x264"]);
    let until = bench.now + 100_000;
    bench.ask(&Command::RestWorker { worker, until });
    assert_eq!(bench.leases.resting_until(worker, bench.now), Some(until));
    assert!(bench.leases.is_present(worker, bench.now));
    assert_eq!(bench.leases.resting_until(worker, until), None);
    bench.request(worker);
    assert_eq!(bench.leases.resting_until(worker, bench.now), None, "it asks again");
}
