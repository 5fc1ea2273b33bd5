//! A farm of processes: a server without workers, workers that see nothing of its files.

mod support;

use serde_json::Value;
use support::{Process, Server, Stage, ended, frames, segment_tasks, single};

const LOSSLESS: &[&str] = &["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"];

fn encode(server: &Server, stage: &Stage, flags: &[&str], options: &[&str]) -> Process {
    let mut command = server.ask(stage, &["encode", "--json", "--segment-seconds", "2"]);
    Process::start(command.args(flags).args(["film.mkv", "out.mkv", "--"]).args(options))
}

fn result(process: &mut Process) -> Value {
    process.until(|line| line["event"] == "completed" || line["event"] == "failed")
}

#[test]
fn two_workers_make_what_one_ffmpeg_makes() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 10);
    let server = Server::start(&stage, &["--workers", "0"]);
    let _workers = [server.worker(&stage, "one"), server.worker(&stage, "two")];
    let mut job = encode(&server, &stage, &[], LOSSLESS);
    job.until(|line| line["event"] == "upload");
    let result = result(&mut job);
    assert_eq!(result["event"], "completed", "{result}");
    assert!(segment_tasks(&result["report"]).len() > 2);
    single(&film, &stage.path("single.mkv"), LOSSLESS);
    assert_eq!(frames(&stage.path("out.mkv")), frames(&stage.path("single.mkv")));

    let listed = ended(&mut server.ask(&stage, &["workers", "list"])).with_code(0);
    assert!(listed.stdout.contains("one") && listed.stdout.contains("two"), "{}", listed.stdout);
    ended(&mut server.ask(&stage, &["jobs", "wait", "1"])).with_code(0);
    ended(&mut server.ask(&stage, &["jobs", "report", "1"])).with_code(0);
}

#[test]
fn a_worker_killed_in_mid_segment_costs_no_frame() {
    let stage = Stage::new();
    stage.film("film.mkv", 12);
    let server = Server::start(&stage, &["--workers", "0"]);
    let mut first = server.worker(&stage, "first");
    let mut job = encode(&server, &stage, &[], &["-preset", "placebo"]);
    job.until(|line| line["job"]["progress"]["segments_done"].as_u64() >= Some(1));
    first.kill();
    let _second = server.worker(&stage, "second");
    let result = result(&mut job);
    assert_eq!(result["event"], "completed", "{result}");
    assert_eq!(result["report"]["frames"], 300);
    assert_eq!(job.code(), Some(0));
}

#[test]
fn a_source_inside_a_media_root_is_not_sent() {
    let stage = Stage::new();
    stage.film("film.mkv", 4);
    let root = stage.path("");
    let root = root.to_str().expect("the temporary folder has a plain name");
    let server = Server::start(&stage, &["--workers", "1", "--media-root", root]);
    let mut job = encode(&server, &stage, &[], &["-preset", "ultrafast"]);
    let mut uploads = 0;
    while let Some(line) = job.next_json() {
        uploads += u32::from(line["event"] == "upload");
    }
    assert_eq!((uploads, job.code()), (0, Some(0)));
}

#[test]
fn a_job_survives_the_server_and_the_command_waits_for_it() {
    let stage = Stage::new();
    stage.film("film.mkv", 12);
    let mut server = Server::start(&stage, &["--workers", "0"]);
    let address = server.url.trim_start_matches("http://").to_owned();
    let _worker = server.worker(&stage, "one");
    let mut job = encode(&server, &stage, &[], &["-preset", "placebo"]);
    job.until(|line| line["job"]["progress"]["segments_done"].as_u64() >= Some(1));
    server.process.kill();
    let _again = Server::start(&stage, &["--workers", "0", "--listen", &address]);
    let result = result(&mut job);
    assert_eq!(result["event"], "completed", "{result}");
    assert_eq!(result["report"]["frames"], 300);
}

#[test]
fn a_job_that_no_worker_can_do_fails_for_all_to_see() {
    let stage = Stage::new();
    stage.film("film.mkv", 4);
    let server = Server::start(&stage, &["--workers", "0"]);
    let _worker = server.worker(&stage, "one");
    // Each frame is larger than 4:2:0 at an odd width allows: every worker's encoder refuses.
    let mut job = encode(&server, &stage, &[], &["-vf", "scale=161:91"]);
    let result = result(&mut job);
    assert_eq!(result["event"], "failed", "{result}");
    assert_eq!(job.code(), Some(1));
    assert!(!stage.exists("out.mkv"));
    ended(&mut server.ask(&stage, &["jobs", "wait", "1"])).with_code(1);
    let logs = ended(&mut server.ask(&stage, &["jobs", "logs", "1"])).with_code(0);
    assert!(!logs.stdout.is_empty());
    ended(&mut server.ask(&stage, &["jobs", "delete", "1"])).with_code(0);
    ended(&mut server.ask(&stage, &["jobs", "show", "1"])).with_code(2);
}

#[cfg(unix)]
#[test]
fn a_worker_whose_ffmpeg_always_fails_does_not_fail_the_job() {
    let stage = Stage::new();
    stage.film("film.mkv", 10);
    let server = Server::start(&stage, &["--workers", "0"]);
    // Tells its version and passes its trials, and then breaks with every film.
    let broken = stage.program(
        "broken-ffmpeg",
        "#!/bin/sh\ncase \" $* \" in *trim=*) echo 'it is broken' >&2; exit 1;; esac\nexec ffmpeg \"$@\"\n",
    );
    let mut bad = server.worker_command(&stage, "bad");
    let _bad = Process::start(bad.env("SEGENC_FFMPEG", broken));
    let _good = server.worker(&stage, "good");
    server.wait_for_workers(&stage, 2);
    let mut job = encode(&server, &stage, &[], &["-preset", "ultrafast"]);
    let result = result(&mut job);
    assert_eq!(result["event"], "completed", "{result}");
    assert_eq!(result["report"]["frames"], 250);
}

#[cfg(unix)]
#[test]
fn a_job_fails_with_the_logs_end_if_every_ffmpeg_does() {
    let stage = Stage::new();
    stage.film("film.mkv", 6);
    let server = Server::start(&stage, &["--workers", "0"]);
    let broken = stage.program(
        "broken-ffmpeg",
        "#!/bin/sh\ncase \" $* \" in *trim=*) echo 'it is broken' >&2; exit 1;; esac\nexec ffmpeg \"$@\"\n",
    );
    let mut only = server.worker_command(&stage, "only");
    let _only = Process::start(only.env("SEGENC_FFMPEG", broken));
    let mut job = encode(&server, &stage, &[], &["-preset", "ultrafast"]);
    let result = result(&mut job);
    assert_eq!(result["event"], "failed", "{result}");
    assert!(result["log_tail"].as_str().is_some_and(|log| log.contains("it is broken")));
    assert!(result["hint"].as_str().is_some_and(|hint| hint.contains("workers resume")));
    assert_eq!(job.code(), Some(1));
}
