//! Films with keyframes at fixed distances are cut where a new scene begins, and exactly so.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Process, Server, Stage, ended, ffmpeg, frames, segment_tasks, single, succeed};

const OPTIONS: [&str; 6] = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"];

/// Pictures of three scenes that begin at frames 105 and 210, with a keyframe every 50 frames, 25 a second.
fn film(stage: &Stage, name: &str) -> PathBuf {
    let path = stage.path(name);
    let mut command = ffmpeg();
    for change in ["null", "negate,vflip", "hflip,hue=b=-3"] {
        let scene = format!("testsrc2=s=320x180:r=25:d=4.2,{change}");
        command.args(["-f", "lavfi", "-i", &scene]);
    }
    command.args(["-filter_complex", "concat=n=3,format=yuv420p", "-c:v", "libx264"]);
    command.args(["-preset", "veryfast", "-g", "50", "-sc_threshold", "0", "-bf", "3"]);
    succeed(command.arg(&path));
    path
}

/// Why each segment ends where it does, and how many frames it has.
fn cuts(segments: &[Value]) -> Vec<(String, u64)> {
    let cut = |of: &Value| of["cut"].as_str().unwrap_or_default().to_owned();
    segments.iter().map(|of| (cut(of), of["frames"].as_u64().unwrap_or_default())).collect()
}

fn at_scenes() -> Vec<(String, u64)> {
    vec![("scene".to_owned(), 105), ("scene".to_owned(), 105), ("end".to_owned(), 105)]
}

#[track_caller]
fn assert_cut_at_scenes_and_exact(stage: &Stage, film: &Path, report: &Value) {
    let segments: Vec<Value> =
        segment_tasks(report).iter().map(|task| task["segment"].clone()).collect();
    assert_eq!(cuts(&segments), at_scenes(), "{report}");
    single(film, &stage.path("single.mkv"), &OPTIONS);
    assert!(frames(&stage.path("out.mkv")) == frames(&stage.path("single.mkv")), "frames differ");
}

#[test]
fn a_plan_names_the_scenes_at_which_it_cuts() {
    let stage = Stage::new();
    film(&stage, "film.mkv");
    let ended = stage.run(&["plan", "--json", "--segment-seconds", "4", "film.mkv"]).with_code(0);
    let plan = ended.last_json();
    assert_eq!(cuts(plan["segments"].as_array().expect("a list")), at_scenes());
}

#[test]
fn a_film_is_cut_at_its_scenes_and_so_is_a_copy_of_it() {
    let stage = Stage::new();
    for name in ["film.mp4", "film.ts"] {
        let film = film(&stage, name);
        let words =
            ["encode", "--json", "--overwrite", "--segment-seconds", "4", name, "out.mkv", "--"];
        let ended = ended(stage.segenc(&words).args(OPTIONS)).with_code(0);
        assert_cut_at_scenes_and_exact(&stage, &film, &ended.last_json()["report"]);
    }
}

#[test]
fn workers_far_away_find_the_same_scenes() {
    let stage = Stage::new();
    let film = film(&stage, "film.mkv");
    let server = Server::start(&stage, &["--workers", "0"]);
    let _workers = [server.worker(&stage, "one"), server.worker(&stage, "two")];
    server.wait_for_workers(&stage, 2);
    let words = ["encode", "--json", "--segment-seconds", "4", "film.mkv", "out.mkv", "--"];
    let mut job = Process::start(server.ask(&stage, &words).args(OPTIONS));
    let result = job.until(|line| line["event"] == "completed" || line["event"] == "failed");
    assert_eq!(result["event"], "completed", "{result}");
    assert_cut_at_scenes_and_exact(&stage, &film, &result["report"]);
}
