//! Inputs for workers: open only for the worker that holds a running attempt of the task.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use segenc_core::ids::{AttemptId, JobId, TaskId, WorkerId};
use segenc_core::pool::job::{Job, SourceLocation};
use segenc_core::pool::task::Task;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::caller::{Path, Query, WorkerCaller};
use super::problem::Problem;
use super::serve_file::Sending;
use super::telling::Telling;
use crate::assignment::{InputRef, assignment, first_input};
use crate::clock;
use crate::coordinator::View;
use crate::shared::running_attempt;
use crate::structure::{Extent, HEAD_BYTES};
use crate::traffic::Cargo;

/// How an input is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// `video`: the structure alone, which is all but the insides of pictures, as records. 204 where nothing can
    /// be left out of this input: read it plainly.
    #[param(inline)]
    holes: Option<Holes>,
    /// The first byte that is wanted of the structure.
    from: Option<u64>,
    /// How many bytes of each film's first pictures have no hole; 6 MiB where nothing is said, which is more
    /// than ffmpeg looks at when it opens a file. The first 64 pictures never have one.
    whole: Option<u64>,
}

/// What may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Holes {
    Video,
}

/// An input of a task, whole or in part, or the structure of a source.
#[utoipa::path(
    method(get, head),
    path = "/api/jobs/{job_id}/tasks/{task_id}/input/{num}",
    tag = "workers' files",
    params(("job_id" = u64, Path), ("task_id" = u64, Path), ("num" = u32, Path), Wanted),
    responses(
        (status = 200, content(("application/octet-stream"), ("application/vnd.segenc.structure"))),
        (status = 204, description = "nothing can be left out of this input"),
        (status = 206, content_type = "application/octet-stream"),
        (status = 409), (status = 410), (status = 416)
    )
)]
pub(super) async fn input(
    State(app): State<App>,
    WorkerCaller(worker): WorkerCaller,
    Path((job, task, num)): Path<(u64, u64, u32)>,
    Query(wanted): Query<Wanted>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = app.coordinator.view();
    let (job, task) = find(&view, JobId(job), TaskId(task))?;
    let attempt = held(&view, task, worker)?;
    let input = &input_ref(&view, attempt, num)?;
    let path = app.input_path(job, input);
    let (size, etag) = match input {
        InputRef::Blob(blob) | InputRef::Copy(blob) => (blob.size, format!("\"{}\"", blob.sha256)),
        InputRef::Source => {
            unchanged(job, &path).await?;
            (job.source.fingerprint.size, source_etag(job))
        }
    };
    let cargo = match input {
        InputRef::Source | InputRef::Copy(_) => Cargo::Source,
        InputRef::Blob(_) => Cargo::Part,
    };
    if let (InputRef::Source, Some(Holes::Video), &Method::GET) = (input, wanted.holes, &method) {
        let counters = app.traffic.of(worker);
        let whole = wanted.whole.unwrap_or(HEAD_BYTES);
        let extent = Extent { from: wanted.from.unwrap_or(0), whole };
        return Telling { path: path.clone(), size, extent, etag, counters }.answer().await;
    }
    let counters = Some((app.traffic.of(worker), cargo));
    let content_type = "application/octet-stream";
    Sending { path: &path, size, etag, content_type, counters }.answer(&method, &headers).await
}

/// The input of this number.
fn input_ref(view: &View, attempt: AttemptId, num: u32) -> Result<InputRef, Problem> {
    if num == 0 {
        // It is asked for often, and needs little looking up.
        return first_input(&view.pool, attempt).map_err(|error| Problem::internal(&error));
    }
    let (_, inputs) = assignment(&view.pool, attempt).map_err(|error| Problem::internal(&error))?;
    inputs
        .into_iter()
        .nth(num as usize)
        .ok_or_else(|| Problem::not_found(format!("task {} has no input {num}", attempt.task)))
}

/// The job and its task.
pub(super) fn find(view: &View, job: JobId, task: TaskId) -> Result<(&Job, &Task), Problem> {
    let found = view.pool.task(task).filter(|task| task.job == job);
    let unknown = || Problem::not_found(format!("there is no task {task} of job {job}"));
    let task = found.ok_or_else(unknown)?;
    let job = view.pool.job(job).ok_or_else(unknown)?;
    Ok((job, task))
}

/// The attempt by which the worker holds the task.
fn held(view: &View, task: &Task, worker: WorkerId) -> Result<AttemptId, Problem> {
    if let Some(attempt) = running_attempt(&view.pool, task.id, worker) {
        return Ok(attempt);
    }
    if task.attempts.iter().any(|attempt| attempt.worker == worker) {
        return Err(Problem::conflict(
            "stale-attempt",
            format!("task {} is no longer yours", task.id),
        ));
    }
    Err(not_yours(task.id))
}

pub(super) fn not_yours(task: TaskId) -> Problem {
    Problem::forbidden("not-your-task", format!("task {task} is not yours"))
}

/// A strong tag from what the source was when the job was made.
pub(super) fn source_etag(job: &Job) -> String {
    let print = &job.source.fingerprint;
    let digest = print.head_and_tail.get(..32).unwrap_or(&print.head_and_tail);
    format!("\"{digest}-{:x}-{:x}\"", print.size, print.modified)
}

/// A source that was changed since the job was made must not be mixed with what was read of it before.
pub(super) async fn unchanged(job: &Job, path: &std::path::Path) -> Result<(), Problem> {
    match job.source.location {
        SourceLocation::Upload(_) => return Ok(()),
        SourceLocation::Path(_) => {}
    }
    let metadata = tokio::fs::metadata(path).await.map_err(|_| {
        Problem::conflict("source-changed", "the source is not there any more".to_owned())
    })?;
    let modified = metadata.modified().map(clock::millis_of).unwrap_or_default();
    let print = &job.source.fingerprint;
    if metadata.len() == print.size && modified == print.modified {
        return Ok(());
    }
    Err(Problem::conflict(
        "source-changed",
        "the source was changed after the job was made".to_owned(),
    ))
}
