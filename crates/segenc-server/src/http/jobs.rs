//! Jobs: looked at, fetched, and told what to do.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use segenc_core::ids::{JobId, TaskId};
use segenc_core::pool::command::Command;
use segenc_core::pool::job::{Job, JobState};
use segenc_proto::rest::{JobView, Page, ReportView, TaskView};
use serde::Deserialize;

use super::App;
use super::caller::{Operator, Path, Query, Reader};
use super::problem::Problem;
use super::serve_file::Sending;
use super::views::{job_view, report_view, task_view};
use crate::coordinator::View;

/// Jobs on a page, if the client does not say.
const PAGE_DEFAULT: usize = 50;
/// At most so many.
const PAGE_MAX: usize = 500;

/// Which jobs of the list.
#[derive(Debug, Deserialize)]
pub(super) struct ListQuery {
    /// Only these states, separated by commas.
    state: Option<String>,
    /// Where the page before ended.
    cursor: Option<u64>,
    limit: Option<usize>,
}

/// The jobs, newest first.
#[utoipa::path(
    get,
    path = "/api/jobs",
    tag = "jobs",
    params(
        ("state" = Option<String>, Query, description = "only these states, separated by commas"),
        ("cursor" = Option<u64>, Query, description = "`next` of the page before"),
        ("limit" = Option<u64>, Query, description = "jobs on a page, at most 500")
    ),
    responses((status = 200, body = Page<JobView>), (status = 400))
)]
pub(super) async fn list(
    State(app): State<App>,
    _: Reader,
    Query(query): Query<ListQuery>,
) -> Json<Page<JobView>> {
    let view = app.coordinator.view();
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let wanted = |job: &&Job| {
        query
            .state
            .as_deref()
            .is_none_or(|states| states.split(',').any(|state| state.trim() == job.standing()))
    };
    let mut found = view
        .pool
        .jobs()
        .rev()
        .filter(|job| query.cursor.is_none_or(|cursor| job.id.0 < cursor))
        .filter(wanted);
    let jobs: Vec<&Job> = found.by_ref().take(limit).collect();
    let more = found.next().is_some();
    let next = jobs.last().filter(|_| more).map(|job| job.id.to_string());
    Json(Page { items: jobs.into_iter().map(|job| job_view(&view, job)).collect(), next })
}

/// Finds a job.
pub(super) fn find(view: &View, id: u64) -> Result<&Job, Problem> {
    let job = view.pool.job(JobId(id));
    job.ok_or_else(|| Problem::not_found(format!("there is no job {id}")))
}

/// One job.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = JobView), (status = 404))
)]
pub(super) async fn show(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
) -> Result<Json<JobView>, Problem> {
    let view = app.coordinator.view();
    Ok(Json(job_view(&view, find(&view, id)?)))
}

/// Its tasks with their attempts.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/tasks",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = Vec<TaskView>), (status = 404))
)]
pub(super) async fn tasks(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
) -> Result<Json<Vec<TaskView>>, Problem> {
    let view = app.coordinator.view();
    let job = find(&view, id)?;
    Ok(Json(view.pool.tasks_of(job.id).map(|task| task_view(&view, job, task)).collect()))
}

/// One task, with the logs of its failures.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/tasks/{task}",
    tag = "jobs",
    params(("id" = u64, Path), ("task" = u64, Path)),
    responses((status = 200, body = TaskView), (status = 404))
)]
pub(super) async fn task(
    State(app): State<App>,
    _: Reader,
    Path((id, task)): Path<(u64, u64)>,
) -> Result<Json<TaskView>, Problem> {
    let view = app.coordinator.view();
    let (job, task) = super::files::find(&view, JobId(id), TaskId(task))?;
    Ok(Json(task_view(&view, job, task)))
}

/// What was made, by whom, and what was checked.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/report",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = ReportView), (status = 404))
)]
pub(super) async fn report(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
) -> Result<Json<ReportView>, Problem> {
    let view = app.coordinator.view();
    Ok(Json(report_view(&view, find(&view, id)?)))
}

/// The ends of the logs of all attempts that failed, as text.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/logs",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404))
)]
pub(super) async fn logs(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
) -> Result<String, Problem> {
    let view = app.coordinator.view();
    let job = find(&view, id)?;
    let mut text = String::new();
    for task in view.pool.tasks_of(job.id) {
        let shown = task_view(&view, job, task);
        for attempt in shown.attempts {
            let Some(failure) = attempt.failure else { continue };
            text += &format!(
                "== {} task {}, attempt {} on {}: {}: {}\n{}\n",
                shown.kind,
                shown.id,
                attempt.number,
                attempt.worker_name,
                failure.reason,
                failure.message,
                failure.log_tail
            );
        }
    }
    Ok(text)
}

