//! One job under faults, given by the command line as anybody gives it, and the look at its output.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use segenc_sim::random::Random;
use serde_json::Value;

use super::farm::{Farm, Way};
use super::faults::{Faults, Toll};
use super::films::Case;
use super::run::{Log, Tally};

/// Undisturbed a job takes some seconds, with the faults of a job half a minute; after this it hangs.
const JOB_WITHIN: Duration = Duration::from_secs(240);
/// A command whose server was away at the wrong moment is given again so often.
const COMMANDS_MAX: u32 = 12;
/// Between two looks at the job.
const LOOK: Duration = Duration::from_millis(30);
/// The exit code of a command that has done what it should.
const DONE: i32 = 0;

/// What a job came to.
pub(crate) enum Outcome {
    Good,
    Bad(String),
}

/// Where a job is run.
pub(crate) struct Stage<'a> {
    pub(crate) farm: &'a mut Farm,
    pub(crate) log: &'a Log,
    pub(crate) random: &'a mut Random,
    pub(crate) tally: &'a mut Tally,
}

/// A command that is under way, with the lines that it prints.
struct Running {
    child: Child,
    lines: PathBuf,
}

impl Stage<'_> {
    /// Runs a job to its end and compares what it made.
    pub(crate) fn job(&mut self, case: &Case) -> Result<Outcome> {
        self.tally.jobs += 1;
        let number = self.tally.jobs;
        let output = self.farm.layout.folder.join(format!("output-{number}.{}", case.extension));
        let is_sent = self.random.chance(600);
        let film = if is_sent { self.outside(case)? } else { case.film.clone() };
        let name = film.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let how = if is_sent { "sent" } else { "seen by the server" };
        self.log.say(&format!("job {number}: {name}, {how}"));
        let mut faults = Faults::for_a_job(self.random);
        let ended = self.under_faults(case, &film, &output, &mut faults);
        faults.repair_all(self.farm)?;
        if let Some(what) = ended? {
            return Ok(Outcome::Bad(format!("job {number}: {what}")));
        }
        if let Some(what) = case.difference(&output)? {
            return Ok(Outcome::Bad(format!("job {number}: the output is another one: {what}")));
        }
        fs::remove_file(&output)?;
        self.resume_workers()?;
        self.log.say(&format!("job {number}: the same bits"));
        Ok(Outcome::Good)
    }

    /// A copy where the server cannot see it.
    fn outside(&self, case: &Case) -> Result<PathBuf> {
        let name = case.film.file_name().context("a film has a name")?;
        let copy = self.farm.layout.folder.join(name);
        fs::copy(&case.film, &copy)?;
        Ok(copy)
    }

    /// Gives the command until it has done what it should. Answers with what went wrong.
    fn under_faults(
        &mut self,
        case: &Case,
        film: &Path,
        output: &Path,
        faults: &mut Faults,
    ) -> Result<Option<String>> {
        let begin = Instant::now();
        let mut command = self.give(case, film, output)?;
        let mut given = 1;
        let mut phase = String::new();
        loop {
            thread::sleep(LOOK);
            faults.repair(self.farm)?;
            let now = phase_of(&command.lines);
            if now != phase {
                // Sending and merging are short; left to chance they would seldom be hit.
                if matches!(now.as_str(), "upload" | "merging") && self.random.chance(500) {
                    faults.hurry();
                }
                phase = now;
            }
            if let Some((fault, toll)) = faults.strike(self.random, self.farm)? {
                self.tally.faults += 1;
                self.log.say(&format!("  {fault} ({phase})"));
                if toll == Toll::Command {
                    command.child.kill()?;
                }
            }
            if let Some(status) = command.child.try_wait()? {
                if status.code() == Some(DONE) {
                    return Ok(None);
                }
                // Nobody gives a command again and again while its server is known to be down.
                if self.farm.server_pid().is_none() && begin.elapsed() < JOB_WITHIN {
                    continue;
                }
                let last = last_line(&command.lines);
                if last["job"]["state"] == "failed" || given == COMMANDS_MAX {
                    return Ok(Some(format!("the command ended with {status}: {last}")));
                }
                self.log.say(&format!("  the command ended with {status}, given again"));
                command = self.give(case, film, output)?;
                given += 1;
            }
            if begin.elapsed() > JOB_WITHIN {
                command.child.kill()?;
                command.child.wait()?;
                return Ok(Some(format!("it hangs: {}", last_line(&command.lines))));
            }
        }
    }

    fn give(&self, case: &Case, film: &Path, output: &Path) -> Result<Running> {
        let lines = self.farm.layout.folder.join("command.jsonl");
        let errors = self.farm.layout.folder.join("command.log");
        let errors = fs::OpenOptions::new().create(true).append(true).open(errors)?;
        let mut command = self.farm.operator(Way::Relay)?;
        command.args(["encode", "--json", "--overwrite", "--segment-seconds", "2"]);
        command.arg(film).arg(output).arg("--").args(case.words());
        let child = command.stdout(File::create(&lines)?).stderr(errors).spawn()?;
        Ok(Running { child, lines })
    }

    /// A worker whose encoders were killed three times in a row is taken out, which is right; here it is needed.
    fn resume_workers(&self) -> Result<()> {
        for worker in self.farm.lines(&["workers", "list", "--json"])? {
            if worker["state"] != "active" && worker["state"] != "ready" {
                self.log.say(&format!("  worker {} is {}", worker["name"], worker["state"]));
                self.farm.lines(&["workers", "resume", &worker["id"].to_string()])?;
            }
        }
        Ok(())
    }
}

fn last_line(lines: &Path) -> Value {
    let text = fs::read_to_string(lines).unwrap_or_default();
    let mut parsed = text.lines().rev().filter_map(|line| serde_json::from_str(line).ok());
    parsed.next().unwrap_or(Value::Null)
}

/// What the command is at, in one word.
fn phase_of(lines: &Path) -> String {
    let line = last_line(lines);
    let state = line["job"]["state"].as_str().or_else(|| line["event"].as_str());
    state.unwrap_or("starting").to_owned()
}
