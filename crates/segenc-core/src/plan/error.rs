//! Why there is no plan, or no plan with segments. Knows nothing of how plans are made.

use thiserror::Error;

use crate::source::StreamKind;

/// The wish cannot be fulfilled with this source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A `-map` that is not optional fits nothing.
    #[error("`-map {map}` fits no stream: the source has {streams}")]
    NoSuchStream {
        /// The map as ffmpeg spells it.
        map: String,
        /// The source's streams, for people.
        streams: String,
    },
    /// A `-map` takes streams away before any was added.
    #[error("`-map {map}` takes streams away before any was added: put `-map 0` in front of it")]
    NothingToTakeAway {
        /// The map as ffmpeg spells it.
        map: String,
    },
    /// A `-map` asks for a stream that the output's container refuses.
    #[error(
        "{container} cannot hold stream {stream} of the source ({kind}): leave it out with `-map -0:{stream}`"
    )]
    ContainerRefuses {
        /// The output's muxer.
        container: String,
        /// The stream's index in the source.
        stream: u32,
        /// What it is.
        kind: &'static str,
    },
    /// A subtitle that is copied has a format that the output's container does not know.
    #[error(
        "{container} cannot hold subtitle stream {stream} of the source ({codec}) as it is: choose \
         another container, leave it out with `-map -0:{stream}`, or convert text with `-c:s`"
    )]
    SubtitleRefused {
        /// The output's muxer.
        container: String,
        /// The stream's index in the source.
        stream: u32,
        /// Its codec.
        codec: String,
    },
    /// The film says of its light, frame by frame, what encoding would lose.
    #[error(
        "encoding would lose the film's {kind}, which no encoder takes over: say that it may with \
         --drop-dynamic-hdr, or copy the film with `-c:v copy`"
    )]
    DynamicHdrLost {
        /// Which.
        kind: String,
    },
    /// No stream would be in the output.
    #[error("nothing is left to put into the output: the source has {streams}")]
    NothingLeft {
        /// The source's streams, for people.
        streams: String,
    },
}

/// The source's packets show that its film must not be cut: make it in one piece.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the film cannot be cut: {reason}")]
pub struct Unsplittable {
    /// One clause for people, lower case.
    pub reason: String,
}

impl Unsplittable {
    pub(super) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// The word for a kind of stream in messages.
pub(super) const fn kind_word(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Video => "video",
        StreamKind::Audio => "audio",
        StreamKind::Subtitle => "subtitle",
        StreamKind::Attachment => "attachment",
        StreamKind::Data => "data",
    }
}
