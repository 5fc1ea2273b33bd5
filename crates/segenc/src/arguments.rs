//! The command line's shape and its help texts. Names here are promises.
//!
//! Knows nothing of what the commands do.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod library;

pub(crate) use library::{LogFormat, Presets, PresetsVerb, Top};

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
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; twice for even more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print JSON objects, one a line, for programs; the last one is the result.
    #[arg(long, global = true)]
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
    #[arg(long, global = true, value_name = "URL", env = "SEGENC_SERVER")]
    pub(crate) server: Option<String>,
    /// The token, or @FILE to read it from a file.
    #[arg(
        long,
        global = true,
        value_name = "TOKEN|@FILE",
        env = "SEGENC_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
}

impl Connection {
    /// The server that the user names. An empty variable names none.
    pub(crate) fn named_server(&self) -> Option<&str> {
        self.server.as_deref().map(str::trim).filter(|server| !server.is_empty())
    }
}

/// Encode a film: on this machine, or with --server on a farm.
///
/// Everything after `--` is ffmpeg's own output options with ffmpeg's meaning. Without any: all streams
/// are kept, audio and subtitles are copied, video becomes `libx264 -crf 20 -preset medium`, and the
/// container follows OUTPUT's extension.
///
/// If it is interrupted in any way, the same command again goes on where it was. OUTPUT appears only when
/// it is complete and verified.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  segenc encode film.mkv small.mkv\n  \
    segenc encode --preset small-av1 film.mkv small.mkv\n  \
    segenc encode 'films/**/*.mkv' --output-dir small --preset small-av1\n  \
    segenc encode in.mkv out.mkv -- -c:v libx265 -preset slow -crf 20 -c:a libopus -b:a 128k\n  \
    segenc encode --server URL --token @FILE in.mkv out.mp4 -- -c:v libx264 -crf 22")]
pub(crate) struct Encode {
    /// The film to encode, which is never changed, and the file to make, whose extension names the container. With
    /// --output-dir: films to encode, also by patterns such as `films/**/*.mkv`.
    #[arg(required = true, num_args = 1.., value_names = ["INPUT", "OUTPUT"])]
    pub(crate) files: Vec<PathBuf>,
    /// The film of this job.
    #[arg(skip)]
    pub(crate) input: PathBuf,
    /// The file of this job.
    #[arg(skip)]
    pub(crate) output: PathBuf,
    /// Encode several films into this folder; results that are there already are left alone.
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// How results are named below --output-dir: {dir}, {name}, {ext}, {preset}, {codec}, {encoder}.
    #[arg(long, value_name = "TEMPLATE", default_value = segenc_core::naming::OUTPUT_TEMPLATE, requires = "output_dir")]
    pub(crate) name: String,
    /// Container of results in --output-dir by its usual extension, which {ext} stands for.
    #[arg(long, value_name = "EXT", default_value = "mkv", requires = "output_dir")]
    pub(crate) container: String,
    /// ffmpeg output options.
    #[arg(last = true, value_name = "FFMPEG OPTIONS")]
    pub(crate) options: Vec<String>,
    /// Options under a name (see `segenc presets`); what stands after `--` is added and wins.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Replace OUTPUT if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// How far the finished file is checked.
    #[arg(long, value_enum, default_value_t = VerifyFlag::Auto)]
    pub(crate) verify: VerifyFlag,
    /// Wished length of a segment in seconds; by default it follows the film's length.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) segment_seconds: Option<u32>,
    /// Size that OUTPUT is to have, met within two per cent, such as 700M (1000 bytes are 1k, 1024 are 1Ki); instead
    /// of a quality or a bitrate.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) target_size: Option<u64>,
    /// Encode films with Dolby Vision or HDR10+ without it: no encoder takes it over.
    #[arg(long)]
    pub(crate) drop_dynamic_hdr: bool,
    /// Encodes side by side on this machine; by default as many as fit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256), conflicts_with = "server")]
    pub(crate) slots: Option<u32>,
    /// The farm to encode on.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Reads a size in bytes: `700M`, `4.4GiB`.
fn size(text: &str) -> Result<u64, String> {
    let unreadable = || "a size is a number with k, M, G or Ki, Mi, Gi behind it".to_owned();
    let plain = text.strip_suffix('B').unwrap_or(text);
    let (plain, step) = match plain.strip_suffix('i') {
        Some(plain) => (plain, 1024_u64),
        None => (plain, 1000),
    };
    let end = plain.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(plain.len());
    let (number, prefix) = plain.split_at(end);
    let unit = match prefix {
        "" if step == 1000 => 1,
        "k" | "K" => step,
        "M" => step.pow(2),
        "G" => step.pow(3),
        _ => return Err(unreadable()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{part}").parse().map_err(|_| unreadable())?;
    let scale = u32::try_from(part.len()).ok().and_then(|digits| 10_u128.checked_pow(digits));
    let bytes = scale.and_then(|scale| Some(digits.checked_mul(u128::from(unit))? / scale));
    match bytes.and_then(|bytes| u64::try_from(bytes).ok()) {
        None => Err("so large a file is not possible".to_owned()),
        Some(0) => Err("a file of no size holds no film".to_owned()),
        Some(bytes) => Ok(bytes),
    }
}

/// How far the finished file is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFlag {
    /// Structure, and a decode of every frame unless that costs more than 5 % of the job.
    Auto,
    /// Structure, and a decode of every frame.
    Full,
    /// Structure only.
    Quick,
}

impl VerifyFlag {
    /// The word on the wire.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Full => "full",
            Self::Quick => "quick",
        }
    }
}

