//! `segenc presets`, and what `--preset` stands for: the built-in presets and the user's own.

use std::fmt::Write as _;
use std::path::Path;

use segenc_media::options;
use segenc_media::presets::{self, Imported, Preset};

use crate::arguments::{Presets, PresetsVerb, Voice};
use crate::halt::Halt;
use crate::{places, table, terminal};

/// Runs the command.
pub(crate) fn run(flags: Presets, voice: Voice) -> anyhow::Result<()> {
    match flags.verb.unwrap_or(PresetsVerb::List) {
        PresetsVerb::List => list(voice),
        PresetsVerb::Show { name } => show(&name, voice),
        PresetsVerb::Import { file, overwrite, dry_run } => {
            let found = read_handbrake(&file)?;
            found.iter().for_each(|one| tell(one, voice));
            if dry_run { Ok(()) } else { keep(found, overwrite, voice) }
        }
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
    Ok(presets::with_built_in(own(&places::presets_file()?)?))
}

/// The user's own.
fn own(path: &Path) -> anyhow::Result<Vec<Preset>> {
    Ok(match std::fs::read_to_string(path) {
        Ok(text) => presets::parse(&text).map_err(|error| wrong_file(path, &error.to_string()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(wrong_file(path, &error.to_string()).into()),
    })
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

/// Reads HandBrake's file and looks whether its options are honoured here.
fn read_handbrake(file: &Path) -> anyhow::Result<Vec<Imported>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Halt::usage(format!("reading {} failed: {error}", file.display())))?;
    let mut found = presets::from_handbrake(&text).map_err(|error| {
        Halt::usage(format!("{} cannot be taken over: {error}", file.display()))
            .hint("in HandBrake: Presets, Export to file")
    })?;
    for one in &mut found {
        let parsed = options::parse(&one.preset.args, Some(&one.container), None);
        if let Err(error) = parsed {
            one.left_out.push(format!("refused as it stands: {}", error.message));
        }
    }
    Ok(found)
}

fn tell(one: &Imported, voice: Voice) {
    if voice.json {
        let line = serde_json::json!({
            "preset": one.preset, "container": one.container, "left_out": one.left_out
        });
        return terminal::result(&line.to_string());
    }
    let words: Vec<String> = one.preset.args.iter().map(|word| quoted(word)).collect();
    terminal::result(&format!("{}  (.{})  {}", one.preset.name, one.container, words.join(" ")));
    for left_out in &one.left_out {
        terminal::result(&format!("    not taken over: {left_out}"));
    }
}

/// Adds presets to the user's own.
fn keep(found: Vec<Imported>, overwrite: bool, voice: Voice) -> anyhow::Result<()> {
    let path = places::presets_file()?;
    let mut own = own(&path)?;
    let taken = found.iter().find(|one| own.iter().any(|kept| kept.name == one.preset.name));
    if let Some(taken) = taken.filter(|_| !overwrite) {
        let name = &taken.preset.name;
        return Err(Halt::usage(format!("there is an own preset `{name}` already"))
            .hint("--overwrite replaces it")
            .into());
    }
    own.retain(|kept| found.iter().all(|one| one.preset.name != kept.name));
    let count = found.len();
    own.extend(found.into_iter().map(|one| one.preset));
    let text = presets::write(own).map_err(|error| wrong_file(&path, &error.to_string()))?;
    // Nobody could read again what is not right.
    presets::parse(&text).map_err(|error| wrong_file(&path, &error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed =
        |error: std::io::Error| Halt::failed(format!("writing {} failed: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut staged = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut staged, text.as_bytes()).map_err(failed)?;
    staged.persist(&path).map_err(|error| failed(error.error))?;
    if !voice.quiet && !voice.json {
        terminal::say(&format!("{count} taken over into {}", path.display()));
    }
    Ok(())
}

/// As a shell would want it.
pub(super) fn quoted(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_:.,=+/".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
}
