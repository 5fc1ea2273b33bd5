//! Presets that HandBrake has exported, as options of ffmpeg. What cannot be taken over is named, one by one.
//!
//! The names of keys and values are those of HandBrake's preset files, format 1.x to 60.x.

use serde_json::{Map, Value};
use thiserror::Error;

use super::Preset;

mod keys;

use keys::{ENCODERS, INSTEAD, SILENT, SOUND};

/// Folders in folders; HandBrake itself has two.
const DEPTH_MAX: usize = 8;
/// Presets in one file: a list that people read.
const PRESETS_MAX: usize = 500;

/// A preset that was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// As it is kept.
    pub preset: Preset,
    /// The container that it was made for, by its usual ending.
    pub container: String,
    /// What could not be taken over: key, value, and what to do where something is known.
    pub left_out: Vec<String>,
}

/// Why nothing can be taken over from a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandBrakeError {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    NoJson(String),
    /// It is another JSON.
    #[error("it holds no `PresetList`, so HandBrake has not exported it")]
    NoPresets,
    /// More than anybody reads.
    #[error("it holds more than {PRESETS_MAX} presets")]
    TooMany,
}

/// Reads a file that HandBrake has exported.
///
/// # Errors
/// When it is none.
pub fn from_handbrake(text: &str) -> Result<Vec<Imported>, HandBrakeError> {
    let file: Value =
        serde_json::from_str(text).map_err(|error| HandBrakeError::NoJson(error.to_string()))?;
    let list = file.get("PresetList").and_then(Value::as_array).ok_or(HandBrakeError::NoPresets)?;
    let mut found = Vec::new();
    collect(list, &mut found, 0)?;
    let mut all: Vec<Imported> = Vec::new();
    for keys in found {
        let mut one = Reading::new(keys).read();
        let wished = one.preset.name.clone();
        let mut number = 2;
        while all.iter().any(|before| before.preset.name == one.preset.name) {
            one.preset.name = format!("{wished}-{number}");
            number += 1;
        }
        all.push(one);
    }
    Ok(all)
}

fn collect<'a>(
    list: &'a [Value],
    found: &mut Vec<&'a Map<String, Value>>,
    depth: usize,
) -> Result<(), HandBrakeError> {
    for keys in list.iter().filter_map(Value::as_object) {
        match keys.get("ChildrenArray").and_then(Value::as_array) {
            Some(inside) if !inside.is_empty() && depth < DEPTH_MAX => {
                collect(inside, found, depth + 1)?;
            }
            _ if is_folder(keys) => {}
            _ => found.push(keys),
        }
        if found.len() > PRESETS_MAX {
            return Err(HandBrakeError::TooMany);
        }
    }
    Ok(())
}

fn is_folder(keys: &Map<String, Value>) -> bool {
    keys.get("Folder").is_some_and(|folder| *folder == Value::Bool(true) || *folder == 1)
}

struct Reading<'a> {
    keys: &'a Map<String, Value>,
    args: Vec<String>,
    filters: Vec<String>,
    left_out: Vec<String>,
}

impl<'a> Reading<'a> {
    const fn new(keys: &'a Map<String, Value>) -> Self {
        Self { keys, args: Vec::new(), filters: Vec::new(), left_out: Vec::new() }
    }

    fn read(mut self) -> Imported {
        let container = match self.text("FileFormat") {
            "av_mp4" | "mp4" | "m4v" => "mp4",
            "av_webm" => "webm",
            "" | "av_mkv" | "mkv" => "mkv",
            _ => {
                self.leave_out("FileFormat", "Matroska is used");
                "mkv"
            }
        };
        self.streams();
        self.video();
        self.pictures();
        self.sound();
        if container == "mp4" && (self.is_set("Optimize") || self.is_set("Mp4HttpOptimize")) {
            self.add(&["-movflags", "+faststart"]);
        }
        self.rest();
        let title = self.text("PresetName").to_owned();
        let title = if title.is_empty() { "HandBrake".to_owned() } else { title };
        let told: String =
            self.text("PresetDescription").split_whitespace().collect::<Vec<_>>().join(" ");
        let about = format!("{told} From HandBrake, for .{container}.").trim().to_owned();
        let preset = Preset { name: name_of(&title), title, about, args: self.args };
        Imported { preset, container: container.to_owned(), left_out: self.left_out }
    }

