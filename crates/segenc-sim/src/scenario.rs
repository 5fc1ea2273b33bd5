//! What a seed stands for: jobs, machines, the network, and what goes wrong when.

use segenc_core::plan::{Cut, Film, Frames, Origin, OutputStream, PlanHeader, Segment, Way};
use segenc_core::pool::command::NewJob;
use segenc_core::pool::job::{Fingerprint, SourceLocation, SourceRef};
use segenc_core::rate::{Notes, Overshoot, Passes, QualityScale, RateAim, RateWish};
use segenc_core::source::SourceFacts;
use segenc_core::spec::{JobSpec, SplitPolicy, Verify, VideoEncode, VideoSpec};
use segenc_core::time::{MICROSECONDS, Millis, PtsRange};

use crate::random::Random;

/// The encoder that jobs ask for; not every machine has it.
const ENCODER: &str = "libx265";
/// What every machine has.
const USUAL_ENCODER: &str = "libx264";
/// Frames of every segment: their number plays no part, only whether it is the planned one.
const FRAMES: u64 = 240;

/// Bitrate of jobs that wish one: segments last a millisecond.
const BITS_PER_SECOND: u64 = 1_000_000_000;
/// What is weighed beside the film, in bytes.
pub(crate) const WEIGHT: u64 = 100_000;
/// Size of files that are to have one.
const FILE_BYTES: u64 = 10_000_000;

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) calm: bool,
    pub(crate) jobs: Vec<Wish>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) network: Network,
    pub(crate) mishaps: Vec<(Millis, Mishap)>,
    /// From here on nothing goes wrong any more, and every job must come to its end.
    pub(crate) quiet_from: Millis,
    /// By then.
    pub(crate) deadline: Millis,
    pub(crate) ideal: Millis,
}

/// A job and the truth about it, which only its workers see.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) at: Millis,
    pub(crate) job: NewJob,
    pub(crate) header: PlanHeader,
    pub(crate) segments: Vec<Segment>,
    /// Segments that come out wrong on the first rung; the flag: on the second one too.
    pub(crate) stubborn: Vec<(u32, Rungs)>,
    /// Segments that come out larger than their bits.
    pub(crate) fat: Vec<u32>,
    /// Work of all segments.
    pub(crate) work: u64,
}

/// How many rungs a segment takes to come out right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rungs {
    /// The longer run-up helps.
    Two,
    /// Only the unsplit way helps.
    Three,
}

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) slots: u32,
    /// Work per second and slot.
    pub(crate) speed: u64,
    pub(crate) encoders: Vec<String>,
    /// What its encoder's parameter sets are.
    pub(crate) extradata: String,
    /// How often its attempts fail, in thousandths, until it gets quiet.
    pub(crate) failing: u64,
}

/// What messages meet, in thousandths and milliseconds, until it gets quiet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) late: u64,
    pub(crate) latest: Millis,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Mishap {
    /// The process dies and starts again after this time.
    Kill(usize, Millis),
    /// The same, and it has forgotten who it was.
    Forget(usize, Millis),
    /// It leaves in good order, and comes back after this time.
    SignOff(usize, Millis),
    /// Its line breaks, and the server takes back what it holds; it goes on and learns of it later.
    LineLost(usize),
    /// It stands still for this time, and goes on as if nothing had been.
    Freeze(usize, Millis),
    /// The server dies and is back after this time.
    Server(Millis),
    Pause(usize),
    Resume(usize),
    Cancel(usize),
    Abandon(usize),
    Drain(usize),
    Release(usize),
    Remove(usize),
    /// It claims that another's attempt is its own, and done.
    Claim(usize),
}

