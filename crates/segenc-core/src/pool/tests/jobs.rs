//! A user's commands to a job.

use super::bench::{Bench, failure, wish};
use crate::failure::FailureKind;
use crate::ids::JobId;
use crate::pool::command::{Answer, Command, Directive, Rejection};
use crate::pool::job::JobState;

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
