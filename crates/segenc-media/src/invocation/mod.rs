//! Calls of ffmpeg and ffprobe as pure data: a program and its arguments. One file for each kind.
//!
//! Must not start anything, and must not read files: everything comes from the work.

mod closing;
mod dialect;
mod holder;
mod light;
mod merge;
mod opening;
mod probe;
mod rate;
mod remux;
mod scene;
mod segment;
mod streams;
mod thumbnail;
mod told;
mod trial;
mod verify;

use std::ffi::OsString;
use std::fmt;

use segenc_core::spec::OutputOption;

use crate::attempt::MediaInput;
use crate::names;

pub(crate) use holder::Holder;
pub(crate) use light::{can_be_told_of_light, told_of_light};
pub(crate) use merge::{JOINED_NAME, Joined, PartFacts, SEGMENTS_NAME, list, list_after};
pub(crate) use rate::repeated;
pub(crate) use remux::{COPY_NAME, MESSAGES_NAME};
pub(crate) use segment::HEADER_NAME;
pub(crate) use streams::{ahead_seconds, output_name};
pub(crate) use thumbnail::THUMBNAIL_NAME;
pub(crate) use verify::Extent;

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// Makes files.
    Ffmpeg,
    /// Tells what is in them.
    Ffprobe,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// Of what.
    pub(crate) program: Program,
    /// With what.
    pub(crate) args: Vec<OsString>,
}

impl fmt::Display for Invocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&crate::runner::shown(&self.args))
    }
}

/// How much ffmpeg tells: what it could not do, and what it found odd.
const LOG_LEVEL: &str = "warning";

impl Invocation {
    /// A call of ffmpeg that makes something and reports its progress on stdout.
    fn ffmpeg() -> Self {
        Self::ffmpeg_at(LOG_LEVEL)
    }

    fn ffmpeg_at(level: &str) -> Self {
        let mut invocation = Self { program: Program::Ffmpeg, args: Vec::new() };
        invocation.words(&[
            "-nostdin",
            "-hide_banner",
            "-nostats",
            "-y",
            "-v",
            level,
            "-progress",
            "pipe:1",
        ]);
        invocation
    }

    fn ffprobe() -> Self {
        let mut invocation = Self { program: Program::Ffprobe, args: Vec::new() };
        invocation.words(&["-hide_banner", "-v", "error"]);
        invocation
    }

    /// Asks for the version.
    pub(crate) fn version(program: Program) -> Self {
        Self { program, args: vec!["-version".into()] }
    }

    /// Asks for the list of encoders.
    pub(crate) fn list_encoders() -> Self {
        let args = ["-nostdin", "-hide_banner", "-v", "error", "-encoders"];
        Self { program: Program::Ffmpeg, args: args.iter().map(OsString::from).collect() }
    }

    fn words(&mut self, words: &[&str]) {
        self.args.extend(words.iter().map(OsString::from));
    }

    fn word(&mut self, word: impl Into<OsString>) {
        self.args.push(word.into());
    }

    /// An option with its value.
    fn option(&mut self, name: &str, value: impl Into<OsString>) {
        self.word(name);
        self.word(value);
    }

    /// Options of the user, as given.
    fn user_options(&mut self, options: &[OutputOption]) {
        for option in options {
            self.word(format!("-{}", option.name));
            if let Some(value) = &option.value {
                self.word(value);
            }
        }
    }

    /// An input of which the demuxer is known. Only the one thing named can be opened.
    fn input(&mut self, demuxer: &str, input: &MediaInput) {
        self.protocols(input);
        self.option("-f", first_name(demuxer));
        self.option("-i", names::address(input));
    }

    /// The source as an input that is not read for all streams of the output, on the output's clock.
    fn part_of(&mut self, demuxer: &str, source: &MediaInput) {
        match against_correction(demuxer) {
            0 => {}
            micros => self.option("-itsoffset", seconds(micros)),
        }
        self.input(demuxer, source);
    }

    /// A list of segments as an input. Segments come from workers: they are one of these or nothing.
    fn segment_list(&mut self, name: &str) {
        self.words(&[
            "-protocol_whitelist",
            "file,http,tcp",
            "-format_whitelist",
            "concat,mov,nut",
        ]);
        self.words(&["-safe", "0", "-auto_convert", "0", "-f", "concat", "-i", name]);
    }

