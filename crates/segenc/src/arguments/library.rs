//! The command line's shape for whole libraries: presets, watch folders, notifications.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Connection;
use super::encoding::size;

/// List the presets, show one, or take one over from HandBrake.
///
/// Own presets stand in `presets.toml` in the user's folder for settings, or in the file that SEGENC_PRESETS
/// names: `[[preset]]` tables with `name`, `title`, `about` and `args`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Presets {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub(crate) verb: Option<PresetsVerb>,
}

/// What to do with presets.
#[derive(Debug, Subcommand)]
pub(crate) enum PresetsVerb {
    /// List all.
    List,
    /// Show one with its options.
    Show {
        /// Its name.
        name: String,
    },
    /// Take presets over from a file that HandBrake has exported.
    ///
    /// What cannot be taken over is named. The presets are added to your own ones.
    Import {
        /// HandBrake's JSON file.
        file: PathBuf,
        /// Replace own presets of the same name.
        #[arg(long)]
        overwrite: bool,
        /// Only show what would be taken over.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Look at the watch folders of a server and steer them: folders whose films are encoded as they come.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// What to do; lists the watch folders if nothing is said.
    #[command(subcommand)]
    pub(crate) verb: Option<WatchVerb>,
    /// Which server.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// The states that a file of a watch folder can be in, as the server names them.
const FILE_STATES: [&str; 5] = ["queued", "done", "skipped", "failed", "canceled"];

/// What to do with watch folders.
#[derive(Debug, Subcommand)]
pub(crate) enum WatchVerb {
    /// List all watch folders.
    List,
    /// Show a watch folder with its rules.
    Show {
        /// Its name.
        #[arg(value_parser = name)]
        name: String,
    },
    /// Watch a folder of the server.
    #[command(after_help = "Example:\n  segenc watch add incoming --path /srv/films/incoming \
        --output /srv/films/done --preset small-av1 --skip-codecs av1,hevc --only-if-smaller")]
    Add {
        /// A name for it: lower-case letters, digits and dashes.
        #[arg(value_parser = name)]
        name: String,
        /// The folder that is looked at, by its absolute path on the server, inside a media root.
        #[arg(long, value_name = "DIR")]
        path: String,
        /// The folder where results go, by its absolute path on the server, inside a media root.
        #[arg(long, value_name = "DIR")]
        output: String,
        /// What is taken and made.
        #[command(flatten)]
        rules: Box<WatchRules>,
        /// ffmpeg output options; they come after those of the preset and win.
        #[arg(last = true, value_name = "FFMPEG OPTIONS")]
        options: Vec<String>,
    },
    /// Change the rules of a watch folder. What is not said stays as it is.
    Change {
        /// Its name.
        #[arg(value_parser = name)]
        name: String,
        /// The folder that is looked at.
        #[arg(long, value_name = "DIR")]
        path: Option<String>,
        /// The folder where results go.
        #[arg(long, value_name = "DIR")]
        output: Option<String>,
        /// What is taken and made.
        #[command(flatten)]
        rules: Box<WatchRules>,
        /// Take its ffmpeg output options away.
        #[arg(long, conflicts_with = "options")]
        no_options: bool,
        /// ffmpeg output options in the place of those it has.
        #[arg(last = true, value_name = "FFMPEG OPTIONS")]
        options: Vec<String>,
    },
    /// Look into watch folders no more for a while; open jobs go on.
    Pause {
        /// Their names.
        #[arg(required = true, value_parser = name)]
        names: Vec<String>,
    },
    /// Look into paused watch folders again.
    Resume {
        /// Their names.
        #[arg(required = true, value_parser = name)]
        names: Vec<String>,
    },
    /// Look into watch folders now.
    Scan {
        /// Their names.
        #[arg(required = true, value_parser = name)]
        names: Vec<String>,
    },
    /// Try the files again that failed.
    Retry {
        /// The watch folders' names.
        #[arg(required = true, value_parser = name)]
        names: Vec<String>,
    },
    /// List what became of the files of a watch folder, and why.
    Files {
        /// Its name.
        #[arg(value_parser = name)]
        name: String,
        /// Only those in this state.
        #[arg(long, value_parser = FILE_STATES)]
        state: Option<String>,
    },
    /// Watch folders no more, and forget what became of their files; their jobs and all files stay.
    Remove {
        /// Their names.
        #[arg(required = true, value_parser = name)]
        names: Vec<String>,
    },
}

/// The rules of a watch folder. What is not said is the server's default, or stays as it is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WatchRules {
    /// A preset of the server; an empty one takes it away.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Container of results by its usual extension, which {ext} stands for. [default: mkv]
    #[arg(long, value_name = "EXT")]
    pub(crate) container: Option<String>,
    /// How results are named: {dir}, {name}, {ext}, {preset}, {codec}, {encoder}. [default: {dir}/{name}.{ext}]
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) template: Option<String>,
    /// Whether folders inside are looked at, too. [default: true]
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub(crate) recursive: Option<bool>,
    /// Patterns of file names that are taken, such as `*.mkv,*.mp4`. [default: the usual endings of films]
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) include: Option<Vec<String>>,
    /// Patterns of file names that are left alone.
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) exclude: Option<Vec<String>>,
    /// Films in these codecs are left as they are, such as `av1,hevc`.
    #[arg(long, value_name = "CODECS", value_delimiter = ',')]
    pub(crate) skip_codecs: Option<Vec<String>>,
    /// Films with fewer lines are left as they are; 0: none.
    #[arg(long, value_name = "LINES")]
    pub(crate) skip_height_below: Option<u32>,
    /// Smaller files are left as they are, such as `50M`; 0: none.
    #[arg(long, value_name = "SIZE", value_parser = size_or_nothing)]
    pub(crate) skip_smaller_than: Option<u64>,
    /// Throw a result away that is not smaller than its source. [default: no]
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no, num_args = 0..=1, default_missing_value = "yes")]
    pub(crate) only_if_smaller: Option<bool>,
    /// What becomes of a source whose result is there and verified. [default: keep]
    #[arg(long, value_enum)]
    pub(crate) after: Option<AfterFlag>,
    /// A file has to be unchanged for so many seconds before it is taken. [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) settle_seconds: Option<u64>,
    /// How often the folder is looked at. [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) every_seconds: Option<u64>,
    /// Open jobs of this folder at a time; the other files wait. [default: 8]
    #[arg(long, value_name = "N")]
    pub(crate) jobs_max: Option<u32>,
    /// Priority of its jobs; higher goes first. [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) priority: Option<i32>,
}

