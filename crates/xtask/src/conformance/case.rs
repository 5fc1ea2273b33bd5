//! One case: one file made by both sides for one output, and how it ended.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::look::{self, look};
use super::target::Target;
use super::{compare, programs};
use crate::fixtures::Wanted;
use crate::plain::same_clock;

/// A case to be run.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) traits: String,
    /// What has to become of it.
    pub(crate) wanted: Wanted,
    pub(crate) target: Target,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The same in every point.
    Exact,
    /// Not the same, or ours failed.
    Differs,
    /// Plain ffmpeg makes nothing of it, and we neither, and say why.
    BothFail,
    /// Plain ffmpeg makes nothing of it, but we do.
    OnlyPlainFails,
    /// The same but for pictures, where plain ffmpeg's are not those of the source either.
    Lossy,
    /// Refused, as it has to be.
    Refused,
    /// Refused with a reason, though plain ffmpeg would have made it: an option that is not carried over.
    NotOffered,
    /// Not tried: it takes longer than this run was given.
    LeftOut,
}

/// A case that was run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) file: String,
    pub(crate) traits: String,
    pub(crate) output: String,
    pub(crate) verdict: Verdict,
    /// What differs, or why both fail.
    pub(crate) points: Vec<String>,
    /// `segments` or `whole`.
    pub(crate) way: String,
    pub(crate) segments: u64,
    /// Why it was made in one piece.
    pub(crate) reason: String,
}

impl Outcome {
    /// For the terminal.
    pub(crate) fn line(&self) -> String {
        let way = if self.reason.is_empty() {
            format!("{} {}", self.segments, self.way)
        } else {
            format!("{}: {}", self.way, self.reason)
        };
        format!(
            "{:?} {} {} ({way}) {}",
            self.verdict,
            self.output,
            self.file,
            self.points.join("; ")
        )
    }
}

/// The folder for the state of ours.
const DATA: &str = "data";

/// What all cases share.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) segenc: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) segment_seconds: u32,
    pub(crate) keep: bool,
    /// Larger films are left out, in millions of pixels.
    pub(crate) megapixels_max: u64,
}

impl Bench {
    /// Runs a case. `slot` tells cases apart that run side by side.
    pub(crate) fn run(&self, wish: &Wish, slot: usize) -> Result<Outcome> {
        let folder = self.folder.join(format!("slot-{slot}"));
        std::fs::create_dir_all(&folder)?;
        let file = |side: &str| {
            let begin = if self.keep { format!("{}.", wish.name) } else { String::new() };
            folder.join(format!("{begin}{side}.{}", wish.target.extension))
        };
        let (single, ours) = (file("single"), file("ours"));
        // A run that was stopped leaves its films.
        remove_films(&[&single, &ours])?;
        let streams = streams(wish, &folder)?;
        let size = megapixels(&streams);
        if size > self.megapixels_max {
            return Ok(left_out(wish, size));
        }
        let plain = programs::run(&mut plain(wish, &streams, &single), &folder)?;
        let made = programs::run(&mut self.encode(wish, &ours, &folder), &folder)?;
        let told: Value = made
            .out
            .lines()
            .last()
            .and_then(|line| serde_json::from_str(line).ok())
            .unwrap_or_default();
        let report = &told["report"];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut outcome = Outcome {
            file: wish.name.clone(),
            traits: wish.traits.clone(),
            output: wish.target.name.clone(),
            verdict: Verdict::Differs,
            points: Vec::new(),
            way: word(&report["way"]),
            segments: report["segments"].as_u64().unwrap_or(0),
            reason: unplaced(wish, &word(&report["job"]["whole_because"])),
        };
        let ended = Ended { plain: &plain, made: &made, told: &told, single: &single, ours: &ours };
        (outcome.verdict, outcome.points) = verdict(wish, &ended, &folder)?;
        // What a failed job leaves would be gone on with the next time.
        if !made.is_good() && folder.join(DATA).exists() {
            std::fs::remove_dir_all(folder.join(DATA))?;
        }
        if !self.keep {
            remove_films(&[&single, &ours])?;
        }
        Ok(outcome)
    }

    fn encode(&self, wish: &Wish, output: &Path, folder: &Path) -> Command {
        let mut command = Command::new(&self.segenc);
        command.args([
            "encode",
            "--overwrite",
            "--json",
            "--drop-dynamic-hdr",
            "--segment-seconds",
        ]);
        command.arg(self.segment_seconds.to_string()).arg(&wish.path).arg(output);
        command.arg("--").args(&wish.target.film).args(&wish.target.others);
        command.env("SEGENC_DATA_DIR", folder.join(DATA));
        command
    }
}

