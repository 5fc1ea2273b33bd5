//! The call that joins the segments and muxes them with the other streams, and the list it reads.
//!
//! Must not know how the parts were made, beyond what their recipes promise.

use std::collections::{BTreeMap, BTreeSet};

use segenc_core::plan::Origin;
use segenc_core::source::StreamKind;
use segenc_core::work::{Join, JoinedSegment, MergeWork, MergedStream, segment_bias};

use super::streams::{ahead_seconds, output_name};
use super::{Invocation, against_correction, seconds};
use crate::attempt::MediaInput;
use crate::names;

/// The list of the segments, in the attempt's folder.
pub(crate) const SEGMENTS_NAME: &str = "segments.ffconcat";

/// The list that is merged, in the attempt's folder.
pub(crate) const JOINED_NAME: &str = "joined.ffconcat";

/// The first line of a list.
pub(super) const LIST_HEADER: &str = "ffconcat version 1.0\n";

/// The smallest denominator that ffmpeg's mov muxer gives a video track by itself: it doubles the
/// encoder's until it is reached (`mov_init` in libavformat/movenc.c).
const MOV_TIMESCALE_MIN: u32 = 10_000;

/// Tags of a source that ffmpeg does not carry over where it carries over all (5.1, `open_output_file`), but does where
/// it is told from which input.
const LEFT_OUT: [&str; 4] = ["creation_time", "company_name", "product_name", "product_version"];

/// What was seen in the parts and belongs into the output's headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PartFacts {
    /// What the encoder calls itself, by output stream.
    pub(crate) encoders: BTreeMap<usize, String>,
    /// The demuxer of the file of other streams.
    pub(crate) others_demuxer: String,
    /// Ticks to add to the times of encoded streams, by output stream: what is lost on the way through a
    /// container, and would be lost twice.
    pub(crate) lost_ticks: BTreeMap<usize, i64>,
    /// Where encoded sound with lost ticks ends, on the output's clock: that its last packet is shorter than the
    /// others is lost as well.
    pub(crate) ends: BTreeMap<usize, i64>,
    /// Copied sound whose times are rounded, by output stream.
    pub(crate) rounded_sound: BTreeSet<usize>,
    /// ffmpeg's options for the film's colours, with their values.
    pub(crate) colours: Vec<(String, String)>,
}

/// Copied sound whose source counts time in coarser ticks than samples gets onto the output's finer ticks by
/// plain rounding where plain ffmpeg's muxer writes its header late, as that of MP4 does. Known early, the header
/// makes ffmpeg (5.1, `av_rescale_delta`) move the times to whole numbers of samples instead, unless they stand
/// much further apart than their durations say: so they are stretched by this on reading, and shrunk on writing.
const STRETCH: u32 = 1000;

/// A merge, ready to run.
#[derive(Debug)]
pub(crate) struct Joined<'a> {
    /// The work.
    pub(crate) work: &'a MergeWork,
    /// Its parts.
    pub(crate) join: &'a Join,
    /// Input 0 of the work.
    pub(crate) source: &'a MediaInput,
    /// The file of other streams, if there is one.
    pub(crate) others: Option<&'a MediaInput>,
    /// What was seen in the parts.
    pub(crate) facts: &'a PartFacts,
}

/// Where the inputs stand on the command line.
struct Inputs {
    source: usize,
}

const FILM_INPUT: usize = 0;
const OTHERS_INPUT: usize = 1;

/// The list that the concat demuxer reads. Each segment but the last has a duration, such that their
/// running sum is the exact distance from the first, rounded once: what the demuxer adds to a segment's
/// PTS is then the same for all. `None` if a name cannot be written into a list.
pub(crate) fn list(join: &Join, inputs: &[&MediaInput]) -> Option<String> {
    let mut text = String::from(LIST_HEADER);
    let starts: Vec<i64> =
        join.segments.iter().map(|segment| start_micros(join, segment)).collect();
    for (position, input) in inputs.iter().enumerate() {
        let address = names::address(input);
        text.push_str(&format!("file {}\n", names::in_list(address.to_str()?)?));
        if let (Some(start), Some(next)) = (starts.get(position), starts.get(position + 1)) {
            text.push_str(&format!("duration {}\n", seconds(next - start)));
        }
    }
    Some(text)
}

