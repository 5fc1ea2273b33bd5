//! `segenc plan`: where a film would be cut, and why. Reads the source, runs no encoder, needs no server.

use segenc_core::plan::{Cut, DecodedFrom, Planner, Segment, Way};
use segenc_core::spec::DynamicHdr;
use segenc_core::time::Timebase;
use serde::Serialize;

use super::presets;
use crate::arguments::{Plan, Voice};
use crate::encode::look_at_source;
use crate::inspection::{self, Inspection};
use crate::quantities::counted;
use crate::wiring::own_spec;
use crate::{table, terminal};

/// The plan as programs read it.
#[derive(Debug, Serialize)]
struct PlanView {
    way: &'static str,
    reason: Option<String>,
    /// Why the film is copied first and the copy is cut.
    copied_because: Option<String>,
    stream: Option<u32>,
    timebase: Option<(u32, u32)>,
    target_millis: u64,
    frames: u64,
    segments: Vec<SegmentLine>,
}

/// A segment as programs read it. Ticks are in the plan's timebase, on the clock of what is decoded; microseconds on
/// the source's clock, or on that of the output where a copy is decoded.
#[derive(Debug, Serialize)]
struct SegmentLine {
    index: u32,
    start: i64,
    end: i64,
    frames: u64,
    start_micros: i64,
    end_micros: i64,
    source_bytes: u64,
    seek_micros: Option<i64>,
    cut: Cut,
}

/// Runs the command.
pub(crate) async fn run(mut flags: Plan, voice: Voice) -> anyhow::Result<()> {
    flags.options = presets::expand(flags.preset.as_deref(), flags.options)?;
    let (input, _) = look_at_source(&flags.input)?;
    let mut spec = own_spec(&flags.options, Some(&flags.container), "")?;
    spec.segment_seconds = flags.segment_seconds;
    // What would be lost is told when the film is encoded; the cuts are the same.
    spec.dynamic_hdr = DynamicHdr::Drop;
    let inspection = Inspection::prepare().await?;
    let facts = inspection.facts(&input).await?;
    let mut planner = Planner::new(&spec, &facts)
        .map_err(|error| inspection::plan_refused(&error))?
        .with_looks(&spec);
    let way = match &planner.header().way {
        Way::Segments => Ok(()),
        Way::Whole { reason } => Err(reason.clone()),
    };
    let planned = match way {
        Ok(()) => inspection.segments(&input, &facts, &mut planner).await?,
        Err(reason) => Err(reason),
    };
    let (segments, whole_because) = match planned {
        Ok(segments) => (segments, None),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    let film = planner.header().film.clone();
    let timebase = film.as_ref().map(|film| film.timebase);
    let copied_because = match &planner.header().decoded_from {
        DecodedFrom::Copy { reason } if whole_because.is_none() => Some(reason.clone()),
        DecodedFrom::Copy { .. } | DecodedFrom::Source => None,
    };
    // In a copy the times are those of the output, and its bias.
    let bias = match (&film, planner.header().decoded_from.is_copy()) {
        (Some(film), true) => film.shift,
        (Some(_), false) | (None, _) => 0,
    };
    let view = PlanView {
        way: if whole_because.is_some() { "whole" } else { "segments" },
        reason: whole_because,
        copied_because,
        stream: film.map(|film| film.stream),
        timebase: timebase.map(Into::into),
        target_millis: planner.header().target_millis,
        frames: segments.iter().map(|segment| segment.expected.count).sum(),
        segments: timebase
            .map(|timebase| segments.iter().map(|segment| line(segment, timebase, bias)).collect())
            .unwrap_or_default(),
    };
    if voice.json {
        terminal::result(&serde_json::to_string(&view)?);
    } else {
        tell(&view);
    }
    Ok(())
}

fn line(segment: &Segment, timebase: Timebase, bias: i64) -> SegmentLine {
    SegmentLine {
        index: segment.index,
        start: segment.start,
        end: segment.end,
        frames: segment.expected.count,
        start_micros: timebase.micros(segment.start.saturating_sub(bias)),
        end_micros: timebase.micros(segment.end.saturating_sub(bias)),
        source_bytes: segment.source_bytes,
        seek_micros: segment.seek_micros,
        cut: segment.cut,
    }
}

fn tell(view: &PlanView) {
    if let Some(reason) = &view.reason {
        terminal::result(&format!("in one piece: {reason}"));
        return;
    }
    if let Some(reason) = &view.copied_because {
        terminal::result(&format!("from a copy of the film: {reason}"));
    }
    let rows: Vec<[String; 5]> = view
        .segments
        .iter()
        .map(|segment| {
            [
                segment.index.to_string(),
                position(segment.start_micros),
                position(segment.end_micros - segment.start_micros),
                segment.frames.to_string(),
                why(segment.cut).to_owned(),
            ]
        })
        .collect();
    table::print(["SEGMENT", "START", "LENGTH", "FRAMES", "ENDS AT"], &rows);
    let segments = u64::try_from(view.segments.len()).unwrap_or(u64::MAX);
    terminal::result(&format!(
        "{}, {}",
        counted(segments, "segment"),
        counted(view.frames, "frame")
    ));
}

const fn why(cut: Cut) -> &'static str {
    match cut {
        Cut::SceneKeyframe => "a keyframe off the grid, very likely a change of scene",
        Cut::Scene => "an ordinary frame at which a scene begins",
        Cut::Keyframe => "a keyframe",
        Cut::Frame => "an ordinary frame: no keyframe is near",
        Cut::End => "the end of the film",
    }
}

/// A position with milliseconds, such as `0:01:23.456`.
fn position(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let millis = micros.unsigned_abs() / 1000;
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    format!("{sign}{hours}:{minutes:02}:{:02}.{:03}", millis / 1000 % 60, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_their_milliseconds() {
        assert_eq!(position(83_456_789), "0:01:23.456");
        assert_eq!(position(-1_500_000), "-0:00:01.500");
    }
}
