//! What is in the media roots, for people who choose a source there. Opens no file.

use std::fs;
use std::path::{Path, PathBuf};

use segenc_proto::rest::MediaEntry;

use super::{MediaRoots, PathProblem, is_plain};
use crate::clock;

/// Entries of one folder that are told: a person looks through no more.
const ENTRIES_MAX: usize = 2_000;

/// What is in a folder.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Absent for the list of roots.
    pub(crate) path: Option<String>,
    /// The folder around it, where that may be looked at.
    pub(crate) parent: Option<String>,
    pub(crate) entries: Vec<MediaEntry>,
    /// There is more than is told.
    pub(crate) truncated: bool,
}

impl MediaRoots {
    /// The roots themselves.
    pub(crate) fn listing(&self) -> Listing {
        let entries = self.roots.iter().filter_map(|root| {
            let path = root.to_str()?.to_owned();
            self.entry(root, path)
        });
        Listing { path: None, parent: None, entries: entries.collect(), truncated: false }
    }

    /// What is in a folder inside a root. Reads the disk: not for the async threads.
    pub(crate) fn folder(&self, path: &str) -> Result<Listing, PathProblem> {
        let not_allowed = || PathProblem::NotAllowed { path: path.to_owned() };
        if !is_plain(Path::new(path)) {
            return Err(not_allowed());
        }
        // What lies outside must not be told apart from what does not exist.
        let real = Path::new(path).canonicalize().map_err(|_| not_allowed())?;
        if !self.contain(&real) {
            return Err(not_allowed());
        }
        let unreadable = |why: String| PathProblem::Unreadable { path: path.to_owned(), why };
        let found = fs::read_dir(&real).map_err(|error| unreadable(error.to_string()))?;
        let mut entries: Vec<MediaEntry> = Vec::new();
        let mut truncated = false;
        for entry in found {
            let entry = entry.map_err(|error| unreadable(error.to_string()))?;
            // Hidden names and names that no JSON can hold are not what people look for.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            if entries.len() == ENTRIES_MAX {
                truncated = true;
                break;
            }
            entries.extend(self.entry(&real.join(&name), name));
        }
        entries.sort_by_cached_key(|entry| (!entry.folder, entry.name.to_lowercase()));
        let parent = real.parent().filter(|parent| self.contain(parent));
        let text = |path: &Path| path.to_str().map(ToOwned::to_owned);
        Ok(Listing { path: text(&real), parent: parent.and_then(text), entries, truncated })
    }

    /// One entry; a link that leads out of the roots, and what is neither file nor folder, is none.
    fn entry(&self, place: &Path, name: String) -> Option<MediaEntry> {
        let real: PathBuf = place.canonicalize().ok().filter(|real| self.contain(real))?;
        let metadata = fs::metadata(&real).ok()?;
        if !metadata.is_dir() && !metadata.is_file() {
            return None;
        }
        Some(MediaEntry {
            name,
            path: real.to_str()?.to_owned(),
            folder: metadata.is_dir(),
            size: if metadata.is_file() { metadata.len() } else { 0 },
            modified_at: metadata.modified().map(clock::millis_of).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listing: &Listing) -> Vec<&str> {
        listing.entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn folders_come_first_and_hidden_names_not_at_all() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path().canonicalize().expect("real").join("films");
        fs::create_dir_all(root.join("series")).expect("folder");
        for name in ["b.mkv", "A.mkv", ".hidden"] {
            fs::write(root.join(name), b"film").expect("file");
        }
        let roots = MediaRoots::new(std::slice::from_ref(&root));
        let text = root.to_str().expect("UTF-8");
        assert_eq!(names(&roots.listing()), [text]);
        let listing = roots.folder(text).expect("allowed");
        assert_eq!(names(&listing), ["series", "A.mkv", "b.mkv"]);
        assert_eq!(listing.parent, None, "the way up ends at the root");
        let inside = roots.folder(&listing.entries[0].path).expect("allowed");
        assert_eq!(inside.parent.as_deref(), Some(text));
        assert!(roots.source(&listing.entries[1].path).is_ok(), "its path can be a source");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_outside_the_roots_is_listed() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path().join("films");
        fs::create_dir(&root).expect("folder");
        fs::write(dir.path().join("secret"), b"hush").expect("file");
        std::os::unix::fs::symlink(dir.path().join("secret"), root.join("x.mkv")).expect("link");
        std::os::unix::fs::symlink(dir.path(), root.join("up")).expect("link");
        let roots = MediaRoots::new(std::slice::from_ref(&root));
        let text = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        assert!(names(&roots.folder(&text(root.clone())).expect("allowed")).is_empty());
        for outside in [
            text(dir.path().to_owned()),
            text(root.join("up")),
            text(root.join("..")),
            text(root.join("absent")),
            "films".to_owned(),
            "/".to_owned(),
        ] {
            let problem = roots.folder(&outside).expect_err("outside");
            assert!(matches!(problem, PathProblem::NotAllowed { .. }), "{outside}: {problem}");
        }
    }
}
