//! The call that looks at a few pictures of the film for a change of scene.
//!
//! Must not know how its lines are read.

use segenc_core::plan::Look;
use segenc_core::time::{PtsRange, Timebase};

use super::segment::{timebase, trim};
use super::{Invocation, Program, seconds};
use crate::attempt::MediaInput;

/// So small, and without colours, that only decoding takes time; reckoned alike on every machine.
const SMALL: &str = "scale=160:90:flags=area+accurate_rnd+bitexact,format=gray";

/// Compares each picture with the one before (`lavfi.scd.mafd`, the mean difference in hundredths of the largest
/// one) and that difference with the one before (`lavfi.scd.score`), and prints both. The threshold is of no
/// importance here.
const COMPARE: &str = "scdet=t=100,metadata=mode=print:file=-";

/// A look is short: more threads would mostly be started for nothing, and several looks go on at once.
const THREADS: &str = "2";

impl Invocation {
    /// Compares the pictures of a look.
    pub(crate) fn scene(
        demuxer: &str,
        film: &MediaInput,
        stream: u32,
        ticks: Timebase,
        look: &Look,
    ) -> Self {
        let mut call = Self { program: Program::Ffmpeg, args: Vec::new() };
        call.words(&["-nostdin", "-hide_banner", "-nostats", "-y", "-v", "error"]);
        call.words(&["-copyts", "-noaccurate_seek"]);
        if let Some(micros) = look.seek_micros {
            call.words(&["-seek_timestamp", "1", "-ss", &seconds(micros)]);
        }
        call.words(&["-threads", THREADS]);
        call.input(demuxer, film);
        let range = PtsRange { start: Some(look.from), end: Some(look.until.saturating_add(1)) };
        let mut chain = vec![format!("settb={}", timebase(ticks))];
        chain.extend(trim(range, 0));
        chain.extend([SMALL.to_owned(), COMPARE.to_owned()]);
        call.option("-map", format!("0:{stream}"));
        call.option("-vf", chain.join(","));
        call.words(&["-fps_mode", "passthrough", "-f", "null", "-"]);
        call
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::sample::{file, film, lines};

    #[test]
    fn a_look_decodes_from_the_keyframe_before_and_keeps_its_pictures() {
        let look = Look { from: 216_000, until: 234_000, seek_micros: Some(2_400_000) };
        let call =
            Invocation::scene("matroska,webm", &file("/films/a.mkv"), 0, film().timebase, &look);
        insta::assert_snapshot!("scene", lines(&call));
    }
}
