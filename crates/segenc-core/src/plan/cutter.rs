//! Cuts a film while its packets stream in, in decoding order. Knows packets and lengths, nothing of
//! the wish behind them.

use std::collections::{BTreeMap, VecDeque};

use super::grid::{After, Grid, Reach};
use super::keyframes::{Candidate, Keyframes, Seek};
use super::scenes::Scenes;
use super::{Cut, Frames, Segment, Unsplittable};
use crate::source::Packet;
use crate::time::{PtsRange, Timebase};

/// How many frames that are shown later can be decoded before a frame: 16 in H.264, 15 or less in all
/// other codecs (their picture buffers are no larger). So once more frames than this stand at or
/// after a PTS, everything before that PTS is known.
pub(super) const MAX_REORDER: usize = 16;

/// Where no keyframe is near the wished length, a segment goes on to a keyframe that comes before this many
/// quarters of it: decoding up to an ordinary frame would cost more than the longer segment does. Nine, since
/// x264's usual largest distance of 250 frames is 10.4 s, and the shortest usual wish 5 s.
const KEYFRAME_QUARTERS: i64 = 9;

/// A cut at an ordinary frame is worth decoding from the keyframe before it for this many target
/// lengths; beyond, the segment goes on to the next keyframe.
const MAX_DECODING_TARGETS: i64 = 3;

/// Frames at the end of the film that tell the usual distance between frames.
const DISTANCE_SAMPLE: usize = 250;

/// A guard against timestamps that would make a segment of nearly every frame: four times what the
/// target length allows for.
const MAX_SEGMENTS: u32 = 20_000;

/// Frames beyond a segment that its encoder may be shown, where the film goes on as it was. More bring less and less,
/// and cost bits and work (docs/benchmarks.md has the figures for x264).
const LOOKAHEAD: usize = 8;

const SAME_TIME: &str = "two of its frames have the same time";

/// What a cutter is told of the film and of the wish.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    pub(super) timebase: Timebase,
    /// Subtracted from a PTS to get that of the output.
    pub(super) shift: i64,
    /// Wished length of a segment, in ticks; at least 2.
    pub(super) target: i64,
    /// What the filters need before a segment.
    pub(super) run_up: Reach,
    /// What they need after it.
    pub(super) run_out: Reach,
    /// The clock of the frames that come out, if it is not that of the source.
    pub(super) grid: Option<Grid>,
    /// Distance of frames in ticks by the nominal rate, for a film of one frame.
    pub(super) nominal_distance: i64,
}

impl Measure {
    /// No segment is shorter than this, if the film is not.
    fn shortest(&self) -> i64 {
        (self.target / 2).max(1)
    }

    fn longest(&self) -> i64 {
        self.target.saturating_add(self.shortest())
    }

    /// Beyond this, a cut at an ordinary frame is better than one at a keyframe.
    fn longest_to_keyframe(&self) -> i64 {
        (self.target.saturating_mul(KEYFRAME_QUARTERS) / 4).max(self.longest())
    }
}

/// Where a segment may end.
struct Window {
    start: i64,
    goal: i64,
    /// The last PTS at which the rest of the film is known to be long enough for a segment.
    bound: i64,
}

/// What a cutter has come to.
#[derive(Debug)]
pub(super) enum Step {
    /// The next segment.
    Segment(Box<Segment>),
    /// Nothing, without the next packet.
    NeedsPacket,
    /// Nothing, before it is known where scenes begin.
    NeedsScenes,
}

/// Cuts a film.
#[derive(Debug)]
pub(super) struct Cutter {
    measure: Measure,
    keyframes: Keyframes,
    /// Frames of the segment being formed and after it: PTS and bytes.
    pending: BTreeMap<i64, u32>,
    /// PTS of the last frames before the segment being formed, as many as the filters need.
    before: VecDeque<i64>,
    /// The frame that is shown last so far, and for how long.
    newest: Option<(i64, Option<i64>)>,
    /// PTS of the last frame that comes out of the segments so far.
    last_expected: Option<i64>,
    last_dts: Option<i64>,
    first_keyframe: Option<i64>,
    planned: u32,
    /// Cuts that were made before, by an analysis that did not come to its end.
    given: VecDeque<(i64, Cut)>,
}

impl Cutter {
    pub(super) fn new(measure: Measure) -> Self {
        Self {
            measure,
            keyframes: Keyframes::new(measure.timebase),
            pending: BTreeMap::new(),
            before: VecDeque::new(),
            newest: None,
            last_expected: None,
            last_dts: None,
            first_keyframe: None,
            planned: 0,
            given: VecDeque::new(),
        }
    }

    pub(super) const fn measure(&self) -> &Measure {
        &self.measure
    }

