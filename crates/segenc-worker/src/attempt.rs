//! Runs one attempt from its receipt to its delivery.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use segenc_core::pool::task::Observed;
use segenc_core::work::{MergeFrom, Pass, Work};
use segenc_media::confinement::Confinement;
use segenc_media::spans::TARGET;
use segenc_media::{
    Made, Progress, Suspension, Tools, WorkError, encode_noted, encode_other_streams,
    encode_segment, encode_whole, measure_segment, merge, weigh,
};
use segenc_proto::convert::AssignedTask;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::JoinTrace;
use crate::analysis::Analysis;
use crate::delivery::{Delivery, Ending};
use crate::failures;
use crate::heartbeat::Heartbeat;
use crate::inputs::Inputs;
use crate::occupancy::Place;
use crate::scratch::Scratch;
use crate::server::Session;
use crate::source_cache::SourceCache;
use crate::thumbnail::{self, Thumbnail, Thumbnails};
use crate::wakefulness::Wakefulness;

/// A canceled program is killed at once; if that cannot be waited for longer than this, it is left to
/// the system.
const CANCEL_WITHIN: Duration = Duration::from_secs(5);

/// What all attempts share.
#[derive(Debug)]
pub(crate) struct Workshop {
    /// The programs.
    pub(crate) tools: Tools,
    /// Where temporary files go.
    pub(crate) scratch: Scratch,
    /// Sources as they are read over HTTP.
    pub(crate) cache: SourceCache,
    /// Threads that one encode may use for what its task does not fix.
    pub(crate) threads: u32,
    /// Confines the programs, where that can be had.
    pub(crate) launcher: Option<PathBuf>,
    /// Whether small pictures are made.
    pub(crate) thumbnails: Thumbnails,
    /// Whether the computer may go to sleep meanwhile.
    pub(crate) wakefulness: Wakefulness,
    /// What joins the spans of attempts to their jobs' traces.
    pub(crate) join_trace: Option<JoinTrace>,
}

/// Runs an attempt that holds `place`, until it is delivered or `cancel` ends it.
pub(crate) async fn run(
    workshop: &Workshop,
    session: &Session,
    task: AssignedTask,
    place: Arc<Place>,
    cancel: CancellationToken,
) {
    let (progress, seen) = watch::channel(Progress::default());
    let (suspension, suspended) = watch::channel(Suspension::default());
    let heartbeat = Heartbeat {
        session: session.clone(),
        attempt: task.attempt,
        progress: seen,
        frames: expected_frames(&task.work),
        place: Arc::clone(&place),
        suspension,
        cancel: cancel.clone(),
    };
    let heartbeat = heartbeat.start();
    tracing::info!(attempt = %task.attempt, job = %task.job, work = name(&task.work), "received");
    let folder = workshop.scratch.attempt_folder();
    let ending = match &folder {
        Ok(folder) => {
            let surroundings = segenc_media::Attempt {
                tools: &workshop.tools,
                scratch: folder.path(),
                cancel: cancel.clone(),
                progress,
                encode_threads: workshop.threads,
                confinement: None,
                suspension: Some(suspended),
            };
            let work = Running { workshop, session, task: &task, place: &place, surroundings };
            tokio::select! {
                ending = work.run() => ending,
                () = long_after(&cancel) => Ending::Canceled,
            }
        }
        Err(error) => Ending::Failed(failures::scratch("make a folder", error)),
    };
    place.leave_slot();
    let (job, attempt) = (task.job, task.attempt);
    let film = thumbnail::file_of(&ending);
    let picture = async {
        if let (Ok(folder), Some(film)) = (&folder, film) {
            let folder = folder.path();
            let cancel = &cancel;
            let span = tracing::info_span!(target: TARGET, "picture");
            let thumbnail = Thumbnail { workshop, session, task: &task, folder, cancel };
            thumbnail.make_and_send(&film).instrument(span).await;
        }
    };
    let delivery = async {
        let deliver = tracing::info_span!(target: TARGET, "deliver");
        Delivery { session, job, attempt, cancel: &cancel }.run(ending).instrument(deliver).await;
        drop(heartbeat);
    };
    tokio::join!(delivery, picture);
    if let Ok(folder) = folder {
        remove(folder).await;
    }
}

struct Running<'a> {
    workshop: &'a Workshop,
    session: &'a Session,
    task: &'a AssignedTask,
    place: &'a Place,
    surroundings: segenc_media::Attempt<'a>,
}

