//! Which films are made into what.
//!
//! Must not know how cases are run or told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::case::Wish;
use super::target::{self, Target};
use super::traits;
use crate::fixtures::{self, Wanted};

/// A set of cases.
#[derive(Debug)]
pub(crate) enum Suite {
    /// All files of these folders.
    Files(Vec<PathBuf>),
    /// The hard cases.
    Fixtures,
    /// A few of them, for every change.
    Short,
    /// Encoders.
    Encoders,
    /// Containers of the output.
    Containers,
    /// Filters.
    Filters,
}

/// Those of the hard cases that take little and have broken most often.
const SHORT: [(&str, &str); 12] = [
    ("h264-open-gop.mp4", "ffv1"),
    ("hevc-open-gop.mkv", "ffv1"),
    ("mp4-edit-list.mp4", "x264"),
    ("mp4-negative-ctts.mp4", "ffv1"),
    ("mkv-vfr.mkv", "x264"),
    ("mkv-attachments.mkv", "ffv1"),
    ("start-10h.mkv", "ffv1"),
    ("three-sounds.mp4", "x264"),
    ("ts-wrap.ts", "ffv1"),
    ("zeroed.mkv", "ffv1"),
    ("text.mkv.mp4", "ffv1"),
    ("playlist-local.mkv", "ffv1"),
];

/// Films for encoders and containers: sound and B-frames, a variable rate, 10 bits with HDR, and a whole
/// film of a container that is not cut.
const FEW: [&str; 4] = ["mp4-faststart.mp4", "mkv-vfr.mkv", "hdr10.mp4", "ts-mpeg2.ts"];

/// Films for filters: whole frames, fields, a variable rate, and HDR.
const FILTERED: [&str; 4] =
    ["mp4-faststart.mp4", "mpeg2-film-to-ntsc.mkv", "mkv-vfr.mkv", "hdr10.mp4"];

/// Encoders with options that aim at a quality, and a container that holds what they make.
const ENCODERS: [(&str, &str, &str); 19] = [
    ("libx264", "mkv", "-c:v libx264 -crf 23 -preset veryfast"),
    ("libx264 default", "mp4", "-c:v libx264 -preset veryfast"),
    (
        "libx264 open GOP",
        "mkv",
        "-c:v libx264 -crf 23 -preset veryfast -x264-params open-gop=1:keyint=20",
    ),
    ("libx265", "mp4", "-c:v libx265 -crf 28 -preset ultrafast"),
    (
        "libx265 open GOP",
        "mkv",
        "-c:v libx265 -crf 28 -preset ultrafast -x265-params open-gop=1:keyint=20",
    ),
    ("libsvtav1", "mkv", "-c:v libsvtav1 -crf 40 -preset 12"),
    ("libaom-av1", "webm", "-c:v libaom-av1 -crf 40 -b:v 0 -cpu-used 8"),
    ("librav1e", "mp4", "-c:v librav1e -qp 120 -speed 10"),
    ("libvpx-vp9", "webm", "-c:v libvpx-vp9 -crf 40 -b:v 0 -cpu-used 8 -deadline realtime"),
    ("libvpx", "webm", "-c:v libvpx -crf 30 -b:v 2M -cpu-used 8 -deadline realtime"),
    ("mpeg2video", "mkv", "-c:v mpeg2video -q:v 4 -bf 2"),
    ("mpeg4", "mp4", "-c:v mpeg4 -q:v 4 -bf 2"),
    ("libxvid", "mkv", "-c:v libxvid -q:v 4"),
    ("mjpeg", "mkv", "-c:v mjpeg -q:v 4"),
    ("prores_ks", "mov", "-c:v prores_ks -profile:v 1"),
    ("dnxhd", "mov", "-c:v dnxhd -profile:v dnxhr_sq -pix_fmt yuv422p"),
    ("libtheora", "ogv", "-c:v libtheora -q:v 6"),
    ("ffv1", "mkv", "-c:v ffv1 -level 3 -slices 4"),
    ("libx264 lossless", "mkv", "-c:v libx264 -qp 0 -preset ultrafast"),
];

