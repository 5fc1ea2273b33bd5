//! Filters that change the frame rate: the film is cut nevertheless, and every frame comes at its time.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Stage, ended, ffmpeg, frames, segment_tasks, single, succeed};

/// Makes the film with this filter here, compares it with what one ffmpeg makes, and answers the report.
#[track_caller]
fn report_of_exact(stage: &Stage, film: &Path, filter: &str) -> Value {
    let name = film.file_name().and_then(|name| name.to_str()).expect("a plain name");
    let options = ["-c:v", "ffv1", "-vf", filter];
    let words =
        ["encode", "--json", "--overwrite", "--segment-seconds", "1", name, "out.mkv", "--"];
    let ended = ended(stage.segenc(&words).args(options)).with_code(0);
    single(film, &stage.path("single.mkv"), &options);
    assert_eq!(frames(&stage.path("out.mkv")), frames(&stage.path("single.mkv")), "{filter}");
    let report = ended.last_json()["report"].take();
    assert!(segment_tasks(&report).len() > 2, "{}", report["job"]["whole_because"]);
    report
}

/// A film of interlaced frames, 29.97 a second, in another container.
fn interlaced(stage: &Stage, name: &str) -> PathBuf {
    let path = stage.path(name);
    let mut command = ffmpeg();
    command.args(["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=60000/1001:duration=5"]);
    command.args(["-vf", "tinterlace=interleave_top,setfield=tff"]);
    command.args(["-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-g", "10", "-bf", "2"]);
    succeed(command.arg(&path));
    path
}

#[test]
fn another_rate_is_made_in_segments_and_exact() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 5);
    let report = report_of_exact(&stage, &film, "fps=24000/1001");
    // Sound begins a little before the film, whose first frame is nearer to the second tick.
    assert_eq!(report["frames"], 119);
}

#[test]
fn fields_become_frames_in_segments_and_exact() {
    let stage = Stage::new();
    let film = interlaced(&stage, "film.mkv");
    let report = report_of_exact(&stage, &film, "yadif=1,scale=48:32");
    assert_eq!(report["frames"], 300);
}

#[test]
fn a_copy_of_the_film_is_retimed_as_the_film_is() {
    let stage = Stage::new();
    let film = interlaced(&stage, "film.ts");
    report_of_exact(&stage, &film, "bwdif");
    report_of_exact(&stage, &film, "yadif,fps=25");
}
