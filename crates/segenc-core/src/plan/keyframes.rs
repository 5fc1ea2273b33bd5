//! The keyframes that were seen: which of them a film may be cut or decoded from, which stand off the
//! regular grid, and how to reach them. Knows nothing of segments and their lengths.

use std::collections::VecDeque;

use super::seek::{IndexEntry, seek_target};
use crate::source::Packet;
use crate::time::Timebase;

/// A keyframe stands off the grid when it comes sooner after the one before than nine tenths of the
/// longest distance seen: encoders put keyframes at a fixed largest distance, and sooner only where
/// the picture changes. The tenth is room for grids that are fixed in seconds, not in frames.
const OFF_GRID_TENTHS: u64 = 9;

/// The longer run-up begins at least this much before the usual one, …
const LONGER_SECONDS: i64 = 5;

/// … and at least this many keyframes.
const LONGER_KEYFRAMES: usize = 2;

/// A key packet.
#[derive(Debug, Clone, Copy)]
struct Keyframe {
    place: IndexEntry,
    /// Packets from the key packet before, in decoding order; `None`: the first.
    distance: Option<u64>,
    /// Nothing decoded before it is shown after it, and it is shown itself: decoding can start here
    /// and the film can be cut here.
    clean: bool,
}

/// A keyframe at which the film may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) pts: i64,
    pub(super) off_grid: bool,
}

/// Where decoding starts: `None` is the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seek {
    pub(super) micros: Option<i64>,
    pub(super) longer_micros: Option<i64>,
}

/// The keyframes that may still be needed, in decoding order.
#[derive(Debug)]
pub(super) struct Keyframes {
    timebase: Timebase,
    seen: VecDeque<Keyframe>,
    /// Whether the front of `seen` is the film's first keyframe.
    whole: bool,
    packets_since: Option<u64>,
    longest: u64,
    last_shown: Option<i64>,
}

impl Keyframes {
    pub(super) fn new(timebase: Timebase) -> Self {
        Self {
            timebase,
            seen: VecDeque::new(),
            whole: true,
            packets_since: None,
            longest: 0,
            last_shown: None,
        }
    }

    /// Takes note of the next packet in decoding order.
    pub(super) fn see(&mut self, packet: &Packet, pts: i64) {
        let distance = self.packets_since.map(|before| before + 1);
        if packet.key {
            self.longest = self.longest.max(distance.unwrap_or(0));
            self.seen.push_back(Keyframe {
                place: IndexEntry { pts, dts: packet.dts },
                distance,
                clean: !packet.discarded && self.last_shown.is_none_or(|last| last < pts),
            });
            self.packets_since = Some(0);
        } else {
            self.packets_since = distance;
        }
        if !packet.discarded {
            self.last_shown = Some(self.last_shown.map_or(pts, |last| last.max(pts)));
        }
    }

    /// The keyframes at which the film may be cut, from `from` on, ascending.
    pub(super) fn candidates(&self, from: i64) -> impl Iterator<Item = Candidate> + '_ {
        self.seen.iter().filter(move |key| key.clean && key.place.pts >= from).map(|key| {
            let off_grid =
                key.distance.is_some_and(|distance| distance * 10 < self.longest * OFF_GRID_TENTHS);
            Candidate { pts: key.place.pts, off_grid }
        })
    }

    /// From which PTS on a decoder must run to give the frame at `pts`, where known.
    pub(super) fn decoding_start(&self, pts: i64) -> Option<i64> {
        self.last_until(pts).map(|position| self.seen[position].place.pts)
    }

    /// How to reach the keyframe from which the frame at `pts` and all after it can be decoded.
    pub(super) fn seek(&self, pts: i64) -> Seek {
        let Some(position) = self.last_until(pts) else {
            return Seek { micros: None, longer_micros: None };
        };
        Seek {
            micros: self.request(position),
            longer_micros: self.longer(position).and_then(|longer| self.request(longer)),
        }
    }

    /// Forgets what no frame from `pts` on needs.
    pub(super) fn forget_before(&mut self, pts: i64) {
        let needed = self.last_until(pts).and_then(|position| self.longer(position)).unwrap_or(0);
        if needed > 0 {
            self.seen.drain(..needed);
            self.whole = false;
        }
    }

    /// The last clean keyframe at or before `pts`.
    fn last_until(&self, pts: i64) -> Option<usize> {
        self.seen.iter().rposition(|key| key.clean && key.place.pts <= pts)
    }

    /// The clean keyframe for the longer run-up.
    fn longer(&self, position: usize) -> Option<usize> {
        let ticks = self.timebase.ticks(LONGER_SECONDS * 1_000_000);
        let latest = self.seen[position].place.pts.saturating_sub(ticks);
        (0..(position + 1).saturating_sub(LONGER_KEYFRAMES))
            .rev()
            .find(|earlier| self.seen[*earlier].clean && self.seen[*earlier].place.pts <= latest)
    }

    /// The request for the keyframe at `position`; the film's first one needs none.
    fn request(&self, position: usize) -> Option<i64> {
        if position == 0 && self.whole {
            return None;
        }
        let next = self.seen.get(position + 1).map(|key| key.place);
        Some(seek_target(self.seen[position].place, next, self.timebase))
    }
}
