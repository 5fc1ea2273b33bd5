//! What goes wrong is said in words, with the promised exit code, and leaves everything as it was.

mod support;

use std::fs;
use std::net::TcpListener;

use support::{Server, Stage, ended, ffmpeg, frames, succeed};

#[test]
fn inputs_that_are_no_film_are_refused_by_name() {
    let stage = Stage::new();
    stage.write("empty.mkv", b"");
    stage.write("text.mkv", b"this is no film, whatever its name says\n");
    fs::create_dir(stage.path("folder.mkv")).expect("tests may write to their folder");
    for (input, code, said) in [
        ("missing.mkv", 2, "missing.mkv cannot be opened"),
        ("empty.mkv", 1, "empty.mkv is empty"),
        ("text.mkv", 1, "error"),
        ("folder.mkv", 2, "folder.mkv is a folder"),
    ] {
        stage.run(&["encode", input, "out.mkv"]).with_code(code).saying(said);
        assert!(!stage.exists("out.mkv"), "{input}");
    }
}

#[test]
fn a_truncated_film_fails_or_is_made_of_what_is_there() {
    let stage = Stage::new();
    let film = stage.film("film.mp4.mkv", 8);
    let bytes = fs::read(&film).expect("it was made above");
    stage.write("cut.mkv", &bytes[..bytes.len() / 2]);
    let cut = stage.run(&["encode", "cut.mkv", "out.mkv"]);
    assert!(matches!(cut.code, Some(0 | 1)), "{:?}\n{}", cut.code, cut.stderr);
    assert_eq!(cut.code == Some(0), stage.exists("out.mkv"));
    // The index of an MP4 is at its end: without it nothing can be read.
    let mp4 = stage.path("film.mp4");
    succeed(ffmpeg().arg("-i").arg(&film).args(["-map", "0:v", "-c", "copy"]).arg(&mp4));
    let bytes = fs::read(&mp4).expect("it was made above");
    stage.write("cut.mp4", &bytes[..bytes.len() / 2]);
    stage.run(&["encode", "cut.mp4", "out.mp4"]).with_code(1).saying("error");
    assert!(!stage.exists("out.mp4"));
}

#[test]
fn a_film_without_pictures_works() {
    let stage = Stage::new();
    let song = stage.path("song.mka");
    succeed(ffmpeg().args(["-f", "lavfi", "-i", "sine=d=3", "-c:a", "flac"]).arg(&song));
    stage.run(&["encode", "song.mka", "out.mka", "--", "-c:a", "aac"]).with_code(0);
    assert!(stage.exists("out.mka"));
}

#[test]
fn an_existing_output_is_kept_unless_overwritten() {
    let stage = Stage::new();
    stage.film("film.mkv", 3);
    stage.write("out.mkv", b"somebody's work");
    stage.run(&["encode", "film.mkv", "out.mkv"]).with_code(2).saying("exists already");
    let kept = fs::read(stage.path("out.mkv")).expect("it is there");
    assert_eq!(kept, b"somebody's work");
    stage.run(&["encode", "--overwrite", "film.mkv", "out.mkv"]).with_code(0);
    assert!(fs::metadata(stage.path("out.mkv")).expect("it is there").len() > 1000);
}

#[test]
fn the_source_cannot_be_the_output() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 2);
    let before = fs::read(&film).expect("it was made above");
    fs::hard_link(&film, stage.path("linked.mkv")).expect("tests may write to their folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&film, stage.path("soft.mkv")).expect("tests may link");
    for output in [
        "film.mkv",
        "./film.mkv",
        "linked.mkv",
        #[cfg(unix)]
        "soft.mkv",
    ] {
        stage
            .run(&["encode", "--overwrite", "film.mkv", output])
            .with_code(2)
            .saying("the same file as INPUT");
    }
    assert_eq!(fs::read(&film).expect("it is there"), before);
}