/// Draws the scenario of a seed.
pub(crate) fn draw(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    // Every eighth run is calm: it shows the makespan, and that nothing fails without a cause.
    let calm = random.chance(125);
    let machines = draw_machines(&mut random, calm);
    let count = if calm { 1 } else { random.between(1, 3) };
    let jobs: Vec<Wish> = (0..count).map(|_| draw_wish(&mut random, calm)).collect();
    let work: u64 = jobs.iter().map(|wish| wish.work).sum();
    let speed = |machine: &Machine| machine.speed * u64::from(machine.slots);
    let able = machines.iter().filter(|machine| machine.encoders.iter().any(|it| it == ENCODER));
    let together: u64 = able.clone().map(speed).sum();
    let slowest = able.map(|machine| machine.speed).min().unwrap_or(1);
    let quiet_from = if calm { 0 } else { random.between(20_000, 120_000) };
    // All work may fall to one slot of the slowest machine, in one piece, and twice.
    let deadline = quiet_from + 600_000 + 4 * 1000 * work / slowest;
    Scenario {
        seed,
        calm,
        network: draw_network(&mut random, calm),
        mishaps: draw_mishaps(&mut random, machines.len(), jobs.len(), quiet_from),
        jobs,
        machines,
        quiet_from,
        deadline,
        ideal: 1000 * work / together.max(1),
    }
}

fn draw_machines(random: &mut Random, calm: bool) -> Vec<Machine> {
    let count = if calm { random.between(2, 4) } else { random.between(2, 7) };
    (0..count)
        .map(|number| {
            // The first one has everything and is as usual, so that every job can be done.
            let first = number == 0;
            let mut encoders = vec![USUAL_ENCODER.to_owned()];
            if first || calm || random.chance(850) {
                encoders.push(ENCODER.to_owned());
            }
            let odd = !first && !calm && random.chance(60);
            Machine {
                slots: u32::try_from(random.between(1, if calm { 1 } else { 3 })).unwrap_or(1),
                speed: 100 << random.between(0, if calm { 2 } else { 3 }),
                encoders,
                extradata: if odd { "odd".to_owned() } else { "usual".to_owned() },
                failing: match random.between(0, 9) {
                    _ if calm => 0,
                    0 => 900,
                    1..=4 => random.between(1, 80),
                    _ => 0,
                },
            }
        })
        .collect()
}

const fn draw_network(random: &mut Random, calm: bool) -> Network {
    if calm {
        return Network { lost: 0, doubled: 0, late: 0, latest: 0 };
    }
    Network {
        lost: random.between(0, 150),
        doubled: random.between(0, 150),
        late: random.between(0, 80),
        latest: random.between(500, 25_000),
    }
}

fn draw_mishaps(
    random: &mut Random,
    machines: usize,
    jobs: usize,
    until: Millis,
) -> Vec<(Millis, Mishap)> {
    let count = if until == 0 { 0 } else { random.between(0, 12) };
    let mut mishaps = Vec::new();
    for _ in 0..count {
        let at = random.between(0, until - 1);
        let machine = random.position(machines);
        let job = random.position(jobs);
        let mishap = match random.between(0, 26) {
            0..=4 => Mishap::Kill(machine, random.between(100, 40_000)),
            5 => Mishap::Forget(machine, random.between(100, 40_000)),
            6 => Mishap::SignOff(machine, random.between(100, 40_000)),
            7..=10 => Mishap::Freeze(machine, random.between(1_000, 40_000)),
            11..=14 => Mishap::Server(random.between(10, 20_000)),
            15 => {
                mishaps.push((at + random.between(0, 30_000), Mishap::Resume(job)));
                Mishap::Pause(job)
            }
            16 => Mishap::Cancel(job),
            17 => Mishap::Abandon(job),
            18 => Mishap::Drain(machine),
            19 | 20 => Mishap::Release(machine),
            21 => Mishap::Remove(machine),
            22 | 23 => Mishap::LineLost(machine),
            _ => Mishap::Claim(machine),
        };
        mishaps.push((at, mishap));
    }
    mishaps
}