fn remove_films(films: &[&Path]) -> Result<()> {
    for film in films.iter().filter(|film| film.exists()) {
        std::fs::remove_file(film)?;
    }
    Ok(())
}

/// How both sides ended, and their files.
struct Ended<'a> {
    plain: &'a programs::Ended,
    made: &'a programs::Ended,
    told: &'a Value,
    single: &'a Path,
    ours: &'a Path,
}

/// What to call it, and the points that differ or the reason.
fn verdict(wish: &Wish, ended: &Ended<'_>, folder: &Path) -> Result<(Verdict, Vec<String>)> {
    let made = ended.made;
    let plain_fault = plain_fault(ended, folder);
    let mut faults = Vec::new();
    if made.err.contains("panicked at") {
        faults.push("it panicked".to_owned());
    }
    if !made.is_good() {
        let failure = ending(wish, made, ended.told);
        let message = ended.told["message"].as_str().unwrap_or_default();
        if !matches!(made.code, Some(1 | 2)) || message.is_empty() {
            faults.push("it gives no reason".to_owned());
        }
        if ended.ours.exists() {
            faults.push("it leaves an output".to_owned());
        }
        let verdict = match (faults.is_empty(), wish.wanted, plain_fault.is_none()) {
            (false, _, _) => Verdict::Differs,
            (true, Wanted::Refused, _) => Verdict::Refused,
            (true, Wanted::AsPlain, false) => Verdict::BothFail,
            (true, Wanted::AsPlain, true) if made.code == Some(2) => Verdict::NotOffered,
            (true, Wanted::AsPlain, true) => Verdict::Differs,
        };
        return Ok((verdict, [vec![failure], faults].concat()));
    }
    if wish.wanted == Wanted::Refused {
        faults.push("it was not refused".to_owned());
    }
    if let Some(fault) = plain_fault {
        let verdict = if faults.is_empty() { Verdict::OnlyPlainFails } else { Verdict::Differs };
        return Ok((verdict, [faults, vec![fault]].concat()));
    }
    faults.extend(points(wish, ended.single, ended.ours, folder));
    Ok((judge(wish, &faults, ended.single, folder)?, faults))
}

/// Why plain ffmpeg made nothing, or nothing that can be opened.
fn plain_fault(ended: &Ended<'_>, folder: &Path) -> Option<String> {
    if !ended.plain.is_good() {
        return Some(ended.plain.complaint());
    }
    look(ended.single, folder).err().map(|error| format!("its file cannot be read: {error:#}"))
}

/// A text without the folders of this machine.
fn unplaced(wish: &Wish, text: &str) -> String {
    text.replace(&*wish.path.to_string_lossy(), &wish.name)
}

/// How ours ended badly, without the folders of this machine.
fn ending(wish: &Wish, made: &programs::Ended, told: &Value) -> String {
    let message = told["message"].as_str().unwrap_or_default();
    let message = unplaced(wish, message);
    format!("exit {}: {message}", made.code.map_or("none".to_owned(), |code| code.to_string()))
}

fn points(wish: &Wish, single: &Path, ours: &Path, folder: &Path) -> Vec<String> {
    let mut points = match (look(single, folder), look(ours, folder)) {
        (Ok(single), Ok(ours)) => compare::differences(&single, &ours, wish.target.pictures),
        (Err(error), _) => vec![format!("single cannot be read: {error:#}")],
        (_, Err(error)) => vec![format!("ours cannot be read: {error:#}")],
    };
    // What plain ffmpeg makes of a damaged source need not decode either.
    let complaint = look::complaint(ours, folder);
    if !complaint.is_empty() && look::complaint(single, folder).is_empty() {
        points.push(format!("decoding it says: {complaint}"));
    }
    points
}

fn judge(wish: &Wish, points: &[String], single: &Path, folder: &Path) -> Result<Verdict> {
    Ok(match points {
        [] => Verdict::Exact,
        [point] if point.ends_with(compare::OTHER_PICTURES) && is_lossy(wish, single, folder)? => {
            Verdict::Lossy
        }
        _ => Verdict::Differs,
    })
}

/// Pictures that come out by chance, as damaged ones do where several threads decode, are made so often again.
const TRIES: usize = 4;

