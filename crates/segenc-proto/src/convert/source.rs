//! Source facts and packets.

use segenc_core::source::{
    Mastering, Packet, Rational, SourceFacts, StreamFacts, StreamKind, VideoFacts,
};

use super::{WireError, timebase, timebase_message};
use crate::grpc;

/// A file with more streams than this is an attack or an accident, not a film.
pub const MAX_STREAMS: usize = 1000;
/// Keeps a batch far below gRPC's 4 MiB per message.
pub const MAX_PACKETS_PER_BATCH: usize = 50_000;
/// Stands for "no timestamp" on the wire, as in ffmpeg (`AV_NOPTS_VALUE`).
pub const NO_TIMESTAMP: i64 = i64::MIN;

const FLAG_KEY: u32 = 1;
const FLAG_DISCARDED: u32 = 2;

/// Reads source facts.
///
/// # Errors
/// When a stream has no kind or no timebase, or there are too many.
pub fn source_facts(message: grpc::SourceFacts) -> Result<SourceFacts, WireError> {
    let count = message.streams.len();
    if count > MAX_STREAMS {
        return Err(WireError::TooMany { what: "streams", count, limit: MAX_STREAMS });
    }
    Ok(SourceFacts {
        demuxer: message.demuxer,
        start_micros: message.start_micros,
        duration_micros: message.duration_micros,
        size: message.size,
        streams: message.streams.into_iter().map(stream).collect::<Result<_, _>>()?,
        chapters: message.chapters,
    })
}

/// Writes source facts.
#[must_use]
pub fn source_facts_message(facts: &SourceFacts) -> grpc::SourceFacts {
    grpc::SourceFacts {
        demuxer: facts.demuxer.clone(),
        start_micros: facts.start_micros,
        duration_micros: facts.duration_micros,
        size: facts.size,
        streams: facts.streams.iter().map(stream_message).collect(),
        chapters: facts.chapters,
    }
}

fn stream(message: grpc::StreamFacts) -> Result<StreamFacts, WireError> {
    Ok(StreamFacts {
        index: message.index,
        kind: stream_kind(message.kind)?,
        codec: message.codec,
        timebase: timebase(message.timebase)?,
        language: message.language,
        title: message.title,
        dispositions: message.dispositions,
        video: message.video.map(|video| VideoFacts {
            width: video.width,
            height: video.height,
            pixel_format: video.pixel_format,
            field_order: video.field_order,
            average_rate: rational(video.average_rate),
            real_rate: rational(video.real_rate),
            color_transfer: video.color_transfer,
            has_b_frames: video.has_b_frames,
            mastering: mastering(video.mastering),
            dynamic_hdr: video.dynamic_hdr,
        }),
    })
}

/// What is said of the film's light. Of a wrong length it says nothing.
pub(super) fn mastering(message: Option<grpc::Mastering>) -> Option<Mastering> {
    let message = message?;
    let display = message.display.try_into().ok();
    let light = message.light.try_into().ok();
    (display.is_some() || light.is_some()).then_some(Mastering { display, light })
}

pub(super) fn mastering_message(mastering: Option<Mastering>) -> Option<grpc::Mastering> {
    let Mastering { display, light } = mastering?;
    let listed = |numbers: Option<&[u32]>| numbers.unwrap_or_default().to_vec();
    Some(grpc::Mastering {
        display: listed(display.as_ref().map(<[u32; 10]>::as_slice)),
        light: listed(light.as_ref().map(<[u32; 2]>::as_slice)),
    })
}

fn stream_message(facts: &StreamFacts) -> grpc::StreamFacts {
    grpc::StreamFacts {
        index: facts.index,
        kind: stream_kind_message(facts.kind),
        codec: facts.codec.clone(),
        timebase: Some(timebase_message(facts.timebase)),
        language: facts.language.clone(),
        title: facts.title.clone(),
        dispositions: facts.dispositions.clone(),
        video: facts.video.as_ref().map(|video| grpc::VideoFacts {
            width: video.width,
            height: video.height,
            pixel_format: video.pixel_format.clone(),
            field_order: video.field_order.clone(),
            average_rate: rational_message(video.average_rate),
            real_rate: rational_message(video.real_rate),
            color_transfer: video.color_transfer.clone(),
            has_b_frames: video.has_b_frames,
            mastering: mastering_message(video.mastering),
            dynamic_hdr: video.dynamic_hdr.clone(),
        }),
    }
}

pub(super) fn stream_kind(number: i32) -> Result<StreamKind, WireError> {
    let meaningless = || WireError::Meaningless { field: "stream kind", value: number.to_string() };
    match grpc::StreamKind::try_from(number).map_err(|_| meaningless())? {
        grpc::StreamKind::Unspecified => Err(meaningless()),
        grpc::StreamKind::Video => Ok(StreamKind::Video),
        grpc::StreamKind::Audio => Ok(StreamKind::Audio),
        grpc::StreamKind::Subtitle => Ok(StreamKind::Subtitle),
        grpc::StreamKind::Attachment => Ok(StreamKind::Attachment),
        grpc::StreamKind::Data => Ok(StreamKind::Data),
    }
}

