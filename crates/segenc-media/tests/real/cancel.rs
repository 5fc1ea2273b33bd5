//! What is canceled is gone, and so is what has lost its parent.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use segenc_core::work::StreamsWork;
use segenc_media::{MediaInput, Tools, WorkError, encode_whole};
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

#[tokio::test]
async fn a_killed_worker_takes_its_program_along() {
    // The test starts itself again as the worker to be killed.
    if let Some(scratch) = std::env::var_os(SCRATCH_VARIABLE) {
        return encode_until_killed(Path::new(&scratch)).await;
    }
    let scratch = TempDir::new().expect("a temporary folder");
    let media_of_worker = TempDir::new().expect("a temporary folder");
    let ourselves = std::env::current_exe().expect("it runs");
    #[expect(clippy::disallowed_methods, reason = "a worker to be killed")]
    let mut worker = Command::new(ourselves)
        .args(["--exact", "cancel::a_killed_worker_takes_its_program_along"])
        .env(SCRATCH_VARIABLE, scratch.path())
        .env("TMPDIR", media_of_worker.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    // The output shows that the program itself runs, and no longer what starts it.
    let output = scratch.path().join("output.mkv");
    assert!(becomes_true(Duration::from_secs(60), || output.exists()), "the program started");
    worker.kill().expect("it runs");
    worker.wait().expect("it was killed");
    let gone = becomes_true(Duration::from_secs(10), || programs_in(scratch.path()) == 0);
    assert!(gone, "the program is gone");
}

/// Watches until something is so, for a while.
fn becomes_true(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if condition() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// Plays the worker.
async fn encode_until_killed(scratch: &Path) {
    let tools = Tools::find().await.expect("the tests need ffmpeg");
    let source = MediaInput::File(media::mp4().to_owned());
    let made = encode_whole(&attempt(&tools, scratch), &source, &endless()).await;
    panic!("nobody finishes this: {made:?}");
}