    /// Cuts the film where it was cut before, as far as that is known.
    pub(super) fn follow<'a>(&mut self, segments: impl IntoIterator<Item = &'a Segment>) {
        let cuts = segments.into_iter().map(|segment| (segment.end, segment.cut));
        self.given = cuts.filter(|(_, cut)| *cut != Cut::End).collect();
    }

    /// Gives the next segment that is final, whatever comes. Packets must not be taken before that is asked: so it
    /// is the same segment, however late it became known where scenes begin.
    pub(super) fn step(&mut self, scenes: Option<&Scenes>) -> Result<Step, Unsplittable> {
        if !self.is_far_enough() {
            return Ok(Step::NeedsPacket);
        }
        let known = |scenes: &Scenes| scenes.is_known(self.window_end());
        if self.given.is_empty() && !scenes.is_none_or(known) {
            return Ok(Step::NeedsScenes);
        }
        match self.next_cut(scenes) {
            Some((end, cut)) => Ok(Step::Segment(Box::new(self.split_off(end, cut)?))),
            None => Ok(Step::NeedsPacket),
        }
    }

    /// Where the segment being formed begins.
    pub(super) fn start(&self) -> Option<i64> {
        self.pending.first_key_value().map(|(pts, _)| *pts)
    }

    /// Cuts what is left: there are no more packets.
    pub(super) fn finish(&mut self, scenes: Option<&Scenes>) -> Result<Vec<Segment>, Unsplittable> {
        let film_end = self.film_end()?;
        let mut segments = Vec::new();
        while let Some((end, cut)) = self.last_cuts(film_end, scenes) {
            segments.push(self.split_off(end, cut)?);
        }
        segments.push(self.end_film(film_end)?);
        Ok(segments)
    }

    /// Takes the next packet in decoding order.
    pub(super) fn take(&mut self, packet: &Packet) -> Result<(), Unsplittable> {
        let Some(pts) = packet.pts else {
            return Err(Unsplittable::because("some of its packets have no time"));
        };
        // A missing DTS is no flaw: Matroska stores none, and ffmpeg guesses those of the first packets
        // of a film with B-frames as unknown.
        if let (Some(last), Some(now)) = (self.last_dts, packet.dts)
            && now < last
        {
            return Err(Unsplittable::because("its decoding times run backwards"));
        }
        self.last_dts = packet.dts.or(self.last_dts);
        let first_keyframe = match (self.first_keyframe, packet.key) {
            (Some(first), _) => first,
            (None, true) => pts,
            (None, false) => {
                return Err(Unsplittable::because("it does not begin with a keyframe"));
            }
        };
        self.first_keyframe = Some(first_keyframe);
        self.keyframes.see(packet, pts);
        if packet.discarded {
            return Ok(());
        }
        if pts < first_keyframe {
            return Err(Unsplittable::because(
                "its first frames need frames that are not in the source",
            ));
        }
        let too_late = match self.known_until() {
            Some(known) => pts < known,
            None => false,
        };
        if too_late {
            return Err(Unsplittable::because("its times jump back"));
        }
        if self.pending.insert(pts, packet.size).is_some() {
            return Err(Unsplittable::because(SAME_TIME));
        }
        if self.newest.is_none_or(|(newest, _)| newest < pts) {
            self.newest = Some((pts, packet.duration));
        }
        Ok(())
    }

    /// All frames before this PTS are known.
    fn known_until(&self) -> Option<i64> {
        self.pending.keys().rev().nth(MAX_REORDER).copied()
    }

    /// Whether so much of the film is known that the next cut would be the same whatever comes.
    fn is_far_enough(&self) -> bool {
        let (Some(known), Some(start)) = (self.known_until(), self.start()) else { return false };
        let measure = &self.measure;
        let needed =
            start.saturating_add(measure.longest_to_keyframe()).saturating_add(measure.shortest());
        known >= needed
    }

    /// Up to where a scene may begin at which the segment being formed ends.
    fn window_end(&self) -> i64 {
        self.start().unwrap_or(i64::MAX).saturating_add(self.measure.longest())
    }

    /// The next cut of a film of which more may come.
    fn next_cut(&self, scenes: Option<&Scenes>) -> Option<(i64, Cut)> {
        let known = self.known_until()?;
        let start = self.start()?;
        let goal = start.saturating_add(self.measure.target);
        let bound = known.saturating_sub(self.measure.shortest());
        let (end, cut) = match self.given.front() {
            Some((end, cut)) => (*end <= bound).then_some((*end, *cut))?,
            None => self.choose(&Window { start, goal, bound }, scenes)?,
        };
        let run_out_end = self.filter_end(end)?;
        (run_out_end <= known).then_some((end, cut))
    }

    /// The next cut when the film's end is known; `None`: the rest is one segment.
    fn last_cuts(&self, film_end: i64, scenes: Option<&Scenes>) -> Option<(i64, Cut)> {
        let start = self.start()?;
        if let Some((end, cut)) = self.given.front() {
            return (*end > start && *end < film_end).then_some((*end, *cut));
        }
        let left = film_end.saturating_sub(start);
        if left <= self.measure.longest() {
            return None;
        }
        // Rather two even segments at the end than a long and a short one.
        let goal = start.saturating_add(self.measure.target.min(left / 2));
        let bound = film_end.saturating_sub(self.measure.shortest());
        self.choose(&Window { start, goal, bound }, scenes)
    }

    /// The best place for a cut: a keyframe off the grid, another frame at which a scene begins, any keyframe, an
    /// ordinary frame near the goal, or the next keyframe however far.
    fn choose(&self, window: &Window, scenes: Option<&Scenes>) -> Option<(i64, Cut)> {
        let first = window.start.saturating_add(self.measure.shortest());
        let last = window.start.saturating_add(self.measure.longest()).min(window.bound);
        let nearest = |candidate: &Candidate| candidate.pts.abs_diff(window.goal);
        let inside =
            || self.keyframes.candidates(first).take_while(|candidate| candidate.pts <= last);
        let off_grid = inside().filter(|candidate| candidate.off_grid).min_by_key(nearest);
        if let Some(keyframe) = off_grid {
            return Some(cut_at(keyframe));
        }
        if let Some(scene) =
            scenes.and_then(|scenes| self.nearest_scene(window.goal, scenes.between(first, last)))
        {
            return Some((scene, Cut::Scene));
        }
        if let Some(keyframe) = inside().min_by_key(nearest) {
            return Some(cut_at(keyframe));
        }
        let next = self.keyframes.candidates(first.max(last)).next();
        let near =
            window.start.saturating_add(self.measure.longest_to_keyframe()).min(window.bound);
        if let Some(keyframe) = next.filter(|keyframe| keyframe.pts <= near) {
            return Some(cut_at(keyframe));
        }
        if let Some(frame) = self.nearest_frame(first, window.goal, last)
            && self.worth_decoding_to(frame)
        {
            return Some((frame, Cut::Frame));
        }
        let next = next?;
        (next.pts <= window.bound).then(|| cut_at(next))
    }

    /// The scene nearest to `goal` that begins at a frame of the film which is not too dear to reach.
    fn nearest_scene(&self, goal: i64, scenes: impl Iterator<Item = i64>) -> Option<i64> {
        scenes
            .filter(|pts| self.pending.contains_key(pts) && self.worth_decoding_to(*pts))
            .min_by_key(|pts| pts.abs_diff(goal))
    }

    /// The frame nearest to `goal` among those from `first` to `last`.
    fn nearest_frame(&self, first: i64, goal: i64, last: i64) -> Option<i64> {
        if first > last {
            return None;
        }
        let goal = goal.clamp(first, last);
        let before = self.pending.range(first..=goal).next_back();
        let after = self.pending.range(goal..=last).next();
        before.into_iter().chain(after).map(|(pts, _)| *pts).min_by_key(|pts| pts.abs_diff(goal))
    }

    fn worth_decoding_to(&self, frame: i64) -> bool {
        let most = self.measure.target.saturating_mul(MAX_DECODING_TARGETS);
        self.keyframes
            .decoding_start(frame)
            .is_some_and(|start| frame.saturating_sub(start) <= most)
    }

    /// Takes the frames before `end` as the next segment.
    fn split_off(&mut self, end: i64, cut: Cut) -> Result<Segment, Unsplittable> {
        self.given.pop_front();
        let rest = self.pending.split_off(&end);
        let frames = std::mem::replace(&mut self.pending, rest);
        let filter_end = self.filter_end(end);
        let segment = self.segment(&frames, end, cut, filter_end)?;
        self.remember(&frames, end);
        let decoded_from = self.before.front().copied().unwrap_or(end);
        self.keyframes.forget_before(decoded_from);
        Ok(segment)
    }

    /// Takes all that is left as the last segment.
    fn end_film(&mut self, film_end: i64) -> Result<Segment, Unsplittable> {
        let frames = std::mem::take(&mut self.pending);
        self.segment(&frames, film_end, Cut::End, None)
    }

    fn segment(
        &mut self,
        frames: &BTreeMap<i64, u32>,
        end: i64,
        cut: Cut,
        filter_end: Option<i64>,
    ) -> Result<Segment, Unsplittable> {
        let index = self.planned;
        if index >= MAX_SEGMENTS {
            return Err(Unsplittable::because(format!(
                "it takes more than {MAX_SEGMENTS} segments"
            )));
        }
        self.planned += 1;
        let (Some(expected), Some((&start, _))) =
            (self.expected(frames, end, cut)?, frames.first_key_value())
        else {
            return Err(Unsplittable::because("it has no frames"));
        };
        let range_end = match cut {
            Cut::SceneKeyframe | Cut::Scene | Cut::Keyframe | Cut::Frame => Some(end),
            Cut::End => None,
        };
        let filter_start = self.filter_start(start);
        let seek = match filter_start {
            Some(from) => self.keyframes.seek(from),
            None => Seek { micros: None, longer_micros: None },
        };
        Ok(Segment {
            index,
            range: PtsRange { start: (index > 0).then_some(start), end: range_end },
            start,
            end,
            filter_range: PtsRange { start: filter_start, end: range_end.and(filter_end) },
            lookahead_end: self.lookahead_end(cut),
            seek_micros: seek.micros,
            longer_seek_micros: seek.longer_micros,
            expected,
            source_bytes: frames.values().map(|bytes| u64::from(*bytes)).sum(),
            cut,
        })
    }

    /// The frames that come out of a segment with these frames of the source.
    fn expected(
        &mut self,
        frames: &BTreeMap<i64, u32>,
        end: i64,
        cut: Cut,
    ) -> Result<Option<Frames>, Unsplittable> {
        let Some(grid) = self.measure.grid else {
            let shown = frames.keys().map(|pts| pts.saturating_sub(self.measure.shift));
            return Ok(Frames::of_sorted(shown));
        };
        let after = match cut {
            Cut::SceneKeyframe | Cut::Scene | Cut::Keyframe | Cut::Frame => After::Frame(end),
            Cut::End => After::End(self.newest.and_then(|(_, duration)| duration)),
        };
        let own: Vec<i64> = frames.keys().copied().collect();
        let shown = grid.frames(self.before.back().copied(), &own, after)?;
        let mut last = self.last_expected;
        for pts in &shown {
            if last.is_some_and(|last| *pts <= last) {
                return Err(Unsplittable::because(SAME_TIME));
            }
            last = Some(*pts);
        }
        self.last_expected = last;
        Ok(Frames::of_sorted(shown))
    }

    /// The first PTS that the filters need for a segment from `start` on; `None`: the film's beginning.
    fn filter_start(&self, start: i64) -> Option<i64> {
        if self.planned == 1 {
            return None;
        }
        let first = self.first_needed(start)?;
        Some(self.before.get(first).copied().unwrap_or(start))
    }

    /// The place in `before` of the first frame that the filters need for a segment from `start` on; `None`: they
    /// need more than there is.
    fn first_needed(&self, start: i64) -> Option<usize> {
        let Reach { ticks, frames } = self.measure.run_up;
        let from = start.saturating_sub(ticks);
        let reached = match ticks {
            0 => self.before.len(),
            _ => self.before.partition_point(|pts| *pts <= from).checked_sub(1)?,
        };
        reached.checked_sub(frames)
    }

    /// The first PTS that the filters need no more for a segment that ends at `end`; `None`: the film's end.
    fn filter_end(&self, end: i64) -> Option<i64> {
        let Reach { ticks, frames } = self.measure.run_out;
        let reached = end.saturating_add(ticks);
        self.pending.range(reached..).nth(frames).map(|(pts, _)| *pts)
    }

    /// The first PTS that the encoder of a segment which was split off just now is not to be shown.
    fn lookahead_end(&self, cut: Cut) -> Option<i64> {
        match cut {
            Cut::Keyframe | Cut::Frame => self.pending.keys().nth(LOOKAHEAD).copied(),
            Cut::SceneKeyframe | Cut::Scene | Cut::End => None,
        }
    }

    /// Keeps what the next segment needs, which begins at `next`.
    fn remember(&mut self, frames: &BTreeMap<i64, u32>, next: i64) {
        self.before.extend(frames.keys());
        let surplus = self.first_needed(next).unwrap_or(0);
        self.before.drain(..surplus);
    }

    /// Where the film ends: its last frame's PTS and the usual distance between frames.
    fn film_end(&self) -> Result<i64, Unsplittable> {
        let Some((&last, _)) = self.pending.last_key_value() else {
            return Err(Unsplittable::because("it has no frames"));
        };
        let newest: Vec<i64> = self.pending.keys().rev().take(DISTANCE_SAMPLE).copied().collect();
        let mut distances: Vec<i64> =
            newest.windows(2).map(|pair| pair[0].saturating_sub(pair[1])).collect();
        distances.sort_unstable();
        let usual =
            distances.get(distances.len() / 2).copied().unwrap_or(self.measure.nominal_distance);
        Ok(last.saturating_add(usual.max(1)))
    }
}

fn cut_at(keyframe: Candidate) -> (i64, Cut) {
    let cut = if keyframe.off_grid { Cut::SceneKeyframe } else { Cut::Keyframe };
    (keyframe.pts, cut)
}
