//! Who may do what: random tokens, kept hashed, compared in constant time.
//!
//! Knows tokens and roles, not what they protect. People at the page are in `people`, their passkeys in `passkeys`
//! (how they are checked), `keys` (how they are kept) and `places` (where they work).

mod keys;
mod pairing;
mod passkeys;
mod people;
mod places;
mod programs;
mod tries;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use segenc_core::ids::WorkerId;
use segenc_core::time::Millis;
use segenc_proto::connect::Secret;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock;
use crate::store::{Store, StoreError, TokenKind, TokenRow};
pub(crate) use pairing::{IssueError, Pairing, PairingError};
pub(crate) use passkeys::{Passkey, PasskeyError, Passkeys};
pub(crate) use people::{Login, LoginError, People, Role, SESSION_LIFE};
pub(crate) use places::Places;
pub(crate) use programs::ProgramToken;

/// Random bytes of a token: 256 bit, beyond any guessing.
const TOKEN_BYTES: usize = 32;
/// Longer words are no tokens of ours and are not even hashed.
const TOKEN_TEXT_MAX: usize = 256;

/// The system has no random bytes to give.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("the system gives no random bytes: {0}")]
    NoRandomness(getrandom::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Hash = [u8; 32];

/// All tokens that open something.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    store: Store,
    known: Arc<RwLock<HashMap<Hash, Known>>>,
}

#[derive(Debug, Clone)]
struct Known {
    kind: TokenKind,
    label: String,
    created: Millis,
    expires: Option<Millis>,
}

impl Tokens {
    /// Reads the tokens that were given out.
    pub(crate) async fn load(store: Store) -> Result<Self, StoreError> {
        let rows = store.tokens().await?;
        let known = rows
            .iter()
            .filter_map(|row| {
                let TokenRow { hash, kind, label, created, expires } = row;
                let (kind, created, expires) = (*kind, *created, *expires);
                Some((unhex(hash)?, Known { kind, label: label.clone(), created, expires }))
            })
            .collect();
        Ok(Self { store, known: Arc::new(RwLock::new(known)) })
    }

    /// What the token opens, if it is known, not revoked and not expired.
    pub(crate) fn kind_of(&self, token: &str) -> Option<TokenKind> {
        self.look_up(token).map(|known| known.kind)
    }

    fn look_up(&self, token: &str) -> Option<Known> {
        if token.is_empty() || token.len() > TOKEN_TEXT_MAX {
            return None;
        }
        let hash: Hash = Sha256::digest(token.as_bytes()).into();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (stored, found) = known.get_key_value(&hash)?;
        // The table is looked up by the hash of a secret, so its timing tells nothing of the secret; the
        // comparison is in constant time all the same.
        if !bool::from(stored.ct_eq(&hash)) {
            return None;
        }
        let alive = found.expires.is_none_or(|expires| clock::now() < expires);
        alive.then(|| found.clone())
    }

    /// Makes a new token.
    pub(crate) async fn issue(&self, kind: TokenKind, label: &str) -> Result<Secret, AuthError> {
        let token = random_token()?;
        self.adopt(&token, kind, label).await?;
        Ok(token)
    }

    /// Accepts a token that exists already, such as one in a file of the data folder.
    pub(crate) async fn adopt(
        &self,
        token: &Secret,
        kind: TokenKind,
        label: &str,
    ) -> Result<(), StoreError> {
        let hash: Hash = Sha256::digest(token.reveal().as_bytes()).into();
        let row = TokenRow {
            hash: hex(&hash),
            kind,
            label: label.to_owned(),
            created: clock::now(),
            expires: None,
        };
        self.store.insert_token(&row).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let TokenRow { label, created, expires, .. } = row;
        known.insert(hash, Known { kind, label, created, expires });
        Ok(())
    }

    /// Makes all tokens of this kind and purpose worthless, but for one that stays.
    pub(crate) async fn revoke_others(
        &self,
        kind: TokenKind,
        but: &Secret,
    ) -> Result<(), StoreError> {
        let keep: Hash = Sha256::digest(but.reveal().as_bytes()).into();
        let others: Vec<Hash> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            // What was given to programs is taken away one by one, by whoever gave it.
            let others = known.iter().filter(|(hash, known)| {
                known.kind == kind && **hash != keep && !programs::is_for_program(known)
            });
            others.map(|(hash, _)| *hash).collect()
        };
        for hash in others {
            self.store.revoke_token(&hex(&hash), clock::now()).await?;
            self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&hash);
        }
        Ok(())
    }

    /// Makes all tokens of a worker worthless.
    pub(crate) async fn revoke_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.store.revoke_worker(worker, clock::now()).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.kind != TokenKind::Worker(worker));
        Ok(())
    }
}

/// A fresh token, in letters that survive URLs, headers and terminals.
pub(crate) fn random_token() -> Result<Secret, AuthError> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(AuthError::NoRandomness)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(nibble)]));
        }
    }
    text
}

fn unhex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0_u8; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The token of an `Authorization: Bearer …` value.
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_survives_the_way_back() {
        let bytes: Hash = std::array::from_fn(|index| u8::try_from(index * 7).unwrap_or(255));
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex("zz"), None);
    }

    #[test]
    fn only_a_bearer_is_a_bearer() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("abc"), None);
    }
}
