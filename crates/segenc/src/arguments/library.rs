//! The command line's shape for whole libraries: presets, many films at once, a look at the whole farm.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Connection;

/// List the presets, show one, or take one over from HandBrake.
///
/// Own presets stand in `presets.toml` in the user's folder for settings, or in the file that SEGENC_PRESETS
/// names: `[[preset]]` tables with `name`, `title`, `about` and `args`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Presets {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub(crate) verb: Option<PresetsVerb>,
}

/// What to do with presets.
#[derive(Debug, Subcommand)]
pub(crate) enum PresetsVerb {
    /// List all.
    List,
    /// Show one with its options.
    Show {
        /// Its name.
        name: String,
    },
    /// Take presets over from a file that HandBrake has exported.
    ///
    /// What cannot be taken over is named. The presets are added to your own ones.
    Import {
        /// HandBrake's JSON file.
        file: PathBuf,
        /// Replace own presets of the same name.
        #[arg(long)]
        overwrite: bool,
        /// Only show what would be taken over.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Watch the whole farm: its jobs and workers, live.
///
/// Without a terminal a line for everything that changes.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Show it once and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Which server.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// JSON objects, one a line.
    Json,
}
