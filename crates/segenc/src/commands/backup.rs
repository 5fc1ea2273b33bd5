//! `segenc backup`: the state of a server of this machine in one file. The only command beside `serve` that reads its
//! folder: what it takes along are secrets, which the server gives to nobody over its interface.

use anyhow::Context as _;
use segenc_server::{BackupError, Contents, Done};

use crate::arguments::{Backup, Voice};
use crate::halt::Halt;
use crate::quantities::bytes;
use crate::{places, terminal};

/// Runs the command.
pub(crate) async fn run(flags: Backup, voice: Voice) -> anyhow::Result<()> {
    let data_dir = match &flags.data_dir {
        Some(folder) => std::path::absolute(folder).context("--data-dir is no path")?,
        None => places::server_folder()?,
    };
    let contents = if flags.with_files { Contents::StateAndFiles } else { Contents::State };
    let done = segenc_server::back_up(&data_dir, &flags.file, contents).await.map_err(halted)?;
    if voice.json {
        let Done { files, bytes, .. } = done;
        let line = serde_json::json!({
            "event": "backed-up", "file": flags.file, "files": files, "bytes": bytes,
        });
        terminal::result(&line.to_string());
        return Ok(());
    }
    terminal::result(&format!(
        "{}: {} in {} files",
        places::name_of(&flags.file),
        bytes(done.bytes),
        done.files
    ));
    if !voice.quiet {
        terminal::say(
            "it holds the server's tokens and keys: keep it where nobody else can read it",
        );
    }
    Ok(())
}

/// What a backup or a restore that failed tells.
pub(super) fn halted(error: BackupError) -> Halt {
    let text = error.to_string();
    match error {
        BackupError::NoData { .. } => Halt::failed(text)
            .reason("backup-refused")
            .hint("name the server's folder with --data-dir"),
        BackupError::Exists { .. } => {
            Halt::failed(text).reason("backup-refused").hint("choose another name")
        }
        BackupError::NotEmpty { .. } => {
            Halt::failed(text).reason("restore-refused").hint("choose another --data-dir")
        }
        BackupError::NoBackup { .. } => Halt::failed(text)
            .reason("restore-refused")
            .hint("name a file that `segenc backup` wrote"),
        BackupError::Newer => {
            Halt::failed(text).reason("restore-refused").hint("restore it with that version")
        }
        BackupError::Io { .. } | BackupError::Database { .. } => {
            Halt::failed("it was given up").because(error)
        }
    }
}
