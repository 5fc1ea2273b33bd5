//! The one pairing code that may be used, who tries it, and when it is worthless.
//!
//! Knows nothing of HTTP and of what a code opens.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use segenc_core::time::Millis;
use segenc_proto::connect::pairing::{
    BadPairing, CODE_BYTES, PairingCode, Place, Proofs, Prover, answer_worker,
};
use thiserror::Error;

use super::AuthError;

/// A code is for the walk to the worker.
const CODE_LIFE: Millis = 10 * 60 * 1000;
/// So often a code may be tried: enough for a person's typing mistakes, and of 2^40 codes nobody guesses the right one
/// in so many.
const TRIES_MAX: usize = 5;

/// Why a pairing is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum PairingError {
    #[error(
        "there is no pairing code just now: none was made, or it was used, tried too often, or is too old"
    )]
    NoCode,
    #[error("the pairing code is not the one that the server knows")]
    Wrong,
    #[error(
        "a server behind a proxy cannot pair: it does not know which certificate the proxy shows"
    )]
    BehindProxy,
    #[error(transparent)]
    Bad(#[from] BadPairing),
}

/// A code that may be used.
#[derive(Debug)]
struct Issued {
    code: PairingCode,
    expires: Millis,
    /// Exchanges that were begun, the last ones open; never more than [`TRIES_MAX`].
    begun: usize,
    open: VecDeque<(u64, Proofs)>,
}

/// The pairing of a server.
#[derive(Debug)]
pub(crate) struct Pairing {
    /// Who this server is to workers; none where that is not known.
    place: Option<Place>,
    issued: Mutex<Option<Issued>>,
}

impl Pairing {
    pub(crate) const fn new(place: Option<Place>) -> Self {
        Self { place, issued: Mutex::new(None) }
    }

    /// Makes a code, and the one before worthless. Answers until when it is good, too.
    pub(crate) fn issue(&self, now: Millis) -> Result<(PairingCode, Millis), IssueError> {
        if self.place.is_none() {
            return Err(IssueError::Pairing(PairingError::BehindProxy));
        }
        let mut bytes = [0_u8; CODE_BYTES];
        getrandom::fill(&mut bytes).map_err(AuthError::NoRandomness)?;
        let code = PairingCode::from_random(bytes);
        let expires = now + CODE_LIFE;
        let issued = Issued { code: code.clone(), expires, begun: 0, open: VecDeque::new() };
        *self.lock() = Some(issued);
        Ok((code, expires))
    }

    /// A worker begins: the number of its exchange, and what it is answered.
    pub(crate) fn begin(
        &self,
        message: &[u8],
        now: Millis,
    ) -> Result<(u64, Vec<u8>), PairingError> {
        let place = self.place.as_ref().ok_or(PairingError::BehindProxy)?;
        let mut kept = self.lock();
        let issued =
            kept.as_mut().filter(|issued| now < issued.expires && issued.begun < TRIES_MAX);
        let issued = issued.ok_or(PairingError::NoCode)?;
        issued.begun += 1;
        let (answer, proofs) = answer_worker(&issued.code, place, message)?;
        // Numbers only tell exchanges of one code apart; who knows another's number can only waste that try.
        let exchange = u64::try_from(issued.begun).unwrap_or(u64::MAX);
        issued.open.push_back((exchange, proofs));
        Ok((exchange, answer))
    }

