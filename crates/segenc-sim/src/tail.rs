//! How fast a farm without faults is, by shape and policy: makespan over ideal, and the work thrown away.
//!
//! The plan's guess of a segment's work is off by up to a quarter each way, as real ones are. It knows nothing of
//! faults but a worker that is slow or stops.

use std::collections::{BTreeMap, BTreeSet};

use segenc_core::ids::TaskId;
use segenc_core::plan::Way;
use segenc_core::pool::event::{Event, Happening};
use segenc_core::time::Millis;

use crate::Violation;
use crate::farm::{self, Telling};
use crate::random::Random;
use crate::scenario::{ENCODER, Machine, Mishap, Network, Scenario, Wish, film};
use crate::server::Backups;

/// Segments for each worker: what a farm of tens of slots gets of a film.
const SEGMENTS_PER_WORKER: u64 = 12;
/// Work of the shortest and the longest segment: they are collated from whole shots.
const WORK: (u64, u64) = (4_000, 12_000);
/// Work per second of the slowest usual worker: its segments take about a minute.
const SPEED: u64 = 100;

/// In which order tasks are handed out, and whether idle workers help at the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// In the order of the film.
    FirstCome,
    /// Longest expected first.
    LongestFirst,
    /// The same, and one backup of what is late.
    WithBackups,
}

/// Which workers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Eight alike.
    Equal,
    /// Eight: two each of speed 4 and 2, four of speed 1.
    FourTwoOneOne,
    /// Eight: two each of speed 8, 4, 2 and 1.
    EightFourTwoOne,
    /// Eight, one of them ten times slower than the others.
    OneTenTimesSlower,
    /// Eight alike, one of which becomes fifty times slower in the middle of a late task: it answers, but hardly
    /// gets on.
    OneStalls,
    /// Eight alike, one of which freezes in the middle of a late task and is not heard of again.
    OneFreezes,
}

/// All shapes.
pub const SHAPES: [Shape; 6] = [
    Shape::Equal,
    Shape::FourTwoOneOne,
    Shape::EightFourTwoOne,
    Shape::OneTenTimesSlower,
    Shape::OneStalls,
    Shape::OneFreezes,
];

/// All policies.
pub const POLICIES: [Policy; 3] = [Policy::FirstCome, Policy::LongestFirst, Policy::WithBackups];

/// What came out of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// From the first segment handed out to the last one done, over all work divided by all speed; in thousandths.
    pub ratio_permille: u64,
    /// Work of attempts that others finished first, over all work; in thousandths.
    pub wasted_permille: u64,
    /// Backups that were made.
    pub backups: u64,
}

impl Shape {
    fn speeds(self) -> [u64; 8] {
        let times = match self {
            Self::Equal | Self::OneStalls | Self::OneFreezes => [10; 8],
            Self::FourTwoOneOne => [40, 40, 20, 20, 10, 10, 10, 10],
            Self::EightFourTwoOne => [80, 80, 40, 40, 20, 20, 10, 10],
            Self::OneTenTimesSlower => [10, 10, 10, 10, 10, 10, 10, 1],
        };
        times.map(|times| times * SPEED / 10)
    }

    /// What happens to the last worker at about five sixths of the job.
    fn mishap(self, ideal: Millis) -> Option<(Millis, Mishap)> {
        let when = ideal * 5 / 6;
        match self {
            Self::OneStalls => Some((when, Mishap::Slow(7, 50))),
            Self::OneFreezes => Some((when, Mishap::Freeze(7, 100 * ideal))),
            Self::Equal | Self::FourTwoOneOne | Self::EightFourTwoOne | Self::OneTenTimesSlower => {
                None
            }
        }
    }
}

/// Runs one film on a farm of this shape.
///
/// # Errors
/// When the pool broke an invariant.
pub fn run(policy: Policy, shape: Shape, seed: u64) -> Result<Tail, Violation> {
    let scenario = draw(policy, shape, seed);
    let work: u64 = scenario.jobs.iter().map(|wish| wish.work).sum();
    let ended = farm::run(&scenario, Telling::Nothing);
    ended.result?;
    Ok(Tail {
        ratio_permille: 1000 * ended.encoding / scenario.ideal.max(1),
        wasted_permille: 1000 * ended.wasted / work.max(1),
        backups: ended.backups,
    })
}

fn draw(policy: Policy, shape: Shape, seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let machines: Vec<Machine> = shape.speeds().map(machine).into();
    let wish = draw_wish(&mut random, policy, machines.len());
    let speed: u64 = machines.iter().map(|machine| machine.speed).sum();
    let usual = 1000 * wish.work / speed.max(1);
    let mishaps: Vec<_> = shape.mishap(usual).into_iter().collect();
    // What the last worker does not do from then on, the others must.
    let ideal = match mishaps.first() {
        Some((when, _)) => {
            let others = speed - machines.last().map_or(0, |machine| machine.speed);
            when + usual.saturating_sub(*when) * speed / others.max(1)
        }
        None => usual,
    };
    Scenario {
        seed,
        calm: true,
        jobs: vec![wish],
        machines,
        network: Network { lost: 0, doubled: 0, late: 0, latest: 0, server_brittle: 0 },
        mishaps,
        // Never: a mishap happens only before it gets quiet.
        quiet_from: 1_000 * usual,
        deadline: 2_000 * usual,
        ideal,
        backups: match policy {
            Policy::FirstCome | Policy::LongestFirst => Backups::Withheld,
            Policy::WithBackups => Backups::Made,
        },
    }
}

fn machine(speed: u64) -> Machine {
    Machine {
        slots: 1,
        speed,
        encoders: vec![ENCODER.to_owned()],
        extradata: "usual".to_owned(),
        told: None,
        failing: 0,
        brittle: 0,
        clock_permille: 1000,
    }
}

fn draw_wish(random: &mut Random, policy: Policy, workers: usize) -> Wish {
    let count = SEGMENTS_PER_WORKER * u64::try_from(workers).unwrap_or(1);
    let true_work: Vec<u64> = (0..count).map(|_| random.between(WORK.0, WORK.1)).collect();
    let segments = (0..)
        .zip(&true_work)
        .map(|(index, work)| {
            let guess = match policy {
                Policy::FirstCome => WORK.1,
                Policy::LongestFirst | Policy::WithBackups => work * random.between(75, 125) / 100,
            };
            film::draw_segment(index, index + 1 == count, guess)
        })
        .collect();
    Wish {
        at: 0,
        job: film::new_job(film::spec()),
        header: film::header(Way::Segments),
        segments,
        work: true_work.iter().sum(),
        true_work,
        stubborn: Vec::new(),
        fat: Vec::new(),
    }
}

/// From the first segment handed out to the last one done, and how many backups there were.
pub(crate) fn of(history: &[Event]) -> (Millis, u64) {
    let mut segments: BTreeSet<TaskId> = BTreeSet::new();
    let mut started: BTreeMap<TaskId, Millis> = BTreeMap::new();
    let (mut last, mut backups) = (0, 0);
    for event in history {
        match &event.what {
            Happening::SegmentsPlanned { first_task, segments: planned, .. } => {
                segments.extend((first_task.0..).map(TaskId).take(planned.len()));
            }
            Happening::AttemptStarted { attempt, role, .. } if segments.contains(&attempt.task) => {
                started.entry(attempt.task).or_insert(event.at);
                backups += u64::from(!role.is_regular());
            }
            Happening::AttemptSucceeded { attempt, .. } if segments.contains(&attempt.task) => {
                last = event.at;
            }
            _ => {}
        }
    }
    (last.saturating_sub(started.values().min().copied().unwrap_or(last)), backups)
}
