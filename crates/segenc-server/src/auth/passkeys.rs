//! Passkeys: challenges that are used once, and what browsers make of them.
//!
//! WebAuthn's own rules (signatures, flags, counters) are those of the crate `passki`, which nothing outside this
//! file knows. Where keys are kept is in `keys`, where they work in `places`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passki::{
    AuthenticationCredential, AuthenticationOptions, AuthenticationState, ClientData, Passki,
    PasskiError, RegistrationCredential, RegistrationOptions, RegistrationState,
    ResidentKeyRequirement, StoredPasskey, UserVerificationRequirement,
};
use segenc_core::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::places::{Place, Places};
use super::tries::Tries;
use super::{AuthError, Login, LoginError, Role};

/// What a browser shows of us when it asks its person.
const OUR_NAME: &str = "Segmented Encoder";
/// A challenge waits for somebody who looks for a key in a bag; then the page asks for another one.
const CHALLENGE_LIFE: Millis = 5 * 60 * 1000;
/// Logins that are begun at once; the oldest is forgotten first. Anybody may begin one, and each open login page does.
const LOGINS_MAX: usize = 256;
/// Registrations that are begun at once, by people who are logged in; the oldest is forgotten first.
const REGISTRATIONS_MAX: usize = 32;
/// Random bytes of the handle by which an authenticator knows its owner; WebAuthn allows up to 64.
const HANDLE_BYTES: usize = 32;
/// Longer names are cut: they are for people.
const NAME_MAX_CHARS: usize = 60;

/// Why a passkey is not made or not accepted.
#[derive(Debug, Error)]
pub(crate) enum PasskeyError {
    #[error("passkeys do not work at this address of the page")]
    NoPlace,
    #[error("the browser's answer cannot be read")]
    Unreadable(#[source] PasskiError),
    #[error("the browser's answer cannot be read")]
    Malformed(#[source] serde_json::Error),
    #[error("this took too long, was used already, or was never asked for")]
    NoChallenge,
    #[error("this passkey is not known here; perhaps it was removed")]
    Unknown,
    #[error("this passkey is not accepted")]
    Refused(#[source] PasskiError),
    #[error("this passkey was used elsewhere with a later count: there may be a copy of it")]
    Copied {
        /// Which one.
        id: String,
    },
    #[error("too many passkeys were not accepted; try again in a minute")]
    TooManyTries,
    #[error("a passkey needs a name that says whose it is")]
    NoName,
    #[error("this passkey is here already")]
    Known,
    #[error("there are {0} passkeys; remove some first")]
    TooMany(usize),
    #[error(transparent)]
    NotKept(#[from] LoginError),
}

/// A passkey as it is kept: nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passkey {
    /// Names it in the interface.
    pub(crate) id: String,
    pub(crate) role: Role,
    /// What its owner calls it.
    pub(crate) name: String,
    /// The name of the server that it belongs to.
    pub(crate) place: String,
    /// By what the authenticator knows it, in base64.
    pub(super) credential: String,
    /// By what the authenticator knows its owner, in base64: random, one for each passkey.
    pub(super) handle: String,
    /// COSE, in base64.
    public_key: String,
    /// COSE's number of the signature's algorithm.
    algorithm: i32,
    /// How often it was used, where the authenticator counts.
    pub(super) counter: u32,
    pub(crate) created: Millis,
    #[serde(default)]
    pub(crate) last_used: Option<Millis>,
    /// The login that made it.
    made_by: String,
    /// Its count went back once. Whoever has a copy needs only to try again until the counts fit, so it stays
    /// worthless.
    #[serde(default)]
    pub(crate) copied: bool,
}

impl Passkey {
    /// Whether this login made it, or was let in by it.
    pub(crate) fn is_of(&self, login: &Login) -> bool {
        self.made_by == login.digest || login.passkey.as_ref() == Some(&self.id)
    }

    /// Whether a login with this count comes after those that there were. Authenticators that share their keys among
    /// devices do not count, and always say zero.
    pub(super) const fn counts_on_to(&self, count: u32) -> bool {
        (self.counter == 0 && count == 0) || self.counter < count
    }

    fn stored(&self) -> StoredPasskey {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let mut stored = StoredPasskey::default();
        stored.credential_id = bytes(&self.credential);
        stored.public_key = bytes(&self.public_key);
        stored.algorithm = self.algorithm;
        // The crate would look at the count before the signature, and whoever knows a key's id could have it taken
        // for a copy; so it sees none, and what is signed is compared in `check`.
        stored.counter = 0;
        stored
    }
}

/// A passkey that proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(super) id: String,
    pub(super) counter: u32,
}

/// What was asked of a browser.
#[derive(Debug)]
struct Asked<T> {
    challenge: Vec<u8>,
    place: Place,
    expires: Millis,
    what: T,
}

/// A registration that was begun.
#[derive(Debug)]
struct Registering {
    state: RegistrationState,
    login: Login,
    name: String,
    handle: String,
}

/// What was asked and not yet answered, the oldest first.
#[derive(Debug)]
struct Open<T>(Mutex<VecDeque<Asked<T>>>);

impl<T> Open<T> {
    fn put(&self, asked: Asked<T>, now: Millis, at_most: usize) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|asked| now < asked.expires);
        let surplus = (open.len() + 1).saturating_sub(at_most);
        open.drain(..surplus);
        open.push_back(asked);
    }

