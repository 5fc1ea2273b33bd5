//! What the coordinator does when the disk does not.

use segenc_core::pool::command::{Answer, Command};
use segenc_core::pool::worker::WorkerProfile;
use tokio_util::sync::CancellationToken;

use super::{Refusal, start};
use crate::store::Store;

fn registration() -> Command {
    let profile = WorkerProfile {
        name: "one".to_owned(),
        version: String::new(),
        slots: 1,
        cores: 1,
        memory_bytes: 0,
        encoders: Vec::new(),
        ffmpeg_version: String::new(),
        platform: String::new(),
        can_pause: false,
        trial_sets: std::collections::BTreeMap::new(),
    };
    Command::RegisterWorker { known: None, profile }
}

#[tokio::test]
async fn a_failed_commit_changes_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(&folder.path().join("events.sqlite")).await.expect("opened");
    let stop = CancellationToken::new();
    let (coordinator, task) =
        start(store.clone(), super::Beside::default(), stop.clone()).await.expect("started");
    let Ok(Answer::Worker(worker)) = coordinator.command(registration()).await else {
        panic!("no worker was registered");
    };
    store.close().await;
    assert_eq!(coordinator.command(registration()).await, Err(Refusal::NotStored));
    assert_eq!(coordinator.view().pool.workers().count(), 1);
    // What needs no storing is answered all the same.
    let asked = coordinator.command(Command::RequestTask(worker)).await;
    assert_eq!(asked, Ok(Answer::Assigned(None)));
    stop.cancel();
    task.await.expect("it ends");
    assert_eq!(coordinator.command(registration()).await, Err(Refusal::Stopping));
}
