//! Pairing: a worker and a server show one another that both know a short code, over a connection that nobody
//! vouches for, and that nobody stands between them.
//!
//! SPAKE2 (RFC 9382, by the crate `spake2`): whoever listens, or plays the other side with a guessed code, can test that
//! one guess and no other, also afterwards. The server's certificate is part of both identities, so that messages
//! handed on by somebody with another certificate lead to different keys. How often somebody may try is not decided
//! here.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use thiserror::Error;

use super::join::{ServerAddress, Tls};

/// Characters of a code: 40 bits, which nobody guesses in a few tries, and a person types without a mistake.
const CODE_CHARS: usize = 8;
/// Random bytes that make a code of that length, five bits a character.
pub const CODE_BYTES: usize = 5;
/// No letter that is taken for a digit or another letter.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// A group's element and the byte that names its side.
const MESSAGE_BYTES_MAX: usize = 64;

/// A short code that a person carries from the server to a worker. It never shows itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingCode(String);

impl PairingCode {
    /// Makes a code of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; CODE_BYTES]) -> Self {
        let bits = bytes.into_iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(byte));
        let char_at = |place: usize| {
            let value = bits >> (5 * (CODE_CHARS - 1 - place)) & 31;
            char::from(ALPHABET[usize::try_from(value).unwrap_or_default()])
        };
        Self((0..CODE_CHARS).map(char_at).collect())
    }

    /// The code as it is read out: in two groups.
    #[must_use]
    pub fn reveal(&self) -> String {
        let (first, second) = self.0.split_at(CODE_CHARS / 2);
        format!("{first}-{second}")
    }
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PairingCode(…)")
    }
}

impl FromStr for PairingCode {
    type Err = BadPairing;

    /// Reads a code as people type it: small letters, with spaces, an O for a zero.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let read = typed.map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        });
        let code: String = read.take(CODE_CHARS + 1).collect();
        let is_code = |code: &str| {
            code.len() == CODE_CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte))
        };
        if is_code(&code) { Ok(Self(code)) } else { Err(BadPairing::NoCode) }
    }
}

/// Why a pairing goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadPairing {
    /// Not the form of a code.
    #[error("a pairing code has {CODE_CHARS} letters and digits, such as 7KQ2-M9TX")]
    NoCode,
    /// Not a message of the other side.
    #[error("the other side's message cannot be understood")]
    BadMessage,
}

/// Which server takes part: whoever it shows itself as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The server at this address, as its certificate tells; without one, only the loopback can be meant.
    #[must_use]
    pub fn of(server: &ServerAddress) -> Self {
        Self(match server.tls() {
            Tls::Plain => "segenc server on this computer".to_owned(),
            Tls::Public => "segenc server behind a public certificate".to_owned(),
            Tls::Pinned(fingerprint) => format!("segenc server sha256:{fingerprint}"),
        })
    }

    fn identities(&self) -> (Identity, Identity) {
        (Identity::new(b"segenc worker"), Identity::new(self.0.as_bytes()))
    }
}

/// A worker that has begun.
pub struct WorkerSide {
    state: Spake2<Ed25519Group>,
    message: Vec<u8>,
}

impl WorkerSide {
    /// Begins; what comes back with it is for the server.
    #[must_use]
    pub fn begin(code: &PairingCode, place: &Place) -> (Self, Vec<u8>) {
        let (worker, server) = place.identities();
        let (state, message) =
            Spake2::<Ed25519Group>::start_a(&Password::new(&code.0), &worker, &server);
        (Self { state, message: message.clone() }, message)
    }

    /// Takes the server's answer.
    ///
    /// # Errors
    /// When it is no answer of a server.
    pub fn finish(self, answer: &[u8]) -> Result<Proofs, BadPairing> {
        Proofs::of(self.state, &self.message, answer, answer)
    }
}

/// Answers a worker that has begun: what goes back to it, and what both sides can prove then.
///
/// # Errors
/// When the message is none of a worker.
pub fn answer_worker(
    code: &PairingCode,
    place: &Place,
    message: &[u8],
) -> Result<(Vec<u8>, Proofs), BadPairing> {
    let (worker, server) = place.identities();
    let (state, answer) =
        Spake2::<Ed25519Group>::start_b(&Password::new(&code.0), &worker, &server);
    let proofs = Proofs::of(state, message, &answer, message)?;
    Ok((answer, proofs))
}

/// What each side shows the other as the proof that it knows the code.
pub struct Proofs {
    key: Vec<u8>,
    transcript: Vec<u8>,
}

