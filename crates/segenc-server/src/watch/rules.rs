//! A watch folder's settings, read and found right, and what they say of a file or a film. Touches no disk.

use glob::{MatchOptions, Pattern};
use segenc_core::naming::{OUTPUT_WORDS, OutputName, Template};
use segenc_core::source::{SourceFacts, StreamKind};
use segenc_core::spec::VideoSpec;
use segenc_proto::rest::{PresetView, WatchFolder};

use crate::config::SpecParser;

/// The longest name of a folder: it stands in tables and addresses.
const NAME_MAX: usize = 64;
/// Patterns and codecs beyond this are a mistake.
const LIST_MAX: usize = 200;
/// A network file system may show a file's size late, and nobody waits longer than a day.
const SETTLE_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Looking oftener costs a disk's rest.
const EVERY_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Open jobs of one folder: more only make the list of jobs long.
const JOBS: std::ops::RangeInclusive<u32> = 1..=1_000;

/// Endings of files that are taken where nothing else is said.
const ENDINGS: [&str; 24] = [
    "3gp", "asf", "avi", "divx", "dv", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg",
    "mts", "mxf", "nut", "ogm", "ogv", "rm", "ts", "vob", "webm", "wmv", "y4m",
];
/// Endings of files that other programs have not finished.
const UNFINISHED: [&str; 6] = ["part", "partial", "tmp", "crdownload", "download", "!qb"];

/// Names on disks that people do not tell apart by case.
const ANY_CASE: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// Settings that are right.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) settings: WatchFolder,
    /// The options of preset and folder together.
    pub(crate) args: Vec<String>,
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    template: Template,
    encoder: Option<String>,
}

impl Rules {
    /// Reads settings, or says what is wrong with them.
    pub(crate) fn read(
        settings: WatchFolder,
        presets: &[PresetView],
        parse: SpecParser,
    ) -> Result<Self, String> {
        check_numbers(&settings)?;
        let args = all_args(&settings, presets)?;
        let output = format!("output.{}", settings.container);
        let spec = parse(&args, Some(&settings.container), &output)
            .map_err(|refusal| format!("{} ({})", refusal.message, refusal.reason))?;
        let template = Template::parse(&settings.template, OUTPUT_WORDS)
            .map_err(|error| format!("the template is wrong: {error}"))?;
        let encoder = match spec.video {
            VideoSpec::Encode(video) => Some(video.encoder),
            VideoSpec::Copy | VideoSpec::Drop => None,
        };
        let include = patterns(&settings.include)?;
        let exclude = patterns(&settings.exclude)?;
        let rules = Self { settings, args, include, exclude, template, encoder };
        rules.output_name("", "film.mkv")?;
        Ok(rules)
    }

    /// Whether a file of this name is a film for this folder.
    pub(crate) fn takes(&self, name: &str) -> bool {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let ending = ending.unwrap_or_default();
        if name.starts_with('.') || UNFINISHED.contains(&ending.as_str()) {
            return false;
        }
        let fits =
            |patterns: &[Pattern]| patterns.iter().any(|one| one.matches_with(name, ANY_CASE));
        let included = if self.include.is_empty() {
            ENDINGS.contains(&ending.as_str())
        } else {
            fits(&self.include)
        };
        included && !fits(&self.exclude)
    }

    /// Why a file of this size is left as it is.
    pub(crate) fn skips_size(&self, size: u64) -> Option<String> {
        let least = self.settings.skip_smaller_than;
        (size < least).then(|| format!("it has {size} bytes, fewer than {least}"))
    }

    /// Whether what is in a film decides whether it is encoded.
    pub(crate) fn needs_facts(&self) -> bool {
        !self.settings.skip_codecs.is_empty() || self.settings.skip_height_below > 0
    }

