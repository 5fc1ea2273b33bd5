//! Passkeys over HTTP: made and removed by people who are logged in, and the challenge that a login answers.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{AUTHORIZATION, HeaderValue, ORIGIN, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use segenc_proto::connect::Secret;
use segenc_proto::rest::{
    AddPasskey, NewPasskey, PasskeyChallenge, PasskeyOrigin, PasskeyPlaces, PasskeyView,
};
use serde_json::Value;

use super::App;
use super::caller::{Json as Body, Path, Reader, is_from_elsewhere, session_cookie};
use super::problem::Problem;
use crate::auth::{Login, Passkey, PasskeyError, Role};
use crate::clock;

impl From<PasskeyError> for Problem {
    fn from(error: PasskeyError) -> Self {
        let detail = error.to_string();
        let hint = |text: &str| Some(text.to_owned());
        match error {
            PasskeyError::NoPlace => Self::conflict("no-passkeys-here", detail).hint(hint(
                "open the page by its name, with https; see docs/guide/reverse-proxy.md",
            )),
            PasskeyError::Unreadable(_) | PasskeyError::Malformed(_) => {
                Self::unprocessable("bad-passkey", detail)
            }
            PasskeyError::NoChallenge => {
                Self::conflict("passkey-too-late", detail).hint(hint("begin again from the page"))
            }
            PasskeyError::Unknown | PasskeyError::Refused(_) => {
                Self::new(StatusCode::UNAUTHORIZED, "passkey-refused", detail)
                    .hint(hint("log in with a password or the admin token"))
            }
            PasskeyError::Copied { .. } => {
                Self::new(StatusCode::UNAUTHORIZED, "passkey-copied", detail)
                    .hint(hint("log in another way, remove it under Settings, and make a new one"))
            }
            PasskeyError::TooManyTries => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", detail)
                    .header(RETRY_AFTER, HeaderValue::from_static("60"))
                    .hint(hint("passwords and the admin token work meanwhile"))
            }
            PasskeyError::NoName => Self::unprocessable("bad-name", detail),
            PasskeyError::Known => Self::conflict("passkey-known", detail),
            PasskeyError::TooMany(_) => Self::conflict("too-many-passkeys", detail),
            PasskeyError::NotKept(error) => error.into(),
        }
    }
}

/// Somebody at a browser who is logged in; programs with a token are not.
pub(super) struct Person(Login);

impl FromRequestParts<App> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Reader::from_request_parts(parts, app).await?;
        let login = login_at(&parts.headers, app);
        login.map(Self).ok_or_else(|| {
            let detail = "a passkey is made in a browser that is logged in".to_owned();
            Problem::forbidden("not-a-login", detail)
        })
    }
}

/// The login of a browser; a token that is shown beside its cookie is what counts.
fn login_at(headers: &HeaderMap, app: &App) -> Option<Login> {
    if headers.contains_key(AUTHORIZATION) {
        return None;
    }
    app.people.login_of(&session_cookie(headers, app)?)
}

/// Operators see all passkeys, viewers their own.
fn is_shown(key: &Passkey, reader: &Reader, login: Option<&Login>) -> bool {
    reader.role == Role::Operator.name() || login.is_some_and(|login| key.is_of(login))
}

fn view(key: Passkey, login: Option<&Login>) -> PasskeyView {
    let own = login.is_some_and(|login| key.is_of(login));
    let Passkey { id, role, name, place, created, last_used, copied, .. } = key;
    PasskeyView {
        id,
        role: role.name().to_owned(),
        name,
        place,
        created_at: created,
        last_used_at: last_used,
        own,
        copied,
    }
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN).and_then(|origin| origin.to_str().ok())
}

/// The passkeys, the newest first. A viewer sees those that this login made or was let in by.
#[utoipa::path(
    get,
    path = "/api/passkeys",
    tag = "passkeys",
    responses((status = 200, body = Vec<PasskeyView>), (status = 401))
)]
pub(super) async fn list(
    State(app): State<App>,
    reader: Reader,
    headers: HeaderMap,
) -> Json<Vec<PasskeyView>> {
    let login = login_at(&headers, &app);
    let keys = app.people.passkeys().into_iter();
    let shown = keys.filter(|key| is_shown(key, &reader, login.as_ref()));
    Json(shown.map(|key| view(key, login.as_ref())).collect())
}

