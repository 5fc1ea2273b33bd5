//! A job as it changes: server-sent events, each with the whole view, so that one that was missed is no loss.
//!
//! On request also its tasks, of which only those are told that have changed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use segenc_core::ids::JobId;
use segenc_core::pool::task::{Task, TaskState};
use segenc_proto::rest::{JobView, TaskChanges, TaskView};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::caller::{Path, Query, Reader};
use super::jobs::find;
use super::problem::Problem;
use super::views::{job_view, task_view};
use crate::coordinator::View;

/// At most four a second: faster than anybody reads.
const PAUSE: Duration = Duration::from_millis(250);
/// A silent line is broken by some proxies after half a minute, and clients want to know that we live.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// A reader that does not read makes the writer wait, not the memory grow.
const UNREAD_MAX: usize = 4;

/// Where a stream's writer puts its events.
pub(super) type Teller = mpsc::Sender<Result<Event, Infallible>>;

/// A stream, and where to put its events.
pub(super) fn stream() -> (Teller, Sse<impl Stream<Item = Result<Event, Infallible>>>) {
    let (sender, receiver) = mpsc::channel(UNREAD_MAX);
    let events = Sse::new(ReceiverStream::new(receiver));
    (sender, events.keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

/// Sends an event; `false` if nobody listens any more.
pub(super) async fn tell<T: Serialize>(teller: &Teller, name: &str, data: &T) -> bool {
    let Ok(event) = Event::default().event(name).json_data(data) else { return false };
    teller.send(Ok(event)).await.is_ok()
}

/// What is wanted beside the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum With {
    /// Its tasks, and what happens after its end: it may be taken up again.
    Tasks,
}

/// See [`With`].
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// `tasks`: the tasks too, and no end.
    #[param(inline)]
    with: Option<With>,
}

/// The job now, and again after every change, until its end.
///
/// With `with=tasks` there are events `tasks` too (`TaskChanges`), and the stream goes on after the job's end.
/// The first events after every connection tell everything, so `Last-Event-ID` is not needed.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/events",
    tag = "jobs",
    params(
        ("id" = u64, Path), Wanted
    ),
    responses((status = 200, body = JobView, content_type = "text/event-stream"), (status = 400), (status = 404))
)]
pub(super) async fn follow(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
    Query(wanted): Query<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    find(&app.coordinator.view(), id)?;
    let (teller, events) = stream();
    tokio::spawn(tell_job(app, JobId(id), wanted.with, teller));
    Ok(events)
}

async fn tell_job(app: App, id: JobId, with: Option<With>, teller: Teller) {
    let mut views = app.coordinator.views();
    let mut told: Option<JobView> = None;
    let mut tasks = Tasks::default();
    loop {
        let view = views.borrow_and_update().clone();
        let Some(job) = view.pool.job(id) else { return };
        let shown = job_view(&view, job);
        if told.as_ref() != Some(&shown) {
            if !tell(&teller, "job", &shown).await {
                return;
            }
            told = Some(shown);
        }
        match with {
            None if job.state.is_final() => return,
            None => {}
            Some(With::Tasks) => {
                if let Some(changes) = tasks.changes(&view, id)
                    && !tell(&teller, "tasks", &changes).await
                {
                    return;
                }
            }
        }
        if !next_view(&app, &mut views, &teller, PAUSE).await {
            return;
        }
    }
}

/// Waits for a new view, but for `pause` at least; `false` if the stream is to end.
pub(super) async fn next_view(
    app: &App,
    views: &mut tokio::sync::watch::Receiver<Arc<View>>,
    teller: &Teller,
    pause: Duration,
) -> bool {
    tokio::select! {
        () = app.stop.cancelled() => return false,
        () = teller.closed() => return false,
        () = tokio::time::sleep(pause) => {}
    }
    tokio::select! {
        () = app.stop.cancelled() => false,
        () = teller.closed() => false,
        changed = views.changed() => changed.is_ok(),
    }
}

/// What a stream has told of a job's tasks.
#[derive(Default)]
struct Tasks {
    told: Option<Arc<View>>,
}

impl Tasks {
    /// What is to be told now.
    fn changes(&mut self, view: &Arc<View>, id: JobId) -> Option<TaskChanges> {
        let job = view.pool.job(id)?;
        let before = self.told.replace(Arc::clone(view));
        let has_changed = |task: &&Task| {
            // What runs tells its progress, which is not kept in the task.
            task.state == TaskState::Running
                || before.as_ref().is_none_or(|before| {
                    // A task that was changed is another one in memory: the pool's maps are persistent.
                    !before.pool.task(task.id).is_some_and(|old| std::ptr::eq(old, *task))
                })
        };
        let tasks: Vec<TaskView> = view
            .pool
            .tasks_of(id)
            .filter(has_changed)
            .map(|task| without_logs(task_view(view, job, task)))
            .collect();
        let complete = before.is_none();
        (complete || !tasks.is_empty()).then_some(TaskChanges { complete, now: view.now, tasks })
    }
}

/// Logs are long, and asked for when somebody wants to read one.
fn without_logs(mut task: TaskView) -> TaskView {
    for failure in task.attempts.iter_mut().filter_map(|attempt| attempt.failure.as_mut()) {
        failure.log_tail.clear();
    }
    task
}