    fn streams(&mut self) {
        let (sound, subtitles) = (
            self.text("AudioTrackSelectionBehavior").to_owned(),
            self.text("SubtitleTrackSelectionBehavior").to_owned(),
        );
        let mut maps: Vec<&str> = Vec::new();
        match sound.as_str() {
            "none" => self.add(&["-an"]),
            "first" => maps.extend(["-map", "-0:a", "-map", "0:a:0?"]),
            _ => {}
        }
        match subtitles.as_str() {
            "none" => self.add(&["-sn"]),
            "first" => maps.extend(["-map", "-0:s", "-map", "0:s:0?"]),
            _ => {}
        }
        if !maps.is_empty() {
            self.add(&["-map", "0"]);
            self.add(&maps);
        }
        if self.keys.get("ChapterMarkers") == Some(&Value::Bool(false)) {
            self.add(&["-map_chapters", "-1"]);
        }
        if self.keys.get("MetadataPassthru") == Some(&Value::Bool(false)) {
            self.leave_out("MetadataPassthru", "tags stay; -metadata changes single ones");
        }
    }

    fn video(&mut self) {
        let wished = self.text("VideoEncoder").to_owned();
        let found = ENCODERS.iter().find(|(known, ..)| *known == wished);
        let Some((_, encoder, quality, format)) = found.copied() else {
            self.leave_out("VideoEncoder", "libx264 is used");
            self.add(&["-c:v", "libx264"]);
            return;
        };
        self.add(&["-c:v", encoder]);
        self.quality(encoder, quality);
        if encoder != "libvpx-vp9" && encoder != "libvpx" && !self.text("VideoPreset").is_empty() {
            let preset = self.text("VideoPreset").to_owned();
            self.add(&["-preset", &preset]);
        } else if !self.text("VideoPreset").is_empty() {
            self.leave_out("VideoPreset", "-deadline and -cpu-used of libvpx are its like");
        }
        if !format.is_empty() {
            self.add(&["-pix_fmt", format]);
        }
        self.tuning(encoder);
    }

    fn quality(&mut self, encoder: &str, quality: &str) {
        let by_bitrate = self.number("VideoQualityType") == Some(1.0);
        if by_bitrate {
            if let Some(bitrate) = self.number("VideoAvgBitrate").filter(|rate| *rate > 0.0) {
                self.add(&["-b:v", &format!("{bitrate}k")]);
            }
            return;
        }
        if self.number("VideoQualityType") == Some(0.0) {
            self.leave_out("VideoQualityType", "encode with --target-size");
        } else if let Some(slider) = self.number("VideoQualitySlider") {
            if quality.is_empty() {
                return;
            }
            let whole = matches!(encoder, "libsvtav1" | "libvpx-vp9" | "libvpx");
            let value = if whole { slider.round() } else { slider };
            self.add(&[quality, &value.to_string()]);
            if encoder.starts_with("libvpx") {
                self.add(&["-b:v", "0"]);
            }
        }
    }

    fn tuning(&mut self, encoder: &str) {
        let extra = self.text("VideoOptionExtra").to_owned();
        let mut params: Vec<String> =
            extra.split(':').filter(|one| !one.is_empty()).map(str::to_owned).collect();
        let tune = self.text("VideoTune").to_owned();
        match (encoder, tune.as_str()) {
            (_, "" | "none") => {}
            ("libx264" | "libx265", tune) => self.add(&["-tune", tune]),
            ("libsvtav1", "vq") => params.push("tune=0".to_owned()),
            ("libsvtav1", "psnr") => params.push("tune=1".to_owned()),
            _ => self.leave_out("VideoTune", ""),
        }
        let profile = self.text("VideoProfile").to_owned();
        match (encoder, profile.as_str()) {
            (_, "" | "auto") | ("libsvtav1", "main") => {}
            ("libx264" | "libx265", profile) => self.add(&["-profile:v", profile]),
            _ => self.leave_out("VideoProfile", ""),
        }
        let level = self.text("VideoLevel").to_owned();
        match (encoder, level.as_str()) {
            (_, "" | "auto") => {}
            ("libx264", level) => self.add(&["-level:v", level]),
            ("libx265", level) => params.push(format!("level-idc={level}")),
            _ => self.leave_out("VideoLevel", ""),
        }
        let name = match encoder {
            "libx264" => "-x264-params",
            "libx265" => "-x265-params",
            "libsvtav1" => "-svtav1-params",
            _ if params.is_empty() => return,
            _ => return self.leave_out("VideoOptionExtra", ""),
        };
        if !params.is_empty() {
            self.add(&[name, &params.join(":")]);
        }
    }

