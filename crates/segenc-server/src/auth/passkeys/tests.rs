//! A browser with an authenticator made of plain code, and everything that it may get wrong.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::auth::people::People;

const HOME: &str = "http://localhost:8642";
const NOW: Millis = 1_700_000_000_000;
/// Somebody is there, and has shown who he is.
const PRESENT_AND_VERIFIED: u8 = 0x05;
/// Somebody is there; who, the authenticator does not say.
const PRESENT: u8 = 0x01;
const WITH_KEY: u8 = 0x40;

fn passkeys() -> Passkeys {
    let address = "127.0.0.1:8642".parse().expect("an address");
    let protection = crate::config::Protection::PlainBehindProxy;
    Passkeys::new(Places::of(protection, "farm.example.org:443", address))
}

fn login(digest: &str, role: Role) -> Login {
    Login { digest: digest.to_owned(), role, passkey: None }
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// One credential on one device, as a browser would ask it.
struct Device {
    key: KeyPair,
    credential: Vec<u8>,
    handle: String,
    origin: String,
    party: String,
    flags: u8,
    count: u32,
}

impl Device {
    fn new() -> Self {
        Self {
            key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"),
            credential: vec![7; 20],
            handle: String::new(),
            origin: HOME.to_owned(),
            party: "localhost".to_owned(),
            flags: PRESENT_AND_VERIFIED,
            count: 1,
        }
    }

    fn client_data(&self, kind: &str, asked: &Value) -> Vec<u8> {
        let data = json!({"type": kind, "challenge": asked["challenge"], "origin": self.origin});
        data.to_string().into_bytes()
    }

    fn header(&self, flags: u8) -> Vec<u8> {
        let mut data: Vec<u8> = Sha256::digest(self.party.as_bytes()).to_vec();
        data.push(flags);
        data.extend(self.count.to_be_bytes());
        data
    }

    /// The public key as COSE: a map of five entries in CBOR.
    fn cose(&self) -> Vec<u8> {
        let point = self.key.public_key_raw();
        let (x, y) = point[1..].split_at(32);
        let mut cose = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        cose.extend(x);
        cose.extend([0x22, 0x58, 0x20]);
        cose.extend(y);
        cose
    }

    fn register(&mut self, asked: &Value) -> Value {
        self.handle = asked["user"]["id"].as_str().expect("a handle").to_owned();
        let mut data = self.header(self.flags | WITH_KEY);
        data.extend([0; 16]);
        data.extend([0, u8::try_from(self.credential.len()).expect("short")]);
        data.extend(&self.credential);
        data.extend(self.cose());
        // {"fmt": "none", "attStmt": {}, "authData": …}
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x59");
        object.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
        object.extend(data);
        json!({
            "rawId": base64(&self.credential),
            "response": {
                "clientDataJSON": base64(&self.client_data("webauthn.create", asked)),
                "attestationObject": base64(&object),
            },
        })
    }

    fn log_in(&mut self, asked: &Value) -> Value {
        self.count += 1;
        let client_data = self.client_data("webauthn.get", asked);
        let data = self.header(self.flags);
        let signed: Vec<u8> =
            data.iter().chain(Sha256::digest(&client_data).iter()).copied().collect();
        let signature = self.key.sign(&signed).expect("signed");
        json!({
            "rawId": base64(&self.credential),
            "response": {
                "clientDataJSON": base64(&client_data),
                "authenticatorData": base64(&data),
                "signature": base64(&signature),
                "userHandle": self.handle,
            },
        })
    }
}

fn registered(passkeys: &Passkeys, device: &mut Device) -> Passkey {
    let who = login("first", Role::Viewer);
    let asked = passkeys.ask_for_new(Some(HOME), who.clone(), "Anna’s phone", &[], NOW);
    let answer = device.register(&asked.expect("asked"));
    passkeys.accept_new(answer, &who, NOW).expect("accepted")
}

fn asked(passkeys: &Passkeys) -> Value {
    passkeys.ask_for_login(Some(HOME), NOW).expect("asked")
}

#[test]
fn a_passkey_proves_itself_at_the_address_it_was_made_for() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    assert_eq!((key.role, key.name.as_str()), (Role::Viewer, "Anna’s phone"));
    assert_eq!(key.place, "localhost");
    let answer = device.log_in(&asked(&passkeys));
    let proven = passkeys.prove(answer, std::slice::from_ref(&key), NOW).expect("proven");
    assert_eq!(proven, Proven { id: key.id, counter: 2 });
}