/// Containers with an encoder that each of them holds, and what becomes of sound.
const CONTAINERS: [(&str, &str, &str, bool); 12] = [
    ("mkv", "-c:v libx264 -qp 0 -preset ultrafast", "", true),
    ("mp4", "-c:v libx264 -qp 0 -preset ultrafast", "", true),
    ("mov", "-c:v libx264 -qp 0 -preset ultrafast", "", true),
    ("m4v", "-c:v libx264 -qp 0 -preset ultrafast", "", true),
    ("webm", "-c:v libvpx-vp9 -lossless 1 -cpu-used 8 -deadline realtime", "-c:a libopus", true),
    ("ts", "-c:v libx264 -qp 0 -preset ultrafast", "", true),
    ("m2ts", "-c:v libx264 -qp 0 -preset ultrafast", "", true),
    ("ogv", "-c:v libtheora -q:v 8", "-c:a libvorbis", false),
    ("avi", "-c:v ffv1", "-c:a pcm_s16le", true),
    ("mxf", "-c:v mpeg2video -q:v 2", "-c:a pcm_s16le", false),
    ("flv", "-c:v libx264 -qp 0 -preset ultrafast", "", true),
    ("nut", "-c:v ffv1", "", true),
];

/// Filters as people write them.
const FILTERS: [&str; 46] = [
    "scale=160:-2",
    "scale=640:360:flags=lanczos",
    "crop=160:90:20:10",
    "pad=400:240:-1:-1",
    "transpose=1",
    "eq=contrast=1.2:saturation=0.8",
    "colorspace=all=bt709:iall=bt601-6-625",
    "zscale=w=160:h=90",
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable,zscale=t=bt709:m=bt709:r=tv,format=yuv420p",
    "lut3d=file=look.cube",
    "hqdn3d",
    "nlmeans=s=2:r=5",
    "atadenoise",
    "bwdif=mode=send_frame",
    "bwdif",
    "yadif",
    "yadif=1",
    "estdif=mode=frame",
    "estdif",
    "fps=50",
    "fps=10",
    "fps=24000/1001",
    "fps=25",
    "fps=ntsc:round=up:eof_action=pass",
    "fps=60,tmix=frames=5",
    "yadif,fps=30000/1001,scale=160:-2",
    "bwdif,deflicker",
    "yadif=1:deint=interlaced",
    "w3fdif",
    "framerate=50",
    "minterpolate=50:mi_mode=blend",
    "decimate",
    "mpdecimate",
    "fieldmatch",
    "fieldmatch,yadif=deint=interlaced,decimate",
    "pullup",
    "deflicker",
    "unsharp",
    "deband",
    "noise=alls=10:allf=t",
    "fade=t=in:st=1:d=2",
    "drawtext=text=hello:fontsize=20",
    "overlay",
    "setpts=PTS*2",
    "hflip,tmix=frames=5",
    "null",
];

/// Films with subtitles, one with the font that they ask for.
const SUBTITLED: [&str; 2] = ["mkv-srt.mkv", "mkv-attachments.mkv"];

/// Filters that read them.
const BURNING: [&str; 3] = [
    "subtitles={source}",
    "scale=640:-2,subtitles=filename={source}:si=0:force_style='Fontsize=40'",
    "subtitles=other.srt",
];

/// Changes of the rate that are options and no filters.
const RATES: [&str; 3] = ["-r 50", "-r 10", "-r 24000/1001"];

