//! What is canceled is gone, and so is what has lost its parent.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use segenc_core::work::StreamsWork;
use segenc_media::{Made, MediaInput, Tools, WorkError, encode_whole};
use tempfile::TempDir;

use crate::farm::{attempt, options};
use crate::media;

/// Names the scratch folder to the process that is going to be killed.
const SCRATCH_VARIABLE: &str = "SEGENC_TEST_SCRATCH";

/// Programs whose work has this folder: every invocation runs in its attempt's.
fn programs_in(folder: &Path) -> usize {
    let here = folder.canonicalize().expect("the folder is there");
    let processes = std::fs::read_dir("/proc").expect("linux has it").filter_map(Result::ok);
    let works_here = |process: &std::fs::DirEntry| {
        std::fs::read_link(process.path().join("cwd")).is_ok_and(|folder| folder == here)
    };
    processes.filter(works_here).count()
}

/// Work that nobody finishes.
fn endless() -> StreamsWork {
    StreamsWork {
        demuxer: "mov,mp4,m4a,3gp,3g2,mj2".to_owned(),
        source_streams: vec![0],
        options: options(&[
            ("vf", "loop=loop=-1:size=100,scale=3840:2160"),
            ("c:v", "libx264"),
            ("preset", "veryslow"),
        ]),
        container: "matroska".to_owned(),
    }
}

#[tokio::test]
async fn cancel_ends_the_program_within_two_seconds_and_leaves_nothing() {
    let tools = Tools::find().await.expect("the tests need ffmpeg");
    let scratch = TempDir::new().expect("a temporary folder");
    let source = MediaInput::File(media::mp4().to_owned());
    let attempt = attempt(&tools, scratch.path());
    let cancel = attempt.cancel.clone();
    let mut progress = attempt.progress.subscribe();
    let canceler = async {
        // The first report shows that the program runs.
        progress.changed().await.expect("the attempt lives");
        assert_eq!(programs_in(scratch.path()), 1);
        cancel.cancel();
        Instant::now()
    };
    let work = endless();
    let (made, canceled_at) = tokio::join!(encode_whole(&attempt, &source, &work), canceler);
    assert_eq!(made, Err(WorkError::Canceled));
    assert!(canceled_at.elapsed() < Duration::from_secs(2));
    assert_eq!(programs_in(scratch.path()), 0);
}

#[test]
fn a_killed_worker_takes_its_program_along() {
    let scratch = TempDir::new().expect("a temporary folder");
    let ourselves = std::env::current_exe().expect("it runs");
    #[expect(clippy::disallowed_methods, reason = "a worker to be killed")]
    let mut worker = Command::new(ourselves)
        .args(["--exact", "cancel::encodes_until_killed", "--ignored"])
        .env(SCRATCH_VARIABLE, scratch.path())
        .spawn()
        .expect("it starts");
    assert!(becomes(1, scratch.path(), Duration::from_secs(30)), "the program started");
    worker.kill().expect("it runs");
    worker.wait().expect("it was killed");
    assert!(becomes(0, scratch.path(), Duration::from_secs(2)), "the program is gone");
}

/// Watches until so many programs work in the folder, for a while.
fn becomes(count: usize, folder: &Path, limit: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if programs_in(folder) == count {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[tokio::test]
#[ignore = "runs until it is killed; another test starts it"]
async fn encodes_until_killed() {
    let Some(scratch) = std::env::var_os(SCRATCH_VARIABLE) else { return };
    let tools = Tools::find().await.expect("the tests need ffmpeg");
    let source = MediaInput::File(media::mp4().to_owned());
    let made: Result<Made, _> =
        encode_whole(&attempt(&tools, Path::new(&scratch)), &source, &endless()).await;
    panic!("nobody finishes this: {made:?}");
}
