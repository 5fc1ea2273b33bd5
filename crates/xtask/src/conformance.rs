//! Exactness on real files: every file is made once by one plain ffmpeg and once by `segenc encode`, with
//! lossless encoders, and the two results are compared point by point.

mod case;
mod compare;
mod look;
mod programs;
mod report;
mod traits;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use clap::Args;

use case::{Bench, Wish};
use report::Results;

/// Which files, and how.
#[derive(Args)]
pub(crate) struct Options {
    /// Folders with films.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Only files whose names contain this; earlier results of other files are kept.
    #[arg(long)]
    only: Option<String>,
    /// Only cases that were not exact the last time, or not tried; other results are kept.
    #[arg(long)]
    again: bool,
    /// Only the outputs of this name: `ffv1` or `x264`.
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

/// Runs all cases and writes the reports; the last line tells how many were exact.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let segenc = match &options.segenc {
        Some(path) => path.canonicalize().with_context(|| format!("no {}", path.display()))?,
        None => programs::build(root)?,
    };
    let folder = root.join("target/conformance");
    std::fs::create_dir_all(&folder)?;
    let mut wishes = wishes(options)?;
    let kept = if options.only.is_some() || options.output.is_some() || options.again {
        Results::read(&folder)
    } else {
        Results::default()
    };
    if options.again {
        wishes.retain(|wish| kept.wants_again(&wish.name, wish.target.name));
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
    let results = Mutex::new(kept);
    let next = Mutex::new(wishes.iter().enumerate());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1))
            .map(|slot| {
                let (bench, next, results, folder) = (&bench, &next, &results, &folder);
                let count = wishes.len();
                scope.spawn(move || -> Result<()> {
                    loop {
                        let taken = next.lock().ok().and_then(|mut next| next.next());
                        let Some((number, wish)) = taken else { return Ok(()) };
                        let outcome = bench.run(wish, slot)?;
                        eprintln!("{}/{count} {}", number + 1, outcome.line());
                        if let Ok(mut results) = results.lock() {
                            results.insert(outcome);
                            results.write(folder)?;
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
    let results = results.into_inner().map_err(|_| anyhow::anyhow!("a case panicked"))?;
    results.write_page(root)?;
    println!("{}", results.summary());
    Ok(())
}

/// All files of the folders, each with the outputs that are made of it.
fn wishes(options: &Options) -> Result<Vec<Wish>> {
    let mut wishes = Vec::new();
    for folder in &options.folders {
        let traits: BTreeMap<String, String> = traits::read(folder);
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path().canonicalize()?)).collect::<Result<_>>()?;
        paths.retain(|path| path.is_file() && path.extension().is_some_and(|ext| ext != "md"));
        // Small ones first, so that most is known early.
        paths.sort_by_key(|path| {
            (path.metadata().map(|file| file.len()).unwrap_or(0), path.clone())
        });
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if options.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
                continue;
            }
            let traits = traits.get(&name).cloned().unwrap_or_default();
            for target in case::targets(&path) {
                if options.output.as_ref().is_none_or(|only| only == target.name) {
                    let (path, name, traits) = (path.clone(), name.clone(), traits.clone());
                    wishes.push(Wish { path, name, traits, target });
                }
            }
        }
    }
    Ok(wishes)
}
