//! The file that the user wants: checked before any work, made beside its place, put there by rename.
//!
//! Invariant: nothing is replaced before the new file is complete, and never the source.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::fingerprint::hex;
use crate::halt::Halt;

/// Where the output goes.
#[derive(Debug, Clone)]
pub(crate) struct OutputFile {
    /// Its absolute path; the folder's part without symbolic links.
    path: PathBuf,
    replace: Replace,
}

/// What happens to a file that has the output's name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// It stays, and the command is refused.
    Never,
    /// It is replaced once the new one is verified.
    WhenVerified,
}

impl OutputFile {
    /// Checks all that can be known before any work.
    pub(crate) fn check(given: &Path, input: &Path, replace: Replace) -> Result<Self, Halt> {
        let shown = given.display();
        let name = given
            .file_name()
            .ok_or_else(|| Halt::usage(format!("OUTPUT {shown} names no file")))?;
        let folder = match given.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let folder = fs::canonicalize(folder).map_err(|error| {
            Halt::usage(format!(
                "the folder {} of OUTPUT cannot be used: {error}",
                folder.display()
            ))
            .hint("make the folder first, or name another one")
        })?;
        if !folder.is_dir() {
            return Err(Halt::usage(format!(
                "{} is no folder, so OUTPUT cannot be in it",
                folder.display()
            )));
        }
        let path = folder.join(name);
        if path.is_dir() {
            return Err(Halt::usage(format!("OUTPUT {shown} is a folder"))
                .hint("name the file to make, with the extension of its container"));
        }
        if is_same_file(&path, input) {
            return Err(Halt::usage(format!("OUTPUT {shown} is the same file as INPUT"))
                .reason("output-is-source")
                .hint("the source is never changed; name another file"));
        }
        if replace == Replace::Never && fs::symlink_metadata(&path).is_ok() {
            return Err(exists(given));
        }
        let output = Self { path, replace };
        // Made and dropped: whether this works is better known now than after hours of encoding.
        output.open_partial()?;
        Ok(output)
    }

    /// The absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A short name of this output, the same in every run.
    fn key(&self) -> String {
        let digest = Sha256::digest(self.path.as_os_str().as_encoded_bytes());
        hex(&digest[..8])
    }

    /// The temporary file beside the output. The same in every run, so that a run that was killed leaves
    /// at most one, and the next run takes it over.
    fn partial(&self) -> PathBuf {
        self.path.with_file_name(format!(".segenc-{}.partial", self.key()))
    }

    /// Opens the temporary file that becomes the output.
    pub(crate) fn open_partial(&self) -> Result<PartialFile, Halt> {
        let path = self.partial();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| {
            Halt::usage(format!("cannot write beside OUTPUT {}: {error}", self.path.display()))
                .reason("output-not-writable")
                .hint("name a folder where you may write")
        })?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Halt::failed(format!(
                "another command is writing {} now",
                self.path.display()
            )));
        }
        let mut partial = PartialFile { path, file, output: self.clone(), placed: false };
        partial.empty()?;
        Ok(partial)
    }

    fn failed(&self, attempted: &str, error: &io::Error) -> Halt {
        let halt = Halt::failed(format!("{attempted} {} failed: {error}", self.path.display()));
        if error.kind() == io::ErrorKind::StorageFull {
            return halt
                .reason("disk-full")
                .hint("make room there and run the same command again; what is encoded is kept");
        }
        halt.hint("the encoded film is kept; run the same command again once this is mended")
    }
}

/// The output while it is being written. Dropped before it is placed, it vanishes.
#[derive(Debug)]
pub(crate) struct PartialFile {
    path: PathBuf,
    file: File,
    output: OutputFile,
    placed: bool,
}

impl PartialFile {
    /// Forgets what a killed run has left here. Only under the lock.
    fn empty(&mut self) -> Result<(), Halt> {
        self.file.set_len(0).map_err(|error| self.output.failed("writing", &error))
    }

    /// A second handle, for writing.
    pub(crate) fn writer(&self) -> Result<tokio::fs::File, Halt> {
        let file = self.file.try_clone().map_err(|error| self.output.failed("writing", &error))?;
        Ok(tokio::fs::File::from_std(file))
    }

