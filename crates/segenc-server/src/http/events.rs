//! A job as it changes: server-sent events, each with the whole view, so that one that was missed is no loss.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use segenc_core::ids::JobId;
use segenc_core::pool::job::JobState;
use segenc_proto::rest::JobView;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::App;
use super::caller::{Path, Reader};
use super::jobs::find;
use super::problem::Problem;
use super::views::job_view;

/// At most four a second: faster than anybody reads.
const PAUSE: Duration = Duration::from_millis(250);
/// A silent line is broken by some proxies after half a minute, and clients want to know that we live.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// A reader that does not read makes the writer wait, not the memory grow.
const UNREAD_MAX: usize = 4;

/// The job now, and again after every change, until its end.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/events",
    tag = "jobs",
    params(("id" = u64, Path)),
    responses((status = 200, body = JobView, content_type = "text/event-stream"), (status = 404))
)]
pub(super) async fn follow(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<u64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    find(&app.coordinator.view(), id)?;
    let (sender, receiver) = mpsc::channel(UNREAD_MAX);
    tokio::spawn(tell(app, JobId(id), sender));
    let stream = ReceiverStream::new(receiver);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

async fn tell(app: App, id: JobId, sender: mpsc::Sender<Result<Event, Infallible>>) {
    let mut views = app.coordinator.views();
    let mut told: Option<JobView> = None;
    loop {
        let view = views.borrow_and_update().clone();
        let Some(job) = view.pool.job(id) else { return };
        let shown = job_view(&view, job);
        if told.as_ref() != Some(&shown) {
            let Ok(event) = Event::default().event("job").json_data(&shown) else { return };
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
            told = Some(shown);
        }
        match job.state {
            JobState::Completed | JobState::Failed | JobState::Canceled => return,
            JobState::Analyzing | JobState::Transcoding | JobState::Merging | JobState::Paused => {}
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = sender.closed() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = sender.closed() => return,
            changed = views.changed() => if changed.is_err() { return },
        }
    }
}
