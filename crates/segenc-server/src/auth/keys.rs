//! The passkeys of people: kept beside their passwords and sessions, in the same file.
//!
//! Knows nothing of how one proves itself.

use segenc_proto::connect::Secret;

use super::passkeys::{Passkey, PasskeyError, Proven};
use super::people::{LoginError, People, digest};
use super::random_token;
use crate::clock;

/// More than a large team has devices.
const PASSKEYS_MAX: usize = 200;

impl People {
    /// All passkeys, the newest first.
    pub(crate) fn passkeys(&self) -> Vec<Passkey> {
        self.read().passkeys.iter().rev().cloned().collect()
    }

    /// Keeps a new one.
    pub(crate) async fn add_passkey(&self, key: Passkey) -> Result<(), PasskeyError> {
        self.change(|kept| {
            if kept.passkeys.iter().any(|other| other.credential == key.credential) {
                return Err(PasskeyError::Known);
            }
            if kept.passkeys.len() >= PASSKEYS_MAX {
                return Err(PasskeyError::TooMany(PASSKEYS_MAX));
            }
            kept.passkeys.push(key);
            Ok(())
        })
        .await?
    }

    /// Forgets one, and closes the logins that it opened. Answers whether there was one.
    pub(crate) async fn remove_passkey(&self, id: &str) -> Result<bool, LoginError> {
        self.change(|kept| {
            let before = kept.passkeys.len();
            kept.passkeys.retain(|key| key.id != id);
            kept.end_those_of(id);
            kept.passkeys.len() < before
        })
        .await
    }

    /// Lets one open nothing any more, and closes the logins that it opened: they may be the copy's.
    pub(crate) async fn block_passkey(&self, id: &str) -> Result<(), LoginError> {
        self.change(|kept| {
            kept.passkeys.iter_mut().filter(|key| key.id == id).for_each(|key| key.copied = true);
            kept.end_those_of(id);
        })
        .await
    }

    /// Opens a session for whom a passkey belongs to.
    pub(crate) async fn begin_by_passkey(
        &self,
        proven: &Proven,
    ) -> Result<(Passkey, Secret), PasskeyError> {
        let session = random_token().map_err(LoginError::from)?;
        let hash = digest(session.reveal());
        let key = self
            .change(|kept| {
                let key = kept.passkeys.iter_mut().find(|key| key.id == proven.id);
                let key = key.ok_or(PasskeyError::Unknown)?;
                // It was checked before; another login of the same device may have come between.
                if !key.counts_on_to(proven.counter) {
                    return Err(PasskeyError::NoChallenge);
                }
                key.counter = proven.counter;
                key.last_used = Some(clock::now());
                let key = key.clone();
                kept.begin(hash, key.role, Some(key.id.clone()));
                Ok::<Passkey, PasskeyError>(key)
            })
            .await??;
        Ok((key, session))
    }
}
