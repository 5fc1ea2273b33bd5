//! What is canceled is gone.

use std::time::{Duration, Instant};

use segenc_core::work::StreamsWork;
use segenc_media::{MediaInput, Tools, WorkError, encode_whole};
use tempfile::TempDir;

use crate::farm::{attempt, options};
use crate::media;

/// Processes that work in this folder.
#[cfg(target_os = "linux")]
fn processes_in(folder: &std::path::Path) -> usize {
    let here = folder.canonicalize().expect("the folder is there");
    let processes = std::fs::read_dir("/proc").expect("linux has it").filter_map(Result::ok);
    processes
        .filter(|process| {
            let own = process.file_name() == *std::process::id().to_string();
            !own && std::fs::read_link(process.path().join("cwd")).is_ok_and(|folder| folder == here)
        })
        .count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn cancel_ends_the_program_within_two_seconds_and_leaves_nothing() {
    let tools = Tools::find().await.expect("the tests need ffmpeg");
    let scratch = TempDir::new().expect("a temporary folder");
    let work = StreamsWork {
        demuxer: "mov,mp4,m4a,3gp,3g2,mj2".to_owned(),
        source_streams: vec![0],
        // Slow enough that nobody ends by himself.
        options: options(&[("vf", "loop=loop=-1:size=100,scale=3840:2160"), ("c:v", "libx264"), ("preset", "veryslow")]),
        container: "matroska".to_owned(),
    };
    let source = MediaInput::File(media::mp4().to_owned());
    let attempt = attempt(&tools, scratch.path());
    let cancel = attempt.cancel.clone();
    let mut progress = attempt.progress.subscribe();
    let canceler = async {
        // The first report shows that the program runs.
        progress.changed().await.expect("the attempt lives");
        assert_eq!(processes_in(scratch.path()), 1);
        cancel.cancel();
        Instant::now()
    };
    let (made, canceled_at) = tokio::join!(encode_whole(&attempt, &source, &work), canceler);
    assert_eq!(made, Err(WorkError::Canceled));
    assert!(canceled_at.elapsed() < Duration::from_secs(2));
    assert_eq!(processes_in(scratch.path()), 0);
}
