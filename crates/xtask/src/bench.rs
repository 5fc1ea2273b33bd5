//! Figures, each a ratio taken in one run on one machine.

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;

/// Which figure.
#[derive(Subcommand)]
pub(crate) enum Name {
    /// `segenc encode` against plain ffmpeg on this machine: wall clock and processor time.
    OneMachine,
}

/// Takes the figure.
pub(crate) fn run(_root: &Path, name: &Name) -> Result<()> {
    match name {
        Name::OneMachine => anyhow::bail!("the benchmark is not connected yet"),
    }
}
