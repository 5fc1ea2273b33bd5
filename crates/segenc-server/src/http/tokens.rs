//! Tokens for programs: made, listed, taken away.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use segenc_proto::rest::{CreateToken, NewTokenView, TokenView};

use super::App;
use super::caller::{Json as Body, Operator, Path};
use super::problem::Problem;
use super::session::role_named;
use crate::auth::ProgramToken;

/// More than anybody has programs.
const TOKENS_MAX: usize = 1_000;
/// Longer labels are cut: they are for people.
const LABEL_MAX_CHARS: usize = 100;

fn view(token: ProgramToken) -> TokenView {
    let ProgramToken { id, role, label, created } = token;
    TokenView { id, role: role.name().to_owned(), label, created_at: created }
}

/// The tokens that were made for programs, the newest first; not what they are.
#[utoipa::path(
    get,
    path = "/api/tokens",
    tag = "tokens",
    responses((status = 200, body = Vec<TokenView>), (status = 403))
)]
pub(super) async fn list(State(app): State<App>, _: Operator) -> Json<Vec<TokenView>> {
    Json(app.tokens.of_programs().into_iter().map(view).collect())
}

/// Makes a token for a program. Only this answer holds it.
#[utoipa::path(
    post,
    path = "/api/tokens",
    tag = "tokens",
    request_body = CreateToken,
    responses((status = 201, body = NewTokenView), (status = 400), (status = 403), (status = 409), (status = 422))
)]
pub(super) async fn create(
    State(app): State<App>,
    _: Operator,
    Body(wish): Body<CreateToken>,
) -> Result<(StatusCode, Json<NewTokenView>), Problem> {
    let role = role_named(&wish.role)?;
    let label: String = wish.label.trim().chars().take(LABEL_MAX_CHARS).collect();
    if label.is_empty() {
        let detail = "a token needs a label that says what it is for".to_owned();
        return Err(Problem::unprocessable("bad-label", detail));
    }
    if app.tokens.of_programs().len() >= TOKENS_MAX {
        let detail = format!("there are {TOKENS_MAX} tokens; delete some first");
        return Err(Problem::conflict("too-many-tokens", detail));
    }
    let token = app
        .tokens
        .issue_for_program(role, &label)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let view = NewTokenView { token: token.reveal().to_owned() };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Makes a program's token worthless.
#[utoipa::path(
    delete,
    path = "/api/tokens/{id}",
    tag = "tokens",
    params(("id" = String, Path)),
    responses((status = 204), (status = 403), (status = 404))
)]
pub(super) async fn delete(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if app.tokens.revoke_of_program(&id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found(format!("there is no token {id}")))
}
