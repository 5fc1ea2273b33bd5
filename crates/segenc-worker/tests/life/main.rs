//! The life of a worker against a server that follows a script, with the real media programs.

mod server;

use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use segenc_core::ids::{AttemptId, AttemptNumber, JobId, TaskId};
use segenc_core::plan::{Film, Frames, Origin, OutputStream};
use segenc_core::source::{Rational, StreamKind};
use segenc_core::spec::OutputOption;
use segenc_core::time::{PtsRange, Timebase};
use segenc_core::work::{
    Decode, Join, JoinedSegment, MergeFrom, MergeWork, MergedStream, Pass, SegmentWork, Work,
};
use segenc_proto::convert::{AssignedTask, InputLocation, task_message};
use segenc_proto::grpc;
use segenc_worker::{
    Encoders, Leave, Pulse, ServerFiles, Thumbnails, Wakefulness, WorkerConfig, WorkerError, run,
};
use server::{Farm, JOIN_TOKEN, Script};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const FRAMES: i64 = 30;

/// A film of moving grey stripes, uncompressed, so that no program is needed to make it.
fn film() -> Bytes {
    film_of_scenes(FRAMES)
}

/// The same, but from one frame on as its negative.
fn film_of_scenes(second: i64) -> Bytes {
    let mut film = b"YUV4MPEG2 W64 H64 F25:1 Ip A1:1 C420jpeg\n".to_vec();
    for frame in 0..FRAMES {
        film.extend(b"FRAME\n");
        let grey = |at: i64| ((at % 64 + frame) * 3 % 200).to_le_bytes()[0];
        let shown = |grey: u8| if frame < second { grey } else { 255 - grey };
        film.extend((0..64 * 64).map(|at| shown(grey(at))));
        film.extend([128; 64 * 64 / 2]);
    }
    film.into()
}

fn frames(pts: std::ops::Range<i64>) -> Frames {
    let mut digest = Sha256::new();
    pts.clone().for_each(|pts| digest.update(pts.to_le_bytes()));
    let hex = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Frames {
        count: pts.clone().count() as u64,
        first_pts: pts.start,
        last_pts: pts.end - 1,
        pts_sha256: hex,
    }
}

fn the_film() -> Film {
    Film {
        stream: 0,
        timebase: Timebase::new(1, 25).expect("both sides are above zero"),
        shift: 0,
        rate: Some(Rational { num: 25, den: 1 }),
        mastering: None,
    }
}

fn assigned(task: u64, inputs: &[&Bytes], work: Work) -> grpc::Task {
    let inputs = (0..).zip(inputs).map(|(num, bytes)| InputLocation {
        num,
        size: bytes.len() as u64,
        sha256: (num > 0)
            .then(|| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()),
        server_path: None,
    });
    task_message(AssignedTask {
        job: JobId(1),
        attempt: AttemptId { task: TaskId(task), number: AttemptNumber(1) },
        inputs: inputs.collect(),
        work,
        traceparent: None,
    })
}

