//! Facts about the simulator and, by it, about the pool.

use super::*;
use crate::tail::{Policy, SHAPES, Shape};

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
}

#[test]
fn no_seed_of_the_first_hundreds_breaks_an_invariant() {
    let summary = run_many(0, 300);
    assert!(summary.violations.is_empty(), "{:#?}", summary.violations);
    assert!(summary.calm > 10 && summary.completed > 300, "{summary:#?}");
    // What is to be survived has happened.
    assert!(summary.backups > 50 && summary.restarts > 50, "{summary:#?}");
}

#[test]
fn a_calm_farm_is_nearly_as_fast_as_can_be() {
    let summary = run_many(1_000, 300);
    assert!(summary.mean_ratio_permille < 1_300, "{}", summary.mean_ratio_permille);
}

/// Means over some films: makespan over ideal, and work thrown away, both in thousandths.
fn means(policy: Policy, shape: Shape) -> (u64, u64) {
    let runs = 5;
    let (mut ratio, mut wasted) = (0, 0);
    for seed in 0..runs {
        let tail = tail::run(policy, shape, seed).expect("no invariant is broken");
        ratio += tail.ratio_permille;
        wasted += tail.wasted_permille;
    }
    (ratio / runs, wasted / runs)
}

#[test]
fn with_backups_no_farm_has_a_long_tail_and_little_is_thrown_away() {
    for shape in SHAPES {
        let (ratio, wasted) = means(Policy::WithBackups, shape);
        let most = match shape {
            Shape::Equal | Shape::FourTwoOneOne | Shape::EightFourTwoOne => 1_050,
            Shape::OneTenTimesSlower | Shape::OneStalls | Shape::OneFreezes => 1_100,
        };
        assert!(ratio <= most && wasted <= 30, "{shape:?}: {ratio}, {wasted}");
    }
}

#[test]
fn one_slow_worker_holds_up_a_farm_without_backups() {
    for shape in [Shape::OneTenTimesSlower, Shape::OneStalls] {
        let (without, _) = means(Policy::LongestFirst, shape);
        let (with, _) = means(Policy::WithBackups, shape);
        assert!(without > with + 50, "{shape:?}: {without}, {with}");
    }
}

#[test]
fn the_longest_first_is_better_than_the_order_of_the_film() {
    let (film, _) = means(Policy::FirstCome, Shape::EightFourTwoOne);
    let (longest, _) = means(Policy::LongestFirst, Shape::EightFourTwoOne);
    assert!(longest < film, "{longest}, {film}");
}

#[test]
fn a_replay_ends_as_the_run_did_and_tells_what_happened() {
    let (told, ended) = replay(7);
    assert_eq!(ended, run(7));
    assert!(told.iter().any(|line| line.contains("RequestTask")), "{} lines", told.len());
}
