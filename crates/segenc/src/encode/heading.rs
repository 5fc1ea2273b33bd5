//! What is told before the work: the source, what becomes of it, and how.
//!
//! Looks into the source with ffprobe, so that a file that is no video is refused within a second.

use segenc_core::plan::{PlanError, Planner, Way};
use segenc_core::source::{SourceFacts, StreamFacts, StreamKind};
use segenc_core::spec::VideoSpec;
use segenc_media::{Attempt, MediaInput, Tools, WorkError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Wish;
use crate::halt::Halt;
use crate::places::name_of;
use crate::quantities::{bytes, clock, counted};
use crate::terminal;

/// Finds ffmpeg, or says what to do.
pub(crate) async fn tools() -> Result<Tools, Halt> {
    Tools::find().await.map_err(|error| {
        Halt::failed(error.to_string())
            .reason("ffmpeg-missing")
            .hint("install ffmpeg 5.1 or later (on Debian and Ubuntu: apt install ffmpeg)")
    })
}

/// Reads what is in the source.
pub(crate) async fn facts(tools: &Tools, source: &std::path::Path) -> anyhow::Result<SourceFacts> {
    let scratch = tempfile::tempdir()?;
    let (progress, _) = watch::channel(segenc_media::Progress::default());
    let attempt = Attempt {
        tools,
        scratch: scratch.path(),
        cancel: CancellationToken::new(),
        progress,
        encode_threads: 0,
    };
    let probed = segenc_media::probe(&attempt, &MediaInput::File(source.to_owned())).await;
    probed.map_err(|error| match error {
        WorkError::Canceled => Halt::failed("reading the source was interrupted").into(),
        WorkError::Failed(failure) => Halt::failed(failure.message)
            .reason(failure.reason)
            .log_tail(&failure.log_tail)
            .into(),
    })
}

/// Says what will happen. Refuses what cannot be made of this source.
pub(crate) fn tell(wish: &Wish, facts: &SourceFacts) -> Result<(), Halt> {
    let planner = Planner::new(&wish.spec, facts).map_err(|error| refused(&error))?;
    let encoder = match &wish.spec.video {
        VideoSpec::Encode(video) => video.encoder.clone(),
        VideoSpec::Copy => "video copied".to_owned(),
        VideoSpec::Drop => "no video".to_owned(),
    };
    if wish.voice.json {
        let line = serde_json::json!({
            "event": "source",
            "name": name_of(&wish.source),
            "size": facts.size,
            "container": facts.demuxer,
            "duration_millis": facts.duration_micros.map(|micros| micros / 1000),
            "streams": facts.streams,
            "encoder": encoder,
        });
        terminal::result(&line.to_string());
    }
    if wish.voice.json || wish.voice.quiet {
        return Ok(());
    }
    terminal::say(&format!("source   {}: {}", name_of(&wish.source), describe(facts)));
    let way = match &planner.header().way {
        Way::Segments => format!("in segments of about {} s", planner.header().target_millis / 1000),
        Way::Whole { reason } => format!("in one piece: {reason}"),
    };
    let name = name_of(wish.output.path());
    terminal::say(&format!("output   {name}: {}, {encoder}, {way}", wish.spec.container));
    Ok(())
}

pub(crate) fn refused(error: &PlanError) -> Halt {
    Halt::usage(error.to_string()).reason("plan-impossible")
}

/// A source in one line: `mkv, 1:30:00, 4.2 GB, h264 1920x1080, 2 audio, 3 subtitle`.
fn describe(facts: &SourceFacts) -> String {
    let container = facts.demuxer.split(',').next().unwrap_or(&facts.demuxer);
    let mut parts = vec![container.to_owned()];
    if let Some(micros) = facts.duration_micros.and_then(|micros| u64::try_from(micros).ok()) {
        parts.push(clock(micros / 1000));
    }
    parts.push(bytes(facts.size));
    parts.extend(facts.streams.iter().filter_map(describe_film));
    for (kind, noun) in [
        (StreamKind::Audio, "audio stream"),
        (StreamKind::Subtitle, "subtitle"),
        (StreamKind::Attachment, "attachment"),
        (StreamKind::Data, "data stream"),
    ] {
        let count = facts.streams.iter().filter(|stream| stream.kind == kind).count();
        if count > 0 {
            parts.push(counted(u64::try_from(count).unwrap_or(u64::MAX), noun));
        }
    }
    if facts.chapters > 0 {
        parts.push(counted(u64::from(facts.chapters), "chapter"));
    }
    parts.join(", ")
}

fn describe_film(stream: &StreamFacts) -> Option<String> {
    let video = stream.video.as_ref().filter(|_| !stream.attached_picture())?;
    Some(format!("{} {}x{} {}", stream.codec, video.width, video.height, video.pixel_format))
}
