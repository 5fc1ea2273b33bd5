//! People at the page: a password for each role, one-time codes, and the sessions of their browsers.
//!
//! All of it hashed in one file of the data folder. Knows nothing of HTTP and of what the roles may do.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use segenc_core::time::Millis;
use segenc_proto::connect::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tokio::sync::Semaphore;

use super::passkeys::Passkey;
use super::tries::Tries;
use super::{AuthError, hex, random_token};
use crate::clock;
use crate::data_dir::write_private;

/// A code is for the minutes after the server's start; who comes later starts it again.
const CODE_LIFE: Millis = 60 * 60 * 1000;
/// A browser that is not used for so long has to log in again.
pub(crate) const SESSION_LIFE: Millis = 30 * 24 * 60 * 60 * 1000;
/// Sessions that are kept; the oldest goes first. More than the browsers of a large team.
const SESSIONS_MAX: usize = 256;
/// Shorter passwords are guessed.
const PASSWORD_MIN_CHARS: usize = 8;
/// Longer ones are a mistake, and cost time to hash.
const PASSWORD_MAX_BYTES: usize = 1024;
/// Passwords that are hashed at once: each takes a processor and 19 MiB for some hundredths of a second.
const HASHING_MAX: usize = 2;
/// Longer cookies are none of ours and are not even hashed.
const SESSION_TEXT_MAX: usize = 128;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Everything.
    Operator,
    /// Looking.
    Viewer,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }
}

/// Why a login or a password is not accepted.
#[derive(Debug, Error)]
pub(crate) enum LoginError {
    #[error("too many wrong passwords; try again in a minute")]
    TooManyTries,
    #[error("a password has {PASSWORD_MIN_CHARS} characters or more")]
    TooShort,
    #[error("a password has at most {PASSWORD_MAX_BYTES} bytes")]
    TooLong,
    #[error("the password cannot be hashed: {0}")]
    Hashing(argon2::password_hash::Error),
    #[error("the file of logins cannot be written")]
    Write(#[source] io::Error),
    #[error(transparent)]
    NoRandomness(#[from] AuthError),
}

/// The file of logins cannot be read.
#[derive(Debug, Error)]
#[error("the file of logins {} cannot be read", path.display())]
pub(crate) struct UnreadableLogins {
    path: PathBuf,
    source: io::Error,
}

/// What the file holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Tells the cookies of two servers on one host apart.
    server: String,
    /// Argon2id, as PHC strings.
    passwords: BTreeMap<Role, String>,
    sessions: Vec<Session>,
    /// Files of before passkeys have none.
    #[serde(default)]
    pub(super) passkeys: Vec<Passkey>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Session {
    /// SHA-256 of the cookie's value: it is random, so nothing slower is needed.
    hash: String,
    role: Role,
    expires: Millis,
    /// The passkey that opened it; without that it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passkey: Option<String>,
}

/// A login that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// Names it without being a key to it.
    pub(crate) digest: String,
    pub(crate) role: Role,
    /// The id of the passkey that opened it.
    pub(crate) passkey: Option<String>,
}

/// Everybody who logs in with a browser.
#[derive(Debug)]
pub(crate) struct People {
    path: PathBuf,
    kept: RwLock<Kept>,
    /// One change is written at a time.
    writing: tokio::sync::Mutex<()>,
    code: Mutex<Option<(String, Millis)>>,
    tries: Tries,
    hashing: Semaphore,
}

impl People {
    /// Reads the file; a first start has none.
    pub(crate) fn open(path: &Path) -> Result<Self, UnreadableLogins> {
        let unreadable = |source| UnreadableLogins { path: path.to_owned(), source };
        let mut kept: Kept = match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(unreadable(error)),
        };
        if kept.server.is_empty() {
            let id = random_token().map_err(|error| unreadable(io::Error::other(error)))?;
            kept.server = digest(id.reveal())[..8].to_owned();
        }
        Ok(Self {
            path: path.to_owned(),
            kept: RwLock::new(kept),
            writing: tokio::sync::Mutex::default(),
            code: Mutex::default(),
            tries: Tries::default(),
            hashing: Semaphore::new(HASHING_MAX),
        })
    }

    /// The name of the cookie that holds a session.
    pub(crate) fn cookie_name(&self) -> String {
        format!("segenc-{}", self.read().server)
    }

    /// Whether somebody of this role can log in with a password.
    pub(crate) fn has_password(&self, role: Role) -> bool {
        self.read().passwords.contains_key(&role)
    }

    /// A code that opens one operator's session, as long as there is no password for that. A new one makes
    /// the one before worthless.
    pub(crate) fn issue_code(&self) -> Result<Option<Secret>, AuthError> {
        if self.has_password(Role::Operator) {
            return Ok(None);
        }
        let code = random_token()?;
        *lock(&self.code) = Some((digest(code.reveal()), clock::now() + CODE_LIFE));
        Ok(Some(code))
    }

