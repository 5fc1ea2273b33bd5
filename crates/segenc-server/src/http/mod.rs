//! Everything over HTTP: bytes for workers, REST for operators, errors as problem documents.
//!
//! Bodies of REST live in `segenc_proto::rest` and end here.

mod caller;
mod changes;
mod conditional;
mod create;
mod described;
mod events;
mod files;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod hints;
mod jobs;
mod media;
mod notifications;
mod openapi;
mod options;
mod outputs;
mod pairing;
mod passkeys;
mod presets;
mod problem;
mod ranges;
mod serve_file;
mod server;
mod session;
mod source;
mod telling;
mod thumbnails;
mod tokens;
mod uploads;
mod views;
mod waiting;
mod watch_folders;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::shared::Shared;
pub(crate) use create::make as make_job;
pub(crate) use problem::Problem;
pub(crate) use views::{job_view, task_kind, task_state, worker_view};

/// What handlers are given.
type App = Arc<Shared>;

/// All routes, with their description.
pub(crate) fn router(shared: App) -> Router {
    let (router, mut document) = described_routes().split_for_parts();
    described::complete(&mut document);
    router
        .layer(axum::Extension(openapi::Rendered::new(&document)))
        .layer(axum::middleware::from_fn(conditional::answer))
        .fallback(page_or_nothing)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
}

/// The routes as the handlers describe them.
fn described_routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(jobs::list, create::create))
        .routes(routes!(jobs::show, jobs::delete))
        .routes(routes!(jobs::tasks))
        .routes(routes!(jobs::task))
        .routes(routes!(jobs::report))
        .routes(routes!(jobs::logs))
        .routes(routes!(jobs::output))
        .routes(routes!(thumbnails::put))
        .routes(routes!(thumbnails::of_segment))
        .routes(routes!(thumbnails::of_job))
        .routes(routes!(jobs::cancel))
        .routes(routes!(jobs::pause))
        .routes(routes!(jobs::resume))
        .routes(routes!(jobs::retry))
        .routes(routes!(source::bytes))
        .routes(routes!(source::streams))
        .routes(routes!(events::follow))
        .routes(routes!(changes::follow))
        .routes(routes!(options::check))
        .routes(routes!(presets::list))
        .routes(routes!(presets::put, presets::delete))
        .routes(routes!(media::list))
        .routes(routes!(session::show, session::log_in, session::log_out))
        .routes(routes!(session::set_password))
        .routes(routes!(passkeys::list, passkeys::add))
        .routes(routes!(passkeys::remove))
        .routes(routes!(passkeys::ask_for_new))
        .routes(routes!(passkeys::places, passkeys::ask_for_login))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(files::input))
        .routes(routes!(outputs::offset, outputs::put, outputs::patch))
        .routes(routes!(workers::list))
        .routes(routes!(workers::join))
        .routes(routes!(pairing::issue))
        .routes(routes!(pairing::exchange))
        .routes(routes!(pairing::confirm))
        .routes(routes!(workers::show, workers::remove))
        .routes(routes!(workers::drain))
        .routes(routes!(workers::pause))
        .routes(routes!(workers::resume))
        .routes(routes!(workers::release))
        .routes(routes!(uploads::create))
        .routes(routes!(uploads::offset, uploads::append, uploads::delete))
        .routes(routes!(watch_folders::list))
        .routes(routes!(watch_folders::put, watch_folders::delete))
        .routes(routes!(watch_folders::files))
        .routes(routes!(watch_folders::scan))
        .routes(routes!(watch_folders::retry))
        .routes(routes!(notifications::list, notifications::create))
        .routes(routes!(notifications::delete))
        .routes(routes!(notifications::test))
        .routes(routes!(server::metrics))
        .routes(routes!(server::show))
        .routes(routes!(server::healthz))
        .routes(routes!(server::readyz))
        .routes(routes!(openapi::serve))
}

/// What is no address of the interface may be one of the page.
async fn page_or_nothing(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    crate::page::answer(&method, uri.path(), &headers).unwrap_or_else(|| {
        Problem::not_found(format!("there is nothing at {}", uri.path())).into_response()
    })
}

async fn wrong_method(uri: Uri) -> Problem {
    Problem::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "wrong-method",
        format!("{} does not know this method", uri.path()),
    )
}
