//! A copy of a film's packets in a container with an index, for sources that have none that can be trusted; and
//! whether it can be trusted itself. Everything that is odd is a reason to make the film in one piece.
//!
//! Must not know how films are cut.

mod messages;
mod told;

use std::path::{Path, PathBuf};

use segenc_core::failure::FailureKind;
use segenc_core::source::{Packet, SourceFacts, StreamFacts};
use segenc_core::time::Timebase;
use segenc_core::work::{COPY_DEMUXER, copy_bias};
use serde::Deserialize;

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::{COPY_NAME, Invocation, MESSAGES_NAME};
use crate::observe;
use crate::packets::packets;
use told::Told;

pub(crate) use told::may_lack_times;

/// Packets read at once.
const BATCH: usize = 20_000;

/// More than two days of sixty frames a second: a copy of more is not worth its disk.
const PACKETS_MAX: usize = 12_000_000;

/// Packets that show whether they are pictures or fields. Of a source that is read over the network at least so many
/// are told in full.
const SAMPLE_PACKETS: u32 = 60;

/// The copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilmCopy {
    /// Where it is.
    pub path: PathBuf,
    /// Its packets in decoding order, in ticks of the source's film.
    pub packets: Vec<Packet>,
}

/// What came of copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// A copy that can be trusted.
    Made(FilmCopy),
    /// The film must not be cut, and why: one clause.
    Unsplittable(String),
}

/// Copies the packets of a film into the attempt's folder. The streams `beside` are those that the output has too.
///
/// # Errors
/// Whatever lies outside of the source; what lies in it makes the film unsplittable.
pub async fn copy_film(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    facts: &SourceFacts,
    film: u32,
    beside: &[u32],
) -> Result<Copied, WorkError> {
    let Some(film) = facts.streams.iter().find(|stream| stream.index == film) else {
        return Ok(Copied::Unsplittable(format!("its stream {film} is not there")));
    };
    let copying = Copying { attempt, source, facts, film };
    let made = copying.run(beside).await;
    if made.is_err() || matches!(made, Ok(Err(_))) {
        // It may be as large as the source, and nobody will ask for it.
        let _ = tokio::fs::remove_file(attempt.scratch.join(COPY_NAME)).await;
    }
    Ok(made?.map_or_else(|Odd(reason)| Copied::Unsplittable(reason), Copied::Made))
}

/// Why a copy cannot be trusted.
struct Odd(String);

fn odd<T>(reason: impl Into<String>) -> Result<Result<T, Odd>, WorkError> {
    Ok(Err(Odd(reason.into())))
}

struct Copying<'a> {
    attempt: &'a Attempt<'a>,
    source: &'a MediaInput,
    facts: &'a SourceFacts,
    film: &'a StreamFacts,
}

