//! Puts the built page (`web/dist`) into the binary, in debug builds too, so that one file is the whole program.
//!
//! Runs no npm and needs none: where nobody has built the page, a page that says so takes its place.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Deeper folders than this are no page of ours.
const DEPTH_MAX: usize = 4;

fn main() -> io::Result<()> {
    let own = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let web = own.join("../../web");
    let dist = web.join("dist");
    println!("cargo::rerun-if-changed=build.rs");
    let is_built = dist.join("index.html").is_file();
    // A missing folder would count as changed in every build; the one around it tells when it appears.
    let watched = if is_built { &dist } else { &web };
    println!("cargo::rerun-if-changed={}", watched.display());
    let mut files = Vec::new();
    if is_built {
        list(&dist, "", DEPTH_MAX, &mut files)?;
    } else {
        println!(
            "cargo::warning=this build has no page: scripts/encode and scripts/test make it (in web/)"
        );
    }
    files.sort();
    let mut table = String::from("&[\n");
    for (name, place) in &files {
        let beside = |ending: &str| {
            let packed = PathBuf::from(format!("{}.{ending}", place.display()));
            if packed.is_file() {
                format!("Some(include_bytes!({packed:?}))")
            } else {
                "None".to_owned()
            }
        };
        let _ = writeln!(
            table,
            "    PageFile {{ name: {name:?}, plain: include_bytes!({place:?}), brotli: {}, gzip: {} }},",
            beside("br"),
            beside("gz"),
        );
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("page_files.rs"), table)
}

/// All files below a folder with their names as in addresses, but for the packed copies beside them.
fn list(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, PathBuf)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(own_name) = entry.file_name().into_string() else { continue };
        if own_name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{own_name}");
        let place = entry.path().canonicalize()?;
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                list(&place, &format!("{name}/"), depth - 1, files)?;
            }
        } else if !own_name.ends_with(".br") && !own_name.ends_with(".gz") {
            files.push((name, place));
        }
    }
    Ok(())
}
