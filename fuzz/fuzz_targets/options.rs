//! Words of options become a job's wish. One word a line; the first two lines are container and output name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segenc_media::options::{aim_at_file_size, parse, parse_filter_chain};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut named = || lines.next().filter(|line| !line.is_empty());
    let (container, output) = (named(), named());
    let words: Vec<String> = lines.map(str::to_owned).collect();
    for word in &words {
        let _ = parse_filter_chain(word);
    }
    match parse(&words, container, output) {
        Ok(spec) => {
            // The wish is read once more from what is kept of it.
            if let Ok(sized) = aim_at_file_size(&spec, 700_000_000) {
                assert_eq!(sized.args, spec.args);
                assert_eq!(sized.container, spec.container);
                assert_eq!(sized.maps, spec.maps);
                assert_eq!(sized.codecs, spec.codecs);
                assert_eq!(sized.stream_options, spec.stream_options);
                assert_eq!(sized.mux_options, spec.mux_options);
                assert_eq!(sized.dropped_kinds, spec.dropped_kinds);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