    /// A worker proves that it knows the code, once: the proof for the worker, and the code is used up.
    pub(crate) fn confirm(
        &self,
        exchange: u64,
        proof: &[u8],
        now: Millis,
    ) -> Result<Vec<u8>, PairingError> {
        let mut kept = self.lock();
        let issued = kept.as_mut().filter(|issued| now < issued.expires);
        let issued = issued.ok_or(PairingError::NoCode)?;
        let place = issued.open.iter().position(|(number, _)| *number == exchange);
        let (_, proofs) =
            place.and_then(|place| issued.open.remove(place)).ok_or(PairingError::Wrong)?;
        if !proofs.holds(Prover::Worker, proof) {
            return Err(PairingError::Wrong);
        }
        *kept = None;
        Ok(proofs.show(Prover::Server))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why no code can be made.
#[derive(Debug, Error)]
pub(crate) enum IssueError {
    #[error(transparent)]
    Pairing(PairingError),
    #[error(transparent)]
    NoRandomness(#[from] AuthError),
}

#[cfg(test)]
mod tests {
    use segenc_proto::connect::ServerAddress;
    use segenc_proto::connect::pairing::WorkerSide;

    use super::*;

    const NOW: Millis = 1_000_000;

    fn place() -> Place {
        Place::of(&ServerAddress::plain("127.0.0.1:1"))
    }

    fn with_code() -> (Pairing, PairingCode) {
        let pairing = Pairing::new(Some(place()));
        let (code, _) = pairing.issue(NOW).expect("the system has random bytes");
        (pairing, code)
    }

    fn another(code: &PairingCode) -> PairingCode {
        let wrong = ["0000-0000", "1111-1111"].map(|code| code.parse().expect("a code"));
        let [first, second] = wrong;
        if first == *code { second } else { first }
    }

    /// A worker tries a code; whether it is let in and believes the server.
    fn attempt(pairing: &Pairing, code: &PairingCode, now: Millis) -> Result<bool, PairingError> {
        let (worker, message) = WorkerSide::begin(code, &place());
        let (exchange, answer) = pairing.begin(&message, now)?;
        let worker = worker.finish(&answer).expect("a server's answer");
        let proof = pairing.confirm(exchange, &worker.show(Prover::Worker), now)?;
        Ok(worker.holds(Prover::Server, &proof))
    }

    #[test]
    fn a_code_lets_one_worker_in_and_no_second_one() {
        let (pairing, code) = with_code();
        assert_eq!(attempt(&pairing, &code, NOW), Ok(true));
        assert_eq!(attempt(&pairing, &code, NOW), Err(PairingError::NoCode));
    }

    #[test]
    fn four_mistakes_are_forgiven_and_five_are_not() {
        let (pairing, code) = with_code();
        let wrong = another(&code);
        for _ in 1..TRIES_MAX {
            assert_eq!(attempt(&pairing, &wrong, NOW), Err(PairingError::Wrong));
        }
        assert_eq!(attempt(&pairing, &code, NOW), Ok(true));
        let (pairing, code) = with_code();
        for _ in 0..TRIES_MAX {
            assert_eq!(attempt(&pairing, &another(&code), NOW), Err(PairingError::Wrong));
        }
        assert_eq!(attempt(&pairing, &code, NOW), Err(PairingError::NoCode));
    }

    #[test]
    fn an_exchange_is_worth_one_proof() {
        let (pairing, code) = with_code();
        let (worker, message) = WorkerSide::begin(&code, &place());
        let (exchange, answer) = pairing.begin(&message, NOW).expect("there is a code");
        let proof = worker.finish(&answer).expect("an answer").show(Prover::Worker);
        assert_eq!(pairing.confirm(exchange, b"guess", NOW), Err(PairingError::Wrong));
        assert_eq!(pairing.confirm(exchange, &proof, NOW), Err(PairingError::Wrong));
    }

    #[test]
    fn a_code_grows_old_and_a_new_one_makes_it_worthless() {
        let (pairing, code) = with_code();
        assert_eq!(attempt(&pairing, &code, NOW + CODE_LIFE), Err(PairingError::NoCode));
        let (newer, _) = pairing.issue(NOW).expect("random bytes");
        assert_eq!(attempt(&pairing, &code, NOW), Err(PairingError::Wrong));
        assert_eq!(attempt(&pairing, &newer, NOW), Ok(true));
    }

    #[test]
    fn nobody_pairs_with_a_server_that_does_not_know_its_certificate() {
        let pairing = Pairing::new(None);
        assert!(matches!(pairing.issue(NOW), Err(IssueError::Pairing(PairingError::BehindProxy))));
        assert_eq!(pairing.begin(b"", NOW), Err(PairingError::BehindProxy));
    }
}