impl Suite {
    /// Under which the results are kept.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            Self::Fixtures => "fixtures",
            Self::Short => "short",
            Self::Encoders => "encoders",
            Self::Containers => "containers",
            Self::Filters => "filters",
        }
    }

    /// The cases.
    pub(crate) fn wishes(&self, root: &Path) -> Result<Vec<Wish>> {
        let folder = fixtures::usual(root);
        match self {
            Self::Files(folders) => {
                let all: Vec<Vec<Wish>> =
                    folders.iter().map(|folder| all_files(folder)).collect::<Result<_>>()?;
                Ok(all.into_iter().flatten().collect())
            }
            Self::Fixtures => {
                fixtures::complete(&folder)?;
                all_files(&folder)
            }
            Self::Short => {
                let names: Vec<&str> = SHORT.iter().map(|(name, _)| *name).collect();
                fixtures::complete_some(&folder, &names)?;
                let mut wishes = all_files(&folder)?;
                wishes.retain(|wish| {
                    SHORT
                        .iter()
                        .any(|(file, target)| wish.name == *file && wish.target.name == *target)
                });
                Ok(wishes)
            }
            Self::Encoders => few(&folder, &FEW, &encoders()),
            Self::Containers => few(&folder, &FEW, &containers()),
            Self::Filters => {
                let mut wishes = few(&folder, &FILTERED, &filters())?;
                wishes.extend(few(&folder, &SUBTITLED, &filtered(&BURNING))?);
                Ok(wishes)
            }
        }
    }
}

fn encoders() -> Vec<Target> {
    let targets = ENCODERS.iter().map(|(name, extension, film)| {
        let lossless = name.contains("lossless") || *name == "ffv1";
        let make = if lossless { Target::lossless } else { Target::lossy };
        Target { others: sound_for(extension), ..make(name, extension, film) }
    });
    targets.collect()
}

fn containers() -> Vec<Target> {
    let targets = CONTAINERS.iter().map(|(extension, film, sound, lossless)| {
        let make = if *lossless { Target::lossless } else { Target::lossy };
        Target { others: target::words(sound), ..make(extension, extension, film) }
    });
    targets.collect()
}

fn filters() -> Vec<Target> {
    let rated =
        RATES.iter().map(|rate| Target::lossless(rate, "mkv", &format!("-c:v ffv1 {rate}")));
    filtered(&FILTERS).into_iter().chain(rated).collect()
}

fn filtered(filters: &[&str]) -> Vec<Target> {
    let targets = filters.iter().map(|filter| {
        let mut target = Target::lossless(filter, "mkv", "-c:v ffv1 -vf");
        target.film.push((*filter).to_owned());
        target
    });
    targets.collect()
}

/// Sound that a container holds.
fn sound_for(extension: &str) -> Vec<String> {
    target::words(match extension {
        "webm" => "-c:a libopus",
        "ogv" => "-c:a libvorbis",
        _ => "",
    })
}

/// Some of the hard cases, each made into everything.
fn few(folder: &Path, names: &[&str], targets: &[Target]) -> Result<Vec<Wish>> {
    fixtures::complete_some(folder, names)?;
    let mut wishes = Vec::new();
    for target in targets {
        for name in names {
            wishes.push(Wish {
                path: folder.join(name).canonicalize()?,
                name: (*name).to_owned(),
                traits: String::new(),
                wanted: Wanted::AsPlain,
                target: target.clone(),
            });
        }
    }
    Ok(wishes)
}

/// All files of a folder, each with the usual outputs.
fn all_files(folder: &Path) -> Result<Vec<Wish>> {
    let traits: BTreeMap<String, String> = traits::read(folder);
    let wanted = fixtures::wanted(folder);
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path().canonicalize()?)).collect::<Result<_>>()?;
    let no_film = |path: &Path| path.extension().is_none_or(|ext| ext == "md" || ext == "json");
    paths.retain(|path| path.is_file() && !no_film(path));
    // Small ones first, so that most is known early.
    paths.sort_by_key(|path| (path.metadata().map(|file| file.len()).unwrap_or(0), path.clone()));
    let mut wishes = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for target in target::usual(&path) {
            wishes.push(Wish {
                path: path.clone(),
                name: name.clone(),
                traits: traits.get(&name).cloned().unwrap_or_default(),
                wanted: wanted.get(&name).copied().unwrap_or(Wanted::AsPlain),
                target,
            });
        }
    }
    Ok(wishes)
}
