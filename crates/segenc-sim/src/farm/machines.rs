//! What happens on the machines: asking, working, reporting, delivering.

use std::collections::VecDeque;

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::ids::AttemptId;
use segenc_core::plan::Way;
use segenc_core::pool::command::{Answer, Command, Directive, Rejection};
use segenc_core::pool::task::{Blob, Observed, TaskKind};
use segenc_core::time::Millis;

use super::{Farm, is_gone};
use crate::agenda::{Letter, Local, Occurrence};
use crate::host::{ENDING_MILLIS, Phase, Work};
use crate::scenario::{Rungs, Wish, film};
use crate::server::{Order, Reply};

/// A worker that hears no answer repeats itself after this time.
const ANSWER_MILLIS: Millis = 3_000;
/// A worker that was told that there is nothing asks again after this time.
const IDLE_MILLIS: Millis = 1_100;
/// Between two reports on the same attempt.
const REPORT_MILLIS: Millis = 3_000;
/// Between an answer and the next wish.
const BREATH_MILLIS: Millis = 5;
/// The same where nothing goes wrong, as the real worker does.
const CALM_REPORT_MILLIS: Millis = 1_000;
/// Segments that the analysis tells at once.
const SEGMENTS_AT_ONCE: usize = 7;
/// Reading the source, in work.
const ANALYSIS_WORK: u64 = 200;
/// Measuring a segment is this much cheaper than encoding it.
const MEASURING_PART: u64 = 4;
/// Joining the output, in work.
const MERGE_WORK: u64 = 100;

