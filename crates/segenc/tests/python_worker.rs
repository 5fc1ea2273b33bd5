//! A farm whose only worker is written in Python, from nothing but the .proto and stock tools: what it makes
//! is as exact as what the program's own worker makes.

mod support;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use support::{Process, Server, Stage, ended, frames, other_streams, program, single, succeed};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The Python that has grpcio-tools and requests.
fn python() -> OsString {
    env::var_os("SEGENC_TEST_PYTHON").expect(
        "SEGENC_TEST_PYTHON names no Python with grpcio-tools and requests: run scripts/test, which makes one",
    )
}

/// Translates the .proto, as a stranger would, into a folder of the stage.
fn translate(stage: &Stage) -> PathBuf {
    let proto = Path::new(ROOT).join("proto");
    let out = stage.path("translated");
    fs::create_dir(&out).expect("tests may write to their folder");
    let mut command = program(&python().to_string_lossy());
    command.args(["-m", "grpc_tools.protoc", "-I"]).arg(&proto);
    command.arg("--python_out").arg(&out).arg("--grpc_python_out").arg(&out);
    succeed(command.arg(proto.join("segmented_encoder/v1/segmented_encoder.proto")));
    out
}

/// The worker of the guide, with its scratch in the stage's folder.
fn python_worker(stage: &Stage, server: &Server) -> Process {
    let translated = translate(stage);
    let join_file = server.join.trim_start_matches('@');
    let join = fs::read_to_string(join_file).expect("the server has written its join string");
    let scratch = stage.path("scratch");
    fs::create_dir(&scratch).expect("tests may write to their folder");
    let mut command = program(&python().to_string_lossy());
    command.arg(Path::new(ROOT).join("docs/guide/python-worker/worker.py")).arg(join.trim());
    command.env("PYTHONPATH", translated).env("TMPDIR", scratch).stdin(Stdio::null());
    Process::start(&mut command)
}

/// Encodes with this server and gives the report, whose every attempt was the Python worker's.
#[track_caller]
fn encode(stage: &Stage, server: &Server, names: [&str; 2], options: &[&str]) -> Value {
    let flags = ["encode", "--json", "--segment-seconds", "2"];
    let mut command = server.ask(stage, &flags);
    let ended = ended(command.args(names).arg("--").args(options)).with_code(0);
    let mut report = ended.last_json()["report"].take();
    for task in report["tasks"].as_array().expect("a report lists its tasks") {
        let attempts = task["attempts"].as_array().expect("a task lists its attempts");
        assert_eq!(attempts.len(), 1, "{task}");
        assert_eq!(attempts[0]["worker_name"], "python", "{task}");
    }
    report.take()
}

fn kinds(report: &Value) -> BTreeSet<&str> {
    let tasks = report["tasks"].as_array().expect("a report lists its tasks");
    tasks.iter().filter_map(|task| task["kind"].as_str()).collect()
}

/// Times of the packets of all streams of a kind as they are stored, in the container's own ticks.
fn times(path: &Path, kind: &str) -> String {
    let mut command = program("ffprobe");
    command.args(["-v", "error", "-select_streams", kind, "-show_entries"]);
    let entries = "stream=index,time_base:packet=stream_index,pts";
    let out = succeed(command.args([entries, "-of", "csv"]).arg(path));
    let text = String::from_utf8(out).expect("ffprobe writes text");
    // Packets with side data end in a comma and an empty line; which have some is the container's affair.
    let lines = text.lines().map(|line| line.trim_end_matches("side_data,").trim_end_matches(','));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_exact(stage: &Stage, film: &Path, output: &str, options: &[&str]) {
    let plain = stage.path(&format!("single-{output}"));
    let output = stage.path(output);
    single(film, &plain, options);
    assert_eq!(frames(&output), frames(&plain));
    for kind in ["v", "a", "s"] {
        assert_eq!(times(&output, kind), times(&plain, kind), "{kind}");
    }
    assert_eq!(other_streams(&output), other_streams(&plain));
}

#[test]
fn a_worker_in_python_does_every_kind_of_task_exactly() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 8);
    let server = Server::start(&stage, &["--workers", "0"]);
    let _worker = python_worker(&stage, &server);

    let lossless =
        ["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-c:a", "libopus", "-b:a", "64k"];
    let report = encode(&stage, &server, ["film.mkv", "out.mkv"], &lossless);
    let parts = BTreeSet::from(["analysis", "segment", "other_streams", "merge"]);
    assert_eq!(kinds(&report), parts);
    assert!(report["segments"].as_u64() > Some(2), "{}", report["segments"]);
    assert_eq!(report["frames"], 200);
    assert_exact(&stage, &film, "out.mkv", &lossless);

    // This encoder's bitrate cannot be kept in segments: the title is made in one go.
    let rate = ["-c:v", "mpeg4", "-b:v", "300k", "-threads", "1"];
    let report = encode(&stage, &server, ["film.mkv", "whole.mkv"], &rate);
    assert_eq!(kinds(&report), BTreeSet::from(["analysis", "whole", "merge"]));
    assert_exact(&stage, &film, "whole.mkv", &rate);
}

#[test]
fn a_worker_in_python_measures_weighs_and_meets_a_size() {
    let stage = Stage::new();
    stage.film("film.mkv", 8);
    let server = Server::start(&stage, &["--workers", "0"]);
    let _worker = python_worker(&stage, &server);
    let size = 600_000_u64;
    let flags = [
        "encode",
        "--json",
        "--segment-seconds",
        "2",
        "--target-size",
        "600k",
        "film.mkv",
        "out.mkv",
    ];
    let mut command = server.ask(&stage, &flags);
    let ended = ended(command.args(["--", "-c:v", "libx264", "-preset", "fast"])).with_code(0);
    let report = &ended.last_json()["report"];
    let kinds = kinds(report);
    for kind in ["analysis", "weigh", "measure", "segment", "merge"] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
    let made = fs::metadata(stage.path("out.mkv")).expect("it is there").len();
    assert!(made.abs_diff(size) * 50 <= size, "{made} bytes instead of {size}");

    let bounded = [
        "-c:v", "libx264", "-preset", "fast", "-b:v", "300k", "-maxrate", "400k", "-bufsize",
        "400k",
    ];
    let report = encode(&stage, &server, ["film.mkv", "bounded.mkv"], &bounded);
    let checks = report["checks"].as_array().expect("a report lists its checks");
    assert!(checks.iter().any(|check| check["name"] == "player's buffer"), "{checks:?}");
}

#[test]
fn a_worker_in_python_joins_mp4_as_exactly() {
    let stage = Stage::new();
    stage.film("with-subtitles.mkv", 6);
    let film = stage.path("film.mp4");
    let mut command = support::ffmpeg();
    command.arg("-i").arg(stage.path("with-subtitles.mkv"));
    succeed(command.args(["-map", "0", "-map", "-0:s", "-c", "copy"]).arg(&film));
    let server = Server::start(&stage, &["--workers", "0"]);
    let _worker = python_worker(&stage, &server);
    let lossless = ["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-c:a", "aac"];
    encode(&stage, &server, ["film.mp4", "out.mp4"], &lossless);
    assert_exact(&stage, &film, "out.mp4", &lossless);
}
