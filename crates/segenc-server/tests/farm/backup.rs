//! Backups of a server that runs, and what a server made of one knows.

use std::path::Path;

use segenc_server::{BackupError, Contents, StartError, back_up, restore, start};
use serde_json::json;

use crate::support::{Caller, Farm, Folders, Worker};

/// A farm whose first job has one segment done, with a worker.
async fn with_a_segment() -> (Farm, Worker, u64) {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let job = farm.job(json!({})).await;
    worker.analyze().await;
    let task = worker.task().await;
    worker.encode(&task).await.expect("a segment is taken");
    (farm, worker, job)
}

/// A farm over restored data.
async fn restored(file: &Path, films: &Folders) -> (Farm, Vec<u64>) {
    let folders = Folders::new();
    let done = restore(file, &folders.data()).await.expect("restored");
    let mut config = folders.config();
    config.media_roots.push(films.films());
    let server = start(config).await.expect("the server starts");
    let operator = Caller::new(server.server_address(), server.admin_token());
    (Farm { folders, server, operator }, done.begun_anew)
}

#[tokio::test]
async fn a_backup_with_files_goes_on_where_the_server_was() {
    let (farm, worker, job) = with_a_segment().await;
    let file = farm.folders.root.path().join("all.tar");
    back_up(&farm.folders.data(), &file, Contents::StateAndFiles).await.expect("backed up");
    let before = farm.view(job).await;
    let (copy, begun_anew) = restored(&file, &farm.folders).await;
    assert_eq!(begun_anew, Vec::<u64>::new());
    assert_eq!(copy.server.admin_token().reveal(), farm.server.admin_token().reveal());
    let after = copy.view(job).await;
    assert_eq!(after["progress"]["segments_done"], 1);
    assert_eq!(after["created_at"], before["created_at"]);
    let mut moved = worker.moved_to(&copy.server.server_address());
    moved.registration().await.expect("the worker's token opens the copy, too");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    }
}

#[tokio::test]
async fn without_its_files_a_job_begins_anew() {
    let (farm, worker, job) = with_a_segment().await;
    let file = farm.folders.root.path().join("state.tar");
    back_up(&farm.folders.data(), &file, Contents::State).await.expect("backed up");
    let (copy, begun_anew) = restored(&file, &farm.folders).await;
    assert_eq!(begun_anew, [job]);
    assert_eq!(copy.view(job).await["state"], "analyzing");
    let mut moved = worker.moved_to(&copy.server.server_address());
    moved.analyze().await;
    assert_eq!(copy.view(job).await["state"], "transcoding");
}

#[tokio::test]
async fn neither_replaces_anything() {
    let farm = Farm::start().await;
    let file = farm.folders.root.path().join("state.tar");
    let data = farm.folders.data();
    back_up(&data, &file, Contents::State).await.expect("backed up");
    let again = back_up(&data, &file, Contents::State).await;
    assert!(matches!(again, Err(BackupError::Exists { .. })), "{again:?}");
    let over = restore(&file, &data).await;
    assert!(matches!(over, Err(BackupError::NotEmpty { .. })), "{over:?}");
    let nowhere = back_up(&farm.folders.films(), &file, Contents::State).await;
    assert!(matches!(nowhere, Err(BackupError::NoData { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn what_is_no_backup_is_refused() {
    let folders = Folders::new();
    let bytes: Vec<u8> = {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        header.as_gnu_mut().expect("it is one").name[..7].copy_from_slice(b"../evil");
        header.set_cksum();
        archive.append(&header, &b"evil"[..]).expect("written");
        archive.into_inner().expect("written")
    };
    for (name, bytes) in [("film.tar", b"no archive at all".to_vec()), ("evil.tar", bytes)] {
        let file = folders.root.path().join(name);
        std::fs::write(&file, bytes).expect("written");
        let target = folders.root.path().join(format!("{name}-data"));
        let refused = restore(&file, &target).await;
        assert!(matches!(refused, Err(BackupError::NoBackup { .. })), "{name}: {refused:?}");
    }
    assert!(!folders.root.path().join("evil").exists());
}

#[tokio::test]
async fn data_of_a_newer_version_is_refused_by_server_and_restore() {
    let Farm { folders, server, .. } = Farm::start().await;
    server.stop().await;
    let path = format!("sqlite://{}", folders.data().join("events.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&path).await.expect("the database");
    sqlx::query("PRAGMA user_version = 9999").execute(&pool).await.expect("changed");
    pool.close().await;
    let error = start(folders.config()).await.expect_err("it is newer");
    assert!(matches!(error, StartError::NewerData { .. }), "{error}");
    assert!(error.to_string().contains("newer version"), "{error}");
    let file = folders.root.path().join("newer.tar");
    back_up(&folders.data(), &file, Contents::State).await.expect("backed up");
    let refused = restore(&file, &folders.root.path().join("other")).await;
    assert!(matches!(refused, Err(BackupError::Newer)), "{refused:?}");
}
