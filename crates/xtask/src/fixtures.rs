//! The hard cases that every release is run against, as far as ffmpeg, its encoders and mkvmerge can make them.
//!
//! Owns how they are made and told of. Must not know what is done with them.

mod edit;
mod make;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use make::Workshop;

/// Where they go, and which.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder; `target/fixtures` unless said otherwise.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only those whose names contain this.
    #[arg(long)]
    only: Option<String>,
    /// Makes those again that are there already.
    #[arg(long)]
    afresh: bool,
    /// Half an hour as well, as a stand-in for two.
    #[arg(long)]
    long: bool,
}

/// One hard case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixture {
    /// The file's name.
    name: &'static str,
    /// What it stands for: one clause.
    stands_for: &'static str,
    /// How it must be taken.
    wanted: Wanted,
    /// How it is made: the last step writes the file.
    steps: &'static [Step],
}

/// One step of making a fixture, in a folder of its own. Words are separated by spaces.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Arguments of ffmpeg; words in capitals are short for more.
    Ffmpeg(&'static str),
    /// Arguments of mkvmerge.
    Mkvmerge(&'static str),
    /// Arguments of mkvpropedit.
    Mkvpropedit(&'static str),
    /// Writes a text into a file.
    Text(&'static str, &'static str),
    /// Changes bytes.
    Edit(edit::Edit),
}

/// What has to become of a fixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    /// What plain ffmpeg makes of it.
    AsPlain,
    /// It must be refused, whatever plain ffmpeg does.
    Refused,
}

/// What a folder of fixtures says of itself.
const MANIFEST: &str = "fixtures.json";

/// The file in which a folder of films tells what is odd about each.
const README: &str = "README.md";

/// Fixtures are made by so many at once; each takes about one processor.
const SIDE_BY_SIDE: usize = 2;

/// Makes the fixtures and says how many.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = options.folder.clone().unwrap_or_else(|| usual(root));
    let fixtures: Vec<Fixture> = table::all(options.long)
        .filter(|fixture| options.only.as_ref().is_none_or(|only| fixture.name.contains(only)))
        .collect();
    if fixtures.is_empty() {
        bail!("no fixture has such a name");
    }
    let made = make_all(&folder, &fixtures, options.afresh)?;
    println!("{made} / {} fixtures in {}", fixtures.len(), folder.display());
    Ok(())
}

/// The folder that is meant when none is named.
pub(crate) fn usual(root: &Path) -> PathBuf {
    root.join("target/fixtures")
}

/// Makes what is missing of all usual fixtures.
pub(crate) fn complete(folder: &Path) -> Result<()> {
    let fixtures: Vec<Fixture> = table::all(false).collect();
    make_all(folder, &fixtures, false)?;
    Ok(())
}

/// Makes what is missing of these.
pub(crate) fn complete_some(folder: &Path, names: &[&str]) -> Result<()> {
    let fixtures: Vec<Fixture> =
        table::all(true).filter(|fixture| names.contains(&fixture.name)).collect();
    make_all(folder, &fixtures, false)?;
    Ok(())
}

/// What has to become of each file of a folder, where it says so.
pub(crate) fn wanted(folder: &Path) -> BTreeMap<String, Wanted> {
    let text = std::fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn make_all(folder: &Path, fixtures: &[Fixture], afresh: bool) -> Result<usize> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if !afresh && fixtures.iter().all(|fixture| folder.join(fixture.name).exists()) {
        return Ok(fixtures.len());
    }
    let workshop = Workshop::open(folder)?;
    let left = Mutex::new(fixtures.iter());
    let made = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| {
                scope.spawn(|| {
                    let mut made = 0;
                    loop {
                        let taken = left.lock().ok().and_then(|mut left| left.next());
                        let Some(fixture) = taken else { return made };
                        if !afresh && folder.join(fixture.name).exists() {
                            made += 1;
                            continue;
                        }
                        match workshop.make(fixture) {
                            Ok(()) => made += 1,
                            Err(error) => eprintln!("NOT MADE {}: {error:#}", fixture.name),
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).sum()
    });
    workshop.close()?;
    tell(folder)?;
    Ok(made)
}

/// Writes what the folder says of itself.
fn tell(folder: &Path) -> Result<()> {
    let mut readme = String::from(
        "# Fixtures\n\nMade by `cargo xtask fixtures`.\n\n| file | stands for |\n|---|---|\n",
    );
    let mut manifest = BTreeMap::new();
    for fixture in table::all(true).filter(|fixture| folder.join(fixture.name).exists()) {
        readme.push_str(&format!("| {} | {} |\n", fixture.name, fixture.stands_for));
        manifest.insert(fixture.name, fixture.wanted);
    }
    std::fs::write(folder.join(README), readme)?;
    std::fs::write(folder.join(MANIFEST), serde_json::to_string_pretty(&manifest)?)?;
    Ok(())
}