fn draw_wish(random: &mut Random, calm: bool) -> Wish {
    let whole = !calm && random.chance(80);
    let count = if whole { 0 } else { random.between(1, 30) };
    let count = if calm { random.between(50, 60) } else { count };
    let least = if calm { 1_000 } else { 200 };
    let segments: Vec<Segment> = (0..count)
        .map(|index| draw_segment(index, index + 1 == count, random.between(least, 3_000)))
        .collect();
    let mut stubborn = Vec::new();
    if !calm {
        for segment in &segments {
            if random.chance(20) {
                let rungs = if random.chance(150) { Rungs::Three } else { Rungs::Two };
                stubborn.push((segment.index, rungs));
            }
        }
    }
    let fat = segments.iter().filter(|_| random.chance(100)).map(|segment| segment.index).collect();
    let mut spec = spec();
    let mut layout = Vec::new();
    if !calm && random.chance(350) {
        let file = random.chance(400);
        // A size of the whole file that is too small fails the job, as it should.
        let too_small = random.chance(100);
        let aim = match (file, too_small) {
            (false, _) => RateAim::BitsPerSecond(BITS_PER_SECOND),
            (true, false) => RateAim::FileBytes(FILE_BYTES),
            (true, true) => RateAim::FileBytes(WEIGHT),
        };
        spec.rate = Some(rate(aim));
        layout.push(OutputStream { source_stream: 1, origin: Origin::Copied });
    }
    let work = segments.iter().map(|segment| segment.source_bytes).sum::<u64>().max(5_000);
    Wish {
        at: if calm { 0 } else { random.between(0, 15_000) },
        job: NewJob {
            name: "film".to_owned(),
            spec,
            source: source(),
            output_path: None,
            priority: i32::try_from(random.between(0, 2)).unwrap_or_default(),
        },
        header: PlanHeader {
            way: if whole {
                Way::Whole { reason: "a filter sees the whole title".to_owned() }
            } else {
                Way::Segments
            },
            film: Some(Film {
                stream: 0,
                timebase: MICROSECONDS,
                shift: 0,
                rate: None,
                mastering: None,
            }),
            layout,
            other_streams: !calm && random.chance(500),
            target_millis: 6_000,
            encoder_threads: 1,
        },
        segments,
        stubborn,
        fat,
        work,
    }
}

fn draw_segment(index: u64, last: bool, work: u64) -> Segment {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    let start = i64::from(index) * 1000;
    let end = start + 1000;
    Segment {
        index,
        range: PtsRange { start: Some(start), end: Some(end) },
        filter_range: PtsRange { start: Some(start), end: Some(end) },
        start,
        end,
        seek_micros: None,
        longer_seek_micros: None,
        expected: Frames {
            count: FRAMES,
            first_pts: start,
            last_pts: end - 1,
            pts_sha256: String::new(),
        },
        source_bytes: work,
        cut: if last { Cut::End } else { Cut::Frame },
    }
}

fn spec() -> JobSpec {
    JobSpec {
        container: "matroska".to_owned(),
        args: Vec::new(),
        maps: Vec::new(),
        video: VideoSpec::Encode(VideoEncode {
            encoder: ENCODER.to_owned(),
            options: Vec::new(),
            filter: None,
        }),
        codecs: Vec::new(),
        stream_options: Vec::new(),
        mux_options: Vec::new(),
        dropped_kinds: Vec::new(),
        split: SplitPolicy::Segments { run_up: 0, run_out: 0 },
        verify: Verify::Quick,
        segment_seconds: None,
        dynamic_hdr: segenc_core::spec::DynamicHdr::Refuse,
        rate: None,
        buffer: None,
    }
}

/// A wish whose options play no part: only what is asked for and what comes out.
fn rate(aim: RateAim) -> RateWish {
    RateWish {
        aim,
        passes: Passes {
            measure: Vec::new(),
            quality: QualityScale {
                option: "crf".to_owned(),
                at_reference: 20,
                per_halving: 6,
                least: 10,
                most: 40,
            },
            real: Vec::new(),
            bitrate_option: "b:v".to_owned(),
            notes: Notes::Measured,
            overshoot: Overshoot { usual: 0, per_doubling: 0 },
        },
    }
}

fn source() -> SourceRef {
    SourceRef {
        location: SourceLocation::Upload("film".to_owned()),
        name: "film.mkv".to_owned(),
        fingerprint: Fingerprint { size: 0, modified: 0, head_and_tail: String::new() },
    }
}

/// What every analysis sees of every source.
pub(crate) fn facts() -> SourceFacts {
    SourceFacts {
        demuxer: "matroska,webm".to_owned(),
        start_micros: 0,
        duration_micros: None,
        size: 0,
        streams: Vec::new(),
        chapters: 0,
    }
}