#[test]
fn what_is_asked_leaves_no_choice_in_what_matters() {
    let passkeys = passkeys();
    let key = registered(&passkeys, &mut Device::new());
    let viewer = login("second", Role::Viewer);
    let asked = passkeys.ask_for_new(Some(HOME), viewer, "Tablet", std::slice::from_ref(&key), NOW);
    let asked = asked.expect("asked");
    assert_eq!(asked["rp"]["id"], "localhost");
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(asked["excludeCredentials"][0]["id"], key.credential.as_str());
    let asked = passkeys.ask_for_login(Some("https://farm.example.org"), NOW).expect("asked");
    assert_eq!(asked["rpId"], "farm.example.org");
    assert_eq!(asked["userVerification"], "required");
}

#[test]
fn nothing_is_asked_at_an_address_that_the_server_was_not_started_with() {
    let passkeys = passkeys();
    let who = login("first", Role::Operator);
    for origin in [None, Some("http://127.0.0.1:8642"), Some("http://localhost:1"), Some("null")] {
        let refused = passkeys.ask_for_login(origin, NOW);
        assert!(matches!(refused, Err(PasskeyError::NoPlace)), "{origin:?}");
        let refused = passkeys.ask_for_new(origin, who.clone(), "x", &[], NOW);
        assert!(matches!(refused, Err(PasskeyError::NoPlace)), "{origin:?}");
    }
}

#[test]
fn a_page_elsewhere_cannot_hand_on_what_it_was_given() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    // Another service of this computer: same name, other port.
    for origin in ["http://localhost:9999", "https://localhost:8642", "http://evil.example"] {
        device.origin = origin.to_owned();
        let answer = device.log_in(&asked(&passkeys));
        let refused = passkeys.prove(answer, std::slice::from_ref(&key), NOW);
        assert!(matches!(refused, Err(PasskeyError::Refused(_))), "{origin}");
    }
    // The right page, but a key that was made for another name.
    device.origin = HOME.to_owned();
    device.party = "evil.example".to_owned();
    let answer = device.log_in(&asked(&passkeys));
    let refused = passkeys.prove(answer, &[key], NOW);
    assert!(matches!(refused, Err(PasskeyError::Refused(_))));
}

#[test]
fn a_passkey_of_one_name_is_unknown_at_another() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    let asked = passkeys.ask_for_login(Some("https://farm.example.org"), NOW).expect("asked");
    device.origin = "https://farm.example.org".to_owned();
    device.party = "farm.example.org".to_owned();
    let refused = passkeys.prove(device.log_in(&asked), &[key], NOW);
    assert!(matches!(refused, Err(PasskeyError::Unknown)));
}

#[test]
fn a_challenge_is_answered_once_whatever_the_answer() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    let known = std::slice::from_ref(&key);
    let question = asked(&passkeys);
    let answer = device.log_in(&question);
    passkeys.prove(answer.clone(), known, NOW).expect("proven");
    let again = passkeys.prove(answer, known, NOW);
    assert!(matches!(again, Err(PasskeyError::NoChallenge)));
    let question = asked(&passkeys);
    let wrong = passkeys.prove(device.log_in(&question), &[], NOW);
    assert!(matches!(wrong, Err(PasskeyError::Unknown)));
    let right = passkeys.prove(device.log_in(&question), known, NOW);
    assert!(matches!(right, Err(PasskeyError::NoChallenge)));
}

#[test]
fn a_challenge_expires_and_the_oldest_goes_first() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    let answer = device.log_in(&asked(&passkeys));
    let late = passkeys.prove(answer, std::slice::from_ref(&key), NOW + CHALLENGE_LIFE);
    assert!(matches!(late, Err(PasskeyError::NoChallenge)));
    let (first, second) = (asked(&passkeys), asked(&passkeys));
    for _ in 2..=LOGINS_MAX {
        asked(&passkeys);
    }
    let gone = passkeys.prove(device.log_in(&first), std::slice::from_ref(&key), NOW);
    assert!(matches!(gone, Err(PasskeyError::NoChallenge)));
    passkeys.prove(device.log_in(&second), &[key], NOW).expect("the second is still there");
}

