//! Presets: ffmpeg options under a name. The built-in ones, and files of the user's own.
//!
//! Must not know where files lie.

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod handbrake;

pub use handbrake::{HandBrakeError, Imported, from_handbrake};

/// What is always there.
const BUILT_IN: &str = include_str!("presets/built-in.toml");

/// The longest name: it stands in tables and addresses.
const NAME_MAX: usize = 64;

/// The most presets in one file: a list that people read.
const PRESETS_MAX: usize = 1_000;

/// Options under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it is asked for by: lower-case letters, digits and dashes.
    pub name: String,
    /// For people: a few words.
    pub title: String,
    /// For people: a sentence.
    #[serde(default)]
    pub about: String,
    /// ffmpeg output options, one word each.
    pub args: Vec<String>,
}

/// Why a file of presets cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PresetError {
    /// It is no TOML, or has other keys than presets have.
    #[error("{0}")]
    Unreadable(String),
    /// A name with other characters than names have.
    #[error("the name `{0}` is not made of lower-case letters, digits and dashes")]
    Name(String),
    /// Two with one name.
    #[error("the name `{0}` stands there twice")]
    Twice(String),
    /// More than anybody reads.
    #[error("there are more than {PRESETS_MAX} presets")]
    TooMany,
    /// No options.
    #[error("the preset `{0}` has no args")]
    Empty(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    preset: Vec<Preset>,
}

/// The presets that every installation has.
#[must_use]
pub fn built_in() -> Vec<Preset> {
    parse(BUILT_IN).expect("the built-in presets are part of the program, and tested")
}

/// Reads a file of presets: `[[preset]]` tables with `name`, `title`, `about` and `args`.
///
/// # Errors
/// What is wrong with the file.
pub fn parse(text: &str) -> Result<Vec<Preset>, PresetError> {
    let File { preset: presets } = toml::from_str(text)
        .map_err(|error: toml::de::Error| PresetError::Unreadable(error.message().to_owned()))?;
    if presets.len() > PRESETS_MAX {
        return Err(PresetError::TooMany);
    }
    for (number, preset) in presets.iter().enumerate() {
        let good = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
        };
        if preset.name.is_empty() || preset.name.len() > NAME_MAX || !preset.name.chars().all(good)
        {
            return Err(PresetError::Name(preset.name.chars().take(NAME_MAX).collect()));
        }
        if presets.iter().take(number).any(|before| before.name == preset.name) {
            return Err(PresetError::Twice(preset.name.clone()));
        }
        if preset.args.is_empty() {
            return Err(PresetError::Empty(preset.name.clone()));
        }
    }
    Ok(presets)
}

/// The text of a file with these presets.
///
/// # Errors
/// When TOML cannot hold one of them.
pub fn write(presets: Vec<Preset>) -> Result<String, PresetError> {
    toml::to_string(&File { preset: presets })
        .map_err(|error| PresetError::Unreadable(error.to_string()))
}

/// Own presets and the built-in ones in one list by name; an own one hides the built-in one of its name.
#[must_use]
pub fn with_built_in(own: Vec<Preset>) -> Vec<Preset> {
    let mut all = own;
    for preset in built_in() {
        if all.iter().all(|one| one.name != preset.name) {
            all.push(preset);
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[cfg(test)]
mod tests {
    use segenc_core::spec::VideoSpec;

    use super::*;
    use crate::options;

    fn containers(preset: &Preset) -> &'static [&'static str] {
        // MP4 has no place for FFV1.
        if preset.name == "lossless" { &["mkv"] } else { &["mkv", "mp4"] }
    }

    #[test]
    fn every_built_in_preset_is_a_wish_that_is_honoured() {
        for preset in built_in() {
            for container in containers(&preset).iter().copied() {
                let parsed = options::parse(&preset.args, Some(container), None);
                assert!(parsed.is_ok(), "{} in {container}: {parsed:?}", preset.name);
            }
        }
    }

    #[test]
    fn what_a_user_adds_comes_after_the_preset_and_wins() {
        let preset = built_in().into_iter().find(|one| one.name == "h264").expect("it is there");
        let words = preset.args.into_iter().chain(["-crf".to_owned(), "30".to_owned()]);
        let spec =
            options::parse(&words.collect::<Vec<_>>(), Some("mkv"), None).expect("it is right");
        let VideoSpec::Encode(video) = spec.video else { panic!("it encodes") };
        let last = video.options.iter().rfind(|option| option.name == "crf");
        assert_eq!(last.and_then(|option| option.value.as_deref()), Some("30"));
    }

    #[test]
    fn an_own_preset_hides_the_built_in_one_of_its_name() {
        let own = "[[preset]]\nname = 'h264'\ntitle = 'mine'\nargs = ['-c:v', 'libx264']";
        let all = with_built_in(parse(own).expect("it is right"));
        let titles: Vec<&str> =
            all.iter().filter(|one| one.name == "h264").map(|one| one.title.as_str()).collect();
        assert_eq!(titles, ["mine"]);
        assert!(all.len() > 1);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let wrong = |text: &str| parse(text).expect_err("it is wrong").to_string();
        assert!(wrong("[[preset]]\nname = 'a'").contains("title"));
        assert!(wrong("[[preset]]\nname='A b'\ntitle=''\nargs=['-an']").contains("`A b`"));
        assert!(wrong("[[preset]]\nname='a'\ntitle=''\nargs=[]").contains("no args"));
        let twice = "[[preset]]\nname='a'\ntitle=''\nargs=['-an']\n".repeat(2);
        assert!(wrong(&twice).contains("twice"));
        assert!(wrong("presets = 1").contains("unknown"));
    }
}
