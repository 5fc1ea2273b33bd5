//! Reads the end of ffmpeg's log for the reason of a failure, and says what follows from it.
//!
//! The texts are those of FFmpeg 5.1 and later. Must not know invocations.

use segenc_core::failure::{Failure, FailureKind};

use crate::runner::Exit;

/// What is being read while a program fails: a complaint about data is about that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The source: nobody will read it better.
    Source,
    /// Something that a worker made.
    Made,
}

/// A text in the log and what it means.
struct Sign {
    texts: &'static [&'static str],
    kind: FailureKind,
    reason: &'static str,
    message: &'static str,
}

const fn sign(
    kind: FailureKind,
    reason: &'static str,
    message: &'static str,
    texts: &'static [&'static str],
) -> Sign {
    Sign { texts, kind, reason, message }
}

/// What the system says of a disk without room.
const DISK_FULL: &[&str] =
    &["No space left on device", "Disk quota exceeded", "Disc quota exceeded"];

/// What ffmpeg says of an output whose end is missing.
const UNFINISHED: &[&str] = &["Error writing trailer", "Error closing file"];

/// Whether the output is not whole although the program ended well: FFmpeg 5.1 exits with 0 where only the last
/// write failed, which for a small file is all of it.
pub(crate) fn is_cut_short(log: &str) -> bool {
    DISK_FULL.iter().chain(UNFINISHED).any(|text| log.contains(text))
}

/// Said of encoders and filters.
const REFUSED: &str = "the encoder or a filter refused its options";

/// The first that fits wins: what lies outside of the task comes before what lies in it, since a full disk
/// or a broken connection makes ffmpeg complain about data as well.
const SIGNS: &[Sign] = &[
    sign(FailureKind::Worker, "disk-full", "the disk of the worker is full", DISK_FULL),
    sign(
        FailureKind::Worker,
        "out-of-memory",
        "the worker has not enough memory",
        &["Cannot allocate memory", "Out of memory", "out of memory"],
    ),
    sign(
        FailureKind::Transient,
        "input-interrupted",
        "the connection to the input broke",
        &[
            "Connection refused",
            "Connection reset",
            "Connection timed out",
            "Server returned 4",
            "Server returned 5",
            "HTTP error",
            "Stream ends prematurely",
            "Broken pipe",
            "Network is unreachable",
            "Error in the pull function",
        ],
    ),
    sign(
        FailureKind::Task,
        "odd-size",
        "the encoder takes even widths and heights only; add a filter such as -vf pad=ceil(iw/2)*2:ceil(ih/2)*2 \
         or crop=trunc(iw/2)*2:trunc(ih/2)*2",
        &[
            "not divisible by 2",
            "width must be even",
            "height must be even",
            "must be multiple of 2",
            "Source Width must be even",
            "Source Height must be even",
        ],
    ),
    sign(
        FailureKind::Task,
        "encoder-refused",
        REFUSED,
        &["Error while opening encoder", "Could not open encoder"],
    ),
    sign(
        FailureKind::Task,
        "container-refuses-codec",
        "the output's container cannot hold one of the streams; choose another container or codec",
        &[
            "codec not currently supported in container",
            "Could not find tag for codec",
            "are supported for WebM",
            "are supported for Matroska",
            "incorrect codec parameters",
            "codec not supported in",
            "Could not write header",
        ],
    ),
    sign(
        FailureKind::Worker,
        "encoder-missing",
        "the worker's ffmpeg does not have the encoder or filter",
        &["Unknown encoder", "No such filter", "Encoder not found"],
    ),
    sign(
        FailureKind::Task,
        "encoder-refused",
        REFUSED,
        &[
            "Error initializing output stream",
            "Unrecognized option",
            "Error setting option",
            "Error parsing",
            "Unable to parse option",
            "Undefined constant",
            "Error reinitializing filters",
            "Error initializing filter",
            "Error while filtering",
            "Failed to inject frame into filter network",
            "Option not found",
            "Conversion failed",
            "Invalid encoder type",
        ],
    ),
    sign(
        FailureKind::Task,
        "source-is-a-playlist",
        "the source is no media file but a playlist, a script or something else that could make ffmpeg open \
         other files",
        &["Format not on whitelist"],
    ),
];

/// What is not there, or on a disk that cannot be read. After the signs of unreadable data: of a file that ends in its
/// header ffmpeg says "Input/output error", too.
const MISSING: Sign = sign(
    FailureKind::Worker,
    "input-missing",
    "a file that the task needs is not there",
    &["No such file or directory", "Permission denied", "Input/output error"],
);

/// The reason where the log says nothing that is known.
const UNKNOWN: &str = "ffmpeg-failed";

