//! Where two files differ, point by point.

use std::collections::BTreeSet;

use serde_json::Value;

use super::look::{Content, Packet};
use super::target::Pictures;

/// Fields of a stream that must be the same.
const FIELDS: [&str; 22] = [
    "codec_type",
    "codec_name",
    "codec_tag_string",
    "profile",
    "width",
    "height",
    "pix_fmt",
    "sample_aspect_ratio",
    "display_aspect_ratio",
    "field_order",
    "color_range",
    "color_space",
    "color_transfer",
    "color_primaries",
    "chroma_location",
    "r_frame_rate",
    "avg_frame_rate",
    "time_base",
    "sample_rate",
    "channels",
    "channel_layout",
    "disposition",
];

/// Tags that name the program or only repeat a number that is compared.
const TAGS_LEFT_OUT: [&str; 2] = ["encoder", "duration"];

/// Side data that an encoder or a muxer makes up for itself.
const SIDE_DATA_LEFT_OUT: [&str; 1] = ["CPB properties"];

/// How far durations may stand apart, in seconds: what containers round a duration to.
const DURATION_TOLERANCE: f64 = 0.0015;

/// Half a step of a mastering display's luminance in HEVC and MP4; colours have finer steps.
const MASTERING_TOLERANCE: f64 = 0.000_05;

/// By which part of itself an average rate may differ.
const RATE_TOLERANCE: f64 = 1e-5;

/// How a point ends that is about decoded pictures; it is the last but for chapters and the file.
pub(crate) const OTHER_PICTURES: &str = "pictures with other contents";

/// Everything that differs; empty: exact.
pub(crate) fn differences(single: &Content, ours: &Content, pictures: Pictures) -> Vec<String> {
    let mut points = Vec::new();
    if single.streams.len() != ours.streams.len() {
        points.push(format!("{} streams instead of {}", ours.streams.len(), single.streams.len()));
    }
    for (number, (theirs, own)) in single.streams.iter().zip(&ours.streams).enumerate() {
        let kind = theirs["codec_type"].as_str().unwrap_or("unknown").to_owned();
        let mut of_stream = stream(theirs, own);
        let index = number as u64;
        let none = Vec::new();
        let packets =
            |content: &Content| content.packets.get(&index).cloned().unwrap_or(none.clone());
        let attached = theirs["disposition"]["attached_pic"] == 1;
        let part = match kind.as_str() {
            "video" if !attached => Part::Film,
            _ => Part::Copied,
        };
        of_stream.extend(packet_points(&packets(single), &packets(ours), part));
        points.extend(of_stream.into_iter().map(|point| format!("{number} {kind}: {point}")));
    }
    points.extend(frames(single, ours, pictures));
    points.extend(chapters(single, ours));
    points.extend(format(&single.format, &ours.format));
    points
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Film,
    Copied,
}

