//! The call that encodes one segment: seek, decode, keep the frames of the range, encode.
//!
//! Must not know why the range is what it is.

use std::ffi::OsString;

use segenc_core::plan::{fine_bits, finer};
use segenc_core::spec::OutputOption;
use segenc_core::time::{PtsRange, Timebase};
use segenc_core::work::{COPY_DEMUXER, SegmentWork, segment_bias};

use super::holder::Holder;
use super::{Invocation, closing, light, opening, seconds};
use crate::attempt::MediaInput;

/// The file with the first picture, in the attempt's folder.
pub(crate) const HEADER_NAME: &str = "header.mkv";

impl Invocation {
    /// Encodes a segment. `decode_threads` of 0 leaves the number to ffmpeg.
    pub(crate) fn segment(work: &SegmentWork, source: &MediaInput, decode_threads: u32) -> Self {
        let mut call = Self::segment_encode(work, source, decode_threads);
        call.words(&["-map_metadata", "-1", "-map_chapters", "-1"]);
        let holder = Holder::of_encoder(&work.encoder);
        holder.options(&mut call, work.film.timebase.den());
        call.words(&["-f", holder.muxer(), &holder.segment_name()]);
        call
    }

    /// Encodes the first picture of a segment into a container that holds all that is said of its colours.
    pub(crate) fn segment_header(
        work: &SegmentWork,
        source: &MediaInput,
        decode_threads: u32,
    ) -> Self {
        let mut call = Self::segment_encode(work, source, decode_threads);
        call.words(&["-frames:v", "1", "-f", "matroska", HEADER_NAME]);
        call
    }

    /// Writes a tag into the segment's file.
    pub(crate) fn with_tag(mut self, holder: Holder, name: &str, value: &str) -> Self {
        let mut words: Vec<OsString> = match holder {
            Holder::Mp4 | Holder::Mov => vec!["-movflags".into(), "+use_metadata_tags".into()],
            Holder::Nut => Vec::new(),
        };
        words.extend(["-metadata".into(), format!("{name}={value}").into()]);
        // In front of the file's name.
        let place = self.args.len().saturating_sub(1);
        self.args.splice(place..place, words);
        self
    }

    /// The call up to the file that is made.
    fn segment_encode(work: &SegmentWork, source: &MediaInput, decode_threads: u32) -> Self {
        let mut call = Self::ffmpeg();
        // The source's own clock, undisturbed; a demuxer may then land on any earlier keyframe, since the
        // range is cut out by PTS.
        call.words(&["-copyts", "-noaccurate_seek"]);
        if let Some(micros) = work.seek_micros {
            call.words(&["-seek_timestamp", "1", "-ss", &seconds(micros)]);
        }
        call.option("-threads", decode_threads.to_string());
        if user_filter(work).is_some() && work.film.shift != 0 {
            // The filters see the output's clock, and its end too: some go on to there.
            let start = work.film.timebase.micros(work.film.shift);
            call.option("-itsoffset", seconds(start.saturating_neg()));
        }
        call.input(&work.demuxer, source);
        call.option("-map", format!("0:{}", work.film.stream));
        call.option("-vf", filter_chain(work));
        call.option("-c:v", &work.encoder);
        call.user_options(&encoder_options(work));
        call.option("-threads", work.threads.to_string());
        if closing::shown_until(work).is_some() {
            closing::drop_beyond(&mut call, work);
        }
        call.words(&[
            "-fps_mode",
            "passthrough",
            "-enc_time_base",
            &encoder_timebase(work),
            "-avoid_negative_ts",
            "disabled",
        ]);
        call
    }
}

/// In which ticks the encoder counts: those of the source, as when all is made in one go.
fn encoder_timebase(work: &SegmentWork) -> String {
    if work.demuxer == COPY_DEMUXER { timebase(work.film.timebase) } else { "-1".to_owned() }
}

