//! `segenc watch`: the watch folders of a server, and the verbs for them.

use reqwest::Method;
use segenc_proto::rest::{After, WatchFolder, WatchFolderView, WatchedFileView};

use super::jobs::moment;
use super::presets::quoted;
use super::turn::Turn;
use crate::api::{Api, ApiError};
use crate::arguments::{AfterFlag, Voice, Watch, WatchRules, WatchVerb};
use crate::halt::Halt;
use crate::quantities::bytes;
use crate::{places, table, terminal};

/// Runs the command.
pub(crate) async fn run(flags: Watch, voice: Voice) -> anyhow::Result<()> {
    let api = places::api(&flags.connection)?;
    let asked = Asked { api: &api, voice };
    match flags.verb.unwrap_or(WatchVerb::List) {
        WatchVerb::List => asked.list().await,
        WatchVerb::Show { name } => asked.show(&name).await,
        WatchVerb::Add { name, path, output, rules, options } => {
            asked.add(&name, path, output, &rules, options).await
        }
        WatchVerb::Change { name, path, output, rules, no_options, options } => {
            let changed = |mut folder: WatchFolder| {
                folder.path = path.unwrap_or(folder.path);
                folder.output = output.unwrap_or(folder.output);
                if no_options || !options.is_empty() {
                    folder.args = options;
                }
                ruled(folder, &rules)
            };
            asked.change(&name, changed).await
        }
        WatchVerb::Pause { names } => asked.enable(&names, Looked::NoMore).await,
        WatchVerb::Resume { names } => asked.enable(&names, Looked::Again).await,
        WatchVerb::Scan { names } => asked.each(&names, Method::POST, "scan", "is looked at").await,
        WatchVerb::Retry { names } => {
            asked.each(&names, Method::POST, "retry", "tries again what failed").await
        }
        WatchVerb::Files { name, state } => asked.files(&name, state).await,
        WatchVerb::Remove { names } => {
            asked.each(&names, Method::DELETE, "", "is watched no more").await
        }
    }
}

/// Whether a folder is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    Again,
    NoMore,
}

struct Asked<'a> {
    api: &'a Api,
    voice: Voice,
}

impl Asked<'_> {
    async fn all(&self) -> Result<Vec<WatchFolderView>, ApiError> {
        self.api.get("/api/watch-folders").await
    }

    async fn find(&self, name: &str) -> anyhow::Result<WatchFolderView> {
        let mut all = self.all().await?;
        let Some(position) = all.iter().position(|view| view.settings.name == name) else {
            let names: Vec<&str> = all.iter().map(|view| view.settings.name.as_str()).collect();
            let hint = match names.as_slice() {
                [] => "there is none yet; `segenc watch add` makes one".to_owned(),
                names => format!("there are {}", names.join(", ")),
            };
            let halt = Halt::usage(format!("there is no watch folder {name}"));
            return Err(halt.reason("not-found").hint(hint).into());
        };
        Ok(all.swap_remove(position))
    }

    async fn list(&self) -> anyhow::Result<()> {
        let all = self.all().await?;
        if self.voice.json {
            for folder in &all {
                terminal::result(&serde_json::to_string(folder)?);
            }
            return Ok(());
        }
        if all.is_empty() {
            terminal::say("no folder is watched; `segenc watch add` adds one");
            return Ok(());
        }
        let rows: Vec<[String; 8]> = all.iter().map(row).collect();
        table::print(
            ["NAME", "STATE", "WAITING", "QUEUED", "DONE", "SKIPPED", "FAILED", "PATH"],
            &rows,
        );
        for folder in all.iter().filter(|_| !self.voice.quiet) {
            if let Some(trouble) = &folder.trouble {
                terminal::say(&format!("{}: {trouble}", folder.settings.name));
            }
        }
        Ok(())
    }

    async fn show(&self, name: &str) -> anyhow::Result<()> {
        let folder = self.find(name).await?;
        self.tell(&folder)
    }

    fn tell(&self, folder: &WatchFolderView) -> anyhow::Result<()> {
        if self.voice.json {
            terminal::result(&serde_json::to_string(folder)?);
        } else {
            lines(folder).iter().for_each(|line| terminal::result(line));
        }
        Ok(())
    }

    async fn add(
        &self,
        name: &str,
        path: String,
        output: String,
        rules: &WatchRules,
        args: Vec<String>,
    ) -> anyhow::Result<()> {
        // PUT would replace it, and with it rules that somebody has thought about.
        if self.all().await?.iter().any(|view| view.settings.name == name) {
            let halt = Halt::usage(format!("there is a watch folder {name} already"));
            let hint = format!("choose another name, or change it: `segenc watch change {name}`");
            return Err(halt.hint(hint).into());
        }
        let plain = serde_json::json!({ "path": path, "output": output, "args": args });
        // What is not said is as the interface has it.
        let folder: WatchFolder = serde_json::from_value(plain)?;
        self.put(name, &ruled(folder, rules)).await
    }

    async fn change(
        &self,
        name: &str,
        change: impl FnOnce(WatchFolder) -> WatchFolder,
    ) -> anyhow::Result<()> {
        let folder = self.find(name).await?;
        self.put(name, &change(folder.settings)).await
    }

    async fn put(&self, name: &str, folder: &WatchFolder) -> anyhow::Result<()> {
        let view: WatchFolderView =
            self.api.put(&format!("/api/watch-folders/{name}"), folder).await?;
        if self.voice.quiet && !self.voice.json {
            return Ok(());
        }
        self.tell(&view)
    }

    async fn enable(&self, names: &[String], looked: Looked) -> anyhow::Result<()> {
        let mut turn = Turn::default();
        for name in names {
            let mut folder = self.find(name).await?.settings;
            folder.enabled = looked == Looked::Again;
            let path = format!("/api/watch-folders/{name}");
            let told = self.api.put::<_, WatchFolderView>(&path, &folder).await.map(drop);
            turn.note(told, self.voice, || match looked {
                Looked::Again => format!("{name} is watched"),
                Looked::NoMore => format!("{name} is paused; its open jobs go on"),
            })?;
        }
        turn.end()
    }

    async fn each(
        &self,
        names: &[String],
        method: Method,
        verb: &str,
        done: &str,
    ) -> anyhow::Result<()> {
        let mut turn = Turn::default();
        for name in names {
            let path = format!("/api/watch-folders/{name}/{verb}");
            let told = self.api.tell(method.clone(), path.trim_end_matches('/')).await;
            turn.note(told, self.voice, || format!("{name} {done}"))?;
        }
        turn.end()
    }

    async fn files(&self, name: &str, state: Option<String>) -> anyhow::Result<()> {
        let folder = self.find(name).await?.settings.path;
        let query = state.map(|state| format!("state={state}")).unwrap_or_default();
        let path = format!("/api/watch-folders/{name}/files");
        let files: Vec<WatchedFileView> = self.api.list(&path, &query).await?;
        if self.voice.json {
            for file in &files {
                terminal::result(&serde_json::to_string(file)?);
            }
            return Ok(());
        }
        if files.is_empty() {
            terminal::say("no file of it is known yet");
            return Ok(());
        }
        let rows: Vec<[String; 5]> = files.iter().map(|file| file_row(file, &folder)).collect();
        table::print(["STATE", "JOB", "SIZE", "FILE", "REASON"], &rows);
        Ok(())
    }
}

