//! Backups by the command line: of a server that runs, into a server elsewhere.

mod support;

use support::{Process, Server, Stage, ended};

#[test]
fn a_backup_of_a_running_server_opens_a_server_elsewhere() {
    let stage = Stage::new();
    stage.film("film.mkv", 4);
    let server = Server::start(&stage, &["--workers", "1"]);
    let mut encode = server.ask(&stage, &["encode", "-q", "film.mkv", "out.mkv"]);
    ended(encode.args(["--", "-preset", "ultrafast"])).with_code(0);
    let words = ["backup", "b.tar", "--data-dir", "farm", "--with-files", "--json"];
    let taken = stage.run(&words).with_code(0).last_json();
    assert!(taken["files"].as_u64() > Some(3), "{taken}");
    stage.run(&words).with_code(1).saying("exists already").saying("choose another name");
    stage.run(&["restore", "b.tar", "--data-dir", "farm"]).with_code(1).saying("is not empty");
    stage.run(&["restore", "film.mkv", "--data-dir", "x"]).with_code(1).saying("no backup");
    assert!(!stage.exists("x"), "a restore that failed leaves nothing");
    stage.run(&["backup", "c.tar", "--data-dir", "x-none"]).with_code(1).saying("no data");
    stage.run(&["restore", "b.tar", "--data-dir", "elsewhere"]).with_code(0).saying("segenc serve");

    let words = [
        "serve",
        "--json",
        "-q",
        "--data-dir",
        "elsewhere",
        "--workers",
        "0",
        "--listen",
        "127.0.0.1:0",
    ];
    let mut copy = Process::start(&mut stage.segenc(&words));
    let ready = copy.until(|line| line["event"] == "ready");
    let mut ask = stage.segenc(&["jobs", "report", "1", "--json"]);
    ask.env("SEGENC_SERVER", ready["url"].as_str().expect("it is part of the line"));
    // The token of the server that the backup is of.
    let report = ended(ask.env("SEGENC_TOKEN", &server.token)).with_code(0).last_json();
    assert_eq!(report["job"]["state"], "completed");
    assert_eq!(report["frames"], 100);
}