/// The range, the output's clock, the user's filters; then what was only their run-up and run-out goes,
/// and the bias comes on top.
fn filter_chain(work: &SegmentWork) -> String {
    let shift = work.film.shift;
    let bias = segment_bias(work.film.timebase);
    let mut chain: Vec<String> = Vec::new();
    if work.demuxer == COPY_DEMUXER {
        chain.push(format!("settb={}", timebase(work.film.timebase)));
    }
    let filtered = filtered(work);
    match user_filter(work) {
        Some(filter) => {
            chain.extend(trim(filtered, shift));
            chain.push(filter.to_owned());
            chain.extend(made(work).into_iter().flatten());
        }
        None => {
            let encoded = encoded(work);
            chain.extend(trim(filtered, 0));
            if filtered != encoded {
                chain.extend(trim(encoded, 0));
            }
            chain.push(format!("setpts=PTS+({})", bias.saturating_sub(shift)));
        }
    }
    chain.join(",")
}

/// The frames of the source that the encoder is given: the segment, and what it is shown beyond it.
fn encoded(work: &SegmentWork) -> PtsRange {
    PtsRange { start: work.range.start, end: closing::shown_until(work).or(work.range.end) }
}

/// Those that go through the filters: what the encoder is shown may lie beyond what they look at.
fn filtered(work: &SegmentWork) -> PtsRange {
    let PtsRange { start, end } = work.filter_range;
    PtsRange { start, end: end.map(|end| closing::shown_until(work).map_or(end, |it| it.max(end))) }
}

fn user_filter(work: &SegmentWork) -> Option<&str> {
    work.filter.as_deref().map(str::trim).filter(|filter| !filter.is_empty())
}

/// Keeps, of what comes out of the user's filters, the frames that are expected and what the encoder is shown beyond
/// them, and adds the bias. They may have
/// another clock than the film. ffmpeg rounds their times to the encoder's ticks by way of finer ones; that it is
/// the same rounding as in one go, they are finer from here on.
fn made(work: &SegmentWork) -> [Option<String>; 3] {
    let bits = fine_bits(work.film.timebase);
    let (fine, bits) = match finer(work.film.timebase, bits) {
        Some(fine) => (fine, bits),
        None => (work.film.timebase, 0),
    };
    let half = (1_i64 << bits) / 2;
    let at = |tick: i64| tick.saturating_mul(1 << bits).saturating_sub(half);
    // An open end stays open: what comes out beyond it is a fault that must be seen.
    let beyond = match closing::shown_until(work) {
        Some(end) => end.saturating_sub(work.film.shift),
        None => work.expected.last_pts.saturating_add(1),
    };
    let expected = PtsRange {
        start: work.range.start.map(|_| at(work.expected.first_pts)),
        end: work.range.end.map(|_| at(beyond)),
    };
    let bias = segment_bias(work.film.timebase).saturating_mul(1 << bits);
    [
        Some(format!("settb={}", timebase(fine))),
        trim(expected, 0),
        Some(format!("setpts=PTS+({bias})")),
    ]
}

pub(super) fn timebase(timebase: Timebase) -> String {
    format!("{}/{}", timebase.num(), timebase.den())
}

/// The filter that keeps a range, on a clock that is `shift` ticks behind the source's.
pub(super) fn trim(range: PtsRange, shift: i64) -> Option<String> {
    let start = range.start.map(|pts| format!("start_pts={}", pts.saturating_sub(shift)));
    let end = range.end.map(|pts| format!("end_pts={}", pts.saturating_sub(shift)));
    let sides: Vec<String> = start.into_iter().chain(end).collect();
    (!sides.is_empty()).then(|| format!("trim={}", sides.join(":")))
}

/// The user's options, with ours worked into those that hold lists of parameters: given twice, the
/// second list would replace the first.
fn encoder_options(work: &SegmentWork) -> Vec<OutputOption> {
    let mut ours: Vec<(&str, &str, String)> = Vec::new();
    match work.encoder.as_str() {
        // With a lookahead thread of its own, what it decides depends on which thread is faster: the same call
        // made six different streams in twelve runs (320x180, two threads; x264 0.164, FFmpeg 5.1).
        "libx264" | "libx264rgb" => ours.push(("x264-params", "sync-lookahead", "0".to_owned())),
        // It writes to stderr on its own, whatever ffmpeg's level.
        "libx265" => ours.push(("x265-params", "log-level", "error".to_owned())),
        // It does not hear of ffmpeg's `-threads`.
        "libsvtav1" => ours.push(("svtav1-params", "lp", work.threads.to_string())),
        _ => {}
    }
    if !work.filter.as_deref().is_some_and(light::changes) {
        ours.extend(light::parameters(&work.encoder, work.film.mastering));
    }
    ours.extend(opening::parameters(work));
    light::with_parameters(&work.options, ours)
}