/// Begins a passkey for who is logged in. The answer is for `navigator.credentials.create`.
#[utoipa::path(
    post,
    path = "/api/passkeys/registration",
    tag = "passkeys",
    request_body = NewPasskey,
    responses((status = 200, body = PasskeyChallenge), (status = 400), (status = 401), (status = 403), (status = 409), (status = 422))
)]
pub(super) async fn ask_for_new(
    State(app): State<App>,
    Person(login): Person,
    headers: HeaderMap,
    Body(wish): Body<NewPasskey>,
) -> Result<Json<PasskeyChallenge>, Problem> {
    let others = app.people.passkeys();
    let public_key =
        app.passkeys.ask_for_new(origin(&headers), login, &wish.name, &others, clock::now())?;
    Ok(Json(PasskeyChallenge { public_key }))
}

/// Keeps the passkey that the browser has made.
#[utoipa::path(
    post,
    path = "/api/passkeys",
    tag = "passkeys",
    request_body = AddPasskey,
    responses((status = 201, body = PasskeyView), (status = 400), (status = 401), (status = 403), (status = 409), (status = 422))
)]
pub(super) async fn add(
    State(app): State<App>,
    Person(login): Person,
    Body(wish): Body<AddPasskey>,
) -> Result<(StatusCode, Json<PasskeyView>), Problem> {
    let key = app.passkeys.accept_new(wish.credential, &login, clock::now());
    let key = key.inspect_err(log_refused)?;
    app.people.add_passkey(key.clone()).await?;
    tracing::info!(id = key.id, role = key.role.name(), name = key.name, "a passkey was made");
    Ok((StatusCode::CREATED, Json(view(key, Some(&login)))))
}

/// Makes a passkey worthless and closes the logins that it opened. Operators may do so with all, viewers with their own.
#[utoipa::path(
    delete,
    path = "/api/passkeys/{id}",
    tag = "passkeys",
    params(("id" = String, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404))
)]
pub(super) async fn remove(
    State(app): State<App>,
    reader: Reader,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let login = login_at(&headers, &app);
    let found = app.people.passkeys().into_iter().find(|key| key.id == id);
    let is_theirs = found.is_some_and(|key| is_shown(&key, &reader, login.as_ref()));
    if is_theirs && app.people.remove_passkey(&id).await? {
        tracing::info!(id, by = reader.role, "a passkey was removed");
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found(format!("there is no passkey {id}")))
}

/// Where passkeys work, and whether there are any. Open to everybody: it says whether the page offers them.
#[utoipa::path(
    get,
    path = "/api/passkeys/login",
    security(()),
    tag = "passkeys",
    responses((status = 200, body = PasskeyPlaces))
)]
pub(super) async fn places(State(app): State<App>) -> Json<PasskeyPlaces> {
    let keys = app.people.passkeys();
    let origins = app.passkeys.places().map(|(origin, name)| PasskeyOrigin {
        origin: origin.to_owned(),
        in_use: keys.iter().any(|key| key.place == name),
    });
    Json(PasskeyPlaces { origins: origins.collect() })
}

/// Begins a login by passkey. The answer is for `navigator.credentials.get`, whose own goes to `POST /api/session`.
#[utoipa::path(
    post,
    path = "/api/passkeys/login",
    security(()),
    tag = "passkeys",
    responses((status = 200, body = PasskeyChallenge), (status = 403), (status = 409))
)]
pub(super) async fn ask_for_login(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<PasskeyChallenge>, Problem> {
    if is_from_elsewhere(&headers) {
        return Err(Problem::other_origin());
    }
    let public_key = app.passkeys.ask_for_login(origin(&headers), clock::now())?;
    Ok(Json(PasskeyChallenge { public_key }))
}

/// Opens a session for whom the passkey belongs to.
pub(super) async fn log_in(app: &App, answer: Value) -> Result<(Role, Secret), Problem> {
    let begun = match app.passkeys.prove(answer, &app.people.passkeys(), clock::now()) {
        Ok(proven) => app.people.begin_by_passkey(&proven).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &begun {
        log_refused(error);
    }
    if let Err(PasskeyError::Copied { id }) = &begun {
        app.people.block_passkey(id).await?;
    }
    let (key, session) = begun?;
    tracing::info!(id = key.id, role = key.role.name(), "somebody has logged in by passkey");
    Ok((key.role, session))
}

/// The answer says less than this: what exactly was wrong helps who keeps the server, and who forges passkeys.
fn log_refused(error: &PasskeyError) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(%error, cause, "a passkey was not accepted");
}