    /// Whether this is the code; it is none afterwards.
    pub(crate) fn redeem(&self, code: &str) -> bool {
        let given = digest(code);
        let mut kept = lock(&self.code);
        let good = kept.as_ref().is_some_and(|(hash, expires)| {
            bool::from(hash.as_bytes().ct_eq(given.as_bytes())) && clock::now() < *expires
        });
        if good {
            *kept = None;
        }
        good
    }

    /// The role of a session that is known and not too old.
    pub(crate) fn role_of(&self, session: &str) -> Option<Role> {
        self.login_of(session).map(|login| login.role)
    }

    /// The login of a session that is known and not too old.
    pub(crate) fn login_of(&self, session: &str) -> Option<Login> {
        if session.is_empty() || session.len() > SESSION_TEXT_MAX {
            return None;
        }
        let (given, now) = (digest(session), clock::now());
        let kept = self.read();
        let found = kept.sessions.iter().find(|kept| {
            bool::from(kept.hash.as_bytes().ct_eq(given.as_bytes())) && now < kept.expires
        });
        let Session { hash, role, passkey, .. } = found?;
        Some(Login { digest: hash.clone(), role: *role, passkey: passkey.clone() })
    }

    /// Opens a session and answers what the browser is to remember.
    pub(crate) async fn begin(&self, role: Role) -> Result<Secret, LoginError> {
        let session = random_token()?;
        let hash = digest(session.reveal());
        self.change(|kept| kept.begin(hash, role, None)).await?;
        Ok(session)
    }

    /// Closes a session.
    pub(crate) async fn end(&self, session: &str) -> Result<(), LoginError> {
        let hash = digest(session);
        self.change(|kept| kept.sessions.retain(|session| session.hash != hash)).await
    }

    /// The role whose password this is.
    pub(crate) async fn role_by_password(
        &self,
        password: &str,
    ) -> Result<Option<Role>, LoginError> {
        if password.len() > PASSWORD_MAX_BYTES {
            return Ok(None);
        }
        let place = self.hashing.acquire().await;
        if !self.tries.may_try(clock::now()) {
            return Err(LoginError::TooManyTries);
        }
        let (password, passwords) = (password.to_owned(), self.read().passwords.clone());
        let found = tokio::task::spawn_blocking(move || {
            let fits = |hash: &str| {
                PasswordHash::new(hash).is_ok_and(|hash| {
                    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
                })
            };
            passwords.into_iter().find(|(_, hash)| fits(hash)).map(|(role, _)| role)
        });
        let found = found.await.unwrap_or_default();
        drop(place);
        if found.is_none() {
            self.tries.was_wrong(clock::now());
        }
        Ok(found)
    }

    /// Sets a role's password and closes that role's sessions, but for the one that asks. Viewers' passkeys are
    /// worthless then: whoever knew the password could make one, and a new password is to keep somebody out.
    pub(crate) async fn set_password(
        &self,
        role: Role,
        password: &str,
        but: Option<&str>,
    ) -> Result<(), LoginError> {
        if password.chars().count() < PASSWORD_MIN_CHARS {
            return Err(LoginError::TooShort);
        }
        if password.len() > PASSWORD_MAX_BYTES {
            return Err(LoginError::TooLong);
        }
        let place = self.hashing.acquire().await;
        let password = password.to_owned();
        let hashed = tokio::task::spawn_blocking(move || {
            Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
        });
        let hashed = hashed.await.map_err(|error| LoginError::Write(io::Error::other(error)))?;
        drop(place);
        let hashed = hashed.map_err(LoginError::Hashing)?;
        let stays = but.map(digest);
        self.change(|kept| {
            kept.passwords.insert(role, hashed);
            if role == Role::Viewer {
                kept.passkeys.retain(|key| key.role != role);
            }
            kept.sessions
                .retain(|session| session.role != role || Some(&session.hash) == stays.as_ref());
        })
        .await?;
        // With a password the link of the first start has done its service.
        if role == Role::Operator {
            *lock(&self.code) = None;
        }
        Ok(())
    }

    /// Takes a role's password and passkeys away, and closes its sessions.
    pub(crate) async fn remove_password(&self, role: Role) -> Result<(), LoginError> {
        self.change(|kept| {
            kept.passwords.remove(&role);
            kept.passkeys.retain(|key| key.role != role);
            kept.sessions.retain(|session| session.role != role);
        })
        .await
    }