/// The same list behind a file of which only the header counts.
pub(crate) fn list_after(rate_file: &str, list: &str) -> String {
    let segments = list.strip_prefix(LIST_HEADER).unwrap_or(list);
    format!("{LIST_HEADER}file 'file:{rate_file}'\noutpoint -1000\nduration 0\n{segments}")
}

/// Where a segment's file begins by its own clock, in microseconds, as ffmpeg sees it.
fn start_micros(join: &Join, segment: &JoinedSegment) -> i64 {
    let timebase = join.film.timebase;
    timebase.micros(segment.frames.first_pts.saturating_add(segment_bias(timebase)))
}

impl Joined<'_> {
    /// The call.
    pub(crate) fn invocation(&self) -> Invocation {
        let mut call = Invocation::ffmpeg();
        call.word("-copyts");
        let inputs = self.inputs(&mut call);
        self.maps(&mut call, &inputs);
        self.film_options(&mut call);
        self.stream_headers(&mut call, &inputs);
        call.user_options(&self.join.options);
        call.option("-f", &self.work.container);
        call.word(output_name(&self.work.container));
        call
    }

    fn inputs(&self, call: &mut Invocation) -> Inputs {
        // The concat demuxer moves the first segment to zero: back to where it was, less the bias.
        let timebase = self.join.film.timebase;
        let bias = timebase.micros(segment_bias(timebase));
        let first =
            self.join.segments.first().map_or(bias, |segment| start_micros(self.join, segment));
        call.option("-itsoffset", seconds(first.saturating_sub(bias)));
        call.segment_list(JOINED_NAME);
        let mut source = OTHERS_INPUT;
        if let Some(others) = self.others {
            call.option("-itsoffset", seconds(-1_000_000 * ahead_seconds(&self.work.container)));
            call.input(&self.facts.others_demuxer, others);
            source += 1;
        }
        for position in &self.facts.rounded_sound {
            if let Some(merged) = self.work.streams.get(*position) {
                let stream = merged.stream.source_stream;
                call.option(&format!("-itsscale:{stream}"), STRETCH.to_string());
            }
        }
        let offset = self.join.start_micros.saturating_neg();
        let offset = offset.saturating_add(against_correction(&self.work.demuxer));
        call.option("-itsoffset", seconds(offset));
        call.input(&self.work.demuxer, self.source);
        Inputs { source }
    }

    fn maps(&self, call: &mut Invocation, inputs: &Inputs) {
        for merged in &self.work.streams {
            let from = match merged.stream.origin {
                Origin::Film => format!("{FILM_INPUT}:v:0"),
                Origin::Encoded(stream) => format!("{OTHERS_INPUT}:{stream}"),
                Origin::Copied => format!("{}:{}", inputs.source, merged.stream.source_stream),
            };
            call.option("-map", from);
        }
        call.words(&["-c", "copy"]);
        call.option("-map_metadata", inputs.source.to_string());
        call.option("-map_chapters", inputs.source.to_string());
        for tag in LEFT_OUT {
            call.option("-metadata", format!("{tag}="));
        }
    }

    fn film_options(&self, call: &mut Invocation) {
        let film = self.work.streams.iter().position(|merged| merged.stream.origin == Origin::Film);
        let Some(film) = film else { return };
        // A segment's first DTS can lie before the last one of its predecessor; later is always allowed,
        // since the PTS do not move and stand further apart. They must be named, or they take the DTS' value.
        let mut times = String::from("setts=pts=PTS:dts=max(DTS\\,PREV_OUTDTS+1):duration=0");
        if let Some(rate) = self.join.film.rate {
            // What a segment's container tells of lengths is guessed from DTS, which in films of variable rate can
            // stand much further apart than any picture lasts.
            times.push_str(&format!("*min(DURATION\\,round({}/{}/TB))", rate.den, rate.num));
        }
        call.option(&format!("-bsf:{film}"), times);
        if let Some(rate) = self.join.film.rate {
            call.option(&format!("-r:{film}"), format!("{}/{}", rate.num, rate.den));
            // From FFmpeg 7 on (seen in 7.0.2 and 9.0.2), a copied stream with a rate and a bitstream filter is
            // counted in frames of that rate: a first PTS of 36 ms became 33 at 60 a second.
            let ticks = self.join.film.timebase;
            call.option(&format!("-time_base:{film}"), format!("{}/{}", ticks.num(), ticks.den()));
        }
        for (name, value) in &self.facts.colours {
            call.option(&format!("-{name}:{film}"), value);
        }
        if matches!(self.work.container.as_str(), "mp4" | "mov" | "ipod") {
            let mut timescale = self.join.film.timebase.den();
            while timescale < MOV_TIMESCALE_MIN {
                timescale *= 2;
            }
            call.option("-video_track_timescale", timescale.to_string());
        }
    }

    fn stream_headers(&self, call: &mut Invocation, inputs: &Inputs) {
        let dispositions = dispositions(&self.work.streams, self.sets_dispositions());
        for (position, merged) in self.work.streams.iter().enumerate() {
            let source = format!("{}:s:{}", inputs.source, merged.stream.source_stream);
            call.option(&format!("-map_metadata:s:{position}"), source);
            if let Some(encoder) = self.facts.encoders.get(&position) {
                call.option(&format!("-metadata:s:{position}"), format!("encoder={encoder}"));
            }
            if let Some(ticks) = self.facts.lost_ticks.get(&position) {
                let mut times = format!("setts=pts=PTS+({ticks}):dts=DTS+({ticks})");
                if let Some(end) = self.facts.ends.get(&position) {
                    let left = end.saturating_sub(*ticks);
                    times.push_str(&format!(":duration=min(DURATION\\,{left}-PTS)"));
                }
                call.option(&format!("-bsf:{position}"), times);
            }
            if self.facts.rounded_sound.contains(&position) {
                call.option(&format!("-bsf:{position}"), format!("setts=ts=round(TS/{STRETCH})"));
            }
            if let Some(disposition) = dispositions.get(position) {
                call.option(&format!("-disposition:{position}"), disposition);
            }
        }
    }

    fn sets_dispositions(&self) -> Dispositions {
        let given = self
            .join
            .options
            .iter()
            .any(|option| option.name.split(':').next() == Some("disposition"));
        if given { Dispositions::GivenByUser } else { Dispositions::AsPlainFfmpeg }
    }
}

