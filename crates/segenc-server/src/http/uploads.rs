//! Sources from clients: tus 1.0, core with creation and termination, so that stock clients work.
//!
//! How far an upload is, its file says; what it will be, the database.

use std::path::Path as FilePath;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use segenc_core::pool::job::SourceLocation;
use tokio::fs::OpenOptions;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::App;
use super::caller::{Operator, Path};
use super::problem::Problem;
use crate::auth::random_token;
use crate::clock;
use crate::data_dir::sync_folder_of;
use crate::incoming::{PIECE_BYTES, free_bytes};
use crate::store::UploadRow;
use crate::turns::Turn;

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
/// Longer names are cut: they are for people.
const NAME_MAX_CHARS: usize = 300;

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The file name of `Upload-Metadata: filename BASE64,…`, without folders.
pub(super) fn file_name(headers: &HeaderMap) -> String {
    let metadata = headers.get(UPLOAD_METADATA).and_then(|value| value.to_str().ok());
    let named = metadata.unwrap_or_default().split(',').find_map(|pair| {
        let (key, value) = pair.trim().split_once(' ')?;
        let bytes = STANDARD.decode(value.trim()).ok()?;
        (key == "filename").then(|| String::from_utf8_lossy(&bytes).into_owned())
    });
    let named = named.unwrap_or_default();
    let last = named.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control()).take(NAME_MAX_CHARS).collect();
    if kept.is_empty() { "upload".to_owned() } else { kept }
}

fn answer(status: StatusCode, headers: &[(HeaderName, HeaderValue)]) -> Response {
    let mut response = status.into_response();
    response.headers_mut().insert(TUS_RESUMABLE, VERSION);
    for (name, value) in headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

async fn find(app: &App, id: &str) -> Result<UploadRow, Problem> {
    let unknown = || Problem::not_found(format!("there is no upload {id}"));
    app.store.upload(id).await?.ok_or_else(unknown)
}

async fn arrived(path: &FilePath) -> Result<u64, Problem> {
    match tokio::fs::metadata(path).await {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Problem::io(&error)),
    }
}

/// What no deleting makes room for is a mistake of who sends it; all else may fit later.
fn no_room(folder: &FilePath, size: u64) -> Problem {
    if fs4::total_space(folder).is_ok_and(|total| size <= total) {
        return Problem::disk_full();
    }
    let detail = format!("{size} bytes are more than the server's disk has");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "upload-too-large", detail)
}

/// Announces a file.
#[utoipa::path(
    post,
    path = "/api/uploads",
    tag = "uploads",
    params(
        ("Upload-Length" = u64, Header),
        ("Upload-Metadata" = Option<String>, Header, description = "`filename BASE64`")
    ),
    responses(
        (status = 201, headers(("Location" = String, description = "where its bytes go"))),
        (status = 400), (status = 413), (status = 507)
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    _: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::bad_request("length-missing", "Upload-Length is missing".to_owned());
    let size = number(&headers, &UPLOAD_LENGTH).ok_or_else(missing)?;
    let folder = app.data_dir.uploads();
    if size > free_bytes(&folder).map_err(|error| Problem::io(&error))? {
        return Err(no_room(&folder, size));
    }
    let id = random_token().map_err(|error| Problem::internal(&error))?.reveal().to_owned();
    let path = app.upload_path(&id);
    tokio::task::spawn_blocking(move || {
        std::fs::File::create_new(&path)?.sync_all()?;
        sync_folder_of(&path)
    })
    .await
    .map_err(|error| Problem::internal(&error))?
    .map_err(|error| Problem::io(&error))?;
    let row = UploadRow { id, name: file_name(&headers), size, created: clock::now() };
    app.store.insert_upload(&row).await?;
    let location = HeaderValue::from_str(&format!("/api/uploads/{}", row.id))
        .map_err(|error| Problem::internal(&error))?;
    Ok(answer(StatusCode::CREATED, &[(header::LOCATION, location)]))
}