fn segment(index: u32, pts: std::ops::Range<i64>) -> Work {
    let range = PtsRange { start: Some(pts.start), end: Some(pts.end) };
    let option = |name: &str, value: &str| OutputOption {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    Work::Segment(SegmentWork {
        demuxer: "yuv4mpegpipe".to_owned(),
        film: the_film(),
        index,
        range,
        filter_range: range,
        lookahead_end: None,
        seek_micros: None,
        encoder: "libx264".to_owned(),
        options: vec![option("preset", "ultrafast")],
        filter: None,
        expected: frames(pts),
        threads: 1,
        pass: Pass::Only,
    })
}

fn merge(cut: i64) -> Work {
    let part = |input, pts: std::ops::Range<i64>| JoinedSegment {
        input,
        start: pts.start,
        end: pts.end,
        frames: frames(pts),
    };
    Work::Merge(MergeWork {
        demuxer: "yuv4mpegpipe".to_owned(),
        container: "matroska".to_owned(),
        from: MergeFrom::Parts(Join {
            film: the_film(),
            segments: vec![part(1, 0..cut), part(2, cut..FRAMES)],
            other_streams_input: None,
            options: Vec::new(),
            start_micros: 0,
        }),
        streams: vec![MergedStream {
            stream: OutputStream { source_stream: 0, origin: Origin::Film },
            kind: StreamKind::Video,
            dispositions: Vec::new(),
        }],
        decode: Decode::Everything,
        size: None,
        buffer: None,
    })
}

struct Worker {
    folder: tempfile::TempDir,
    leave: watch::Sender<Leave>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Worker {
    fn start(farm: &Farm) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), farm, JOIN_TOKEN)
    }

    fn start_in(folder: tempfile::TempDir, farm: &Farm, token: &str) -> Self {
        let config = WorkerConfig {
            launcher: None,
            tools: None,
            hours: None,
            join: farm.join(token),
            name: Some("bench".to_owned()),
            slots: Some(1),
            scratch: folder.path().join("scratch"),
            identity: folder.path().join("identity.json"),
            server_files: ServerFiles::Use,
            encoders: Encoders::All,
            thumbnails: Thumbnails::Make,
            wakefulness: Wakefulness::MaySleep,
            pulse: Pulse::default(),
            join_trace: None,
        };
        let (leave, told) = watch::channel(Leave::Stay);
        Self { folder, leave, task: tokio::spawn(run(config, told)) }
    }

    /// Tells the worker to leave and gives back its folder, which must be clean.
    async fn stop(self, how: Leave) -> tempfile::TempDir {
        self.leave.send_replace(how);
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task).await;
        ended.expect("it ends").expect("no panic").expect("no error");
        assert_eq!(leftovers(&self.folder.path().join("scratch")), Vec::<String>::new());
        self.folder
    }
}

