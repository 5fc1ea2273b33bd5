//! The command line's shape for keeping a server: what is wrong, its backup and its way back.

use std::path::PathBuf;

use clap::Args;

use super::Connection;

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