/// Whether plain ffmpeg has changed the pictures: its encoder was not lossless, or it does not make the same of
/// them each time. The source is decoded as it is for encoding, in the format of the result.
fn is_lossy(wish: &Wish, single: &Path, folder: &Path) -> Result<bool> {
    let made = look(single, folder)?;
    let filtered = wish.target.film.iter().any(|word| word == "-vf" || word == "-r");
    let format =
        made.streams.iter().find(|stream| is_film(stream)).and_then(|s| s["pix_fmt"].as_str());
    let options = ["-map", "0:V", "-pix_fmt", format.unwrap_or("yuv420p")];
    if !filtered && look::frames(&wish.path, &options, folder)? != made.frames {
        return Ok(true);
    }
    let again = folder.join(format!("again.{}", wish.target.extension));
    let streams = streams(wish, folder)?;
    for _ in 0..TRIES {
        programs::run(&mut plain(wish, &streams, &again), folder)?;
        let differs = look(&again, folder)?.frames != made.frames;
        std::fs::remove_file(&again)?;
        if differs {
            return Ok(true);
        }
    }
    Ok(false)
}

fn left_out(wish: &Wish, size: u64) -> Outcome {
    Outcome {
        file: wish.name.clone(),
        traits: wish.traits.clone(),
        output: wish.target.name.clone(),
        verdict: Verdict::LeftOut,
        points: vec![format!("{size} million pixels")],
        way: String::new(),
        segments: 0,
        reason: String::new(),
    }
}

fn streams(wish: &Wish, folder: &Path) -> Result<Vec<Value>> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-show_streams", "-show_format", "-of", "json"]).arg(&wish.path);
    let ended = programs::run(&mut ffprobe, folder)?;
    let answer: Value = serde_json::from_str(&ended.out).unwrap_or_default();
    let mut streams = answer["streams"].as_array().cloned().unwrap_or_default();
    // Not every container tells how long a stream is.
    for stream in streams.iter_mut().filter(|stream| stream["duration"].is_null()) {
        stream["duration"] = answer["format"]["duration"].clone();
    }
    Ok(streams)
}

/// All pixels of all films, in millions, as far as the headers tell.
fn megapixels(streams: &[Value]) -> u64 {
    let films = streams.iter().filter(|stream| is_film(stream));
    films
        .map(|film| {
            let pixels = film["width"].as_u64().unwrap_or(0) * film["height"].as_u64().unwrap_or(0);
            let number = |text: &Value| text.as_str().and_then(|text| text.parse::<f64>().ok());
            let rate = film["avg_frame_rate"].as_str().and_then(|rate| rate.split_once('/'));
            let rate = rate.and_then(|(num, den)| {
                let (num, den) = (num.parse::<f64>().ok()?, den.parse::<f64>().ok()?);
                (den > 0.0).then_some(num / den)
            });
            // Some containers count a late beginning as duration.
            let start = number(&film["start_time"]).unwrap_or(0.0).max(0.0);
            let seconds = number(&film["duration"]).map_or(1.0, |seconds| match seconds > start {
                true => seconds - start,
                false => seconds,
            });
            let frames = rate.unwrap_or(25.0) * seconds;
            (pixels as f64 * frames / 1e6) as u64
        })
        .sum()
}

fn is_film(stream: &Value) -> bool {
    stream["codec_type"] == "video" && stream["disposition"]["attached_pic"] != 1
}

/// Plain ffmpeg with the streams that are kept by default: all but data, and no files attached to an MP4.
fn plain(wish: &Wish, streams: &[Value], output: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-y", "-v", "error", "-i"]).arg(&wish.path);
    let kept: Vec<&Value> = streams
        .iter()
        .filter(|stream| match stream["codec_type"].as_str() {
            Some("video" | "audio" | "subtitle") => true,
            Some("attachment") => wish.target.keeps_attachments(),
            _ => false,
        })
        .collect();
    for stream in &kept {
        command.arg("-map").arg(format!("0:{}", stream["index"]));
    }
    command.args(["-c", "copy"]);
    let (encoder, options) = wish.target.film.split_at(2.min(wish.target.film.len()));
    for (place, _) in kept.iter().enumerate().filter(|(_, stream)| is_film(stream)) {
        command.arg(format!("-c:{place}")).args(encoder.get(1..).unwrap_or_default());
    }
    // A filter that reads the film once more is told of it by name: in the film's folder it needs no quoting.
    let name = wish.path.file_name().unwrap_or_default().to_string_lossy();
    command.current_dir(wish.path.parent().unwrap_or(Path::new(".")));
    command.args(options.iter().map(|word| word.replace("{source}", &name)));
    command.args(&wish.target.others);
    // A rate of the user's own means ffmpeg's own way of keeping it.
    if !options.iter().any(|word| word == "-r") {
        command.args(same_clock());
    }
    command.arg(output);
    command
}
