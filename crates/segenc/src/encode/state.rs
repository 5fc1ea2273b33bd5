//! The folder that makes a local job resumable: one per source and output, locked while it is used.
//!
//! Owns only the wish and the lock; the job itself is in the server's folder inside.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use segenc_proto::rest::JobView;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Wish, sweep};
use crate::arguments::Voice;
use crate::fingerprint::{SourceMark, hex};
use crate::halt::Halt;
use crate::quantities::{bytes, counted};
use crate::{places, terminal};

/// The file in a job's folder that says what is wished.
pub(super) const RECORD: &str = "wish.json";
/// A folder that a finishing run deletes just while we open it is made again; twice in a row is a fault.
const OPEN_TRIES_MAX: usize = 20;

/// The state of one local job.
#[derive(Debug)]
pub(crate) struct State {
    folder: PathBuf,
    /// Held open: the lock ends with it.
    _lock: File,
    /// Nobody else makes the same output meanwhile, from whatever source.
    _output: OutputLock,
}

/// The right to make an output. Its folder goes with it.
#[derive(Debug)]
struct OutputLock {
    folder: PathBuf,
    _lock: File,
}

impl Drop for OutputLock {
    fn drop(&mut self) {
        // Best effort, under the lock: what stays behind is an empty file that the next run takes over.
        let _ = fs::remove_file(self.folder.join("lock"));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// What an earlier run has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// The same job: it goes on.
    SameWish,
    /// Another job, now deleted, and why it cannot go on.
    Other(&'static str),
}

/// What the folder was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    source: SourceMark,
    args: Vec<String>,
    container: String,
    verify: String,
    segment_seconds: Option<u32>,
    #[serde(default)]
    target_size: Option<u64>,
    #[serde(default)]
    drop_dynamic_hdr: bool,
}

impl State {
    /// Opens the folder for this wish. What is there of another wish (the source or the options have
    /// changed) is deleted.
    pub(crate) fn open(wish: &Wish) -> anyhow::Result<(Self, Found)> {
        let all = places::data_folder()?.join("encode");
        let (source, output) = (wish.source.as_path(), wish.output.path());
        let folder = all.join(key(&[source, output]));
        let outputs = all.join(format!("output.{}", key(&[output])));
        let busy =
            format!("a job that makes {} is already running on this machine", output.display());
        // The output first: who is refused has not made a folder for the job yet.
        let output = OutputLock { _lock: lock(&outputs, &busy)?, folder: outputs };
        let held = lock(&folder, &busy)?;
        let state = Self { folder, _lock: held, _output: output };
        let wanted = Record::of(wish);
        let found = match state.recorded() {
            Some(record) if record == wanted => {
                // Its time says when the job was last gone on with.
                state.write_down(&wanted)?;
                return Ok((state, Found::SameWish));
            }
            Some(record) if record.source != wanted.source => {
                Found::Other("the source has changed")
            }
            Some(_) => Found::Other("the options are others than last time"),
            // Also what cannot be read: nothing can be resumed from it.
            None => Found::Nothing,
        };
        state.clear()?;
        state.write_down(&wanted)?;
        Ok((state, found))
    }

    /// Forgets jobs of this machine that nobody went on with for long.
    pub(crate) fn sweep_old(voice: Voice) {
        let Ok(all) = places::data_folder() else { return };
        let swept = sweep::sweep(&all.join("encode"), SystemTime::now());
        if swept.jobs > 0 && !voice.quiet && !voice.json {
            let days = sweep::KEPT_FOR.as_secs() / (24 * 60 * 60);
            terminal::say(&format!(
                "forgotten: {} that {days} days ago was left unfinished ({})",
                counted(swept.jobs, "job"),
                bytes(swept.bytes)
            ));
        }
    }

