//! What the compiler cannot guard: file sizes, words, and invariants stated as absences.
//!
//! Each rule is one function from a file to complaints; the table of rules is at the top.

mod failures;
mod rules;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A file of the repository, read.
pub(crate) struct SourceFile {
    /// Path from the root, with slashes.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl SourceFile {
    /// The lines before the test module that is written out in this file.
    pub(crate) fn lines_without_tests(&self) -> impl Iterator<Item = &str> {
        let inline = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub(crate) mod tests {"];
        let end = inline.iter().filter_map(|mark| self.text.find(mark)).min();
        self.text[..end.unwrap_or(self.text.len())].lines()
    }

    /// Whether it is part of tests, benches or these tasks, where some rules do not hold.
    pub(crate) fn is_for_tests(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.starts_with("crates/xtask/")
    }
}

/// Checks the whole repository.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = read_files(root)?;
    let mut complaints: Vec<String> = Vec::new();
    for file in &files {
        for rule in rules::RULES {
            complaints.extend(rule(file).into_iter().map(|text| format!("{}: {text}", file.path)));
        }
    }
    complaints.extend(failures::undocumented(&files));
    if complaints.is_empty() {
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    bail!("{} complaints", complaints.len())
}

/// Tracked and new files, without what git ignores.
fn read_files(root: &Path) -> Result<Vec<SourceFile>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .context("could not ask git for the files")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let paths = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut files = Vec::new();
    for path in paths.split('\0').filter(|path| !path.is_empty()) {
        let full: PathBuf = root.join(path);
        // A file deleted but not yet committed is still listed; a picture is no text.
        if let Ok(text) = std::fs::read_to_string(full) {
            files.push(SourceFile { path: path.to_owned(), text });
        }
    }
    Ok(files)
}
