//! Workers: looked at and told what to do.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use segenc_core::ids::WorkerId;
use segenc_core::pool::command::Command;
use segenc_proto::rest::{JoinView, WorkerView};

use super::App;
use super::caller::{Operator, Path, Reader};
use super::problem::Problem;
use super::views::worker_view;

fn view_of(app: &App, id: u64) -> Result<Json<WorkerView>, Problem> {
    let view = app.coordinator.view();
    let worker = view.pool.worker(WorkerId(id));
    let worker = worker.ok_or_else(|| Problem::not_found(format!("there is no worker {id}")))?;
    Ok(Json(worker_view(&view, &app.traffic, worker)))
}

/// All workers that have joined and were not removed, oldest first.
#[utoipa::path(
    get,
    path = "/api/workers",
    tag = "workers",
    responses((status = 200, body = Vec<WorkerView>))
)]
pub(super) async fn list(State(app): State<App>, _: Reader) -> Json<Vec<WorkerView>> {
    let view = app.coordinator.view();
    let workers = view.pool.workers();
    Json(workers.map(|worker| worker_view(&view, &app.traffic, worker)).collect())
}

/// How another worker joins. A secret, so for operators alone.
#[utoipa::path(
    get,
    path = "/api/workers/join",
    tag = "workers",
    responses((status = 200, body = JoinView), (status = 403))
)]
pub(super) async fn join(State(app): State<App>, _: Operator) -> Result<Json<JoinView>, Problem> {
    let text = tokio::fs::read_to_string(app.data_dir.join()).await;
    let join = text.map_err(|error| Problem::io(&error))?.trim().to_owned();
    Ok(Json(JoinView { command: format!("segenc worker --join '{join}'"), join }))
}

/// One worker.
#[utoipa::path(
    get,
    path = "/api/workers/{id}",
    tag = "workers",
    params(("id" = u64, Path)),
    responses((status = 200, body = WorkerView), (status = 404))
)]
pub(super) async fn show(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
) -> Result<Json<WorkerView>, Problem> {
    view_of(&app, id)
}

/// Lets it finish what it has and take no more.
#[utoipa::path(
    post,
    path = "/api/workers/{id}/drain",
    tag = "workers",
    params(("id" = u64, Path)),
    responses((status = 200, body = WorkerView), (status = 404))
)]
pub(super) async fn drain(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Json<WorkerView>, Problem> {
    app.coordinator.command(Command::DrainWorker(WorkerId(id))).await?;
    view_of(&app, id)
}

/// Suspends what it runs; it keeps it, and takes nothing more until it is resumed. A worker that cannot do that (on
/// Windows, or of another make) is refused.
#[utoipa::path(
    post,
    path = "/api/workers/{id}/pause",
    tag = "workers",
    params(("id" = u64, Path)),
    responses(
        (status = 200, body = WorkerView),
        (status = 404),
        (status = 409, description = "it cannot suspend programs")
    )
)]
pub(super) async fn pause(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Json<WorkerView>, Problem> {
    app.coordinator.command(Command::PauseWorker(WorkerId(id))).await?;
    view_of(&app, id)
}

/// Lets it take tasks again, and what it was paused with go on.
#[utoipa::path(
    post,
    path = "/api/workers/{id}/resume",
    tag = "workers",
    params(("id" = u64, Path)),
    responses((status = 200, body = WorkerView), (status = 404))
)]
pub(super) async fn resume(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Json<WorkerView>, Problem> {
    app.coordinator.command(Command::ResumeWorker(WorkerId(id))).await?;
    view_of(&app, id)
}

/// Takes from it at once what it has.
#[utoipa::path(
    post,
    path = "/api/workers/{id}/release",
    tag = "workers",
    params(("id" = u64, Path)),
    responses((status = 200, body = WorkerView), (status = 404))
)]
pub(super) async fn release(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<Json<WorkerView>, Problem> {
    app.coordinator.command(Command::ReleaseWorker(WorkerId(id))).await?;
    view_of(&app, id)
}

/// Forgets it; its token opens nothing any more.
#[utoipa::path(
    delete,
    path = "/api/workers/{id}",
    tag = "workers",
    params(("id" = u64, Path)),
    responses((status = 204), (status = 404))
)]
pub(super) async fn remove(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<u64>,
) -> Result<StatusCode, Problem> {
    app.coordinator.command(Command::RemoveWorker(WorkerId(id))).await?;
    app.tokens.revoke_worker(WorkerId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
