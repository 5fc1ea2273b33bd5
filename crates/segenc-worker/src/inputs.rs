//! The inputs of one attempt, made readable: the server's own file, a source over loopback, or a fetched
//! copy.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use segenc_core::failure::{Failure, FailureKind};
use segenc_core::plan::Origin;
use segenc_core::source::StreamKind;
use segenc_core::work::{COPY_DEMUXER, MergeFrom, MergedStream, Work};
use segenc_media::{MediaInput, WorkError};
use segenc_proto::convert::{AssignedTask, InputLocation};

use crate::failures;
use crate::fetch::{self, Wanted};
use crate::server::Session;
use crate::shared_files;
use crate::source_cache::{OpenSource, Original, SourceCache, SourceKey, View};

/// Files fetched side by side: enough to hide the way to the server, few enough not to crowd out others.
const FETCHES_MAX: usize = 4;
/// The number under which every task finds its source.
const SOURCE: u32 = 0;

/// Inputs that can be opened, until dropped.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// By number.
    pub(crate) media: BTreeMap<u32, MediaInput>,
    /// The source with its pictures, where [`Self::source`] may have holes in their place.
    pictures: Option<MediaInput>,
    open: Vec<OpenSource>,
}

impl Inputs {
    /// Makes all inputs of a task readable; copies go into `folder`.
    pub(crate) async fn prepare(
        session: &Session,
        cache: &SourceCache,
        task: &AssignedTask,
        folder: &Path,
    ) -> Result<Self, WorkError> {
        let mut inputs = Self { media: BTreeMap::new(), pictures: None, open: Vec::new() };
        let mut copies = Vec::new();
        for input in &task.inputs {
            if let Some(media) = servers_own(session, input).await {
                inputs.media.insert(input.num, media);
                continue;
            }
            let upstream = session.input(task.job, task.attempt, input.num);
            match &input.sha256 {
                Some(sha256) => {
                    let path = folder.join(format!("input-{}", input.num));
                    inputs.media.insert(input.num, MediaInput::File(path.clone()));
                    copies.push(Wanted {
                        upstream,
                        size: input.size,
                        sha256: sha256.clone(),
                        path,
                    });
                }
                None => {
                    let original = original(&task.work);
                    let key = SourceKey { job: task.job.0, original, size: input.size };
                    let open = |view| {
                        cache.open(key, upstream.clone(), view).map_err(|error| {
                            WorkError::Failed(failures::scratch("make a file", &error))
                        })
                    };
                    let source = open(view(&task.work))?;
                    inputs.media.insert(input.num, MediaInput::Url(source.url.clone()));
                    inputs.open.push(source);
                    if task.work == Work::Analysis {
                        let plain = open(View::Plain)?;
                        inputs.pictures = Some(MediaInput::Url(plain.url.clone()));
                        inputs.open.push(plain);
                    }
                }
            }
        }
        for source in &inputs.open {
            source.warm().await;
        }
        stream::iter(copies)
            .map(|wanted| async move { fetch::fetch(&wanted).await })
            .buffer_unordered(FETCHES_MAX)
            .try_collect::<()>()
            .await
            .map_err(|error| WorkError::Failed(failures::input(&error)))?;
        Ok(inputs)
    }

    /// The source.
    pub(crate) fn source(&self) -> Result<&MediaInput, WorkError> {
        self.media_of(SOURCE)
    }

    /// The source for somebody who looks at its pictures.
    pub(crate) fn pictures(&self) -> Result<&MediaInput, WorkError> {
        self.pictures.as_ref().map_or_else(|| self.source(), Ok)
    }

    /// All that programs may open.
    pub(crate) fn all(&self) -> impl Iterator<Item = &MediaInput> {
        self.media.values().chain(&self.pictures)
    }

    /// The input of this number.
    pub(crate) fn media_of(&self, num: u32) -> Result<&MediaInput, WorkError> {
        self.media.get(&num).ok_or_else(|| {
            WorkError::Failed(failures::failure(
                FailureKind::Task,
                "task-not-understood",
                format!("the task names no input {num}"),
            ))
        })
    }

    /// What went wrong with reading a source, if anything did: ffmpeg sees only a broken connection, so
    /// this is the reason to report.
    pub(crate) fn trouble(&self) -> Option<Failure> {
        self.open.iter().find_map(OpenSource::trouble).map(|trouble| failures::source(&trouble))
    }
}

/// What input 0 is.
fn original(work: &Work) -> Original {
    match work {
        Work::Segment(work) if work.demuxer == COPY_DEMUXER => Original::Copy,
        Work::Analysis
        | Work::Segment(_)
        | Work::OtherStreams(_)
        | Work::Weigh(_)
        | Work::Whole(_)
        | Work::Merge(_) => Original::Source,
    }
}

/// How much of the source the work looks at. Only encoding the film needs what is inside its pictures.
fn view(work: &Work) -> View {
    match work {
        Work::Analysis => View::Facts,
        Work::OtherStreams(_) | Work::Weigh(_) => View::BesideFilm,
        Work::Segment(_) | Work::Whole(_) => View::Plain,
        Work::Merge(work) => match &work.from {
            MergeFrom::Parts(_) if work.streams.iter().any(is_copied_film) => View::Plain,
            MergeFrom::Parts(_) => View::BesideFilm,
            MergeFrom::WholeTitle(_) => View::Plain,
        },
    }
}

/// Cover pictures stand outside of what may be left out, unless they come one after the other like a film's.
fn is_copied_film(merged: &MergedStream) -> bool {
    let has = |wanted: &str| merged.dispositions.iter().any(|name| name == wanted);
    merged.stream.origin == Origin::Copied
        && merged.kind == StreamKind::Video
        && (!has("attached_pic") || has("timed_thumbnails"))
}

async fn servers_own(session: &Session, input: &InputLocation) -> Option<MediaInput> {
    if !session.sees_files {
        return None;
    }
    let path = input.server_path.as_deref()?;
    shared_files::find(path, input.size).await.map(MediaInput::File)
}
