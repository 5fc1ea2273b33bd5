//! The release build of `segenc`: what is measured and compared.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Builds the program, and tells where it is.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--locked", "-p", "segenc"])
        .current_dir(root)
        .status()
        .context("could not run cargo")?;
    if !status.success() {
        bail!("the release build failed");
    }
    Ok(root.join("target/release/segenc"))
}

/// The program that was named, or the release build.
pub(crate) fn given_or_built(root: &Path, given: Option<&Path>) -> Result<PathBuf> {
    given.map_or_else(
        || build(root),
        |path| path.canonicalize().with_context(|| format!("no {}", path.display())),
    )
}
