//! The command line's shape and its help texts. Names here are promises.
//!
//! Knows nothing of what the commands do.

use clap::{Args, Parser, Subcommand};

mod encoding;
mod farm;
mod library;
mod steering;
mod upkeep;

pub(crate) use encoding::{Encode, Plan};
pub(crate) use farm::{LogFormat, Serve, WorkerFlags};
pub(crate) use library::{
    AfterFlag, Notifications, NotificationsVerb, Presets, PresetsVerb, Watch, WatchRules, WatchVerb,
};
pub(crate) use steering::{Jobs, JobsVerb, Top, Workers, WorkersVerb};
pub(crate) use upkeep::{Backup, Doctor, Restore};

/// One film, many computers, one exact file.
///
/// Cuts a film into segments, encodes them on all processors and computers that you give it, and joins
/// them into a file that is, frame for frame, what one ffmpeg would have made.
#[derive(Debug, Parser)]
#[command(name = "segenc", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done and verified, 1 job failed, 2 wrong usage or refused options, \
    3 server not reachable, 4 not authorised, 130 interrupted (the job is kept)."
)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How much is said.
    #[command(flatten)]
    pub(crate) voice: Voice,
}

/// How much is said, and in which form.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Voice {
    /// Say less: only errors and results.
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 600)]
    pub(crate) quiet: bool,
    /// Say more; twice for even more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 601)]
    pub(crate) verbose: u8,
    /// Print JSON objects, one a line, for programs; the last one is the result.
    #[arg(long, global = true, display_order = 602)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Encode a film: on this machine, or with --server on a farm.
    Encode(Encode),
    /// Run a server that gives work to workers.
    Serve(Serve),
    /// Run a worker that takes work from a server.
    Worker(WorkerFlags),
    /// Look at jobs on a server and steer them.
    Jobs(Jobs),
    /// Look at the workers of a server and steer them.
    Workers(Workers),
    /// Look at a server's watch folders and steer them.
    Watch(Watch),
    /// Say who is told of what happens on a server.
    Notifications(Notifications),
    /// List the presets, or show one: the names that `encode --preset` takes.
    Presets(Presets),
    /// Watch the whole farm: its jobs and workers, live.
    Top(Top),
    /// Print where a film would be cut, and why, without encoding anything.
    Plan(Plan),
    /// Look at everything that has to be right: ffmpeg, disk, clock, server; and say what to do.
    Doctor(Doctor),
    /// Write the state of a server of this machine into a file, while it runs.
    Backup(Backup),
    /// Make a server's data folder of a backup.
    Restore(Restore),
    /// Print a completion script for a shell.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual pages: `segenc man | man -l -`.
    Man,
}

/// Which server, and with what right.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    /// The server's URL as `segenc serve` prints it.
    #[arg(long, global = true, value_name = "URL", env = "SEGENC_SERVER", display_order = 500)]
    pub(crate) server: Option<String>,
    /// The token, or @FILE to read it from a file.
    #[arg(
        long,
        global = true,
        value_name = "TOKEN|@FILE",
        env = "SEGENC_TOKEN",
        hide_env_values = true,
        display_order = 501
    )]
    pub(crate) token: Option<String>,
}

impl Connection {
    /// The server that the user names. An empty variable names none.
    pub(crate) fn named_server(&self) -> Option<&str> {
        self.server.as_deref().map(str::trim).filter(|server| !server.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn words_after_two_dashes_reach_ffmpeg_as_they_are() {
        let arguments =
            Arguments::try_parse_from(["segenc", "encode", "a", "b", "--", "-c:v", "x", "--json"])
                .expect("this is a correct command");
        let Command::Encode(encode) = arguments.command else { panic!("it says encode") };
        assert_eq!(encode.options, ["-c:v", "x", "--json"]);
        assert!(!arguments.voice.json);
    }

    #[test]
    fn the_server_may_be_named_after_the_verb() {
        let arguments =
            Arguments::try_parse_from(["segenc", "jobs", "list", "--server", "http://a:1"])
                .expect("this is a correct command");
        let Command::Jobs(jobs) = arguments.command else { panic!("it says jobs") };
        assert_eq!(jobs.connection.server.as_deref(), Some("http://a:1"));
    }
}