    fn pictures(&mut self) {
        match (self.number("PictureCropMode"), self.keys.get("PictureAutoCrop")) {
            (Some(0.0 | 1.0), _) | (None, Some(Value::Bool(true))) => {
                let key = if self.keys.contains_key("PictureCropMode") {
                    "PictureCropMode"
                } else {
                    "PictureAutoCrop"
                };
                self.leave_out(key, "nothing is cropped; add -vf crop=… where there are bars");
            }
            (Some(2.0), _) => {}
            _ => self.crop(),
        }
        let size = |key: &str| self.number(key).filter(|size| *size > 0.0);
        let scale = match (size("PictureWidth"), size("PictureHeight")) {
            (Some(width), Some(height)) => Some(format!(
                "scale='min({width},iw)':'min({height},ih)':force_original_aspect_ratio=decrease\
                 :force_divisible_by=2"
            )),
            (Some(width), None) => Some(format!("scale='min({width},iw)':-2")),
            (None, Some(height)) => Some(format!("scale=-2:'min({height},ih)'")),
            (None, None) => None,
        };
        self.filters.extend(scale);
        let rate = self.text("VideoFramerate").to_owned();
        if !matches!(rate.as_str(), "" | "auto") {
            if self.text("VideoFramerateMode") == "cfr" {
                self.filters.push(format!("fps={}", exact_rate(&rate)));
            } else {
                self.leave_out(
                    "VideoFramerate",
                    "the source's rate stays; add -vf fps=… for another",
                );
            }
        } else if self.text("VideoFramerateMode") == "cfr" {
            self.leave_out("VideoFramerateMode", "the source's times stay; add -vf fps=…");
        }
        if !self.filters.is_empty() {
            let chain = self.filters.join(",");
            self.add(&["-vf", &chain]);
        }
    }

    fn crop(&mut self) {
        let side = |key: &str| self.number(key).unwrap_or_default();
        let (top, bottom) = (side("PictureTopCrop"), side("PictureBottomCrop"));
        let (left, right) = (side("PictureLeftCrop"), side("PictureRightCrop"));
        if top + bottom + left + right > 0.0 {
            let (across, down) = (left + right, top + bottom);
            self.filters.push(format!("crop=iw-{across}:ih-{down}:{left}:{top}"));
        }
    }

    fn sound(&mut self) {
        let tracks = self.keys.get("AudioList").and_then(Value::as_array);
        let tracks: Vec<&Map<String, Value>> =
            tracks.into_iter().flatten().filter_map(Value::as_object).collect();
        if self.args.iter().any(|word| word == "-an") {
            return;
        }
        let Some(track) = tracks.first() else { return self.add(&["-c:a", "copy"]) };
        let text = |key: &str| track.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key: &str| track.get(key).and_then(Value::as_f64);
        let wished = text("AudioEncoder").to_owned();
        if wished.starts_with("copy") {
            self.add(&["-c:a", "copy"]);
        } else if let Some((_, encoder)) = SOUND.iter().find(|(known, _)| *known == wished) {
            self.add(&["-c:a", encoder]);
            if wished == "fdk_aac" || wished == "ca_aac" {
                self.left_out.push(format!("AudioEncoder = {wished}: ffmpeg's own aac is used"));
            }
            let bitrate = number("AudioBitrate").filter(|rate| *rate > 0.0);
            if let Some(bitrate) = bitrate.filter(|_| !wished.starts_with("flac")) {
                self.add(&["-b:a", &format!("{bitrate}k")]);
            }
            match text("AudioMixdown") {
                "" | "none" => {}
                "mono" | "left_only" | "right_only" => self.add(&["-ac", "1"]),
                "stereo" | "dpl1" | "dpl2" => self.add(&["-ac", "2"]),
                "5point1" => self.add(&["-ac", "6"]),
                "7point1" => self.add(&["-ac", "8"]),
                other => self.left_out.push(format!("AudioMixdown = {other}")),
            }
            match text("AudioSamplerate") {
                "" | "auto" => {}
                rate => match rate.parse::<f64>() {
                    Ok(kilohertz) => self.add(&["-ar", &format!("{}", kilohertz * 1000.0)]),
                    Err(_) => self.left_out.push(format!("AudioSamplerate = {rate}")),
                },
            }
        } else {
            self.left_out.push(format!("AudioEncoder = {wished}: the sound is copied"));
            self.add(&["-c:a", "copy"]);
        }
        for key in ["AudioTrackGainSlider", "AudioTrackDRCSlider"] {
            if number(key).is_some_and(|value| value != 0.0) {
                self.left_out.push(format!("{key} = {}", number(key).unwrap_or_default()));
            }
        }
        if tracks.len() > 1 {
            self.left_out.push(format!(
                "AudioList: only the first of {} ways to encode a track is used, for all tracks",
                tracks.len()
            ));
        }
    }

    /// Names what is left.
    fn rest(&mut self) {
        for (key, value) in self.keys {
            if SILENT.contains(&key.as_str()) || is_neutral(value) {
                continue;
            }
            let known = INSTEAD.iter().find(|(known, _)| known == key);
            self.leave_out(key, known.map_or("it is not known here", |(_, instead)| instead));
        }
    }

    fn text(&self, key: &str) -> &str {
        self.keys.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, key: &str) -> Option<f64> {
        let value = self.keys.get(key)?;
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    }