#[test]
fn an_output_folder_that_is_not_there_is_named_at_once() {
    let stage = Stage::new();
    stage.film("film.mkv", 2);
    stage.run(&["encode", "film.mkv", "no/where/out.mkv"]).with_code(2).saying("no/where");
    stage.run(&["encode", "film.mkv", "film"]).with_code(2).saying("hint:");
}

#[test]
fn options_are_refused_with_what_to_do_instead() {
    let stage = Stage::new();
    stage.film("film.mkv", 2);
    for (options, said) in [
        (&["-crv", "20"][..], "-crv"),
        (&["-c:v", "libx999"][..], "libx999"),
        (&["-filter_complex", "[0:v]null"][..], "-filter_complex"),
        (&["other.mkv"][..], "other.mkv"),
    ] {
        let mut command = stage.segenc(&["encode", "film.mkv", "out.mkv", "--"]);
        ended(command.args(options)).with_code(2).saying(said);
    }
    let wrong = stage.run(&["encode", "--json", "film.mkv"]).with_code(2).last_json();
    assert_eq!((&wrong["kind"], &wrong["exit_code"]), (&"refused".into(), &2.into()));
    // The options stand before `--`: the mistake that everybody makes once.
    stage.run(&["encode", "film.mkv", "out.mkv", "-crf", "20"]).with_code(2).saying("after `--`");
    assert!(!stage.exists("out.mkv"));
}

#[test]
fn without_ffmpeg_it_says_what_to_install() {
    let stage = Stage::new();
    stage.film("film.mkv", 2);
    let mut command = stage.segenc(&["encode", "film.mkv", "out.mkv"]);
    ended(command.env("PATH", stage.path("nowhere"))).with_code(1).saying("install ffmpeg");
}

#[test]
fn an_encoder_that_this_machine_lacks_is_named_with_those_that_exist() {
    let stage = Stage::new();
    stage.film("film.mkv", 3);
    // An Apple encoder: known to the parser, never there on the machines that run these tests in CI.
    if cfg!(target_os = "macos") {
        return;
    }
    let words = ["encode", "film.mkv", "out.mkv", "--", "-c:v", "h264_videotoolbox"];
    stage.run(&words).with_code(1).saying("h264_videotoolbox").saying("libx264");
}

#[test]
fn a_taken_port_is_named() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let served = stage.run(&["serve", "--workers", "0", "--listen", &address]).with_code(1);
    assert!(served.stderr.contains(&address), "{}", served.stderr);
}

#[test]
fn nobody_there_is_3_and_a_wrong_token_is_4() {
    let stage = Stage::new();
    stage.film("film.mkv", 2);
    let free = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let nobody = format!("http://{}", free.local_addr().expect("it is bound"));
    drop(free);
    for words in [&["jobs", "list"][..], &["encode", "film.mkv", "out.mkv"][..]] {
        ended(stage.segenc(words).args(["--server", &nobody, "--token", "x"])).with_code(3);
    }
    let server = Server::start(&stage, &["--workers", "0"]);
    for words in [&["jobs", "list"][..], &["workers", "list"], &["encode", "film.mkv", "out.mkv"]] {
        let mut command = stage.segenc(words);
        ended(command.args(["--server", &server.url, "--token", "wrong"]))
            .with_code(4)
            .saying("hint:");
    }
    ended(&mut server.ask(&stage, &["jobs", "show", "99"])).with_code(2).saying("99");
}

#[cfg(unix)]
#[test]
fn an_ffmpeg_that_is_too_old_is_named_with_its_version() {
    let stage = Stage::new();
    stage.film("film.mkv", 2);
    let old = "#!/bin/sh\necho 'ffmpeg version 4.4.2-0ubuntu0 Copyright (c)'\n";
    let old = stage.program("ffmpeg-4", old);
    let mut command = stage.segenc(&["encode", "film.mkv", "out.mkv"]);
    ended(command.env("SEGENC_FFMPEG", old)).with_code(1).saying("4.4.2").saying("5.1");
}