    /// What this answers. It is answered then, whatever becomes of the answer.
    fn take(&self, client_data: &str, now: Millis) -> Result<Asked<T>, PasskeyError> {
        let said = ClientData::from_base64(client_data).map_err(PasskeyError::Unreadable)?;
        let challenge = URL_SAFE_NO_PAD.decode(said.challenge).unwrap_or_default();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().position(|asked| asked.challenge == challenge);
        let asked = found.and_then(|place| open.remove(place)).ok_or(PasskeyError::NoChallenge)?;
        if now < asked.expires { Ok(asked) } else { Err(PasskeyError::NoChallenge) }
    }
}

/// The server's side of WebAuthn.
#[derive(Debug)]
pub(crate) struct Passkeys {
    places: Places,
    registrations: Open<Registering>,
    logins: Open<AuthenticationState>,
    tries: Tries,
}

impl Passkeys {
    pub(crate) fn new(places: Places) -> Self {
        Self {
            places,
            registrations: Open(Mutex::default()),
            logins: Open(Mutex::default()),
            tries: Tries::default(),
        }
    }

    /// The addresses of the page at which passkeys work, and the names that they then belong to.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places.iter().map(|place| (place.origin.as_str(), place.name.as_str()))
    }

    fn place(&self, origin: Option<&str>) -> Result<&Place, PasskeyError> {
        origin.and_then(|origin| self.places.find(origin)).ok_or(PasskeyError::NoPlace)
    }

    /// Begins a registration: what the browser is to be given. `others` are the passkeys that there are.
    pub(crate) fn ask_for_new(
        &self,
        origin: Option<&str>,
        login: Login,
        name: &str,
        others: &[Passkey],
        now: Millis,
    ) -> Result<Value, PasskeyError> {
        let place = self.place(origin)?;
        let name: String =
            name.trim().chars().filter(|c| !c.is_control()).take(NAME_MAX_CHARS).collect();
        if name.is_empty() {
            return Err(PasskeyError::NoName);
        }
        let mut handle = [0_u8; HANDLE_BYTES];
        getrandom::fill(&mut handle).map_err(|error| {
            PasskeyError::NotKept(LoginError::from(AuthError::NoRandomness(error)))
        })?;
        // A device that has one of this role already says so, instead of keeping two that look alike.
        let same = others.iter().filter(|key| key.place == place.name && key.role == login.role);
        let same: Vec<StoredPasskey> = same.map(Passkey::stored).collect();
        let mut options = RegistrationOptions::default();
        options.timeout = CHALLENGE_LIFE;
        // A login has no name to type, so the device itself has to know whose key it is; and the key is all that is
        // asked for, so it takes more than having the device.
        options.resident_key = ResidentKeyRequirement::Required;
        options.user_verification = UserVerificationRequirement::Required;
        options.exclude_credentials = Some(&same);
        let title = format!("{name} ({})", login.role.name());
        let (challenge, state) = party(place)
            .start_passkey_registration(&handle, &title, &title, options)
            .map_err(PasskeyError::Refused)?;
        let asked = Asked {
            challenge: state.challenge.clone(),
            place: place.clone(),
            expires: now + CHALLENGE_LIFE,
            what: Registering { state, login, name, handle: URL_SAFE_NO_PAD.encode(handle) },
        };
        self.registrations.put(asked, now, REGISTRATIONS_MAX);
        serde_json::to_value(challenge).map_err(PasskeyError::Malformed)
    }

    /// Ends a registration: the new passkey.
    pub(crate) fn accept_new(
        &self,
        answer: Value,
        login: &Login,
        now: Millis,
    ) -> Result<Passkey, PasskeyError> {
        let answer: RegistrationCredential =
            serde_json::from_value(answer).map_err(PasskeyError::Malformed)?;
        let Asked { place, what, .. } =
            self.registrations.take(&answer.response.client_data_json, now)?;
        // Somebody else's challenge would give his key to this login.
        if what.login.digest != login.digest {
            return Err(PasskeyError::NoChallenge);
        }
        let made = party(&place).finish_passkey_registration(&answer, &what.state);
        let made = made.map_err(PasskeyError::Refused)?;
        let id = super::people::digest(&URL_SAFE_NO_PAD.encode(&made.credential_id));
        Ok(Passkey {
            id: id[..16].to_owned(),
            role: what.login.role,
            name: what.name,
            place: place.name,
            credential: URL_SAFE_NO_PAD.encode(made.credential_id),
            handle: what.handle,
            public_key: URL_SAFE_NO_PAD.encode(made.public_key),
            algorithm: made.algorithm,
            counter: made.counter,
            created: now,
            last_used: None,
            made_by: what.login.digest,
            copied: false,
        })
    }

    /// Begins a login: what the browser is to be given. It chooses among its passkeys for this name.
    pub(crate) fn ask_for_login(
        &self,
        origin: Option<&str>,
        now: Millis,
    ) -> Result<Value, PasskeyError> {
        let place = self.place(origin)?;
        let mut options = AuthenticationOptions::default();
        options.timeout = CHALLENGE_LIFE;
        options.user_verification = UserVerificationRequirement::Required;
        let (challenge, state) = party(place)
            .start_passkey_authentication(&[], options)
            .map_err(PasskeyError::Refused)?;
        let asked = Asked {
            challenge: state.challenge.clone(),
            place: place.clone(),
            expires: now + CHALLENGE_LIFE,
            what: state,
        };
        self.logins.put(asked, now, LOGINS_MAX);
        serde_json::to_value(challenge).map_err(PasskeyError::Malformed)
    }

    /// Ends a login: which of these passkeys it was.
    pub(crate) fn prove(
        &self,
        answer: Value,
        known: &[Passkey],
        now: Millis,
    ) -> Result<Proven, PasskeyError> {
        if !self.tries.may_try(now) {
            return Err(PasskeyError::TooManyTries);
        }
        let answer: AuthenticationCredential =
            serde_json::from_value(answer).map_err(PasskeyError::Malformed)?;
        let asked = self.logins.take(&answer.response.client_data_json, now)?;
        let proven = check(&answer, &asked, known);
        if proven.is_err() {
            self.tries.was_wrong(now);
        }
        proven
    }
}

fn check(
    answer: &AuthenticationCredential,
    asked: &Asked<AuthenticationState>,
    known: &[Passkey],
) -> Result<Proven, PasskeyError> {
    let key = known
        .iter()
        .find(|key| key.credential == answer.raw_id && key.place == asked.place.name)
        .ok_or(PasskeyError::Unknown)?;
    let party = party(&asked.place);
    let proof = party.finish_passkey_authentication(answer, &asked.what, &key.stored());
    let proof = proof.map_err(PasskeyError::Refused)?;
    let handle = proof.user_handle.map(|handle| URL_SAFE_NO_PAD.encode(handle));
    // Without a name that was typed, only the handle says whose key it is.
    if handle.as_ref() != Some(&key.handle) {
        return Err(PasskeyError::Unknown);
    }
    if key.copied || !key.counts_on_to(proof.counter) {
        return Err(PasskeyError::Copied { id: key.id.clone() });
    }
    Ok(Proven { id: key.id.clone(), counter: proof.counter })
}

fn party(place: &Place) -> Passki {
    Passki::new(&place.name, &[&place.origin], OUR_NAME)
}

#[cfg(test)]
mod tests;