impl Farm<'_> {
    pub(super) fn local(
        &mut self,
        machine: usize,
        process: u32,
        local: Local,
    ) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(machine) else { return Ok(()) };
        if host.process != process {
            return Ok(());
        }
        // A process can die at every step: before it hears of something, and so before it does anything of it.
        if !self.quiet && host.alive && self.random.chance(host.machine.brittle) {
            let back = self.random.between(100, 15_000);
            self.kill(machine, back);
            return Ok(());
        }
        let Some(host) = self.hosts.get_mut(machine) else { return Ok(()) };
        if self.agenda.now < host.frozen_until {
            let after = host.frozen_until - self.agenda.now;
            self.agenda.plan(after, Occurrence::Machine(machine, process, local));
            return Ok(());
        }
        match local {
            Local::Start => {
                host.alive = true;
                self.register(machine);
            }
            Local::Answer(call, reply) => self.answered(machine, call, reply)?,
            Local::Unanswered(call) => self.repeat(machine, call),
            Local::Ask => {
                host.asking = false;
                self.ask_for_work(machine);
            }
            Local::Report(attempt) => self.report(machine, attempt),
            Local::Worked(attempt) => self.worked(machine, attempt)?,
        }
        Ok(())
    }

    fn register(&mut self, machine: usize) {
        let Some(host) = self.hosts.get(machine) else { return };
        let (known, profile) = (host.worker, host.profile(machine));
        self.send(machine, Command::RegisterWorker { known, profile });
    }

    /// In this time by the machine's own clock, which may be fast or slow.
    fn by_its_clock(&mut self, machine: usize, after: Millis, local: Local) {
        let permille = self.hosts.get(machine).map_or(1000, |host| host.machine.clock_permille);
        self.later(machine, after * permille / 1000, local);
    }

    pub(super) fn later(&mut self, machine: usize, after: Millis, local: Local) {
        if let Some(host) = self.hosts.get(machine) {
            self.agenda.plan(after, Occurrence::Machine(machine, host.process, local));
        }
    }

    fn send(&mut self, machine: usize, command: Command) {
        self.calls += 1;
        let call = self.calls;
        if let Some(host) = self.hosts.get_mut(machine) {
            host.calls.insert(call, command.clone());
        }
        self.post(machine, call, &command);
    }

    fn post(&mut self, machine: usize, call: u64, command: &Command) {
        let Some(host) = self.hosts.get(machine) else { return };
        let letter = Letter { machine, process: host.process, call };
        let upload = matches!(command, Command::StoreOutput { .. });
        let cut = if upload { host.cut.uploads } else { host.cut.requests };
        if self.quiet || cut <= self.agenda.now {
            for after in self.travels() {
                self.agenda.plan(after, Occurrence::Call(letter, command.clone()));
            }
        }
        self.by_its_clock(machine, ANSWER_MILLIS, Local::Unanswered(call));
    }

    fn repeat(&mut self, machine: usize, call: u64) {
        let Some(host) = self.hosts.get_mut(machine) else { return };
        let Some(command) = host.calls.get(&call).cloned() else { return };
        if matches!(command, Command::ReportStatus { .. }) {
            // The next report says the same and more.
            host.calls.remove(&call);
        } else {
            self.post(machine, call, &command);
        }
    }

    fn answered(&mut self, machine: usize, call: u64, reply: Reply) -> Result<(), String> {
        let Some(host) = self.hosts.get_mut(machine) else { return Ok(()) };
        let Some(command) = host.calls.remove(&call) else { return Ok(()) };
        if is_gone(&reply) {
            // A user removed it; it joins anew and has nothing.
            host.die();
            host.worker = None;
            self.later(machine, BREATH_MILLIS, Local::Start);
            return Ok(());
        }
        match (command, reply) {
            (Command::RegisterWorker { .. }, Reply::Answered(Answer::Worker(worker))) => {
                host.worker = Some(worker);
                host.asking = false;
                self.ask_for_work(machine);
            }
            (Command::RequestTask(_), Reply::Assigned(order)) => {
                self.take(machine, order);
                self.later(machine, BREATH_MILLIS, Local::Ask);
            }
            (Command::RequestTask(_), Reply::Answered(_) | Reply::Refused(_)) => {
                self.by_its_clock(machine, IDLE_MILLIS, Local::Ask);
            }
            (
                Command::ReportStatus { attempt, .. },
                Reply::Answered(Answer::Directive(Directive::Stop)) | Reply::Refused(_),
            ) => self.drop_work(machine, attempt),
            (Command::ReportStatus { .. }, _) => {}
            (command, Reply::Answered(_)) => self.said(machine, &command),
            (command, reply) => {
                let Reply::Refused(rejection) = reply else { return Ok(()) };
                if let Some(attempt) = subject(&command) {
                    self.drop_work(machine, attempt);
                }
                if self.scenario.calm && !matches!(rejection, Rejection::StaleAttempt { .. }) {
                    return Err(format!("{command:?} was refused in a calm farm: {rejection}"));
                }
            }
        }
        Ok(())
    }

    fn ask_for_work(&mut self, machine: usize) {
        let Some(host) = self.hosts.get_mut(machine) else { return };
        if let Some(worker) = host.worker
            && host.is_hungry(self.agenda.now)
        {
            host.asking = true;
            self.send(machine, Command::RequestTask(worker));
        }
    }

    fn take(&mut self, machine: usize, order: Order) {
        let Some(host) = self.hosts.get_mut(machine) else { return };
        if !host.got.insert(order.attempt) {
            return;
        }
        let work =
            Work { order, phase: Phase::Waiting, began_at: 0, ends_at: 0, steps: VecDeque::new() };
        host.works.insert(order.attempt, work);
        self.report(machine, order.attempt);
        self.start_waiting(machine);
    }

    fn report(&mut self, machine: usize, attempt: AttemptId) {
        let Some(host) = self.hosts.get(machine) else { return };
        if let Some(worker) = host.worker
            && host.works.contains_key(&attempt)
        {
            let frames = host.frames_done(attempt, self.agenda.now, film::FRAMES);
            let every = if self.scenario.calm { CALM_REPORT_MILLIS } else { REPORT_MILLIS };
            self.by_its_clock(machine, every, Local::Report(attempt));
            self.send(
                machine,
                Command::ReportStatus { worker, attempt, frames, speed_millifps: 0 },
            );
        }
    }

    fn start_waiting(&mut self, machine: usize) {
        let Some(host) = self.hosts.get_mut(machine) else { return };
        if host.free_slots() == 0 {
            return;
        }
        let Some(attempt) = host.next_waiting() else { return };
        let Some(work) = host.works.get_mut(&attempt) else { return };
        work.phase = Phase::Working;
        let order = work.order;
        let speed = host.speed();
        let amount = self.wish_of(order).map_or(0, |wish| amount(wish, order.kind));
        let noise = if self.scenario.calm { 100 } else { self.random.between(80, 120) };
        let time = (amount * 10 * noise / speed).max(1);
        if let Some(host) = self.hosts.get_mut(machine)
            && let Some(work) = host.works.get_mut(&attempt)
        {
            work.began_at = self.agenda.now;
            work.ends_at = self.agenda.now + time;
        }
        self.later(machine, time, Local::Worked(attempt));
        if time > ENDING_MILLIS {
            self.later(machine, time - ENDING_MILLIS, Local::Ask);
        }
        self.start_waiting(machine);
    }

    fn wish_of(&self, order: Order) -> Option<&Wish> {
        let number = self.server.jobs.iter().position(|job| *job == Some(order.job))?;
        self.scenario.jobs.get(number)
    }

    fn drop_work(&mut self, machine: usize, attempt: AttemptId) {
        if let Some(host) = self.hosts.get_mut(machine)
            && let Some(work) = host.works.remove(&attempt)
            && work.phase != Phase::Waiting
        {
            let spent = self.agenda.now.min(work.ends_at).saturating_sub(work.began_at);
            let finished = work.phase == Phase::Delivering && work.steps.is_empty();
            host.wasted += if finished { 0 } else { spent * host.speed() / 1000 };
        }
        self.start_waiting(machine);
        self.ask_for_work(machine);
    }

    /// The work is done: it fails, or what it made is delivered while the next one starts.
    fn worked(&mut self, machine: usize, attempt: AttemptId) -> Result<(), String> {
        let now = self.agenda.now;
        let work = self.hosts.get(machine).and_then(|host| host.works.get(&attempt));
        let working = work.filter(|work| work.phase == Phase::Working);
        let Some(ends_at) = working.map(|work| work.ends_at) else { return Ok(()) };
        if now < ends_at {
            // It was slowed down meanwhile.
            self.later(machine, ends_at - now, Local::Worked(attempt));
            return Ok(());
        }
        let steps = self.steps(machine, attempt)?;
        let Some(host) = self.hosts.get_mut(machine) else { return Ok(()) };
        let Some(work) = host.works.get_mut(&attempt) else { return Ok(()) };
        work.phase = Phase::Delivering;
        work.steps = steps;
        self.next_step(machine, attempt);
        self.start_waiting(machine);
        self.ask_for_work(machine);
        Ok(())
    }

    fn next_step(&mut self, machine: usize, attempt: AttemptId) {
        let Some(host) = self.hosts.get_mut(machine) else { return };
        let Some(work) = host.works.get_mut(&attempt) else { return };
        match work.steps.pop_front() {
            Some(command) => self.send(machine, command),
            None => self.drop_work(machine, attempt),
        }
    }

    /// A command about an attempt was accepted.
    fn said(&mut self, machine: usize, command: &Command) {
        if let Some(attempt) = subject(command) {
            self.next_step(machine, attempt);
        }
    }

    /// What a worker says of an attempt whose work is done.
    fn steps(&mut self, machine: usize, attempt: AttemptId) -> Result<VecDeque<Command>, String> {
        let Some(host) = self.hosts.get(machine) else { return Ok(VecDeque::new()) };
        let (Some(worker), Some(work)) = (host.worker, host.works.get(&attempt)) else {
            return Ok(VecDeque::new());
        };
        let (order, failing) = (work.order, host.machine.failing);
        let extradata = host.machine.extradata.clone();
        if !self.quiet && self.random.chance(failing) {
            let failure = self.draw_failure();
            return Ok(VecDeque::from([Command::FailTask { worker, attempt, failure }]));
        }
        let wish =
            self.wish_of(order).ok_or_else(|| format!("attempt {attempt} is of no known job"))?;
        let finish =
            Command::FinishTask { worker, attempt, observed: observe(wish, order, extradata) };
        if order.kind == TaskKind::Analysis {
            let facts = Box::new(film::facts());
            let start = Command::StartPlan { attempt, facts, header: wish.header.clone() };
            let grow = match wish.header.way {
                Way::Segments => wish.segments.as_slice(),
                Way::Whole { .. } => &[],
            };
            let grow = grow
                .chunks(SEGMENTS_AT_ONCE)
                .map(|segments| Command::ExtendPlan { attempt, segments: segments.to_vec() });
            return Ok(std::iter::once(start).chain(grow).chain([finish]).collect());
        }
        let blob =
            Blob { name: attempt.to_string(), size: 1, sha256: format!("digest of {attempt}") };
        Ok(VecDeque::from([Command::StoreOutput { worker, attempt, blob }, finish]))
    }

    fn draw_failure(&mut self) -> Failure {
        let kind = match self.random.between(0, 99) {
            0 => FailureKind::Task,
            1 => FailureKind::Mismatch,
            2..=49 => FailureKind::Worker,
            _ => FailureKind::Transient,
        };
        Failure {
            kind,
            reason: "drawn".to_owned(),
            message: "the seed says so".to_owned(),
            log_tail: String::new(),
        }
    }
}