/// Who proves something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prover {
    /// The worker, which comes first: a server that does not know the code learns nothing from it.
    Worker,
    /// The server, which answers with it.
    Server,
}

impl Proofs {
    fn of(
        state: Spake2<Ed25519Group>,
        of_worker: &[u8],
        of_server: &[u8],
        received: &[u8],
    ) -> Result<Self, BadPairing> {
        if received.len() > MESSAGE_BYTES_MAX {
            return Err(BadPairing::BadMessage);
        }
        let key = state.finish(received).map_err(|_| BadPairing::BadMessage)?;
        Ok(Self { key, transcript: [of_worker, of_server].concat() })
    }

    fn code(&self, prover: Prover) -> Hmac<Sha256> {
        let mut code = Hmac::<Sha256>::new_from_slice(&self.key)
            .expect("a key of any length is a key of this code");
        code.update(match prover {
            Prover::Worker => b"worker",
            Prover::Server => b"server",
        });
        code.update(&self.transcript);
        code
    }

    /// The proof that this side shows.
    #[must_use]
    pub fn show(&self, prover: Prover) -> Vec<u8> {
        self.code(prover).finalize().into_bytes().to_vec()
    }

    /// Whether the other side knows the code. Takes the same time for every wrong proof.
    #[must_use]
    pub fn holds(&self, prover: Prover, shown: &[u8]) -> bool {
        self.code(prover).verify_slice(shown).is_ok()
    }
}

impl fmt::Debug for Proofs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Proofs(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::join::Fingerprint;
    use super::*;

    fn code(text: &str) -> PairingCode {
        text.parse().expect("it is a code")
    }

    fn place(byte: u8) -> Place {
        Place::of(&ServerAddress::pinned("farm:8642", Fingerprint([byte; 32])))
    }

    /// Whether each side believes the other: first the server the worker, then the worker the server.
    fn pair(of_worker: (&str, u8), of_server: (&str, u8)) -> (bool, bool) {
        let (worker, message) = WorkerSide::begin(&code(of_worker.0), &place(of_worker.1));
        let (answer, server) = answer_worker(&code(of_server.0), &place(of_server.1), &message)
            .expect("it is a worker's message");
        let worker = worker.finish(&answer).expect("it is a server's answer");
        (
            server.holds(Prover::Worker, &worker.show(Prover::Worker)),
            worker.holds(Prover::Server, &server.show(Prover::Server)),
        )
    }

    #[test]
    fn both_believe_one_another_if_both_know_the_code() {
        assert_eq!(pair(("7KQ2-M9TX", 1), ("7kq2m9tx", 1)), (true, true));
    }

    #[test]
    fn another_code_convinces_nobody() {
        assert_eq!(pair(("7KQ2-M9TX", 1), ("7KQ2-M9TY", 1)), (false, false));
    }

    #[test]
    fn who_hands_messages_on_with_another_certificate_convinces_nobody() {
        assert_eq!(pair(("7KQ2-M9TX", 1), ("7KQ2-M9TX", 2)), (false, false));
    }

    #[test]
    fn a_proof_is_not_good_for_the_other_side() {
        let (worker, message) = WorkerSide::begin(&code("7KQ2-M9TX"), &place(1));
        let (answer, server) =
            answer_worker(&code("7KQ2-M9TX"), &place(1), &message).expect("a worker's message");
        let worker = worker.finish(&answer).expect("a server's answer");
        assert!(!worker.holds(Prover::Server, &worker.show(Prover::Worker)));
        assert!(!server.holds(Prover::Worker, b""));
    }

    #[test]
    fn nonsense_is_refused_and_not_worked_on() {
        for message in [&[][..], &[0; 33], &[0x41; 32], &[0x42; 33], &[0x41; 4096]] {
            let answered = answer_worker(&code("7KQ2-M9TX"), &place(1), message);
            assert_eq!(answered.err(), Some(BadPairing::BadMessage), "{} bytes", message.len());
        }
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let made = PairingCode::from_random([0, 0x44, 0x32, 0x14, 0xc7]);
        assert_eq!(made.reveal().parse(), Ok(made.clone()));
        assert_eq!(code("olil-O 123"), code("0111-0123"));
        for wrong in ["", "7KQ2-M9T", "7KQ2-M9TXX", "7KQ2-M9T!", "7KQ2-M9TU", "ÄÖÜß"] {
            assert_eq!(wrong.parse::<PairingCode>(), Err(BadPairing::NoCode), "{wrong}");
        }
        assert_eq!(PairingCode::from_random([0xff; CODE_BYTES]).reveal(), "ZZZZ-ZZZZ");
    }
}
