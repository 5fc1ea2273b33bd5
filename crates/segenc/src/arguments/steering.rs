//! The command line's shape for looking at a farm and steering it: its jobs, its workers, all of it.

use clap::{Args, Subcommand};

use super::Connection;

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
        /// Show it live until it has ended; exit code 1 if it did not succeed. Without a terminal a line for each
        /// change.
        #[arg(short, long)]
        follow: bool,
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

/// Watch the whole farm: its jobs and workers, live.
///
/// Without a terminal a line for everything that changes.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Show it once and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Which server.
    #[command(flatten)]
    pub(crate) connection: Connection,
}
