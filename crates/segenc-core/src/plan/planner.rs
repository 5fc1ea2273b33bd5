//! The planner: facts, then packets in; a header, then segments out. Ties layout, way and cutter
//! together and decides nothing itself.

use std::collections::VecDeque;

use super::cutter::{Cutter, Measure, Step};
use super::grid::{self, Grid};
use super::layout::lay_out;
use super::scenes::{Look, Scenes};
use super::threads::encoder_threads;
use super::way::{decoded_from, is_better_cut_at_scenes, target_millis, why_whole};
use super::{DecodedFrom, Film, PlanError, PlanHeader, Segment, Unsplittable, Way};
use crate::source::{Packet, Rational, SourceFacts, StreamFacts, VideoFacts};
use crate::spec::{DynamicHdr, JobSpec, VideoSpec};
use crate::time::Timebase;
use crate::work::copy_bias;

/// Makes one plan.
#[derive(Debug)]
pub struct Planner {
    header: PlanHeader,
    cutter: Option<Cutter>,
    /// Changes of scene, if somebody looks for them.
    scenes: Option<Scenes>,
    /// Packets that the cutter takes once it is known where scenes begin.
    waiting: VecDeque<Packet>,
}

impl Planner {
    /// Decides what can be decided before the first packet: the output's streams, whether the film is
    /// cut, and how long segments should be.
    ///
    /// # Errors
    /// When the wish does not fit the source: a mapped stream that is not there or that the container
    /// refuses, or an output without any stream.
    pub fn new(spec: &JobSpec, facts: &SourceFacts) -> Result<Self, PlanError> {
        let layout = lay_out(spec, facts)?;
        nothing_lost(spec, facts, layout.film)?;
        let target_millis = target_millis(spec, facts);
        let decoded_from = decoded_from(facts);
        let film = encoded_film(spec, facts, layout.film, &decoded_from);
        let whole = why_whole(spec, facts, &layout, target_millis);
        let cutter = match (&film, &whole) {
            (Some(film), None) => {
                let grid = Grid::of(&spec.split, film);
                Some(Cutter::new(measure(spec, film, target_millis, grid)))
            }
            (None, _) | (_, Some(_)) => None,
        };
        let other_streams = cutter.is_some() && layout.encoded_others > 0;
        let way = whole.map_or(Way::Segments, |reason| Way::Whole { reason });
        let layout = layout.streams;
        let encoder_threads = encoder_threads(facts, target_millis);
        let header = PlanHeader {
            way,
            decoded_from,
            film,
            layout,
            other_streams,
            target_millis,
            encoder_threads,
        };
        Ok(Self { header, cutter, scenes: None, waiting: VecDeque::new() })
    }

    /// Somebody can look at pictures: scenes are searched for where no keyframe tells them. Not for encoders that
    /// make keyframes only: for them it is all the same where a film is cut.
    #[must_use]
    pub fn with_looks(mut self, spec: &JobSpec) -> Self {
        if let Some(cutter) = self.cutter.as_ref().filter(|_| is_better_cut_at_scenes(spec)) {
            let Measure { timebase, target, .. } = *cutter.measure();
            self.scenes = Some(Scenes::new(timebase, target));
        }
        self
    }

    /// The film is cut where an earlier analysis has cut it, as far as that came.
    #[must_use]
    pub fn following<'a>(mut self, segments: impl IntoIterator<Item = &'a Segment>) -> Self {
        if let Some(cutter) = &mut self.cutter {
            cutter.follow(segments);
        }
        self
    }

    /// The fixed part of the plan.
    #[must_use]
    pub const fn header(&self) -> &PlanHeader {
        &self.header
    }

    /// Whether the plan needs the film's packets; not so when it is made in one piece.
    #[must_use]
    pub const fn wants_packets(&self) -> bool {
        self.cutter.is_some()
    }

    /// Takes the film's next packets in decoding order and gives the segments that are final now. How
    /// the packets are divided among calls makes no difference to the segments.
    ///
    /// # Errors
    /// When the packets show that the film must not be cut. The planner is of no more use then.
    pub fn push(&mut self, packets: &[Packet]) -> Result<Vec<Segment>, Unsplittable> {
        if self.cutter.is_none() {
            return Ok(Vec::new());
        }
        if let Some(scenes) = &mut self.scenes {
            packets.iter().for_each(|packet| scenes.see(packet));
        }
        self.waiting.extend(packets);
        self.advance()
    }

    /// There are no more packets, but there may be pictures to look at still.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn end_of_packets(&mut self) -> Result<Vec<Segment>, Unsplittable> {
        if let Some(scenes) = &mut self.scenes {
            scenes.end_of_packets();
        }
        self.advance()
    }

    /// Where somebody should look for changes of scene now, in the order of the film: the next segments wait for
    /// what is seen there. When it is seen makes no difference to them.
    #[must_use]
    pub fn looks(&self) -> Vec<Look> {
        let wanted = self.scenes.as_ref().filter(|_| self.cutter.is_some());
        wanted.map(Scenes::looks).unwrap_or_default()
    }

    /// Takes what was seen at the look that ends at `until`: the first picture of a new scene, if there is one.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn seen(&mut self, until: i64, scene: Option<i64>) -> Result<Vec<Segment>, Unsplittable> {
        if let Some(scenes) = &mut self.scenes {
            scenes.seen(until, scene);
        }
        self.advance()
    }

    /// Gives the remaining segments: there are no more packets, and nobody looks any more. The planner wants none
    /// from now on.
    ///
    /// # Errors
    /// When the film has no frames, or too many segments.
    pub fn finish(&mut self) -> Result<Vec<Segment>, Unsplittable> {
        if let Some(scenes) = &mut self.scenes {
            scenes.end_of_packets();
            scenes.give_up();
        }
        let mut segments = self.advance()?;
        if let Some(mut cutter) = self.cutter.take() {
            segments.extend(cutter.finish(self.scenes.as_ref())?);
        }
        Ok(segments)
    }

    /// Cuts as far as it can be known now.
    fn advance(&mut self) -> Result<Vec<Segment>, Unsplittable> {
        let mut segments = Vec::new();
        let Some(cutter) = &mut self.cutter else { return Ok(segments) };
        loop {
            match cutter.step(self.scenes.as_ref())? {
                Step::Segment(segment) => segments.push(*segment),
                Step::NeedsPacket => match self.waiting.pop_front() {
                    Some(packet) => cutter.take(&packet)?,
                    None => break,
                },
                Step::NeedsScenes => break,
            }
            if let (Some(scenes), Some(start)) = (&mut self.scenes, cutter.start()) {
                scenes.forget_before(start);
            }
        }
        Ok(segments)
    }
}

