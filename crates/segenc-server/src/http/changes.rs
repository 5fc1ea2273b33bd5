//! The whole farm as it changes: jobs and workers in one stream, of which only what has changed is told.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use segenc_core::pool::job::Job;
use segenc_proto::rest::{Changes, JobView, WorkerView};

use super::App;
use super::caller::Reader;
use super::events::{Teller, next_view, stream, tell};
use super::views::{job_view, worker_view};
use crate::coordinator::View;
use crate::traffic::Traffic;

/// At most two a second: a list that changes faster cannot be read.
const PAUSE: Duration = Duration::from_millis(500);
/// Jobs that a stream tells of, the newest: a few megabytes.
const JOBS_MAX: usize = 2_000;

/// All jobs and workers now, and then what changes.
///
/// The first event after every connection is complete, so `Last-Event-ID` is not needed.
#[utoipa::path(
    get,
    path = "/api/events",
    tag = "server",
    responses((status = 200, body = Changes, content_type = "text/event-stream"))
)]
pub(super) async fn follow(
    State(app): State<App>,
    _: Reader,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (teller, events) = stream();
    tokio::spawn(tell_all(app, teller));
    events
}

async fn tell_all(app: App, teller: Teller) {
    let mut views = app.coordinator.views();
    let mut told = Told::default();
    loop {
        let view = views.borrow_and_update().clone();
        if let Some(changes) = told.changes(view, &app.traffic)
            && !tell(&teller, "changes", &changes).await
        {
            return;
        }
        if !next_view(&app, &mut views, &teller, PAUSE).await {
            return;
        }
    }
}

/// What a stream has told.
#[derive(Default)]
struct Told {
    view: Option<Arc<View>>,
    jobs: BTreeMap<u64, JobView>,
    workers: BTreeMap<u64, WorkerView>,
}

impl Told {
    /// What is to be told now.
    fn changes(&mut self, view: Arc<View>, traffic: &Traffic) -> Option<Changes> {
        let before = self.view.replace(Arc::clone(&view));
        let complete = before.is_none();
        let (jobs, gone_jobs) = self.jobs(&view, before.as_deref());
        let (workers, gone_workers) = self.workers(&view, traffic);
        let nothing = jobs.is_empty()
            && gone_jobs.is_empty()
            && workers.is_empty()
            && gone_workers.is_empty();
        let older_jobs = view.pool.jobs().nth(JOBS_MAX).is_some();
        let now = view.now;
        (complete || !nothing).then_some(Changes {
            complete,
            now,
            jobs,
            gone_jobs,
            workers,
            gone_workers,
            older_jobs,
        })
    }

    fn jobs(&mut self, view: &View, before: Option<&View>) -> (Vec<JobView>, Vec<u64>) {
        let mut changed = Vec::new();
        for job in view.pool.jobs().rev().take(JOBS_MAX) {
            if before.is_some_and(|before| is_as_before(before, view, job)) {
                continue;
            }
            let shown = job_view(view, job);
            if self.jobs.get(&job.id.0) != Some(&shown) {
                self.jobs.insert(job.id.0, shown.clone());
                changed.push(shown);
            }
        }
        let is_gone = |id: &u64| view.pool.job(segenc_core::ids::JobId(*id)).is_none();
        let gone: Vec<u64> = self.jobs.keys().copied().filter(is_gone).collect();
        for id in &gone {
            self.jobs.remove(id);
        }
        (changed, gone)
    }

    fn workers(&mut self, view: &View, traffic: &Traffic) -> (Vec<WorkerView>, Vec<u64>) {
        let mut changed = Vec::new();
        for worker in view.pool.workers() {
            let mut shown = worker_view(view, traffic, worker);
            let told = self.workers.get(&shown.id);
            // Who is there is heard of all the time; that alone is no news.
            if let Some(told) = told.filter(|told| told.online && shown.online) {
                shown.last_seen_at = told.last_seen_at;
            }
            if told != Some(&shown) {
                self.workers.insert(shown.id, shown.clone());
                changed.push(shown);
            }
        }
        let is_gone = |id: &u64| view.pool.worker(segenc_core::ids::WorkerId(*id)).is_none();
        let gone: Vec<u64> = self.workers.keys().copied().filter(is_gone).collect();
        for id in &gone {
            self.workers.remove(id);
        }
        (changed, gone)
    }
}

/// Whether nothing can have changed in what is shown of a job: it has ended, and is the same in memory, which
/// the pool's persistent maps make worth asking.
fn is_as_before(before: &View, view: &View, job: &Job) -> bool {
    job.state.is_final()
        && before.pool.job(job.id).is_some_and(|old| std::ptr::eq(old, job))
        && before.pool.counts(job.id) == view.pool.counts(job.id)
}