#[cfg(test)]
mod tests {
    use segenc_core::work::Pass;

    use super::*;
    use crate::invocation::sample::{file, film, frames, lines, option, url};

    fn work() -> SegmentWork {
        let range = PtsRange { start: Some(216_000), end: Some(306_090) };
        SegmentWork {
            demuxer: "matroska,webm".to_owned(),
            film: film(),
            index: 1,
            range,
            filter_range: range,
            lookahead_end: None,
            seek_micros: Some(2_400_000),
            encoder: "libx264".to_owned(),
            options: vec![option("crf", "20"), option("preset:v", "slow")],
            filter: None,
            expected: frames(30, 90_000, 177_087),
            threads: 2,
            pass: Pass::Only,
        }
    }

    #[test]
    fn a_segment_in_the_middle() {
        insta::assert_snapshot!(
            "segment",
            lines(&Invocation::segment(&work(), &file("/films/a.mkv"), 2))
        );
    }

    #[test]
    fn a_hardware_encoder_is_called_like_any_other() {
        let options = vec![option("rc", "vbr"), option("cq", "24"), option("preset", "p5")];
        let work = SegmentWork { encoder: "hevc_nvenc".to_owned(), options, ..work() };
        insta::assert_snapshot!(
            "segment_hardware",
            lines(&Invocation::segment(&work, &file("/films/a.mkv"), 2))
        );
    }

    #[test]
    fn the_light_of_the_film_is_told_unless_a_filter_changes_it() {
        use segenc_core::source::Mastering;
        let mut work = SegmentWork { encoder: "libx265".to_owned(), ..work() };
        work.film.mastering = Some(Mastering { display: None, light: Some([1000, 400]) });
        let list = |work: &SegmentWork| {
            let options = encoder_options(work);
            let found = options.iter().find(|option| option.name == "x265-params");
            found.and_then(|option| option.value.clone())
        };
        let light = Some("max-cll=1000,400");
        assert!(list(&work).is_some_and(|list| list.split(':').any(|one| Some(one) == light)));
        work.filter = Some("zscale=t=linear,tonemap=hable".to_owned());
        assert!(list(&work).is_some_and(|list| !list.contains("max-cll")));
    }

    #[test]
    fn a_tag_stands_in_front_of_the_files_name() {
        let call = Invocation::segment(&work(), &file("/films/a.mkv"), 2);
        let name = call.args.last().cloned();
        let tagged = call.with_tag(Holder::Mp4, "key", "value");
        assert_eq!(tagged.args.last().cloned(), name);
        assert!(tagged.args.iter().any(|arg| arg == "key=value"));
    }

    #[test]
    fn a_first_segment_is_open_and_does_not_seek() {
        let range = PtsRange { start: None, end: Some(216_000) };
        let work = SegmentWork { seek_micros: None, range, filter_range: range, ..work() };
        insta::assert_snapshot!("segment_first", lines(&Invocation::segment(&work, &url(0), 0)));
    }

    #[test]
    fn run_up_is_dropped_behind_the_filters() {
        let work = SegmentWork {
            filter: Some("yadif,scale=-2:720".to_owned()),
            filter_range: PtsRange { start: Some(207_000), end: Some(309_093) },
            ..work()
        };
        assert_eq!(
            filter_chain(&work),
            "trim=start_pts=81000:end_pts=183093,yadif,scale=-2:720,settb=1/737280000,\
             trim=start_pts=737275904:end_pts=1450700800,setpts=PTS+(11796480000)"
        );
        let call = Invocation::segment(&work, &file("/films/a.mkv"), 2);
        let shifted = call.args.windows(2).any(|words| words == ["-itsoffset", "-1.400000"]);
        assert!(shifted, "{:?}", call.args);
    }