fn leftovers(scratch: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(scratch).expect("the scratch folder stays");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name != "segenc-worker.gate").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_through_all_kinds_of_tasks() {
    let film = film();
    let cut = 12;
    let tasks = [
        assigned(1, &[&film], Work::Analysis),
        assigned(2, &[&film], segment(0, 0..cut)),
        assigned(3, &[&film], segment(1, cut..FRAMES)),
    ];
    let inputs = [1, 2, 3].map(|task| ((task, 0), film.clone()));
    let farm = Farm::start(Script {
        tasks: tasks.into(),
        inputs: inputs.into(),
        film_stream: Some(0),
        ..Script::default()
    })
    .await;
    let worker = Worker::start(&farm);
    farm.until(|script| script.finished.len() == 3 || !script.failed.is_empty()).await;
    let (one, two) = {
        let script = farm.script();
        assert_eq!(script.failed, []);
        let facts = script.facts.as_ref().expect("the analysis told facts");
        assert_eq!(facts.demuxer, "yuv4mpegpipe");
        assert_eq!(script.packets, FRAMES.unsigned_abs());
        (script.outputs[&2].clone(), script.outputs[&3].clone())
    };
    {
        let mut script = farm.script();
        script.inputs.extend([
            ((4, 0), film.clone()),
            ((4, 1), one.clone()),
            ((4, 2), two.clone()),
        ]);
        script.tasks.push_back(assigned(4, &[&film, &one, &two], merge(cut)));
    }
    farm.wake();
    farm.until(|script| script.finished.len() == 4 || !script.failed.is_empty()).await;
    {
        let script = farm.script();
        assert_eq!(script.failed, []);
        let merged = &script.finished[3];
        assert!(merged.checks.iter().all(|check| check.passed) && !merged.checks.is_empty());
        assert!(script.outputs[&4].starts_with(b"\x1a\x45\xdf\xa3"), "a Matroska file");
    }
    worker.stop(Leave::Drain).await;
    assert_eq!(farm.script().signed_off, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_analysis_looks_where_it_is_told_and_tells_a_server_that_forgot_again() {
    let film = film_of_scenes(17);
    let look = |from: i64, until: i64| grpc::Look { from, until, seek_micros: None };
    let looks = vec![look(9, 18), look(20, 29)];
    let farm = Farm::start(Script {
        tasks: [assigned(1, &[&film], Work::Analysis)].into(),
        inputs: [((1, 0), film.clone())].into(),
        film_stream: Some(0),
        looks: looks.clone(),
        forgets: Some(looks),
        ..Script::default()
    })
    .await;
    let worker = Worker::start(&farm);
    farm.until(|script| !script.finished.is_empty() || !script.failed.is_empty()).await;
    {
        let mut script = farm.script();
        assert_eq!(script.failed, []);
        assert_eq!(script.packets, FRAMES.unsigned_abs());
        assert!(script.looks.is_empty());
        script.seen.sort_unstable();
        script.seen.dedup();
        assert_eq!(script.seen, [(18, Some(17)), (29, None)]);
    }
    worker.stop(Leave::Drain).await;
}

#[tokio::test]
async fn a_worker_that_comes_back_keeps_its_identity() {
    let farm = Farm::start(Script::default()).await;
    let worker = Worker::start(&farm);
    farm.until(|script| script.registered_with.len() == 1).await;
    let folder = worker.stop(Leave::Release).await;
    let worker = Worker::start_in(folder, &farm, "used up");
    farm.until(|script| script.registered_with.len() == 2).await;
    worker.stop(Leave::Release).await;
    assert_eq!(farm.script().registered_with, [JOIN_TOKEN, "own0"]);
}

#[tokio::test]
async fn a_worker_that_was_forgotten_joins_anew() {
    let farm = Farm::start(Script::default()).await;
    let worker = Worker::start(&farm);
    farm.until(|script| script.registered_with.len() == 1).await;
    let folder = worker.stop(Leave::Release).await;
    farm.script().tokens = vec!["somebody else's".to_owned()];
    let worker = Worker::start_in(folder, &farm, JOIN_TOKEN);
    farm.until(|script| script.registered_with.len() == 2).await;
    worker.stop(Leave::Release).await;
    assert_eq!(farm.script().registered_with, [JOIN_TOKEN, JOIN_TOKEN]);
}

#[tokio::test]
async fn a_wrong_join_token_is_told_and_not_repeated() {
    let farm = Farm::start(Script::default()).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let worker = Worker::start_in(folder, &farm, "wrong");
    let error = worker.task.await.expect("no panic").expect_err("it is not let in");
    assert!(matches!(error, WorkerError::JoinRefused { .. }), "{error}");
}

#[tokio::test]
async fn an_attempt_that_is_told_to_stop_says_no_more() {
    let film = film();
    let farm = Farm::start(Script {
        tasks: [assigned(7, &[&film], Work::Analysis), assigned(8, &[&film], Work::Analysis)]
            .into(),
        // The first one's source never comes, so that it waits until it is stopped.
        inputs: [((8, 0), film.clone())].into(),
        stop: vec![7],
        ..Script::default()
    })
    .await;
    let worker = Worker::start(&farm);
    farm.until(|script| !script.finished.is_empty()).await;
    worker.stop(Leave::Release).await;
    let script = farm.script();
    assert_eq!(script.finished[0].task_id, 8);
    assert_eq!(script.failed, []);
    assert!(script.reported.contains(&7));
}

#[tokio::test]
async fn a_failure_of_the_media_programs_is_told_with_its_kind() {
    let rubbish = Bytes::from(vec![7_u8; 5000]);
    let farm = Farm::start(Script {
        tasks: [assigned(1, &[&rubbish], Work::Analysis)].into(),
        inputs: [((1, 0), rubbish)].into(),
        ..Script::default()
    })
    .await;
    let worker = Worker::start(&farm);
    farm.until(|script| !script.failed.is_empty()).await;
    worker.stop(Leave::Drain).await;
    assert_eq!(farm.script().failed[0].kind(), grpc::FailureKind::Task);
}
