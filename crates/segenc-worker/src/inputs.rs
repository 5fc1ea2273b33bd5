//! The inputs of one attempt, made readable: the server's own file, a source over loopback, or a fetched
//! copy.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use segenc_core::failure::{Failure, FailureKind};
use segenc_media::{MediaInput, WorkError};
use segenc_proto::convert::{AssignedTask, InputLocation};

use crate::failures;
use crate::fetch::{self, Wanted};
use crate::server::Session;
use crate::shared_files;
use crate::source_cache::{OpenSource, SourceCache, SourceKey};

/// Files fetched side by side: enough to hide the way to the server, few enough not to crowd out others.
const FETCHES_MAX: usize = 4;
/// The number under which every task finds its source.
const SOURCE: u32 = 0;

/// Inputs that can be opened, until dropped.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// By number.
    pub(crate) media: BTreeMap<u32, MediaInput>,
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
        let mut inputs = Self { media: BTreeMap::new(), open: Vec::new() };
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
                    let key = SourceKey { job: task.job.0, size: input.size };
                    let opened = cache.open(key, upstream);
                    let source = opened.map_err(|error| {
                        WorkError::Failed(failures::scratch("make a file", &error))
                    })?;
                    inputs.media.insert(input.num, MediaInput::Url(source.url.clone()));
                    inputs.open.push(source);
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
        self.media.get(&SOURCE).ok_or_else(|| {
            WorkError::Failed(failures::failure(
                FailureKind::Task,
                "task-not-understood",
                "the task names no source",
            ))
        })
    }

    /// What went wrong with reading a source, if anything did: ffmpeg sees only a broken connection, so
    /// this is the reason to report.
    pub(crate) fn trouble(&self) -> Option<Failure> {
        self.open.iter().find_map(OpenSource::trouble).map(|trouble| failures::source(&trouble))
    }
}

async fn servers_own(session: &Session, input: &InputLocation) -> Option<MediaInput> {
    if !session.sees_files {
        return None;
    }
    let path = input.server_path.as_deref()?;
    shared_files::find(path, input.size).await.map(MediaInput::File)
}