impl Copying<'_> {
    async fn run(&self, beside: &[u32]) -> Result<Result<FilmCopy, Odd>, WorkError> {
        let told = match self.told().await? {
            Ok(told) => told,
            Err(odd) => return Ok(Err(odd)),
        };
        if told.begins_in_the_middle()
            && let Err(odd) = self.begins_with_its_keyframe(&told).await?
        {
            return Ok(Err(odd));
        }
        if let Err(odd) = self.copy(beside).await? {
            return Ok(Err(odd));
        }
        let path = self.attempt.scratch.join(COPY_NAME);
        let copy = MediaInput::File(path.clone());
        let packets = match self.packets(&copy, &told).await? {
            Ok(packets) => packets,
            Err(odd) => return Ok(Err(odd)),
        };
        if let Some(reason) = why_packets_are_no_pictures(
            self.attempt,
            &copy,
            &SourceFacts { demuxer: COPY_DEMUXER.to_owned(), ..self.facts.clone() },
            &StreamFacts { index: 0, ..self.film.clone() },
        )
        .await?
        {
            return odd(reason);
        }
        Ok(Ok(FilmCopy { path, packets }))
    }

    /// The packets that the source tells of, unless one cannot be a frame.
    async fn told(&self) -> Result<Result<Told, Odd>, WorkError> {
        let mut reader = packets(self.attempt, self.source, self.facts, self.film.index).await?;
        let mut told = Told::default();
        while let Some(batch) = reader.next_batch(BATCH).await? {
            for packet in &batch {
                told.take(packet);
            }
            if told.packets.len() > PACKETS_MAX {
                return odd(format!("it has more than {PACKETS_MAX} packets"));
            }
            if let Some(reason) = told.why_not(&self.film.codec) {
                return odd(reason);
            }
        }
        if told.packets.is_empty() {
            return odd("it has no keyframe");
        }
        told.fill();
        Ok(Ok(told))
    }

    /// Whether the first frame that ffmpeg decodes from the source is its first keyframe: then nothing comes of
    /// what stands in front of it, and the copy may begin with it.
    async fn begins_with_its_keyframe(&self, told: &Told) -> Result<Result<(), Odd>, WorkError> {
        let invocation = Invocation::first_frame(&self.facts.demuxer, self.source, self.film.index);
        let what = "decoding the first frame";
        let text = match self.call(&invocation, what).ask().await {
            Ok(text) => text,
            Err(error) => return self.odd_or_broken(error),
        };
        let first = text.lines().find_map(|line| {
            let mut fields = line.strip_prefix("0,")?.split(',');
            fields.nth(1)?.trim().parse::<i64>().ok()
        });
        let start = self.film.timebase.ticks(self.facts.start_micros);
        if first != told.first_key().map(|pts| pts.saturating_sub(start)) {
            return odd("its first frames need frames that are not in the source");
        }
        Ok(Ok(()))
    }

    fn call<'a>(&'a self, invocation: &'a Invocation, what: &'a str) -> Call<'a> {
        Call { attempt: self.attempt, invocation, reading: Reading::Source, what }
    }

    /// What lies in the source is odd; everything else may go better another time.
    fn odd_or_broken<T>(&self, error: WorkError) -> Result<Result<T, Odd>, WorkError> {
        match error {
            WorkError::Canceled => Err(WorkError::Canceled),
            WorkError::Failed(failure) => match failure.kind {
                FailureKind::Transient | FailureKind::Worker => Err(WorkError::Failed(failure)),
                FailureKind::Task | FailureKind::Mismatch => odd(failure.message),
            },
        }
    }

    async fn copy(&self, beside: &[u32]) -> Result<Result<(), Odd>, WorkError> {
        let invocation = Invocation::film_copy(&self.facts.demuxer, self.source, self.film, beside);
        if let Err(error) = self.call(&invocation, "copying the film").run().await {
            return self.odd_or_broken(error);
        }
        if self.film.codec != "h264" {
            return Ok(Ok(()));
        }
        let messages = self.attempt.scratch.join(MESSAGES_NAME);
        let refreshed = refreshes_gradually(&messages).await;
        match refreshed.map_err(|error| WorkError::scratch("read", &messages, &error))? {
            messages::Refresh::AtOnce => Ok(Ok(())),
            messages::Refresh::Gradual => {
                odd("its pictures are refreshed little by little, and none can be begun with")
            }
        }
    }

    /// The packets of the copy, if they are those that the source tells of.
    async fn packets(
        &self,
        copy: &MediaInput,
        told: &Told,
    ) -> Result<Result<Vec<Packet>, Odd>, WorkError> {
        let file = observe::look(self.attempt, Some(COPY_DEMUXER), copy).await?;
        let timebase = file.streams.first().and_then(observe::MadeStream::timebase);
        let Some(ticks) = timebase.and_then(|fine| finer(fine, self.film.timebase)) else {
            return odd("the ticks of its copy do not fit");
        };
        let mut packets = observe::see_packets(self.attempt, COPY_DEMUXER, copy, 0).await?.packets;
        if packets.len() != told.packets.len() {
            let (has, of) = (packets.len(), told.packets.len());
            return odd(format!("ffmpeg copies {has} of its {of} packets"));
        }
        let start = self.film.timebase.ticks(self.facts.start_micros);
        let moved = copy_bias(self.film.timebase).saturating_sub(start);
        for (packet, told_packet) in packets.iter_mut().zip(&told.packets) {
            let Some(pts) = packet.pts.filter(|pts| pts % ticks == 0) else {
                return odd("its copy has other times");
            };
            packet.pts = Some(pts / ticks);
            packet.dts = packet.dts.map(|dts| dts.div_euclid(ticks));
            // The copy does not hold them.
            packet.duration = told_packet.duration;
            // They need frames that are not in the source, and nothing comes of them.
            packet.discarded |= told_packet.pts < told.first_key();
            if packet.pts != told_packet.pts.map(|pts| pts.saturating_add(moved)) {
                return odd("its clock jumps");
            }
            if packet.size != told_packet.size {
                return odd("its packets change when they are copied");
            }
        }
        Ok(Ok(packets))
    }
}

