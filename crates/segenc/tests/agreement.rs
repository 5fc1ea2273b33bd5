//! A farm with two really different builds of ffmpeg: segments of one film come from builds whose parameter sets
//! agree, the other build is kept from them before it has made one, and is told why.
//!
//! The second build comes from a Python package that ships a program; `scripts/test` gets it. Where it cannot be had,
//! that script says so, and so does this test.

mod support;

use std::collections::BTreeSet;
use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Process, Server, Stage, ended, frames, program, segment_tasks, single, succeed};

/// Names the other build, or says `none`.
const OTHER: &str = "SEGENC_TEST_OTHER_FFMPEG";

/// The other build, unless it could not be had.
fn other_build() -> Option<PathBuf> {
    let path = env::var_os(OTHER).unwrap_or_else(|| {
        panic!("{OTHER} names no second build of ffmpeg: run scripts/test, which gets one")
    });
    if path == "none" {
        // Not by a macro, whose words the test runner keeps to itself.
        let said = "\nNOT TESTED: two builds of ffmpeg on one farm; there is only one here\n";
        std::io::stderr().write_all(said.as_bytes()).expect("there is somebody to tell");
        return None;
    }
    Some(PathBuf::from(path))
}

/// A server with a worker of each build.
struct Farm {
    server: Server,
    _workers: [Process; 2],
}

impl Farm {
    fn start(stage: &Stage, other: &Path) -> Self {
        let server = Server::start(stage, &["--workers", "0"]);
        let system = server.worker(stage, "system");
        let mut command = server.worker_command(stage, "other");
        command.env("SEGENC_FFMPEG", other);
        let other = Process::start(&mut command);
        server.wait_for_workers(stage, 2);
        Self { server, _workers: [system, other] }
    }

    fn workers(&self, stage: &Stage) -> Vec<Value> {
        let listed = ended(&mut self.server.ask(stage, &["workers", "list", "--json"]));
        let lines = listed.stdout.lines();
        lines.map(|line| serde_json::from_str(line).expect("a worker a line")).collect()
    }

    /// Encodes, and gives the report with the reasons why workers idled meanwhile.
    fn encode(&self, stage: &Stage, output: &str, options: &[&str]) -> (Value, BTreeSet<String>) {
        let flags = ["encode", "--json", "--segment-seconds", "2", "film.mkv", output, "--"];
        let mut command = self.server.ask(stage, &flags);
        let mut running = Process::start(command.args(options));
        let mut reasons = BTreeSet::new();
        let mut last = None;
        while let Some(line) = running.next_json() {
            reasons.extend(self.workers(stage).iter().filter_map(|worker| {
                let why = worker["idle_because"].as_str()?;
                Some(format!("{}: {why}", worker["name"].as_str()?))
            }));
            last = Some(line);
        }
        assert_eq!(running.code(), Some(0), "{last:?}");
        let mut last = last.expect("the last line is the result");
        (last["report"].take(), reasons)
    }
}

/// Who was given segments, every attempt counted, also those that failed.
fn makers(report: &Value) -> BTreeSet<&str> {
    let attempts = segment_tasks(report).into_iter().flat_map(|task| task["attempts"].as_array());
    attempts.flatten().filter_map(|attempt| attempt["worker_name"].as_str()).collect()
}

/// The times of the film's frames, in the order in which they are shown.
fn times(path: &Path) -> Vec<i64> {
    let mut command = program("ffprobe");
    command.args([
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "packet=pts",
        "-of",
        "csv=p=0",
    ]);
    let text = String::from_utf8(succeed(command.arg(path))).expect("ffprobe writes text");
    let mut times: Vec<i64> =
        text.lines().map(|line| line.parse().expect("a number a line")).collect();
    times.sort_unstable();
    times
}

/// What this build writes into the header of a film in one piece.
fn header(stage: &Stage, build: &Path, options: &[&str]) -> String {
    let out = stage.path("header.mkv");
    let mut command = program(build.to_str().expect("a plain name"));
    command.args(["-nostdin", "-v", "error", "-y", "-t", "1", "-i"]).arg(stage.path("film.mkv"));
    succeed(command.args(["-map", "0:v"]).args(options).args(["-bitexact"]).arg(&out));
    let mut command = program("ffprobe");
    command.args([
        "-v",
        "error",
        "-show_data_hash",
        "sha256",
        "-show_entries",
        "stream=extradata_hash",
    ]);
    String::from_utf8(succeed(command.arg(&out))).expect("ffprobe writes text")
}

