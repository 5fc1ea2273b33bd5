//! Facts about the simulator and, by it, about the pool.

use super::*;

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
}

#[test]
fn a_calm_farm_is_nearly_as_fast_as_can_be() {
    let summary = run_many(1_000, 300);
    assert!(summary.mean_ratio_permille < 1_300, "{}", summary.mean_ratio_permille);
}
