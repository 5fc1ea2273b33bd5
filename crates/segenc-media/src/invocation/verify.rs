//! The call that decodes a finished output to see that every frame can be decoded.
//!
//! Must not know what the complaints mean.

use super::Invocation;
use crate::attempt::MediaInput;

impl Invocation {
    /// Decodes these streams and stops at the first error. Whatever it writes to stderr is a complaint.
    pub(crate) fn decode(
        demuxer: &str,
        output: &MediaInput,
        streams: &[u32],
        extent: Extent,
    ) -> Self {
        let mut call = Self::ffmpeg_at("error");
        call.word("-xerror");
        match extent {
            Extent::All => {}
            Extent::FirstSeconds(seconds) => call.option("-t", seconds.to_string()),
        }
        call.input(demuxer, output);
        for stream in streams {
            call.option("-map", format!("0:{stream}"));
        }
        call.words(&["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"]);
        call
    }
}

/// How much of a file is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To its end.
    All,
    /// So many seconds from its beginning.
    FirstSeconds(u64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::sample::{file, lines};

    #[test]
    fn decoding_stops_at_the_first_error() {
        let call =
            Invocation::decode("matroska", &file("/scratch/output.mkv"), &[0, 2], Extent::All);
        insta::assert_snapshot!("decode", lines(&call));
    }
}
