//! Everything that is compared, read from one finished file with ffprobe and ffmpeg.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use serde_json::Value;

use super::programs;
use crate::plain::same_clock;

/// One packet of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) pts: Option<i64>,
    pub(crate) dts: Option<i64>,
    pub(crate) duration: Option<i64>,
    pub(crate) hash: String,
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Content {
    /// ffprobe's `format`.
    pub(crate) format: Value,
    /// ffprobe's `streams`, in order.
    pub(crate) streams: Vec<Value>,
    /// ffprobe's `chapters`.
    pub(crate) chapters: Vec<Value>,
    /// Packets by stream.
    pub(crate) packets: BTreeMap<u64, Vec<Packet>>,
    /// Hashes of the decoded pictures of all films, by output stream, in order.
    pub(crate) frames: Vec<(String, String)>,
}

/// Reads a file in full.
pub(crate) fn look(file: &Path, folder: &Path) -> Result<Content> {
    let shown = ["-show_format", "-show_streams", "-show_chapters", "-of", "json"];
    let text = probe(file, folder, &shown)?;
    let answer: Value = serde_json::from_str(&text)?;
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let entries = "packet=stream_index,pts,dts,duration,data_hash";
    let shown = ["-show_packets", "-show_data_hash", "md5", "-show_entries", entries];
    let text = probe(file, folder, &[&shown[..], &["-of", "compact=p=0"]].concat())?;
    let mut packets: BTreeMap<u64, Vec<Packet>> = BTreeMap::new();
    for (stream, packet) in text.lines().filter_map(packet) {
        packets.entry(stream).or_default().push(packet);
    }
    Ok(Content {
        format: answer["format"].clone(),
        streams: list("streams"),
        chapters: list("chapters"),
        packets,
        frames: frames(file, &["-map", "0:V?"], folder)?,
    })
}

fn probe(file: &Path, folder: &Path, options: &[&str]) -> Result<String> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error"]).args(options).arg(file);
    let ended = programs::run(&mut ffprobe, folder)?;
    if !ended.is_good() {
        bail!("ffprobe on {}: {}", file.display(), ended.complaint());
    }
    Ok(ended.out)
}

/// Reads `stream_index=0|pts=1|…`; side data adds fields of its own.
fn packet(line: &str) -> Option<(u64, Packet)> {
    let fields: BTreeMap<&str, &str> =
        line.split('|').rev().filter_map(|field| field.split_once('=')).collect();
    let number = |name: &str| fields.get(name).and_then(|value| value.parse().ok());
    let stream = fields.get("stream_index")?.parse().ok()?;
    let hash = (*fields.get("data_hash").unwrap_or(&"")).to_owned();
    let packet =
        Packet { pts: number("pts"), dts: number("dts"), duration: number("duration"), hash };
    Some((stream, packet))
}

/// What ffmpeg says when it decodes the whole file; empty: nothing.
pub(crate) fn complaint(file: &Path, folder: &Path) -> String {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-xerror", "-i"]).arg(file);
    ffmpeg.args(["-map", "0:V?", "-map", "0:a?"]).args(same_clock());
    ffmpeg.args(["-f", "null", "-"]);
    match programs::run(&mut ffmpeg, folder) {
        Ok(ended) if ended.is_good() => ended.complaint(),
        Ok(ended) => format!("{} (it stops)", ended.complaint()),
        Err(error) => format!("{error:#}"),
    }
}

/// Decodes films: stream and hash of every picture.
pub(crate) fn frames(
    file: &Path,
    options: &[&str],
    folder: &Path,
) -> Result<Vec<(String, String)>> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "fatal", "-i"]).arg(file).args(options);
    ffmpeg.args(same_clock());
    ffmpeg.args(["-f", "framemd5", "-"]);
    let ended = programs::run(&mut ffmpeg, folder)?;
    let rows = ended.out.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        Some(((*cells.first()?).to_owned(), (*cells.get(5)?).to_owned()))
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_by_the_names_of_its_fields() {
        let line = "stream_index=1|pts=42|dts=N/A|duration=1024|data_hash=MD5:00|side_data|pts=7";
        let wanted =
            Packet { pts: Some(42), dts: None, duration: Some(1024), hash: "MD5:00".to_owned() };
        assert_eq!(packet(line), Some((1, wanted)));
        assert_eq!(packet(""), None);
    }
}
