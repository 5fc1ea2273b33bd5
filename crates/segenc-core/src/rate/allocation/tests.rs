//! Drawn cases: segments as numbers, in kilobytes and seconds.

use proptest::prelude::*;

use super::*;

const EXACT: Overshoot = Overshoot { usual: 0, per_doubling: 0 };

fn shares(kilobytes: &[u64]) -> Vec<Share> {
    kilobytes.iter().map(|kilobytes| Share { bytes: kilobytes * 1000, micros: 1_000_000 }).collect()
}

/// What each second gets of so many kilobits.
fn due(kilobits: u64, kilobytes: &[u64], limit_kilobits: Option<u64>) -> Vec<u64> {
    let limit = limit_kilobits.map(|kilo| BufferLimit { bits_per_second: kilo * 1000, bits: 1 });
    let allocation = allocate(kilobits * 1000, &shares(kilobytes), limit, EXACT);
    assert_eq!(allocation.due, allocation.asked);
    allocation.due.iter().map(|bits| bits / 1000).collect()
}

#[test]
fn bits_follow_what_the_same_quality_took() {
    assert_eq!(due(700, &[1, 2, 4], None), [100, 200, 400]);
    assert_eq!(due(700, &[10, 20, 40], None), [100, 200, 400]);
    assert_eq!(due(900, &[5, 5, 5], None), [300, 300, 300]);
    assert_eq!(due(900, &[], None), Vec::<u64>::new());
}

#[test]
fn a_black_segment_gets_the_least_and_the_others_the_rest() {
    assert_eq!(due(1002, &[0, 50, 50], None), [2, 500, 500]);
    assert_eq!(due(0, &[1, 1], None), [2, 2]);
}

#[test]
fn what_does_not_fit_through_the_limit_goes_to_the_others() {
    assert_eq!(due(700, &[1, 2, 4], Some(300)), [133, 266, 300]);
    assert_eq!(due(700, &[1, 2, 40], Some(300)), [133, 266, 300]);
    assert_eq!(due(7000, &[1, 2, 4], Some(300)), [300, 300, 300]);
    assert_eq!(due(7000, &[1], Some(1)), [1]);
}

#[test]
fn sizes_that_nothing_has_are_shared_out_too() {
    let endless = Share { bytes: u64::MAX, micros: u64::MAX / 2 };
    let due = allocate(u64::MAX, &[endless; 3], None, EXACT).due;
    assert_eq!(due.len(), 3);
    assert!(due.iter().all(|bits| *bits > 0), "{due:?}");
}

#[test]
fn encoders_are_asked_for_less_where_they_are_known_to_exceed() {
    let overshoot = Overshoot { usual: 10, per_doubling: 20 };
    let asked = |bits| allocate(bits, &shares(&[100]), None, overshoot).asked;
    assert_eq!(asked(800_000), [792_079]);
    assert_eq!(asked(1_600_000), [1_553_398]);
    assert_eq!(asked(400_000), [404_040]);
}

#[test]
fn a_file_s_size_leaves_the_film_what_the_others_do_not_take() {
    let minute = 60_000_000;
    assert_eq!(film_bits(RateAim::BitsPerSecond(1_000), 5, minute), Ok(60_000));
    assert_eq!(film_bits(RateAim::FileBytes(1_000_000), 400_000, minute), Ok(4_800_000));
    let refused = film_bits(RateAim::FileBytes(1_000_000), 990_000, minute);
    let wanted = AllocationError::NothingLeft { others: 990_000, wished: 1_000_000, seconds: 60 };
    assert_eq!(refused, Err(wanted));
}

fn again(due: &[u64], came_out: &[u64]) -> Vec<(u32, u64)> {
    retakes(due, due, came_out).iter().map(|retake| (retake.segment, retake.asked)).collect()
}

#[test]
fn a_film_near_its_wish_is_left_as_it_is() {
    assert_eq!(again(&[1000, 1000], &[1012, 1012]), []);
    assert_eq!(again(&[1000, 1000], &[900, 1100]), []);
    assert_eq!(again(&[], &[]), []);
}

#[test]
fn those_that_missed_most_are_made_again_and_no_more_than_needed() {
    assert_eq!(again(&[1000; 4], &[1010, 1200, 1000, 1000]), [(1, 833)]);
    assert_eq!(again(&[1000; 4], &[1100, 1200, 990, 1000]), [(0, 918), (1, 833)]);
    // Those that came out too small are no reason to make the others smaller.
    assert_eq!(again(&[1000; 4], &[800, 1000, 1000, 700]), [(0, 1250), (3, 1428)]);
    assert_eq!(again(&[1000; 2], &[0, 1000]), [(0, 1_000_000)]);
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nobody_is_out_of_bounds(
        film_bits in 0..u64::MAX,
        measured in proptest::collection::vec((0..u64::MAX / 1000, 1..100_000_000_u64), 1..40),
        limit in proptest::option::of(1..1_000_000_000_u64),
    ) {
        let shares: Vec<Share> =
            measured.into_iter().map(|(bytes, micros)| Share { bytes, micros }).collect();
        let limit = limit.map(|bits_per_second| BufferLimit { bits_per_second, bits: 1 });
        let allocation = allocate(film_bits, &shares, limit, EXACT);
        let bounds: Vec<Bounds> = shares.iter().map(|share| Bounds::of(share, limit)).collect();
        let sum = |each: &dyn Fn(usize) -> u64| -> u128 {
            (0..shares.len()).map(|index| u128::from(each(index))).sum()
        };
        let given = sum(&|index| allocation.due[index]);
        let (least, most) = (sum(&|index| bounds[index].least), sum(&|index| bounds[index].most));
        prop_assert_eq!(given, u128::from(film_bits).clamp(least, most));
        for (bits, bounds) in allocation.due.iter().zip(&bounds) {
            prop_assert!((bounds.least..=bounds.most).contains(bits));
        }
    }

    #[test]
    fn retakes_bring_the_film_near_if_encoders_obey(
        // Not smaller: what is asked for is whole bits, and that rounding is multiplied by how much was missed.
        came_out in proptest::collection::vec(100_000..10_000_000_u64, 1..40),
        due in proptest::collection::vec(100_000..10_000_000_u64, 40),
    ) {
        let due: Vec<u64> = due.into_iter().take(came_out.len()).collect();
        let mut after = came_out.clone();
        for retake in retakes(&due, &due, &came_out) {
            let place = retake.segment as usize;
            let share = u128::from(retake.asked) * u128::from(came_out[place]);
            after[place] = (share / u128::from(due[place])) as u64;
        }
        let wished: u64 = due.iter().sum();
        let off = after.iter().sum::<u64>().abs_diff(wished);
        prop_assert!(off * 1000 <= wished * NEAR_ENOUGH_PERMILLE, "{off} of {wished}");
    }
}