/// Run a server that gives work to workers.
///
/// Once it is ready it prints its address, where the admin token is, and the whole command that adds a
/// worker. It runs until Ctrl-C; all jobs go on when it is started again.
#[derive(Debug, Args)]
#[command(
    after_help = "Every flag can also be set in the file of --config (TOML, the same names) and as \
    a variable: SEGENC_ and the name in capitals, such as SEGENC_LISTEN."
)]
pub(crate) struct Serve {
    /// Where jobs, segments and tokens are kept. [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address and port. To be reached from other machines it needs another address than loopback.
    /// [default: 127.0.0.1:8642]
    #[arg(long, value_name = "ADDR:PORT", env = "SEGENC_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Slots of the built-in worker; 0 for none. [default: as many as fit this machine]
    #[arg(long, value_name = "N", env = "SEGENC_WORKERS", value_parser = clap::value_parser!(u32).range(0..=256))]
    pub(crate) workers: Option<u32>,
    /// A folder whose files jobs may read and write. Can be given again.
    #[arg(long, value_name = "DIR", env = "SEGENC_MEDIA_ROOT")]
    pub(crate) media_root: Vec<PathBuf>,
    /// Host and port that workers are told to connect to, if it is not the address of --listen.
    #[arg(long, value_name = "HOST:PORT", env = "SEGENC_ADVERTISE")]
    pub(crate) advertise: Option<String>,
    /// Do not make the server known in the local network. Otherwise workers find it there (multicast DNS) if it is
    /// reached from other machines.
    #[arg(long, env = "SEGENC_NO_ANNOUNCE")]
    pub(crate) no_announce: bool,
    /// Speak plain HTTP beyond loopback, because a proxy in front does TLS.
    #[arg(long, env = "SEGENC_BEHIND_PROXY")]
    pub(crate) behind_proxy: bool,
    /// Settings file.
    #[arg(long, value_name = "FILE", env = "SEGENC_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// How the log is written.
    #[arg(long, value_enum, value_name = "FORMAT", env = "SEGENC_LOG_FORMAT", default_value_t)]
    pub(crate) log_format: LogFormat,
}

/// Run a worker that takes work from a server.
///
/// Without --join it looks for a server in the local network, or asks the one of --server, and wants the pairing
/// code that the server shows; afterwards `segenc worker` alone is enough.
///
/// It needs ffmpeg 5.1 or later, and only connects outwards. Ctrl-C lets it finish what it has and take no
/// more; Ctrl-C again gives back what it has at once.
#[derive(Debug, Args)]
pub(crate) struct WorkerFlags {
    /// The join string that `segenc serve` printed, or @FILE to read it from a file.
    #[arg(long, value_name = "STRING|@FILE", env = "SEGENC_JOIN", hide_env_values = true)]
    pub(crate) join: Option<String>,
    /// The server to pair with, if no join string is given.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "join")]
    pub(crate) server: Option<String>,
    /// Encodes side by side. [default: as many as fit this machine]
    #[arg(long, value_name = "N", env = "SEGENC_SLOTS", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) slots: Option<u32>,
    /// Name for people. [default: the host's name]
    #[arg(long, env = "SEGENC_NAME")]
    pub(crate) name: Option<String>,
    /// Folder for files that are being made. [default: the user's data folder]
    #[arg(long, value_name = "DIR", env = "SEGENC_SCRATCH")]
    pub(crate) scratch: Option<PathBuf>,
    /// Fetch everything over the network, even if the server's files are visible here.
    #[arg(long, env = "SEGENC_FETCH")]
    pub(crate) fetch: bool,
    /// How the log is written.
    #[arg(long, value_enum, value_name = "FORMAT", env = "SEGENC_LOG_FORMAT", default_value_t)]
    pub(crate) log_format: LogFormat,
    /// Take tasks only at these hours, by this machine's clock: `"Mon-Fri 18:00-08:00, Sat-Sun"`. Outside of them
    /// it finishes what it has. [default: always]
    #[arg(long, value_name = "HOURS", env = "SEGENC_HOURS")]
    pub(crate) hours: Option<segenc_worker::Hours>,
}

