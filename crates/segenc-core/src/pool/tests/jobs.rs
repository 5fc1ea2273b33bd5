//! A user's commands to a job.

use super::bench::{Bench, failure, film, header, wish};
use crate::failure::FailureKind;
use crate::ids::JobId;
use crate::plan::Way;
use crate::pool::command::{Answer, Command, Directive, NewJob, Rejection};
use crate::pool::event::{Event, Happening};
use crate::pool::job::{JobState, Start};
use crate::pool::limits::DRAFT_MILLIS_MAX;

#[test]
fn a_job_goes_from_analysis_over_segments_and_merge_to_its_end() {
    let mut bench = Bench::new();
    let (job, reader, analysis) = bench.planned(2);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A>..", JobState::Analyzing));
    let good = bench.good(analysis);
    bench.finish(reader, analysis, good);
    assert_eq!(bench.drawn(job), "A#..M_");
    assert_eq!(bench.job(job).state, JobState::Transcoding);
    bench.ask(&Command::SignOff(reader));
    let worker = bench.worker(&["x264"]);
    let first = bench.take(worker);
    bench.deliver(worker, first);
    assert_eq!(bench.drawn(job), "A##.M_");
    bench.work(worker);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A###M.", JobState::Merging));
    bench.work(worker);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A###M#", JobState::Completed));
    assert_eq!(bench.job(job).ended_at, Some(bench.now));
}

#[test]
fn a_new_job_has_its_analysis_to_do() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A.", JobState::Analyzing));
}

#[test]
fn a_canceled_job_stops_its_attempts_and_may_be_canceled_again() {
    let mut bench = Bench::new();
    let job = bench.analyzed(3);
    let worker = bench.worker(&["x264"]);
    bench.work(worker);
    let running = bench.take(worker);
    assert_eq!(bench.ask(&Command::CancelJob(job)), Answer::Done);
    assert_eq!(bench.drawn(job), "A##ccMc");
    assert_eq!(bench.report(worker, running), Directive::Stop);
    assert_eq!(bench.request(worker), None);
    let events = bench.stored.len();
    assert_eq!(bench.ask(&Command::CancelJob(job)), Answer::Done);
    assert_eq!(bench.stored.len(), events);
}

#[test]
fn a_paused_job_starts_nothing_new_but_takes_what_runs() {
    let mut bench = Bench::new();
    let job = bench.analyzed(2);
    let worker = bench.worker(&["x264"]);
    let running = bench.take(worker);
    bench.ask(&Command::PauseJob(job));
    assert_eq!(bench.request(worker), None);
    bench.deliver(worker, running);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A##.M_", JobState::Paused));
    assert_eq!(bench.request(worker), None);
    bench.ask(&Command::ResumeJob(job));
    assert_eq!(bench.job(job).state, JobState::Transcoding);
    bench.work(worker);
    assert_eq!(bench.job(job).state, JobState::Merging);
}

#[test]
fn a_job_resumes_into_the_phase_it_has_reached_meanwhile() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    let running = bench.take(worker);
    bench.ask(&Command::PauseJob(job));
    bench.deliver(worker, running);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A##M.", JobState::Paused));
    bench.ask(&Command::ResumeJob(job));
    assert_eq!(bench.job(job).state, JobState::Merging);
    bench.work(worker);
    assert_eq!(bench.job(job).state, JobState::Completed);
}

#[test]
fn a_retried_job_keeps_what_is_done_and_counts_afresh() {
    let mut bench = Bench::new();
    let job = bench.analyzed(3);
    let worker = bench.worker(&["x264"]);
    bench.work(worker);
    let attempt = bench.take(worker);
    bench.fail(worker, attempt, FailureKind::Task);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A##x-M-", JobState::Failed));
    assert_eq!(bench.job(job).failure, Some(failure(FailureKind::Task)));
    bench.ask(&Command::RetryJob(job));
    assert_eq!(bench.drawn(job), "A##..M_");
    assert_eq!(bench.job(job).failure, None);
    assert_eq!(bench.task(attempt.task).counted().count(), 0);
    let again = bench.take(worker);
    assert_eq!((again.task, again.number.0), (attempt.task, 2));
    bench.deliver(worker, again);
    bench.work(worker);
    bench.work(worker);
    assert_eq!(bench.job(job).state, JobState::Completed);
}

#[test]
fn a_job_that_failed_in_its_merge_is_merged_again_and_nothing_else() {
    let mut bench = Bench::new();
    let job = bench.analyzed(1);
    let worker = bench.worker(&["x264"]);
    bench.work(worker);
    let merge = bench.take(worker);
    bench.fail(worker, merge, FailureKind::Task);
    bench.ask(&Command::RetryJob(job));
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).state), ("A##M.", JobState::Merging));
}

