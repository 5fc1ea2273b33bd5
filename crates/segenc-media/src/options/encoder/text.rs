//! Subtitle encoders.

use segenc_core::source::StreamKind;

use super::{Aim, Encoder};

const fn text(name: &'static str, options: &'static [&'static str]) -> Encoder {
    Encoder { name, kind: StreamKind::Subtitle, options, quality: &[], by_default: Aim::Quality, list: None }
}

pub(super) const ENCODERS: &[Encoder] = &[
    text("mov_text", &["height"]),
    text("ass", &[]),
    text("ssa", &[]),
    text("srt", &[]),
    text("subrip", &[]),
    text("webvtt", &[]),
    text("text", &[]),
    text("ttml", &[]),
    text("dvdsub", &["palette", "even_rows_fix"]),
    text("dvbsub", &[]),
];
