//! What was committed is what is loaded.

use proptest::prelude::*;
use segenc_core::failure::{Failure, FailureKind};
use segenc_core::ids::{AttemptId, JobId, WorkerId};
use segenc_core::pool::command::{Answer, Command, NewJob};
use segenc_core::pool::event::Happening;
use segenc_core::pool::job::{Fingerprint, SourceLocation, SourceRef, Start};
use segenc_core::pool::worker::WorkerProfile;
use segenc_core::pool::{Leases, Pool, decide};
use segenc_core::spec::{JobSpec, SplitPolicy, Verify, VideoSpec};

use super::{Overwrite, Record, Store, Wish};

fn new_job(number: usize) -> NewJob {
    NewJob {
        name: format!("film {number}"),
        spec: JobSpec {
            container: "matroska".to_owned(),
            args: vec!["-c".to_owned(), "copy".to_owned()],
            maps: Vec::new(),
            video: VideoSpec::Copy,
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
        },
        source: SourceRef {
            location: SourceLocation::Path("/films/in.mkv".to_owned()),
            name: "in.mkv".to_owned(),
            fingerprint: Fingerprint { size: 1, modified: 2, head_and_tail: "00".to_owned() },
        },
        output_path: None,
        priority: 0,
        start: Start::AtOnce,
    }
}

fn profile() -> WorkerProfile {
    WorkerProfile {
        name: "one".to_owned(),
        version: "0".to_owned(),
        slots: 2,
        cores: 2,
        memory_bytes: 0,
        encoders: Vec::new(),
        ffmpeg_version: String::new(),
        platform: String::new(),
        can_pause: false,
        trial_sets: std::collections::BTreeMap::new(),
    }
}

fn command(pool: &Pool, step: (u8, u8)) -> Command {
    let (what, which) = (step.0 % 11, usize::from(step.1));
    let job = pool.jobs().nth(which % 4).map_or(JobId(1), |job| job.id);
    let worker = pool.workers().nth(which % 3).map_or(WorkerId(1), |worker| worker.id);
    let failure = Failure {
        kind: FailureKind::Transient,
        reason: "bad-luck".to_owned(),
        message: String::new(),
        log_tail: String::new(),
    };
    let running: Option<(WorkerId, AttemptId)> =
        pool.running().nth(which % 3).map(|running| (running.worker, running.id));
    match (what, running) {
        (0 | 1, _) => Command::CreateJob(Box::new(new_job(which))),
        (2, _) => Command::RegisterWorker { known: None, profile: profile() },
        (3, _) => Command::CancelJob(job),
        (4 | 5, _) => Command::DeleteJob(job),
        (6, _) => Command::RetryJob(job),
        (7, _) => Command::PauseJob(job),
        (8, Some((worker, attempt))) => Command::FailTask { worker, attempt, failure },
        (9, _) => Command::RemoveWorker(worker),
        _ => Command::RequestTask(worker),
    }
}

/// Decides a command, stores and applies what follows.
async fn step(store: &Store, pool: &mut Pool, leases: &mut Leases, command: Command) {
    let Ok(decision) = decide(pool, leases, 5, &command) else { return };
    let mut records = Vec::new();
    for event in &decision.events {
        let job = job_of(pool, &event.what);
        let last_task = match event.what {
            Happening::JobDeleted { job } => pool.tasks_of(job).map(|task| task.id).max(),
            _ => None,
        };
        pool.apply(event);
        records.push(Record { job, event: event.clone(), last_task });
    }
    leases.note(pool, 5, &command, &decision);
    let wish = Wish { overwrite: Overwrite::Replace, ..Wish::default() };
    let wishes = match decision.answer {
        Answer::Job(job) => vec![(job, wish)],
        Answer::Done | Answer::Worker(_) | Answer::Assigned(_) | Answer::Directive(_) => Vec::new(),
    };
    store.commit(&records, &wishes).await.expect("stored");
}

fn job_of(pool: &Pool, what: &Happening) -> Option<JobId> {
    match what {
        Happening::JobCreated { job, .. }
        | Happening::JobCanceled { job }
        | Happening::JobFailed { job, .. }
        | Happening::JobRetried { job }
        | Happening::JobPaused { job }
        | Happening::JobDeleted { job } => Some(*job),
        Happening::AttemptStarted { attempt, .. }
        | Happening::AttemptFailed { attempt, .. }
        | Happening::AttemptCanceled { attempt } => pool.task(attempt.task).map(|task| task.job),
        Happening::TaskFailed { task } => pool.task(*task).map(|task| task.job),
        _ => None,
    }
}

