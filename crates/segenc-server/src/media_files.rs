//! Files of this computer that jobs may read and write: confined to the media roots, whatever links and dots a
//! path contains. Reads and writes no media.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use segenc_core::pool::job::Fingerprint;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::auth::hex;
use crate::clock;
use crate::store::Overwrite;

mod listing;

pub(crate) use listing::Listing;

/// Bytes at each end of a file that go into its fingerprint.
const FINGERPRINT_BYTES: u64 = 64 * 1024;

/// The folders and files that jobs may touch.
#[derive(Debug, Clone)]
pub(crate) struct MediaRoots {
    roots: Vec<PathBuf>,
}

/// A path that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum PathProblem {
    #[error("{path} is not in a folder that this server offers")]
    NotAllowed { path: String },
    #[error("the server sees no file at {path}")]
    NotVisible { path: String },
    #[error("{path} cannot be read: {why}")]
    Unreadable { path: String, why: String },
    #[error("{path} is empty")]
    Empty { path: String },
    #[error("the server sees another file at {path} than you do")]
    Different { path: String },
    #[error("{path} exists already")]
    Exists { path: String },
    #[error("{path} cannot be written: {why}")]
    Unwritable { path: String, why: String },
    #[error("{path} is the source itself")]
    IsSource { path: String },
}

/// A source as it was found.
#[derive(Debug, Clone)]
pub(crate) struct FoundSource {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) fingerprint: Fingerprint,
}

impl MediaRoots {
    /// Roots that are not there yet (an output that will be) are known by their folder.
    pub(crate) fn new(roots: &[PathBuf]) -> Self {
        let roots = roots
            .iter()
            .filter_map(|root| root.canonicalize().or_else(|_| in_real_folder(root)).ok())
            .collect();
        Self { roots }
    }

    fn contain(&self, real: &Path) -> bool {
        self.roots.iter().any(|root| real.starts_with(root))
    }

    /// The media root that holds a file.
    pub(crate) fn root_of(&self, real: &Path) -> Option<PathBuf> {
        let mut roots = self.roots.iter().filter(|root| real.starts_with(root) && root.is_dir());
        roots.next().cloned()
    }

    /// The real place of a folder inside a root. Reads the disk: not for the async threads.
    pub(crate) fn place_of_folder(&self, path: &str) -> Result<PathBuf, PathProblem> {
        let not_allowed = || PathProblem::NotAllowed { path: path.to_owned() };
        if !is_plain(Path::new(path)) {
            return Err(not_allowed());
        }
        let real = Path::new(path).canonicalize().map_err(|_| not_allowed())?;
        if !self.contain(&real) {
            return Err(not_allowed());
        }
        if !real.is_dir() {
            let why = "it is no folder".to_owned();
            return Err(PathProblem::Unreadable { path: path.to_owned(), why });
        }
        Ok(real)
    }

    /// Makes the folder that a file is to go into, and those around it, inside a root.
    pub(crate) fn make_folder_of(&self, file: &Path) -> Result<(), PathProblem> {
        let folder = file.parent().unwrap_or(file);
        let path = folder.display().to_string();
        // A link on the way must not lead out, so what is there already tells where the rest would come.
        let there = folder.ancestors().find_map(|above| above.canonicalize().ok());
        if !there.is_some_and(|there| self.contain(&there)) {
            return Err(PathProblem::NotAllowed { path });
        }
        fs::create_dir_all(folder)
            .map_err(|error| PathProblem::Unwritable { path, why: error.to_string() })
    }

