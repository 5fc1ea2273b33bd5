//! What a film says of its light beside its pixels: mastering display, content light level, Dolby Vision, HDR10+.
//!
//! Containers tell some of it; the rest stands in the pictures, so that one has to be decoded. Must not know
//! what becomes of it.

use std::collections::BTreeMap;

use segenc_core::source::{Mastering, SourceFacts, StreamKind};
use serde::Deserialize;
use serde_json::Value;

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::Invocation;

/// One piece of side data, as ffprobe shows it.
pub(super) type SideData = BTreeMap<String, Value>;

/// Transfers that come with such side data.
const HDR_TRANSFERS: [&str; 2] = ["smpte2084", "arib-std-b67"];

/// Units of a chromaticity and of a luminance, as HEVC counts them.
const CHROMATICITY: u64 = 50_000;
const LUMINANCE: u64 = 10_000;

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    frames: Vec<Frame>,
}

#[derive(Debug, Deserialize)]
struct Frame {
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

/// Completes the facts of HDR films by what stands beside their first pictures.
pub(super) async fn look(
    attempt: &Attempt<'_>,
    input: &MediaInput,
    facts: &mut SourceFacts,
) -> Result<(), WorkError> {
    let demuxer = facts.demuxer.clone();
    let films = facts
        .streams
        .iter_mut()
        .filter(|stream| stream.kind == StreamKind::Video && !stream.attached_picture());
    for stream in films {
        let Some(video) = &mut stream.video else { continue };
        if !HDR_TRANSFERS.contains(&video.color_transfer.as_str()) {
            continue;
        }
        let invocation = Invocation::first_side_data(&demuxer, input, stream.index);
        let what = "looking at the first picture";
        let call = Call { attempt, invocation: &invocation, reading: Reading::Source, what };
        // A picture that cannot be decoded says nothing.
        let Some(text) = WorkError::or_nothing(call.ask().await)? else { continue };
        let answer: Option<Answer> = serde_json::from_str(&text).ok();
        let frame = answer.and_then(|answer| answer.frames.into_iter().next());
        let said = frame.map(|frame| frame.side_data_list).unwrap_or_default();
        // The container's word holds for the whole film, so it comes first.
        video.mastering = match (video.mastering, mastering(&said)) {
            (Some(first), Some(second)) => Some(Mastering {
                display: first.display.or(second.display),
                light: first.light.or(second.light),
            }),
            (first, second) => first.or(second),
        };
        if video.dynamic_hdr.is_empty() {
            video.dynamic_hdr = dynamic(&said);
        }
    }
    Ok(())
}

/// What holds for the whole film.
pub(super) fn mastering(said: &[SideData]) -> Option<Mastering> {
    let display = find(said, "Mastering display metadata").and_then(display);
    let light = find(said, "Content light level metadata").and_then(|data| {
        let number = |name| u32::try_from(data.get(name)?.as_u64()?).ok();
        Some([number("max_content")?, number("max_average")?])
    });
    (display.is_some() || light.is_some()).then_some(Mastering { display, light })
}

/// What is said frame by frame, by its name for people; empty: nothing.
pub(super) fn dynamic(said: &[SideData]) -> String {
    let has = |text: &str| said.iter().any(|data| name(data).contains(text));
    if has("DOVI configuration record") || has("Dolby Vision") {
        "Dolby Vision".to_owned()
    } else if has("SMPTE2094-40") || has("HDR10+") {
        "HDR10+".to_owned()
    } else {
        String::new()
    }
}

fn name(data: &SideData) -> &str {
    data.get("side_data_type").and_then(Value::as_str).unwrap_or_default()
}

fn find<'a>(said: &'a [SideData], wanted: &str) -> Option<&'a SideData> {
    said.iter().find(|data| name(data) == wanted)
}

fn display(data: &SideData) -> Option<[u32; 10]> {
    let colour = |name| scaled(data, name, CHROMATICITY);
    let luminance = |name| scaled(data, name, LUMINANCE);
    Some([
        colour("green_x")?,
        colour("green_y")?,
        colour("blue_x")?,
        colour("blue_y")?,
        colour("red_x")?,
        colour("red_y")?,
        colour("white_point_x")?,
        colour("white_point_y")?,
        luminance("max_luminance")?,
        luminance("min_luminance")?,
    ])
}

/// Reads `num/den` in these units, rounded.
fn scaled(data: &SideData, name: &str, units: u64) -> Option<u32> {
    let (num, den) = data.get(name)?.as_str()?.split_once('/')?;
    let (num, den) = (num.parse::<u64>().ok()?, den.parse::<u64>().ok().filter(|den| *den > 0)?);
    let doubled = num.checked_mul(units)?.checked_mul(2)?.checked_add(den)?;
    u32::try_from(doubled / den.checked_mul(2)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<SideData> {
        serde_json::from_str(text).expect("the test's own text")
    }

    #[test]
    fn a_display_is_read_in_the_units_of_hevc() {
        let said = said(
            r#"[{"side_data_type":"Mastering display metadata","red_x":"11408507/16777216",
            "red_y":"16000/50000","green_x":"53/200","green_y":"69/100","blue_x":"3/20","blue_y":"3/50",
            "white_point_x":"3127/10000","white_point_y":"329/1000","min_luminance":"50/10000",
            "max_luminance":"1000/1"},
            {"side_data_type":"Content light level metadata","max_content":1000,"max_average":400}]"#,
        );
        let found = mastering(&said).expect("both are there");
        let display =
            [13_250, 34_500, 7_500, 3_000, 34_000, 16_000, 15_635, 16_450, 10_000_000, 50];
        assert_eq!(found, Mastering { display: Some(display), light: Some([1000, 400]) });
        assert_eq!(mastering(&[]), None);
    }

    #[test]
    fn what_changes_from_frame_to_frame_is_named() {
        let named = |kind: &str| dynamic(&said(&format!(r#"[{{"side_data_type":"{kind}"}}]"#)));
        assert_eq!(named("DOVI configuration record"), "Dolby Vision");
        assert_eq!(named("Dolby Vision RPU Data"), "Dolby Vision");
        assert_eq!(named("HDR Dynamic Metadata SMPTE2094-40 (HDR10+)"), "HDR10+");
        assert_eq!(named("Mastering display metadata"), "");
    }

    #[test]
    fn fractions_without_sense_are_nothing() {
        let data = |value: &str| said(&format!(r#"[{{"x":"{value}"}}]"#)).remove(0);
        for value in ["1/0", "-1/2", "18446744073709551615/1", "x", ""] {
            assert_eq!(scaled(&data(value), "x", 50_000), None, "{value}");
        }
    }
}
