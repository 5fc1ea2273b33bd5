//! Wished bitrates and sizes: met over segments, by the same bits whatever the machine, and resumed.

mod support;

use std::fs;

use serde_json::Value;
use support::{Process, Stage, ended, film_packets};

/// Two per cent are promised.
const PROMISED_PART: u64 = 50;

fn check<'a>(report: &'a Value, name: &str) -> Option<&'a str> {
    let checks = report["checks"].as_array().expect("a report lists its checks");
    checks.iter().find(|check| check["name"] == name).and_then(|check| check["detail"].as_str())
}

fn count(report: &Value, kind: &str) -> usize {
    let tasks = report["tasks"].as_array().expect("a report lists its tasks");
    tasks.iter().filter(|task| task["kind"] == kind).count()
}

/// The number at the beginning of the report's word on the size.
fn size_made(report: &Value) -> u64 {
    let detail = check(report, "wished size").expect("the size is told");
    let number = detail.split(' ').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{detail}"))
}

#[test]
fn a_bitrate_is_met_by_the_same_bits_on_one_and_on_four_slots() {
    let stage = Stage::new();
    stage.film("film.mkv", 12);
    let encode = |slots: &str| {
        let output = format!("{slots}.mkv");
        let words = ["encode", "--json", "--segment-seconds", "2", "--slots", slots, "film.mkv"];
        let options = ["--", "-c:v", "libx264", "-preset", "fast", "-b:v", "400k"];
        let ended = ended(stage.segenc(&words).arg(&output).args(options)).with_code(0);
        let report = ended.last_json()["report"].take();
        assert_eq!(report["way"], "segments");
        assert_eq!(count(&report, "measure"), count(&report, "segment"));
        assert!(size_made(&report).abs_diff(400_000) * PROMISED_PART <= 400_000, "{report}");
        film_packets(&stage.path(&output))
    };
    assert_eq!(encode("1"), encode("4"));
}

#[test]
fn a_file_has_its_size_with_everything_in_it() {
    let stage = Stage::new();
    stage.film("film.mkv", 12);
    for (output, options) in [
        ("copied.mkv", ["-c:v", "libx264", "-preset", "fast", "-c:a", "copy"]),
        ("encoded.mp4", ["-c:v", "libx265", "-preset", "superfast", "-c:a", "aac"]),
    ] {
        let words = ["encode", "--json", "--segment-seconds", "3", "--target-size", "800k"];
        let mut command = stage.segenc(&words);
        let ended = ended(command.args(["film.mkv", output, "--"]).args(options)).with_code(0);
        let made = fs::metadata(stage.path(output)).expect("it is there").len();
        assert!(made.abs_diff(800_000) * PROMISED_PART <= 800_000, "{output}: {made}");
        assert_eq!(size_made(&ended.last_json()["report"]), made);
    }
}

#[test]
fn a_buffer_never_runs_empty_over_the_joins() {
    let stage = Stage::new();
    stage.film("film.mkv", 10);
    for options in [
        [
            "-c:v", "libx264", "-preset", "veryfast", "-crf", "10", "-maxrate", "300k", "-bufsize",
            "300k",
        ],
        [
            "-c:v",
            "libx265",
            "-preset",
            "superfast",
            "-b:v",
            "250k",
            "-maxrate",
            "300k",
            "-bufsize",
            "300k",
        ],
    ] {
        let words = [
            "encode",
            "--json",
            "--overwrite",
            "--segment-seconds",
            "2",
            "film.mkv",
            "out.mkv",
            "--",
        ];
        let ended = ended(stage.segenc(&words).args(options)).with_code(0);
        let report = &ended.last_json()["report"];
        assert_eq!(report["way"], "segments", "{options:?}: {}", report["job"]["whole_because"]);
        assert!(check(report, "player's buffer").is_some(), "{report}");
    }
}

#[test]
fn killed_while_it_measures_it_keeps_what_is_measured() {
    let stage = Stage::new();
    stage.film("film.mkv", 12);
    let words =
        ["encode", "--json", "--slots", "1", "--segment-seconds", "2", "film.mkv", "out.mkv"];
    let options = ["--", "-c:v", "libx264", "-preset", "veryslow", "-b:v", "300k"];
    let mut first = Process::start(stage.segenc(&words).args(options));
    first.until(|line| line["job"]["progress"]["segments_measured"].as_u64() >= Some(2));
    first.kill();
    let ended = ended(stage.segenc(&words).args(options)).with_code(0);
    let report = &ended.last_json()["report"];
    let tasks = report["tasks"].as_array().expect("a report lists its tasks");
    let once = |task: &&Value| {
        task["kind"] == "measure" && task["attempts"].as_array().map(Vec::len) == Some(1)
    };
    assert!(tasks.iter().filter(once).count() >= 2, "{report}");
    assert!(size_made(report).abs_diff(300_000) * PROMISED_PART <= 300_000, "{report}");
}

#[test]
fn a_size_that_cannot_be_is_refused_with_the_reason() {
    let stage = Stage::new();
    stage.film("film.mkv", 8);
    let sized = |size: &str, options: &[&str]| {
        let mut command = stage.segenc(&["encode", "--target-size", size, "film.mkv", "out.mkv"]);
        ended(command.arg("--").args(options))
    };
    sized("1k", &[]).with_code(1).saying("target-size-too-small");
    sized("1M", &["-crf", "20"]).with_code(2).saying("option-without-effect");
    sized("1M", &["-c:v", "mpeg4"]).with_code(2).saying("libx264");
    sized("0", &[]).with_code(2);
    assert!(!stage.exists("out.mkv"));
}
