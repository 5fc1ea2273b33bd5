//! The calls that encode for the whole title: the streams beside the film, or everything in one go.
//!
//! Must not know of segments.

use segenc_core::spec::OutputOption;
use segenc_core::work::StreamsWork;

use super::Invocation;
use crate::attempt::MediaInput;
use crate::names;
use crate::options::filter::with_source;

/// Seconds by which the file of other streams is moved up, and back again by the merge. Encoders of sound
/// begin a little before zero; MP4 says so by an edit list, others would move everything else to make up for
/// it. Whole seconds are whole ticks in every timebase that occurs there.
pub(crate) fn ahead_seconds(container: &str) -> i64 {
    match container {
        "mp4" | "mov" | "ipod" => 0,
        _ => 16,
    }
}

/// The name of a file of this muxer in the attempt's folder.
pub(crate) fn output_name(container: &str) -> String {
    let extension = match container {
        "matroska" => "mkv",
        "mpegts" => "ts",
        "mpeg" | "vob" => "mpg",
        "ipod" => "m4a",
        other => other,
    };
    format!("output.{extension}")
}

impl Invocation {
    /// Encodes the streams beside the film, with no film.
    pub(crate) fn other_streams(work: &StreamsWork, source: &MediaInput, threads: u32) -> Self {
        let mut call = Self::ffmpeg();
        call.option("-threads", threads.to_string());
        call.part_of(&work.demuxer, source);
        call.mapped(work);
        // As in a title made in one go.
        call.words(&["-enc_time_base", "-1"]);
        match ahead_seconds(&work.container) {
            0 => {}
            ahead => call.words(&[
                "-output_ts_offset",
                &ahead.to_string(),
                "-avoid_negative_ts",
                "disabled",
            ]),
        }
        call.words(&["-map_chapters", "-1"]);
        call.option("-f", &work.container);
        call.word(output_name(&work.container));
        call
    }

    /// Copies the first packets of a stream of the file of other streams into a container, to see what becomes
    /// of their times on the way. More than one: MP4 cuts the encoder's delay off the first few.
    pub(crate) fn first_packets(
        demuxer: &str,
        others: &MediaInput,
        stream: u32,
        container: &str,
    ) -> (Self, String) {
        let name = output_name(container).replace("output", "first");
        let mut call = Self::ffmpeg();
        call.word("-copyts");
        call.input(demuxer, others);
        call.option("-map", format!("0:{stream}"));
        call.words(&["-c", "copy", "-frames:a", "16", "-avoid_negative_ts", "disabled"]);
        call.words(&["-strict", "experimental", "-f", container, &name]);
        (call, name)
    }

    /// Begins an MP4 as plain ffmpeg does, with one small picture of the film and the first packets of sounds,
    /// which are looked for in as many seconds only.
    pub(crate) fn begun_like_plain(
        demuxer: &str,
        source: &MediaInput,
        film: u32,
        sounds: &[u32],
    ) -> (Self, String) {
        let name = "begun.mov".to_owned();
        let mut call = Self::ffmpeg();
        call.words(&["-t", "30"]);
        call.input(demuxer, source);
        for stream in std::iter::once(&film).chain(sounds) {
            call.option("-map", format!("0:{stream}"));
        }
        call.words(&["-c:a", "copy", "-c:v", "mpeg4", "-vf", "scale=64:64,format=yuv420p"]);
        call.words(&["-frames:v", "1", "-frames:a", "8", "-fps_mode", "passthrough"]);
        call.words(&["-enc_time_base", "-1", "-avoid_negative_ts", "disabled"]);
        call.words(&["-use_editlist", "0", "-strict", "experimental", "-f", "mov", &name]);
        (call, name)
    }

    /// Makes the whole output as plain ffmpeg does, but for frames that plain ffmpeg 5.1 drops or doubles. It
    /// decodes with plain ffmpeg's number of threads: what becomes of damaged pictures depends on it.
    pub(crate) fn whole(work: &StreamsWork, source: &MediaInput) -> Self {
        let mut call = Self::ffmpeg();
        call.input(&work.demuxer, source);
        call.mapped(&StreamsWork {
            options: told_of_source(&work.options, source),
            ..work.clone()
        });
        if encodes_video(work) && !sets_rate(work) {
            call.words(&["-fps_mode", "passthrough", "-enc_time_base", "-1"]);
        }
        call.option("-f", &work.container);
        call.word(output_name(&work.container));
        call
    }

    fn mapped(&mut self, work: &StreamsWork) {
        for stream in &work.source_streams {
            self.option("-map", format!("0:{stream}"));
        }
        self.user_options(&work.options);
    }
}

/// The options, with the source's address where a filter reads the source once more.
fn told_of_source(options: &[OutputOption], source: &MediaInput) -> Vec<OutputOption> {
    let address = names::address(source);
    let address = address.to_string_lossy();
    let told = options.iter().map(|option| {
        let (name, _) = bare(&option.name);
        let chain = option.value.as_deref().filter(|_| matches!(name, "vf" | "filter"));
        let told = chain.and_then(|chain| with_source(chain, &address));
        OutputOption { name: option.name.clone(), value: told.or_else(|| option.value.clone()) }
    });
    told.collect()
}

/// An option's name in front of its specifier.
fn bare(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((bare, specifier)) => (bare, Some(specifier)),
        None => (name, None),
    }
}

/// Whether some codec option for video names an encoder.
fn encodes_video(work: &StreamsWork) -> bool {
    work.options.iter().any(|option| {
        let (name, specifier) = bare(&option.name);
        let codec = matches!(name, "c" | "codec" | "vcodec");
        let video = name == "vcodec" || specifier.is_none_or(|specifier| !is_other_kind(specifier));
        codec && video && option.value.as_deref() != Some("copy")
    })
}

fn is_other_kind(specifier: &str) -> bool {
    matches!(specifier.split(':').next(), Some("a" | "s" | "d" | "t"))
}

/// Whether the user asked for a constant rate.
fn sets_rate(work: &StreamsWork) -> bool {
    work.options.iter().any(|option| bare(&option.name).0 == "r")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::sample::{file, lines, option, url};

    fn work(options: &[(&str, &str)]) -> StreamsWork {
        StreamsWork {
            demuxer: "mov,mp4,m4a,3gp,3g2,mj2".to_owned(),
            source_streams: vec![0, 2],
            options: options.iter().map(|(name, value)| option(name, value)).collect(),
            container: "matroska".to_owned(),
        }
    }

    #[test]
    fn other_streams() {
        let work = work(&[("c:a", "libopus"), ("b:a", "128k")]);
        insta::assert_snapshot!(
            "other_streams",
            lines(&Invocation::other_streams(&work, &url(0), 1))
        );
    }

    #[test]
    fn a_whole_title() {
        let work = work(&[("c:v", "libx264"), ("c:a", "copy")]);
        insta::assert_snapshot!(
            "whole",
            lines(&Invocation::whole(&work, &file("/films/it's.mp4")))
        );
    }

    #[test]
    fn frames_are_passed_through_only_where_video_is_encoded_at_its_own_rate() {
        let passes = |options: &[(&str, &str)]| {
            let call = Invocation::whole(&work(options), &file("a"));
            call.args.iter().any(|arg| arg == "-fps_mode")
        };
        assert!(passes(&[("c:v:0", "libx264")]));
        assert!(passes(&[("c", "copy"), ("vcodec", "ffv1")]));
        assert!(!passes(&[("c:v", "copy"), ("c:a", "aac")]));
        assert!(!passes(&[("c:v", "libx264"), ("r:v", "25")]));
    }
}