#[test]
fn nobody_ends_the_registration_of_somebody_else() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let mine = login("mine", Role::Operator);
    let asked = passkeys.ask_for_new(Some(HOME), mine.clone(), "Mine", &[], NOW).expect("asked");
    let answer = device.register(&asked);
    let theirs = passkeys.accept_new(answer.clone(), &login("theirs", Role::Operator), NOW);
    assert!(matches!(theirs, Err(PasskeyError::NoChallenge)));
    let used = passkeys.accept_new(answer, &mine, NOW);
    assert!(matches!(used, Err(PasskeyError::NoChallenge)), "it was answered once");
    let nameless = passkeys.ask_for_new(Some(HOME), mine, " \u{7} ", &[], NOW);
    assert!(matches!(nameless, Err(PasskeyError::NoName)));
}

#[test]
fn a_device_that_asks_for_no_finger_or_pin_is_not_enough() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    device.flags = PRESENT;
    let answer = device.log_in(&asked(&passkeys));
    let refused = passkeys.prove(answer, &[key], NOW);
    assert!(matches!(refused, Err(PasskeyError::Refused(_))));
    let who = login("first", Role::Operator);
    let asked = passkeys.ask_for_new(Some(HOME), who.clone(), "x", &[], NOW).expect("asked");
    let refused = passkeys.accept_new(device.register(&asked), &who, NOW);
    assert!(matches!(refused, Err(PasskeyError::Refused(_))));
}

#[test]
fn a_count_that_goes_back_is_a_copy() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = Passkey { counter: 9, ..registered(&passkeys, &mut device) };
    device.count = 8;
    let answer = device.log_in(&asked(&passkeys));
    let copied = passkeys.prove(answer, std::slice::from_ref(&key), NOW);
    assert!(matches!(copied, Err(PasskeyError::Copied { .. })));
    let answer = device.log_in(&asked(&passkeys));
    assert_eq!(passkeys.prove(answer, &[key], NOW).expect("proven").counter, 10);
    // Keys that several devices share are not counted.
    assert!(Passkey { counter: 0, ..registered(&passkeys, &mut Device::new()) }.counts_on_to(0));
}

#[test]
fn another_devices_signature_or_owner_is_refused() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    let known = std::slice::from_ref(&key);
    let mut forged = Device { handle: device.handle.clone(), ..Device::new() };
    let refused = passkeys.prove(forged.log_in(&asked(&passkeys)), known, NOW);
    assert!(matches!(refused, Err(PasskeyError::Refused(_))));
    // A count that goes back means nothing that is not signed: else anybody could have a key blocked.
    forged.count = 0;
    let used = Passkey { counter: 9, ..key.clone() };
    let refused = passkeys.prove(forged.log_in(&asked(&passkeys)), &[used], NOW);
    assert!(matches!(refused, Err(PasskeyError::Refused(_))));
    device.handle = base64(&[1; 32]);
    let refused = passkeys.prove(device.log_in(&asked(&passkeys)), known, NOW);
    assert!(matches!(refused, Err(PasskeyError::Unknown)));
}

#[test]
fn guessing_is_stopped_for_a_minute_but_rubbish_costs_nobody_a_try() {
    let (passkeys, mut device) = (passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    let known = std::slice::from_ref(&key);
    for _ in 0..20 {
        let rubbish = json!({"rawId": "x", "response": {"clientDataJSON": "x",
            "authenticatorData": "x", "signature": "x"}});
        assert!(matches!(passkeys.prove(rubbish, known, NOW), Err(PasskeyError::Unreadable(_))));
        assert!(matches!(passkeys.prove(json!(1), known, NOW), Err(PasskeyError::Malformed(_))));
    }
    for _ in 0..crate::auth::tries::TRIES_MAX {
        let answer = device.log_in(&asked(&passkeys));
        assert!(matches!(passkeys.prove(answer, &[], NOW), Err(PasskeyError::Unknown)));
    }
    let answer = device.log_in(&asked(&passkeys));
    let stopped = passkeys.prove(answer.clone(), known, NOW);
    assert!(matches!(stopped, Err(PasskeyError::TooManyTries)));
    passkeys.prove(answer, known, NOW + 60_000).expect("a minute later");
}

fn people() -> (tempfile::TempDir, People) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let people = People::open(&dir.path().join("logins")).expect("opens");
    (dir, people)
}

