//! Everything that has to be green before a commit, in the order in which it fails fastest.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Runs all steps; stops at the first that fails.
pub(crate) fn run(root: &Path) -> Result<()> {
    step("tidy", || crate::tidy::run(root))?;
    step("dependencies", || crate::deny::run(root))?;
    let cargo = |name: &str, args: &[&str]| step(name, || run_cargo(root, args));
    cargo("formatting", &["fmt", "--all", "--check"])?;
    cargo(
        "clippy",
        &["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"],
    )?;
    cargo(
        "documentation",
        &["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"],
    )?;
    // The end-to-end tests start the program itself, which must be built first.
    cargo("build", &["build", "--workspace", "--locked"])?;
    cargo("tests", &["test", "--workspace", "--locked", "--no-fail-fast"])?;
    step("simulator", || crate::sim::run(SEEDS_PER_CHECK, None))?;
    step("chaos", || crate::chaos::run_short(root))?;
    step("conformance", || crate::conformance::run_short(root))
}

/// Enough to meet every fault of the simulator many times, in some ten seconds of a debug build.
const SEEDS_PER_CHECK: u64 = 300;

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("── {name}");
    let begin = Instant::now();
    work().with_context(|| format!("{name} failed"))?;
    eprintln!("   {name}: good, {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn run_cargo(root: &Path, args: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(args)
        .current_dir(root)
        .env("RUSTDOCFLAGS", "--deny warnings")
        .status()
        .with_context(|| format!("could not run cargo {}", args.join(" ")))?;
    if !status.success() {
        bail!("cargo {} ended with {status}", args.join(" "));
    }
    Ok(())
}
