//! Pairing: an operator makes a code, and a worker that knows it is given the join token.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use segenc_proto::connect::JoinString;
use segenc_proto::rest::{PairingAnswer, PairingDone, PairingMessage, PairingProof, PairingView};

use super::App;
use super::caller::{Json as Body, Operator};
use super::problem::Problem;
use crate::auth::{IssueError, PairingError};
use crate::clock;

impl From<PairingError> for Problem {
    fn from(error: PairingError) -> Self {
        let detail = error.to_string();
        match error {
            PairingError::NoCode => Self::conflict("no-pairing-code", detail).hint(Some(
                "make one on the server's page (Workers), or with `segenc workers pair`".to_owned(),
            )),
            PairingError::Wrong => {
                Self::new(StatusCode::UNAUTHORIZED, "wrong-pairing-code", detail).hint(Some(
                    "type it again as the server shows it; after five tries a new one is needed"
                        .to_owned(),
                ))
            }
            PairingError::BehindProxy => Self::conflict("pairing-behind-proxy", detail)
                .hint(Some("use the join string that the server prints".to_owned())),
            PairingError::Bad(_) => Self::unprocessable("bad-pairing", detail),
        }
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Pairing(error) => error.into(),
            IssueError::NoRandomness(error) => Self::internal(&error),
        }
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, Problem> {
    STANDARD
        .decode(text)
        .map_err(|_| Problem::unprocessable("bad-pairing", "this is no text in base64".to_owned()))
}

async fn join_string(app: &App) -> Result<JoinString, Problem> {
    let text = tokio::fs::read_to_string(app.data_dir.join()).await;
    let text = text.map_err(|error| Problem::io(&error))?;
    text.parse().map_err(|error| Problem::internal(&error))
}

/// Makes a code that lets one worker in, once and within ten minutes. The one before is worthless then.
#[utoipa::path(
    post,
    path = "/api/workers/pairing",
    tag = "workers",
    responses((status = 201, body = PairingView), (status = 403), (status = 409))
)]
pub(super) async fn issue(
    State(app): State<App>,
    _: Operator,
) -> Result<(StatusCode, Json<PairingView>), Problem> {
    let join = join_string(&app).await?;
    let (code, expires_at) = app.pairing.issue(clock::now())?;
    let command = format!("segenc worker --server {}", join.server.authority());
    Ok((StatusCode::CREATED, Json(PairingView { code: code.reveal(), expires_at, command })))
}

/// A worker begins to pair. Open to everybody, five times a code.
#[utoipa::path(
    post,
    path = "/api/workers/pairing/exchange",
    security(()),
    tag = "workers",
    request_body = PairingMessage,
    responses((status = 200, body = PairingAnswer), (status = 400), (status = 409), (status = 422))
)]
pub(super) async fn exchange(
    State(app): State<App>,
    Body(body): Body<PairingMessage>,
) -> Result<Json<PairingAnswer>, Problem> {
    let message = decoded(&body.message)?;
    let (exchange, answer) = app.pairing.begin(&message, clock::now())?;
    Ok(Json(PairingAnswer { exchange, message: STANDARD.encode(answer) }))
}

/// A worker proves that it knows the code, and is given the join token.
#[utoipa::path(
    post,
    path = "/api/workers/pairing/confirm",
    security(()),
    tag = "workers",
    request_body = PairingProof,
    responses((status = 200, body = PairingDone), (status = 400), (status = 401), (status = 409), (status = 422))
)]
pub(super) async fn confirm(
    State(app): State<App>,
    Body(body): Body<PairingProof>,
) -> Result<Json<PairingDone>, Problem> {
    let join = join_string(&app).await?;
    let shown = decoded(&body.proof)?;
    let proof = app.pairing.confirm(body.exchange, &shown, clock::now()).inspect_err(|error| {
        tracing::warn!(%error, "a worker could not pair");
    })?;
    tracing::info!("a worker has paired");
    let (proof, token) = (STANDARD.encode(proof), join.token.reveal().to_owned());
    Ok(Json(PairingDone { proof, token }))
}