    /// Writes the changed file, then lets the change hold.
    pub(super) async fn change<T>(
        &self,
        change: impl FnOnce(&mut Kept) -> T,
    ) -> Result<T, LoginError> {
        let writing = self.writing.lock().await;
        let mut kept = self.read().clone();
        let answer = change(&mut kept);
        let written = kept.clone();
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || {
            let text = serde_json::to_string_pretty(&written)?;
            write_private(&path, &text)
        })
        .await
        .map_err(|error| LoginError::Write(io::Error::other(error)))?
        .map_err(LoginError::Write)?;
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
        drop(writing);
        Ok(answer)
    }

    pub(super) fn read(&self) -> std::sync::RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Opens a session whose cookie has this digest.
    pub(super) fn begin(&mut self, hash: String, role: Role, passkey: Option<String>) {
        let now = clock::now();
        self.sessions.retain(|session| now < session.expires);
        let surplus = (self.sessions.len() + 1).saturating_sub(SESSIONS_MAX);
        self.sessions.drain(..surplus);
        self.sessions.push(Session { hash, role, expires: now + SESSION_LIFE, passkey });
    }

    /// Closes the sessions that a passkey opened.
    pub(super) fn end_those_of(&mut self, passkey: &str) {
        self.sessions.retain(|session| session.passkey.as_deref() != Some(passkey));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn digest(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    hex(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> (tempfile::TempDir, People) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let people = People::open(&dir.path().join("logins")).expect("opens");
        (dir, people)
    }

    #[tokio::test]
    async fn a_code_opens_once_and_never_beside_a_password() {
        let (_dir, people) = people();
        let first = people.issue_code().expect("random").expect("no password yet");
        let code = people.issue_code().expect("random").expect("no password yet");
        assert!(!people.redeem(first.reveal()), "a newer one was issued");
        assert!(!people.redeem("guessed"));
        assert!(people.redeem(code.reveal()));
        assert!(!people.redeem(code.reveal()));
        people.set_password(Role::Operator, "correct horse", None).await.expect("set");
        assert!(people.issue_code().expect("random").is_none());
    }

    #[tokio::test]
    async fn passwords_and_sessions_survive_a_restart_and_are_not_readable() {
        let (dir, people) = people();
        people.set_password(Role::Operator, "correct horse", None).await.expect("set");
        people.set_password(Role::Viewer, "only looking", None).await.expect("set");
        let session = people.begin(Role::Viewer).await.expect("begins");
        let path = dir.path().join("logins");
        let text = std::fs::read_to_string(&path).expect("written");
        assert!(!text.contains("correct horse") && !text.contains(session.reveal()), "{text}");
        assert!(text.contains("$argon2id$"), "{text}");
        let again = People::open(&path).expect("opens");
        assert_eq!(again.cookie_name(), people.cookie_name());
        assert_eq!(again.role_of(session.reveal()), Some(Role::Viewer));
        let role = again.role_by_password("correct horse").await.expect("may try");
        assert_eq!(role, Some(Role::Operator));
        let role = again.role_by_password("only looking").await.expect("may try");
        assert_eq!(role, Some(Role::Viewer));
    }

    #[tokio::test]
    async fn a_new_password_closes_the_other_sessions_of_its_role() {
        let (_dir, people) = people();
        let (mine, other) =
            (people.begin(Role::Operator).await, people.begin(Role::Operator).await);
        let (mine, other) = (mine.expect("begins"), other.expect("begins"));
        let viewer = people.begin(Role::Viewer).await.expect("begins");
        let set = people.set_password(Role::Operator, "correct horse", Some(mine.reveal())).await;
        set.expect("set");
        assert_eq!(people.role_of(mine.reveal()), Some(Role::Operator));
        assert_eq!(people.role_of(other.reveal()), None);
        assert_eq!(people.role_of(viewer.reveal()), Some(Role::Viewer));
        people.end(mine.reveal()).await.expect("ends");
        assert_eq!(people.role_of(mine.reveal()), None);
        people.remove_password(Role::Viewer).await.expect("removed");
        assert_eq!(people.role_of(viewer.reveal()), None);
    }

    #[tokio::test]
    async fn guessing_is_stopped_and_short_passwords_are_refused() {
        let (_dir, people) = people();
        let short = people.set_password(Role::Operator, "short", None).await;
        assert!(matches!(short, Err(LoginError::TooShort)));
        for _ in 0..crate::auth::tries::TRIES_MAX {
            assert_eq!(people.role_by_password("wrong").await.expect("may try"), None);
        }
        let stopped = people.role_by_password("wrong").await;
        assert!(matches!(stopped, Err(LoginError::TooManyTries)));
    }

    #[tokio::test]
    async fn sessions_do_not_pile_up() {
        let (_dir, people) = people();
        let first = people.begin(Role::Viewer).await.expect("begins");
        {
            let mut kept = people.kept.write().expect("not poisoned");
            let one = kept.sessions[0].clone();
            kept.sessions.resize(SESSIONS_MAX, one);
        }
        people.begin(Role::Viewer).await.expect("begins");
        assert_eq!(people.read().sessions.len(), SESSIONS_MAX);
        assert!(people.role_of(first.reveal()).is_some(), "only the oldest entry went");
    }
}
