//! Subtitle encoders.

use segenc_core::source::StreamKind;

use super::super::table::Names;
use super::{Aim, Encoder};

const fn text(name: &'static str, options: Names) -> Encoder {
    Encoder {
        name,
        kind: StreamKind::Subtitle,
        options,
        quality: &[],
        by_default: Aim::Quality,
        list: None,
    }
}

pub(super) const ENCODERS: &[Encoder] = &[
    text("mov_text", Names("height")),
    text("ass", Names("")),
    text("ssa", Names("")),
    text("srt", Names("")),
    text("subrip", Names("")),
    text("webvtt", Names("")),
    text("text", Names("")),
    text("ttml", Names("")),
    text("dvdsub", Names("palette even_rows_fix")),
    text("dvbsub", Names("")),
];
