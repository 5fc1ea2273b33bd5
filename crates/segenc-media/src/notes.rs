//! An encoder's notes of its first pass over a segment: packed for the way to whoever runs the second.
//!
//! A tar archive of plain files, so that workers in any language can make and read it. Must not know what the
//! notes say.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use segenc_core::work::NOTES;

/// The archive's name in the attempt's folder.
const ARCHIVE: &str = "notes.tar";

/// No encoder leaves more files: x264 and x265 leave two.
const FILES_MAX: usize = 16;

/// The most bytes of all notes. x264 writes two bytes for each macroblock of most frames: 65 kB for a frame of 2160p,
/// so that this holds for minutes of it.
const BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Packs the notes that lie in a folder; the archive is empty if there are none.
pub(crate) fn pack(folder: &Path) -> io::Result<PathBuf> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        names.extend(name.to_str().filter(|name| is_note(name)).map(str::to_owned));
    }
    names.sort_unstable();
    let path = folder.join(ARCHIVE);
    let mut archive = tar::Builder::new(File::create(&path)?);
    // Nothing of this machine: the same notes make the same archive.
    archive.mode(tar::HeaderMode::Deterministic);
    for name in &names {
        archive.append_path_with_name(folder.join(name), name)?;
    }
    archive.into_inner()?.sync_all()?;
    Ok(path)
}

/// Unpacks notes into a folder. Whatever is no plain file of a note's name is refused: the archive comes from
/// another worker.
pub(crate) fn unpack(archive: &Path, folder: &Path) -> io::Result<()> {
    let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut left = BYTES_MAX;
    let mut archive = tar::Archive::new(File::open(archive)?);
    for (count, entry) in archive.entries()?.enumerate() {
        let entry = entry?;
        if count >= FILES_MAX {
            return Err(refused("there are too many files among the notes"));
        }
        let path = entry.path()?.into_owned();
        let name = path.to_str().filter(|name| is_note(name));
        let name = name.ok_or_else(|| refused("a file among the notes has another name"))?;
        if !entry.header().entry_type().is_file() || entry.size() > left {
            return Err(refused("the notes hold more than plain files of a sensible size"));
        }
        left -= entry.size();
        let size = entry.size();
        let mut file = File::create_new(folder.join(name))?;
        if io::copy(&mut entry.take(size), &mut file)? != size {
            return Err(refused("the notes are cut off"));
        }
    }
    Ok(())
}

/// Whether a file of this name is a note, in the folder itself.
fn is_note(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.starts_with(NOTES) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("writable");
        }
        folder
    }

    #[test]
    fn notes_arrive_as_they_were_and_nothing_else_does() {
        let notes = [("passlog-0.log", "a"), ("passlog-0.log.mbtree", ""), ("output.mp4", "film")];
        let from = folder(&notes);
        let archive = pack(from.path()).expect("it can be packed");
        let to = folder(&[]);
        unpack(&archive, to.path()).expect("it can be unpacked");
        let names: std::collections::BTreeSet<_> = fs::read_dir(to.path())
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
            .collect();
        assert_eq!(
            names.into_iter().collect::<Vec<_>>(),
            ["passlog-0.log", "passlog-0.log.mbtree"]
        );
        let text = fs::read_to_string(to.path().join("passlog-0.log")).expect("it is there");
        assert_eq!(text, "a");
        let again = unpack(&archive, to.path()).expect_err("nothing is overwritten");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn an_archive_of_something_else_is_refused() {
        for name in ["output.mp4", "passlog/../x", "sub/passlog.log", "passlog.log\\x"] {
            let from = folder(&[("file", "text")]);
            let path = from.path().join("bad.tar");
            let mut archive = tar::Builder::new(File::create(&path).expect("writable"));
            let mut header = tar::Header::new_ustar();
            header.set_size(4);
            let bytes = &mut header.as_old_mut().name;
            bytes[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            archive.append(&header, "text".as_bytes()).expect("writable");
            archive.finish().expect("writable");
            let to = folder(&[]);
            unpack(&path, to.path()).expect_err(name);
            assert_eq!(fs::read_dir(to.path()).expect("readable").count(), 0, "{name}");
        }
    }

    #[test]
    fn links_among_the_notes_are_refused() {
        let from = folder(&[]);
        let path = from.path().join("bad.tar");
        let mut archive = tar::Builder::new(File::create(&path).expect("writable"));
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, "passlog-0.log", "/etc/passwd").expect("writable");
        archive.finish().expect("writable");
        unpack(&path, folder(&[]).path()).expect_err("a link");
    }
}
