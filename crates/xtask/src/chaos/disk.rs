//! Disks that fill up: the server's data folder, and a worker's scratch, each on a small file system in memory.
//! The farm must stand still, say why, and go on when there is room again.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::ending;
use super::farm::{Farm, Layout, Way};
use super::films::Case;
use super::run::{Log, Tally};

/// Large enough for the films of a round, small enough to be filled at once.
const SIZE: &str = "size=24m";
/// So long a disk stays full.
const FULL_FOR: Duration = Duration::from_secs(5);
/// A job with a pause of a full disk in it.
const JOB_WITHIN: Duration = Duration::from_secs(150);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A small file system, gone at the end.
struct Mount {
    at: PathBuf,
}

impl Mount {
    /// `None`: there is no right to mount.
    fn new(at: PathBuf) -> Result<Option<Self>> {
        fs::create_dir_all(&at)?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", SIZE, "segenc-chaos"]).arg(&at);
        let status = command.stderr(Stdio::null()).status();
        Ok(status.is_ok_and(|status| status.success()).then_some(Self { at }))
    }

    /// Takes all the room that there is.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.at.join("filler");
        let mut file = File::create(&path)?;
        let piece = [0; 64 * 1024];
        while file.write_all(&piece).is_ok() {}
        Ok(path)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open keeps it until it ends.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// One round, or a loud word that it cannot be.
pub(crate) fn round(
    program: &Path,
    folder: &Path,
    case: &Case,
    log: &Log,
    tally: &mut Tally,
) -> Result<()> {
    let layout = Layout::below(folder, 2);
    let server = Mount::new(layout.data.clone())?;
    let worker = Mount::new(layout.scratch(0))?;
    let (Some(server), Some(worker)) = (server, worker) else {
        log.say("SKIPPED: full disks, for want of the right to mount a small file system");
        println!("chaos: skipped full disks: no right to mount");
        return Ok(());
    };
    let mut farm = Farm::start(program, layout)?;
    for (name, disk) in [("the server's data", &server), ("a worker's scratch", &worker)] {
        tally.jobs += 1;
        tally.faults += 1;
        let told = filled(&farm, case, disk).with_context(|| format!("{name} on a full disk"))?;
        log.say(&format!("{name} stood full for {} s; it said: {told}", FULL_FOR.as_secs()));
    }
    ending::check(&mut farm, tally)
}

/// Runs a job during which the disk is full for a while. Answers with what the job waited for.
fn filled(farm: &Farm, case: &Case, disk: &Mount) -> Result<String> {
    let output = farm.layout.folder.join("output.mkv");
    let lines = farm.layout.folder.join("disk.jsonl");
    let mut command = farm.operator(Way::Direct)?;
    command.args(["encode", "--json", "--overwrite", "--segment-seconds", "2"]);
    command.arg(&case.film).arg(&output).arg("--").args(case.words());
    let mut child = command.stdout(File::create(&lines)?).spawn()?;
    let outcome = watch(&mut child, &lines, disk);
    // Where others did the work, the job may be over before the disk has room again.
    let _ = fs::remove_file(disk.at.join("filler"));
    if outcome.is_err() {
        child.kill()?;
        child.wait()?;
    }
    let told = outcome?;
    ensure!(case.difference(&output)?.is_none(), "the output is another one");
    Ok(told)
}

fn watch(child: &mut Child, lines: &Path, disk: &Mount) -> Result<String> {
    let begin = Instant::now();
    let mut full: Option<(Instant, PathBuf)> = None;
    let mut is_over = false;
    loop {
        thread::sleep(LOOK);
        if let Some(status) = child.try_wait()? {
            let text = fs::read_to_string(lines)?;
            ensure!(
                status.success(),
                "the command ended with {status}: {}",
                text.lines().last().unwrap_or_default()
            );
            let waited = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find_map(|line| Some(line["job"]["waiting_for"].as_str()?.to_owned()));
            return Ok(waited.unwrap_or_else(|| "nothing: others did the work".to_owned()));
        }
        match &full {
            None if !is_over && fs::read_to_string(lines)?.contains("\"transcoding\"") => {
                full = Some((Instant::now(), disk.fill()?));
            }
            Some((since, filler)) if since.elapsed() > FULL_FOR => {
                fs::remove_file(filler)?;
                (full, is_over) = (None, true);
            }
            _ => {}
        }
        ensure!(begin.elapsed() < JOB_WITHIN, "it hangs");
    }
}
