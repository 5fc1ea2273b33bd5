//! Exactness: every case is made once by one plain ffmpeg and once by `segenc encode`, and the two results are
//! compared point by point. With lossless encoders where the pictures are compared, too.

mod case;
mod compare;
mod look;
mod page;
mod programs;
mod report;
mod suite;
mod target;
mod traits;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Result, bail};
use clap::Args;

use case::{Bench, Wish};
use report::Results;
use suite::Suite;

/// Which cases, and how.
#[derive(Args)]
pub(crate) struct Options {
    /// Folders with films; without any, the hard cases that `fixtures` makes.
    #[arg(value_name = "DIR", group = "suite")]
    folders: Vec<PathBuf>,
    /// All encoders with a few films.
    #[arg(long, group = "suite")]
    encoders: bool,
    /// All containers with a few films.
    #[arg(long, group = "suite")]
    containers: bool,
    /// All usual filters with a few films.
    #[arg(long, group = "suite")]
    filters: bool,
    /// A few of the hard cases, in less than a minute; nothing is written.
    #[arg(long, group = "suite")]
    short: bool,
    /// Only files whose names contain this; earlier results of other files are kept.
    #[arg(long)]
    only: Option<String>,
    /// Only cases that were not exact the last time, or not tried; other results are kept.
    #[arg(long)]
    again: bool,
    /// Only the outputs of this name, such as `ffv1` or `x264`.
    #[arg(long)]
    output: Option<String>,
    /// Files that are worked on side by side.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// The program that is tested; without it the release build, made if need be.
    #[arg(long)]
    segenc: Option<PathBuf>,
    /// Wished length of a segment: short ones, so that short files are cut as well.
    #[arg(long, default_value_t = 1)]
    segment_seconds: u32,
    /// Leaves out films with more pixels in all, in millions: a minute of 1080p has 3000.
    #[arg(long, default_value_t = 700)]
    megapixels_max: u64,
    /// Keeps the files of both sides.
    #[arg(long)]
    keep: bool,
}

impl Options {
    fn suite(&self) -> Suite {
        if self.encoders {
            Suite::Encoders
        } else if self.containers {
            Suite::Containers
        } else if self.filters {
            Suite::Filters
        } else if self.short {
            Suite::Short
        } else if self.folders.is_empty() {
            Suite::Fixtures
        } else {
            Suite::Files(self.folders.clone())
        }
    }

    fn wants(&self, wish: &Wish) -> bool {
        self.only.as_ref().is_none_or(|only| wish.name.contains(only.as_str()))
            && self.output.as_ref().is_none_or(|only| wish.target.name == *only)
    }
}

/// Runs all cases and writes the reports; the last line tells how many were exact.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let segenc = crate::release::given_or_built(root, options.segenc.as_deref())?;
    let suite = options.suite();
    let folder = root.join("target/conformance").join(suite.name());
    std::fs::create_dir_all(&folder)?;
    let mut wishes = suite.wishes(root)?;
    wishes.retain(|wish| options.wants(wish));
    let kept = if options.only.is_some() || options.output.is_some() || options.again {
        Results::read(&folder)
    } else {
        Results::default()
    };
    if options.again {
        wishes.retain(|wish| kept.wants_again(&wish.name, &wish.target.name));
    }
    if wishes.is_empty() {
        bail!("no file fits");
    }
    let bench = Bench {
        segenc,
        folder: folder.clone(),
        segment_seconds: options.segment_seconds,
        keep: options.keep,
        megapixels_max: options.megapixels_max,
    };
    let results = run_all(&bench, &wishes, kept, options.jobs)?;
    page::write(root, &suite, &results)?;
    println!("{}", results.summary());
    match suite {
        Suite::Short if !results.all_exact() => bail!("a case is not exact"),
        _ => Ok(()),
    }
}

/// A few cases with a debug build, for `check`.
pub(crate) fn run_short(root: &Path) -> Result<()> {
    let options = Options {
        folders: Vec::new(),
        encoders: false,
        containers: false,
        filters: false,
        short: true,
        only: None,
        again: false,
        output: None,
        jobs: 2,
        segenc: Some(root.join("target/debug/segenc")),
        segment_seconds: 1,
        megapixels_max: 700,
        keep: false,
    };
    run(root, &options)
}

fn run_all(bench: &Bench, wishes: &[Wish], kept: Results, jobs: usize) -> Result<Results> {
    let results = Mutex::new(kept);
    let next = Mutex::new(wishes.iter().enumerate());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1))
            .map(|slot| {
                let (next, results, count) = (&next, &results, wishes.len());
                scope.spawn(move || -> Result<()> {
                    loop {
                        let taken = next.lock().ok().and_then(|mut next| next.next());
                        let Some((number, wish)) = taken else { return Ok(()) };
                        let outcome = bench.run(wish, slot)?;
                        eprintln!("{}/{count} {}", number + 1, outcome.line());
                        if let Ok(mut results) = results.lock() {
                            results.insert(outcome);
                            results.write(&bench.folder)?;
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(_) => bail!("a case panicked"),
        })
    })?;
    results.into_inner().map_err(|_| anyhow::anyhow!("a case panicked"))
}