#[test]
fn options_that_an_encoder_refuses_leave_nothing_behind() {
    let stage = Stage::new();
    stage.film("film.mkv", 3);
    let words = ["encode", "film.mkv", "out.mkv", "--", "-preset", "bogus"];
    stage.run(&words).with_code(1).saying("bogus").saying("hint: correct the encoder's options");
    let left = fs::read_dir(stage.path("data/encode")).expect("the folder of local jobs is there");
    let names: Vec<_> = left.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["encoders.json"], "nothing of the job is worth keeping");
    assert!(!stage.exists("out.mkv"));
}

#[test]
fn a_film_that_was_cut_off_is_told_of() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 12);
    let bytes = fs::read(&film).expect("it was made above");
    stage.write("cut.mkv", &bytes[..bytes.len() / 3]);
    stage.run(&["encode", "cut.mkv", "out.mkv"]).with_code(0).saying("was the file cut off?");
}

#[test]
fn a_film_without_frames_is_told_of_unless_others_fill_the_file() {
    let stage = Stage::new();
    let (film, empty) = (stage.path("film.mkv"), stage.path("empty.mkv"));
    let source = "testsrc2=s=160x90:r=25:d=2";
    // The header of this kind tells all of the film that an encoder needs, and then there is none of it.
    succeed(ffmpeg().args(["-f", "lavfi", "-i", source, "-c:v", "wmv1"]).arg(&film));
    let twice = ["-map", "0:v", "-map", "0:v", "-c", "copy", "-bsf:v:0", "noise=drop=1"];
    succeed(ffmpeg().arg("-i").arg(&film).args(twice).arg(&empty));
    stage.run(&["encode", "empty.mkv", "out.mkv", "--", "-c:v", "ffv1"]).with_code(0);
    let second = stage.path("second.mkv");
    let alone = ["-map", "0:v:1", "-c", "copy"];
    succeed(ffmpeg().arg("-i").arg(stage.path("out.mkv")).args(alone).arg(&second));
    assert_eq!(frames(&second), frames(&film));
    let alone = ["encode", "empty.mkv", "alone.mp4", "--", "-map", "0:0"];
    stage.run(&alone).with_code(1).saying("the film has no frames");
    assert!(!stage.exists("alone.mp4"));
}

#[cfg(unix)]
#[test]
fn names_of_files_may_be_anything() {
    let stage = Stage::new();
    let film = stage.film("film.mkv", 2);
    let odd = "-it's \"odd\"\n%03d $(x);[a],b:\u{1b}c 🎬.mkv";
    fs::copy(&film, stage.path(odd)).expect("tests may write to their folder");
    let input = format!("./{odd}");
    let ended = stage.run(&["encode", &input, "./-out 🎬.mkv", "--", "-preset", "ultrafast"]);
    let ended = ended.with_code(0);
    assert!(stage.exists("-out 🎬.mkv"));
    assert!(!ended.stderr.contains('\u{1b}'), "a name cannot steer the terminal");
}

#[test]
fn what_is_refused_for_one_job_does_not_stop_the_rest() {
    let stage = Stage::new();
    stage.film("film.mkv", 2);
    let root = stage.path("");
    let root = root.to_str().expect("the temporary folder has a plain name");
    let server = Server::start(&stage, &["--workers", "0", "--media-root", root]);
    let words = ["encode", "--json", "film.mkv", "out.mkv"];
    let mut job = support::Process::start(&mut server.ask(&stage, &words));
    job.until(|line| line["event"] == "progress");
    job.kill();
    ended(&mut server.ask(&stage, &["jobs", "cancel", "99", "1"]))
        .with_code(2)
        .saying("job 1 canceled");
    ended(&mut server.ask(&stage, &["jobs", "list", "--state", "lost"]))
        .with_code(2)
        .saying("failed");
    ended(&mut server.ask(&stage, &["jobs"])).with_code(0).saying("canceled");
}
