//! A job is made: everything that can be checked is checked before it exists.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use segenc_core::pool::command::NewJob;
use segenc_core::pool::job::{Fingerprint, SourceLocation, SourceRef, Start};
use segenc_core::spec::{DynamicHdr, JobSpec, Verify};
use segenc_proto::rest::{CreateJob, FileFingerprint, JobView};

use super::App;
use super::caller::{Json, Operator};
use super::jobs::find;
use super::problem::Problem;
use super::views::job_view;
use crate::coordinator::Created;
use crate::media_files::{PathProblem, fingerprint};
use crate::store::{Overwrite, Wish};

/// A wish may come twice over a broken line; with the same key it makes one job.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longer keys are a mistake.
const KEY_MAX_BYTES: usize = 255;
/// Words of options beyond this are a mistake.
const ARGS_MAX: usize = 2_000;
/// Longer names are cut: they are for people.
const NAME_MAX_CHARS: usize = 300;
/// Shorter segments cost more in process starts than they bring.
const SEGMENT_SECONDS: std::ops::RangeInclusive<u32> = 1..=3600;

/// Makes a job.
#[utoipa::path(
    post,
    path = "/api/jobs",
    tag = "jobs",
    request_body = CreateJob,
    params((
        "Idempotency-Key" = Option<String>, Header,
        min_length = 1, max_length = 255, pattern = "^[\\x20-\\x7e]+$",
        description = "the same key makes the same job only once"
    )),
    responses(
        (status = 201, body = JobView, headers(("Location" = String, description = "the job"))),
        (status = 200, body = JobView, description = "the job that this key has made before"),
        (status = 400), (status = 403), (status = 422)
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    _: Operator,
    headers: HeaderMap,
    Json(wish): Json<CreateJob>,
) -> Result<Response, Problem> {
    let created = make(&app, wish, idempotency_key(&headers)?).await?;
    let view = app.coordinator.view();
    let body = axum::Json(job_view(&view, find(&view, created.job.0)?));
    if created.repeated {
        return Ok((StatusCode::OK, body).into_response());
    }
    let mut response = (StatusCode::CREATED, body).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/jobs/{}", created.job)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Makes a job of a wish, or says why it cannot be.
pub(crate) async fn make(
    app: &App,
    wish: CreateJob,
    idempotency_key: Option<String>,
) -> Result<Created, Problem> {
    let overwrite = if wish.output.overwrite { Overwrite::Replace } else { Overwrite::Refuse };
    let only_if_smaller = wish.output.only_if_smaller;
    let spec = spec(app, &wish)?;
    let source = source(app, &wish).await?;
    let output_path = output_path(app, &wish, &source, overwrite).await?;
    let name = wish.name.unwrap_or_else(|| source.name.clone());
    let job = NewJob {
        name: name.chars().take(NAME_MAX_CHARS).collect(),
        spec,
        source,
        output_path,
        priority: wish.priority,
        start: match (wish.draft, wish.hold) {
            (true, _) => Start::Draft,
            (false, true) => Start::Held,
            (false, false) => Start::AtOnce,
        },
    };
    let wish = Wish { idempotency_key, overwrite, only_if_smaller };
    Ok(app.coordinator.create(job, wish).await?)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_MAX_BYTES);
    let bad = || {
        Problem::bad_request(
            "bad-idempotency-key",
            format!("Idempotency-Key has to be 1 to {KEY_MAX_BYTES} plain characters"),
        )
    };
    key.map(|key| Some(key.to_owned())).ok_or_else(bad)
}

/// Refuses what is no list of options any more.
pub(super) fn too_many_options(args: &[String]) -> Result<(), Problem> {
    if args.len() <= ARGS_MAX {
        return Ok(());
    }
    Err(Problem::bad_request(
        "too-many-options",
        format!("{} words of options; at most {ARGS_MAX} are allowed", args.len()),
    ))
}