#[test]
fn a_second_build_gets_no_segment_whose_headers_would_differ_and_is_told_why() {
    let Some(other) = other_build() else { return };
    let stage = Stage::new();
    let film = stage.film("film.mkv", 12);
    let farm = Farm::start(&stage, &other);
    let wishes: [&[&str]; 3] = [
        &["-c:v", "libx264", "-crf", "23", "-preset", "veryfast"],
        &[
            "-c:v",
            "libx265",
            "-crf",
            "28",
            "-preset",
            "ultrafast",
            "-x265-params",
            "log-level=none",
        ],
        &["-c:v", "libsvtav1", "-crf", "40", "-preset", "9"],
    ];
    let mut kept_apart = 0;
    for (number, options) in wishes.into_iter().enumerate() {
        let output = format!("out-{number}.mkv");
        let (report, reasons) = farm.encode(&stage, &output, options);
        let attempts = segment_tasks(&report);
        assert!(attempts.len() > 3, "{options:?} was not cut: {}", report["job"]["whole_because"]);
        for task in &attempts {
            // Nothing was made for nothing. A backup is no waste.
            let failed = |attempt: &Value| attempt["state"] == "failed";
            let tried = task["attempts"].as_array().expect("a task lists its attempts");
            assert!(!tried.iter().any(failed), "{options:?}: {task}");
        }
        let plain = stage.path(&format!("plain-{number}.mkv"));
        single(&film, &plain, options);
        assert_eq!(times(&stage.path(&output)), times(&plain), "{options:?}");

        // x265 tells of its machine in the header, which is no parameter set, so only the others are compared here.
        let compared = options[1] != "libx265";
        let builds = [Path::new("ffmpeg"), other.as_path()];
        let [one, two] = builds.map(|build| header(&stage, build, options));
        if compared && one != two {
            kept_apart += 1;
            assert_eq!(makers(&report).len(), 1, "{options:?}: {:?}", makers(&report));
            let why = reasons.iter().find(|why| why.contains(options[1]));
            assert!(why.is_some(), "nobody was told why a worker idles: {reasons:?}");
        }
    }
    assert!(kept_apart > 0, "these two builds agree in everything: get another one");
}

#[test]
fn lossless_films_of_two_builds_are_exact() {
    let Some(other) = other_build() else { return };
    let stage = Stage::new();
    let film = stage.film("film.mkv", 8);
    let farm = Farm::start(&stage, &other);
    let wishes: [&[&str]; 2] =
        [&["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"], &["-c:v", "ffv1"]];
    for (number, options) in wishes.into_iter().enumerate() {
        let output = format!("out-{number}.mkv");
        let (report, _) = farm.encode(&stage, &output, options);
        assert!(segment_tasks(&report).len() > 2, "{options:?}: {report}");
        let plain = stage.path(&format!("plain-{number}.mkv"));
        single(&film, &plain, options);
        assert_eq!(frames(&stage.path(&output)), frames(&plain), "{options:?}");
    }
}

#[test]
fn the_doctor_doubts_an_ffprobe_of_another_version() {
    let Some(other) = other_build() else { return };
    let stage = Stage::new();
    let probe = |command: &mut Command| {
        let examined = ended(command).with_code(0);
        let findings = examined.stdout.lines().map(|line| {
            serde_json::from_str::<Value>(line).expect("doctor --json prints an object a line")
        });
        let mut of_probe = findings.filter(|finding| finding["subject"] == "ffprobe");
        of_probe.next().expect("ffprobe is looked at")
    };
    let words = ["doctor", "--json"];
    assert_eq!(probe(&mut stage.segenc(&words))["verdict"], "good");
    let doubted = probe(stage.segenc(&words).env("SEGENC_FFMPEG", &other));
    assert_eq!(doubted["verdict"], "doubtful", "{doubted}");
    assert!(doubted["detail"].as_str().is_some_and(|why| why.contains("not ffmpeg's version")));
}
