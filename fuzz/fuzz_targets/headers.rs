//! Headers and lines of HTTP requests: ranges at the server and at the worker, digests, names, lines of options.
//!
//! The first byte says which, the next two how long the file is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segenc_server::fuzzing as server;
use segenc_worker::fuzzing as worker;

fuzz_target!(|input: &[u8]| {
    let [kind, high, low, rest @ ..] = input else { return };
    let size = u64::from(u16::from_be_bytes([*high, *low]));
    match kind % 4 {
        0 => {
            let (range, if_range) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(at) => (&rest[..at], &rest[at + 1..]),
                None => (rest, &[][..]),
            };
            if let Some((first, last)) = server::range(range, if_range, size) {
                assert!(first <= last && last < size);
            }
            let Ok(text) = str::from_utf8(range) else { return };
            if let Some(part) = worker::range(text, size) {
                assert!(
                    part.start < part.end && part.end <= size,
                    "{text:?} of {size} is {part:?}"
                );
            }
        }
        1 => {
            let Ok(text) = str::from_utf8(rest) else { return };
            if let Some(digest) = server::digest(text) {
                assert_eq!(digest.len(), 64);
                assert!(digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
            }
        }
        2 => {
            if let Some(name) = server::upload_name(rest) {
                assert!(!name.is_empty() && !name.contains(['/', '\\', '\0', '\n']));
                let disposition = server::disposition(&name);
                assert!(disposition.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            }
        }
        _ => {
            let Ok(text) = str::from_utf8(rest) else { return };
            let _ = server::words(text);
        }
    }
});