/// The folder with what the flags say.
fn ruled(mut folder: WatchFolder, rules: &WatchRules) -> WatchFolder {
    let rules = rules.clone();
    // An empty list is said by an empty word.
    let words = |words: Vec<String>| -> Vec<String> {
        words.into_iter().filter(|word| !word.is_empty()).collect()
    };
    if let Some(preset) = rules.preset {
        folder.preset = Some(preset).filter(|preset| !preset.is_empty());
    }
    folder.container = rules.container.unwrap_or(folder.container);
    folder.template = rules.template.unwrap_or(folder.template);
    folder.recursive = rules.recursive.unwrap_or(folder.recursive);
    folder.include = rules.include.map(words).unwrap_or(folder.include);
    folder.exclude = rules.exclude.map(words).unwrap_or(folder.exclude);
    folder.skip_codecs = rules.skip_codecs.map(words).unwrap_or(folder.skip_codecs);
    folder.skip_height_below = rules.skip_height_below.unwrap_or(folder.skip_height_below);
    folder.skip_smaller_than = rules.skip_smaller_than.unwrap_or(folder.skip_smaller_than);
    folder.only_if_smaller = rules.only_if_smaller.unwrap_or(folder.only_if_smaller);
    folder.after = rules.after.map_or(folder.after, |after| match after {
        AfterFlag::Keep => After::Keep,
        AfterFlag::Trash => After::Trash,
    });
    folder.settle_seconds = rules.settle_seconds.unwrap_or(folder.settle_seconds);
    folder.every_seconds = rules.every_seconds.unwrap_or(folder.every_seconds);
    folder.jobs_max = rules.jobs_max.unwrap_or(folder.jobs_max);
    folder.priority = rules.priority.unwrap_or(folder.priority);
    folder
}

fn state(folder: &WatchFolderView) -> &'static str {
    match (folder.settings.enabled, &folder.trouble) {
        (false, _) => "paused",
        (true, Some(_)) => "trouble",
        (true, None) => "watching",
    }
}

fn row(folder: &WatchFolderView) -> [String; 8] {
    [
        folder.settings.name.clone(),
        state(folder).to_owned(),
        folder.waiting.to_string(),
        folder.queued.to_string(),
        folder.done.to_string(),
        folder.skipped.to_string(),
        folder.failed.to_string(),
        folder.settings.path.clone(),
    ]
}