/// Signs that the data itself cannot be read.
const UNREADABLE: &[&str] = &[
    "File ended prematurely",
    "moov atom not found",
    "Invalid data found",
    "could not find codec parameters",
    "Could not find codec parameters",
    "does not contain any stream",
    "End of file",
    "matches no streams",
    "Output file is empty",
    "EBML header parsing failed",
    "Format not on whitelist",
];

/// How many lines of the log go into the message.
const QUOTED_LINES: usize = 2;

/// The most of a line that is quoted: names of files may be long.
const QUOTED_CHARS: usize = 300;

/// Makes a failure of an exit and the end of a log.
pub(crate) fn failure(what: &str, exit: Exit, log_tail: String, reading: Reading) -> Failure {
    let has = |texts: &[&str]| texts.iter().any(|text| log_tail.contains(text));
    let (kind, reason, message) = match exit {
        Exit::Signal(signal) => {
            (FailureKind::Transient, "killed", format!("the program was killed by signal {signal}"))
        }
        Exit::Code(code) => match SIGNS.iter().find(|sign| has(sign.texts)) {
            Some(sign) => (sign.kind, sign.reason, sign.message.to_owned()),
            None if has(UNREADABLE) => match reading {
                Reading::Source => (
                    FailureKind::Task,
                    "source-unreadable",
                    "the source cannot be read as media".to_owned(),
                ),
                Reading::Made => (
                    FailureKind::Mismatch,
                    "part-unreadable",
                    "what a worker made cannot be read".to_owned(),
                ),
            },
            None if has(MISSING.texts) => {
                (MISSING.kind, MISSING.reason, MISSING.message.to_owned())
            }
            None => {
                (FailureKind::Transient, UNKNOWN, format!("the program exited with code {code}"))
            }
        },
    };
    let said = last_lines(&log_tail);
    let message = if said.is_empty() {
        format!("{what}: {message}")
    } else {
        format!("{what}: {message} (ffmpeg said: {said})")
    };
    Failure { kind, reason: reason.to_owned(), message, log_tail }
}

/// Whether the same call would fail in the same way again, anywhere, for all that is known: it was neither killed nor
/// cut off, and the worker had what it takes.
pub(crate) fn comes_again(failure: &Failure) -> bool {
    match failure.kind {
        FailureKind::Task | FailureKind::Mismatch => true,
        FailureKind::Transient => failure.reason == UNKNOWN,
        FailureKind::Worker => false,
    }
}

/// What decoders say of damaged pictures. What they make of them depends on how many threads decode, and on
/// where decoding began.
const DAMAGED: &[&str] = &[
    "error while decoding",
    "Error while decoding",
    "Error submitting packet to decoder",
    "corrupt",
    "concealing",
    "damaged",
];

/// The first line of a log that tells of a damaged picture.
pub(crate) fn damage(log: &str) -> Option<&str> {
    log.lines().find(|line| DAMAGED.iter().any(|text| line.contains(text)))
}

/// What libraries say that tells nothing of a film: libgcrypt, where memory cannot be locked, as in some containers.
const OF_LIBRARIES: &[&str] = &["Warning: using insecure memory!"];

/// The log without what decoders of these names say, by ffmpeg's mark `[name @ address]`, and without what libraries
/// say of the system.
pub(crate) fn without_decoders(log: &str, names: &[String]) -> String {
    let mut before = false;
    let mut said_by_one = |line: &str| {
        // Stands for the line above it, once more.
        if line.trim_start().starts_with("Last message repeated") {
            return before;
        }
        if OF_LIBRARIES.contains(&line.trim()) {
            before = true;
            return before;
        }
        let mark = line.strip_prefix('[').and_then(|rest| rest.split_once(" @ "));
        // A decoder may be called after its codec with something behind it, such as `mp3float`.
        before = mark.is_some_and(|(who, _)| names.iter().any(|name| who.starts_with(name)));
        before
    };
    log.lines().filter(|line| !said_by_one(line)).collect::<Vec<_>>().join("\n")
}

/// The last lines that say something, as one.
pub(crate) fn last_lines(log: &str) -> String {
    let mut lines: Vec<&str> = log
        .lines()
        .rev()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(QUOTED_LINES)
        .collect();
    lines.reverse();
    let cut = |line: &str| {
        let line = without_address(line);
        line.chars().filter(|c| !c.is_control()).take(QUOTED_CHARS).collect::<String>()
    };
    lines.into_iter().map(cut).collect::<Vec<_>>().join("; ")
}

