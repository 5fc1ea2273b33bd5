//! Templates of names: filled with whatever a file is called, they never lead out of their folder.
//!
//! Lines: template, folder, source, ending, preset.
#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use segenc_core::naming::{OUTPUT_WORDS, OutputName, Template};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (template, dir, source, ext, preset) = (line(), line(), line(), line(), line());
    let Ok(template) = Template::parse(template, OUTPUT_WORDS) else { return };
    let name = OutputName { dir, source, ext, preset: Some(preset), encoder: Some("libx264") };
    if let Ok(filled) = name.fill(&template) {
        let stays =
            Path::new(&filled).components().all(|part| matches!(part, Component::Normal(_)));
        assert!(stays && !filled.is_empty(), "{filled:?} leads out");
    }
});
