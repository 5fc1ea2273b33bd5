//! Readers of what programs print, opened for the fuzz targets alone. No part of the interface, and only there with
//! the feature `fuzzing`.

use segenc_core::source::{Packet, SourceFacts};

use crate::observe::MadeFile;
use crate::progress::ProgressLines;
use crate::runner::Exit;
use crate::{encoders, ffmpeg_log, packets, parameter_sets, probe, tools};

/// The facts in ffprobe's answer.
#[must_use]
pub fn facts(text: &str) -> Option<SourceFacts> {
    probe::parse(text).ok()
}

/// The packets in ffprobe's lines.
#[must_use]
pub fn packet_lines(text: &str) -> Vec<Packet> {
    text.lines().filter_map(packets::parse_line).collect()
}

/// ffprobe's answer about a file that was made, with all that is asked of it.
pub fn made_file(text: &str) {
    let Ok(file) = serde_json::from_str::<MadeFile>(text) else { return };
    let _ = file.format.size();
    for stream in &file.streams {
        let _ = (stream.sample_rate(), stream.shape(), stream.extradata_sha256(), stream.encoder());
        let _ = (stream.end_micros(), stream.is_attached(), stream.timebase());
    }
}

/// The bytes of a header as ffprobe shows them, and an HEVC header's parameter sets among them.
pub fn header(dump: &str) {
    let _ = parameter_sets::read_dump(dump);
    if let Some(kept) = parameter_sets::without_messages(dump.as_bytes()) {
        assert!(kept.len() < dump.len(), "at least the number of arrays is left out");
    }
}

/// Lines of progress, and the end of a log.
pub fn log(text: &str) {
    let mut lines = ProgressLines::default();
    let _ = text.lines().filter_map(|line| lines.line(line)).count();
    let _ = ffmpeg_log::is_cut_short(text);
    for reading in [ffmpeg_log::Reading::Source, ffmpeg_log::Reading::Made] {
        let _ = ffmpeg_log::failure("fuzzing", Exit::Code(1), text.to_owned(), reading);
    }
}

/// The list of encoders, and the version.
pub fn lists(text: &str) {
    let _ = encoders::parse_list(text);
    let _ = tools::parse_version(text);
}

/// Numbers as they stand in answers.
pub fn numbers(text: &str) {
    let _ = (probe::micros(text), probe::rational(text), probe::timebase(text));
}