/// A line without the address in ffmpeg's mark `[name @ 0x55a9]`: it is another one each time.
fn without_address(line: &str) -> String {
    match line.split_once(" @ 0x") {
        Some((name, rest)) if name.starts_with('[') => {
            format!("{name}{}", rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
        }
        Some(_) | None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_ends_in_its_header_is_unreadable_and_not_missing() {
        let log = "[matroska,webm @ 0x55a9a560d940] File ended prematurely at pos. 300 (0x12c)\n\
            file:/films/cut.mkv: Input/output error";
        let failure = failure("reading", Exit::Code(1), log.to_owned(), Reading::Source);
        assert_eq!(failure.reason, "source-unreadable");
        assert!(failure.message.contains("[matroska,webm] File ended"), "{}", failure.message);
        let log = "file:/films/a.mkv: Input/output error";
        assert_eq!(reason(log, Reading::Source).1, "input-missing");
    }

    fn reason(log: &str, reading: Reading) -> (FailureKind, String) {
        let failure = failure("encoding", Exit::Code(1), log.to_owned(), reading);
        (failure.kind, failure.reason)
    }

    #[test]
    fn causes_outside_of_the_task_win_over_their_consequences() {
        let log = "av_interleaved_write_frame(): No space left on device\nConversion failed!";
        assert_eq!(reason(log, Reading::Source), (FailureKind::Worker, "disk-full".to_owned()));
        let log =
            "[http @ 0x1] Stream ends prematurely at 12\nInvalid data found when processing input";
        assert_eq!(
            reason(log, Reading::Source),
            (FailureKind::Transient, "input-interrupted".to_owned())
        );
    }

    #[test]
    fn a_good_exit_after_a_failed_last_write_is_none() {
        let log = "Error writing trailer of segment.nut: No space left on device";
        assert!(is_cut_short(log));
        let failure = failure("encoding", Exit::Code(0), log.to_owned(), Reading::Source);
        assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Worker, "disk-full"));
        assert!(!is_cut_short("[libx264 @ 0x1] frame I:1"));
    }

    #[test]
    fn the_task_is_at_fault_where_nobody_could_do_it() {
        for (log, expected) in [
            (
                "[libx264 @ 0x1] width not divisible by 2 (321x180)\nError initializing output stream 0:0",
                "odd-size",
            ),
            (
                "[mpeg2video @ 0x1] MPEG-1/2 does not support 12800/1 fps\nError initializing output stream 0:0 -- Error while \
              opening encoder for output stream #0:0",
                "encoder-refused",
            ),
            ("Error setting option crf to value x.\nConversion failed!", "encoder-refused"),
            (
                "[webm @ 0x1] Only VP8 or VP9 or AV1 video and Vorbis or Opus audio and WebVTT subtitles are \
              supported for WebM.\nCould not write header",
                "container-refuses-codec",
            ),
            (
                "[mov @ 0x1] moov atom not found\na.mp4: Invalid data found when processing input",
                "source-unreadable",
            ),
            (
                "[hls @ 0x1] Format not on whitelist 'matroska'\na: Invalid argument",
                "source-is-a-playlist",
            ),
        ] {
            assert_eq!(
                reason(log, Reading::Source),
                (FailureKind::Task, expected.to_owned()),
                "{log}"
            );
        }
    }

    #[test]
    fn bad_data_in_a_part_is_no_fault_of_the_source() {
        let log = "Invalid data found when processing input";
        assert_eq!(
            reason(log, Reading::Made),
            (FailureKind::Mismatch, "part-unreadable".to_owned())
        );
    }

    #[test]
    fn a_signal_says_nothing_about_the_task() {
        let failure =
            failure("encoding", Exit::Signal(9), "Conversion failed!".to_owned(), Reading::Source);
        assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Transient, "killed"));
    }

    #[test]
    fn the_message_quotes_the_end_of_the_log() {
        let failure = failure(
            "encoding",
            Exit::Code(1),
            "one\n\n two\nthree\u{7}\n".to_owned(),
            Reading::Source,
        );
        assert_eq!(
            failure.message,
            "encoding: the program exited with code 1 (ffmpeg said: two; three)"
        );
    }

    #[test]
    fn damage_is_told_from_what_is_usual_after_a_seek() {
        let usual =
            "[h264 @ 0x1] mmco: unref short failure\n[hevc @ 0x1] Could not find ref with POC 12";
        assert_eq!(damage(usual), None);
        let line = "[h264 @ 0x1] error while decoding MB 18 6, bytestream 12";
        assert_eq!(damage(&format!("{usual}\n{line}")), Some(line));
    }

    #[test]
    fn complaints_of_other_decoders_are_left_out() {
        let again = "    Last message repeated 3 times";
        let other = "[ffv1 @ 0x2] read_quant_table error";
        let log = format!("[mp3float @ 0x1] Header missing\n{again}\n{other}\n{again}\nno mark");
        let left = without_decoders(&log, &["mp3".to_owned()]);
        assert_eq!(left, format!("{other}\n{again}\nno mark"));
        assert_eq!(without_decoders("Warning: using insecure memory!", &[]), "");
    }
}
