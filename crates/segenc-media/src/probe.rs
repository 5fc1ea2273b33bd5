//! The facts of a source, from ffprobe's answer.
//!
//! Must not know what the facts are used for.

mod light;

use std::collections::BTreeMap;

use segenc_core::failure::FailureKind;
use segenc_core::source::{Rational, SourceFacts, StreamFacts, StreamKind, VideoFacts};
use segenc_core::time::Timebase;
use serde::Deserialize;

use light::SideData;

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::Invocation;

/// Reads what a source is. Only formats that hold media themselves are opened.
///
/// # Errors
/// Fails with `source-is-a-playlist` or `source-unreadable` where it is no media file.
pub async fn probe(attempt: &Attempt<'_>, input: &MediaInput) -> Result<SourceFacts, WorkError> {
    let invocation = Invocation::facts(input);
    let call = Call {
        attempt,
        invocation: &invocation,
        reading: Reading::Source,
        what: "reading the source",
    };
    let text = call.ask().await?;
    let mut facts = parse(&text).map_err(|problem| {
        let message = format!("reading the source: {problem}");
        WorkError::failed(FailureKind::Task, "source-unreadable", message)
    })?;
    light::look(attempt, input, &mut facts).await?;
    if let MediaInput::File(path) = input {
        let metadata = tokio::fs::metadata(path).await;
        facts.size = metadata.map_err(|error| WorkError::scratch("look at", path, &error))?.len();
    }
    Ok(facts)
}

#[derive(Debug, Deserialize)]
struct Answer {
    format: Option<Format>,
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    chapters: Vec<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Format {
    format_name: String,
    start_time: Option<String>,
    duration: Option<String>,
    size: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    time_base: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    pix_fmt: Option<String>,
    field_order: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    color_transfer: Option<String>,
    has_b_frames: Option<u32>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    disposition: BTreeMap<String, u8>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

pub(crate) fn parse(text: &str) -> Result<SourceFacts, String> {
    let answer: Answer = serde_json::from_str(text)
        .map_err(|error| format!("ffprobe's answer is not understood: {error}"))?;
    let format = answer.format.ok_or("ffprobe found no format")?;
    if answer.streams.is_empty() {
        return Err("it holds no streams".to_owned());
    }
    let streams = answer.streams.into_iter().map(stream).collect::<Result<_, _>>()?;
    Ok(SourceFacts {
        demuxer: format.format_name,
        start_micros: format.start_time.as_deref().and_then(micros).unwrap_or(0),
        duration_micros: format.duration.as_deref().and_then(micros),
        size: format.size.and_then(|size| size.parse().ok()).unwrap_or(0),
        streams,
        chapters: u32::try_from(answer.chapters.len()).unwrap_or(u32::MAX),
    })
}

fn stream(stream: Stream) -> Result<StreamFacts, String> {
    let index = stream.index;
    let timebase = stream.time_base.as_deref().and_then(timebase);
    let kind = match stream.codec_type.as_deref() {
        Some("video") => StreamKind::Video,
        Some("audio") => StreamKind::Audio,
        Some("subtitle") => StreamKind::Subtitle,
        Some("attachment") => StreamKind::Attachment,
        // What ffprobe does not know it shows without a type.
        Some(_) | None => StreamKind::Data,
    };
    let set = stream.disposition.into_iter().filter(|(_, value)| *value != 0);
    let video = (kind == StreamKind::Video).then(|| VideoFacts {
        width: stream.width.unwrap_or(0),
        height: stream.height.unwrap_or(0),
        pixel_format: stream.pix_fmt.unwrap_or_default(),
        field_order: known(stream.field_order),
        average_rate: stream.avg_frame_rate.as_deref().and_then(rational),
        real_rate: stream.r_frame_rate.as_deref().and_then(rational),
        color_transfer: known(stream.color_transfer),
        has_b_frames: stream.has_b_frames.unwrap_or(0),
        mastering: light::mastering(&stream.side_data_list),
        dynamic_hdr: light::dynamic(&stream.side_data_list),
    });
    let mut tags = stream.tags;
    Ok(StreamFacts {
        index,
        kind,
        codec: stream.codec_name.unwrap_or_default(),
        timebase: timebase.ok_or_else(|| format!("stream {index} has no timebase"))?,
        language: tag(&mut tags, "language"),
        title: tag(&mut tags, "title"),
        dispositions: set.map(|(name, _)| name).collect(),
        video,
    })
}

/// Takes a tag out, whatever its letters' case: containers differ.
fn tag(tags: &mut BTreeMap<String, String>, name: &str) -> Option<String> {
    let key = tags.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    tags.remove(&key)
}

fn known(text: Option<String>) -> String {
    text.filter(|text| text != "unknown").unwrap_or_default()
}

/// Reads `num/den`; `0/0` is ffprobe's "not known".
pub(crate) fn rational(text: &str) -> Option<Rational> {
    let (num, den) = text.split_once('/')?;
    let (num, den) = (num.parse().ok()?, den.parse().ok()?);
    (num != 0 && den != 0).then_some(Rational { num, den })
}

/// Reads a timebase.
pub(crate) fn timebase(text: &str) -> Option<Timebase> {
    let fraction = rational(text)?;
    Timebase::new(fraction.num, fraction.den).ok()
}

/// Reads decimal seconds as microseconds, without the detour through a float.
pub(crate) fn micros(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let whole = whole.parse::<i64>().ok()?.checked_mul(1_000_000)?;
    whole.checked_add(fraction.parse().ok()?)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_becomes_facts() {
        let text = r#"{"chapters":[{"id":1},{"id":2}],"format":{"format_name":"matroska,webm",
          "start_time":"-0.021000","duration":"20.330000","size":"12345"},"streams":[
          {"index":0,"codec_name":"h264","codec_type":"video","width":320,"height":180,"has_b_frames":2,
           "pix_fmt":"yuv420p","field_order":"progressive","r_frame_rate":"30000/1001","avg_frame_rate":"0/0",
           "time_base":"1/1000","color_transfer":"unknown","disposition":{"default":1,"dub":0},
           "tags":{"LANGUAGE":"eng","title":"Ünder"}},
          {"index":1,"codec_type":"data","time_base":"1/90000"}]}"#;
        insta::assert_debug_snapshot!(parse(text));
    }

    #[test]
    fn no_streams_is_no_source() {
        assert!(parse(r#"{"format":{"format_name":"nut"},"streams":[]}"#).is_err());
        assert!(parse("").is_err());
        let text = r#"{"format":{"format_name":"nut"},"streams":[{"index":0,"time_base":"1/0"}]}"#;
        assert!(parse(text).is_err());
    }

    #[test]
    fn seconds_are_read_exactly() {
        assert_eq!(micros("36000.000001"), Some(36_000_000_001));
        assert_eq!(micros("-0.5"), Some(-500_000));
        assert_eq!(micros("7"), Some(7_000_000));
        for text in ["N/A", "", "-", "1e3", "1.-5", "99999999999999999999"] {
            assert_eq!(micros(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parser_panic(text in "\\PC*") {
            let _ = parse(&text);
            let _ = micros(&text);
            let _ = rational(&text);
        }

        #[test]
        fn microseconds_survive_being_written(value in i64::MIN + 1..i64::MAX) {
            prop_assert_eq!(micros(&crate::invocation::seconds(value)), Some(value));
        }
    }
}