/// What becomes of a source whose result is there and verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AfterFlag {
    /// It stays where it is.
    Keep,
    /// It is moved to `.segenc-trash` of its media root; nothing is ever deleted.
    Trash,
}

/// Say who is told of what happens on a server: by webhook or by e-mail.
#[derive(Debug, Args)]
pub(crate) struct Notifications {
    /// What to do; lists who is told if nothing is said.
    #[command(subcommand)]
    pub(crate) verb: Option<NotificationsVerb>,
    /// Which server.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// The events that somebody can be told of, as the server names them.
const EVENTS: [&str; 5] =
    ["job-completed", "job-failed", "job-skipped", "no-workers", "worker-taken-out"];

/// What to do with notifications.
#[derive(Debug, Subcommand)]
pub(crate) enum NotificationsVerb {
    /// List who is told of what. Secrets and the paths of webhooks are never shown.
    List,
    /// Tell somebody from now on.
    #[command(
        group(clap::ArgGroup::new("how").required(true).args(["webhook", "mail"])),
        after_help = "Examples:\n  segenc notifications add --webhook @hook-address --secret @hook-secret --test\n  \
        segenc notifications add --mail me@example.org --event job-failed,no-workers"
    )]
    Add {
        /// Tell this address by HTTP, or @FILE to read it from a file: it often is a password itself.
        #[arg(long, value_name = "URL|@FILE")]
        webhook: Option<String>,
        /// Sign what the webhook is told with this secret, or @FILE to read it from a file.
        #[arg(long, value_name = "SECRET|@FILE", conflicts_with = "mail")]
        secret: Option<String>,
        /// Tell these addresses by e-mail; the server's settings file names the mail server.
        #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
        mail: Vec<String>,
        /// Of what; of everything if nothing is said.
        #[arg(long = "event", value_name = "EVENTS", value_delimiter = ',', value_parser = EVENTS)]
        events: Vec<String>,
        /// Only of this job.
        #[arg(long, value_name = "ID")]
        job: Option<u64>,
        /// How the text is worded: {event}, {job}, {name}, {state}, {reason}, {message}, {worker}, {output}, {size}.
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Name for people.
        #[arg(long, value_name = "NAME")]
        label: Option<String>,
        /// Send a test at once; exit code 1 if it does not arrive. The notification is kept all the same.
        #[arg(long)]
        test: bool,
    },
    /// Send a test; exit code 1 if it does not arrive.
    Test {
        /// Their ids.
        #[arg(required = true, value_parser = name)]
        ids: Vec<String>,
    },
    /// Tell somebody no more.
    Remove {
        /// Their ids.
        #[arg(required = true, value_parser = name)]
        ids: Vec<String>,
    },
}

/// A name that is one step of an address, whatever a server allows in it.
fn name(text: &str) -> Result<String, String> {
    let good = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if !text.is_empty() && text.chars().all(good) {
        Ok(text.to_owned())
    } else {
        Err("a name is letters, digits and dashes".to_owned())
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

fn size_or_nothing(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { size(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_place_in_an_address() {
        assert_eq!(name("films-4k"), Ok("films-4k".to_owned()));
        for bad in ["", "..", "a/b", "a?b", "a b", "%2e"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
