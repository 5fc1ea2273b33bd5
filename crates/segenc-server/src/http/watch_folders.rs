//! Watch folders: made, looked at, taken away.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use segenc_core::pool::command::Command;
use segenc_proto::rest::{Page, WatchFolder, WatchFolderView, WatchedFileView};
use serde::Deserialize;

use super::App;
use super::caller::{Json as Body, Operator, Path, Query, Reader};
use super::problem::Problem;
use crate::store::FileState;
use crate::watch::{self, FOLDERS_MAX, Rules};

/// Files on a page, if the client does not say.
const PAGE_DEFAULT: usize = 100;
/// At most so many.
const PAGE_MAX: usize = 1_000;

/// Which files of a folder.
#[derive(Debug, Deserialize)]
pub(super) struct FilesQuery {
    state: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// The folders that are watched, and how it goes.
#[utoipa::path(
    get,
    path = "/api/watch-folders",
    tag = "watch folders",
    responses((status = 200, body = Vec<WatchFolderView>))
)]
pub(super) async fn list(State(app): State<App>, _: Reader) -> Json<Vec<WatchFolderView>> {
    Json(app.watch.views())
}

/// Watches a folder, or changes how it is watched. What became of its files stays known.
#[utoipa::path(
    put,
    path = "/api/watch-folders/{name}",
    tag = "watch folders",
    params(("name" = String, Path)),
    request_body = WatchFolder,
    responses((status = 200, body = WatchFolderView), (status = 400), (status = 403), (status = 409), (status = 422))
)]
pub(super) async fn put(
    State(app): State<App>,
    _: Operator,
    Path(name): Path<String>,
    Body(mut wish): Body<WatchFolder>,
) -> Result<Json<WatchFolderView>, Problem> {
    wish.name.clone_from(&name);
    match app.watch.is_fixed(&name) {
        Some(true) => return Err(fixed(&name)),
        None if app.watch.count() >= FOLDERS_MAX => {
            let detail = format!("there are {FOLDERS_MAX} watch folders; delete some first");
            return Err(Problem::conflict("too-many-watch-folders", detail));
        }
        Some(false) | None => {}
    }
    let wrong = |detail: String| Problem::unprocessable("bad-watch-folder", detail);
    let rules = Rules::read(wish, &app.presets.all(), app.parse_spec).map_err(wrong)?;
    let hint = "its folders have to be there, in one of those of --media-root";
    let misplaced = |detail: String| wrong(detail).hint(Some(hint.to_owned()));
    watch::check_places(&app, &rules.settings).await.map_err(misplaced)?;
    app.store.put_watch_folder(&rules.settings).await?;
    app.watch.put(rules);
    let view = app.watch.views().into_iter().find(|view| view.settings.name == name);
    view.map(Json).ok_or_else(|| none(&name))
}

/// Watches a folder no more and forgets what became of its files. Its jobs and all files stay.
#[utoipa::path(
    delete,
    path = "/api/watch-folders/{name}",
    tag = "watch folders",
    params(("name" = String, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409))
)]
pub(super) async fn delete(
    State(app): State<App>,
    _: Operator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    match app.watch.is_fixed(&name) {
        None => return Err(none(&name)),
        Some(true) => return Err(fixed(&name)),
        Some(false) => {}
    }
    // Nobody would ever let those go on that wait for their folder's rules.
    for row in app.watch.rows(&name, FileState::Queued) {
        let view = app.coordinator.view();
        let held = row.job.and_then(|job| view.pool.job(job)).filter(|job| job.is_held());
        if let Some(job) = held {
            app.coordinator.command(Command::DeleteJob(job.id)).await?;
        }
    }
    app.watch.forget(&name);
    app.store.delete_watch_folder(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What became of a folder's files, by path.
#[utoipa::path(
    get,
    path = "/api/watch-folders/{name}/files",
    tag = "watch folders",
    params(
        ("name" = String, Path),
        ("state" = Option<String>, Query, description = "only `queued`, `done`, `skipped`, `failed` or `canceled`"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u64>, Query, description = "files on a page, at most 1000")
    ),
    responses((status = 200, body = Page<WatchedFileView>), (status = 404))
)]
pub(super) async fn files(
    State(app): State<App>,
    _: Reader,
    Path(name): Path<String>,
    Query(query): Query<FilesQuery>,
) -> Result<Json<Page<WatchedFileView>>, Problem> {
    app.watch.is_fixed(&name).ok_or_else(|| none(&name))?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let wanted = query.state.as_deref();
    let mut items = app.watch.files(&name, query.cursor.as_deref(), wanted, limit + 1);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|file| file.path.clone());
    Ok(Json(Page { items, next }))
}

/// Looks at a folder now.
#[utoipa::path(
    post,
    path = "/api/watch-folders/{name}/scan",
    tag = "watch folders",
    params(("name" = String, Path)),
    responses((status = 204), (status = 403), (status = 404))
)]
pub(super) async fn scan(
    State(app): State<App>,
    _: Operator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    if app.watch.hurry(&name) { Ok(StatusCode::NO_CONTENT) } else { Err(none(&name)) }
}

/// Tries the files again that failed.
#[utoipa::path(
    post,
    path = "/api/watch-folders/{name}/retry",
    tag = "watch folders",
    params(("name" = String, Path)),
    responses((status = 204), (status = 403), (status = 404))
)]
pub(super) async fn retry(
    State(app): State<App>,
    _: Operator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.watch.is_fixed(&name).ok_or_else(|| none(&name))?;
    for row in app.watch.rows(&name, FileState::Failed) {
        let view = app.coordinator.view();
        match row.job.filter(|job| view.pool.job(*job).is_some()) {
            Some(job) => {
                app.coordinator.command(Command::RetryJob(job)).await?;
            }
            None => {
                app.store.forget_watched_file(&row.folder, &row.path).await?;
                app.watch.forget_file(&row);
            }
        }
    }
    app.watch.hurry(&name);
    Ok(StatusCode::NO_CONTENT)
}

fn none(name: &str) -> Problem {
    Problem::not_found(format!("there is no watch folder {name}"))
}

fn fixed(name: &str) -> Problem {
    let detail = format!("{name} stands in the server's settings file; change it there");
    Problem::conflict("fixed-in-settings", detail)
}
