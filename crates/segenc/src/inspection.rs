//! Looks into a source with ffprobe on this machine: its streams, and where it would be cut.
//!
//! Reads only; knows no server.

use std::path::Path;

use futures_util::future::try_join_all;
use segenc_core::plan::{PlanError, Planner, Segment, Unsplittable};
use segenc_core::source::{Packet, SourceFacts};
use segenc_media::confinement::Confinement;
use segenc_media::{
    Attempt, Copied, LookedAt, MediaInput, PacketReader, Tools, WorkError, look_for_scene,
};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::halt::Halt;
use crate::wiring::launcher;

/// Packets read at once: some minutes of film.
const BATCH_PACKETS: usize = 5000;
/// Places that are looked at side by side for changes of scene: each takes up to two processors.
const LOOKS_AT_ONCE: usize = 3;
/// What to do where ffmpeg is not to be found.
pub(crate) const INSTALL_FFMPEG: &str =
    "install ffmpeg 5.1 or later (on Debian and Ubuntu: apt install ffmpeg)";

/// What is needed to look into a source.
#[derive(Debug)]
pub(crate) struct Inspection {
    tools: Tools,
    scratch: TempDir,
}

impl Inspection {
    /// Finds ffmpeg and ffprobe, or says what to do.
    pub(crate) async fn prepare() -> anyhow::Result<Self> {
        let tools = Tools::find().await.map_err(|error| {
            Halt::failed(error.to_string()).reason("ffmpeg-missing").hint(INSTALL_FFMPEG)
        })?;
        Ok(Self { tools, scratch: tempfile::tempdir()? })
    }

    /// The programs, for somebody who goes on with them.
    pub(crate) fn into_tools(self) -> Tools {
        self.tools
    }

    /// Reads what is in the source.
    pub(crate) async fn facts(&self, source: &Path) -> anyhow::Result<SourceFacts> {
        let input = MediaInput::File(source.to_owned());
        segenc_media::probe(&self.attempt(&input), &input).await.map_err(failed)
    }

    /// Reads the film's packets into the planner, and looks at pictures where it says so. Gives the segments, or why
    /// there are none.
    pub(crate) async fn segments(
        &self,
        source: &Path,
        facts: &SourceFacts,
        planner: &mut Planner,
    ) -> anyhow::Result<Result<Vec<Segment>, String>> {
        let film = planner.header().film.as_ref().filter(|_| planner.wants_packets());
        let film = film.and_then(|film| facts.streams.iter().find(|one| one.index == film.stream));
        let Some(film) = film else { return Ok(Ok(Vec::new())) };
        let input = MediaInput::File(source.to_owned());
        let attempt = self.attempt(&input);
        let planned = if planner.header().decoded_from.is_copy() {
            let beside = planner.header().beside(facts);
            let copied = segenc_media::copy_film(&attempt, &input, facts, film.index, &beside);
            let copy = match copied.await.map_err(failed)? {
                Copied::Made(copy) => copy,
                Copied::Unsplittable(reason) => return Ok(Err(reason)),
            };
            let file = MediaInput::File(copy.path);
            let packets = Packets::Listed(copy.packets);
            cut(&attempt, LookedAt::copy(&file, film), packets, planner).await
        } else {
            let odd = segenc_media::why_packets_are_no_pictures(&attempt, &input, facts, film);
            if let Some(reason) = odd.await.map_err(failed)? {
                return Ok(Err(reason));
            }
            let reader = segenc_media::packets(&attempt, &input, facts, film.index);
            let packets = Packets::Read(reader.await.map_err(failed)?);
            cut(&attempt, LookedAt::source(&input, facts, film), packets, planner).await
        };
        match planned {
            Ok(segments) => Ok(Ok(segments)),
            Err(Stop::Unsplittable(Unsplittable { reason })) => Ok(Err(reason)),
            Err(Stop::Failed(error)) => Err(failed(error)),
        }
    }

    fn attempt(&self, input: &MediaInput) -> Attempt<'_> {
        let (progress, _) = watch::channel(segenc_media::Progress::default());
        Attempt {
            tools: &self.tools,
            scratch: self.scratch.path(),
            cancel: CancellationToken::new(),
            progress,
            encode_threads: 0,
            confinement: launcher().map(|path| Confinement::around(&path, std::iter::once(input))),
            suspension: None,
        }
    }
}

/// Where the film's packets come from.
enum Packets {
    Listed(Vec<Packet>),
    Read(PacketReader),
}

impl Packets {
    async fn next_batch(&mut self) -> Result<Option<Vec<Packet>>, WorkError> {
        match self {
            Self::Listed(packets) if packets.is_empty() => Ok(None),
            Self::Listed(packets) => Ok(Some(std::mem::take(packets))),
            Self::Read(reader) => reader.next_batch(BATCH_PACKETS).await,
        }
    }
}

/// Why there are no segments.
enum Stop {
    Unsplittable(Unsplittable),
    Failed(WorkError),
}

impl From<Unsplittable> for Stop {
    fn from(unsplittable: Unsplittable) -> Self {
        Self::Unsplittable(unsplittable)
    }
}

impl From<WorkError> for Stop {
    fn from(error: WorkError) -> Self {
        Self::Failed(error)
    }
}

/// Plans to the end, a few looks at a time.
async fn cut(
    attempt: &Attempt<'_>,
    at: LookedAt<'_>,
    mut packets: Packets,
    planner: &mut Planner,
) -> Result<Vec<Segment>, Stop> {
    let mut segments = Vec::new();
    while let Some(batch) = packets.next_batch().await? {
        segments.extend(planner.push(&batch)?);
    }
    segments.extend(planner.end_of_packets()?);
    loop {
        let looks = planner.looks();
        if looks.is_empty() {
            break;
        }
        let open = looks.iter().take(LOOKS_AT_ONCE);
        let scenes = try_join_all(open.map(|look| look_for_scene(attempt, at, look))).await?;
        for (look, scene) in looks.iter().zip(scenes) {
            segments.extend(planner.seen(look.until, scene)?);
        }
    }
    segments.extend(planner.finish()?);
    Ok(segments)
}

/// A wish that does not fit the source.
pub(crate) fn plan_refused(error: &PlanError) -> Halt {
    Halt::usage(error.to_string()).reason("plan-impossible")
}

fn failed(error: WorkError) -> anyhow::Error {
    match error {
        WorkError::Canceled => Halt::failed("reading the source was interrupted").into(),
        WorkError::Failed(failure) => {
            let unreadable = failure.reason == "source-unreadable";
            let hint = "is it a film, and does it play? a damaged file must be repaired first";
            Halt::failed(failure.message)
                .hint_if_any(unreadable.then(|| hint.to_owned()))
                .reason(failure.reason)
                .log_tail(&failure.log_tail)
                .into()
        }
    }
}
