//! The folder for temporary files: one folder per worker process, one per attempt in it.
//!
//! Several workers may share a scratch folder. Each holds a lock as long as it lives, so that a worker
//! that starts can tell leftovers of a killed one from the files of a living one. It does not know what
//! is put into the folders.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::WorkerError;

/// What names of workers' folders begin with; nothing else in the scratch folder is ever touched.
const PREFIX: &str = "segenc-worker-";
/// A worker's lock has the name of its folder with this at the end.
const LOCK_SUFFIX: &str = ".lock";
/// Held while leftovers are cleared and a new folder is locked, so that nobody clears a folder in the
/// moment between its making and its locking.
const GATE: &str = "segenc-worker.gate";

/// This worker's folder; removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    lock_path: PathBuf,
    /// Released by the system when the process ends, however it ends.
    _lock: File,
}

impl Scratch {
    /// Clears what killed workers left in `root` and makes a new folder there.
    pub(crate) fn open(root: &Path) -> Result<Self, WorkerError> {
        let failed = |attempted| {
            move |source| WorkerError::Scratch { attempted, path: root.to_owned(), source }
        };
        create_private_dir(root).map_err(failed("create a folder"))?;
        let root = &root.canonicalize().map_err(failed("find the way"))?;
        let gate = lock_file(&root.join(GATE)).map_err(failed("create a lock"))?;
        gate.lock().map_err(failed("take a lock"))?;
        clear_leftovers(root).map_err(failed("clear leftovers"))?;
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(root)
            .map_err(failed("create a folder"))?;
        let lock_path = lock_path(folder.path());
        let lock = lock_file(&lock_path).map_err(failed("create a lock"))?;
        lock.lock().map_err(failed("take a lock"))?;
        Ok(Self { folder: folder.keep(), lock_path, _lock: lock })
    }

    /// Where the files of sources lie.
    pub(crate) fn sources(&self) -> PathBuf {
        self.folder.join("sources")
    }

    /// Makes an empty folder for an attempt; removed when dropped.
    pub(crate) fn attempt_folder(&self) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix("attempt-").tempdir_in(&self.folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next worker that starts here.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock_path);
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(LOCK_SUFFIX);
    PathBuf::from(name)
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

/// Removes the folders of workers that live no more: their lock is free.
fn clear_leftovers(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours || !entry.file_type()?.is_dir() {
            continue;
        }
        let folder = entry.path();
        let lock_path = lock_path(&folder);
        let lock = lock_file(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {
                tracing::info!(folder = %folder.display(), "clearing what a killed worker left");
                fs::remove_dir_all(&folder)?;
                fs::remove_file(&lock_path)?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(unix)]
fn create_private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(root)
            .expect("the folder is there")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name != GATE)
            .collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_left_after_the_worker() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let scratch = Scratch::open(root.path()).expect("writable");
        let attempt = scratch.attempt_folder().expect("writable");
        fs::write(attempt.path().join("output.nut"), b"bytes").expect("writable");
        let path = attempt.path().to_owned();
        drop(attempt);
        assert!(!path.exists());
        drop(scratch);
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn leftovers_of_a_killed_worker_go_and_a_living_one_keeps_its_files() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let dead = root.path().join("segenc-worker-dead");
        fs::create_dir(&dead).expect("writable");
        fs::write(dead.join("output.nut"), b"bytes").expect("writable");
        fs::write(root.path().join("users own file"), b"bytes").expect("writable");
        let living = Scratch::open(root.path()).expect("writable");
        let file = living.folder.join("kept");
        fs::write(&file, b"bytes").expect("writable");
        let second = Scratch::open(root.path()).expect("writable");
        assert!(!dead.exists());
        assert!(file.exists());
        assert!(root.path().join("users own file").exists());
        drop((living, second));
        assert_eq!(names(root.path()), ["users own file"]);
    }

    #[test]
    fn a_scratch_folder_that_is_a_file_is_named_in_the_error() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let file = root.path().join("scratch");
        fs::write(&file, b"").expect("writable");
        let error = Scratch::open(&file).expect_err("a file is no folder");
        assert!(error.to_string().contains("scratch folder"), "{error}");
    }
}
