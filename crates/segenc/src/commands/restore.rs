//! `segenc restore`: a server's data folder made of a backup.

use anyhow::Context as _;
use segenc_server::Done;

use super::backup::halted;
use crate::arguments::{Restore, Voice};
use crate::quantities::bytes;
use crate::terminal;

/// Runs the command.
pub(crate) async fn run(flags: Restore, voice: Voice) -> anyhow::Result<()> {
    let data_dir = std::path::absolute(&flags.data_dir).context("--data-dir is no path")?;
    let done = segenc_server::restore(&flags.file, &data_dir).await.map_err(halted)?;
    if voice.json {
        let Done { files, bytes, begun_anew } = done;
        let line = serde_json::json!({
            "event": "restored", "data_dir": data_dir, "files": files, "bytes": bytes,
            "begun_anew": begun_anew,
        });
        terminal::result(&line.to_string());
        return Ok(());
    }
    let folder = data_dir.display();
    terminal::result(&format!("{folder}: {} in {} files", bytes(done.bytes), done.files));
    if !done.begun_anew.is_empty() && !voice.quiet {
        let jobs: Vec<String> = done.begun_anew.iter().map(u64::to_string).collect();
        terminal::say(&format!("without their files these jobs begin anew: {}", jobs.join(", ")));
    }
    if !voice.quiet {
        terminal::say(&format!("start it with: segenc serve --data-dir {folder}"));
    }
    Ok(())
}
