//! A pool to try rules on: asks, applies, notes, checks. It draws a job as text, one letter per task:
//! `A` analysis, a digit-free run of segments, `m` measure, `r` retake, `w` weigh, `O` other streams, `W` whole,
//! `M` merge, each followed by
//! its state: `_` blocked, `.` ready, `>` running, `#` done, `x` failed, `c` canceled, `-` aborted.

use std::collections::BTreeMap;

use crate::failure::{Failure, FailureKind};
use crate::ids::{AttemptId, AttemptNumber, JobId, TaskId, WorkerId};
use crate::plan::{Cut, DecodedFrom, Film, Frames, PlanHeader, Segment, Way};
use crate::pool::command::{Answer, Command, Directive, NewJob, Rejection};
use crate::pool::event::Event;
use crate::pool::job::{Fingerprint, Job, SourceLocation, SourceRef, Start};
use crate::pool::leases::Leases;
use crate::pool::task::{Blob, Observed, Task, TaskKind, TaskState};
use crate::pool::worker::{WorkerProfile, WorkerState};
use crate::pool::{Pool, decide, sanity_check};
use crate::source::{SourceFacts, StreamFacts, StreamKind};
use crate::spec::{CodecChoice, JobSpec, SplitPolicy, Verify, VideoEncode, VideoSpec};
use crate::time::{MICROSECONDS, Millis, PtsRange};

pub(super) struct Bench {
    pub(super) pool: Pool,
    pub(super) leases: Leases,
    pub(super) now: Millis,
    pub(super) stored: Vec<Event>,
}

impl Bench {
    /// With a worker that has every encoder and is away, so that jobs wait for one instead of failing.
    pub(super) fn new() -> Self {
        let mut bench = Self::empty();
        let away = bench.worker(&["opus", "x264"]);
        bench.ask(&Command::SignOff(away));
        bench
    }

    pub(super) fn empty() -> Self {
        Self {
            pool: Pool::default(),
            leases: Leases::default(),
            now: 1_000_000,
            stored: Vec::new(),
        }
    }

    /// Decides, applies, notes, and checks the invariants.
    pub(super) fn try_ask(&mut self, command: &Command) -> Result<Answer, Rejection> {
        let before = self.pool.clone();
        let decision = decide(&self.pool, &self.leases, self.now, command)?;
        assert!(before == self.pool, "deciding changes nothing");
        for event in &decision.events {
            self.pool.apply(event);
        }
        self.leases.note(&self.pool, self.now, command, &decision);
        self.stored.extend(decision.events.iter().cloned());
        sanity_check(&self.pool).unwrap_or_else(|why| panic!("after {command:?}: {why}"));
        Ok(decision.answer)
    }

    pub(super) fn ask(&mut self, command: &Command) -> Answer {
        self.try_ask(command).unwrap_or_else(|why| panic!("{command:?} was refused: {why}"))
    }

    pub(super) fn refuse(&mut self, command: &Command) -> Rejection {
        match self.try_ask(command) {
            Ok(answer) => panic!("{command:?} was accepted: {answer:?}"),
            Err(rejection) => rejection,
        }
    }

    pub(super) fn wait(&mut self, millis: Millis) {
        self.now += millis;
    }

    /// Lets time pass, and the server look at the clock as often as it does.
    pub(super) fn tick(&mut self, after: Millis) {
        let until = self.now + after;
        loop {
            self.now = until.min(self.now + 500);
            self.ask(&Command::Tick);
            if self.now >= until {
                break;
            }
        }
    }

    /// A worker with one slot and these encoders.
    pub(super) fn worker(&mut self, encoders: &[&str]) -> WorkerId {
        self.worker_with_slots(1, encoders)
    }

