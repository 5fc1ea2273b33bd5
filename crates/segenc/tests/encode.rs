//! `segenc encode` on one machine: exact, resumable, and never in the way of what is there.

mod support;

use std::fs;

use support::{Process, Stage, ended, film_packets, frames, other_streams, segment_tasks, single};

/// Lossless, so that every decoded frame must be the source's.
const LOSSLESS: &[&str] = &["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"];

#[test]
fn output_equals_that_of_one_ffmpeg_frame_by_frame() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 10);
    let words = ["encode", "--json", "--segment-seconds", "2", "film.mkv", "out.mkv", "--"];
    let ended = ended(stage.segenc(&words).args(LOSSLESS)).with_code(0);

    let result = ended.last_json();
    assert_eq!(result["event"], "completed");
    assert_eq!(result["report"]["verified"], true);
    assert!(result["report"]["segments"].as_u64() > Some(2), "{}", result["report"]["segments"]);
    assert_eq!(result["report"]["frames"], 250);

    single(&film, &stage.path("single.mkv"), LOSSLESS);
    assert_eq!(frames(&stage.path("out.mkv")), frames(&stage.path("single.mkv")));
    assert_eq!(other_streams(&stage.path("out.mkv")), other_streams(&stage.path("single.mkv")));
    let left = fs::read_dir(stage.path("data/encode")).expect("the folder of local jobs is there");
    let names: Vec<_> = left.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["encoders.json"], "the finished job's state is deleted");
}

#[test]
fn mp4_is_as_exact_as_matroska() {
    let stage = Stage::new();
    stage.film("with-subtitles.mkv", 8);
    let film = stage.path("film.mp4");
    support::succeed(
        support::ffmpeg()
            .arg("-i")
            .arg(stage.path("with-subtitles.mkv"))
            .args(["-map", "0", "-map", "-0:s", "-c", "copy"])
            .arg(&film),
    );
    let words = ["encode", "--segment-seconds", "2", "film.mp4", "out.mp4", "--"];
    ended(stage.segenc(&words).args(LOSSLESS)).with_code(0).saying("verified: 200 frames");
    single(&film, &stage.path("single.mp4"), LOSSLESS);
    assert_eq!(frames(&stage.path("out.mp4")), frames(&stage.path("single.mp4")));
}

#[test]
fn killed_in_the_middle_it_goes_on_with_what_is_missing() {
    let stage = Stage::new();
    stage.film("film.mkv", 12);
    let words =
        ["encode", "--json", "--slots", "1", "--segment-seconds", "2", "film.mkv", "out.mkv"];
    let options = ["--", "-c:v", "libx264", "-preset", "placebo", "-crf", "20"];

    let mut first = Process::start(stage.segenc(&words).args(options));
    let seen = first.until(|line| line["job"]["progress"]["segments_done"].as_u64() >= Some(2));
    first.kill();
    let kept = seen["job"]["progress"]["segments_done"].as_u64().expect("it was read above");
    let last_second = seen["job"]["created_at"].as_u64().expect("jobs have a time");
    assert!(!stage.exists("out.mkv"), "nothing appears before it is complete");

    let ended = ended(stage.segenc(&words).args(options)).with_code(0);
    let resuming = ended.stdout.lines().find(|line| line.contains("\"resuming\""));
    assert!(resuming.is_some(), "it says that it resumes:\n{}", ended.stdout);
    let report = &ended.last_json()["report"];
    assert_eq!(report["job"]["created_at"].as_u64(), Some(last_second), "it is the same job");
    assert_eq!(report["frames"], 300);
    let once = segment_tasks(report)
        .iter()
        .filter(|task| task["attempts"].as_array().is_some_and(|attempts| attempts.len() == 1))
        .count();
    assert!(once as u64 >= kept, "{once} segments were encoded once, {kept} were done before");
    let again = segment_tasks(report).len() - once;
    assert!(again <= 2, "only what was in work is encoded again, not {again} segments");
}

#[test]
fn changed_options_start_afresh_and_say_so() {
    let stage = Stage::new();
    stage.film("film.mkv", 12);
    let slow = ["--", "-preset", "placebo"];
    let words =
        ["encode", "--json", "--slots", "1", "--segment-seconds", "2", "film.mkv", "out.mkv"];
    let mut first = Process::start(stage.segenc(&words).args(slow));
    first.until(|line| line["job"]["progress"]["segments_done"].as_u64() >= Some(1));
    first.kill();
    let fast = ["--", "-preset", "ultrafast"];
    ended(stage.segenc(&words).args(fast))
        .with_code(0)
        .saying("starting afresh: the options are others than last time");
}

