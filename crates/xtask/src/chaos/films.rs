//! The films of a run, their options, what comes out undisturbed, and how a result is compared with that.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A film with options, and the undisturbed output.
pub(crate) struct Case {
    pub(crate) film: PathBuf,
    pub(crate) extension: &'static str,
    pub(crate) options: &'static [&'static str],
    pub(crate) reference: PathBuf,
}

/// Bits that follow from the source alone: without this, ffmpeg's muxers draw numbers.
const SAME_BITS: [&str; 2] = ["-fflags", "+bitexact"];

/// What the cases are made of: picture, container of film and output, options.
const TABLE: &[(&str, &str, &str, &[&str])] = &[
    (
        "testsrc2=s=320x180:r=25",
        "mkv",
        "mkv",
        &["-c:v", "libx264", "-preset", "slower", "-crf", "24"],
    ),
    (
        "testsrc2=s=256x144:r=30000/1001",
        "mp4",
        "mp4",
        &["-c:v", "libx264", "-preset", "slow", "-crf", "20", "-c:a", "aac", "-b:a", "64k"],
    ),
    (
        "testsrc=s=192x108:r=24",
        "mkv",
        "mkv",
        &["-c:v", "libx265", "-preset", "superfast", "-crf", "28", "-vf", "hue=h=40"],
    ),
];

/// Makes the films and, one after the other on this machine alone, their undisturbed outputs.
pub(crate) fn make(program: &Path, films: &Path, seconds: u32) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (number, (picture, kind, extension, options)) in TABLE.iter().enumerate() {
        let film = films.join(format!("film-{number}.{kind}"));
        film_of(picture, seconds, &film)?;
        let reference = films.join(format!("undisturbed-{number}.{extension}"));
        let mut command = Command::new(program);
        command.env("SEGENC_DATA_DIR", films.join("home")).env_remove("SEGENC_SERVER");
        command.args(["encode", "-q", "--segment-seconds", "2", "--overwrite"]);
        command.arg(&film).arg(&reference).arg("--").args(*options).args(SAME_BITS);
        finish(&mut command)?;
        cases.push(Case { film, extension, options, reference });
    }
    Ok(cases)
}

fn film_of(picture: &str, seconds: u32, film: &Path) -> Result<()> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture]);
    command.args(["-f", "lavfi", "-i", "sine=f=330", "-t", &seconds.to_string()]);
    command.args(["-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-bf", "2", "-pix_fmt"]);
    finish(command.args(["yuv420p", "-c:a", "aac"]).arg(film))
}

fn finish(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("could not run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{:?} failed: {said}", command.get_program());
    Ok(())
}

impl Case {
    /// ffmpeg's words for a job of this case.
    pub(crate) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.options.iter().copied().chain(SAME_BITS)
    }

    /// What differs between an output and the undisturbed one; `None`: not a bit.
    pub(crate) fn difference(&self, output: &Path) -> Result<Option<String>> {
        let (made, wanted) = (std::fs::read(output)?, std::fs::read(&self.reference)?);
        if made == wanted {
            return Ok(None);
        }
        let at = made.iter().zip(&wanted).take_while(|(made, wanted)| made == wanted).count();
        let packets = packets(output)? == packets(&self.reference)?;
        let packets = if packets { "the same packets" } else { "other packets" };
        Ok(Some(format!(
            "{} bytes instead of {}, the first other byte at {at}, {packets}",
            made.len(),
            wanted.len()
        )))
    }
}

/// Digest, PTS and DTS of every packet of every stream.
fn packets(film: &Path) -> Result<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(film);
    command.args(["-map", "0", "-c", "copy", "-f", "framemd5", "-"]);
    Ok(command.output()?.stdout)
}
