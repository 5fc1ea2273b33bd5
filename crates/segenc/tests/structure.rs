//! Workers far from the server: each reads its share of the film, not the whole of it.

mod support;

use serde_json::Value;
use support::{Process, Server, Stage, ended, ffmpeg, frames, other_streams, single, succeed};

const LOSSLESS: &[&str] = &["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"];

/// A film whose pictures take some forty megabytes: far more than what is told in full.
fn film(stage: &Stage, name: &str) -> std::path::PathBuf {
    let path = stage.path(name);
    let mut command = ffmpeg();
    command.args(["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=24,noise=alls=40:allf=t"]);
    command.args(["-f", "lavfi", "-i", "sine=f=330:d=24", "-c:v", "libx264"]);
    command.args(["-preset", "ultrafast", "-b:v", "14M", "-g", "50", "-bf", "2", "-c:a", "aac"]);
    succeed(command.arg(&path));
    path
}

fn bytes_fetched(server: &Server, stage: &Stage) -> Vec<u64> {
    let listed = ended(&mut server.ask(stage, &["workers", "list", "--json"])).with_code(0);
    let workers = listed.stdout.lines().filter_map(|line| serde_json::from_str(line).ok());
    workers.filter_map(|worker: Value| worker["source_bytes_fetched"].as_u64()).collect()
}

#[test]
fn no_worker_reads_the_whole_film() {
    let stage = Stage::new();
    let film = film(&stage, "film.mkv");
    let size = std::fs::metadata(&film).expect("it was made").len();
    let server = Server::start(&stage, &["--workers", "0"]);
    let _workers = [server.worker(&stage, "one"), server.worker(&stage, "two")];
    server.wait_for_workers(&stage, 2);
    let words = ["encode", "--json", "--segment-seconds", "4", "film.mkv", "out.mkv", "--"];
    let mut job = Process::start(server.ask(&stage, &words).args(LOSSLESS));
    let result = job.until(|line| line["event"] == "completed" || line["event"] == "failed");
    assert_eq!(result["event"], "completed", "{result}");
    let (made, plain) = (stage.path("out.mkv"), stage.path("single.mkv"));
    single(&film, &plain, LOSSLESS);
    assert!(frames(&made) == frames(&plain), "the frames differ");
    assert_eq!(other_streams(&made), other_streams(&plain));
    let fetched = bytes_fetched(&server, &stage);
    assert_eq!(fetched.len(), 2);
    // One read for all segments, what is read at their ends beside them, and twice the structure.
    let most = size * 3 / 2;
    assert!(fetched.iter().sum::<u64>() < most, "{fetched:?} of {size}");
}
