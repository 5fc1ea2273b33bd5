//! Repository tasks: `cargo xtask check | tidy | deny | sim | chaos | bench | fixtures | conformance`.

mod bench;
mod chaos;
mod check;
mod conformance;
mod deny;
mod fixtures;
mod plain;
mod release;
mod sim;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, clippy, tidy, documentation and all tests.
    Check,
    /// What the compiler cannot guard: file sizes, words, invariants stated as absences.
    Tidy,
    /// Licences, sources and known faults of dependencies (`deny.toml`), as far as that can be looked at here.
    Deny,
    /// The pool's rules on a simulated farm with seeded faults.
    Sim {
        /// How many seeds.
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
        /// Only this seed, with its trace: replays a failure.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Kills, freezes and cuts off real processes in the middle of real jobs.
    Chaos(chaos::Options),
    /// Measures one figure and writes it to docs/benchmarks.md.
    Bench {
        #[command(subcommand)]
        name: bench::Name,
    },
    /// Makes the hard cases that exactness is tested with.
    Fixtures(fixtures::Options),
    /// Compares `segenc encode` with plain ffmpeg on real files and writes docs/conformance.md.
    Conformance(conformance::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Check => check::run(&root()),
        Task::Tidy => tidy::run(&root()),
        Task::Deny => deny::run(&root()),
        Task::Sim { seeds, seed } => sim::run(seeds, seed),
        Task::Chaos(options) => chaos::run(&root(), &options),
        Task::Bench { name } => bench::run(&root(), &name),
        Task::Fixtures(options) => fixtures::run(&root(), &options),
        Task::Conformance(options) => conformance::run(&root(), &options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).map(PathBuf::from).unwrap_or(manifest)
}
