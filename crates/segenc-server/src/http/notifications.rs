//! Who is told of what: made, looked at, tried, taken away.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use segenc_proto::rest::{CreateNotification, NotificationView};

use super::App;
use super::caller::{Json as Body, Operator, Path};
use super::problem::Problem;
use crate::auth::random_token;
use crate::notify;

/// More than anybody reads messages in.
const RECEIVERS_MAX: usize = 200;
/// Letters of a receiver's name: enough that no two are alike.
const ID_CHARS: usize = 12;

/// Who is told of what, without anything secret.
#[utoipa::path(
    get,
    path = "/api/notifications",
    tag = "notifications",
    responses((status = 200, body = Vec<NotificationView>), (status = 403))
)]
pub(super) async fn list(
    State(app): State<App>,
    _: Operator,
) -> Result<Json<Vec<NotificationView>>, Problem> {
    Ok(Json(views(&app).await?))
}

async fn views(app: &App) -> Result<Vec<NotificationView>, Problem> {
    let pending: BTreeMap<String, u64> = app.store.pending_letters().await?.into_iter().collect();
    Ok(app.receivers.views(&pending))
}

/// Tells somebody from now on.
#[utoipa::path(
    post,
    path = "/api/notifications",
    tag = "notifications",
    request_body = CreateNotification,
    responses((status = 201, body = NotificationView), (status = 400), (status = 403), (status = 409), (status = 422))
)]
pub(super) async fn create(
    State(app): State<App>,
    _: Operator,
    Body(wish): Body<CreateNotification>,
) -> Result<(StatusCode, Json<NotificationView>), Problem> {
    if app.receivers.count() >= RECEIVERS_MAX {
        let detail = format!("there are {RECEIVERS_MAX} notifications; delete some first");
        return Err(Problem::conflict("too-many-notifications", detail));
    }
    let receiver = notify::read(&wish, &app.automation)
        .map_err(|detail| Problem::unprocessable("bad-notification", detail))?;
    let random = random_token().map_err(|error| Problem::internal(&error))?;
    let letters = random.reveal().chars().filter(char::is_ascii_alphanumeric);
    let id: String = letters.take(ID_CHARS).collect();
    let body = serde_json::to_string(&wish).map_err(|error| Problem::internal(&error))?;
    app.store.put_notification(&id, &body).await?;
    app.receivers.put(&id, receiver);
    let view = views(&app).await?.into_iter().find(|view| view.id == id);
    view.map(|view| (StatusCode::CREATED, Json(view))).ok_or_else(|| none(&id))
}

/// Tells somebody no more.
#[utoipa::path(
    delete,
    path = "/api/notifications/{id}",
    tag = "notifications",
    params(("id" = String, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409))
)]
pub(super) async fn delete(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    match app.receivers.is_fixed(&id) {
        None => return Err(none(&id)),
        Some(true) => {
            let detail = format!("{id} stands in the server's settings file; change it there");
            return Err(Problem::conflict("fixed-in-settings", detail));
        }
        Some(false) => {}
    }
    app.store.delete_notification(&id).await?;
    app.receivers.forget(&id);
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test, and answers whether it arrived.
#[utoipa::path(
    post,
    path = "/api/notifications/{id}/test",
    tag = "notifications",
    params(("id" = String, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 422))
)]
pub(super) async fn test(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.receivers.is_fixed(&id).ok_or_else(|| none(&id))?;
    let told = notify::test(&app, &id).await;
    told.map(|()| StatusCode::NO_CONTENT)
        .map_err(|why| Problem::unprocessable("not-delivered", format!("it did not arrive: {why}")))
}

fn none(id: &str) -> Problem {
    Problem::not_found(format!("there is no notification {id}"))
}