fn stream(single: &Value, ours: &Value) -> Vec<String> {
    let mut points = Vec::new();
    for field in FIELDS {
        if single[field] != ours[field]
            && !(field == "avg_frame_rate" && near(&single[field], &ours[field]))
        {
            points.push(format!(
                "{field} {} instead of {}",
                short(&ours[field]),
                short(&single[field])
            ));
        }
    }
    points.extend(tags(&single["tags"], &ours["tags"]));
    let (theirs, own) = (side_data(single), side_data(ours));
    if theirs.len() != own.len() || !theirs.iter().zip(&own).all(|(a, b)| near_values(a, b)) {
        let names = |data: &[Value]| {
            let names: Vec<&str> =
                data.iter().filter_map(|one| one["side_data_type"].as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        points.push(format!("side data: {} instead of {}", names(&own), names(&theirs)));
    }
    points
}

/// MP4 tells no average rate; ffprobe makes it from the sum of durations, with its rounding.
fn near(single: &Value, ours: &Value) -> bool {
    let rate = |value: &Value| {
        let (num, den) = value.as_str()?.split_once('/')?;
        Some(num.parse::<f64>().ok()? / den.parse::<f64>().ok()?)
    };
    matches!((rate(single), rate(ours)), (Some(a), Some(b)) if (a - b).abs() <= a * RATE_TOLERANCE)
}

/// Fields of side data; fractions may differ by what the coarsest format for them rounds to.
fn near_values(single: &Value, ours: &Value) -> bool {
    let (Some(theirs), Some(own)) = (single.as_object(), ours.as_object()) else {
        return single == ours;
    };
    let number = |value: &Value| {
        let (num, den) = value.as_str()?.split_once('/')?;
        Some(num.parse::<f64>().ok()? / den.parse::<f64>().ok()?)
    };
    theirs.len() == own.len()
        && theirs.iter().all(|(key, value)| {
            own.get(key).is_some_and(|other| match (number(value), number(other)) {
                (Some(a), Some(b)) => (a - b).abs() <= MASTERING_TOLERANCE,
                _ => value == other,
            })
        })
}

fn side_data(stream: &Value) -> Vec<Value> {
    let all = stream["side_data_list"].as_array().cloned().unwrap_or_default();
    let kept = all.into_iter().filter(|one| {
        let kind = one["side_data_type"].as_str().unwrap_or_default();
        !SIDE_DATA_LEFT_OUT.contains(&kind)
    });
    kept.collect()
}

fn tags(single: &Value, ours: &Value) -> Vec<String> {
    let keys = |tags: &Value| -> BTreeSet<String> {
        tags.as_object().map(|tags| tags.keys().cloned().collect()).unwrap_or_default()
    };
    let mut points = Vec::new();
    for key in keys(single).union(&keys(ours)) {
        let left_out = TAGS_LEFT_OUT.iter().any(|name| key.eq_ignore_ascii_case(name));
        if !left_out && single[key] != ours[key] {
            points.push(format!(
                "tag {key} {} instead of {}",
                short(&ours[key]),
                short(&single[key])
            ));
        }
    }
    points
}

fn packet_points(single: &[Packet], ours: &[Packet], part: Part) -> Vec<String> {
    let mut points = Vec::new();
    if single.len() != ours.len() {
        points.push(format!("{} packets instead of {}", ours.len(), single.len()));
    }
    let sorted = |packets: &[Packet]| {
        let mut pts: Vec<Option<i64>> = packets.iter().map(|packet| packet.pts).collect();
        pts.sort_unstable();
        pts
    };
    points.extend(first_difference("PTS", &sorted(single), &sorted(ours)));
    let column =
        |packets: &[Packet], of: fn(&Packet) -> Option<i64>| packets.iter().map(of).collect();
    match part {
        Part::Film => {
            let dts: Vec<i64> = ours.iter().filter_map(|packet| packet.dts).collect();
            let theirs: Vec<i64> = single.iter().filter_map(|packet| packet.dts).collect();
            let rises = |dts: &[i64]| dts.windows(2).all(|pair| pair[0] < pair[1]);
            // What plain ffmpeg makes of a damaged source need not be in order either.
            if !rises(&dts) && rises(&theirs) {
                points.push("DTS do not increase".to_owned());
            }
        }
        Part::Copied => {
            let durations =
                |packets| -> Vec<Option<i64>> { column(packets, |packet| packet.duration) };
            points.extend(first_difference("durations", &durations(single), &durations(ours)));
            let same = single.iter().map(|packet| &packet.hash).eq(ours.iter().map(|p| &p.hash));
            if !same && single.len() == ours.len() {
                points.push("other bytes".to_owned());
            }
        }
    }
    points
}

fn first_difference(what: &str, single: &[Option<i64>], ours: &[Option<i64>]) -> Option<String> {
    let differ: Vec<usize> = single
        .iter()
        .zip(ours)
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .map(|(at, _)| at)
        .collect();
    let first = *differ.first()?;
    let told = |value: Option<i64>| value.map_or("none".to_owned(), |value| value.to_string());
    Some(format!(
        "{} {what} differ, first at {first}: {} instead of {}",
        differ.len(),
        told(ours[first]),
        told(single[first])
    ))
}

fn frames(single: &Content, ours: &Content, pictures: Pictures) -> Option<String> {
    let same = match pictures {
        Pictures::Same => single.frames == ours.frames,
        Pictures::Counted => single.frames.len() == ours.frames.len(),
    };
    if same {
        return None;
    }
    if single.frames.len() != ours.frames.len() {
        return Some(format!(
            "{} pictures decode instead of {}",
            ours.frames.len(),
            single.frames.len()
        ));
    }
    let mut pairs = single.frames.iter().zip(&ours.frames);
    let first = pairs.position(|(theirs, own)| theirs != own)?;
    let count = 1 + pairs.filter(|(theirs, own)| theirs != own).count();
    Some(format!("from picture {first} on, {count} {OTHER_PICTURES}"))
}

fn chapters(single: &Content, ours: &Content) -> Option<String> {
    let told = |content: &Content| -> Vec<(Value, Value, Value)> {
        let chapters = content.chapters.iter();
        chapters
            .map(|c| (c["start_time"].clone(), c["end_time"].clone(), c["tags"].clone()))
            .collect()
    };
    (told(single) != told(ours)).then(|| {
        format!("chapters differ: {} instead of {}", ours.chapters.len(), single.chapters.len())
    })
}

fn format(single: &Value, ours: &Value) -> Vec<String> {
    let mut points: Vec<String> = tags(&single["tags"], &ours["tags"])
        .into_iter()
        .map(|tag| format!("file: {tag}"))
        .collect();
    for field in ["duration", "start_time"] {
        let seconds =
            |value: &Value| value[field].as_str().and_then(|text| text.parse::<f64>().ok());
        let near = match (seconds(single), seconds(ours)) {
            (Some(theirs), Some(own)) => (theirs - own).abs() <= DURATION_TOLERANCE,
            (None, None) => true,
            _ => false,
        };
        if !near {
            points.push(format!("file: {field} {} instead of {}", ours[field], single[field]));
        }
    }
    points
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.chars().take(80).collect(),
        Value::Object(entries) => {
            let set: Vec<&str> = entries
                .iter()
                .filter(|(_, value)| **value == 1)
                .map(|(name, _)| name.as_str())
                .collect();
            format!("[{}]", set.join("+"))
        }
        other => other.to_string(),
    }
}