    #[test]
    fn x264_is_shown_what_comes_after_and_it_is_dropped() {
        let work = SegmentWork { lookahead_end: Some(330_000), ..work() };
        let words = |work: &SegmentWork| lines(&Invocation::segment(work, &file("/a.mkv"), 2));
        assert_eq!(
            filter_chain(&work),
            "trim=start_pts=216000:end_pts=330000,setpts=PTS+(1314000)"
        );
        let told = words(&work);
        for word in ["expr:eq(n,30)", "-forced-idr", "noise=amount=0:drop=floor(n/30)"] {
            assert!(told.contains(word), "{told}");
        }
        let filtered = SegmentWork {
            filter: Some("yadif".to_owned()),
            filter_range: PtsRange { start: Some(207_000), end: Some(309_093) },
            ..work.clone()
        };
        let chain = filter_chain(&filtered);
        assert!(chain.starts_with("trim=start_pts=81000:end_pts=204000,yadif,"), "{chain}");
        assert!(chain.contains(":end_pts=1671163904,"), "{chain}");
        // Encoders and modes that make nothing of it, and options that cannot go with it.
        for other in [
            SegmentWork { encoder: "libx265".to_owned(), ..work.clone() },
            SegmentWork { options: vec![option("qp", "0")], ..work.clone() },
            SegmentWork { options: vec![option("preset", "ultrafast")], ..work.clone() },
            SegmentWork { options: vec![option("force_key_frames", "source")], ..work.clone() },
            SegmentWork { pass: Pass::Measure, ..work.clone() },
            SegmentWork { lookahead_end: None, ..work.clone() },
        ] {
            let told = words(&other);
            assert!(!told.contains("noise=") && !told.contains("330000"), "{told}");
        }
    }

    #[test]
    fn a_copy_is_read_in_ticks_of_the_source() {
        let work = SegmentWork { demuxer: COPY_DEMUXER.to_owned(), ..work() };
        assert!(filter_chain(&work).starts_with("settb=1/90000,trim=start_pts=216000"));
        assert_eq!(encoder_timebase(&work), "1/90000");
    }

    #[test]
    fn an_open_range_needs_no_trim() {
        let range = PtsRange { start: None, end: None };
        let work = SegmentWork { range, filter_range: range, ..work() };
        assert_eq!(filter_chain(&work), "setpts=PTS+(1314000)");
    }

    #[test]
    fn x265_is_told_the_same_in_all_segments_and_x264_more_in_later_ones() {
        let told = |encoder: &str, index: u32| {
            let encoder = encoder.to_owned();
            encoder_options(&SegmentWork { encoder, options: Vec::new(), index, ..work() })
        };
        // Its settings stand in the headers, which must be equal.
        assert_eq!(told("libx265", 0), told("libx265", 7));
        assert_ne!(told("libx264", 0), told("libx264", 7));
    }

    #[test]
    fn parameter_lists_keep_what_the_user_gave() {
        let options = |encoder: &str, given: Vec<OutputOption>| {
            let encoder = encoder.to_owned();
            encoder_options(&SegmentWork { encoder, options: given, index: 0, ..work() })
        };
        let given = vec![option("crf", "20"), option("x265-params:v", "aq-mode=3")];
        assert_eq!(
            options("libx265", given)[1],
            option("x265-params:v", "aq-mode=3:log-level=error:zones=0,1,b=1.18")
        );
        let bare = option("x265-params", "log-level=error:zones=0,1,b=1.18");
        assert_eq!(options("libx265", vec![]), [bare]);
        let given = vec![option("x265-params", "log-level=full:zones=0,9,q=20")];
        assert_eq!(options("libx265", given.clone()), given);
        assert_eq!(options("libsvtav1", vec![]), [option("svtav1-params", "lp=2")]);
        assert_eq!(options("libx264", vec![]), [option("x264-params", "sync-lookahead=0")]);
        assert_eq!(options("ffv1", vec![]), []);
    }
}
