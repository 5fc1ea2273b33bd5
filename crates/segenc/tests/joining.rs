//! Workers that come to a server with a short code instead of a join string, and computers that know no authorities.

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};

use support::{Process, Server, Stage, ended};

/// A server that others could reach too, so with a certificate of its own; and `https://` with the port at which it
/// answers here.
fn server_with_certificate(stage: &Stage) -> (Server, String) {
    let flags = ["--workers", "0", "--listen", "0.0.0.0:0", "--no-announce"];
    let server = Server::start(stage, &flags);
    let authority = server.url.split('/').nth(2).expect("an address has a host");
    let port = authority.rsplit_once(':').expect("and a port").1;
    let url = format!("https://127.0.0.1:{port}");
    (server, url)
}

fn new_code(server: &Server, stage: &Stage) -> String {
    let made = ended(&mut server.ask(stage, &["workers", "pair", "--json"])).with_code(0);
    made.last_json()["code"].as_str().expect("a code is a text").to_owned()
}

/// A worker that is told what a person would type.
fn worker(stage: &Stage, flags: &[&str], typed: &str) -> Process {
    let mut process = Process::start(worker_command(stage, flags).stdin(Stdio::piped()));
    let mut stdin = process.stdin().expect("it was asked for");
    stdin.write_all(typed.as_bytes()).expect("the worker reads it");
    process
}

fn worker_command(stage: &Stage, flags: &[&str]) -> Command {
    let mut words = vec!["worker", "--json", "--slots", "1", "--fetch"];
    words.extend(flags);
    stage.segenc_of("worker-data", &words)
}

#[test]
fn a_worker_pairs_with_a_code_once_and_needs_none_afterwards() {
    let stage = Stage::new();
    let (server, url) = server_with_certificate(&stage);
    let code = new_code(&server, &stage);
    let mistaken = format!("0000-0000\nno code\n{}\n", code.to_lowercase());
    let mut paired = worker(&stage, &["--server", &url], &mistaken);
    server.wait_for_workers(&stage, 1);
    paired.kill();
    let kept = std::fs::read_to_string(stage.path("worker-data/worker/join")).expect("it is kept");
    assert!(kept.contains("/sha256:"), "the server's certificate is kept as well");

    // Forgotten by the server and without a person it joins again, with what it has kept.
    ended(&mut server.ask(&stage, &["workers", "remove", "1"])).with_code(0);
    let _again = Process::start(&mut worker_command(&stage, &[]));
    server.wait_for_workers(&stage, 1);
}

#[test]
fn a_used_code_lets_nobody_else_in() {
    let stage = Stage::new();
    let (server, url) = server_with_certificate(&stage);
    let code = format!("{}\n", new_code(&server, &stage));
    let mut first = worker(&stage, &["--server", &url], &code);
    server.wait_for_workers(&stage, 1);
    first.kill();
    let kept = stage.path("worker-data/worker/join");
    std::fs::remove_file(kept).expect("it was kept");
    let mut second = worker(&stage, &["--server", &url], &code);
    let refused = second.until(|line| line["event"] == "failed");
    assert_eq!(refused["reason"], "no-pairing-code", "{refused}");
}

#[test]
fn five_wrong_codes_end_the_pairing_and_the_code() {
    let stage = Stage::new();
    let (server, url) = server_with_certificate(&stage);
    let code = new_code(&server, &stage);
    let wrong = if code == "0000-0000" { "1111-1111\n" } else { "0000-0000\n" };
    let mut worker_that_guesses = worker(&stage, &["--server", &url], &wrong.repeat(5));
    let refused = worker_that_guesses.until(|line| line["event"] == "failed");
    assert_eq!(refused["reason"], "wrong-pairing-code", "{refused}");
    assert_eq!(worker_that_guesses.code(), Some(4));
    let mut late = worker(&stage, &["--server", &url], &format!("{code}\n"));
    let refused = late.until(|line| line["event"] == "failed");
    assert_eq!(refused["reason"], "no-pairing-code", "{refused}");
}

#[test]
fn a_server_that_does_not_know_the_code_is_told_nothing() {
    let stage = Stage::new();
    let (server, _) = server_with_certificate(&stage);
    let code = new_code(&server, &stage);
    // Another server, with a code of its own, to which the worker comes by mistake or deceit.
    let other = Stage::new();
    let (impostor, url) = server_with_certificate(&other);
    new_code(&impostor, &other);
    let mut process = worker(&stage, &["--server", &url], &format!("{code}\n"));
    let refused = process.until(|line| line["event"] == "failed");
    assert_ne!(refused["exit_code"], 0, "{refused}");
    assert!(!stage.exists("worker-data/worker/join"));
}

#[test]
fn a_worker_without_a_person_says_how_to_join() {
    let stage = Stage::new();
    let (_server, url) = server_with_certificate(&stage);
    let worker = ended(&mut worker_command(&stage, &["--server", &url]));
    worker.with_code(2).saying("--join");
}

#[test]
fn a_computer_without_certificate_authorities_can_use_its_own_server() {
    let stage = Stage::new();
    let server = Server::start(&stage, &["--workers", "0"]);
    let mut command = server.ask(&stage, &["jobs", "list"]);
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env(variable, stage.path("nothing"));
    }
    ended(&mut command).with_code(0);
}
