//! Passkeys: how a browser makes one and logs in with it. What the browser itself is given and answers is
//! WebAuthn's own JSON, and nothing here looks into it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// `GET /api/passkeys/login`: where passkeys work. Open to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyPlaces {
    /// The addresses of the page at which they do; none, if the server has no name.
    pub origins: Vec<PasskeyOrigin>,
}

/// An address of the page at which passkeys work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyOrigin {
    /// As a browser calls it, such as `https://farm.example.org`.
    pub origin: String,
    /// Whether somebody has a passkey for it.
    pub in_use: bool,
}

/// What a browser is to hand to `navigator.credentials`. Good for one use within five minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyChallenge {
    /// `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON` of WebAuthn.
    #[schema(value_type = Object)]
    pub public_key: Value,
}

/// `POST /api/passkeys/registration`: somebody who is logged in wants a passkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// Whose it is, or where it is kept: for people who look at the list.
    pub name: String,
}

/// `POST /api/passkeys`: what the browser made of the challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    /// `RegistrationResponseJSON` of WebAuthn.
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// A passkey as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyView {
    /// Names it.
    pub id: String,
    /// `operator` or `viewer`: what it lets its owner do.
    pub role: String,
    /// What its owner called it.
    pub name: String,
    /// The name of the server that it is for; at another one it does not work.
    pub place: String,
    /// When it was made.
    pub created_at: u64,
    /// When somebody last logged in with it.
    pub last_used_at: Option<u64>,
    /// Whether this login made it, or was let in by it.
    pub own: bool,
    /// Its count went back once, so that there may be a copy: it opens nothing any more, and should be removed.
    pub copied: bool,
}
