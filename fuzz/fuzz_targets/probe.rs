//! Everything that ffmpeg and ffprobe print: facts, packets, progress, logs, lists. A hostile source chooses much of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segenc_media::fuzzing;

fuzz_target!(|text: &str| {
    let mut letters = text.chars();
    let kind = letters.next();
    let rest = letters.as_str();
    match kind {
        Some('f') => {
            if let Some(facts) = fuzzing::facts(rest) {
                assert!(!facts.streams.is_empty());
            }
        }
        Some('p') => {
            let _ = fuzzing::packet_lines(rest);
        }
        Some('m') => fuzzing::made_file(rest),
        Some('h') => fuzzing::header(rest),
        Some('l') => fuzzing::log(rest),
        Some('v') => fuzzing::lists(rest),
        _ => fuzzing::numbers(rest),
    }
});
