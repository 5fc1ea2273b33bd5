//! Readers of what strangers send, opened for the fuzz targets alone. No part of the interface, and only there with
//! the feature `fuzzing`.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

pub use crate::http::fuzzing::{digest, disposition, range, upload_name, words};
use crate::media_files::MediaRoots;
use crate::store::Overwrite;
use crate::structure::{Extent, Structure};

/// The records of a file's structure; `None` where nothing can be left out.
///
/// # Errors
/// When the file cannot be read, which memory always can.
pub fn structure(file: &[u8], from: u64, whole: u64) -> io::Result<Option<Vec<u8>>> {
    let size = file.len() as u64;
    let Some(mut structure) = Structure::open(Cursor::new(file), size, Extent { from, whole })?
    else {
        return Ok(None);
    };
    let mut out = Vec::new();
    while structure.advance(&mut out)? {}
    Ok(Some(out))
}

/// The real places that a path may mean: as a source, as a folder, as an output.
#[must_use]
pub fn places(root: &Path, path: &str) -> Vec<PathBuf> {
    let roots = MediaRoots::new(&[root.to_owned()]);
    let source = roots.source(path).ok().map(|found| PathBuf::from(found.path));
    let output = roots.output(path, None, Overwrite::Refuse).ok().map(PathBuf::from);
    let folder = roots.place_of_folder(path).ok();
    source.into_iter().chain(output).chain(folder).collect()
}
