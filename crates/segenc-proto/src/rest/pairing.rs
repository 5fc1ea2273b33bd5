//! Pairing: how a worker that has only a short code comes to the join token. See `connect::pairing`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/workers/pairing`: a code that lets one worker in. A secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairingView {
    /// Eight letters and digits in two groups, such as `7KQ2-M9TX`.
    pub code: String,
    /// Until when, in milliseconds since 1970.
    pub expires_at: u64,
    /// What a worker calls, where it does not find the server by itself.
    pub command: String,
}

/// `POST /api/workers/pairing/exchange`: a worker begins. Costs one of the code's tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairingMessage {
    /// The worker's message of SPAKE2, in base64.
    pub message: String,
}

/// The server's answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairingAnswer {
    /// Which exchange this is.
    pub exchange: u64,
    /// The server's message of SPAKE2, in base64.
    pub message: String,
}

/// `POST /api/workers/pairing/confirm`: the worker proves that it knows the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairingProof {
    /// Which exchange.
    pub exchange: u64,
    /// The proof, in base64.
    pub proof: String,
}

/// The server's own proof, and what the worker asked for. The code is used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairingDone {
    /// The proof, in base64. A worker that does not find it right must not use the token.
    pub proof: String,
    /// The join token.
    pub token: String,
}
