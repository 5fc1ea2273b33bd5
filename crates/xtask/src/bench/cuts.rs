//! P8 and P9: what cutting costs in bits at equal quality, and what is lost at the seams, against one process
//! and against cuts at fixed distances.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::cuts_report;
use super::quality::{Point, bits_at_equal_quality, mean, ssim_of_frames};
use crate::plain::same_clock;

struct Encoder {
    name: &'static str,
    options: &'static [&'static str],
    /// Three constant qualities about which its users choose.
    qualities: [&'static str; 3],
    /// What closes its groups of pictures, where they are open: frames before a keyframe are then predicted from it,
    /// which they cannot be before a join.
    closed: &'static [&'static str],
}

const ENCODERS: [Encoder; 3] = [
    Encoder {
        name: "libx264",
        options: &["-c:v", "libx264", "-preset", "medium"],
        qualities: ["19", "23", "27"],
        closed: &[],
    },
    Encoder {
        name: "libx265",
        options: &["-c:v", "libx265", "-preset", "medium"],
        qualities: ["20", "24", "28"],
        closed: &["-x265-params", "open-gop=0"],
    },
    Encoder {
        name: "libsvtav1",
        options: &["-c:v", "libsvtav1", "-preset", "8"],
        qualities: ["27", "35", "43"],
        closed: &[],
    },
];

/// Frames on each side of a join that make its seam.
const SEAM_FRAMES: usize = 3;

/// A way of cutting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    /// One process makes all.
    Single,
    /// One process that closes its groups of pictures.
    Closed,
    /// `segenc encode`.
    Ours,
    /// A cut every so many seconds.
    Fixed(u32),
}

/// What one way of cutting gives with one encoder on one film.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) film: String,
    pub(crate) encoder: String,
    pub(crate) way: Way,
    pub(crate) joins: usize,
    pub(crate) points: Vec<Point>,
    /// Bits over those of one process, at equal SSIM.
    pub(crate) bits: f64,
    /// SSIM at the seams minus that of one process there, at the middle quality: mean and worst, in decibels.
    pub(crate) seam_mean: f64,
    pub(crate) seam_worst: f64,
}

/// The encodes of one way at all qualities.
struct Curve {
    points: Vec<Point>,
    /// SSIM of every frame at the middle quality.
    frames: Vec<f64>,
}

/// One film that is measured.
struct Film<'a> {
    source: &'a Path,
    segenc: &'a Path,
    folder: &'a Path,
    /// First frames of our segments but the first.
    joins: Vec<usize>,
    frames: usize,
    frames_a_second: f64,
}

/// Measures all and writes the reports.
pub(crate) fn run(root: &Path, segenc: &Path, films: &[PathBuf], only: Option<&str>) -> Result<()> {
    if films.is_empty() {
        bail!("name at least one film with --film; a minute of natural pictures is enough");
    }
    let folder = root.join("target/bench/cuts");
    std::fs::create_dir_all(&folder)?;
    for source in films {
        let film = Film::open(source, segenc, &folder)?;
        for encoder in &ENCODERS {
            if only.is_none_or(|only| only == encoder.name) {
                // It takes long: what is measured is kept at once.
                cuts_report::write(root, film.measure(encoder)?)?;
            }
        }
    }
    Ok(())
}

impl<'a> Film<'a> {
    fn open(source: &'a Path, segenc: &'a Path, folder: &'a Path) -> Result<Self> {
        let output = Command::new(segenc)
            .args(["plan", "--json"])
            .arg(source)
            .output()
            .context("could not run segenc")?;
        if !output.status.success() {
            bail!("no plan: {}", String::from_utf8_lossy(&output.stderr));
        }
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let segments = plan["segments"].as_array().context("a plan without segments")?;
        let (mut joins, mut frames) = (Vec::new(), 0_usize);
        for segment in segments {
            joins.push(frames);
            frames += usize::try_from(segment["frames"].as_u64().unwrap_or(0))?;
        }
        let end = segments.last().and_then(|last| last["end_micros"].as_f64()).unwrap_or(0.0);
        let start = segments.first().and_then(|first| first["start_micros"].as_f64());
        let seconds = (end - start.unwrap_or(0.0)) / 1e6;
        if joins.len() < 2 || seconds <= 0.0 {
            bail!("{} is not cut, so there is nothing to measure", source.display());
        }
        joins.remove(0);
        let frames_a_second = frames as f64 / seconds;
        Ok(Self { source, segenc, folder, joins, frames, frames_a_second })
    }

