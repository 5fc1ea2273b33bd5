//! P5: a whole job on one machine against plain ffmpeg with the same options.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use serde::Serialize;

use super::measure::{Cost, median};
use super::{film, measure, report};
use crate::plain::same_clock;
use crate::release::build;

/// What is compared: a name and the options for both sides.
const CASES: [(&str, &[&str]); 2] = [
    ("libx264", &["-c:v", "libx264", "-preset", "medium", "-crf", "22"]),
    ("libsvtav1", &["-c:v", "libsvtav1", "-preset", "8", "-crf", "35"]),
];

/// The result of one case.
#[derive(Serialize)]
pub(crate) struct Row {
    /// Which encoder.
    pub(crate) encoder: String,
    /// The options, as given to both.
    pub(crate) options: String,
    /// Every run of plain ffmpeg.
    pub(crate) plain: Vec<Cost>,
    /// Every run of `segenc encode`.
    pub(crate) usual: Vec<Cost>,
    /// Every run of `segenc encode --verify full`.
    pub(crate) full: Vec<Cost>,
    /// Size of the output against that of plain ffmpeg.
    pub(crate) size_ratio: f64,
}

impl Row {
    /// Median of `side` over median of plain ffmpeg, for a quantity of the costs.
    pub(crate) fn ratio(&self, side: &[Cost], of: fn(&Cost) -> f64) -> f64 {
        median(side.iter().map(of).collect()) / median(self.plain.iter().map(of).collect())
    }
}

/// Measures all cases and writes the reports.
pub(crate) fn run(root: &Path, film: Option<&Path>, runs: usize, only: Option<&str>) -> Result<()> {
    if runs == 0 {
        bail!("at least one run is needed");
    }
    let film = film.map_or_else(|| film::made(root), |path| Ok(path.to_owned()))?;
    let segenc = build(root)?;
    let folder = root.join("target/bench/one-machine");
    std::fs::create_dir_all(&folder)?;
    let mut rows = Vec::new();
    for (encoder, options) in CASES.iter().filter(|(name, _)| only.is_none_or(|only| only == *name))
    {
        rows.push(case(&segenc, &film, &folder, encoder, options, runs)?);
    }
    report::write(root, &film, &rows)
}

/// The sides take turns, so that a machine that grows warm or busy treats them alike.
fn case(
    segenc: &Path,
    film: &Path,
    folder: &Path,
    encoder: &str,
    options: &[&str],
    runs: usize,
) -> Result<Row> {
    let (plain_file, ours_file) = (folder.join("plain.mkv"), folder.join("ours.mkv"));
    let (mut plain, mut usual, mut full) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=runs {
        eprintln!("{encoder}: round {round} of {runs}");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-y", "-v", "error", "-i"]).arg(film);
        ffmpeg.args(["-map", "0", "-c", "copy"]).args(options);
        ffmpeg.args(same_clock()).arg(&plain_file);
        plain.push(measure::run(&mut ffmpeg)?);
        for (verify, costs) in [("auto", &mut usual), ("full", &mut full)] {
            let mut ours = Command::new(segenc);
            ours.arg("encode").arg(film).arg(&ours_file);
            ours.args(["--overwrite", "-q", "--verify", verify, "--"]).args(options);
            ours.env("SEGENC_DATA_DIR", folder.join("data"));
            costs.push(measure::run(&mut ours)?);
        }
    }
    let size = |path: &Path| std::fs::metadata(path).map(|file| file.len() as f64);
    Ok(Row {
        encoder: encoder.to_owned(),
        options: options.join(" "),
        size_ratio: size(&ours_file)? / size(&plain_file)?,
        plain,
        usual,
        full,
    })
}
