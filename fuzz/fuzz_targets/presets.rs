//! Files of presets: HandBrake's JSON and our own TOML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segenc_media::options;
use segenc_media::presets::{from_handbrake, parse, with_built_in, write};

fuzz_target!(|text: &str| {
    if let Ok(imported) = from_handbrake(text) {
        for one in &imported {
            let _ = options::parse(&one.preset.args, Some(&one.container), None);
        }
    }
    if let Ok(presets) = parse(text) {
        let _ = with_built_in(presets.clone());
        let text = write(presets.clone()).expect("what was read can be written");
        assert_eq!(parse(&text).as_ref(), Ok(&presets));
    }
});
