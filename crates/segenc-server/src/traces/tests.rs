//! Spans of a job that only ever gets as far as its analysis.

use std::sync::Arc;

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::ids::{AttemptNumber, WorkerId};
use segenc_core::pool::job::{Fingerprint, SourceLocation, SourceRef, Start};
use segenc_core::pool::task::{AttemptRole, Observed};
use segenc_core::spec::{DynamicHdr, JobSpec, SplitPolicy, Verify, VideoSpec};

use super::*;

const JOB: JobId = JobId(1);
const ANALYSIS: TaskId = TaskId(1);

fn event(at: Millis, what: Happening) -> Event {
    Event { at, what }
}

fn created() -> Event {
    let spec = JobSpec {
        container: "matroska".to_owned(),
        args: Vec::new(),
        maps: Vec::new(),
        video: VideoSpec::Copy,
        codecs: Vec::new(),
        stream_options: Vec::new(),
        mux_options: Vec::new(),
        dropped_kinds: Vec::new(),
        split: SplitPolicy::Segments { run_up: 0, run_out: 0 },
        verify: Verify::Quick,
        segment_seconds: None,
        dynamic_hdr: DynamicHdr::Refuse,
        rate: None,
        buffer: None,
    };
    let fingerprint = Fingerprint { size: 9, modified: 0, head_and_tail: "ab".to_owned() };
    let what = Happening::JobCreated {
        job: JOB,
        analysis: ANALYSIS,
        name: "film.mkv".to_owned(),
        spec: Arc::new(spec),
        source: SourceRef {
            location: SourceLocation::Path("/films/film.mkv".to_owned()),
            name: "film.mkv".to_owned(),
            fingerprint,
        },
        output_path: None,
        priority: 0,
        start: Start::AtOnce,
    };
    event(100, what)
}

fn attempt(number: u32) -> AttemptId {
    AttemptId { task: ANALYSIS, number: AttemptNumber(number) }
}

fn started(at: Millis, number: u32) -> Event {
    let (attempt, worker) = (attempt(number), WorkerId(4));
    event(at, Happening::AttemptStarted { attempt, worker, role: AttemptRole::Regular })
}

/// The worker is there from the beginning.
fn registered() -> Event {
    // As it is stored: what a newer server wants to know besides has a default.
    let profile = serde_json::json!({
        "name": "den", "version": "1", "slots": 1, "cores": 1, "memory_bytes": 1, "encoders": [],
        "ffmpeg_version": "5.1", "platform": "any",
    });
    let profile = serde_json::from_value(profile).expect("a profile");
    event(50, Happening::WorkerRegistered { worker: WorkerId(4), profile })
}

/// What a pool tells of these batches of events, each batch on its own.
fn told(batches: &[Vec<Event>]) -> (Pool, Vec<EndedSpan>) {
    let mut pool = Pool::default();
    pool.apply(&registered());
    let mut all = Vec::new();
    for batch in batches {
        batch.iter().for_each(|event| pool.apply(event));
        all.extend(spans(&pool, batch.iter()));
    }
    (pool, all)
}

fn names(spans: &[EndedSpan]) -> Vec<&str> {
    spans.iter().map(|span| span.name).collect()
}

fn attribute<'a>(span: &'a EndedSpan, name: &str) -> Option<&'a SpanValue> {
    span.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[test]
fn an_attempt_that_expired_ends_neither_its_task_nor_its_job() {
    let expired = event(900, Happening::AttemptExpired { attempt: attempt(1) });
    let (pool, spans) = told(&[vec![created()], vec![started(200, 1)], vec![expired]]);
    assert_eq!(names(&spans), ["attempt"]);
    assert_eq!((spans[0].began, spans[0].ended), (200, 900));
    assert_eq!(spans[0].error.as_deref(), Some("lease-expired"));
    assert_eq!(attribute(&spans[0], "segenc.worker"), Some(&SpanValue::Number(4)));
    let task = pool.task(ANALYSIS).expect("it was made");
    assert_eq!(spans[0].parent, Some(task_span(spans[0].trace, task)));
}

#[test]
fn a_canceled_job_ends_what_ran_though_no_event_names_it() {
    let canceled = event(500, Happening::JobCanceled { job: JOB });
    let (_, spans) = told(&[vec![created()], vec![started(200, 1)], vec![canceled]]);
    assert_eq!(names(&spans), ["attempt", "task", "job"]);
    assert!(spans.iter().all(|span| span.error.is_none() && span.ended == 500));
    assert_eq!(spans[0].parent, Some(spans[1].id));
    assert_eq!(spans[1].parent, Some(spans[2].id));
    assert_eq!(spans[2].parent, None);
}

#[test]
fn what_fails_in_one_batch_is_told_once() {
    let failure = Failure {
        kind: FailureKind::Task,
        reason: "source-unreadable".to_owned(),
        message: "reading /films/secret.mkv failed".to_owned(),
        log_tail: String::new(),
    };
    let batch = vec![
        event(700, Happening::AttemptFailed { attempt: attempt(1), failure: failure.clone() }),
        event(700, Happening::TaskFailed { task: ANALYSIS }),
        event(700, Happening::JobFailed { job: JOB, failure }),
    ];
    let (_, spans) = told(&[vec![created()], vec![started(200, 1)], batch]);
    assert_eq!(names(&spans), ["attempt", "task", "job"]);
    assert!(spans.iter().all(|span| span.error.as_deref() == Some("source-unreadable")));
    assert!(!format!("{spans:?}").contains("/films"), "no path is told");
}

#[test]
fn a_server_that_starts_again_goes_on_with_the_same_trace() {
    let sink = SpanSink { wants: |_| true, take: |_| {} };
    let history = [vec![created()], vec![started(200, 1)]];
    let (pool, _) = told(&history);
    let (again, _) = told(&history);
    let place = traceparent(Some(sink), &pool, attempt(1)).expect("it is traced");
    assert_eq!(traceparent(Some(sink), &again, attempt(1)), Some(place.clone()));
    assert_ne!(traceparent(Some(sink), &pool, attempt(2)), Some(place.clone()));
    assert_eq!((place.len(), place.starts_with("00-"), place.ends_with("-01")), (55, true, true));
    let done = event(
        900,
        Happening::AttemptSucceeded { attempt: attempt(1), observed: Observed::default() },
    );
    let (_, spans) = told(&[vec![created()], vec![started(200, 1)], vec![done]]);
    let id: String = spans[0].id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(place.contains(&id), "the worker's spans are inside the attempt's: {place} {id}");
    let unwanted = SpanSink { wants: |_| false, ..sink };
    assert_eq!(traceparent(Some(unwanted), &pool, attempt(1)), None);
    assert_eq!(traceparent(None, &pool, attempt(1)), None);
}
