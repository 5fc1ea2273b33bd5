//! `segenc presets`, and what `--preset` stands for: the built-in presets and the user's own.

use std::fmt::Write as _;
use std::path::Path;

use segenc_media::presets::{self, Preset};

use crate::arguments::{Presets, PresetsVerb, Voice};
use crate::halt::Halt;
use crate::{places, table, terminal};

/// Runs the command.
pub(crate) fn run(flags: Presets, voice: Voice) -> anyhow::Result<()> {
    match flags.verb.unwrap_or(PresetsVerb::List) {
        PresetsVerb::List => list(voice),
        PresetsVerb::Show { name } => show(&name, voice),
    }
}

/// The options of a preset with the user's own after them, which win.
pub(crate) fn expand(name: Option<&str>, own: Vec<String>) -> anyhow::Result<Vec<String>> {
    let Some(name) = name else { return Ok(own) };
    let mut args = named(name)?.args;
    args.extend(own);
    Ok(args)
}

/// The built-in ones and the user's own.
pub(crate) fn all() -> anyhow::Result<Vec<Preset>> {
    let path = places::presets_file()?;
    let own = match std::fs::read_to_string(&path) {
        Ok(text) => presets::parse(&text).map_err(|error| wrong_file(&path, &error.to_string()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(wrong_file(&path, &error.to_string()).into()),
    };
    Ok(presets::with_built_in(own))
}

fn wrong_file(path: &Path, why: &str) -> Halt {
    Halt::usage(format!("the presets in {} cannot be used: {why}", path.display()))
        .reason("presets-wrong")
        .hint("a preset is a [[preset]] table with name, title, about and args, a list of words")
}

fn named(name: &str) -> anyhow::Result<Preset> {
    let all = all()?;
    let names: Vec<&str> = all.iter().map(|preset| preset.name.as_str()).collect();
    let unknown = format!("there is no preset `{name}`");
    let hint = format!("there are {}; `segenc presets` lists them", names.join(", "));
    let found = all.iter().find(|preset| preset.name == name).cloned();
    Ok(found.ok_or_else(|| Halt::usage(unknown).reason("preset-unknown").hint(hint))?)
}

fn list(voice: Voice) -> anyhow::Result<()> {
    let all = all()?;
    if voice.json {
        for preset in &all {
            terminal::result(&serde_json::to_string(preset)?);
        }
        return Ok(());
    }
    let row = |preset: Preset| [preset.name, preset.title, preset.about];
    let rows: Vec<[String; 3]> = all.into_iter().map(row).collect();
    table::print(["NAME", "TITLE", "ABOUT"], &rows);
    Ok(())
}

fn show(name: &str, voice: Voice) -> anyhow::Result<()> {
    let preset = named(name)?;
    if voice.json {
        terminal::result(&serde_json::to_string(&preset)?);
        return Ok(());
    }
    let mut text = format!("{}: {}\n{}\n\n", preset.name, preset.title, preset.about);
    let words: Vec<String> = preset.args.iter().map(|word| quoted(word)).collect();
    // Writing to a String cannot fail.
    let _ = write!(text, "segenc encode INPUT OUTPUT -- {}", words.join(" "));
    terminal::result(&text);
    Ok(())
}

/// As a shell would want it.
fn quoted(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_:.,=+/".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
}