    fn is_set(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|value| *value == Value::Bool(true) || *value == 1)
    }

    fn add(&mut self, words: &[&str]) {
        self.args.extend(words.iter().map(|word| (*word).to_owned()));
    }

    fn leave_out(&mut self, key: &str, instead: &str) {
        let value = match self.keys.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let instead = if instead.is_empty() { String::new() } else { format!(": {instead}") };
        self.left_out.push(format!("{key} = {value}{instead}"));
    }
}

/// Whether a value asks for nothing.
fn is_neutral(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => {
            matches!(
                text.as_str(),
                "" | "off" | "none" | "auto" | "default" | "und" | "any" | "angle=0:hflip=0"
            )
        }
        Value::Array(list) => list.iter().all(is_neutral),
        Value::Object(keys) => keys.is_empty(),
    }
}

/// HandBrake rounds the rates of television.
fn exact_rate(rate: &str) -> &str {
    match rate {
        "23.976" => "24000/1001",
        "29.97" => "30000/1001",
        "59.94" => "60000/1001",
        "119.88" => "120000/1001",
        other => other,
    }
}

/// A name that presets can have.
fn name_of(title: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let plain: String = title.to_ascii_lowercase().chars().map(letter).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(super::NAME_MAX - 4).collect();
    if name.is_empty() { "handbrake".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options;

    fn one(text: &str) -> Imported {
        let mut all = from_handbrake(text).expect("HandBrake writes it so");
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[track_caller]
    fn parses(imported: &Imported) {
        let parsed = options::parse(&imported.preset.args, Some(&imported.container), None);
        assert!(parsed.is_ok(), "{:?}: {parsed:?}", imported.preset.args);
    }

    #[test]
    fn a_preset_for_every_device_becomes_options() {
        let imported = one(include_str!("handbrake-fast.json"));
        assert_eq!(imported.preset.name, "fast-1080p30");
        assert_eq!(imported.container, "mp4");
        let words = imported.preset.args.join(" ");
        assert_eq!(
            words,
            "-sn -map 0 -map -0:a -map 0:a:0? -c:v libx264 -crf 22 -preset fast -pix_fmt yuv420p \
             -profile:v main -level:v 4.0 -vf \
             scale='min(1920,iw)':'min(1080,ih)':force_original_aspect_ratio=decrease:force_divisible_by=2 \
             -c:a aac -b:a 160k -ac 2 -movflags +faststart"
        );
        let named = |key: &str| imported.left_out.iter().any(|one| one.starts_with(key));
        assert!(named("PictureCropMode") && named("VideoFramerate"), "{:?}", imported.left_out);
        assert!(named("PictureDeinterlaceFilter = decomb"), "{:?}", imported.left_out);
        assert!(!named("PresetName") && !named("Default"), "{:?}", imported.left_out);
        parses(&imported);
    }

    #[test]
    fn presets_in_folders_are_found_with_x265_and_av1() {
        let all = from_handbrake(include_str!("handbrake-folder.json")).expect("it is one");
        let names: Vec<&str> = all.iter().map(|one| one.preset.name.as_str()).collect();
        assert_eq!(names, ["h-265-mkv-2160p60", "av1-film", "av1-film-2"]);
        let words = all[0].preset.args.join(" ");
        assert!(
            words.contains("-c:v libx265 -b:v 6000k -preset slow -pix_fmt yuv420p10le"),
            "{words}"
        );
        assert!(
            words.contains("-tune grain")
                && words.contains("-x265-params strong-intra-smoothing=0:rect=0"),
            "{words}"
        );
        assert!(
            words.contains("crop=iw-8:ih-4:4:2") && words.contains("fps=24000/1001"),
            "{words}"
        );
        assert!(words.contains("-c:a copy"), "{words}");
        let words = all[1].preset.args.join(" ");
        assert!(words.contains("-c:v libsvtav1 -crf 31 -preset 5"), "{words}");
        assert!(words.contains("-svtav1-params film-grain=8:tune=0"), "{words}");
        assert!(words.contains("-c:a libopus -b:a 128k -ac 6"), "{words}");
        assert!(all[1].left_out.iter().any(|one| one.starts_with("AudioList")));
        all.iter().for_each(parses);
    }

    #[test]
    fn what_is_no_preset_is_said() {
        assert!(matches!(from_handbrake("{"), Err(HandBrakeError::NoJson(_))));
        assert_eq!(from_handbrake("{\"a\":1}"), Err(HandBrakeError::NoPresets));
        let odd =
            one(r#"{"PresetList":[{"PresetName":"Ä","VideoEncoder":"theora","Surprise":3}]}"#);
        assert_eq!(odd.preset.name, "handbrake");
        assert!(odd.left_out.iter().any(|one| one.starts_with("Surprise = 3")));
        assert!(odd.left_out.iter().any(|one| one.starts_with("VideoEncoder = theora")));
        parses(&odd);
    }
}