pub(super) fn stream_kind_message(kind: StreamKind) -> i32 {
    let kind = match kind {
        StreamKind::Video => grpc::StreamKind::Video,
        StreamKind::Audio => grpc::StreamKind::Audio,
        StreamKind::Subtitle => grpc::StreamKind::Subtitle,
        StreamKind::Attachment => grpc::StreamKind::Attachment,
        StreamKind::Data => grpc::StreamKind::Data,
    };
    kind.into()
}

/// A rate of nought frames, or per nought seconds, is how ffmpeg says "unknown".
pub(super) fn rational(message: Option<grpc::Rational>) -> Option<Rational> {
    message
        .filter(|rational| rational.num != 0 && rational.den != 0)
        .map(|rational| Rational { num: rational.num, den: rational.den })
}

pub(super) fn rational_message(rational: Option<Rational>) -> Option<grpc::Rational> {
    rational.map(|rational| grpc::Rational { num: rational.num, den: rational.den })
}

/// Reads a batch: the number of packets before it, and the packets.
///
/// # Errors
/// When the arrays differ in length or are too long.
pub fn packets(message: grpc::PacketBatch) -> Result<(u64, Vec<Packet>), WireError> {
    let count = message.pts.len();
    if count > MAX_PACKETS_PER_BATCH {
        return Err(WireError::TooMany { what: "packets", count, limit: MAX_PACKETS_PER_BATCH });
    }
    let lengths = [message.dts.len(), message.size.len(), message.flags.len()];
    if lengths.iter().any(|length| *length != count) {
        return Err(WireError::Meaningless {
            field: "packet batch",
            value: format!("{count} pts, but {lengths:?} dts, sizes and flags"),
        });
    }
    let timestamp = |ticks: i64| (ticks != NO_TIMESTAMP).then_some(ticks);
    // Absent with workers that do not tell them.
    let durations = match message.duration.len() {
        0 => vec![NO_TIMESTAMP; count],
        length if length == count => message.duration,
        length => {
            let value = format!("{count} pts, but {length} durations");
            return Err(WireError::Meaningless { field: "packet batch", value });
        }
    };
    let packets = message
        .pts
        .into_iter()
        .zip(message.dts)
        .zip(message.size.into_iter().zip(message.flags))
        .zip(durations)
        .map(|(((pts, dts), (size, flags)), duration)| Packet {
            pts: timestamp(pts),
            dts: timestamp(dts),
            duration: timestamp(duration),
            size,
            key: flags & FLAG_KEY != 0,
            discarded: flags & FLAG_DISCARDED != 0,
        })
        .collect();
    Ok((message.first, packets))
}

/// Writes a batch that begins after `first` packets.
#[must_use]
pub fn packet_batch(first: u64, packets: &[Packet]) -> grpc::PacketBatch {
    let flags = |packet: &Packet| {
        (if packet.key { FLAG_KEY } else { 0 })
            | (if packet.discarded { FLAG_DISCARDED } else { 0 })
    };
    grpc::PacketBatch {
        first,
        pts: packets.iter().map(|packet| packet.pts.unwrap_or(NO_TIMESTAMP)).collect(),
        dts: packets.iter().map(|packet| packet.dts.unwrap_or(NO_TIMESTAMP)).collect(),
        size: packets.iter().map(|packet| packet.size).collect(),
        flags: packets.iter().map(flags).collect(),
        duration: packets.iter().map(|packet| packet.duration.unwrap_or(NO_TIMESTAMP)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packets_survive_the_wire(
            rows in prop::collection::vec(
                (
                    any::<[Option<i64>; 3]>(),
                    any::<u32>(),
                    any::<bool>(),
                    any::<bool>(),
                ),
                0..50,
            ),
            first in any::<u64>(),
        ) {
            let sent: Vec<Packet> = rows
                .into_iter()
                .map(|([pts, dts, duration], size, key, discarded)| Packet {
                    pts: pts.filter(|pts| *pts != NO_TIMESTAMP),
                    dts: dts.filter(|dts| *dts != NO_TIMESTAMP),
                    duration: duration.filter(|duration| *duration != NO_TIMESTAMP),
                    size,
                    key,
                    discarded,
                })
                .collect();
            prop_assert_eq!(packets(packet_batch(first, &sent)), Ok((first, sent)));
        }
    }

    #[test]
    fn arrays_of_unequal_length_are_refused() {
        let mut batch = packet_batch(0, &[]);
        batch.pts.push(1);
        assert!(matches!(packets(batch), Err(WireError::Meaningless { .. })));
    }

    #[test]
    fn a_stream_without_a_kind_is_refused() {
        let facts = grpc::SourceFacts {
            streams: vec![grpc::StreamFacts {
                timebase: Some(grpc::Timebase { num: 1, den: 1000 }),
                ..Default::default()
            }],
            ..Default::default()
        };
        assert!(matches!(source_facts(facts), Err(WireError::Meaningless { .. })));
    }
}
