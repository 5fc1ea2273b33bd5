//! Chaos with real processes: a server, workers behind relays, real ffmpeg, the command line; kills, freezes and
//! broken connections at random moments. Every output must be, bit for bit, that of an undisturbed run.
//!
//! `segenc-sim` does the same to the rules alone, thousands of times faster; here the bytes, the files, the
//! processes and the network are real.

#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod ending;
#[cfg(target_os = "linux")]
mod farm;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod films;
#[cfg(target_os = "linux")]
mod job;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod proxy;
#[cfg(target_os = "linux")]
mod run;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

/// What a run is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How long jobs are begun.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// The seed that faults are drawn from; without it one is drawn, and named in the log.
    #[arg(long)]
    seed: Option<u64>,
    /// Measures instead how soon a farm gets over a fault, and writes docs/benchmarks.md.
    #[arg(long)]
    measure: bool,
    /// The program to run, instead of a fresh build for tests.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// Long enough for a few jobs, short enough for one check among many.
const SHORT_MINUTES: f64 = 0.6;

/// A short run with a seed of its own, where the system can do it.
pub(crate) fn run_short(root: &Path) -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        println!("chaos: skipped, it needs Linux");
        return Ok(());
    }
    let options = Options { minutes: SHORT_MINUTES, seed: None, measure: false, program: None };
    run(root, &options)
}

/// Runs it.
#[cfg(target_os = "linux")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if options.measure { measure::run(root, options) } else { run::run(root, options) }
}

/// Freezing processes, adopting orphans and looking through them are done as Linux does them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn run(_root: &Path, _options: &Options) -> Result<()> {
    anyhow::bail!("chaos needs Linux: it stops processes with signals and finds them in /proc")
}