    /// Why a film is left as it is.
    pub(crate) fn skips_film(&self, facts: &SourceFacts) -> Option<String> {
        let film = facts
            .streams
            .iter()
            .find(|stream| stream.kind == StreamKind::Video && !stream.attached_picture())?;
        let codec = plain_codec(&film.codec);
        if self.settings.skip_codecs.iter().any(|skipped| plain_codec(skipped) == codec) {
            return Some(format!("it is {} already", film.codec));
        }
        let height = film.video.as_ref()?.height;
        let least = self.settings.skip_height_below;
        (height < least).then(|| format!("it has {height} lines, fewer than {least}"))
    }

    /// The name of a source's result below the output folder.
    pub(crate) fn output_name(&self, dir: &str, source: &str) -> Result<String, String> {
        let name = OutputName {
            dir,
            source,
            ext: &self.settings.container,
            preset: self.settings.preset.as_deref(),
            encoder: self.encoder.as_deref(),
        };
        name.fill(&self.template).map_err(|error| error.to_string())
    }
}

fn check_numbers(settings: &WatchFolder) -> Result<(), String> {
    let good =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let name = &settings.name;
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(good) {
        return Err(format!(
            "a name is 1 to {NAME_MAX} lower-case letters, digits and dashes, not `{name}`"
        ));
    }
    let ending = &settings.container;
    if ending.is_empty() || !ending.chars().all(|letter| letter.is_ascii_alphanumeric()) {
        return Err(format!("container is an ending such as mkv, not `{ending}`"));
    }
    let within = |what: &str, number: u64, range: std::ops::RangeInclusive<u64>| {
        let told = || format!("{what} is {} to {}, not {number}", range.start(), range.end());
        if range.contains(&number) { Ok(()) } else { Err(told()) }
    };
    within("settle_seconds", settings.settle_seconds, SETTLE_SECONDS)?;
    within("every_seconds", settings.every_seconds, EVERY_SECONDS)?;
    let jobs = u64::from(*JOBS.start())..=u64::from(*JOBS.end());
    within("jobs_max", u64::from(settings.jobs_max), jobs)?;
    let lists = [&settings.include, &settings.exclude, &settings.skip_codecs];
    if lists.iter().any(|list| list.len() > LIST_MAX) {
        return Err(format!("a list has more than {LIST_MAX} entries"));
    }
    Ok(())
}