/// Tells how much has arrived.
#[utoipa::path(
    head,
    path = "/api/uploads/{id}",
    tag = "uploads",
    params(("id" = String, Path)),
    responses((status = 200, headers(
        ("Upload-Offset" = u64, description = "bytes that have arrived"),
        ("Upload-Length" = u64, description = "bytes that were announced")
    )))
)]
pub(super) async fn offset(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let row = find(&app, &id).await?;
    // Whoever still writes on a lost connection is ended first, so that the answer stays true.
    let _turn = app.upload_turns.take(row.id.clone()).await;
    let offset = arrived(&app.upload_path(&row.id)).await?;
    Ok(answer(
        StatusCode::OK,
        &[
            (UPLOAD_OFFSET, HeaderValue::from(offset)),
            (UPLOAD_LENGTH, HeaderValue::from(row.size)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ],
    ))
}

/// Adds bytes at the offset that has been reached. They are on the disk before the answer.
#[utoipa::path(
    patch,
    path = "/api/uploads/{id}",
    tag = "uploads",
    params(("id" = String, Path), ("Upload-Offset" = u64, Header)),
    request_body(content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, headers(("Upload-Offset" = u64, description = "bytes that have arrived"))),
        (status = 408), (status = 409), (status = 415), (status = 507)
    )
)]
pub(super) async fn append(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let row = find(&app, &id).await?;
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind != Some(b"application/offset+octet-stream") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong-content-type",
            "a PATCH needs Content-Type: application/offset+octet-stream".to_owned(),
        ));
    }
    let missing = || Problem::bad_request("offset-missing", "Upload-Offset is missing".to_owned());
    let offset = number(&headers, &UPLOAD_OFFSET).ok_or_else(missing)?;
    let turn = app.upload_turns.take(row.id.clone()).await;
    let path = app.upload_path(&row.id);
    let reached = arrived(&path).await?;
    if reached != offset {
        let detail = format!("{reached} bytes have arrived, not {offset}");
        return Err(Problem::conflict("wrong-offset", detail)
            .header(UPLOAD_OFFSET, HeaderValue::from(reached)));
    }
    let free = free_bytes(&app.data_dir.uploads()).map_err(|error| Problem::io(&error))?;
    if number(&headers, &header::CONTENT_LENGTH).unwrap_or_default() > free {
        return Err(Problem::disk_full());
    }
    let (reached, end) = write(&path, body, &turn, reached, row.size).await?;
    let offset = HeaderValue::from(reached);
    match end {
        End::Complete => Ok(answer(StatusCode::NO_CONTENT, &[(UPLOAD_OFFSET, offset)])),
        End::TooLong => Err(Problem::bad_request(
            "too-long",
            format!("the upload was announced with {} bytes", row.size),
        )
        .header(UPLOAD_OFFSET, offset)),
        End::Broken => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "upload-interrupted",
            format!("the upload broke off after {reached} bytes"),
        )
        .header(UPLOAD_OFFSET, offset)),
    }
}

enum End {
    Complete,
    /// More than was announced.
    TooLong,
    Broken,
}

/// Appends what arrives and syncs it. What was written before a break stays; what a full disk has cut off
/// does not.
async fn write(
    path: &FilePath,
    body: Body,
    turn: &Turn,
    start: u64,
    size: u64,
) -> Result<(u64, End), Problem> {
    let failed = |error: std::io::Error| Problem::io(&error);
    let file = OpenOptions::new().append(true).open(path).await.map_err(failed)?;
    let mut file = BufWriter::with_capacity(PIECE_BYTES, file);
    let mut reached = start;
    let mut pieces = body.into_data_stream();
    let written = async {
        loop {
            let piece = tokio::select! {
                () = turn.interrupted() => return Ok(End::Broken),
                piece = pieces.next() => piece,
            };
            match piece {
                None => return Ok(End::Complete),
                Some(Err(_)) => return Ok(End::Broken),
                Some(Ok(piece)) if reached + piece.len() as u64 > size => return Ok(End::TooLong),
                Some(Ok(piece)) => {
                    file.write_all(&piece).await?;
                    reached += piece.len() as u64;
                }
            }
        }
    };
    let synced = match written.await {
        Ok(end) => match file.flush().await {
            Ok(()) => file.get_ref().sync_all().await.map(|()| end),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match synced {
        Ok(end) => Ok((reached, end)),
        Err(error) => {
            file.get_ref().set_len(start).await.map_err(failed)?;
            Err(Problem::io(&error))
        }
    }
}

/// Takes an upload back.
#[utoipa::path(
    delete,
    path = "/api/uploads/{id}",
    tag = "uploads",
    params(("id" = String, Path)),
    responses((status = 204), (status = 404), (status = 409))
)]
pub(super) async fn delete(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let row = find(&app, &id).await?;
    let _turn = app.upload_turns.take(row.id.clone()).await;
    let view = app.coordinator.view();
    let location = SourceLocation::Upload(row.id.clone());
    if let Some(job) = view.pool.jobs().find(|job| job.source.location == location) {
        let detail = format!("job {} reads this upload; delete the job first", job.id);
        return Err(Problem::conflict("upload-in-use", detail));
    }
    app.delete_upload(&row.id).await;
    Ok(answer(StatusCode::NO_CONTENT, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_whole_disk_could_not_hold_is_too_large() {
        let folder = std::env::temp_dir();
        assert!(no_room(&folder, 1).is_disk_full(), "somebody may make room for it");
        assert_eq!(no_room(&folder, u64::MAX).kind(), "upload-too-large");
    }

    #[test]
    fn a_name_brings_no_folders_along() {
        let mut headers = HeaderMap::new();
        for (name, wanted) in [
            ("film.mkv", "film.mkv"),
            ("../../etc/passwd", "passwd"),
            ("C:\\films\\a.mkv", "a.mkv"),
            ("a\nb.mkv", "ab.mkv"),
            ("", "upload"),
        ] {
            let text = format!("type dmlkZW8=,filename {}", STANDARD.encode(name));
            let value = HeaderValue::from_str(&text).expect("plain text");
            headers.insert(UPLOAD_METADATA, value);
            assert_eq!(file_name(&headers), wanted, "{name}");
        }
    }
}
