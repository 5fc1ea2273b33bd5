//! The call that copies a film's packets into a container with an index, and a question about its pictures.
//!
//! Must not know when a copy can be trusted.

use segenc_core::source::StreamFacts;
use segenc_core::work::{COPY_DEMUXER, copy_bias};

use super::{Invocation, seconds};
use crate::attempt::MediaInput;
use crate::film_copy::may_lack_times;

/// The copy, in the attempt's folder.
pub(crate) const COPY_NAME: &str = "film.nut";

/// What H.264 says beside its pictures, in the attempt's folder.
pub(crate) const MESSAGES_NAME: &str = "messages.h264";

impl Invocation {
    /// Copies the packets of the film. The times are those that ffmpeg gives them when it makes the output in one
    /// go, so the streams `beside` are read along: it looks at all of them to tell where the clock jumps.
    pub(crate) fn film_copy(
        demuxer: &str,
        source: &MediaInput,
        film: &StreamFacts,
        beside: &[u32],
    ) -> Self {
        let mut call = Self::ffmpeg();
        if may_lack_times(&film.codec) {
            call.words(&["-fflags", "+genpts"]);
        }
        call.input(demuxer, source);
        let map = format!("0:{}", film.index);
        call.option("-map", &map);
        // From the first keyframe on. NUT takes no negative times; a whole number of ticks, so nothing is rounded.
        call.words(&["-c", "copy", "-copypriorss", "1", "-avoid_negative_ts", "disabled"]);
        let bias = film.timebase.micros(copy_bias(film.timebase));
        call.option("-output_ts_offset", seconds(bias));
        call.words(&["-map_metadata", "-1", "-map_chapters", "-1"]);
        call.words(&["-f", COPY_DEMUXER, COPY_NAME]);
        if !beside.is_empty() {
            for stream in beside {
                call.option("-map", format!("0:{stream}"));
            }
            call.words(&["-c", "copy", "-copyinkf", "-f", "null", "-"]);
        }
        if film.codec == "h264" {
            call.option("-map", map);
            call.words(&["-c", "copy", "-copyinkf"]);
            call.words(&["-bsf:v", "h264_mp4toannexb,filter_units=pass_types=6"]);
            call.words(&["-f", "h264", MESSAGES_NAME]);
        }
        call
    }

    /// Decodes the first frame of a film as in one go: a line of `framecrc` tells its PTS on the output's clock.
    pub(crate) fn first_frame(demuxer: &str, source: &MediaInput, film: u32) -> Self {
        let mut call = Self::ffmpeg();
        call.part_of(demuxer, source);
        call.option("-map", format!("0:{film}"));
        call.words(&["-frames:v", "1", "-fps_mode", "passthrough", "-enc_time_base", "-1"]);
        call.words(&["-f", "framecrc", "-"]);
        call
    }

    /// Counts the packets and the pictures at the beginning of a stream.
    pub(crate) fn packets_and_pictures(
        demuxer: &str,
        input: &MediaInput,
        stream: u32,
        packets: u32,
    ) -> Self {
        let mut call = Self::ffprobe();
        call.option("-select_streams", stream.to_string());
        call.option("-read_intervals", format!("%+#{packets}"));
        call.words(&["-count_packets", "-count_frames"]);
        call.words(&["-show_entries", "stream=nb_read_packets,nb_read_frames", "-of", "json"]);
        call.input(demuxer, input);
        call
    }
}

#[cfg(test)]
mod tests {
    use segenc_core::source::StreamKind;
    use segenc_core::time::Timebase;

    use super::*;
    use crate::invocation::sample::{file, lines, url};

    fn film(codec: &str, num: u32, den: u32) -> StreamFacts {
        StreamFacts {
            index: 1,
            kind: StreamKind::Video,
            codec: codec.to_owned(),
            timebase: Timebase::new(num, den).expect("both sides are above zero"),
            language: None,
            title: None,
            dispositions: Vec::new(),
            video: None,
        }
    }

    #[test]
    fn a_copy_reads_the_other_streams_along() {
        let film = film("mpeg2video", 1, 90_000);
        let call = Invocation::film_copy("mpegts", &url(0), &film, &[0, 2]);
        insta::assert_snapshot!("film_copy", lines(&call));
    }

    #[test]
    fn a_copy_of_h264_keeps_its_messages_apart() {
        let film = film("h264", 1001, 30_000);
        let call = Invocation::film_copy("avi", &file("/films/a.avi"), &film, &[]);
        insta::assert_snapshot!("film_copy_h264", lines(&call));
    }
}