    /// Finds a source and takes its fingerprint. Reads the disk: not for the async threads.
    pub(crate) fn source(&self, path: &str) -> Result<FoundSource, PathProblem> {
        let not_allowed = || PathProblem::NotAllowed { path: path.to_owned() };
        if !is_plain(Path::new(path)) {
            return Err(not_allowed());
        }
        let real = Path::new(path).canonicalize().map_err(|error| {
            // What lies outside must not be told apart from what does not exist.
            let inside = in_real_folder(Path::new(path)).is_ok_and(|place| self.contain(&place));
            match (inside, error.kind()) {
                (false, _) => not_allowed(),
                (true, io::ErrorKind::NotFound) => {
                    PathProblem::NotVisible { path: path.to_owned() }
                }
                (true, _) => {
                    PathProblem::Unreadable { path: path.to_owned(), why: error.to_string() }
                }
            }
        })?;
        if !self.contain(&real) {
            return Err(not_allowed());
        }
        let unreadable = |why: String| PathProblem::Unreadable { path: path.to_owned(), why };
        let metadata = fs::metadata(&real).map_err(|error| unreadable(error.to_string()))?;
        if metadata.is_dir() {
            return Err(unreadable("it is a folder".to_owned()));
        }
        if !metadata.is_file() {
            return Err(unreadable("it is no regular file".to_owned()));
        }
        if metadata.len() == 0 {
            return Err(PathProblem::Empty { path: path.to_owned() });
        }
        let fingerprint = fingerprint(&real).map_err(|error| unreadable(error.to_string()))?;
        let text = real.to_str().ok_or_else(|| unreadable("its name is not UTF-8".to_owned()))?;
        let name = real.file_name().and_then(|name| name.to_str()).unwrap_or(text);
        Ok(FoundSource { path: text.to_owned(), name: name.to_owned(), fingerprint })
    }

    /// Checks where an output is to go. Tries the folder by making a file in it.
    pub(crate) fn output(
        &self,
        path: &str,
        source: Option<&str>,
        overwrite: Overwrite,
    ) -> Result<String, PathProblem> {
        let not_allowed = || PathProblem::NotAllowed { path: path.to_owned() };
        let unwritable = |why: String| PathProblem::Unwritable { path: path.to_owned(), why };
        if !is_plain(Path::new(path)) {
            return Err(not_allowed());
        }
        let place = in_real_folder(Path::new(path)).map_err(|_| not_allowed())?;
        if !self.contain(&place) {
            return Err(not_allowed());
        }
        let text = place.to_str().ok_or_else(|| unwritable("its name is not UTF-8".to_owned()))?;
        if source.is_some_and(|source| is_same_file(Path::new(source), &place)) {
            return Err(PathProblem::IsSource { path: path.to_owned() });
        }
        match fs::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(unwritable("it is a folder".to_owned()));
            }
            Ok(_) if overwrite == Overwrite::Refuse => {
                return Err(PathProblem::Exists { path: path.to_owned() });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(error.to_string())),
        }
        let folder = place.parent().unwrap_or(Path::new("/"));
        tempfile::Builder::new()
            .prefix(".segenc-")
            .tempfile_in(folder)
            .map_err(|error| unwritable(format!("its folder refuses files: {}", error.kind())))?;
        Ok(text.to_owned())
    }
}

/// Absolute, and without `..`: what people mean when they name a file.
fn is_plain(path: &Path) -> bool {
    path.is_absolute()
        && !path.as_os_str().as_encoded_bytes().contains(&0)
        && path.components().all(|part| part != Component::ParentDir)
}

/// The path with its folder resolved, whether or not the file exists.
fn in_real_folder(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(folder.canonicalize()?.join(name))
}

/// Whether both names lead to the same bytes, also by a link of either kind.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let (Ok(a), Ok(b)) = (fs::metadata(one), fs::metadata(other)) else { return false };
    same_identity(&a, &b).unwrap_or_else(|| one.canonicalize().ok() == other.canonicalize().ok())
}

#[cfg(unix)]
fn same_identity(a: &fs::Metadata, b: &fs::Metadata) -> Option<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Some(a.dev() == b.dev() && a.ino() == b.ino())
}

#[cfg(not(unix))]
fn same_identity(_a: &fs::Metadata, _b: &fs::Metadata) -> Option<bool> {
    None
}

/// Size, time and the digest of both ends; the whole file where the ends would overlap.
pub(crate) fn fingerprint(path: &Path) -> io::Result<Fingerprint> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let size = metadata.len();
    let mut hasher = Sha256::new();
    if size <= 2 * FINGERPRINT_BYTES {
        hash_up_to(&mut file, size, &mut hasher)?;
    } else {
        hash_up_to(&mut file, FINGERPRINT_BYTES, &mut hasher)?;
        file.seek(SeekFrom::Start(size - FINGERPRINT_BYTES))?;
        hash_up_to(&mut file, FINGERPRINT_BYTES, &mut hasher)?;
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let modified = metadata.modified().map(clock::millis_of).unwrap_or_default();
    Ok(Fingerprint { size, modified, head_and_tail: hex(&digest) })
}