    fn measure(&self, encoder: &Encoder) -> Result<Vec<Row>> {
        let single = self.curve(encoder, Way::Single)?;
        let closed = (!encoder.closed.is_empty()).then_some(Way::Closed);
        let mut rows = Vec::new();
        for way in [Way::Ours, Way::Fixed(10), Way::Fixed(5)].into_iter().chain(closed) {
            let curve = self.curve(encoder, way)?;
            let joins = self.joins_of(way);
            let (seam_mean, seam_worst) = seams(&joins, &curve.frames, &single.frames);
            rows.push(Row {
                film: self.source.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                encoder: encoder.name.to_owned(),
                way,
                joins: joins.len(),
                bits: bits_at_equal_quality(&curve.points, &single.points)
                    .context("the curves have no quality in common")?,
                points: curve.points,
                seam_mean,
                seam_worst,
            });
        }
        Ok(rows)
    }

    fn joins_of(&self, way: Way) -> Vec<usize> {
        match way {
            Way::Single => Vec::new(),
            // Measured where ours are.
            Way::Ours | Way::Closed => self.joins.clone(),
            Way::Fixed(seconds) => {
                let step = (self.frames_a_second * f64::from(seconds)).round() as usize;
                (1..)
                    .map(|number| number * step)
                    .take_while(|at| at + step / 2 < self.frames)
                    .collect()
            }
        }
    }

    fn curve(&self, encoder: &Encoder, way: Way) -> Result<Curve> {
        let mut curve = Curve { points: Vec::new(), frames: Vec::new() };
        for (number, quality) in encoder.qualities.iter().enumerate() {
            eprintln!("{}: {way:?} at {quality}", encoder.name);
            let mut options = [encoder.options, &["-crf", quality]].concat();
            if way == Way::Closed {
                options.extend(encoder.closed);
            }
            let made = self.folder.join("made.mkv");
            let bytes = match way {
                Way::Single | Way::Closed => self.single(&options, None, &made)?,
                Way::Ours => self.ours(&options, &made)?,
                Way::Fixed(_) => self.fixed(&options, &self.joins_of(way), &made)?,
            };
            let frames = ssim_of_frames(&made, self.source, self.folder)?;
            let decibels = mean(&frames);
            curve.points.push(Point { bits: bytes as f64 * 8.0, decibels });
            if number == encoder.qualities.len() / 2 {
                curve.frames = frames;
            }
        }
        Ok(curve)
    }

    /// One ffmpeg process; of all frames, or of those from the first up to the second number.
    fn single(&self, options: &[&str], part: Option<(usize, usize)>, made: &Path) -> Result<u64> {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-y", "-v", "error", "-i"]).arg(self.source);
        ffmpeg.args(["-map", "0:v:0"]);
        if let Some((start, end)) = part {
            ffmpeg.args(["-vf", &format!("trim=start_frame={start}:end_frame={end}")]);
        }
        ffmpeg.args(options).args(same_clock());
        finished(ffmpeg.arg(made))?;
        video_bytes(made)
    }

    fn ours(&self, options: &[&str], made: &Path) -> Result<u64> {
        let mut segenc = Command::new(self.segenc);
        segenc.arg("encode").arg(self.source).arg(made);
        segenc.args(["--overwrite", "-q", "--verify", "quick", "--", "-an", "-sn"]).args(options);
        finished(segenc.env("SEGENC_DATA_DIR", self.folder.join("data")))?;
        video_bytes(made)
    }

    fn fixed(&self, options: &[&str], joins: &[usize], made: &Path) -> Result<u64> {
        let starts = [0].iter().chain(joins);
        let ends = joins.iter().chain([&self.frames]);
        let mut list = String::from("ffconcat version 1.0\n");
        let mut bytes = 0;
        for (number, (start, end)) in starts.zip(ends).enumerate() {
            let name = format!("fixed{number}.mkv");
            bytes += self.single(options, Some((*start, *end)), &self.folder.join(&name))?;
            list.push_str(&format!("file {name}\n"));
        }
        let list_file = self.folder.join("fixed.ffconcat");
        std::fs::write(&list_file, list)?;
        let mut join = Command::new("ffmpeg");
        join.args(["-nostdin", "-y", "-v", "error", "-f", "concat", "-i"]).arg(&list_file);
        finished(join.args(["-c", "copy"]).arg(made))?;
        Ok(bytes)
    }
}

fn finished(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("could not run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Bytes of the video packets: containers have nothing to do with what is measured.
fn video_bytes(file: &Path) -> Result<u64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=size"])
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .context("could not run ffprobe")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let sizes = text.lines().map(|line| line.trim().trim_end_matches(',').parse::<u64>());
    sizes.sum::<Result<u64, _>>().context("ffprobe told a size that is no number")
}

/// SSIM around the joins minus that of one process there: mean and worst join.
fn seams(joins: &[usize], ours: &[f64], single: &[f64]) -> (f64, f64) {
    let mut losses = Vec::new();
    for join in joins {
        let range = join.saturating_sub(SEAM_FRAMES)..join + SEAM_FRAMES;
        if let (Some(ours), Some(single)) = (ours.get(range.clone()), single.get(range)) {
            losses.push(mean(ours) - mean(single));
        }
    }
    let worst = losses.iter().copied().min_by(f64::total_cmp).unwrap_or(f64::NAN);
    (mean(&losses), worst)
}
