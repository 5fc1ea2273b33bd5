//! Runs the simulator over many seeds and says how fast, or replays one of them.

use std::time::Instant;

use anyhow::{Result, bail};
use segenc_sim::{Summary, run_many};

/// Seeds between two lines of progress, and what one thread takes at a time.
const SEEDS_PER_BATCH: u64 = 500;

/// Runs `seeds` seeds on all processors, or the one given.
pub(crate) fn run(seeds: u64, seed: Option<u64>) -> Result<()> {
    if let Some(seed) = seed {
        return replay(seed);
    }
    let begin = Instant::now();
    let summaries = in_parallel(seeds);
    let violations: Vec<_> = summaries.iter().flat_map(|summary| &summary.violations).collect();
    let (calm, weighted): (u64, u64) = summaries.iter().fold((0, 0), |(calm, weighted), one| {
        (calm + one.calm, weighted + one.calm * one.mean_ratio_permille)
    });
    let worst = summaries.iter().map(|summary| summary.worst_ratio_permille).max().unwrap_or(0);
    let events: u64 = summaries.iter().map(|summary| summary.events).sum();
    println!(
        "{seeds} seeds, {} violations, {events} events, {:.0} seeds per minute",
        violations.len(),
        seeds as f64 * 60.0 / begin.elapsed().as_secs_f64(),
    );
    println!(
        "makespan / ideal of the {calm} runs without faults: mean {:.3}, worst {:.3}",
        weighted as f64 / 1000.0 / calm.max(1) as f64,
        worst as f64 / 1000.0,
    );
    let Some(first) = violations.first() else { return Ok(()) };
    for violation in violations.iter().take(10) {
        println!("{violation}");
    }
    bail!("replay the first with: cargo xtask sim --seed {}", first.seed)
}

fn replay(seed: u64) -> Result<()> {
    let outcome = segenc_sim::run(seed)?;
    println!("{outcome:#?}");
    Ok(())
}

fn in_parallel(seeds: u64) -> Vec<Summary> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut summaries = Vec::new();
                    let mut first = thread * SEEDS_PER_BATCH;
                    while first < seeds {
                        let count = SEEDS_PER_BATCH.min(seeds - first);
                        summaries.push(run_many(first, count));
                        first += threads * SEEDS_PER_BATCH;
                    }
                    summaries
                })
            })
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("a violation is returned, never a panic"))
            .collect()
    })
}
