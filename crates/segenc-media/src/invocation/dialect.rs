//! What ffmpeg's versions say with different words. Invocations are written in the words of the oldest one.

use std::ffi::OsStr;

use super::Invocation;
use crate::tools::FfmpegVersion;

/// From here on "the source's timebase" is `demux`, which FFmpeg 6.1 brought in. FFmpeg 7.1 still takes the number `-1`
/// that 5.1 wants; 9.0 does not.
const SAYS_DEMUX: (u32, u32) = (7, 0);

impl Invocation {
    /// The same call as this version understands it. A version without a number is taken to be new.
    pub(crate) fn in_the_words_of(&self, version: &FfmpegVersion) -> Self {
        let mut spoken = self.clone();
        if version.number.is_none_or(|number| number >= SAYS_DEMUX) {
            let mut before = None::<&OsStr>;
            for (word, said) in self.args.iter().zip(&mut spoken.args) {
                if word == "-1" && before.is_some_and(|before| before == "-enc_time_base") {
                    *said = "demux".into();
                }
                before = Some(word);
            }
        }
        spoken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Program;

    fn said(number: Option<(u32, u32)>) -> String {
        let words = ["-map_chapters", "-1", "-enc_time_base", "-1", "-enc_time_base:a", "1:25"];
        let args = words.map(Into::into).to_vec();
        let version = FfmpegVersion { text: String::new(), number };
        Invocation { program: Program::Ffmpeg, args }.in_the_words_of(&version).to_string()
    }

    #[test]
    fn the_sources_timebase_has_another_name_in_new_versions() {
        let old = "-map_chapters -1 -enc_time_base -1 -enc_time_base:a 1:25";
        let new = "-map_chapters -1 -enc_time_base demux -enc_time_base:a 1:25";
        assert_eq!([said(Some((5, 1))), said(Some((6, 1)))], [old, old]);
        assert_eq!([said(Some((7, 0))), said(Some((9, 0))), said(None)], [new, new, new]);
    }
}
