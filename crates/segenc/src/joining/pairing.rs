//! The worker's side of pairing: asks the person for the code and shows the server that it knows it.
//!
//! Sends nothing that the code could be guessed from; see `segenc_proto::connect::pairing`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use segenc_proto::connect::pairing::{PairingCode, Place, Prover, WorkerSide};
use segenc_proto::connect::{Secret, ServerAddress};
use segenc_proto::rest::{PairingAnswer, PairingDone, PairingMessage, PairingProof};

use super::ask;
use crate::api::Api;
use crate::halt::{Exit, Halt};
use crate::terminal;

/// As often as the server lets a code be tried.
const TRIES_MAX: u32 = 5;

/// Pairs with this server, whose certificate nobody has vouched for so far.
pub(super) async fn pair(server: &ServerAddress) -> anyhow::Result<Secret> {
    let api = Api::new(server.clone(), None)?;
    for left in (0..TRIES_MAX).rev() {
        let typed = ask("pairing code, as the server's page (Workers), `segenc serve` or `segenc workers pair` shows it:").await?;
        let code: PairingCode = match typed.parse() {
            Ok(code) => code,
            Err(error) if left > 0 => {
                terminal::say(&error.to_string());
                continue;
            }
            Err(error) => return Err(Halt::usage(error.to_string()).into()),
        };
        match exchange(&api, server, &code).await {
            Err(Refused::Wrong) if left > 0 => terminal::say("this is not the code; try again"),
            Err(Refused::Wrong) => break,
            Err(Refused::Other(error)) => return Err(error),
            Ok(token) => return Ok(token),
        }
    }
    Err(Halt::new(Exit::Unauthorised, "no pairing code was right")
        .reason("wrong-pairing-code")
        .hint("make a new one on the server")
        .into())
}

/// Why a code leads to no token.
enum Refused {
    Wrong,
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

async fn exchange(
    api: &Api,
    server: &ServerAddress,
    code: &PairingCode,
) -> Result<Secret, Refused> {
    let (worker, message) = WorkerSide::begin(code, &Place::of(server));
    let message = PairingMessage { message: STANDARD.encode(message) };
    let answer: PairingAnswer = api.post("/api/workers/pairing/exchange", &message).await?;
    let proofs = worker.finish(&decoded(api, &answer.message)?)?;
    let proof = STANDARD.encode(proofs.show(Prover::Worker));
    let proof = PairingProof { exchange: answer.exchange, proof };
    let done: PairingDone = match api.post("/api/workers/pairing/confirm", &proof).await {
        Err(error) if error.is("wrong-pairing-code") => return Err(Refused::Wrong),
        answered => answered?,
    };
    if !proofs.holds(Prover::Server, &decoded(api, &done.proof)?) {
        return Err(Halt::new(Exit::Unauthorised, format!("{} does not know the code", api.address()))
            .reason("not-the-server")
            .hint("somebody else answers there; make a new code, and join with the string that `segenc serve` printed")
            .into());
    }
    Ok(Secret::new(done.token))
}

fn decoded(api: &Api, text: &str) -> Result<Vec<u8>, crate::api::ApiError> {
    STANDARD.decode(text).map_err(|_| api.strange("no base64"))
}