/// The attempt that a command speaks of.
const fn subject(command: &Command) -> Option<AttemptId> {
    match command {
        Command::ReportStatus { attempt, .. }
        | Command::StartPlan { attempt, .. }
        | Command::ExtendPlan { attempt, .. }
        | Command::StoreOutput { attempt, .. }
        | Command::FinishTask { attempt, .. }
        | Command::FailTask { attempt, .. } => Some(*attempt),
        Command::CreateJob(_)
        | Command::CancelJob(_)
        | Command::PauseJob(_)
        | Command::ResumeJob(_)
        | Command::RetryJob(_)
        | Command::DeleteJob(_)
        | Command::RegisterWorker { .. }
        | Command::DrainWorker(_)
        | Command::PauseWorker(_)
        | Command::RestWorker { .. }
        | Command::ResumeWorker(_)
        | Command::ReleaseWorker(_)
        | Command::RemoveWorker(_)
        | Command::LineLost(_)
        | Command::SignOff(_)
        | Command::RequestTask(_)
        | Command::AbandonSplit { .. }
        | Command::Tick => None,
    }
}

fn amount(wish: &Wish, kind: TaskKind) -> u64 {
    match kind {
        TaskKind::Analysis => ANALYSIS_WORK,
        TaskKind::Segment(index) | TaskKind::Retake(index) => segment_work(wish, index),
        TaskKind::Measure(index) => segment_work(wish, index) / MEASURING_PART,
        TaskKind::OtherStreams => wish.work / 10,
        TaskKind::Weigh => ANALYSIS_WORK,
        TaskKind::Whole => wish.work,
        TaskKind::Merge => MERGE_WORK,
    }
}

