//! Runs the simulator over many seeds and says how fast, or replays one of them.

use std::time::Instant;

use anyhow::{Result, bail};
use segenc_sim::tail::{self, POLICIES, Policy, SHAPES, Shape};
use segenc_sim::{Summary, run_many};

/// Seeds between two lines of progress, and what one thread takes at a time.
const SEEDS_PER_BATCH: u64 = 500;

/// Films that are encoded on each farm to see how long its tail is.
const TAIL_SEEDS: u64 = 50;

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
    let sum = |number: fn(&Summary) -> u64| summaries.iter().map(number).sum::<u64>();
    let events = sum(|summary| summary.events);
    let (backups, restarts) = (sum(|summary| summary.backups), sum(|summary| summary.restarts));
    println!(
        "{seeds} seeds, {} violations, {events} events, {backups} backups, {restarts} restarts of the server, \
         {:.0} seeds per minute",
        violations.len(),
        seeds as f64 * 60.0 / begin.elapsed().as_secs_f64(),
    );
    println!(
        "makespan / ideal of the {calm} runs without faults: mean {:.3}, worst {:.3}",
        weighted as f64 / 1000.0 / calm.max(1) as f64,
        worst as f64 / 1000.0,
    );
    let Some(first) = violations.first() else { return tails(TAIL_SEEDS) };
    for violation in violations.iter().take(10) {
        println!("{violation}");
    }
    bail!("replay the first with: cargo xtask sim --seed {}", first.seed)
}

fn replay(seed: u64) -> Result<()> {
    let (trace, result) = segenc_sim::replay(seed);
    for line in trace {
        println!("{line}");
    }
    println!("{:#?}", result?);
    Ok(())
}

/// Prints how long farms of several shapes take by policy, over the ideal, and what is thrown away.
fn tails(seeds: u64) -> Result<()> {
    println!("| farm | policy | makespan / ideal | worst | thrown away | backups |");
    println!("|---|---|---|---|---|---|");
    for shape in SHAPES {
        for policy in POLICIES {
            let (mut ratios, mut wasted, mut backups) = (Vec::new(), 0, 0);
            for seed in 0..seeds {
                let tail = tail::run(policy, shape, seed)?;
                ratios.push(tail.ratio_permille);
                wasted += tail.wasted_permille;
                backups += tail.backups;
            }
            let mean = ratios.iter().sum::<u64>() as f64 / seeds.max(1) as f64;
            println!(
                "| {} | {} | {:.3} | {:.3} | {:.1} % | {:.1} |",
                shape_name(shape),
                policy_name(policy),
                mean / 1000.0,
                ratios.iter().max().copied().unwrap_or_default() as f64 / 1000.0,
                wasted as f64 / seeds.max(1) as f64 / 10.0,
                backups as f64 / seeds.max(1) as f64,
            );
        }
    }
    Ok(())
}

const fn shape_name(shape: Shape) -> &'static str {
    match shape {
        Shape::Equal => "8 alike",
        Shape::FourTwoOneOne => "8, speeds 4:2:1:1",
        Shape::EightFourTwoOne => "8, speeds 8:4:2:1",
        Shape::OneTenTimesSlower => "8, one ten times slower",
        Shape::OneStalls => "8, one nearly stops in mid-task",
        Shape::OneFreezes => "8, one freezes in mid-task",
    }
}

const fn policy_name(policy: Policy) -> &'static str {
    match policy {
        Policy::FirstCome => "first come",
        Policy::LongestFirst => "longest first",
        Policy::WithBackups => "longest first + backup",
    }
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
