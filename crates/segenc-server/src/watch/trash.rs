//! A source that is not needed any more is moved into the trash folder of its media root. Nothing is deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock;
use crate::shared::Shared;
use crate::store::FileRow;

/// The folder in every media root. Its dot keeps it out of lists and looks.
const TRASH: &str = ".segenc-trash";
/// Files of one name in the trash; a later one stays where it is.
const SAME_NAME_MAX: u32 = 1_000;

/// Moves a source whose result is verified, and says what became of it.
pub(super) async fn put_away(shared: &Arc<Shared>, row: &FileRow) -> String {
    let (mover, row) = (Arc::clone(shared), row.clone());
    let moved = tokio::task::spawn_blocking(move || {
        let root = mover.roots.root_of(Path::new(&row.path));
        let root = root.ok_or("it is in no media root any more".to_owned())?;
        check(&row)?;
        put(&root, Path::new(&row.path)).map_err(|error| error.to_string())
    });
    match moved.await {
        Ok(Ok(place)) => format!("its source is in the trash: {}", place.display()),
        Ok(Err(why)) => format!("its source stays where it is: {why}"),
        Err(error) => format!("its source stays where it is: {error}"),
    }
}

/// The source has to be the one that was encoded, and the result has to be there.
fn check(row: &FileRow) -> Result<(), String> {
    let source = fs::symlink_metadata(&row.path).map_err(|error| error.to_string())?;
    let modified = source.modified().map(clock::millis_of).unwrap_or_default();
    if !source.is_file() || (source.len(), modified) != (row.size, row.modified) {
        return Err("it has changed meanwhile".to_owned());
    }
    let result = row.output.as_deref().and_then(|path| fs::metadata(path).ok());
    if !result.is_some_and(|result| result.is_file() && result.len() > 0) {
        return Err("its result is not where it was put".to_owned());
    }
    Ok(())
}

/// Moves a file below the root's trash folder, to the place that it had below the root.
fn put(root: &Path, source: &Path) -> io::Result<PathBuf> {
    let inside = source.strip_prefix(root).map_err(|_| io::ErrorKind::InvalidInput)?;
    let place = root.join(TRASH).join(inside);
    let folder = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    for number in 1..=SAME_NAME_MAX {
        let place = numbered(&place, number);
        if fs::symlink_metadata(&place).is_err() {
            // Within one file system, or not at all: a copy that breaks off would be no trash but a loss.
            fs::rename(source, &place)?;
            return Ok(place);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn numbered(place: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return place.to_owned();
    }
    let stem = place.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let ending = place.extension().and_then(|ending| ending.to_str());
    let ending = ending.map(|ending| format!(".{ending}")).unwrap_or_default();
    place.with_file_name(format!("{stem} ({number}){ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_trash_is_overwritten() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path();
        fs::create_dir(root.join("a")).expect("folder");
        for text in ["one", "two"] {
            fs::write(root.join("a/film.mkv"), text).expect("file");
            put(root, &root.join("a/film.mkv")).expect("moved");
        }
        let read = |name: &str| fs::read_to_string(root.join(TRASH).join("a").join(name));
        assert_eq!(read("film.mkv").expect("there"), "one");
        assert_eq!(read("film (2).mkv").expect("there"), "two");
        assert!(!root.join("a/film.mkv").exists());
    }
}
