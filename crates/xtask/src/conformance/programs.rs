//! Starts the programs of a case: their words go into files, and none runs for ever.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Longer than the slowest case; what takes longer hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// How often a program is looked after.
const PAUSE: Duration = Duration::from_millis(20);

/// How a program ended.
pub(crate) struct Ended {
    /// Its exit code; `None`: it was killed, perhaps by us.
    pub(crate) code: Option<i32>,
    /// What it wrote to stdout.
    pub(crate) out: String,
    /// What it wrote to stderr.
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn is_good(&self) -> bool {
        self.code == Some(0)
    }

    /// The last line of what it complained about.
    pub(crate) fn complaint(&self) -> String {
        let line = self.err.lines().rev().find(|line| !line.trim().is_empty());
        line.unwrap_or_default().trim().chars().take(300).collect()
    }
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command, folder: &Path) -> Result<Ended> {
    let (out, err) = (folder.join("stdout"), folder.join("stderr"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()
        .with_context(|| format!("could not run {:?}", command.get_program()))?;
    let begin = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait()? {
            break status.code();
        }
        if begin.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(PAUSE);
    };
    let read = |path: &Path| -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
    };
    Ok(Ended { code, out: read(&out)?, err: read(&err)? })
}
