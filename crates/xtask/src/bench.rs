//! Figures, each a ratio against a named peer taken in one run on one machine; medians.

mod cuts;
mod cuts_report;
mod film;
mod measure;
mod one_machine;
pub(crate) mod page;
mod quality;
mod report;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;

use crate::release::given_or_built;

/// Which figure.
#[derive(Subcommand)]
pub(crate) enum Name {
    /// P5: `segenc encode` against plain ffmpeg on this machine, wall clock and processor time.
    OneMachine {
        /// A film of about a minute in 1080p; without it one is made.
        #[arg(long)]
        film: Option<PathBuf>,
        /// How often each side runs; the median counts.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Only this encoder.
        #[arg(long)]
        encoder: Option<String>,
    },
    /// P8 and P9: bits at equal quality and the loss at seams, against one process and fixed cuts.
    Cuts {
        /// A film of natural pictures; a minute is enough. May be given several times.
        #[arg(long, required = true)]
        film: Vec<PathBuf>,
        /// Only this encoder; other rows stay as they were measured.
        #[arg(long)]
        encoder: Option<String>,
        /// The program that is measured; without it the release build, made if need be.
        #[arg(long)]
        segenc: Option<PathBuf>,
    },
}

/// Takes the figure.
pub(crate) fn run(root: &Path, name: &Name) -> Result<()> {
    match name {
        Name::OneMachine { film, runs, encoder } => {
            one_machine::run(root, film.as_deref(), *runs, encoder.as_deref())
        }
        Name::Cuts { film, encoder, segenc } => {
            let segenc = given_or_built(root, segenc.as_deref())?;
            cuts::run(root, &segenc, film, encoder.as_deref())
        }
    }
}
