//! What is made of a film: an encoder with its options, a filter, a container.
//!
//! Must not know the films.

use std::path::Path;

/// An output.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// What the reports call it.
    pub(crate) name: String,
    /// The extension of the output's name.
    pub(crate) extension: String,
    /// Words of the film's options, `-c:v` first.
    pub(crate) film: Vec<String>,
    /// Words for the other streams: where nothing is said they are copied.
    pub(crate) others: Vec<String>,
    /// What is compared.
    pub(crate) pictures: Pictures,
}

/// What of the pictures is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pictures {
    /// Every pixel.
    Same,
    /// How many there are, and whether they decode.
    Counted,
}

/// The words of a text.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

impl Target {
    /// Lossless, with the pixels compared.
    pub(crate) fn lossless(name: &str, extension: &str, film: &str) -> Self {
        Self {
            name: name.to_owned(),
            extension: extension.to_owned(),
            film: words(film),
            others: Vec::new(),
            pictures: Pictures::Same,
        }
    }

    /// Not lossless: another encoder run makes other pixels.
    pub(crate) fn lossy(name: &str, extension: &str, film: &str) -> Self {
        Self { pictures: Pictures::Counted, ..Self::lossless(name, extension, film) }
    }

    pub(crate) fn ffv1() -> Self {
        Self::lossless("ffv1", "mkv", "-c:v ffv1")
    }

    /// At constant quality, as most people encode: only then are segments told more at their ends. So small a number
    /// is lossless, at all depths.
    pub(crate) fn x264() -> Self {
        Self::lossless("x264", "mp4", "-c:v libx264 -preset veryfast -x264-params crf=-12")
    }

    /// With B-frames, which x264 does not make when it is lossless: DTS and PTS differ.
    pub(crate) fn x264_crf() -> Self {
        Self::lossy("x264-crf", "mp4", "-c:v libx264 -preset veryfast -bf 3 -crf 30")
    }

    /// Whether files attached to the source are kept.
    pub(crate) fn keeps_attachments(&self) -> bool {
        self.extension == "mkv"
    }
}

/// What is made of any file: always a lossless Matroska, and for MP4 and Matroska two MP4, one of them lossless.
pub(crate) fn usual(path: &Path) -> Vec<Target> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "mp4" | "mov" | "3gp" | "m4v" | "mkv" => {
            vec![Target::ffv1(), Target::x264(), Target::x264_crf()]
        }
        _ => vec![Target::ffv1()],
    }
}
