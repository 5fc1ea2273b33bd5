//! A data folder made of a backup: all of it, or nothing.
//!
//! It is unpacked and brought up to date in a folder of its own inside the data folder, so that it is on the same disk,
//! and then moved up, the database last: a folder without its database is no server's. What fails leaves nothing; what is
//! killed leaves only what the next restore takes away.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path};

use tokio::task::spawn_blocking;

use super::{
    BYTES, BackupError, DATABASE, DEPTH_MAX, Done, NOT_KEPT, SETTINGS, database, io_error,
    make_private,
};
use crate::data_dir::{DataDir, DataDirError, sync_folder_of};
use crate::store::Store;

/// Where a backup is unpacked.
const ASIDE: &str = "restoring";
/// The data folder's lock.
const LOCK: &str = "lock";

/// Makes a data folder of a backup. Older data are brought up to date; jobs whose files are not in the backup begin
/// anew.
///
/// # Errors
/// When the folder is not empty, when the file is no backup or one of a newer version, when something cannot be
/// written. Nothing is left then.
pub async fn restore(file: &Path, data_dir: &Path) -> Result<Done, BackupError> {
    let before = look_at(data_dir).map_err(io_error("reading", data_dir))?;
    if before == Before::InUse {
        return Err(BackupError::NotEmpty { path: data_dir.to_owned() });
    }
    let archive = File::open(file).map_err(io_error("opening", file))?;
    let held = DataDir::open(data_dir).map_err(|error| match error {
        DataDirError::NotWritable { path, source } => io_error("making", &path)(source),
        DataDirError::InUse { path } => BackupError::NotEmpty { path },
    })?;
    let made = fill(archive, file, held.root()).await;
    if made.is_err() {
        let root = held.root().to_owned();
        // What cannot be taken away is taken away by the next restore.
        let _ = clear(&root);
        drop(held);
        let _ = fs::remove_file(root.join(LOCK));
        if before == Before::Missing {
            let _ = fs::remove_dir(&root);
        }
    }
    made
}

/// What is in the place of the folder to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Missing,
    /// Nothing, or what a restore that was killed has left.
    Free,
    InUse,
}

fn look_at(folder: &Path) -> io::Result<Before> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Before::Missing),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    let was_begun = entries.iter().any(|entry| entry.file_name() == ASIDE);
    for entry in &entries {
        let is_left = was_begun && entry.file_name() != DATABASE;
        if !is_left {
            return Ok(Before::InUse);
        }
    }
    Ok(Before::Free)
}

/// Empties the folder but for its lock, which is held.
fn clear(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

async fn fill(archive: File, file: &Path, root: &Path) -> Result<Done, BackupError> {
    let aside = root.join(ASIDE);
    clear(root).map_err(io_error("emptying", root))?;
    fs::create_dir(&aside).map_err(io_error("making", &aside))?;
    let (from, to) = (file.to_owned(), aside.clone());
    let unpacked = spawn_blocking(move || unpack(archive, &from, &to)).await;
    let mut done = unpacked.map_err(|error| BackupError::Database { source: error.into() })??;
    if !aside.join(DATABASE).is_file() {
        let why = "there is no database in it".to_owned();
        return Err(BackupError::NoBackup { path: file.to_owned(), why });
    }
    let store = Store::open(&aside.join(DATABASE)).await.map_err(database)?;
    let blobs = aside.join(BYTES[0]);
    let begun = store.begin_anew(|blob| blobs.join(&blob.name).is_file()).await;
    store.close().await;
    done.begun_anew = begun.map_err(database)?.into_iter().map(|job| job.0).collect();
    move_up(&aside, root).map_err(io_error("moving into its place what is in", &aside))?;
    Ok(done)
}

fn move_up(aside: &Path, root: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(aside)? {
        names.push(entry?.file_name());
    }
    // The database last, after what SQLite may have left beside it.
    names.sort_by_key(|name| name == DATABASE);
    for name in names {
        fs::rename(aside.join(&name), root.join(&name))?;
    }
    fs::remove_dir(aside)?;
    sync_folder_of(&root.join(DATABASE))
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

    #[test]
    fn a_folder_is_free_if_nothing_or_only_a_killed_restore_was_there() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("data");
        assert_eq!(look_at(&folder).expect("readable"), Before::Missing);
        fs::create_dir(&folder).expect("a folder");
        assert_eq!(look_at(&folder).expect("readable"), Before::Free);
        fs::write(folder.join("film.mkv"), b"film").expect("a file");
        assert_eq!(look_at(&folder).expect("readable"), Before::InUse);
        fs::remove_file(folder.join("film.mkv")).expect("it was there");
        fs::create_dir_all(folder.join(ASIDE).join("tls")).expect("a folder");
        fs::write(folder.join(LOCK), b"").expect("a file");
        assert_eq!(look_at(&folder).expect("readable"), Before::Free);
        fs::write(folder.join(DATABASE), b"").expect("a file");
        assert_eq!(look_at(&folder).expect("readable"), Before::InUse);
    }

    #[tokio::test]
    async fn a_restore_that_fails_leaves_nothing() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let file = place.path().join("b.tar");
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in [("admin-token", b"secret".as_slice()), (DATABASE, b"no database")] {
            let mut head = tar::Header::new_gnu();
            head.set_size(u64::try_from(bytes.len()).expect("short"));
            head.set_mode(0o600);
            archive.append_data(&mut head, name, bytes).expect("an entry");
        }
        fs::write(&file, archive.into_inner().expect("an archive")).expect("a file");
        let missing = place.path().join("data");
        restore(&file, &missing).await.expect_err("its database is none");
        assert!(!missing.exists());
        let empty = place.path().join("empty");
        fs::create_dir(&empty).expect("a folder");
        restore(&file, &empty).await.expect_err("its database is none");
        assert_eq!(fs::read_dir(&empty).expect("it stays").count(), 0);
    }
}
