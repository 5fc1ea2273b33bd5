//! Many films with one command: patterns become files, a template names the results.
//!
//! On this computer one film after the other, which keeps all processors busy; on a farm some at a time.

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use futures_util::stream;
use segenc_core::naming::{OUTPUT_WORDS, OutputName, Template};
use segenc_core::spec::VideoSpec;

use crate::arguments::{Encode, Voice};
use crate::halt::{Halt, LastWords};
use crate::interrupt::Interrupts;
use crate::wiring::own_spec;
use crate::{places, terminal};

/// Films at the same time on a farm: while one is sent or fetched, others are encoded.
const FILMS_ON_FARM: usize = 4;
/// Films of one command; more are a mistake in a pattern.
const FILMS_MAX: usize = 10_000;

/// A film and where its result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    input: PathBuf,
    output: PathBuf,
}

/// How it went.
#[derive(Debug, Default)]
struct Tally {
    made: usize,
    there: usize,
    failed: usize,
}

/// Encodes all films of a command. What exists already is left alone, so the same command goes on after a break.
pub(super) async fn run(
    flags: Encode,
    folder: &Path,
    voice: Voice,
    interrupts: &Interrupts,
) -> anyhow::Result<()> {
    let pairs = pairs(&flags, folder)?;
    let together = if flags.connection.named_server().is_some() { FILMS_ON_FARM } else { 1 };
    // Bars of several films would write over each other.
    let own_voice =
        if together > 1 && !voice.json { Voice { quiet: true, ..voice } } else { voice };
    let count = pairs.len();
    let mut tally = Tally::default();
    let mut films = stream::iter(pairs.into_iter().enumerate().map(|(number, pair)| {
        let flags = &flags;
        async move {
            let place = format!("{} of {count}", number + 1);
            if !flags.overwrite && pair.output.exists() {
                return (place, pair, None);
            }
            begin(&place, &pair, voice);
            let flags = Encode { place: Some(place.clone()), ..flags.clone() };
            let ended = one(&flags, &pair, own_voice, interrupts).await;
            (place, pair, Some(ended))
        }
    }))
    .buffer_unordered(together);
    while let Some((place, pair, ended)) = films.next().await {
        let how = match ended {
            None => How::There,
            Some(Ok(())) => How::Made,
            Some(Err(error)) => {
                if let Some(halt) = interruption(&error) {
                    return Err(halt.into());
                }
                How::Failed(LastWords::from(&error))
            }
        };
        tally.note(&how);
        tell(&place, &pair, &how, voice);
    }
    end(&tally, voice)
}

/// How one film went.
enum How {
    Made,
    There,
    Failed(LastWords),
}

impl Tally {
    fn note(&mut self, how: &How) {
        match how {
            How::Made => self.made += 1,
            How::There => self.there += 1,
            How::Failed(_) => self.failed += 1,
        }
    }
}

fn begin(place: &str, pair: &Pair, voice: Voice) {
    if voice.json {
        film_line(place, pair, "begun", None);
    } else if !voice.quiet {
        terminal::say(&format!("{place}: {}", pair.input.display()));
    }
}

fn tell(place: &str, pair: &Pair, how: &How, voice: Voice) {
    if voice.json {
        return match how {
            How::Made => film_line(place, pair, "encoded", None),
            How::There => film_line(place, pair, "there", None),
            How::Failed(words) => film_line(place, pair, "failed", Some(words)),
        };
    }
    match how {
        // That was said with all figures.
        How::Made => {}
        How::There if voice.quiet => {}
        How::There => {
            terminal::say(&format!("{place}: {} is there already", pair.output.display()));
        }
        How::Failed(words) => {
            let reason = words.reason.as_ref().map(|reason| format!(" [{reason}]"));
            let reason = reason.unwrap_or_default();
            let film = pair.input.display();
            terminal::say(&format!("{place}: {film} failed{reason}: {}", words.message));
            if let Some(hint) = &words.hint {
                terminal::say(&format!("hint: {hint}"));
            }
        }
    }
}

fn film_line(place: &str, pair: &Pair, state: &str, words: Option<&LastWords>) {
    let line = serde_json::json!({
        "event": "film",
        "place": place,
        "input": pair.input,
        "output": pair.output,
        "state": state,
        "reason": words.and_then(|words| words.reason.as_ref()),
        "message": words.map(|words| &words.message),
        "hint": words.and_then(|words| words.hint.as_ref()),
    });
    terminal::result(&line.to_string());
}

async fn one(
    flags: &Encode,
    pair: &Pair,
    voice: Voice,
    interrupts: &Interrupts,
) -> anyhow::Result<()> {
    if let Some(folder) = pair.output.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            Halt::failed(format!("making {} failed: {error}", folder.display()))
        })?;
    }
    let flags = Encode { input: pair.input.clone(), output: pair.output.clone(), ..flags.clone() };
    super::encode(flags, voice, interrupts).await
}

