//! People log in, log out and set passwords; the cookie that a browser shows afterwards.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use segenc_proto::connect::Secret;
use segenc_proto::rest::{LogIn, SessionView, SetPassword};

use super::caller::{Json, Operator, Reader, is_from_elsewhere, session_cookie};
use super::problem::Problem;
use super::{App, passkeys};
use crate::auth::{LoginError, Role, SESSION_LIFE};
use crate::store::TokenKind;

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        let detail = error.to_string();
        match error {
            LoginError::TooManyTries => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", detail)
                    .header(header::RETRY_AFTER, HeaderValue::from_static("60"))
                    .hint(Some("the admin token opens the page at any time".to_owned()))
            }
            LoginError::TooShort | LoginError::TooLong => {
                Self::unprocessable("bad-password", detail)
            }
            LoginError::Write(source) => Self::io(&source),
            LoginError::Hashing(_) | LoginError::NoRandomness(_) => Self::internal(&error),
        }
    }
}

fn view(app: &App, role: &str) -> SessionView {
    SessionView {
        role: role.to_owned(),
        operator_password: app.people.has_password(Role::Operator),
        viewer_password: app.people.has_password(Role::Viewer),
    }
}

/// Who I am.
#[utoipa::path(
    get,
    path = "/api/session",
    tag = "session",
    responses((status = 200, body = SessionView), (status = 401))
)]
pub(super) async fn show(State(app): State<App>, reader: Reader) -> axum::Json<SessionView> {
    axum::Json(view(&app, reader.role))
}

/// Logs a browser in: with a one-time code, a password, a token or a passkey. The answer sets a cookie.
#[utoipa::path(
    post,
    path = "/api/session",
    security(()),
    tag = "session",
    request_body = LogIn,
    responses((status = 200, body = SessionView), (status = 400), (status = 401), (status = 403), (status = 409), (status = 422), (status = 429))
)]
pub(super) async fn log_in(
    State(app): State<App>,
    headers: HeaderMap,
    Json(login): Json<LogIn>,
) -> Result<Response, Problem> {
    if is_from_elsewhere(&headers) {
        return Err(Problem::other_origin());
    }
    let (role, session) = match (login.code, login.secret, login.passkey) {
        (Some(code), None, None) => {
            if !app.people.redeem(&code) {
                return Err(used_up());
            }
            (Role::Operator, app.people.begin(Role::Operator).await?)
        }
        (None, Some(secret), None) => {
            let role = role_by_secret(&app, secret.trim()).await?.ok_or_else(wrong)?;
            (role, app.people.begin(role).await?)
        }
        (None, None, Some(answer)) => passkeys::log_in(&app, answer).await?,
        _ => {
            let detail = "a login has either a code, a secret or a passkey".to_owned();
            return Err(Problem::unprocessable("bad-login", detail));
        }
    };
    let cookie = cookie(&app, &headers, Some(&session));
    Ok(with_cookie(axum::Json(view(&app, role.name())).into_response(), &cookie))
}

fn used_up() -> Problem {
    let hint =
        "start the server again for a new link, or log in with the password or the admin token";
    let detail = "this link was used already, is too old, or belongs to another server".to_owned();
    Problem::new(StatusCode::UNAUTHORIZED, "login-link-used", detail).hint(Some(hint.to_owned()))
}

fn wrong() -> Problem {
    let hint = "the admin token is in the file `admin-token` of the server's data folder";
    let detail = "this is neither a password nor a token of this server".to_owned();
    Problem::new(StatusCode::UNAUTHORIZED, "login-refused", detail).hint(Some(hint.to_owned()))
}

/// A token is long and random and costs nothing to look up, so it comes first.
async fn role_by_secret(app: &App, secret: &str) -> Result<Option<Role>, Problem> {
    match app.tokens.kind_for_people(secret) {
        Some(TokenKind::Operator) => return Ok(Some(Role::Operator)),
        Some(TokenKind::Viewer) => return Ok(Some(Role::Viewer)),
        Some(TokenKind::Join | TokenKind::Worker(_)) => return Ok(None),
        None => {}
    }
    Ok(app.people.role_by_password(secret).await?)
}

/// Logs the browser out.
#[utoipa::path(delete, path = "/api/session", tag = "session", responses((status = 204)))]
pub(super) async fn log_out(
    State(app): State<App>,
    _: Reader,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(session) = session_cookie(&headers, &app) {
        app.people.end(&session).await?;
    }
    let cookie = cookie(&app, &headers, None);
    Ok(with_cookie(StatusCode::NO_CONTENT.into_response(), &cookie))
}

/// Sets the password of a role. Other browsers of this role have to log in again.
#[utoipa::path(
    put,
    path = "/api/session/password",
    tag = "session",
    request_body = SetPassword,
    responses((status = 200, body = SessionView), (status = 400), (status = 401), (status = 403), (status = 422))
)]
pub(super) async fn set_password(
    State(app): State<App>,
    _: Operator,
    headers: HeaderMap,
    Json(wish): Json<SetPassword>,
) -> Result<axum::Json<SessionView>, Problem> {
    let role = role_named(&wish.role)?;
    // A browser that somebody left open must not be enough to lock its owner out.
    if role == Role::Operator && app.people.has_password(Role::Operator) {
        let current = wish.current.as_deref().unwrap_or_default().trim();
        if role_by_secret(&app, current).await? != Some(Role::Operator) {
            return Err(wrong());
        }
    }
    match (&wish.password, role) {
        (Some(password), role) => {
            let own = session_cookie(&headers, &app);
            app.people.set_password(role, password.trim(), own.as_deref()).await?;
        }
        (None, Role::Viewer) => app.people.remove_password(Role::Viewer).await?,
        (None, Role::Operator) => {
            let detail = "the operators' password can be changed, but not taken away".to_owned();
            return Err(Problem::unprocessable("bad-password", detail));
        }
    }
    Ok(axum::Json(view(&app, Role::Operator.name())))
}

/// The role of this name.
pub(super) fn role_named(name: &str) -> Result<Role, Problem> {
    match name {
        "operator" => Ok(Role::Operator),
        "viewer" => Ok(Role::Viewer),
        other => {
            let detail = format!("role is `operator` or `viewer`, not `{other}`");
            Err(Problem::unprocessable("bad-role", detail))
        }
    }
}

/// The cookie; without a session one that makes the browser forget it.
fn cookie(app: &App, headers: &HeaderMap, session: Option<&Secret>) -> String {
    let name = app.people.cookie_name();
    let value = session.map(Secret::reveal).unwrap_or_default();
    let age = if session.is_some() { SESSION_LIFE / 1000 } else { 0 };
    // Behind a proxy only the browser knows that the connection is protected, and says it here.
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let secure =
        if origin.is_some_and(|origin| origin.starts_with("https://")) { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