fn all_args(settings: &WatchFolder, presets: &[PresetView]) -> Result<Vec<String>, String> {
    let mut args = match &settings.preset {
        None => Vec::new(),
        Some(name) => {
            let found = presets.iter().find(|preset| preset.name == *name);
            found.ok_or_else(|| format!("there is no preset `{name}`"))?.args.clone()
        }
    };
    args.extend(settings.args.iter().cloned());
    Ok(args)
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, String> {
    let read = |text: &String| {
        Pattern::new(text).map_err(|error| format!("the pattern `{text}` is wrong: {error}"))
    };
    texts.iter().map(read).collect()
}

/// Codecs by one name each: people know some of them by several.
fn plain_codec(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "h265" | "h.265" | "x265" => "hevc".to_owned(),
        "avc" | "h.264" | "x264" => "h264".to_owned(),
        "mpeg2" => "mpeg2video".to_owned(),
        "divx" | "xvid" => "mpeg4".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use segenc_core::source::{StreamFacts, VideoFacts};
    use segenc_core::time::Timebase;

    use super::*;

    pub(crate) fn settings() -> WatchFolder {
        serde_json::from_value(serde_json::json!({
            "name": "films", "path": "/films", "output": "/done"
        }))
        .expect("these are settings")
    }

    fn read(settings: WatchFolder) -> Result<Rules, String> {
        Rules::read(settings, &[], |_, _, _| {
            Ok(serde_json::from_value(serde_json::json!({
                "container": "matroska", "args": [], "maps": [],
                "video": {"do": "encode", "encoder": "libx265", "options": [], "filter": null},
                "codecs": [], "stream_options": [], "mux_options": [], "dropped_kinds": [],
                "split": {"policy": "segments", "run_up": 0, "run_out": 0},
                "verify": "full", "segment_seconds": null
            }))
            .expect("this is a wish"))
        })
    }

    fn film(codec: &str, height: u32) -> SourceFacts {
        let video = serde_json::from_value::<VideoFacts>(serde_json::json!({
            "width": 320, "height": height, "pixel_format": "yuv420p", "field_order": "",
            "average_rate": null, "real_rate": null, "color_transfer": "", "has_b_frames": 0
        }));
        SourceFacts {
            demuxer: "matroska,webm".to_owned(),
            start_micros: 0,
            duration_micros: None,
            size: 1,
            streams: vec![StreamFacts {
                index: 0,
                kind: StreamKind::Video,
                codec: codec.to_owned(),
                timebase: Timebase::new(1, 1000).expect("a timebase"),
                language: None,
                title: None,
                dispositions: Vec::new(),
                video: Some(video.expect("these are facts")),
            }],
            chapters: 0,
        }
    }

    #[test]
    fn films_are_taken_and_what_is_unfinished_is_not() {
        let rules = read(settings()).expect("they are right");
        for name in ["a.mkv", "B.MP4", "a.b.m2ts"] {
            assert!(rules.takes(name), "{name}");
        }
        for name in [".a.mkv", "a.mkv.part", "a.txt", "mkv", "a.tmp"] {
            assert!(!rules.takes(name), "{name}");
        }
        let own = WatchFolder {
            include: vec!["*.y4m".to_owned(), "s*.mkv".to_owned()],
            exclude: vec!["*sample*".to_owned()],
            ..settings()
        };
        let rules = read(own).expect("they are right");
        assert!(rules.takes("Star.mkv") && rules.takes("x.y4m"));
        assert!(!rules.takes("a.mkv") && !rules.takes("star-Sample.mkv"));
    }

    #[test]
    fn rules_say_why_a_film_is_left_as_it_is() {
        let own = WatchFolder {
            skip_codecs: vec!["AV1".to_owned(), "h265".to_owned()],
            skip_height_below: 720,
            skip_smaller_than: 10,
            ..settings()
        };
        let rules = read(own).expect("they are right");
        assert!(rules.needs_facts());
        assert_eq!(rules.skips_film(&film("hevc", 2160)).as_deref(), Some("it is hevc already"));
        assert!(rules.skips_film(&film("h264", 576)).is_some_and(|why| why.contains("576")));
        assert_eq!(rules.skips_film(&film("h264", 720)), None);
        assert!(rules.skips_size(9).is_some() && rules.skips_size(10).is_none());
    }

    #[test]
    fn what_is_wrong_with_settings_is_said() {
        let wrong = |change: fn(&mut WatchFolder)| {
            let mut settings = settings();
            change(&mut settings);
            read(settings).expect_err("they are wrong")
        };
        assert!(wrong(|it| it.name = "My films".to_owned()).contains("My films"));
        assert!(wrong(|it| it.template = "{title}".to_owned()).contains("{title}"));
        assert!(wrong(|it| it.template = "../{name}".to_owned()).contains("stay"));
        assert!(wrong(|it| it.preset = Some("nice".to_owned())).contains("nice"));
        assert!(wrong(|it| it.include = vec!["[".to_owned()]).contains("pattern"));
        assert!(wrong(|it| it.settle_seconds = 0).contains("settle_seconds"));
        assert!(wrong(|it| it.container = "m/kv".to_owned()).contains("m/kv"));
    }

    #[test]
    fn results_are_named_by_the_template() {
        let own = WatchFolder { template: "{codec}/{dir}/{name}.{ext}".to_owned(), ..settings() };
        let rules = read(own).expect("they are right");
        assert_eq!(rules.output_name("a/b", "film.avi").as_deref(), Ok("hevc/a/b/film.mkv"));
    }
}
