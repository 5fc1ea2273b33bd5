//! What is told to stand still does, keeps what it has, and goes on.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::{Duration, Instant};

use segenc_core::work::StreamsWork;
use segenc_media::{Attempt, MediaInput, Suspension, Tools, WorkError, encode_whole};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::farm::{attempt, options};
use crate::media;

/// Longer than any system takes to tell of a signal.
const LIMIT: Duration = Duration::from_secs(30);

/// The states of the programs whose work has this folder, such as `T` for one that stands still.
fn states_in(folder: &Path) -> Vec<char> {
    let here = folder.canonicalize().expect("the folder is there");
    let processes = std::fs::read_dir("/proc").expect("linux has it").filter_map(Result::ok);
    processes
        .filter(|it| std::fs::read_link(it.path().join("cwd")).is_ok_and(|folder| folder == here))
        .filter_map(|it| std::fs::read_to_string(it.path().join("stat")).ok())
        .filter_map(|stat| stat.rsplit_once(") ")?.1.chars().next())
        .collect()
}

/// Watches until a program there stands still, or none does.
async fn until(folder: &Path, suspension: Suspension) {
    let start = Instant::now();
    loop {
        let states = states_in(folder);
        let stands = !states.is_empty() && states.iter().all(|state| *state == 'T');
        if stands == (suspension == Suspension::Stands) {
            return;
        }
        assert!(start.elapsed() < LIMIT, "{suspension:?}, but the programs are {states:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_suspended_program_stands_still_goes_on_and_can_be_canceled_while_it_stands() {
    let tools = Tools::find().await.expect("the tests need ffmpeg");
    let scratch = TempDir::new().expect("a temporary folder");
    let source = MediaInput::File(media::mp4().to_owned());
    let (tell, told) = watch::channel(Suspension::Runs);
    let attempt = Attempt { suspension: Some(told), ..attempt(&tools, scratch.path()) };
    let cancel = attempt.cancel.clone();
    let mut progress = attempt.progress.subscribe();
    let operator = async {
        progress.changed().await.expect("the attempt lives");
        tell.send_replace(Suspension::Stands);
        until(scratch.path(), Suspension::Stands).await;
        let before = progress.borrow_and_update().frames;
        tell.send_replace(Suspension::Runs);
        until(scratch.path(), Suspension::Runs).await;
        progress.wait_for(|now| now.frames > before).await.expect("it goes on");
        tell.send_replace(Suspension::Stands);
        until(scratch.path(), Suspension::Stands).await;
        cancel.cancel();
    };
    // Work that nobody finishes.
    let work = StreamsWork {
        demuxer: "mov,mp4,m4a,3gp,3g2,mj2".to_owned(),
        source_streams: vec![0],
        options: options(&[("vf", "loop=loop=-1:size=100"), ("c:v", "libx264")]),
        container: "matroska".to_owned(),
    };
    let (made, ()) = tokio::join!(encode_whole(&attempt, &source, &work), operator);
    assert_eq!(made, Err(WorkError::Canceled));
    assert!(states_in(scratch.path()).is_empty());
}