/// How many ticks of `fine` make one of `coarse`, if they do.
fn finer(fine: Timebase, coarse: Timebase) -> Option<i64> {
    let up = u128::from(coarse.num()) * u128::from(fine.den());
    let down = u128::from(coarse.den()) * u128::from(fine.num());
    (up % down == 0).then(|| i64::try_from(up / down).ok()).flatten().filter(|ticks| *ticks > 0)
}

async fn refreshes_gradually(messages: &Path) -> std::io::Result<messages::Refresh> {
    let path = messages.to_owned();
    match tokio::task::spawn_blocking(move || messages::refresh(&path)).await {
        Ok(refresh) => refresh,
        Err(error) => Err(std::io::Error::other(error)),
    }
}

/// Why the packets of a film cannot be taken for its frames, which its first ones show; `None`: they can.
/// Only interlaced H.264 is looked at: in all other formats ffmpeg puts both fields into one packet.
///
/// # Errors
/// When the programs cannot be run.
pub async fn why_packets_are_no_pictures(
    attempt: &Attempt<'_>,
    input: &MediaInput,
    facts: &SourceFacts,
    film: &StreamFacts,
) -> Result<Option<String>, WorkError> {
    let field_order = film.video.as_ref().map_or("", |video| video.field_order.as_str());
    if film.codec != "h264" || matches!(field_order, "" | "unknown" | "progressive") {
        return Ok(None);
    }
    let (demuxer, count) = (&facts.demuxer, SAMPLE_PACKETS);
    let invocation = Invocation::packets_and_pictures(demuxer, input, film.index, count);
    let what = "counting the first pictures";
    let call = Call { attempt, invocation: &invocation, reading: Reading::Source, what };
    let text = match call.ask().await {
        Ok(text) => text,
        Err(WorkError::Canceled) => return Err(WorkError::Canceled),
        Err(WorkError::Failed(failure)) => match failure.kind {
            FailureKind::Transient | FailureKind::Worker => {
                return Err(WorkError::Failed(failure));
            }
            FailureKind::Task | FailureKind::Mismatch => return Ok(Some(failure.message)),
        },
    };
    let counts: Option<Counts> = serde_json::from_str(&text).ok();
    let counted = counts.and_then(|counts| counts.streams.into_iter().next()).and_then(|counted| {
        let packets: u64 = counted.nb_read_packets?.parse().ok()?;
        Some((packets, counted.nb_read_frames?.parse::<u64>().ok()?))
    });
    Ok(match counted {
        // A few are lost where a recording begins in the middle of a group.
        Some((packets, frames)) if frames.saturating_mul(4) >= packets.saturating_mul(3) => None,
        Some(_) | None => Some("its h264 is interlaced, and a packet is half a frame".to_owned()),
    })
}

#[derive(Debug, Deserialize)]
struct Counts {
    streams: Vec<Counted>,
}

#[derive(Debug, Deserialize)]
struct Counted {
    nb_read_packets: Option<String>,
    nb_read_frames: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timebase(num: u32, den: u32) -> Timebase {
        Timebase::new(num, den).expect("both sides are above zero")
    }

    #[test]
    fn ticks_of_a_copy_are_a_whole_number_of_times_finer() {
        assert_eq!(finer(timebase(1, 90_000), timebase(1, 90_000)), Some(1));
        assert_eq!(finer(timebase(1, 64_000), timebase(1, 1000)), Some(64));
        assert_eq!(finer(timebase(1, 60_000), timebase(1001, 30_000)), Some(2002));
        assert_eq!(finer(timebase(1, 1000), timebase(1, 90_000)), None);
        assert_eq!(finer(timebase(1, 48_000), timebase(1, 90_000)), None);
    }
}
