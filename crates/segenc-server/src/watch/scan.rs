//! Looks through a folder: which files are there, which are still being written. Opens none of them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use segenc_core::time::Millis;

use super::rules::Rules;
use crate::clock;

/// Films of one folder: more are nobody's library, and would fill the memory.
pub(super) const FILES_MAX: usize = 100_000;
/// Folders inside folders; deeper is a loop of mounts.
const DEPTH_MAX: usize = 64;

/// A film that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: String,
    /// Its folder as seen from the watched one, with slashes; empty at its top.
    pub(crate) dir: String,
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) modified: Millis,
}

/// What a look has brought.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) files: Vec<Found>,
    /// What could not be looked at.
    pub(crate) trouble: Option<String>,
}

/// Looks through a folder whose real place is known. Links are not followed, hidden names left out; `spared` is
/// not looked into.
pub(crate) fn look(top: &Path, spared: &Path, rules: &Rules) -> io::Result<Look> {
    let mut look = Look::default();
    let mut folders = vec![(top.to_owned(), String::new(), 0_usize)];
    while let Some((folder, dir, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(error) => {
                look.note(format!("{} cannot be looked at: {error}", folder.display()));
                continue;
            }
        };
        for entry in entries {
            let Ok(entry) = entry else { continue };
            let Ok(name) = entry.file_name().into_string() else {
                look.note(format!("a name in {} is not UTF-8", folder.display()));
                continue;
            };
            let Ok(metadata) = entry.metadata() else { continue };
            let inside = folder.join(&name);
            if name.starts_with('.') || metadata.is_symlink() || inside == spared {
                continue;
            }
            if metadata.is_dir() && rules.settings.recursive && depth < DEPTH_MAX {
                let dir = if dir.is_empty() { name } else { format!("{dir}/{name}") };
                folders.push((inside, dir, depth + 1));
            } else if metadata.is_file() && rules.takes(&name) {
                if look.files.len() == FILES_MAX {
                    look.note(format!("there are more than {FILES_MAX} films"));
                    return Ok(look);
                }
                let Some(path) = inside.to_str() else { continue };
                look.files.push(Found {
                    path: path.to_owned(),
                    dir: dir.clone(),
                    name,
                    size: metadata.len(),
                    modified: metadata.modified().map(clock::millis_of).unwrap_or_default(),
                });
            }
        }
    }
    look.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(look)
}

impl Look {
    /// Only the first trouble is told; the others are of its kind.
    fn note(&mut self, trouble: String) {
        self.trouble.get_or_insert(trouble);
    }
}

/// Which of these files some process has open for writing, as far as the system tells: on Linux those of
/// processes that this one may look at.
#[cfg(target_os = "linux")]
pub(crate) fn being_written(paths: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut written = BTreeSet::new();
    let Ok(processes) = fs::read_dir("/proc") else { return written };
    let is_process = |entry: &fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
    };
    for process in processes.flatten().filter(is_process) {
        // A process of somebody else, or one that has just ended, tells nothing.
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        for file in files.flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            if paths.contains(&target) && is_writer(&process.path(), &file.file_name()) {
                written.insert(target);
            }
        }
    }
    written
}

/// Whether an open file is open for writing: the lowest two bits of its flags say so.
#[cfg(target_os = "linux")]
fn is_writer(process: &Path, number: &std::ffi::OsStr) -> bool {
    let Ok(info) = fs::read_to_string(process.join("fdinfo").join(number)) else { return false };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    flags
        .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
        .is_some_and(|flags| flags & 0b11 != 0)
}

/// This system is not asked: that a file does not change has to be enough.
#[cfg(not(target_os = "linux"))]
pub(crate) fn being_written(_paths: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    BTreeSet::new()
}

#[cfg(test)]
mod tests {
    use segenc_proto::rest::WatchFolder;

    use super::super::rules::tests::settings;
    use super::*;

    fn rules(settings: WatchFolder) -> Rules {
        let parse = |_: &[String], _: Option<&str>, _: &str| {
            Ok(serde_json::from_value(serde_json::json!({
                "container": "matroska", "args": [], "maps": [], "video": {"do": "copy"},
                "codecs": [], "stream_options": [], "mux_options": [], "dropped_kinds": [],
                "split": {"policy": "whole", "reason": "a test"},
                "verify": "full", "segment_seconds": null
            }))
            .expect("this is a wish"))
        };
        Rules::read(settings, &[], parse).expect("they are right")
    }

    #[test]
    fn films_are_found_in_folders_and_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let top = dir.path().canonicalize().expect("real");
        for folder in ["a/b", "out", ".segenc-trash"] {
            fs::create_dir_all(top.join(folder)).expect("folder");
        }
        for name in ["1.mkv", "a/b/2.mp4", "out/3.mkv", ".segenc-trash/4.mkv", "note.txt"] {
            fs::write(top.join(name), b"film").expect("file");
        }
        let found = |recursive: bool| {
            let rules = rules(WatchFolder { recursive, ..settings() });
            let look = look(&top, &top.join("out"), &rules).expect("it is there");
            assert_eq!(look.trouble, None);
            let short = |found: Found| (found.dir, found.name);
            look.files.into_iter().map(short).collect::<Vec<_>>()
        };
        let pair = |dir: &str, name: &str| (dir.to_owned(), name.to_owned());
        assert_eq!(found(true), [pair("", "1.mkv"), pair("a/b", "2.mp4")]);
        assert_eq!(found(false), [pair("", "1.mkv")]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_open_for_writing_is_told_from_one_that_is_read() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let top = dir.path().canonicalize().expect("real");
        let (written, read) = (top.join("written"), top.join("read"));
        let _writer = fs::File::create(&written).expect("file");
        fs::write(&read, b"film").expect("file");
        let _reader = fs::File::open(&read).expect("open");
        let both = BTreeSet::from([written.clone(), read]);
        assert_eq!(being_written(&both), BTreeSet::from([written]));
    }
}
