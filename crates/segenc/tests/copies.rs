//! Films whose container has no index that can be trusted: cut in a copy that the analysis makes, and exact.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{
    Process, Server, Stage, ended, ffmpeg, frames, other_streams, segment_tasks, single, succeed,
};

const LOSSLESS: &[&str] = &["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"];

/// The stage's film, with sound, in another container, made with these options.
fn film_in(stage: &Stage, name: &str, options: &[&str]) -> PathBuf {
    let path = stage.path(name);
    let mut command = ffmpeg();
    command.arg("-i").arg(stage.film("original.mkv", 10));
    command.args(["-map", "0:v", "-map", "0:a", "-c", "copy"]).args(options);
    succeed(command.arg(&path));
    path
}

/// The report of a film made losslessly here, after it was compared with what one ffmpeg makes.
#[track_caller]
fn report_of_exact(stage: &Stage, film: &Path, name: &str) -> Value {
    let words = ["encode", "--json", "--segment-seconds", "2", name, "out.mkv", "--"];
    let ended = ended(stage.segenc(&words).args(LOSSLESS)).with_code(0);
    assert_exact(stage, film);
    ended.last_json()["report"].take()
}

#[track_caller]
fn assert_exact(stage: &Stage, film: &Path) {
    single(film, &stage.path("single.mkv"), LOSSLESS);
    assert_eq!(frames(&stage.path("out.mkv")), frames(&stage.path("single.mkv")));
    assert_eq!(other_streams(&stage.path("out.mkv")), other_streams(&stage.path("single.mkv")));
}

#[track_caller]
fn assert_split_in_a_copy(report: &Value) {
    assert!(segment_tasks(report).len() > 2, "{}", report["job"]["whole_because"]);
    let reason = report["job"]["copied_because"].as_str().unwrap_or_default();
    assert!(reason.ends_with("no index that can be trusted"), "{reason}");
}

#[test]
fn a_transport_stream_is_cut_and_exact() {
    let stage = Stage::new();
    let film = film_in(&stage, "film.ts", &["-f", "mpegts"]);
    assert_split_in_a_copy(&report_of_exact(&stage, &film, "film.ts"));

    let words = ["plan", "--segment-seconds", "2", "film.ts"];
    stage.run(&words).with_code(0).saying("from a copy of the film: sources of the kind mpegts");
}

#[test]
fn a_program_stream_with_open_groups_is_cut_and_exact() {
    let stage = Stage::new();
    let options = ["-c:v", "mpeg2video", "-b:v", "1M", "-bf", "2", "-g", "15", "-c:a", "mp2"];
    let film = film_in(&stage, "film.mpg", &options);
    assert_split_in_a_copy(&report_of_exact(&stage, &film, "film.mpg"));
}

#[test]
fn a_flash_video_is_cut_and_exact() {
    let stage = Stage::new();
    let film = film_in(&stage, "film.flv", &[]);
    assert_split_in_a_copy(&report_of_exact(&stage, &film, "film.flv"));
}

#[test]
fn pictures_that_are_refreshed_little_by_little_are_not_begun_with() {
    let stage = Stage::new();
    let x264 = "intra-refresh=1:keyint=25";
    let film = film_in(&stage, "film.ts", &["-c:v", "libx264", "-x264-params", x264]);
    let report = report_of_exact(&stage, &film, "film.ts");
    let reason = report["job"]["whole_because"].as_str().unwrap_or_default();
    assert!(reason.contains("little by little"), "{reason}");
}

#[test]
fn a_clock_that_jumps_is_left_to_one_ffmpeg() {
    let stage = Stage::new();
    let first = film_in(&stage, "first.ts", &["-f", "mpegts"]);
    let second = film_in(&stage, "second.ts", &["-f", "mpegts", "-output_ts_offset", "3000"]);
    let mut bytes = std::fs::read(first).expect("it was made");
    bytes.extend(std::fs::read(second).expect("it was made"));
    let film = stage.write("film.ts", &bytes);
    let report = report_of_exact(&stage, &film, "film.ts");
    assert!(report["job"]["whole_because"].is_string(), "{report}");
    assert_eq!(report["frames"], 500);
}

#[test]
fn workers_that_see_no_file_read_the_copy_over_the_network() {
    let stage = Stage::new();
    let film = film_in(&stage, "film.ts", &["-f", "mpegts"]);
    let server = Server::start(&stage, &["--workers", "0"]);
    let _workers = [server.worker(&stage, "one"), server.worker(&stage, "two")];
    let mut command = server.ask(&stage, &["encode", "--json", "--segment-seconds", "2"]);
    let mut job = Process::start(command.args(["film.ts", "out.mkv", "--"]).args(LOSSLESS));
    let result = job.until(|line| line["event"] == "completed" || line["event"] == "failed");
    assert_eq!(result["event"], "completed", "{result}");
    assert_split_in_a_copy(&result["report"]);
    assert_exact(&stage, &film);
}

#[test]
fn killed_in_its_analysis_a_job_is_taken_up_and_exact() {
    let stage = Stage::new();
    let film = film_in(&stage, "film.ts", &["-f", "mpegts"]);
    let words = ["encode", "--json", "--slots", "1", "--segment-seconds", "2", "film.ts"];
    let mut first = Process::start(stage.segenc(&words).arg("out.mkv").arg("--").args(LOSSLESS));
    first.until(|line| line["job"]["state"] == "analyzing");
    first.kill();
    assert!(!stage.exists("out.mkv"), "nothing appears before it is complete");

    let mut again = stage.segenc(&words);
    let ended = ended(again.arg("out.mkv").arg("--").args(LOSSLESS)).with_code(0);
    assert_split_in_a_copy(&ended.last_json()["report"]);
    assert_exact(&stage, &film);
}
