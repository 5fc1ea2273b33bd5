//! Options under a name: listed for everybody, written and forgotten by operators.

use axum::extract::State;
use axum::http::StatusCode;
use segenc_proto::rest::{PresetView, WritePreset};

use super::App;
use super::caller::{Json, Operator, Path, Reader};
use super::create::too_many_options;
use super::problem::Problem;
use crate::presets::PresetsError;

/// The longest name: it stands in tables and addresses.
const NAME_MAX: usize = 64;
/// Longer texts are no titles any more.
const TITLE_MAX_CHARS: usize = 100;
/// A sentence or two.
const ABOUT_MAX_CHARS: usize = 500;

/// Options under a name, to begin with.
#[utoipa::path(
    get,
    path = "/api/presets",
    tag = "presets",
    responses((status = 200, body = Vec<PresetView>))
)]
pub(super) async fn list(State(app): State<App>, _: Reader) -> axum::Json<Vec<PresetView>> {
    axum::Json(app.presets.all())
}

/// Writes an own preset, in the place of one of its name; a built-in one is hidden by it, not lost.
#[utoipa::path(
    put,
    path = "/api/presets/{name}",
    tag = "presets",
    params(("name" = String, Path, description = "lower-case letters, digits and dashes")),
    request_body = WritePreset,
    responses((status = 200, body = PresetView), (status = 400), (status = 422))
)]
pub(super) async fn put(
    State(app): State<App>,
    _: Operator,
    Path(name): Path<String>,
    Json(wish): Json<WritePreset>,
) -> Result<axum::Json<PresetView>, Problem> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(good) {
        let detail =
            format!("a preset's name is 1 to {NAME_MAX} lower-case letters, digits and dashes");
        return Err(Problem::unprocessable("bad-preset-name", detail));
    }
    let args = match &wish.text {
        None => wish.args,
        Some(text) => super::options::words(text).map_err(|_| {
            let detail = "a quote is opened and not closed".to_owned();
            Problem::unprocessable("option-refused", detail)
        })?,
    };
    too_many_options(&args)?;
    refuse_useless(&app, &args)?;
    let title = wish.title.trim().chars().take(TITLE_MAX_CHARS).collect::<String>();
    let preset = PresetView {
        title: if title.is_empty() { name.clone() } else { title },
        name,
        about: wish.about.trim().chars().take(ABOUT_MAX_CHARS).collect(),
        args,
        own: true,
    };
    let (keeper, kept) = (App::clone(&app), preset.clone());
    tokio::task::spawn_blocking(move || keeper.presets.keep(kept))
        .await
        .map_err(|error| Problem::internal(&error))?
        .map_err(not_kept)?;
    Ok(axum::Json(preset))
}

/// Options that no container takes would be refused at every use.
fn refuse_useless(app: &App, args: &[String]) -> Result<(), Problem> {
    if args.is_empty() {
        let detail = "a preset without options is none".to_owned();
        return Err(Problem::unprocessable("option-refused", detail));
    }
    let mut first = None;
    for container in ["matroska", "mp4", "webm", "mov"] {
        match (app.parse_spec)(args, Some(container), "output") {
            Ok(_) => return Ok(()),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    match first {
        None => Ok(()),
        Some(refusal) => {
            let detail = format!("{} ({})", refusal.message, refusal.reason);
            Err(Problem::unprocessable("option-refused", detail).hint(refusal.hint))
        }
    }
}

/// Forgets an own preset.
#[utoipa::path(
    delete,
    path = "/api/presets/{name}",
    tag = "presets",
    params(("name" = String, Path)),
    responses((status = 204), (status = 404))
)]
pub(super) async fn delete(
    State(app): State<App>,
    _: Operator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let (keeper, gone) = (App::clone(&app), name.clone());
    let forgotten = tokio::task::spawn_blocking(move || keeper.presets.forget(&gone))
        .await
        .map_err(|error| Problem::internal(&error))?
        .map_err(not_kept)?;
    if forgotten {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found(format!("there is no own preset {name}")))
}

fn not_kept(error: PresetsError) -> Problem {
    match error {
        PresetsError::TooMany => Problem::unprocessable("too-many-presets", error.to_string()),
        PresetsError::NotWritten { source, .. } => Problem::io(&source),
    }
}
