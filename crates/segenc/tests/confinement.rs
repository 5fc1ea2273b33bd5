//! Programs that read media are confined to their inputs and their own folder.

#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use segenc_media::confinement::{LAUNCHER_WORD, Strength, strength};
use support::{SEGENC, Stage, program};

/// ffmpeg as a worker starts it, allowed to read `allowed` and to write into `folder`.
fn confined(folder: &Path, allowed: &Path) -> Command {
    let ffmpeg =
        String::from_utf8(support::succeed(program("sh").args(["-c", "command -v ffmpeg"])));
    let mut command = program(SEGENC);
    command.arg(LAUNCHER_WORD).arg("--folder").arg(folder).arg("--read").arg(allowed);
    command.arg("--").arg(ffmpeg.expect("a path is text").trim());
    command.args(["-nostdin", "-v", "error", "-y"]);
    command
}

fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_confined_program_reaches_its_input_and_its_folder_alone() {
    if !matches!(strength(), Strength::Full | Strength::Partial) {
        eprintln!("this kernel has no Landlock: nothing is confined, and workers say so");
        return;
    }
    let stage = Stage::new();
    let (film, other) = (stage.film("film.mkv", 1), stage.film("other.mkv", 1));
    let folder = stage.path("scratch");
    std::fs::create_dir(&folder).expect("the stage is writable");
    let copy = |from: &Path, to: &Path| {
        let mut command = confined(&folder, &film);
        command.arg("-i").arg(from).args(["-map", "0:v", "-c", "copy"]).arg(to);
        command.output().expect("the launcher starts")
    };

    let good = copy(&film, &folder.join("out.mkv"));
    assert!(good.status.success(), "{}", says(&good));
    let peeking = copy(&other, &folder.join("peek.mkv"));
    assert!(says(&peeking).contains("Permission denied"), "{}", says(&peeking));
    let straying = copy(&film, &stage.path("stray.mkv"));
    assert!(says(&straying).contains("Permission denied"), "{}", says(&straying));
    assert!(!stage.exists("stray.mkv"));
}

#[test]
fn a_confined_program_reaches_no_other_port() {
    if strength() != Strength::Full {
        eprintln!("this kernel does not bound the network of programs, and workers say so");
        return;
    }
    let stage = Stage::new();
    let film = stage.film("film.mkv", 1);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    listener.set_nonblocking(true).expect("a socket can be asked");
    let address = listener.local_addr().expect("it listens");
    let mut command = confined(&stage.path("."), &film);
    let output = command
        .args(["-i", &format!("http://{address}/x.mkv"), "-f", "null", "-"])
        .output()
        .expect("the launcher starts");
    assert!(says(&output).contains("Permission denied"), "{}", says(&output));
    assert!(listener.accept().is_err(), "nobody came");
}