    pub(super) fn worker_with_slots(&mut self, slots: u32, encoders: &[&str]) -> WorkerId {
        match self.ask(&Command::RegisterWorker { known: None, profile: profile(slots, encoders) })
        {
            Answer::Worker(worker) => worker,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn job_of(&mut self, wish: NewJob) -> JobId {
        match self.ask(&Command::CreateJob(Box::new(wish))) {
            Answer::Job(job) => job,
            other => panic!("{other:?}"),
        }
    }

    /// A job in the middle of its analysis, by a worker that can do nothing else.
    pub(super) fn planned(&mut self, segments: u32) -> (JobId, WorkerId, AttemptId) {
        let job = self.job_of(wish());
        let reader = self.worker(&[]);
        let analysis = self.take(reader);
        self.start_plan(analysis, header(Way::Segments));
        self.extend_plan(analysis, film(segments));
        (job, reader, analysis)
    }

    /// A job whose plan is complete.
    pub(super) fn analyzed(&mut self, segments: u32) -> JobId {
        let (job, reader, analysis) = self.planned(segments);
        self.finish(reader, analysis, Observed::default());
        self.ask(&Command::SignOff(reader));
        job
    }

    pub(super) fn start_plan(&mut self, attempt: AttemptId, header: PlanHeader) {
        self.ask(&Command::StartPlan { attempt, facts: Box::new(facts()), header });
    }

    pub(super) fn extend_plan(&mut self, attempt: AttemptId, segments: Vec<Segment>) {
        self.ask(&Command::ExtendPlan { attempt, segments });
    }

    pub(super) fn request(&mut self, worker: WorkerId) -> Option<AttemptId> {
        match self.ask(&Command::RequestTask(worker)) {
            Answer::Assigned(attempt) => attempt,
            other => panic!("{other:?}"),
        }
    }

    /// Takes a task and reports on it at once, as workers do.
    pub(super) fn take(&mut self, worker: WorkerId) -> AttemptId {
        let attempt = self.request(worker).expect("there is something to do");
        assert_eq!(self.report(worker, attempt), Directive::Continue);
        attempt
    }

    pub(super) fn report(&mut self, worker: WorkerId, attempt: AttemptId) -> Directive {
        let report = Command::ReportStatus { worker, attempt, frames: 1, speed_millifps: 1000 };
        match self.ask(&report) {
            Answer::Directive(directive) => directive,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn store(&mut self, worker: WorkerId, attempt: AttemptId) {
        self.ask(&Command::StoreOutput { worker, attempt, blob: blob(attempt) });
    }

    pub(super) fn finish(&mut self, worker: WorkerId, attempt: AttemptId, observed: Observed) {
        let answer = self.ask(&Command::FinishTask { worker, attempt, observed });
        assert_eq!(answer, Answer::Done);
    }

    /// Delivers an attempt as it should be.
    pub(super) fn deliver(&mut self, worker: WorkerId, attempt: AttemptId) {
        self.store(worker, attempt);
        let observed = self.good(attempt);
        self.finish(worker, attempt, observed);
    }

    /// Takes a task and delivers it.
    pub(super) fn work(&mut self, worker: WorkerId) -> AttemptId {
        let attempt = self.take(worker);
        self.deliver(worker, attempt);
        attempt
    }

    /// What a good attempt sees.
    pub(super) fn good(&self, attempt: AttemptId) -> Observed {
        let task = self.task(attempt.task);
        let frames = match task.kind {
            TaskKind::Segment(index) | TaskKind::Measure(index) | TaskKind::Retake(index) => {
                Some(segment(index, 1).expected)
            }
            TaskKind::Analysis
            | TaskKind::OtherStreams
            | TaskKind::Weigh
            | TaskKind::Whole
            | TaskKind::Merge => None,
        };
        let media_bytes = (task.kind == TaskKind::Weigh).then_some(1_000);
        let extradata_sha256 = Some("usual".to_owned());
        Observed { frames, extradata_sha256, media_bytes, ..Observed::default() }
    }

    pub(super) fn fail(&mut self, worker: WorkerId, attempt: AttemptId, kind: FailureKind) {
        self.ask(&Command::FailTask { worker, attempt, failure: failure(kind) });
    }

    pub(super) fn task(&self, task: TaskId) -> &Task {
        self.pool.task(task).expect("the task exists")
    }

    pub(super) fn job(&self, job: JobId) -> &Job {
        self.pool.job(job).expect("the job exists")
    }

    pub(super) fn state_of(&self, worker: WorkerId) -> &WorkerState {
        &self.pool.worker(worker).expect("the worker exists").state
    }

    /// Why the job failed.
    pub(super) fn reason(&self, job: JobId) -> &str {
        &self.job(job).failure.as_ref().expect("the job has failed").reason
    }

    /// The job as text.
    pub(super) fn drawn(&self, job: JobId) -> String {
        let mut text = String::new();
        for task in self.pool.tasks_of(job) {
            match task.kind {
                TaskKind::Analysis => text.push('A'),
                TaskKind::Segment(_) => {}
                TaskKind::Measure(_) => text.push('m'),
                TaskKind::Retake(_) => text.push('r'),
                TaskKind::Weigh => text.push('w'),
                TaskKind::OtherStreams => text.push('O'),
                TaskKind::Whole => text.push('W'),
                TaskKind::Merge => text.push('M'),
            }
            text.push(match task.state {
                TaskState::Blocked => '_',
                TaskState::Ready => '.',
                TaskState::Running => '>',
                TaskState::Done => '#',
                TaskState::Failed => 'x',
                TaskState::Canceled => 'c',
                TaskState::Aborted => '-',
            });
        }
        text
    }
}

pub(super) fn blob(attempt: AttemptId) -> Blob {
    Blob { name: attempt.to_string(), size: 1, sha256: attempt.to_string() }
}

pub(super) const fn attempt(task: u64, number: u32) -> AttemptId {
    AttemptId { task: TaskId(task), number: AttemptNumber(number) }
}

pub(super) fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        reason: "it-broke".to_owned(),
        message: "something broke".to_owned(),
        log_tail: "the end".to_owned(),
    }
}

pub(super) fn profile(slots: u32, encoders: &[&str]) -> WorkerProfile {
    WorkerProfile {
        name: "machine".to_owned(),
        version: "0".to_owned(),
        slots,
        cores: slots,
        memory_bytes: 1,
        encoders: encoders.iter().map(ToString::to_string).collect(),
        ffmpeg_version: "ffmpeg".to_owned(),
        platform: "linux".to_owned(),
        can_pause: true,
        trial_sets: BTreeMap::new(),
    }
}

pub(super) fn wish() -> NewJob {
    NewJob {
        name: "film".to_owned(),
        spec: JobSpec {
            container: "matroska".to_owned(),
            args: Vec::new(),
            maps: Vec::new(),
            video: VideoSpec::Encode(VideoEncode {
                encoder: "x264".to_owned(),
                options: Vec::new(),
                filter: None,
            }),
            codecs: vec![CodecChoice {
                kind: StreamKind::Audio,
                position: None,
                codec: "opus".to_owned(),
            }],
            stream_options: Vec::new(),
            mux_options: Vec::new(),
            dropped_kinds: Vec::new(),
            split: SplitPolicy::Segments { run_up: 0, run_out: 0 },
            verify: Verify::Quick,
            segment_seconds: None,
            dynamic_hdr: crate::spec::DynamicHdr::Refuse,
            rate: None,
            buffer: None,
        },
        source: SourceRef {
            location: SourceLocation::Path("/film.mkv".to_owned()),
            name: "film.mkv".to_owned(),
            fingerprint: Fingerprint { size: 1, modified: 1, head_and_tail: String::new() },
        },
        output_path: None,
        priority: 0,
        start: Start::AtOnce,
    }
}

pub(super) fn facts() -> SourceFacts {
    SourceFacts {
        demuxer: "matroska,webm".to_owned(),
        start_micros: 0,
        duration_micros: None,
        size: 1,
        streams: vec![StreamFacts {
            index: 1,
            kind: StreamKind::Audio,
            codec: "ac3".to_owned(),
            timebase: MICROSECONDS,
            language: None,
            title: None,
            dispositions: Vec::new(),
            video: None,
        }],
        chapters: 0,
    }
}

pub(super) fn header(way: Way) -> PlanHeader {
    PlanHeader {
        way,
        decoded_from: DecodedFrom::Source,
        film: Some(Film {
            stream: 0,
            timebase: MICROSECONDS,
            shift: 0,
            rate: None,
            mastering: None,
        }),
        layout: Vec::new(),
        other_streams: false,
        target_millis: 6_000,
        encoder_threads: 1,
    }
}

pub(super) fn whole() -> Way {
    Way::Whole { reason: "a filter sees the whole title".to_owned() }
}

/// Segments of falling cost, so that they are handed out in order.
pub(super) fn film(segments: u32) -> Vec<Segment> {
    (0..segments).map(|index| segment(index, u64::from(1000 - index))).collect()
}

pub(super) fn segment(index: u32, source_bytes: u64) -> Segment {
    let start = i64::from(index) * 100;
    let range = PtsRange { start: Some(start), end: Some(start + 100) };
    Segment {
        index,
        range,
        start,
        end: start + 100,
        filter_range: range,
        lookahead_end: None,
        seek_micros: None,
        longer_seek_micros: None,
        expected: Frames {
            count: 100,
            first_pts: start,
            last_pts: start + 99,
            pts_sha256: String::new(),
        },
        source_bytes,
        cut: Cut::Frame,
    }
}