#[tokio::test]
async fn a_removed_passkey_closes_what_it_opened() {
    let ((dir, people), passkeys, mut device) = (people(), passkeys(), Device::new());
    let key = registered(&passkeys, &mut device);
    people.add_passkey(key.clone()).await.expect("added");
    let again = people.add_passkey(key.clone()).await;
    assert!(matches!(again, Err(PasskeyError::Known)));
    let proven = passkeys.prove(device.log_in(&asked(&passkeys)), &people.passkeys(), NOW);
    let proven = proven.expect("proven");
    let (begun, session) = people.begin_by_passkey(&proven).await.expect("begins");
    assert_eq!(begun.role, Role::Viewer);
    let again = people.begin_by_passkey(&proven).await;
    assert!(matches!(again, Err(PasskeyError::NoChallenge)), "the count is kept");

    let people = People::open(&dir.path().join("logins")).expect("opens");
    let kept = people.passkeys();
    assert_eq!((kept[0].counter, kept[0].last_used.is_some()), (2, true));
    let login = people.login_of(session.reveal()).expect("a login");
    assert_eq!((login.role, login.passkey.as_deref()), (Role::Viewer, Some(key.id.as_str())));
    assert!(kept[0].is_of(&login));
    let other = people.begin(Role::Viewer).await.expect("begins");
    assert!(people.remove_passkey(&key.id).await.expect("removed"));
    assert!(!people.remove_passkey(&key.id).await.expect("nothing to remove"));
    assert_eq!(people.role_of(session.reveal()), None);
    assert_eq!(people.role_of(other.reveal()), Some(Role::Viewer));
    let gone = people.begin_by_passkey(&proven).await;
    assert!(matches!(gone, Err(PasskeyError::Unknown)));
}

#[tokio::test]
async fn a_passkey_that_may_have_a_copy_opens_nothing_any_more() {
    let ((_dir, people), passkeys, mut device) = (people(), passkeys(), Device::new());
    people.add_passkey(registered(&passkeys, &mut device)).await.expect("added");
    let proven = passkeys.prove(device.log_in(&asked(&passkeys)), &people.passkeys(), NOW);
    let proven = proven.expect("proven");
    let (key, session) = people.begin_by_passkey(&proven).await.expect("begins");
    people.block_passkey(&key.id).await.expect("blocked");
    assert_eq!(people.role_of(session.reveal()), None);
    let later = passkeys.prove(device.log_in(&asked(&passkeys)), &people.passkeys(), NOW);
    assert!(matches!(later, Err(PasskeyError::Copied { id }) if id == key.id));
}

#[tokio::test]
async fn viewers_passkeys_go_with_their_password_and_operators_stay() {
    let ((_dir, people), passkeys, mut device) = (people(), passkeys(), Device::new());
    let viewers = registered(&passkeys, &mut device);
    let operators = Passkey {
        id: "other".to_owned(),
        role: Role::Operator,
        credential: "other".to_owned(),
        ..viewers.clone()
    };
    people.add_passkey(operators.clone()).await.expect("added");
    people.set_password(Role::Operator, "correct horse", None).await.expect("set");
    for remove in [false, true] {
        people.add_passkey(viewers.clone()).await.expect("added");
        if remove {
            people.remove_password(Role::Viewer).await.expect("removed");
        } else {
            people.set_password(Role::Viewer, "only looking", None).await.expect("set");
        }
        assert_eq!(people.passkeys(), std::slice::from_ref(&operators));
    }
}

#[tokio::test]
async fn a_file_of_before_passkeys_is_read() {
    let (dir, people) = people();
    let session = people.begin(Role::Operator).await.expect("begins");
    let path = dir.path().join("logins");
    let text = std::fs::read_to_string(&path).expect("written");
    let mut kept: Value = serde_json::from_str(&text).expect("JSON");
    let removed = kept.as_object_mut().expect("an object").remove("passkeys");
    assert_eq!(removed, Some(json!([])));
    assert!(kept["sessions"][0].get("passkey").is_none());
    std::fs::write(&path, kept.to_string()).expect("written");
    let old = People::open(&path).expect("opens");
    assert_eq!(old.role_of(session.reveal()), Some(Role::Operator));
    assert!(old.passkeys().is_empty());
}