#[test]
fn commands_that_do_not_fit_the_state_are_refused_and_say_what_would() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    let refused = bench.refuse(&Command::DeleteJob(job));
    assert_eq!(refused.to_string(), format!("job {job} is analyzing: cancel it first"));
    bench.ask(&Command::CancelJob(job));
    for command in [Command::PauseJob(job), Command::ResumeJob(job)] {
        assert!(matches!(bench.refuse(&command), Rejection::WrongState { .. }));
    }
    bench.ask(&Command::DeleteJob(job));
    assert_eq!(bench.refuse(&Command::DeleteJob(job)), Rejection::UnknownJob(job));
    assert_eq!(bench.pool.jobs().count(), 0);
}

#[test]
fn identifiers_of_what_is_forgotten_are_never_given_again() {
    let mut bench = Bench::new();
    let job = bench.job_of(wish());
    bench.ask(&Command::CancelJob(job));
    bench.ask(&Command::DeleteJob(job));
    let next = bench.job_of(wish());
    assert_eq!(next, JobId(job.0 + 1));
    assert!(bench.job(next).analysis.0 > 1);
}

fn held() -> NewJob {
    NewJob { start: Start::Held, ..wish() }
}

#[test]
fn a_held_job_is_analysed_and_goes_no_further_before_it_is_resumed() {
    let mut bench = Bench::new();
    let worker = bench.worker_with_slots(8, &["x264"]);
    let job = bench.job_of(held());
    let analysis = bench.take(worker);
    bench.start_plan(analysis, header(Way::Segments));
    bench.extend_plan(analysis, film(2));
    assert_eq!(bench.request(worker), None);
    let good = bench.good(analysis);
    bench.finish(worker, analysis, good);
    assert_eq!(bench.request(worker), None);
    assert_eq!((bench.drawn(job).as_str(), bench.job(job).standing().as_str()), ("A#..M_", "held"));
    bench.tick(60_000);
    bench.ask(&Command::ResumeJob(job));
    let started = bench.job(job);
    assert_eq!((started.standing().as_str(), started.started_at), ("transcoding", bench.now));
    bench.take(worker);
    assert_eq!(bench.drawn(job), "A#>.M_");
}

#[test]
fn a_held_job_cannot_be_paused_and_is_deleted_without_being_canceled_first() {
    let mut bench = Bench::new();
    let worker = bench.worker(&["x264"]);
    let job = bench.job_of(held());
    bench.take(worker);
    let refused = bench.refuse(&Command::PauseJob(job)).to_string();
    assert!(refused.starts_with(&format!("job {job} is held: ")), "{refused}");
    bench.ask(&Command::DeleteJob(job));
    assert_eq!(bench.pool.jobs().count(), 0);
    assert!(bench.pool.worker(worker).is_some_and(|worker| worker.running.is_empty()));
}

#[test]
fn a_draft_that_was_left_behind_is_forgotten_even_if_it_has_failed() {
    let draft = || NewJob { start: Start::Draft, ..wish() };
    let mut bench = Bench::new();
    let worker = bench.worker(&["x264"]);
    let failed = bench.job_of(draft());
    let analysis = bench.take(worker);
    bench.fail(worker, analysis, FailureKind::Task);
    let started = bench.job_of(draft());
    bench.ask(&Command::ResumeJob(started));
    let held_for_long = bench.job_of(held());
    let left = bench.job_of(draft());
    assert_eq!(bench.job(left).standing(), "held");
    bench.tick(DRAFT_MILLIS_MAX - 1);
    assert!(bench.pool.job(left).is_some() && bench.pool.job(failed).is_some());
    bench.tick(1);
    let there: Vec<JobId> = bench.pool.jobs().map(|job| job.id).collect();
    assert_eq!(there, [started, held_for_long]);
}

#[test]
fn a_stored_job_that_knows_nothing_of_holding_starts_at_once() {
    let mut bench = Bench::new();
    bench.job_of(wish());
    let created =
        bench.stored.iter().find(|event| matches!(event.what, Happening::JobCreated { .. }));
    let mut stored = serde_json::to_value(created.expect("it was made")).expect("it is plain");
    assert_eq!(stored["start"], "at_once");
    stored.as_object_mut().expect("it is a table").remove("start");
    let loaded: Event = serde_json::from_value(stored).expect("old events load");
    assert_eq!(Some(&loaded), created);
}
