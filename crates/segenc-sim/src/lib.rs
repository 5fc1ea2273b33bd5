//! A farm in one thread: the real rules of the pool under seeded faults, with a simulated clock.
//!
//! A seed makes a scenario: jobs, workers of different speeds and clocks, a network that loses, doubles, delays
//! and cuts off messages, workers that die at any step, freeze, slow down and come back late, a server that is
//! killed before or after its disk has what it wrote and restarts from that, disks that are slow or full, a wall
//! clock that is set, and users that pause, resume, drain, cancel, retry and delete. After every event the pool's invariants
//! are checked, and a witness of its own compares what happened with what may happen. The same seed is
//! the same run. Nothing here reads a clock or starts a thread.

mod agenda;
mod farm;
mod host;
pub mod random;
mod scenario;
mod server;
pub mod tail;
mod witness;

use segenc_core::time::Millis;
use thiserror::Error;

use crate::farm::Telling;

/// How a run ended that broke no invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The seed, to run it again.
    pub seed: u64,
    /// No fault was planned: the makespan says something of the schedule.
    pub calm: bool,
    /// Jobs that were submitted.
    pub jobs: u64,
    /// Jobs that completed; the rest was canceled by a user.
    pub completed: u64,
    /// From the first submission to the end of the last job, in simulated milliseconds.
    pub makespan: Millis,
    /// All work divided by all speed, in milliseconds: no farm is faster.
    pub ideal: Millis,
    /// Commands that the pool decided.
    pub commands: u64,
    /// Commands that it refused.
    pub rejections: u64,
    /// Events that it stored.
    pub events: u64,
    /// Backups of late attempts.
    pub backups: u64,
    /// How often the server died and came back.
    pub restarts: u64,
}

impl Outcome {
    /// Makespan over ideal, in thousandths.
    #[must_use]
    pub const fn ratio_permille(&self) -> u64 {
        let ideal = if self.ideal == 0 { 1 } else { self.ideal };
        self.makespan.saturating_mul(1000) / ideal
    }
}

/// An invariant that a run broke.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("seed {seed}, after {at} ms: {what}")]
pub struct Violation {
    /// The seed that shows it.
    pub seed: u64,
    /// Simulated time.
    pub at: Millis,
    /// What was broken.
    pub what: String,
}

/// What many runs add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Runs made.
    pub seeds: u64,
    /// Runs without faults.
    pub calm: u64,
    /// Jobs that completed.
    pub completed: u64,
    /// Commands decided.
    pub commands: u64,
    /// Events stored.
    pub events: u64,
    /// Backups of late attempts.
    pub backups: u64,
    /// How often the server died and came back.
    pub restarts: u64,
    /// The mean of makespan over ideal among the calm runs, in thousandths.
    pub mean_ratio_permille: u64,
    /// The worst of them.
    pub worst_ratio_permille: u64,
    /// What was found, at most [`VIOLATIONS_MAX`].
    pub violations: Vec<Violation>,
}

/// After so many violations no more are kept: the first few show the fault.
pub const VIOLATIONS_MAX: usize = 20;

/// Runs one seed.
///
/// # Errors
/// When the pool broke an invariant.
pub fn run(seed: u64) -> Result<Outcome, Violation> {
    farm::run(&scenario::draw(seed), Telling::Nothing).result
}

/// Runs one seed and tells everything that happened, line by line.
#[must_use = "a run is made for what it tells"]
pub fn replay(seed: u64) -> (Vec<String>, Result<Outcome, Violation>) {
    let ended = farm::run(&scenario::draw(seed), Telling::Everything);
    (ended.trace, ended.result)
}

/// Runs `count` seeds from `first` on.
#[must_use]
pub fn run_many(first: u64, count: u64) -> Summary {
    let mut summary = Summary::default();
    let mut ratios = 0;
    for seed in (first..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        summary.seeds += 1;
        match run(seed) {
            Ok(outcome) => {
                summary.completed += outcome.completed;
                summary.commands += outcome.commands;
                summary.events += outcome.events;
                summary.backups += outcome.backups;
                summary.restarts += outcome.restarts;
                if outcome.calm {
                    summary.calm += 1;
                    let ratio = outcome.ratio_permille();
                    ratios += ratio;
                    summary.worst_ratio_permille = summary.worst_ratio_permille.max(ratio);
                }
            }
            Err(violation) if summary.violations.len() < VIOLATIONS_MAX => {
                summary.violations.push(violation);
            }
            Err(_) => {}
        }
    }
    summary.mean_ratio_permille = ratios.checked_div(summary.calm).unwrap_or_default();
    summary
}

#[cfg(test)]
mod tests;