#[test]
fn the_same_command_twice_at_once_is_refused() {
    let stage = Stage::new();
    stage.film("film.mkv", 8);
    let words =
        ["encode", "--json", "--slots", "1", "film.mkv", "out.mkv", "--", "-preset", "placebo"];
    let mut first = Process::start(&mut stage.segenc(&words));
    first.until(|line| line["event"] == "progress");
    stage.run(&words).with_code(1).saying("already running");
    // Nor another film into the same output: one of the two would have worked for nothing.
    stage.film("other.mkv", 2);
    stage.run(&["encode", "other.mkv", "out.mkv"]).with_code(1).saying("already running");
}

#[cfg(unix)]
#[test]
fn interrupted_it_ends_with_130_and_goes_on_later() {
    let stage = Stage::new();
    stage.film("film.mkv", 12);
    let words =
        ["encode", "--json", "--slots", "1", "--segment-seconds", "2", "film.mkv", "out.mkv"];
    let options = ["--", "-preset", "placebo"];
    let mut first = Process::start(stage.segenc(&words).args(options));
    first.until(|line| line["job"]["progress"]["segments_done"].as_u64() >= Some(1));
    first.interrupt();
    assert_eq!(first.code(), Some(130));
    assert!(!stage.exists("out.mkv"));
    let second = ended(stage.segenc(&words).args(options)).with_code(0);
    assert!(second.stdout.contains("\"resuming\""), "{}", second.stdout);
}

#[test]
fn audio_and_filters_are_encoded_too() {
    let stage = Stage::new();
    stage.film("film.mkv", 8);
    let words = ["encode", "film.mkv", "out.mkv", "--", "-vf", "scale=160:-2", "-c:a", "flac"];
    stage.run(&words).with_code(0).saying("verified: 200 frames");
}

/// What an encoder is told of its first keyframe may stand in its headers, and segments with other headers cannot be
/// joined: the film would still come out, in one piece.
#[test]
fn at_constant_quality_the_segments_of_each_encoder_can_be_joined() {
    let stage = Stage::new();
    stage.film("film.mkv", 8);
    for (encoder, preset) in
        [("libx264", "veryfast"), ("libx265", "ultrafast"), ("libx265", "fast")]
    {
        let output = format!("{encoder}-{preset}.mkv");
        let words = ["encode", "--json", "--segment-seconds", "2", "film.mkv", &output, "--"];
        let options = ["-c:v", encoder, "-preset", preset, "-crf", "30"];
        let ended = ended(stage.segenc(&words).args(options)).with_code(0);
        let report = &ended.last_json()["report"];
        assert!(report["segments"].as_u64() > Some(2), "{encoder} {preset}: {report}");
    }
}

#[test]
fn one_and_four_encodes_side_by_side_make_the_same_bits() {
    let stage = Stage::new();
    stage.film("film.mkv", 10);
    let packets = |slots: &str| {
        let words = ["encode", "--segment-seconds", "2", "--slots", slots, "film.mkv"];
        let options = ["--", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23"];
        let output = format!("{slots}.mkv");
        ended(stage.segenc(&words).arg(&output).args(options)).with_code(0);
        film_packets(&stage.path(&output))
    };
    assert_eq!(packets("1"), packets("4"));
}

#[test]
fn a_plan_covers_every_frame_and_names_its_cuts() {
    let stage = Stage::new();
    stage.film("film.mkv", 10);
    let ended = stage.run(&["plan", "--json", "--segment-seconds", "2", "film.mkv"]).with_code(0);
    let plan = ended.last_json();
    let segments = plan["segments"].as_array().expect("a plan has segments");
    assert!(segments.len() > 2);
    let frames: u64 = segments.iter().filter_map(|segment| segment["frames"].as_u64()).sum();
    assert_eq!(frames, 250);
    for pair in segments.windows(2) {
        assert_eq!(pair[0]["end"], pair[1]["start"], "segments tile the film");
    }
    stage.run(&["plan", "film.mkv"]).with_code(0);
}