/// Who says which stream is the default one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dispositions {
    /// The user, at least for some.
    GivenByUser,
    /// Nobody: ffmpeg then marks the first stream of a kind that has several and no default
    /// (`set_dispositions` in fftools/ffmpeg_opt.c, 5.1).
    AsPlainFfmpeg,
}

fn dispositions(streams: &[MergedStream], by: Dispositions) -> Vec<String> {
    let mut all: Vec<Vec<String>> =
        streams.iter().map(|merged| merged.dispositions.clone()).collect();
    let has = |names: &[String], name: &str| names.iter().any(|given| given == name);
    match by {
        Dispositions::GivenByUser => {}
        Dispositions::AsPlainFfmpeg => {
            for kind in
                [StreamKind::Video, StreamKind::Audio, StreamKind::Subtitle, StreamKind::Data]
            {
                let of_kind = streams.iter().enumerate().filter(|(_, merged)| merged.kind == kind);
                let positions: Vec<usize> = of_kind.map(|(position, _)| position).collect();
                let marked = positions.iter().any(|position| has(&all[*position], "default"));
                let first =
                    positions.iter().find(|position| !has(&all[**position], "attached_pic"));
                if positions.len() > 1
                    && !marked
                    && let Some(first) = first
                {
                    all[*first].push("default".to_owned());
                }
            }
        }
    }
    let joined =
        |names: Vec<String>| if names.is_empty() { "0".to_owned() } else { names.join("+") };
    all.into_iter().map(joined).collect()
}

#[cfg(test)]
mod tests {
    use segenc_core::plan::OutputStream;
    use segenc_core::work::{Decode, MergeFrom};