fn segment_work(wish: &Wish, index: u32) -> u64 {
    let true_work = usize::try_from(index).ok().and_then(|index| wish.true_work.get(index));
    true_work.copied().unwrap_or_default()
}

/// What the worker sees of what it made: the planned frames, unless this segment is a stubborn one; and a size
/// that is what was asked for, unless the segment is a fat one.
fn observe(wish: &Wish, order: Order, extradata: String) -> Observed {
    let index = match order.kind {
        TaskKind::Segment(index) | TaskKind::Measure(index) | TaskKind::Retake(index) => index,
        TaskKind::Weigh => {
            return Observed { media_bytes: Some(film::WEIGHT), ..Observed::default() };
        }
        TaskKind::Analysis | TaskKind::OtherStreams | TaskKind::Whole | TaskKind::Merge => {
            return Observed::default();
        }
    };
    let segment = usize::try_from(index).ok().and_then(|index| wish.segments.get(index));
    let mut frames = segment.map(|segment| segment.expected.clone());
    let stubborn = wish.stubborn.iter().find(|(stubborn, _)| *stubborn == index);
    let wrong = match stubborn {
        Some((_, Rungs::Two)) => !order.longer_run_up,
        Some((_, Rungs::Three)) => true,
        None => false,
    };
    if let Some(frames) = &mut frames
        && wrong
    {
        frames.count -= 1;
    }
    let bits = match order.bits_asked {
        None => segment_work(wish, index),
        Some(bits) if wish.fat.contains(&index) => bits + bits / 4,
        Some(bits) => bits,
    };
    let media_bytes = Some(bits.div_ceil(8));
    Observed { frames, extradata_sha256: Some(extradata), media_bytes, ..Observed::default() }
}