/// Paths are told below the watched folder, so that the reason still fits.
fn file_row(file: &WatchedFileView, folder: &str) -> [String; 5] {
    let below = file.path.strip_prefix(folder).map(|path| path.trim_start_matches(['/', '\\']));
    [
        file.state.clone(),
        file.job.map(|job| job.to_string()).unwrap_or_default(),
        bytes(file.size),
        below.unwrap_or(&file.path).to_owned(),
        file.reason.clone().unwrap_or_default(),
    ]
}

/// All that is known of a folder; rules only where there are some.
fn lines(folder: &WatchFolderView) -> Vec<String> {
    let WatchFolderView { settings, fixed, trouble, scanned_at, .. } = folder;
    let mut lines = vec![format!(
        "{}  {}{}",
        settings.name,
        state(folder),
        if *fixed { "  (of the server's settings file)" } else { "" }
    )];
    let mut line = |name: &str, text: String| lines.push(format!("{name:<9}{text}"));
    line("path", settings.path.clone());
    line("output", format!("{}/{}", settings.output, settings.template));
    if let Some(preset) = &settings.preset {
        line("preset", preset.clone());
    }
    if !settings.args.is_empty() {
        let words: Vec<String> = settings.args.iter().map(|word| quoted(word)).collect();
        line("options", words.join(" "));
    }
    line("takes", taken(settings));
    let left = left_alone(settings);
    if !left.is_empty() {
        line("leaves", left.join("; "));
    }
    if settings.only_if_smaller {
        line("keeps", "only results that are smaller than their source".to_owned());
    }
    line(
        "sources",
        match settings.after {
            After::Keep => "stay".to_owned(),
            After::Trash => "go to the trash when their result is verified".to_owned(),
        },
    );
    line(
        "pace",
        format!(
            "every {} s, files unchanged for {} s, {} jobs at a time, priority {}",
            settings.every_seconds, settings.settle_seconds, settings.jobs_max, settings.priority
        ),
    );
    line(
        "files",
        format!(
            "{} waiting, {} queued, {} done, {} skipped, {} failed",
            folder.waiting, folder.queued, folder.done, folder.skipped, folder.failed
        ),
    );
    if let Some(scanned_at) = scanned_at {
        line("looked", moment(*scanned_at));
    }
    if let Some(trouble) = trouble {
        line("trouble", trouble.clone());
    }
    lines
}

fn taken(settings: &WatchFolder) -> String {
    let names = match settings.include.as_slice() {
        [] => "films".to_owned(),
        patterns => patterns.join(", "),
    };
    if settings.recursive { format!("{names}, in folders inside, too") } else { names }
}

fn left_alone(settings: &WatchFolder) -> Vec<String> {
    let mut left = Vec::new();
    if !settings.exclude.is_empty() {
        left.push(settings.exclude.join(", "));
    }
    if !settings.skip_codecs.is_empty() {
        left.push(format!("films in {}", settings.skip_codecs.join(", ")));
    }
    if settings.skip_height_below > 0 {
        left.push(format!("films of fewer than {} lines", settings.skip_height_below));
    }
    if settings.skip_smaller_than > 0 {
        left.push(format!("files below {}", bytes(settings.skip_smaller_than)));
    }
    left
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn rules(words: &[&str]) -> WatchRules {
        let words = ["segenc", "watch", "change", "films"].iter().chain(words);
        let parsed = Arguments::try_parse_from(words).expect("these are correct flags");
        match parsed.command {
            Command::Watch(Watch { verb: Some(WatchVerb::Change { rules, .. }), .. }) => *rules,
            _ => panic!("it says change"),
        }
    }

    fn folder() -> WatchFolder {
        let plain = serde_json::json!({ "path": "/a", "output": "/b", "preset": "small-av1" });
        serde_json::from_value(plain).expect("a folder")
    }

    #[test]
    fn what_is_not_said_stays_as_it_is() {
        assert_eq!(ruled(folder(), &rules(&[])), folder());
        let changed = ruled(folder(), &rules(&["--skip-codecs", "av1,hevc", "--priority", "-3"]));
        assert_eq!((changed.skip_codecs.len(), changed.priority), (2, -3));
        assert_eq!(changed.preset.as_deref(), Some("small-av1"));
    }

    #[test]
    fn what_is_set_can_be_taken_back() {
        let set = rules(&["--only-if-smaller", "--include", "*.mkv", "--skip-smaller-than", "50M"]);
        let set = ruled(folder(), &set);
        assert!(set.only_if_smaller && set.include == ["*.mkv"]);
        assert_eq!(set.skip_smaller_than, 50_000_000);
        let back = ["--only-if-smaller", "no", "--include", "", "--skip-smaller-than", "0"];
        let back = ruled(set, &rules(&back));
        assert_eq!(back, folder());
        assert_eq!(ruled(back, &rules(&["--preset", ""])).preset, None);
    }
}
