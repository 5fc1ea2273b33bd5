//! What the program is made of, by `cargo deny` and `deny.toml`: licences, sources, forbidden crates, known faults.
//!
//! The tool is not part of a Rust toolchain. Where it is missing, or the list of known faults cannot be fetched, the
//! check goes on and says loudly what it has not looked at.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

/// What cargo-deny says when it cannot bring the list of known faults up to date.
const UNFETCHED: &str = "failed to fetch advisory database";

/// Runs all that can be run here.
pub(crate) fn run(root: &Path) -> Result<()> {
    if !is_installed() {
        eprintln!("NOT CHECKED: licences, sources and known faults of dependencies");
        eprintln!("hint: cargo install cargo-deny --locked");
        return Ok(());
    }
    good("licences and sources", &deny(root, &["check", "licenses", "bans", "sources"])?)?;
    let advisories = deny(root, &["check", "advisories"])?;
    if said(&advisories).contains(UNFETCHED) {
        eprintln!(
            "NOT CHECKED: known faults of dependencies; their list cannot be fetched from here"
        );
        return Ok(());
    }
    good("known faults of dependencies", &advisories)
}

fn is_installed() -> bool {
    Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn deny(root: &Path, words: &[&str]) -> Result<Output> {
    let mut command = Command::new("cargo-deny");
    command.args(["--workspace", "--locked", "--color", "never"]).args(words).current_dir(root);
    command.output().context("could not run cargo-deny")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn good(what: &str, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    bail!("{what}: cargo deny ended with {}:\n{}", output.status, said(output));
}
