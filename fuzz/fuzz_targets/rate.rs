//! Sizes as any worker may report them become bits of segments: no panic, and no endless round.
//!
//! Sixteen bytes of wish and limit, then eight of measured size and eight of duration for each segment.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segenc_core::rate::{BufferLimit, Overshoot, RateAim, Share, allocate, film_bits, retakes};
use segenc_core::source::Packet;
use segenc_core::time::Timebase;

fuzz_target!(|input: &[u8]| {
    let mut numbers =
        input.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight")));
    let (Some(wish), Some(limit)) = (numbers.next(), numbers.next()) else { return };
    let numbers: Vec<u64> = numbers.collect();
    let share = |pair: &[u64]| Share { bytes: pair[0], micros: pair[1] >> 1 };
    let shares: Vec<Share> = numbers.chunks_exact(2).map(share).collect();
    let micros = shares.iter().map(|share| share.micros).fold(0, u64::saturating_add);
    let others = numbers.first().copied().unwrap_or_default();
    let _ = film_bits(RateAim::FileBytes(wish), others, micros);
    let Ok(bits) = film_bits(RateAim::BitsPerSecond(wish), others, micros) else { return };
    let limit = BufferLimit { bits_per_second: limit, bits: wish };
    for limit in [None, Some(limit)] {
        let allocation = allocate(bits, &shares, limit, Overshoot { usual: 20, per_doubling: 15 });
        assert_eq!(allocation.due.len(), shares.len());
        assert_eq!(allocation.asked.len(), shares.len());
        let came: Vec<u64> = shares.iter().map(|share| share.bytes.saturating_mul(8)).collect();
        let again = retakes(&allocation.due, &allocation.asked, &came);
        assert!(again.len() <= shares.len());
    }
    let packet = |number: &u64| Packet {
        pts: None,
        dts: Some(number.cast_signed()),
        duration: None,
        size: *number as u32,
        key: false,
        discarded: false,
    };
    let packets: Vec<Packet> = numbers.iter().map(packet).collect();
    for (num, den) in [(1, 90_000), (u32::MAX, 1), (1, u32::MAX)] {
        let timebase = Timebase::new(num, den).expect("both sides are above zero");
        let _ = limit.run(&packets, timebase);
    }
});
