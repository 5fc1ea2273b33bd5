//! Looking into the media roots, to choose a source.

use axum::Json;
use axum::extract::State;
use segenc_proto::rest::MediaListing;
use serde::Deserialize;

use super::App;
use super::caller::{Operator, Query};
use super::problem::Problem;
use crate::media_files::Listing;

/// Which folder.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    path: Option<String>,
}

/// What is in a folder of a media root; without a path the roots themselves.
#[utoipa::path(
    get,
    path = "/api/media",
    tag = "media",
    params(("path" = Option<String>, Query, description = "a folder in a media root")),
    responses((status = 200, body = MediaListing), (status = 403), (status = 422))
)]
pub(super) async fn list(
    State(app): State<App>,
    _: Operator,
    Query(wanted): Query<Wanted>,
) -> Result<Json<MediaListing>, Problem> {
    let looker = App::clone(&app);
    let listed = tokio::task::spawn_blocking(move || match wanted.path.as_deref() {
        None | Some("") => Ok(looker.roots.listing()),
        Some(path) => looker.roots.folder(path),
    });
    let Listing { path, parent, entries, truncated } =
        listed.await.map_err(|error| Problem::internal(&error))??;
    Ok(Json(MediaListing { path, parent, entries, truncated }))
}