    /// An error of writing, in words.
    pub(crate) fn failed(&self, error: &io::Error) -> Halt {
        self.output.failed("writing", error)
    }

    /// Makes the complete file the output, in one step.
    pub(crate) fn place(mut self) -> Result<(), Halt> {
        let target = &self.output.path;
        self.file.sync_all().map_err(|error| self.output.failed("writing", &error))?;
        match self.output.replace {
            Replace::WhenVerified => fs::rename(&self.path, target)
                .map_err(|error| self.output.failed("putting in place", &error))?,
            Replace::Never => self.place_beside_nothing()?,
        }
        self.placed = true;
        sync_folder(target);
        Ok(())
    }

    /// A hard link fails if its name is taken, which a rename does not; where links are not to be had
    /// the moment between look and rename stays open.
    fn place_beside_nothing(&self) -> Result<(), Halt> {
        let target = &self.output.path;
        match fs::hard_link(&self.path, target) {
            Ok(()) => {
                // A second name that stays behind is found and removed when this value is dropped.
                let _ = fs::remove_file(&self.path);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(target)),
            Err(_) if fs::symlink_metadata(target).is_ok() => Err(exists(target)),
            Err(_) => fs::rename(&self.path, target)
                .map_err(|error| self.output.failed("putting in place", &error)),
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.placed {
            // Best effort: a leftover is hidden and replaced by the next run.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn exists(path: &Path) -> Halt {
    Halt::usage(format!("OUTPUT {} exists already", path.display()))
        .reason("output-exists")
        .hint("--overwrite replaces it, once the new file is complete and verified")
}

/// Makes the rename durable. A file system that cannot do this for folders has nothing better to offer.
fn sync_folder(file: &Path) {
    if let Some(folder) = file.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(unix)]
fn is_same_file(output: &Path, input: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (fs::metadata(output), fs::metadata(input)) {
        (Ok(output), Ok(input)) => (output.dev(), output.ino()) == (input.dev(), input.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_file(output: &Path, input: &Path) -> bool {
    match (fs::canonicalize(output), fs::canonicalize(input)) {
        (Ok(output), Ok(input)) => output == input,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn folder_with_film() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("the test may write");
        let film = folder.path().join("film.mkv");
        fs::write(&film, b"film").expect("the test may write");
        (folder, film)
    }

    fn made(output: &OutputFile, bytes: &[u8]) -> Result<(), Halt> {
        let mut partial = output.open_partial()?;
        partial.file.write_all(bytes).expect("the test may write");
        partial.place()
    }

    #[test]
    fn the_source_under_another_name_is_no_output() {
        let (folder, film) = folder_with_film();
        let linked = folder.path().join("link.mkv");
        fs::hard_link(&film, &linked).expect("the test may link");
        for output in [&film, &linked] {
            assert!(OutputFile::check(output, &film, Replace::WhenVerified).is_err());
        }
    }

    #[test]
    fn a_file_that_came_meanwhile_is_not_replaced() {
        let (folder, film) = folder_with_film();
        let path = folder.path().join("out.mkv");
        let output = OutputFile::check(&path, &film, Replace::Never).expect("nothing is there yet");
        fs::write(&path, b"somebody's").expect("the test may write");
        assert!(made(&output, b"new").is_err());
        assert_eq!(fs::read(&path).expect("it is there"), b"somebody's");
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 2, "no leftover");
    }

    #[test]
    fn an_existing_file_is_replaced_only_on_wish() {
        let (folder, film) = folder_with_film();
        let path = folder.path().join("out.mkv");
        fs::write(&path, b"old").expect("the test may write");
        assert!(OutputFile::check(&path, &film, Replace::Never).is_err());
        let output =
            OutputFile::check(&path, &film, Replace::WhenVerified).expect("it may be replaced");
        made(&output, b"new").expect("nothing stands in the way");
        assert_eq!(fs::read(&path).expect("it is there"), b"new");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let (folder, film) = folder_with_film();
        let error = OutputFile::check(&folder.path().join("no/out.mkv"), &film, Replace::Never);
        assert!(error.expect_err("the folder is missing").to_string().contains("no of OUTPUT"));
    }
}
