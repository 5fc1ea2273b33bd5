//! One run: a farm, jobs one after the other until the time is over, a look at what is left behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use segenc_sim::random::Random;

use super::farm::{Farm, Layout};
use super::films::Case;
use super::job::{Outcome, Stage};
use super::{Options, disk, ending, films, processes};

/// Three, so that a task that one has failed and one has lost still finds one.
const WORKERS: usize = 3;
/// Length of a film: some ten segments of two seconds.
const FILM_SECONDS: u32 = 16;

/// What a run has seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) jobs: u32,
    pub(crate) faults: u32,
    pub(crate) tasks: u32,
    /// Attempts beyond the first of a task.
    pub(crate) again: u32,
    pub(crate) violations: Vec<String>,
}

/// Says something with the time since the start.
pub(crate) struct Log {
    begin: Instant,
}

impl Log {
    pub(crate) fn say(&self, text: &str) {
        eprintln!("{:8.3} s  {text}", self.begin.elapsed().as_secs_f64());
    }
}

/// Runs it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(drawn_seed);
    let log = Log { begin: Instant::now() };
    log.say(&format!("seed {seed}"));
    processes::adopt_orphans()?;
    let folder = tempfile::tempdir()?;
    let mut tally = Tally::default();
    let outcome = program(root, options).and_then(|program| {
        let end = Instant::now() + Duration::from_secs_f64(options.minutes * 60.0);
        let cases = rounds(&program, folder.path(), Random::new(seed), end, &log, &mut tally)?;
        disk::round(&program, &folder.path().join("disk"), &cases[0], &log, &mut tally)
    });
    if let Err(error) = outcome {
        tally.violations.push(format!("the run broke off: {error:#}"));
    }
    let Tally { jobs, faults, tasks, again, violations } = &tally;
    println!(
        "chaos: seed {seed}, {jobs} jobs, {faults} faults, {tasks} tasks with {again} attempts more, \
         {} violations",
        violations.len()
    );
    if violations.is_empty() {
        return Ok(());
    }
    for violation in violations {
        println!("  {violation}");
    }
    let kept = folder.keep();
    bail!(
        "everything is kept in {}; again with: cargo xtask chaos --minutes {} --seed {seed}",
        kept.display(),
        options.minutes
    )
}

fn drawn_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) % 1_000_000
}

/// The program that was named, or as it is built for tests.
pub(crate) fn program(root: &Path, options: &Options) -> Result<PathBuf> {
    if let Some(program) = &options.program {
        return std::path::absolute(program).context("--program is no path");
    }
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "-p", "segenc"])
        .current_dir(root)
        .status()
        .context("could not run cargo")?;
    ensure!(status.success(), "the program cannot be built");
    let here = std::env::current_exe()?;
    Ok(here.with_file_name("segenc"))
}

fn rounds(
    program: &Path,
    folder: &Path,
    mut random: Random,
    end: Instant,
    log: &Log,
    tally: &mut Tally,
) -> Result<Vec<Case>> {
    let mut farm = Farm::start(program, Layout::below(folder, WORKERS))?;
    log.say("the farm is up");
    let cases = films::make(program, &farm.layout.films(), FILM_SECONDS)?;
    log.say("films and their undisturbed outputs are made");
    while Instant::now() < end || tally.jobs == 0 {
        let case = &cases[random.position(cases.len())];
        let mut stage = Stage { farm: &mut farm, log, random: &mut random, tally: &mut *tally };
        match stage.job(case)? {
            Outcome::Good => {}
            Outcome::Bad(what) => {
                log.say(&format!("VIOLATION {what}"));
                tally.violations.push(what);
            }
        }
    }
    log.say("the jobs are done");
    ending::check(&mut farm, tally)?;
    Ok(cases)
}
