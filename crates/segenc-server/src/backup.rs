//! Backups: the server's state as one archive, taken while the server runs, and a data folder made of it again.
//!
//! The database is copied as of one moment by SQLite itself; what lies beside it (tokens, keys, logins, settings) is
//! small and replaced as a whole whenever it changes. The archive is a tar of plain files and holds secrets. Knows
//! names of files and which jobs go on without theirs, not what events mean.

mod restoring;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::task::spawn_blocking;

use crate::data_dir::sync_folder_of;
use crate::store::{Store, StoreError};
pub use restoring::restore;

/// The database's name in the archive and in the data folder.
const DATABASE: &str = "events.sqlite";
/// Folders with secrets and settings.
const SETTINGS: &str = "tls";
/// Folders with the bytes of jobs.
const BYTES: [&str; 2] = ["blobs", "uploads"];
/// What belongs to a running server or this machine, and is made anew at the next start.
const NOT_KEPT: [&str; 3] = ["lock", "address", "shared-files-proof"];
/// Folders below folders: `blobs/JOB/FILE` is the deepest.
const DEPTH_MAX: usize = 3;

/// What is put into a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// The state. A job that is not done begins anew after a restore, unless its files are still there.
    State,
    /// The state, sources that were sent to the server, and everything that jobs have made so far.
    StateAndFiles,
}

/// A backup that was taken, or restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Jobs that begin anew, because what they had made is not there.
    pub begun_anew: Vec<u64>,
}

/// A backup that cannot be taken or restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is no server's data.
    #[error("{} holds no data of a server", path.display())]
    NoData {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// A backup replaces nothing.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A restore mixes with nothing.
    #[error("the folder {} is not empty", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// Another program's file, or one that was damaged.
    #[error("{} is no backup of a server: {why}", path.display())]
    NoBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The backup is of a version that is not known yet.
    #[error("the backup was made by a newer version of this program")]
    Newer,
    /// A file cannot be read or written.
    #[error("{what} {} failed", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The database cannot be read or copied.
    #[error("the database cannot be read or copied")]
    Database {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Io { what, path, source }
}

fn database(error: StoreError) -> BackupError {
    match error {
        StoreError::Newer { .. } => BackupError::Newer,
        StoreError::Database(_) | StoreError::Encode(_) | StoreError::Decode { .. } => {
            BackupError::Database { source: error.into() }
        }
    }
}

/// Writes the state of the server of a data folder into a file that only its owner can read. The server may run.
///
/// # Errors
/// When there is no such server, when the file exists, when something cannot be read or written.
pub async fn back_up(
    data_dir: &Path,
    file: &Path,
    contents: Contents,
) -> Result<Done, BackupError> {
    let live = data_dir.join(DATABASE);
    if !live.is_file() {
        return Err(BackupError::NoData { path: data_dir.to_owned() });
    }
    if file.exists() {
        return Err(BackupError::Exists { path: file.to_owned() });
    }
    let file = std::path::absolute(file).map_err(io_error("finding", file))?;
    let place = file.parent().unwrap_or(data_dir);
    // Beside the file: the data folder's disk may be the one that is full.
    let aside = tempfile::tempdir_in(place).map_err(io_error("making a folder in", place))?;
    let copy = aside.path().join(DATABASE);
    Store::copy(&live, &copy).await.map_err(database)?;
    let data_dir = data_dir.to_owned();
    let packed =
        spawn_blocking(move || pack(&data_dir, &copy, &aside.path().join("new"), &file, contents));
    packed.await.map_err(|error| BackupError::Database { source: error.into() })?
}

fn pack(
    data_dir: &Path,
    copy: &Path,
    new: &Path,
    file: &Path,
    contents: Contents,
) -> Result<Done, BackupError> {
    let mut names = settings(data_dir).map_err(io_error("reading", data_dir))?;
    if contents == Contents::StateAndFiles {
        for folder in BYTES {
            collect(data_dir, Path::new(folder), &mut names)
                .map_err(io_error("reading", data_dir))?;
        }
    }
    let mut done = Done { files: 0, bytes: 0, begun_anew: Vec::new() };
    let mut archive = tar::Builder::new(make_private(new).map_err(io_error("writing", new))?);
    // The database goes first: who reads it knows at once whether it can be read at all.
    append(&mut archive, copy, Path::new(DATABASE), &mut done).map_err(io_error("writing", new))?;
    for name in names {
        let path = data_dir.join(&name);
        match append(&mut archive, &path, &name, &mut done) {
            // What the server has swept meanwhile was needed by nobody.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            appended => appended.map_err(io_error("packing", &path))?,
        }
    }
    let finished = archive.into_inner().and_then(|written| written.sync_all());
    finished.map_err(io_error("writing", new))?;
    // Unlike a rename this replaces nothing that has appeared meanwhile.
    fs::hard_link(new, file)
        .or_else(|_| fs::rename(new, file))
        .map_err(io_error("writing", file))?;
    sync_folder_of(file).map_err(io_error("writing", file))?;
    Ok(done)
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Elsewhere the file is as private as the folder that it is in.
#[cfg(not(unix))]
fn make_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn append(
    archive: &mut tar::Builder<File>,
    path: &Path,
    name: &Path,
    done: &mut Done,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    done.files += 1;
    done.bytes += file.metadata()?.len();
    archive.append_file(name, &mut file)
}

/// Tokens, keys, logins, settings: plain files of the data folder and those of the folder for certificates.
fn settings(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(data_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let is_kept = entry.file_type()?.is_file()
            && !NOT_KEPT.contains(&&*text)
            && !text.starts_with(DATABASE)
            && !text.ends_with(".new");
        if is_kept {
            names.push(PathBuf::from(name));
        }
    }
    collect(data_dir, Path::new(SETTINGS), &mut names)?;
    names.sort_unstable();
    Ok(names)
}

/// All plain files below a folder of the data folder; links are not followed.
fn collect(data_dir: &Path, folder: &Path, names: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(data_dir.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = folder.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() && name.components().count() < DEPTH_MAX {
            collect(data_dir, &name, names)?;
        } else if kind.is_file() {
            names.push(name);
        }
    }
    Ok(())
}
