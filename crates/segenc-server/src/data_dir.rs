//! The layout of the data folder, its lock, and files that only their owner may read.
//!
//! Knows names and permissions, not what the files mean.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The data folder, locked by this process until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    root: PathBuf,
    /// Holds the lock; the system gives it back even if the process is killed.
    _lock: File,
}

/// A data folder that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum DataDirError {
    #[error("the data folder {} cannot be written", path.display())]
    NotWritable { path: PathBuf, source: io::Error },
    #[error("the data folder {} is in use by another server", path.display())]
    InUse { path: PathBuf },
}

impl DataDir {
    /// Makes the folder where needed and takes its lock.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        let not_writable = |source| DataDirError::NotWritable { path: path.to_owned(), source };
        make_private_folder(path).map_err(not_writable)?;
        let root = path.canonicalize().map_err(not_writable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))
            .map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(DataDirError::InUse { path: path.to_owned() });
            }
            Err(fs::TryLockError::Error(source)) => return Err(not_writable(source)),
        }
        let dir = Self { root, _lock: lock };
        for folder in [dir.blobs(), dir.partial(), dir.uploads(), dir.tls(), dir.thumbnails()] {
            make_private_folder(&folder).map_err(not_writable)?;
        }
        Ok(dir)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("events.sqlite")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(crate) fn partial(&self) -> PathBuf {
        self.root.join("partial")
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    pub(crate) fn thumbnails(&self) -> PathBuf {
        self.root.join("thumbnails")
    }

    pub(crate) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    pub(crate) fn admin_token(&self) -> PathBuf {
        self.root.join("admin-token")
    }

    pub(crate) fn join(&self) -> PathBuf {
        self.root.join("join")
    }

    pub(crate) fn presets(&self) -> PathBuf {
        self.root.join("presets.json")
    }

    pub(crate) fn logins(&self) -> PathBuf {
        self.root.join("logins.json")
    }

    pub(crate) fn shared_files_proof(&self) -> PathBuf {
        self.root.join("shared-files-proof")
    }
}

fn make_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    restrict(path, OWNER_FOLDER)
}

const OWNER_FOLDER: u32 = 0o700;
const OWNER_FILE: u32 = 0o600;

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Elsewhere the folder of the user's own data is private by inheritance.
#[cfg(not(unix))]
fn restrict(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Writes a file that only its owner can read, under a temporary name first: a reader sees the old text
/// or the new one.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // The mode is set when the file is made: there is no moment at which others can open it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, OWNER_FILE);
    let mut file = options.open(&temporary)?;
    restrict(&temporary, OWNER_FILE)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder_of(path)
}

/// Makes a rename or a new name in the folder of `path` survive a power loss.
#[cfg(unix)]
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Windows has no handle on a folder that could be synced; its file system orders renames itself.
#[cfg(not(unix))]
pub(crate) fn sync_folder_of(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_folder_is_in_use() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let first = DataDir::open(dir.path()).expect("first opens");
        assert!(matches!(DataDir::open(dir.path()), Err(DataDirError::InUse { .. })));
        drop(first);
        assert!(DataDir::open(dir.path()).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("admin-token");
        write_private(&path, "hush").expect("written");
        write_private(&path, "again").expect("written again");
        let mode = fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).expect("read"), "again");
    }
}