/// Everything but the workers' counters, which also counted what deleted jobs have cost.
fn compare(kept: &Pool, loaded: &Pool) -> Result<(), TestCaseError> {
    prop_assert!(kept.jobs().eq(loaded.jobs()), "{kept:#?}\n{loaded:#?}");
    for job in kept.jobs() {
        prop_assert!(kept.tasks_of(job.id).eq(loaded.tasks_of(job.id)));
        prop_assert_eq!(kept.counts(job.id), loaded.counts(job.id));
    }
    let workers = |pool: &Pool| -> Vec<_> {
        let workers = pool.workers();
        workers.map(|worker| (worker.id, worker.state.clone(), worker.running.clone())).collect()
    };
    prop_assert_eq!(workers(kept), workers(loaded));
    let none = Leases::default();
    for command in [
        Command::CreateJob(Box::new(new_job(0))),
        Command::RegisterWorker { known: None, profile: profile() },
    ] {
        let next = |pool| decide(pool, &none, 9, &command);
        prop_assert_eq!(next(kept), next(loaded), "ids that were given away come back");
    }
    Ok(())
}

async fn live(steps: Vec<(u8, u8)>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("events.sqlite");
    let store = Store::open(&file).await.expect("opened");
    let (mut pool, mut leases) = (Pool::default(), Leases::default());
    for each in steps {
        let next = command(&pool, each);
        step(&store, &mut pool, &mut leases, next).await;
    }
    store.close().await;
    let store = Store::open(&file).await.expect("opened again");
    let mut loaded = Pool::default();
    for event in &store.load().await.expect("loaded").events {
        loaded.apply(event);
    }
    store.close().await;
    compare(&pool, &loaded)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn loading_what_was_committed_gives_the_same_pool(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(live(steps))?;
    }
}

#[tokio::test]
async fn a_commit_is_all_or_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(&folder.path().join("events.sqlite")).await.expect("opened");
    let pool = Pool::default();
    let created = Command::CreateJob(Box::new(new_job(0)));
    let decision = decide(&pool, &Leases::default(), 5, &created).expect("decided");
    let records: Vec<Record> = decision
        .events
        .iter()
        .map(|event| Record { job: Some(JobId(1)), event: event.clone(), last_task: None })
        .collect();
    // The same key twice is refused by the table, after the events were written.
    let wish = || Wish { idempotency_key: Some("once".to_owned()), ..Wish::default() };
    let twice = [(JobId(1), wish()), (JobId(2), wish())];
    assert!(store.commit(&records, &twice).await.is_err());
    assert!(store.load().await.expect("loaded").events.is_empty());
    store.commit(&records, &twice[..1]).await.expect("stored");
    let history = store.load().await.expect("loaded");
    assert_eq!(history.events, decision.events);
    assert_eq!(history.jobs_by_key.get("once"), Some(&JobId(1)));
}

/// Lets the file have so many pages, on every connection that there is.
async fn allow_pages(store: &Store, pages: u32) {
    let mut held = Vec::new();
    for _ in 0..super::CONNECTIONS_MAX {
        let mut connection = store.pool.acquire().await.expect("a connection");
        let text = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::raw_sql(text).execute(&mut *connection).await.expect("a pragma");
        held.push(connection);
    }
}

#[tokio::test]
async fn a_disk_that_was_full_is_written_again_when_there_is_room() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(&folder.path().join("events.sqlite")).await.expect("opens");
    let wish = |number: u64| {
        // Larger than what is left on the pages that exist.
        let idempotency_key = Some(format!("{number}").repeat(50_000));
        [(JobId(number), Wish { idempotency_key, ..Wish::default() })]
    };
    // Once for every connection: each of them has met the full disk then. One that was given up for it is opened anew,
    // with all the room there is.
    for number in 1..=u64::from(super::CONNECTIONS_MAX) {
        allow_pages(&store, 1).await;
        assert!(store.commit(&[], &wish(number)).await.is_err(), "there is no room");
    }
    allow_pages(&store, 1_000_000).await;
    for number in 1..=u64::from(super::CONNECTIONS_MAX) {
        store.commit(&[], &wish(number)).await.expect("there is room again");
    }
}