fn hash_up_to(file: &mut File, bytes: u64, hasher: &mut Sha256) -> io::Result<()> {
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    hasher.update(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn whatever_is_found_is_inside_and_the_secret_never(
            parts in prop::collection::vec("(\\.\\.|\\.|films|up|in\\.mkv|secret|[a-z%/ ]{0,4})", 0..7),
        ) {
            let dir = tempfile::tempdir().expect("temporary folder");
            let root = dir.path().canonicalize().expect("it is there").join("films");
            fs::create_dir(&root).expect("folder");
            fs::write(root.join("in.mkv"), b"film").expect("file");
            fs::write(dir.path().join("secret"), b"hush").expect("file");
            #[cfg(unix)]
            std::os::unix::fs::symlink(dir.path(), root.join("up")).expect("link");
            let roots = MediaRoots::new(std::slice::from_ref(&root));
            let path = format!("{}/{}", root.display(), parts.join("/"));
            if let Ok(found) = roots.source(&path) {
                prop_assert!(Path::new(&found.path).starts_with(&root), "{path} is {}", found.path);
                prop_assert_eq!(found.name, "in.mkv");
            }
            if let Ok(place) = roots.output(&path, None, Overwrite::Replace) {
                let folder = Path::new(&place).parent().expect("a file is in a folder");
                prop_assert!(folder.canonicalize().expect("it is there").starts_with(&root), "{path}");
            }
        }
    }

    #[test]
    fn what_lies_outside_the_roots_is_not_allowed() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path().join("films");
        fs::create_dir(&root).expect("folder");
        fs::write(root.join("in.mkv"), b"film").expect("file");
        fs::write(dir.path().join("secret"), b"hush").expect("file");
        let roots = MediaRoots::new(std::slice::from_ref(&root));
        let text = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        assert_eq!(roots.source(&text(root.join("in.mkv"))).expect("allowed").name, "in.mkv");
        for outside in [
            text(dir.path().join("secret")),
            text(root.join("../secret")),
            "films/in.mkv".to_owned(),
            text(dir.path().join("nothing")),
        ] {
            let problem = roots.source(&outside).expect_err("outside");
            assert!(matches!(problem, PathProblem::NotAllowed { .. }), "{outside}: {problem}");
        }
        let absent = roots.source(&text(root.join("absent.mkv"))).expect_err("absent");
        assert!(matches!(absent, PathProblem::NotVisible { .. }), "{absent}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_out_of_the_roots() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path().join("films");
        fs::create_dir(&root).expect("folder");
        fs::write(dir.path().join("secret"), b"hush").expect("file");
        std::os::unix::fs::symlink(dir.path().join("secret"), root.join("x.mkv")).expect("link");
        std::os::unix::fs::symlink(dir.path(), root.join("up")).expect("link");
        let roots = MediaRoots::new(std::slice::from_ref(&root));
        for name in ["x.mkv", "up/secret"] {
            let path = root.join(name);
            let problem = roots.source(path.to_str().expect("UTF-8")).expect_err("outside");
            assert!(matches!(problem, PathProblem::NotAllowed { .. }), "{name}: {problem}");
        }
        let out = root.join("up/out.mkv");
        let problem = roots.output(out.to_str().expect("UTF-8"), None, Overwrite::Replace);
        assert!(matches!(problem, Err(PathProblem::NotAllowed { .. })));
    }

    #[test]
    fn an_output_replaces_nothing_unasked_and_never_its_source() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let source = dir.path().join("in.mkv");
        fs::write(&source, b"film").expect("file");
        fs::hard_link(&source, dir.path().join("link.mkv")).expect("link");
        fs::write(dir.path().join("old.mkv"), b"old").expect("file");
        let roots = MediaRoots::new(&[dir.path().to_owned()]);
        let source = source.to_str().expect("UTF-8").to_owned();
        let check = |name: &str, overwrite| {
            roots.output(dir.path().join(name).to_str().expect("UTF-8"), Some(&source), overwrite)
        };
        assert!(check("new.mkv", Overwrite::Refuse).is_ok());
        let exists = check("old.mkv", Overwrite::Refuse);
        assert!(matches!(exists, Err(PathProblem::Exists { .. })));
        assert!(check("old.mkv", Overwrite::Replace).is_ok());
        for name in ["in.mkv", "link.mkv"] {
            let problem = check(name, Overwrite::Replace);
            assert!(matches!(problem, Err(PathProblem::IsSource { .. })), "{name}");
        }
    }
}