    use super::*;
    use crate::invocation::sample::{file, film, frames, lines, option, url};

    fn stream(
        source_stream: u32,
        origin: Origin,
        kind: StreamKind,
        dispositions: &[&str],
    ) -> MergedStream {
        let dispositions = dispositions.iter().map(|name| (*name).to_owned()).collect();
        MergedStream { stream: OutputStream { source_stream, origin }, kind, dispositions }
    }

    fn join() -> Join {
        let segment = |input, first, end| JoinedSegment {
            input,
            frames: frames(30, first, end - 3003),
            start: first,
            end,
        };
        Join {
            film: film(),
            segments: vec![segment(1, 3003, 93_093), segment(2, 93_093, 183_183)],
            other_streams_input: Some(3),
            options: vec![option("metadata", "title=A film"), option("movflags", "+faststart")],
            start_micros: 1_400_000,
        }
    }

    fn work(container: &str) -> MergeWork {
        MergeWork {
            demuxer: "matroska,webm".to_owned(),
            container: container.to_owned(),
            from: MergeFrom::Parts(join()),
            streams: vec![
                stream(0, Origin::Film, StreamKind::Video, &["default"]),
                stream(1, Origin::Encoded(0), StreamKind::Audio, &[]),
                stream(2, Origin::Copied, StreamKind::Audio, &["comment", "original"]),
            ],
            decode: Decode::Everything,
            size: None,
            buffer: None,
        }
    }

    #[test]
    fn a_merge_of_all_kinds_of_streams() {
        let join = join();
        let facts = PartFacts {
            others_demuxer: "nut".to_owned(),
            lost_ticks: BTreeMap::from([(1, 7)]),
            encoders: BTreeMap::from([(0, "Lavc59.37.100 libx264".to_owned())]),
            colours: vec![("color_range".to_owned(), "tv".to_owned())],
            ends: BTreeMap::new(),
            rounded_sound: BTreeSet::from([2]),
        };
        for container in ["matroska", "mp4"] {
            let work = work(container);
            let joined = Joined {
                work: &work,
                join: &join,
                source: &url(0),
                others: Some(&url(3)),
                facts: &facts,
            };
            insta::assert_snapshot!(format!("merge_{container}"), lines(&joined.invocation()));
        }
    }

    #[test]
    fn durations_of_the_list_sum_up_to_the_rounded_exact_time() {
        let mut join = join();
        join.segments = (0..1000_i64)
            .map(|index| JoinedSegment {
                input: 1,
                frames: frames(7, index * 7 * 1001, index),
                start: 0,
                end: 0,
            })
            .collect();
        let inputs = vec![file("/s/a.nut"); 1000];
        let text = list(&join, &inputs.iter().collect::<Vec<_>>()).expect("the names are plain");
        let durations = text.lines().filter_map(|line| line.strip_prefix("duration "));
        let micros = durations.map(|line| line.replace('.', "").parse::<i64>().expect("digits"));
        let sum: i64 = micros.sum();
        assert_eq!(sum, join.film.timebase.micros(999 * 7 * 1001));
    }

    #[test]
    fn a_list_quotes_names() {
        let (one, two) = (file("/s/it's.nut"), url(2));
        insta::assert_snapshot!(
            "list",
            list(&join(), &[&one, &two]).expect("the names can be written")
        );
        let text = list_after(
            "rate.mp4",
            &list(&join(), &[&one, &two]).expect("the names can be written"),
        );
        assert!(text.starts_with(
            "ffconcat version 1.0\nfile 'file:rate.mp4'\noutpoint -1000\nduration 0\nfile "
        ));
        let broken = file("/s/a\nb.nut");
        assert_eq!(list(&join(), &[&broken, &two]), None);
    }

    #[test]
    fn the_first_of_several_is_the_default_unless_one_is() {
        let streams = work("matroska").streams;
        let all = dispositions(&streams, Dispositions::AsPlainFfmpeg);
        assert_eq!(all, ["default", "default", "comment+original"]);
        let all = dispositions(&streams, Dispositions::GivenByUser);
        assert_eq!(all, ["default", "0", "comment+original"]);
    }
}