    fn protocols(&mut self, input: &MediaInput) {
        match input {
            MediaInput::File(_) => self.option("-protocol_whitelist", "file"),
            MediaInput::Url(_) => {
                self.option("-protocol_whitelist", "http,tcp");
                // The proxy answers ranges; one connection serves all of them.
                self.words(&["-seekable", "1", "-multiple_requests", "1"]);
            }
        }
    }
}

/// A demuxer may have many names (`mov,mp4,m4a`); each of them opens it.
fn first_name(demuxer: &str) -> &str {
    demuxer.split(',').next().unwrap_or(demuxer)
}

/// Formats whose clock may jump. When some of their streams are left out, and the offset of the input is just its
/// negated start time, ffmpeg (5.1, "Correcting start time") moves the rest to where the first of them begins: not
/// what it does when it makes the output in one go, with all of them.
const JUMPING: [&str; 4] = ["mpegts", "mpeg", "ogg", "wtv"];

/// To be added to the offset of an input that is not read for all streams of the output, in microseconds: then it is
/// not the start time, and nothing is moved. It is less than half a tick in all these formats.
fn against_correction(demuxer: &str) -> i64 {
    i64::from(JUMPING.contains(&first_name(demuxer)))
}

/// Microseconds as the decimal seconds that ffmpeg reads back without loss.
pub(crate) fn seconds(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
pub(crate) mod sample {
    //! Pieces for the snapshots of all invocations.

    use segenc_core::plan::{Film, Frames};
    use segenc_core::source::Rational;
    use segenc_core::spec::OutputOption;
    use segenc_core::time::Timebase;

    use super::Invocation;
    use crate::attempt::MediaInput;

    pub(crate) fn film() -> Film {
        let timebase = Timebase::new(1, 90_000).expect("both sides are above zero");
        Film {
            stream: 0,
            timebase,
            shift: 126_000,
            rate: Some(Rational { num: 30_000, den: 1001 }),
            mastering: None,
        }
    }

    pub(crate) fn frames(count: u64, first_pts: i64, last_pts: i64) -> Frames {
        Frames { count, first_pts, last_pts, pts_sha256: String::new() }
    }

    pub(crate) fn option(name: &str, value: &str) -> OutputOption {
        OutputOption { name: name.to_owned(), value: Some(value.to_owned()) }
    }

    pub(crate) fn file(name: &str) -> MediaInput {
        MediaInput::File(name.into())
    }

    pub(crate) fn url(number: u32) -> MediaInput {
        MediaInput::Url(format!("http://127.0.0.1:4000/input/{number}"))
    }

    /// One option with its value to a line, so that a changed word shows as a changed line.
    pub(crate) fn lines(invocation: &Invocation) -> String {
        let mut text = String::new();
        for arg in &invocation.args {
            let arg = arg.to_string_lossy();
            let option = arg.starts_with('-') && !arg.starts_with(|c: char| c.is_ascii_digit());
            let negative = arg.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
            text.push(if option && !negative { '\n' } else { ' ' });
            text.push_str(&arg);
        }
        text.trim_start().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_every_microsecond() {
        assert_eq!(seconds(0), "0.000000");
        assert_eq!(seconds(1_000_001), "1.000001");
        assert_eq!(seconds(-500_000), "-0.500000");
        assert_eq!(seconds(i64::MIN), "-9223372036854.775808");
    }

    #[test]
    fn a_start_time_is_not_corrected_where_streams_are_left_out() {
        assert_eq!(against_correction("mpegts"), 1);
        assert_eq!(against_correction("matroska,webm"), 0);
        let mut call = Invocation::ffmpeg();
        call.part_of("mpegts", &MediaInput::File("a.ts".into()));
        assert!(sample::lines(&call).contains("-itsoffset 0.000001"));
    }

    #[test]
    fn the_first_name_of_a_demuxer_opens_it() {
        assert_eq!(first_name("mov,mp4,m4a,3gp,3g2,mj2"), "mov");
        assert_eq!(first_name("matroska,webm"), "matroska");
        assert_eq!(first_name("nut"), "nut");
    }
}