/// Look at jobs on a server and steer them.
#[derive(Debug, Args)]
pub(crate) struct Jobs {
    /// What to do; lists the jobs if nothing is said.
    #[command(subcommand)]
    pub(crate) verb: Option<JobsVerb>,
    /// Which server.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// The states that a job can be in, as the server names them.
const JOB_STATES: [&str; 8] =
    ["held", "analyzing", "transcoding", "merging", "paused", "completed", "failed", "canceled"];

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsVerb {
    /// List all jobs.
    List {
        /// Only those in this state.
        #[arg(long, value_parser = JOB_STATES)]
        state: Option<String>,
    },
    /// Show a job with its tasks.
    Show {
        /// The job's number.
        id: u64,
    },
    /// Wait until a job has ended; exit code 1 if it did not succeed.
    Wait {
        /// The job's number.
        id: u64,
    },
    /// Cancel jobs: running work is stopped, nothing is published.
    Cancel {
        /// The jobs' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Pause jobs: what runs ends, nothing new starts.
    Pause {
        /// The jobs' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Let paused jobs go on, and start held ones.
    Resume {
        /// The jobs' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Try failed or canceled jobs again; finished segments are kept.
    Retry {
        /// The jobs' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Print why attempts of a job failed, with the end of ffmpeg's log.
    Logs {
        /// The job's number.
        id: u64,
    },
    /// Print what was made, by whom, and what was checked.
    Report {
        /// The job's number.
        id: u64,
    },
    /// Delete jobs with all their files on the server.
    Delete {
        /// The jobs' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
}

/// Look at the workers of a server and steer them.
#[derive(Debug, Args)]
pub(crate) struct Workers {
    /// What to do; lists the workers if nothing is said.
    #[command(subcommand)]
    pub(crate) verb: Option<WorkersVerb>,
    /// Which server.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// What to do with workers.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkersVerb {
    /// List all workers.
    List,
    /// Let workers finish what they have and take no more.
    Drain {
        /// The workers' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Suspend what workers run, and let them take no more; they keep what they have.
    Pause {
        /// The workers' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Let paused, drained or taken out workers go on and take tasks again.
    Resume {
        /// The workers' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Take back at once what workers have.
    Release {
        /// The workers' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Make a code that lets one more `segenc worker` in, once and within ten minutes.
    Pair,
    /// Forget workers; to come back they must join again.
    Remove {
        /// The workers' numbers.
        #[arg(required = true)]
        ids: Vec<u64>,
    },
}

/// Print where a film would be cut, and why, without encoding anything.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The film.
    pub(crate) input: PathBuf,
    /// ffmpeg output options.
    #[arg(last = true, value_name = "FFMPEG OPTIONS")]
    pub(crate) options: Vec<String>,
    /// Options under a name (see `segenc presets`); what stands after `--` is added and wins.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Container of the output by its usual extension.
    #[arg(long, value_name = "NAME", default_value = "mkv")]
    pub(crate) container: String,
    /// Wished length of a segment in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) segment_seconds: Option<u32>,
}

/// Write the state of a server of this machine into a file, while it runs.
///
/// Jobs, history, tokens, keys and settings, as of one moment. The file is a tar archive that holds secrets; only
/// its owner can read it. Films in media roots are not part of it.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write. It must not exist.
    pub(crate) file: PathBuf,
    /// The server's data folder. [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Also what the jobs have made so far and films that were sent to the server. Without it, jobs that are not
    /// done begin anew after a restore.
    #[arg(long)]
    pub(crate) with_files: bool,
}

/// Make a server's data folder of a backup.
///
/// End the old server first. Data of an older version are brought up to date; those of a newer one are refused.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file that `segenc backup` wrote.
    pub(crate) file: PathBuf,
    /// The folder to make. It must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

/// Look at everything that has to be right on this machine, and at the server if one is named.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The server to look at.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn sizes_are_decimal_unless_an_i_says_otherwise() {
        assert_eq!(
            [size("700M"), size("4.4G"), size("12")],
            [Ok(700_000_000), Ok(4_400_000_000), Ok(12)]
        );
        assert_eq!(
            [size("1KiB"), size("1.5MB"), size("2Mi")],
            [Ok(1024), Ok(1_500_000), Ok(2 << 20)]
        );
        for bad in
            ["", "M", "-1M", "0", "1i", "1.2.3M", "1T", "99999999999999999999999999999999999999G"]
        {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

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
