//! Finds out which encoders work on this machine: those that ffmpeg lists are tried.
//!
//! Must not know which options users give them.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use tokio::task::JoinSet;

use crate::invocation::Invocation;
use crate::runner;
use crate::tools::Tools;

/// Encoders of video that may be asked for.
const VIDEO: &[&str] = &[
    "libx264",
    "libx264rgb",
    "libx265",
    "libsvtav1",
    "libaom-av1",
    "librav1e",
    "libvpx",
    "libvpx-vp9",
    "libtheora",
    "libxvid",
    "mpeg4",
    "mpeg2video",
    "mpeg1video",
    "mjpeg",
    "ffv1",
    "ffvhuff",
    "huffyuv",
    "utvideo",
    "prores",
    "prores_ks",
    "prores_aw",
    "dnxhd",
    "cfhd",
    "rawvideo",
    "v210",
    "qtrle",
    "flv",
    "h264_nvenc",
    "hevc_nvenc",
    "av1_nvenc",
    "h264_qsv",
    "hevc_qsv",
    "av1_qsv",
    "vp9_qsv",
    "h264_amf",
    "hevc_amf",
    "av1_amf",
    "h264_videotoolbox",
    "hevc_videotoolbox",
    "prores_videotoolbox",
    "h264_mf",
    "hevc_mf",
];

/// Encoders of sound that may be asked for.
const AUDIO: &[&str] = &[
    "aac",
    "libfdk_aac",
    "aac_at",
    "ac3",
    "eac3",
    "libopus",
    "opus",
    "libvorbis",
    "vorbis",
    "libmp3lame",
    "mp2",
    "libtwolame",
    "flac",
    "alac",
    "wavpack",
    "tta",
    "truehd",
    "dca",
    "pcm_s16le",
    "pcm_s16be",
    "pcm_s24le",
    "pcm_s24be",
    "pcm_s32le",
    "pcm_f32le",
];

/// Trials at once: each is short, and most of its time is the start of the program.
const TRIALS_AT_ONCE: usize = 2;

/// Letters of a digest that are told: two builds of an encoder are to be told apart, not forgers.
const DIGEST_LETTERS: usize = 16;

/// Tries the encoders that ffmpeg lists and that we support; answers those that work, sorted. An encoder
/// for hardware that is not there is listed all the same, which is why each encodes something.
pub async fn usable_encoders(tools: &Tools) -> Vec<String> {
    try_encoders(tools).await.into_keys().collect()
}

/// The same, and of video encoders a digest of the parameter sets that they wrote, empty where one wrote none: two
/// machines on which they differ make segments that cannot stand in one film.
pub async fn try_encoders(tools: &Tools) -> BTreeMap<String, Option<String>> {
    try_where(tools, |_| true).await
}

/// The same for these encoders alone, which is sooner known.
pub async fn try_encoders_among(
    tools: &Tools,
    names: &[String],
) -> BTreeMap<String, Option<String>> {
    try_where(tools, |name| names.iter().any(|wanted| wanted == name)).await
}

async fn try_where(
    tools: &Tools,
    wanted: impl Fn(&str) -> bool,
) -> BTreeMap<String, Option<String>> {
    let listed =
        runner::capture(&tools.ffmpeg, &Invocation::list_encoders(), &env::temp_dir()).await;
    let listed = match listed {
        Ok((_, text)) => text,
        Err(error) => {
            tracing::warn!(%error, "cannot list encoders");
            return BTreeMap::new();
        }
    };
    let listed = parse_list(&listed);
    let video = VIDEO.iter().map(|name| (*name, Invocation::try_video_encoder(name)));
    let audio = AUDIO.iter().map(|name| (*name, Invocation::try_audio_encoder(name)));
    let mut waiting = video.chain(audio).filter(|(name, _)| wanted(name) && listed.contains(*name));
    let mut trials = JoinSet::new();
    let mut usable = BTreeMap::new();
    loop {
        while trials.len() < TRIALS_AT_ONCE
            && let Some((name, invocation)) = waiting.next()
        {
            let ffmpeg = tools.ffmpeg.clone();
            trials.spawn(async move {
                let tried = runner::capture(&ffmpeg, &invocation, &env::temp_dir()).await;
                let (_, text) = tried.ok().filter(|(finished, _)| finished.exit.is_success())?;
                Some((name, VIDEO.contains(&name).then(|| parameter_sets(&text).to_owned())))
            });
        }
        match trials.join_next().await {
            Some(Ok(Some((name, sets)))) => drop(usable.insert(name.to_owned(), sets)),
            Some(Ok(None) | Err(_)) => {}
            None => break,
        }
    }
    usable
}

/// Reads what the muxer of digests writes of the stream's header: `#extradata 0,   39, 601760f5ac2c…`.
fn parameter_sets(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.strip_prefix("#extradata 0,"));
    let digest = line.and_then(|line| line.rsplit(',').next()).map_or("", str::trim);
    digest.get(..DIGEST_LETTERS).unwrap_or(digest)
}

/// Reads `-encoders`: lines of flags, name and description.
pub(crate) fn parse_list(text: &str) -> BTreeSet<&str> {
    let is_flags = |word: &str| word.len() == 6 && word.starts_with(['V', 'A', 'S']);
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            words.next().filter(|flags| is_flags(flags))?;
            words.next().filter(|name| *name != "=")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_list() {
        let text = "Encoders:\n V..... = Video\n ------\n V....D libx264   libx264 H.264\n A..X.. opus  Opus\n";
        assert_eq!(parse_list(text), BTreeSet::from(["libx264", "opus"]));
    }

    #[tokio::test]
    async fn usual_encoders_work_and_absent_hardware_does_not() {
        let tools = Tools::find().await.expect("the tests need ffmpeg");
        let usable = usable_encoders(&tools).await;
        for name in ["libx264", "ffv1", "aac"] {
            assert!(usable.iter().any(|usable| usable == name), "{name} is missing in {usable:?}");
        }
        assert!(
            !usable.iter().any(|name| name == "h264_amf"),
            "nobody builds that into ffmpeg here"
        );
        assert!(usable.is_sorted());
        let asked = ["aac".to_owned(), "libx264".to_owned(), "h264_amf".to_owned()];
        let tried = try_encoders_among(&tools, &asked).await;
        assert_eq!(tried.keys().collect::<Vec<_>>(), ["aac", "libx264"]);
        let wrote = tried["libx264"].as_deref().expect("it encodes video");
        assert_eq!((wrote.len(), &tried["aac"]), (DIGEST_LETTERS, &None), "{wrote}");
    }

    #[test]
    fn the_digest_of_parameter_sets_is_read_and_shortened() {
        let text = "progress=continue\n#format: frame checksums\n#extradata 0,      39, 601760f5ac2c88048516c3412f\n\
            #tb 0: 1/25\n0,  0,  0, 1, 115200, 0011\n";
        assert_eq!(parameter_sets(text), "601760f5ac2c8804");
        assert_eq!(parameter_sets("#tb 0: 1/25\n"), "", "it wrote none");
    }
}
