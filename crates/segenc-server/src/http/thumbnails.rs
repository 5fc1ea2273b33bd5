//! Small pictures of segments: brought by the worker that encodes one, looked at by people.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use segenc_core::ids::{AttemptNumber, JobId, TaskId, WorkerId};
use segenc_core::pool::task::{AttemptState, Task, TaskKind};
use serde::Deserialize;

use super::App;
use super::caller::{Path, Query, Reader, WorkerCaller};
use super::files::{find, not_yours};
use super::problem::Problem;
use crate::thumbnails::{BYTES_MAX, is_jpeg};

/// A picture changes only when its segment is made anew; then its page asks under another address.
const KEEP_SEGMENTS: HeaderValue = HeaderValue::from_static("private, max-age=86400");
/// Another picture may stand for the job as it goes on.
const KEEP_JOBS: HeaderValue = HeaderValue::from_static("private, max-age=60");

/// `?attempt=N`.
#[derive(Debug, Deserialize)]
pub(super) struct AttemptQuery {
    attempt: u32,
}

/// Takes a small picture of what an attempt has encoded: a JPEG of at most 20 KiB, best 160 pixels wide.
///
/// Optional: people see it along the film. The attempt must be the worker's, and current or the one that
/// succeeded.
#[utoipa::path(
    put,
    path = "/api/jobs/{job_id}/tasks/{task_id}/thumbnail",
    tag = "workers' files",
    params(("job_id" = u64, Path), ("task_id" = u64, Path), ("attempt" = u32, Query)),
    request_body(content_type = "image/jpeg"),
    responses((status = 204), (status = 403), (status = 404), (status = 409), (status = 413), (status = 422))
)]
pub(super) async fn put(
    State(app): State<App>,
    WorkerCaller(worker): WorkerCaller,
    Path((job, task)): Path<(u64, u64)>,
    Query(AttemptQuery { attempt }): Query<AttemptQuery>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let (job, segment) = {
        let view = app.coordinator.view();
        let (job, task) = find(&view, JobId(job), TaskId(task))?;
        yours_to_picture(task, AttemptNumber(attempt), worker)?;
        (job.id, pictured(task)?)
    };
    let picture = axum::body::to_bytes(body, BYTES_MAX).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            format!("the picture is larger than {BYTES_MAX} bytes, or broke off"),
        )
    })?;
    if !is_jpeg(&picture) {
        let detail = "the picture is no JPEG".to_owned();
        return Err(Problem::unprocessable("not-a-jpeg", detail));
    }
    let name = format!("{task}.{attempt}");
    let keeper = App::clone(&app);
    let kept =
        tokio::task::spawn_blocking(move || keeper.thumbnails.keep(job, segment, &name, &picture));
    kept.await.map_err(|error| Problem::internal(&error))?.map_err(|error| Problem::io(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets the worker in whose attempt this is, while it counts.
fn yours_to_picture(task: &Task, number: AttemptNumber, worker: WorkerId) -> Result<(), Problem> {
    let attempt = task.attempt(number).filter(|attempt| attempt.worker == worker);
    let attempt = attempt.ok_or_else(|| not_yours(task.id))?;
    match attempt.state {
        AttemptState::Running | AttemptState::Succeeded => Ok(()),
        AttemptState::Failed | AttemptState::Expired | AttemptState::Canceled => {
            let detail = format!("attempt {number} of task {} is no longer yours", task.id);
            Err(Problem::conflict("stale-attempt", detail))
        }
    }
}

/// The segment that the task's picture shows; a title in one piece is segment 0.
fn pictured(task: &Task) -> Result<u32, Problem> {
    match task.kind {
        TaskKind::Segment(index) | TaskKind::Retake(index) => Ok(index),
        TaskKind::Whole => Ok(0),
        TaskKind::Analysis
        | TaskKind::Measure(_)
        | TaskKind::Weigh
        | TaskKind::OtherStreams
        | TaskKind::Merge => {
            let detail = format!("task {} makes nothing that a picture could show", task.id);
            Err(Problem::unprocessable("nothing-to-picture", detail))
        }
    }
}

/// The picture of a segment, if its worker has sent one; a title in one piece is segment 0.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/segments/{segment}/thumbnail",
    tag = "jobs",
    params(("id" = u64, Path), ("segment" = u32, Path)),
    responses((status = 200, content_type = "image/jpeg"), (status = 404))
)]
pub(super) async fn of_segment(
    State(app): State<App>,
    _: Reader,
    Path((id, segment)): Path<(u64, u32)>,
) -> Result<Response, Problem> {
    super::jobs::find(&app.coordinator.view(), id)?;
    send(&app, JobId(id), segment, KEEP_SEGMENTS).await
}

/// A picture of the job, from about a third into the film.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/thumbnail",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, content_type = "image/jpeg"), (status = 404))
)]
pub(super) async fn of_job(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    // The first pictures of a film are dark, the last are names.
    let third = super::jobs::find(&app.coordinator.view(), id)?.segments.len() / 3;
    let third = u32::try_from(third).unwrap_or(u32::MAX);
    let looker = App::clone(&app);
    let nearest = tokio::task::spawn_blocking(move || looker.thumbnails.nearest(JobId(id), third))
        .await
        .map_err(|error| Problem::internal(&error))?;
    send(&app, JobId(id), nearest.ok_or_else(|| none(id))?, KEEP_JOBS).await
}

fn none(job: u64) -> Problem {
    Problem::not_found(format!("there is no such picture of job {job}"))
}

async fn send(app: &App, job: JobId, segment: u32, keep: HeaderValue) -> Result<Response, Problem> {
    let picture = tokio::fs::read(app.thumbnails.path(job, segment)).await;
    let picture = picture.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => none(job.0),
        _ => Problem::io(&error),
    })?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, keep),
    ];
    Ok((headers, picture).into_response())
}