/// Whoever presses Ctrl-C wants no further film.
fn interruption(error: &anyhow::Error) -> Option<Halt> {
    let halt = error.downcast_ref::<Halt>()?;
    halt.is_interruption().then(|| {
        Halt::new(crate::halt::Exit::Interrupted, "stopped; the same command goes on where it was")
    })
}

fn end(tally: &Tally, voice: Voice) -> anyhow::Result<()> {
    let Tally { made, there, failed } = tally;
    let told = format!("{made} encoded, {there} there already, {failed} failed");
    if voice.json {
        let line = serde_json::json!({
            "event": "batch", "encoded": made, "there": there, "failed": failed
        });
        terminal::result(&line.to_string());
    } else if !voice.quiet {
        terminal::say(&told);
    }
    if *failed > 0 {
        return Err(Halt::failed(format!("not all films could be encoded: {told}")).into());
    }
    Ok(())
}

/// Every film with its result's place.
fn pairs(flags: &Encode, folder: &Path) -> Result<Vec<Pair>, Halt> {
    let wrong = |why: &dyn std::fmt::Display| Halt::usage(format!("--name is wrong: {why}"));
    let template = Template::parse(&flags.name, OUTPUT_WORDS).map_err(|error| wrong(&error))?;
    let spec = own_spec(&flags.options, Some(&flags.container), "")?;
    let encoder = match &spec.video {
        VideoSpec::Encode(video) => Some(video.encoder.as_str()),
        VideoSpec::Copy | VideoSpec::Drop => None,
    };
    let mut pairs: Vec<Pair> = Vec::new();
    for (input, dir) in films(&flags.files)? {
        let source = places::name_of(&input);
        let name = OutputName {
            dir: &dir,
            source: &source,
            ext: &flags.container,
            preset: flags.preset.as_deref(),
            encoder,
        };
        let name = name.fill(&template).map_err(|error| wrong(&error))?;
        let output = folder.join(name);
        if let Some(rival) = pairs.iter().find(|pair| pair.output == output && pair.input != input)
        {
            return Err(Halt::usage(format!(
                "{} and {} would both become {}",
                rival.input.display(),
                input.display(),
                output.display()
            ))
            .hint("a --name with {dir} in it keeps them apart"));
        }
        if pairs.iter().all(|pair| pair.input != input) {
            pairs.push(Pair { input, output });
        }
        if pairs.len() > FILMS_MAX {
            return Err(Halt::usage(format!("more than {FILMS_MAX} films in one command")));
        }
    }
    Ok(pairs)
}

/// The files that words and patterns name, each with its folder below the pattern's fixed part.
fn films(words: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Halt> {
    let mut films = Vec::new();
    for word in words {
        let text = word.to_str().filter(|text| text.contains(['*', '?', '[']));
        let Some(pattern) = text.filter(|_| !word.exists()) else {
            films.push((word.clone(), String::new()));
            continue;
        };
        let found = glob::glob(pattern)
            .map_err(|error| Halt::usage(format!("the pattern {pattern} is wrong: {error}")))?;
        let fixed = fixed_part(pattern);
        let before = films.len();
        for path in found.flatten().filter(|path| path.is_file()) {
            let below = path.strip_prefix(&fixed).unwrap_or(&path).parent();
            let dir = below.and_then(Path::to_str).unwrap_or_default().replace('\\', "/");
            films.push((path, dir));
        }
        if films.len() == before {
            return Err(
                Halt::usage(format!("no file is named like {pattern}")).reason("source-missing")
            );
        }
    }
    Ok(films)
}

/// The folders in front of a pattern's first wildcard.
fn fixed_part(pattern: &str) -> PathBuf {
    let wild = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let end = pattern[..wild].rfind(['/', '\\']).map_or(0, |slash| slash + 1);
    PathBuf::from(&pattern[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_films_with_their_folders() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let top = dir.path();
        std::fs::create_dir_all(top.join("a/b")).expect("folder");
        for name in ["1.mkv", "a/2.mkv", "a/b/3.mkv", "a/note.txt"] {
            std::fs::write(top.join(name), b"film").expect("file");
        }
        let found = |pattern: &str| {
            let films = films(&[top.join(pattern)]).expect("there are some");
            let short = |(path, dir): (PathBuf, String)| (dir, places::name_of(&path));
            films.into_iter().map(short).collect::<Vec<_>>()
        };
        let pair = |dir: &str, name: &str| (dir.to_owned(), name.to_owned());
        let all = [pair("", "1.mkv"), pair("a", "2.mkv"), pair("a/b", "3.mkv")];
        assert_eq!(found("**/*.mkv"), all);
        assert_eq!(found("a/*.mkv"), [pair("", "2.mkv")]);
        assert!(films(&[top.join("*.avi")]).is_err());
    }
}
