//! What ffmpeg's versions say with different words. Invocations are written in the words of the oldest one.

use std::ffi::OsStr;

use super::Invocation;
use crate::tools::FfmpegVersion;

/// From here on "the source's timebase" is `demux`, which FFmpeg 6.1 brought in. FFmpeg 7.1 still takes the number `-1`
/// that 5.1 wants; 9.0 does not.
const SAYS_DEMUX: (u32, u32) = (7, 0);

/// From here on the length of each picture goes with it through the encoder to the muxer (seen in 7.0.2 and 9.0.2),
/// so that the last sample of an MP4 has its picture's. 5.1 leaves it to the muxer to guess.
const KNOWS_LENGTHS: (u32, u32) = (7, 0);

/// How lengths are told that old versions leave to the muxer, and how new ones are told the same.
const LENGTHS: (&str, &str) = (":duration=0*", ":duration=");

impl Invocation {
    /// The same call as this version understands it. A version without a number is taken to be new.
    pub(crate) fn in_the_words_of(&self, version: &FfmpegVersion) -> Self {
        let since = |first| version.number.is_none_or(|number| number >= first);
        let mut spoken = self.clone();
        let mut before = OsStr::new("");
        for (word, said) in self.args.iter().zip(&mut spoken.args) {
            let option = before.to_string_lossy();
            if since(SAYS_DEMUX) && option == "-enc_time_base" && word == "-1" {
                *said = "demux".into();
            }
            if since(KNOWS_LENGTHS)
                && option.starts_with("-bsf:")
                && let Some((times, lengths)) =
                    word.to_str().and_then(|word| word.split_once(LENGTHS.0))
            {
                *said = format!("{times}{}{lengths}", LENGTHS.1).into();
            }
            before = word;
        }
        spoken
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::invocation::Program;

    fn said(number: Option<(u32, u32)>) -> String {
        let words = ["-map_chapters", "-1", "-enc_time_base", "-1", "-enc_time_base:a", "1:25"];
        let args = words.map(Into::into).to_vec();
        in_words_of(number, args)
    }

    fn in_words_of(number: Option<(u32, u32)>, args: Vec<OsString>) -> String {
        let version = FfmpegVersion { text: String::new(), number };
        Invocation { program: Program::Ffmpeg, args }.in_the_words_of(&version).to_string()
    }

    #[test]
    fn new_versions_keep_the_lengths_of_pictures() {
        let said = |number| {
            let words = [
                "-bsf:0",
                "setts=pts=PTS:duration=0*DURATION",
                "-metadata",
                "title=a:duration=0*b",
            ];
            in_words_of(number, words.map(Into::into).to_vec())
        };
        let old = "-bsf:0 setts=pts=PTS:duration=0*DURATION -metadata title=a:duration=0*b";
        let new = "-bsf:0 setts=pts=PTS:duration=DURATION -metadata title=a:duration=0*b";
        assert_eq!([said(Some((5, 1))), said(Some((6, 1)))], [old, old]);
        assert_eq!([said(Some((7, 0))), said(None)], [new, new]);
    }

    #[test]
    fn the_sources_timebase_has_another_name_in_new_versions() {
        let old = "-map_chapters -1 -enc_time_base -1 -enc_time_base:a 1:25";
        let new = "-map_chapters -1 -enc_time_base demux -enc_time_base:a 1:25";
        assert_eq!([said(Some((5, 1))), said(Some((6, 1)))], [old, old]);
        assert_eq!([said(Some((7, 0))), said(Some((9, 0))), said(None)], [new, new, new]);
    }
}
