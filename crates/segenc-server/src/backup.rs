//! Backups: the server's state as one archive, taken while the server runs, and a data folder made of it again.
//!
//! The database is copied as of one moment by SQLite itself; what lies beside it (tokens, keys, logins, settings) is
//! small and replaced as a whole whenever it changes. The archive is a tar of plain files and holds secrets. Knows
//! names of files and which jobs go on without theirs, not what events mean.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;
use tokio::task::spawn_blocking;

use crate::data_dir::{DataDir, DataDirError, sync_folder_of};
use crate::store::{Store, StoreError};

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

/// Makes a data folder of a backup. Older data are brought up to date; jobs whose files are not in the backup begin
/// anew.
///
/// # Errors
/// When the folder is not empty, when the file is no backup or one of a newer version, when something cannot be
/// written. What was unpacked until then stays, for somebody to look at.
pub async fn restore(file: &Path, data_dir: &Path) -> Result<Done, BackupError> {
    let is_empty = match fs::read_dir(data_dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(io_error("reading", data_dir)(error)),
    };
    if !is_empty {
        return Err(BackupError::NotEmpty { path: data_dir.to_owned() });
    }
    let archive = File::open(file).map_err(io_error("opening", file))?;
    let held = DataDir::open(data_dir).map_err(|error| match error {
        DataDirError::NotWritable { path, source } => io_error("making", &path)(source),
        DataDirError::InUse { path } => BackupError::NotEmpty { path },
    })?;
    let (root, from) = (held.root().to_owned(), file.to_owned());
    let unpacked = spawn_blocking(move || unpack(archive, &from, &root)).await;
    let mut done = unpacked.map_err(|error| BackupError::Database { source: error.into() })??;
    if !held.database().is_file() {
        let why = "there is no database in it".to_owned();
        return Err(BackupError::NoBackup { path: file.to_owned(), why });
    }
    let store = Store::open(&held.database()).await.map_err(database)?;
    let blobs = held.blobs();
    let begun = store.begin_anew(|blob| blobs.join(&blob.name).is_file()).await;
    store.close().await;
    done.begun_anew = begun.map_err(database)?.into_iter().map(|job| job.0).collect();
    Ok(done)
}

fn unpack(archive: File, file: &Path, root: &Path) -> Result<Done, BackupError> {
    let no_backup = |why: String| BackupError::NoBackup { path: file.to_owned(), why };
    // What is no tar file is not quoted: its bytes say nothing to anybody.
    let unreadable = |error: io::Error| match error.raw_os_error() {
        Some(_) => io_error("reading", file)(error),
        None => no_backup("it is no tar file, or it is damaged".to_owned()),
    };
    let mut done = Done { files: 0, bytes: 0, begun_anew: Vec::new() };
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = entry.path().map_err(unreadable)?.into_owned();
        if !entry.header().entry_type().is_file() || !is_ours(&name) {
            return Err(no_backup(format!("it holds {}", name.display())));
        }
        let path = root.join(&name);
        let writing = || io_error("writing", &path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(writing())?;
        }
        let mut target = make_private(&path).map_err(writing())?;
        let size = entry.size();
        let copied = io::copy(&mut entry, &mut target).map_err(writing())?;
        if copied != size {
            return Err(no_backup("it is cut short".to_owned()));
        }
        target.sync_all().and_then(|()| sync_folder_of(&path)).map_err(writing())?;
        done.files += 1;
        done.bytes += copied;
    }
    Ok(done)
}

/// Whether a name is one that a backup gives: nothing that leads out of the data folder or hides in it.
fn is_ours(name: &Path) -> bool {
    let parts: Vec<&str> = name
        .components()
        .map(|part| match part {
            Component::Normal(part) => part.to_str().unwrap_or_default(),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => "",
        })
        .collect();
    if parts.iter().any(|part| part.is_empty()) || parts.len() > DEPTH_MAX {
        return false;
    }
    match parts.as_slice() {
        [one] => !NOT_KEPT.contains(one),
        [folder, ..] => *folder == SETTINGS || BYTES.contains(folder),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_backup_gives_are_unpacked() {
        for name in ["events.sqlite", "admin-token", "tls/key.pem", "blobs/3/7.1", "uploads/abc"] {
            assert!(is_ours(Path::new(name)), "{name}");
        }
        for name in
            ["", "../x", "/etc/passwd", "tls/../x", "lock", "films/x", "blobs/1/2/3", "./blobs"]
        {
            assert!(!is_ours(Path::new(name)), "{name}");
        }
    }
}
