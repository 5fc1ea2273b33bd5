//! What a seed stands for: jobs, machines, the network, and what goes wrong when.

pub(crate) mod film;

use segenc_core::plan::{PlanHeader, Segment};
use segenc_core::pool::command::NewJob;
use segenc_core::time::Millis;

use crate::random::Random;
use crate::server::Backups;

/// The encoder that jobs ask for; not every machine has it.
pub(crate) const ENCODER: &str = "libx265";
/// What every machine has.
const USUAL_ENCODER: &str = "libx264";

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
    pub(crate) backups: Backups,
}

/// A job and the truth about it, which only its workers see.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) at: Millis,
    pub(crate) job: NewJob,
    pub(crate) header: PlanHeader,
    pub(crate) segments: Vec<Segment>,
    /// How much work each segment really is; what the plan says of it is only about right.
    pub(crate) true_work: Vec<u64>,
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
    /// What it says that they were in its trial; what it says nothing of may be anything.
    pub(crate) told: Option<String>,
    /// How often its attempts fail, in thousandths, until it gets quiet.
    pub(crate) failing: u64,
    /// How often its process dies at a step, in thousandths, until it gets quiet.
    pub(crate) brittle: u64,
    /// How long its clock takes for a second.
    pub(crate) clock_permille: u64,
}

/// What messages meet, in thousandths and milliseconds, until it gets quiet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) late: u64,
    pub(crate) latest: Millis,
    /// How often the server dies when it has written, in ten thousandths: before the disk has it, or after.
    pub(crate) server_brittle: u64,
}

/// What a partition keeps away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Both,
    /// What the worker says.
    Requests,
    /// What the server answers.
    Answers,
    /// Only what is large.
    Uploads,
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
    /// What it does takes so many times longer from now on.
    Slow(usize, u64),
    /// Nothing gets through for this time.
    Cut(usize, Direction, Millis),
    /// The server dies and is back after this time.
    Server(Millis),
    /// Storing takes long for this time.
    SlowDisk(Millis),
    /// Nothing can be stored for this time.
    FullDisk(Millis),
    /// The same, of outputs only.
    FullBlobs(Millis),
    /// The server's clock is set.
    Clock(i64),
    Pause(usize),
    Resume(usize),
    Cancel(usize),
    Abandon(usize),
    Retry(usize),
    Delete(usize),
    Wake(usize),
    Stand(usize),
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
    let jobs: Vec<Wish> = (0..count).map(|_| film::draw_wish(&mut random, calm)).collect();
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
        backups: Backups::Made,
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
            let extradata = if odd { "odd" } else { "usual" };
            // Some builds differ only with some options, which no trial tells.
            let told = match random.between(0, 9) {
                0 | 1 if !calm => None,
                2 if !calm => Some("usual".to_owned()),
                _ => Some(extradata.to_owned()),
            };
            Machine {
                slots: u32::try_from(random.between(1, if calm { 1 } else { 3 })).unwrap_or(1),
                speed: 100 << random.between(0, if calm { 2 } else { 3 }),
                encoders,
                extradata: extradata.to_owned(),
                told,
                failing: match random.between(0, 9) {
                    _ if calm => 0,
                    0 => 900,
                    1..=4 => random.between(1, 80),
                    _ => 0,
                },
                brittle: if !calm && random.chance(200) { random.between(1, 20) } else { 0 },
                clock_permille: if calm { 1000 } else { random.between(700, 1500) },
            }
        })
        .collect()
}

const fn draw_network(random: &mut Random, calm: bool) -> Network {
    if calm {
        return Network { lost: 0, doubled: 0, late: 0, latest: 0, server_brittle: 0 };
    }
    Network {
        lost: random.between(0, 150),
        doubled: random.between(0, 150),
        late: random.between(0, 80),
        latest: random.between(500, 25_000),
        server_brittle: if random.chance(200) { random.between(1, 200) } else { 0 },
    }
}

fn draw_mishaps(
    random: &mut Random,
    machines: usize,
    jobs: usize,
    until: Millis,
) -> Vec<(Millis, Mishap)> {
    let count = if until == 0 { 0 } else { random.between(0, 16) };
    let mut mishaps = Vec::new();
    for _ in 0..count {
        let at = random.between(0, until - 1);
        let machine = random.position(machines);
        let job = random.position(jobs);
        let mishap = match random.between(0, 44) {
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
            24..=26 => Mishap::Slow(machine, random.between(2, 20)),
            27..=30 => Mishap::Cut(machine, draw_direction(random), random.between(500, 40_000)),
            31 | 32 => Mishap::SlowDisk(random.between(500, 20_000)),
            33 | 34 => Mishap::FullDisk(random.between(500, 30_000)),
            35 | 36 => Mishap::FullBlobs(random.between(500, 30_000)),
            37 => Mishap::Clock(random.between(1, 3_600_000).cast_signed()),
            38 => Mishap::Clock(-random.between(1, 3_600_000).cast_signed()),
            39 => Mishap::Retry(job),
            40 => Mishap::Delete(job),
            41 => Mishap::Wake(machine),
            42 => Mishap::Stand(machine),
            _ => Mishap::Claim(machine),
        };
        mishaps.push((at, mishap));
    }
    mishaps
}

fn draw_direction(random: &mut Random) -> Direction {
    match random.between(0, 3) {
        0 => Direction::Requests,
        1 => Direction::Answers,
        2 => Direction::Uploads,
        _ => Direction::Both,
    }
}