impl Running<'_> {
    async fn run(mut self) -> Ending {
        let gathered = tokio::select! {
            inputs = self.gather() => inputs,
            () = self.surroundings.cancel.cancelled() => return Ending::Canceled,
        };
        let inputs = match gathered {
            Ok(inputs) => inputs,
            Err(WorkError::Canceled) => return Ending::Canceled,
            Err(WorkError::Failed(failure)) => return Ending::Failed(failure),
        };
        let launcher = self.workshop.launcher.as_deref();
        self.surroundings.confinement =
            launcher.map(|launcher| Confinement::around(launcher, inputs.all()));
        match self.work(&inputs).await {
            Ok(ending) => ending,
            Err(WorkError::Canceled) => Ending::Canceled,
            Err(WorkError::Failed(seen)) => Ending::Failed(match inputs.trouble() {
                // What the program saw is only what followed from the broken input.
                Some(failure) => {
                    segenc_core::failure::Failure { log_tail: seen.log_tail, ..failure }
                }
                None => seen,
            }),
        }
    }

    /// Fetches what is needed, then waits for a slot.
    async fn gather(&self) -> Result<Inputs, WorkError> {
        let folder: &Path = self.surroundings.scratch;
        let Workshop { cache, .. } = self.workshop;
        // A folder of their own: that of the attempt belongs to the programs.
        let copies = folder.join("inputs");
        tokio::fs::create_dir(&copies)
            .await
            .map_err(|error| WorkError::Failed(failures::scratch("make a folder", &error)))?;
        let fetch = tracing::info_span!(target: TARGET, "fetch");
        let inputs = Inputs::prepare(self.session, cache, self.task, &copies);
        let inputs = inputs.instrument(fetch).await?;
        let wait = tracing::info_span!(target: TARGET, "wait for slot");
        self.place.take_slot().instrument(wait).await;
        Ok(inputs)
    }

    async fn work(&self, inputs: &Inputs) -> Result<Ending, WorkError> {
        let attempt = &self.surroundings;
        let source = inputs.source()?;
        let file = |made: Made| Ending::File(made.path, made.observed);
        match &self.task.work {
            Work::Analysis => {
                let id = self.task.attempt;
                let pictures = inputs.pictures()?;
                let analysis = Analysis { session: self.session, id, attempt, source, pictures };
                let copy = analysis.run().await?;
                Ok(match copy {
                    Some(path) => Ending::File(path, Observed::default()),
                    None => Ending::Reported(Observed::default()),
                })
            }
            Work::Segment(work) => match &work.pass {
                Pass::Only => encode_segment(attempt, source, work).await.map(file),
                Pass::Measure => measure_segment(attempt, source, work).await.map(file),
                Pass::Real { notes_input: None } => {
                    encode_segment(attempt, source, work).await.map(file)
                }
                Pass::Real { notes_input: Some(num) } => {
                    let notes = inputs.media_of(*num)?;
                    encode_noted(attempt, source, notes, work).await.map(file)
                }
            },
            Work::Weigh(work) => weigh(attempt, source, work).await.map(Ending::Reported),
            Work::OtherStreams(work) => encode_other_streams(attempt, source, work).await.map(file),
            Work::Whole(work) => encode_whole(attempt, source, work).await.map(file),
            Work::Merge(work) => {
                let made = merge(attempt, &inputs.media, work).await?;
                Ok(match work.from {
                    MergeFrom::Parts(_) => file(made),
                    MergeFrom::WholeTitle(num) => Ending::Input(num, made.observed),
                })
            }
        }
    }
}

/// How many frames the attempt will make, as far as the task says.
fn expected_frames(work: &Work) -> Option<u64> {
    match work {
        Work::Segment(work) => Some(work.expected.count),
        Work::Analysis
        | Work::OtherStreams(_)
        | Work::Weigh(_)
        | Work::Whole(_)
        | Work::Merge(_) => None,
    }
}

fn name(work: &Work) -> &'static str {
    match work {
        Work::Analysis => "analysis",
        Work::Segment(_) => "segment",
        Work::OtherStreams(_) => "other streams",
        Work::Weigh(_) => "weighing",
        Work::Whole(_) => "whole title",
        Work::Merge(_) => "merge",
    }
}

async fn long_after(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(CANCEL_WITHIN).await;
}

/// Removes a folder beside the async threads: gigabytes take their time.
async fn remove(folder: tempfile::TempDir) {
    let removed = tokio::task::spawn_blocking(move || folder.close()).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(%error, "cannot clear the folder of an attempt");
    }
}