/// The options as a typed wish.
fn spec(app: &App, wish: &CreateJob) -> Result<JobSpec, Problem> {
    too_many_options(&wish.args)?;
    let output_name = wish.output.path.as_deref().unwrap_or("output.mkv");
    let parsed = (app.parse_spec)(&wish.args, wish.output.container.as_deref(), output_name);
    let sized = parsed.and_then(|spec| match wish.target_size {
        Some(bytes) => (app.aim_at_size)(&spec, bytes),
        None => Ok(spec),
    });
    let mut spec = sized.map_err(|refusal| {
        let detail = format!("{} ({})", refusal.message, refusal.reason);
        Problem::unprocessable("option-refused", detail).hint(refusal.hint)
    })?;
    spec.verify = match wish.verify.as_deref() {
        None => spec.verify,
        Some("auto") => Verify::Affordable,
        Some("full") => Verify::Full,
        Some("quick") => Verify::Quick,
        Some(other) => {
            let detail = format!("verify is `auto`, `full` or `quick`, not `{other}`");
            return Err(Problem::unprocessable("bad-verify", detail));
        }
    };
    if let Some(seconds) = wish.segment_seconds {
        if !SEGMENT_SECONDS.contains(&seconds) {
            let detail = format!("segment_seconds is 1 to 3600, not {seconds}");
            return Err(Problem::unprocessable("bad-segment-seconds", detail));
        }
        spec.segment_seconds = Some(seconds);
    }
    if wish.drop_dynamic_hdr {
        spec.dynamic_hdr = DynamicHdr::Drop;
    }
    Ok(spec)
}

async fn source(app: &App, wish: &CreateJob) -> Result<SourceRef, Problem> {
    match (&wish.source.path, &wish.source.upload) {
        (Some(path), None) => source_at(app, path.clone(), wish.source.fingerprint.as_ref()).await,
        (None, Some(upload)) => uploaded(app, upload).await,
        (Some(_), Some(_)) | (None, None) => Err(Problem::unprocessable(
            "bad-source",
            "the source has to be either a path or an upload".to_owned(),
        )),
    }
}

async fn source_at(
    app: &App,
    path: String,
    wanted: Option<&FileFingerprint>,
) -> Result<SourceRef, Problem> {
    let looker = App::clone(app);
    let named = path.clone();
    let found = tokio::task::spawn_blocking(move || looker.roots.source(&named))
        .await
        .map_err(|error| Problem::internal(&error))??;
    if let Some(wanted) = wanted
        && (wanted.size, wanted.head_and_tail.to_lowercase())
            != (found.fingerprint.size, found.fingerprint.head_and_tail.clone())
    {
        return Err(PathProblem::Different { path }.into());
    }
    Ok(SourceRef {
        location: SourceLocation::Path(found.path),
        name: found.name,
        fingerprint: found.fingerprint,
    })
}

async fn uploaded(app: &App, id: &str) -> Result<SourceRef, Problem> {
    let row = app.store.upload(id).await?;
    let unknown = || Problem::unprocessable("upload-unknown", format!("there is no upload {id}"));
    let row = row.ok_or_else(unknown)?;
    let path = app.upload_path(&row.id);
    let arrived = tokio::fs::metadata(&path).await.map_err(|_| unknown())?.len();
    if arrived != row.size {
        let detail = format!("{arrived} of {} bytes of the upload have arrived", row.size);
        return Err(Problem::unprocessable("upload-incomplete", detail));
    }
    if row.size == 0 {
        return Err(PathProblem::Empty { path: row.name }.into());
    }
    let print = tokio::task::spawn_blocking(move || fingerprint(&path))
        .await
        .map_err(|error| Problem::internal(&error))?
        .map_err(|error| Problem::io(&error))?;
    Ok(SourceRef {
        location: SourceLocation::Upload(row.id),
        name: row.name,
        fingerprint: Fingerprint { modified: 0, ..print },
    })
}

async fn output_path(
    app: &App,
    wish: &CreateJob,
    source: &SourceRef,
    overwrite: Overwrite,
) -> Result<Option<String>, Problem> {
    let Some(path) = wish.output.path.clone() else { return Ok(None) };
    let source = match &source.location {
        SourceLocation::Path(path) => Some(path.clone()),
        SourceLocation::Upload(_) => None,
    };
    let looker = App::clone(app);
    let placed = tokio::task::spawn_blocking(move || {
        looker.roots.output(&path, source.as_deref(), overwrite)
    });
    Ok(Some(placed.await.map_err(|error| Problem::internal(&error))??))
}