    /// Under a new name first: a record that is cut short would cost the job.
    fn write_down(&self, record: &Record) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(record).context("writing down the wish failed")?;
        let (path, new) = (self.record_file(), self.folder.join("wish.new"));
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("writing {} failed", path.display()))
    }

    /// The embedded server's folder.
    pub(crate) fn server_folder(&self) -> PathBuf {
        self.folder.join("server")
    }

    /// The embedded worker's folder for files that are being made.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// The embedded worker's identity. It lies beside the folders of all jobs, because the worker keeps
    /// what it has learnt of this machine's encoders in the same place: they are tried once, not for
    /// every job.
    pub(crate) fn identity(&self) -> PathBuf {
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        self.folder.with_file_name(format!("worker.{name}"))
    }

    /// The job is done: nothing of it is needed any more.
    pub(crate) fn delete(self) -> anyhow::Result<()> {
        // The record first, so that a half-deleted folder is never taken for a job that goes on.
        self.clear_record()?;
        gone(fs::remove_file(self.identity()), &self.identity())?;
        gone(fs::remove_dir_all(&self.folder), &self.folder)
    }

    fn clear_record(&self) -> anyhow::Result<()> {
        gone(fs::remove_file(self.record_file()), &self.record_file())
    }

    fn record_file(&self) -> PathBuf {
        self.folder.join(RECORD)
    }

    fn recorded(&self) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.record_file()).ok()?).ok()
    }

    fn clear(&self) -> anyhow::Result<()> {
        for folder in [self.server_folder(), self.scratch()] {
            gone(fs::remove_dir_all(&folder), &folder)?;
        }
        self.clear_record()?;
        gone(fs::remove_file(self.identity()), &self.identity())
    }
}

/// A deletion's outcome, where what was not there is as good as deleted.
fn gone(deleted: io::Result<()>, path: &Path) -> anyhow::Result<()> {
    match deleted {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("deleting {} failed", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Record {
    pub(super) fn of(wish: &Wish) -> Self {
        Self {
            source: wish.mark.clone(),
            args: wish.flags.options.clone(),
            container: wish.spec.container.clone(),
            verify: wish.flags.verify.word().to_owned(),
            segment_seconds: wish.flags.segment_seconds,
            target_size: wish.flags.target_size,
            drop_dynamic_hdr: wish.flags.drop_dynamic_hdr,
        }
    }
}

impl Record {
    /// Whether a server's job does what is wished, as far as it shows.
    pub(super) fn is_wished_by(&self, job: &JobView) -> bool {
        job.args == self.args && job.source_size == self.source.size
    }
}

/// A short name for what these paths have to do with each other.
pub(super) fn key(paths: &[&Path]) -> String {
    let mut digest = Sha256::new();
    for path in paths {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update([0]);
    }
    hex(&digest.finalize()[..8])
}

fn lock(folder: &Path, held: &str) -> anyhow::Result<File> {
    let path = folder.join("lock");
    for _ in 0..OPEN_TRIES_MAX {
        fs::create_dir_all(folder).map_err(|error| {
            Halt::failed(format!("making the folder {} failed: {error}", folder.display()))
                .hint("SEGENC_DATA_DIR names another place for the state of running jobs")
        })?;
        let file = match File::options().write(true).create(true).truncate(false).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("opening {} failed", path.display()));
            }
        };
        match file.try_lock() {
            // A run that has just finished deletes the folder under its lock: then we hold a file that
            // is no longer there, and try again.
            Ok(()) if path.exists() => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Halt::failed(held)
                    .reason("already-running")
                    .hint("wait for it, or end the other command first")
                    .into());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {} failed", path.display()));
            }
        }
    }
    Err(anyhow::anyhow!("{} vanishes again and again", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_is_used_by_one_run_at_a_time() {
        let place = tempfile::tempdir().expect("the test may write");
        let folder = place.path().join("job");
        let held = lock(&folder, "busy").expect("nobody holds it");
        assert_eq!(lock(&folder, "busy").expect_err("it is held").to_string(), "busy");
        drop(held);
        lock(&folder, "busy").expect("nobody holds it any more");
    }

    #[test]
    fn source_and_output_are_not_confused() {
        let key = |source: &str, output: &str| key(&[Path::new(source), Path::new(output)]);
        assert_ne!(key("/a", "/b"), key("/b", "/a"));
        assert_ne!(key("/a/b", "/c"), key("/a", "/b/c"));
    }
}
