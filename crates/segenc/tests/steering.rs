//! What the page can do the command line can do: watch folders, notifications, a job live.

mod support;

use std::net::TcpListener;

use serde_json::Value;
use support::{Ended, Server, Stage, ended};

fn ask(server: &Server, stage: &Stage, words: &[&str]) -> Ended {
    ended(&mut server.ask(stage, words))
}

fn jsons(told: &Ended) -> Vec<Value> {
    let lines = told.stdout.lines();
    lines.map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn a_watch_folder_is_made_changed_paused_and_removed() {
    let stage = Stage::new();
    let root = stage.path("films");
    for name in ["in", "out"] {
        std::fs::create_dir_all(root.join(name)).expect("tests may write to their folder");
    }
    let root = root.to_str().expect("the temporary folder has a plain name");
    let server = Server::start(&stage, &["--workers", "0", "--media-root", root]);
    let (path, output) = (format!("{root}/in"), format!("{root}/out"));
    let add = ["watch", "add", "films", "--path", &path, "--output", &output];
    let made = [&add[..], &["--skip-codecs", "av1,hevc", "--json", "--", "-crf", "30"]].concat();
    let made = ask(&server, &stage, &made).with_code(0).last_json();
    assert_eq!(made["settings"]["skip_codecs"][1], "hevc");
    assert_eq!(made["settings"]["args"][1], "30");
    ask(&server, &stage, &add).with_code(2).saying("already").saying("segenc watch change films");
    let outside = ["watch", "add", "etc", "--path", "/etc", "--output", &output];
    ask(&server, &stage, &outside).with_code(2).saying("bad-watch-folder");

    let change = ["watch", "change", "films", "--jobs-max", "3", "--skip-codecs", "", "--json"];
    let changed = ask(&server, &stage, &change).with_code(0).last_json();
    assert_eq!(changed["settings"]["jobs_max"], 3);
    assert_eq!(changed["settings"]["skip_codecs"], Value::Array(Vec::new()));
    assert_eq!(changed["settings"]["args"][1], "30", "what is not said stays");
    ask(&server, &stage, &["watch", "pause", "films"]).with_code(0);
    ask(&server, &stage, &["watch"]).with_code(0).saying("paused");
    ask(&server, &stage, &["watch", "resume", "films"]).with_code(0);
    ask(&server, &stage, &["watch", "list"]).with_code(0).saying("watching");
    for verb in ["show", "scan", "retry", "files"] {
        ask(&server, &stage, &["watch", verb, "films"]).with_code(0);
    }
    let one_of_two = ask(&server, &stage, &["watch", "remove", "films", "none"]).with_code(2);
    one_of_two.saying("films is watched no more").saying("there is no watch folder none");
    assert!(jsons(&ask(&server, &stage, &["watch", "--json"]).with_code(0)).is_empty());
    ask(&server, &stage, &["watch", "show", "films"]).with_code(2).saying("segenc watch add");
}

#[test]
fn a_test_that_does_not_arrive_is_no_success() {
    let stage = Stage::new();
    let server = Server::start(&stage, &["--workers", "0"]);
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}/hook-password", closed.local_addr().expect("it listens"));
    drop(closed);
    stage.write("address", address.as_bytes());
    stage.write("secret", b"a long secret\n");
    let add = ["notifications", "add", "--webhook", "@address", "--secret", "@secret"];
    let add = [&add[..], &["--event", "job-failed,no-workers", "--test"]].concat();
    let told = ask(&server, &stage, &add).with_code(1).saying("[not-delivered]");
    let id = told.stdout.trim().to_owned();
    let all = ask(&server, &stage, &["notifications", "--json"]).with_code(0);
    let [one] = jsons(&all).try_into().expect("there is one");
    assert_eq!((&one["id"], &one["signed"]), (&Value::from(id.as_str()), &Value::Bool(true)));
    assert_eq!(one["events"], serde_json::json!(["job-failed", "no-workers"]));
    assert!(one["last_error"].is_string());
    let shown = ask(&server, &stage, &["notifications", "list"]).with_code(0).saying("in vain");
    for secret in ["hook-password", "a long secret"] {
        assert!(!format!("{}{}{}", shown.stdout, all.stdout, told.stderr).contains(secret));
    }
    ask(&server, &stage, &["notifications", "test", &id]).with_code(1);
    ask(&server, &stage, &["notifications", "remove", &id, "none"]).with_code(2).saying(&id);
    ask(&server, &stage, &["notifications"]).with_code(0).saying("nobody is told");
}

#[test]
fn a_followed_job_is_told_until_its_end() {
    let stage = Stage::new();
    stage.film("film.mkv", 6);
    let server = Server::start(&stage, &["--workers", "1"]);
    let words = ["encode", "-q", "--segment-seconds", "2", "film.mkv", "out.mkv", "--"];
    let mut encode = server.ask(&stage, &words);
    let mut job = support::Process::start(encode.args(["-preset", "veryfast"]));
    for _ in 0..1_000 {
        // Each question starts a process, which is pause enough between two of them.
        if !ask(&server, &stage, &["jobs", "list", "--json"]).stdout.is_empty() {
            break;
        }
    }
    let followed = ask(&server, &stage, &["jobs", "show", "--follow", "1"]).with_code(0);
    let lines: Vec<&str> = followed.stdout.lines().collect();
    assert!(lines.iter().any(|line| line.contains("succeeded on ")), "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.contains("completed")), "{lines:?}");
    assert!(!followed.stdout.contains('\u{1b}'), "no terminal, no picture");
    assert_eq!(job.code(), Some(0));
    let again = ask(&server, &stage, &["jobs", "show", "-f", "1", "--json"]).with_code(0);
    assert_eq!(again.last_json()["event"], "completed");
    ask(&server, &stage, &["jobs", "show", "-f", "2"]).with_code(2);
}