/// The finished output, whole or in part.
#[utoipa::path(
    method(get, head),
    path = "/api/jobs/{id}/output",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses(
        (status = 200, content(("video/*"), ("application/octet-stream")), headers(
            ("ETag" = String, description = "the file's strong tag"),
            ("Accept-Ranges" = String, description = "`bytes`")
        )),
        (status = 206, content(("video/*"), ("application/octet-stream")), headers(
            ("Content-Range" = String, description = "which part of how much")
        )),
        (status = 409), (status = 410), (status = 416)
    )
)]
pub(super) async fn output(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = app.coordinator.view();
    let job = find(&view, id)?;
    let blob = job.merge.and_then(|merge| view.pool.task(merge)?.output());
    let (JobState::Completed, Some(blob)) = (job.state, blob) else {
        let detail = format!("job {id} is {}: it has no output yet", job.state);
        return Err(Problem::conflict("no-output", detail));
    };
    let mut path = app.blobs.path(blob);
    if let Some(placed) = &job.output_path
        && !path.exists()
    {
        path = placed.into();
    }
    let sending = Sending {
        path: &path,
        size: blob.size,
        etag: format!("\"{}\"", blob.sha256),
        content_type: content_type(&job.spec.container),
        counters: None,
    };
    let mut response = sending.answer(&method, &headers).await?;
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    if let Ok(value) = HeaderValue::from_str(&disposition(&output_name(job))) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn content_type(container: &str) -> &'static str {
    match container {
        "matroska" => "video/x-matroska",
        "webm" => "video/webm",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        _ => "application/octet-stream",
    }
}

/// A name for the saved file: that of the wished path, else that of the source with another ending.
fn output_name(job: &Job) -> String {
    if let Some(path) = &job.output_path
        && let Some(name) = std::path::Path::new(path).file_name()
    {
        return name.to_string_lossy().into_owned();
    }
    let ending = match job.spec.container.as_str() {
        "matroska" => "mkv",
        other => other,
    };
    let stem = std::path::Path::new(&job.source.name).file_stem().unwrap_or_default();
    format!("{}.{ending}", stem.to_string_lossy())
}

/// `attachment` with the name twice: for old clients in ASCII, for others as RFC 8187 writes it.
pub(super) fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !"\"\\/%".contains(c) || c == ' ' { c } else { '_' })
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

async fn act(app: &App, id: u64, command: Command) -> Result<Json<JobView>, Problem> {
    app.coordinator.command(command).await?;
    let view = app.coordinator.view();
    Ok(Json(job_view(&view, find(&view, id)?)))
}

/// Stops it. Again changes nothing.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/cancel",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = JobView), (status = 404), (status = 409))
)]
pub(super) async fn cancel(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Json<JobView>, Problem> {
    act(&app, id, Command::CancelJob(JobId(id))).await
}

/// Lets nothing new of it start.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/pause",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = JobView), (status = 404), (status = 409))
)]
pub(super) async fn pause(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Json<JobView>, Problem> {
    act(&app, id, Command::PauseJob(JobId(id))).await
}

/// Starts a held job, or goes on with a paused one.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/resume",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = JobView), (status = 404), (status = 409))
)]
pub(super) async fn resume(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Json<JobView>, Problem> {
    act(&app, id, Command::ResumeJob(JobId(id))).await
}

/// Takes up a failed or canceled job again; what is done stays done.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/retry",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = JobView), (status = 404), (status = 409))
)]
pub(super) async fn retry(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Json<JobView>, Problem> {
    if let Some(note) = app.notes.of(JobId(id)) {
        let detail = format!("job {id} was ended by a rule: {note}");
        let hint = Some("make a new job of its source".to_owned());
        return Err(Problem::conflict("wrong-state", detail).hint(hint));
    }
    act(&app, id, Command::RetryJob(JobId(id))).await
}

/// Forgets a job that has ended or is held, with its bytes; an output that was put into place stays.
#[utoipa::path(
    delete,
    path = "/api/jobs/{id}",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 204), (status = 404), (status = 409))
)]
pub(super) async fn delete(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let view = app.coordinator.view();
    let location = find(&view, id)?.source.location.clone();
    app.coordinator.command(Command::DeleteJob(JobId(id))).await?;
    if let segenc_core::pool::job::SourceLocation::Upload(upload) = location {
        let view = app.coordinator.view();
        let used = view.pool.jobs().any(|job| {
            job.source.location == segenc_core::pool::job::SourceLocation::Upload(upload.clone())
        });
        if !used {
            app.delete_upload(&upload).await;
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_header() {
        let header = disposition("a\"b\r\nSet-Cookie: x;é.mkv");
        assert!(HeaderValue::from_str(&header).is_ok());
        assert_eq!(
            header,
            "attachment; filename=\"a_b__Set-Cookie: x;_.mkv\"; \
             filename*=UTF-8''a%22b%0D%0ASet-Cookie%3A%20x%3B%C3%A9.mkv"
        );
    }
}
