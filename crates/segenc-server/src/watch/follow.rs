//! What becomes of the jobs of watch folders, and then of their files.

use std::sync::Arc;

use segenc_core::pool::command::Command;
use segenc_core::pool::job::{Job, JobState};
use segenc_proto::rest::After;

use super::rules::Rules;
use super::{note, trash};
use crate::coordinator::View;
use crate::notes;
use crate::shared::Shared;
use crate::store::{FileRow, FileState};

/// What is to be done about a file.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Its job may go on: no rule speaks against it.
    LetGo,
    /// A rule leaves the film as it is.
    Skip(String),
    /// This has become of it.
    Note(FileState, Option<String>),
    /// Its result is there and verified.
    Finish,
    /// Its job is gone without having ended: it is new again.
    Forget,
}

/// Looks at all jobs of watch folders once.
pub(super) async fn follow(shared: &Arc<Shared>) {
    let view = shared.coordinator.view();
    for row in shared.watch.followed() {
        let rules = shared.watch.rules(&row.folder);
        let Some(step) = next(&view, &row, rules.as_deref()) else { continue };
        take(shared, row, rules, step).await;
    }
}

async fn take(shared: &Arc<Shared>, row: FileRow, rules: Option<Arc<Rules>>, step: Step) {
    let Some(job) = row.job else { return };
    match step {
        Step::LetGo => {
            if let Err(refusal) = shared.coordinator.command(Command::ResumeJob(job)).await {
                tracing::warn!(job = job.0, %refusal, "a held job cannot be resumed");
            }
        }
        Step::Skip(why) => match notes::end_job(shared, job, &format!("skipped: {why}")).await {
            Ok(()) => {
                note(shared, FileRow { state: FileState::Skipped, reason: Some(why), ..row }).await;
            }
            Err(refusal) => {
                tracing::warn!(job = job.0, %refusal, "a job cannot be skipped");
            }
        },
        Step::Note(state, reason) => note(shared, FileRow { state, reason, ..row }).await,
        Step::Finish => {
            let wants_trash = rules.is_some_and(|rules| rules.settings.after == After::Trash);
            let reason = if wants_trash { Some(trash::put_away(shared, &row).await) } else { None };
            note(shared, FileRow { state: FileState::Done, reason, ..row }).await;
        }
        Step::Forget => {
            if shared.store.forget_watched_file(&row.folder, &row.path).await.is_ok() {
                shared.watch.forget_file(&row);
            }
        }
    }
}

/// What is to be done about a file whose job is known. Pure.
fn next(view: &View, row: &FileRow, rules: Option<&Rules>) -> Option<Step> {
    let job = row.job?;
    let Some(job) = view.pool.job(job) else {
        return (row.state == FileState::Queued).then_some(Step::Forget);
    };
    let ended = |state: FileState, reason: Option<String>| {
        (row.state != state).then_some(Step::Note(state, reason))
    };
    match job.state {
        JobState::Completed => (row.state != FileState::Done).then_some(Step::Finish),
        JobState::Failed => {
            let told = job.failure.as_ref();
            let told = told.map(|failure| format!("[{}] {}", failure.reason, failure.message));
            ended(FileState::Failed, told)
        }
        JobState::Canceled => match view.notes.of(job.id) {
            Some(why) => ended(FileState::Skipped, Some(why)),
            None => ended(FileState::Canceled, None),
        },
        JobState::Analyzing | JobState::Transcoding | JobState::Merging | JobState::Paused => {
            // Somebody has taken up again what had ended.
            if row.state != FileState::Queued {
                return Some(Step::Note(FileState::Queued, None));
            }
            judge(job, rules)
        }
    }
}

/// A held job goes on or not as soon as it is known what is in its film.
fn judge(job: &Job, rules: Option<&Rules>) -> Option<Step> {
    let facts = job.facts.as_deref().filter(|_| job.is_held())?;
    let skipped = rules.and_then(|rules| rules.skips_film(facts));
    Some(skipped.map_or(Step::LetGo, Step::Skip))
}