/// What is said of the light frame by frame goes along with packets, and no encoder takes it over.
fn nothing_lost(spec: &JobSpec, facts: &SourceFacts, film: Option<u32>) -> Result<(), PlanError> {
    match (&spec.video, spec.dynamic_hdr) {
        (VideoSpec::Encode(_), DynamicHdr::Refuse) => {}
        (VideoSpec::Encode(_), DynamicHdr::Drop) | (VideoSpec::Copy | VideoSpec::Drop, _) => {
            return Ok(());
        }
    }
    let stream = facts.streams.iter().find(|stream| Some(stream.index) == film);
    match stream.and_then(|stream| stream.video.as_ref()) {
        Some(video) if !video.dynamic_hdr.is_empty() => {
            Err(PlanError::DynamicHdrLost { kind: video.dynamic_hdr.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

/// The film, if it is encoded.
fn encoded_film(
    spec: &JobSpec,
    facts: &SourceFacts,
    index: Option<u32>,
    decoded_from: &DecodedFrom,
) -> Option<Film> {
    match &spec.video {
        VideoSpec::Encode(_) => {}
        VideoSpec::Copy | VideoSpec::Drop => return None,
    }
    let stream = facts.streams.iter().find(|stream| Some(stream.index) == index)?;
    Some(Film {
        stream: stream.index,
        timebase: stream.timebase,
        shift: match decoded_from {
            // ffmpeg adds the negated start time, rescaled; its rounding is the same on both sides of zero.
            DecodedFrom::Source => stream.timebase.ticks(facts.start_micros),
            DecodedFrom::Copy { .. } => copy_bias(stream.timebase),
        },
        rate: grid::rate_after(&spec.split, nominal_rate(stream)),
        mastering: stream.video.as_ref().and_then(|video| video.mastering),
    })
}

/// The rate that ffmpeg itself would write into the output (`av_guess_frame_rate`): the smallest that
/// all timestamps fit into, unless it is absurdly far above the average.
fn nominal_rate(stream: &StreamFacts) -> Option<Rational> {
    let usable = |rate: &Rational| rate.num > 0 && rate.den > 0;
    let VideoFacts { average_rate, real_rate, .. } = stream.video.as_ref()?;
    let average = (*average_rate).filter(usable);
    let real = (*real_rate).filter(usable);
    match (real, average) {
        (Some(real), Some(average))
            if u64::from(average.num) < 70 * u64::from(average.den)
                && u64::from(real.num) > 210 * u64::from(real.den) =>
        {
            Some(average)
        }
        (real, average) => real.or(average),
    }
}

fn measure(spec: &JobSpec, film: &Film, target_millis: u64, grid: Option<Grid>) -> Measure {
    let (run_up, run_out) = grid::reaches(&spec.split, film);
    let least = grid::least_target(&spec.split, film.timebase).max(2);
    let target_micros = i64::try_from(target_millis).unwrap_or(i64::MAX).saturating_mul(1000);
    let nominal_distance = film
        .rate
        .and_then(|rate| Timebase::new(rate.den, rate.num).ok())
        .map_or(1, |distance| distance.rescale(1, film.timebase));
    Measure {
        timebase: film.timebase,
        shift: film.shift,
        target: film.timebase.ticks(target_micros).max(least),
        run_up,
        run_out,
        grid,
        nominal_distance,
    }
}
