//! Containers that an output may have: by the muxer's name, or by the extension of the output's name.
//!
//! Must not know encoders beyond which film formats a container can hold at all.

use segenc_core::spec::{JobSpec, VideoSpec};

use super::error::{OptionError, OptionErrorKind, nearest, shown};
use super::table::Names;

/// A family of muxers that share their options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Matroska and `WebM`.
    Matroska,
    /// MP4 and `QuickTime`.
    Mov,
    /// MPEG transport stream.
    MpegTs,
    /// MPEG program stream.
    MpegPs,
    /// AVI.
    Avi,
    /// Ogg.
    Ogg,
    /// MXF.
    Mxf,
    /// FLV.
    Flv,
    /// NUT.
    Nut,
}

/// A container, chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Container {
    /// ffmpeg's name of the muxer.
    pub(super) muxer: &'static str,
    /// Its family.
    pub(super) family: Family,
}

/// What is special about an output because of its name's extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Nothing.
    Usual,
    /// Sound only by convention (`mka`): no film unless asked for.
    SoundOnly,
    /// Subtitles only by convention (`mks`).
    SubtitlesOnly,
    /// Blu-ray's packets of 192 bytes, which ffmpeg chooses by the extension.
    BluRay,
}

const MUXERS: &[(&str, Family)] = &[
    ("matroska", Family::Matroska),
    ("webm", Family::Matroska),
    ("mp4", Family::Mov),
    ("mov", Family::Mov),
    ("ipod", Family::Mov),
    ("mpegts", Family::MpegTs),
    ("mpeg", Family::MpegPs),
    ("vob", Family::MpegPs),
    ("avi", Family::Avi),
    ("ogg", Family::Ogg),
    ("ogv", Family::Ogg),
    ("mxf", Family::Mxf),
    ("flv", Family::Flv),
    ("nut", Family::Nut),
];

const EXTENSIONS: &[(&str, &str, Flavour)] = &[
    ("mkv", "matroska", Flavour::Usual),
    ("mk3d", "matroska", Flavour::Usual),
    ("mka", "matroska", Flavour::SoundOnly),
    ("mks", "matroska", Flavour::SubtitlesOnly),
    ("webm", "webm", Flavour::Usual),
    ("mp4", "mp4", Flavour::Usual),
    ("m4v", "ipod", Flavour::Usual),
    ("mov", "mov", Flavour::Usual),
    ("qt", "mov", Flavour::Usual),
    ("ts", "mpegts", Flavour::Usual),
    ("mts", "mpegts", Flavour::BluRay),
    ("m2ts", "mpegts", Flavour::BluRay),
    ("mpg", "mpeg", Flavour::Usual),
    ("mpeg", "mpeg", Flavour::Usual),
    ("vob", "vob", Flavour::Usual),
    ("avi", "avi", Flavour::Usual),
    ("ogg", "ogg", Flavour::Usual),
    ("ogv", "ogv", Flavour::Usual),
    ("mxf", "mxf", Flavour::Usual),
    ("flv", "flv", Flavour::Usual),
    ("nut", "nut", Flavour::Usual),
];

/// Muxers that people know and that make no single file.
const NO_SINGLE_FILE: Names = Names(
    "\
     tee hls dash segment stream_segment ssegment image2 image2pipe null smoothstreaming hds
     fifo rtp rtsp rtp_mpegts sap sdl sdl2 opengl alsa pulse oss fbdev xv caca decklink v4l2
     video4linux2 webm_chunk webm_dash_manifest chromaprint framemd5 md5 hash framehash
     streamhash crc framecrc ffmetadata mpjpeg whip",
);

/// Finds the container of an output: `-f` first, then what the request names, then the extension.
pub(super) fn choose(
    format: Option<(&str, &str)>,
    container: Option<&str>,
    output_name: Option<&str>,
) -> Result<(Container, Flavour), OptionError> {
    let from_name = output_name.and_then(by_extension);
    let flavour = from_name.map_or(Flavour::Usual, |(_, flavour)| flavour);
    if let Some((word, muxer)) = format {
        return Ok((by_muxer(word, muxer)?, flavour));
    }
    if let Some(muxer) = container {
        // A request's field may say `mkv` as well: nothing else can be meant by it.
        if let Some((found, own)) =
            by_extension(&format!("x.{muxer}")).filter(|_| find(muxer).is_none())
        {
            return Ok((found, own));
        }
        return Ok((by_muxer(muxer, muxer)?, flavour));
    }
    from_name.ok_or_else(|| {
        let name = output_name.unwrap_or_default();
        let extensions: Vec<&str> = EXTENSIONS.iter().map(|(extension, ..)| *extension).collect();
        OptionError::new(
            OptionErrorKind::BadContainer,
            name,
            format!("the container cannot be told from the output's name {:?}", shown(name)),
        )
        .hint(format!(
            "name it with -f, or give the output one of these extensions: {}",
            extensions.join(", ")
        ))
    })
}

/// A name that leads to what this wish has by its output's name alone, which is not kept.
pub(super) fn name_like(spec: &JobSpec) -> &'static str {
    match &spec.video {
        // The one that drops the film even where an encoder is named for it.
        VideoSpec::Drop => "subtitles.mks",
        VideoSpec::Encode(_) | VideoSpec::Copy
            if spec.mux_options.iter().any(|option| option.name == "mpegts_m2ts_mode") =>
        {
            "film.m2ts"
        }
        VideoSpec::Encode(_) | VideoSpec::Copy => "film.mkv",
    }
}

fn find(muxer: &str) -> Option<Container> {
    MUXERS
        .iter()
        .find(|(name, _)| *name == muxer)
        .map(|&(muxer, family)| Container { muxer, family })
}

fn by_extension(name: &str) -> Option<(Container, Flavour)> {
    let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let (_, muxer, flavour) = EXTENSIONS.iter().find(|(known, ..)| *known == extension)?;
    find(muxer).map(|container| (container, *flavour))
}

fn by_muxer(word: &str, muxer: &str) -> Result<Container, OptionError> {
    if let Some(found) = find(muxer) {
        return Ok(found);
    }
    if NO_SINGLE_FILE.has(muxer) {
        return Err(OptionError::new(
            OptionErrorKind::BadContainer,
            word,
            format!("container {} does not make one media file", shown(muxer)),
        )
        .hint("make one file, such as mkv or mp4, and package it afterwards"));
    }
    let error = OptionError::new(
        OptionErrorKind::BadContainer,
        word,
        format!("container {} is not known here", shown(muxer)),
    );
    if let Some((found, _)) = by_extension(&format!("x.{muxer}")) {
        return Err(error.hint(format!("its name in ffmpeg is {}", found.muxer)));
    }
    let names: Vec<&str> = MUXERS.iter().map(|(name, _)| *name).collect();
    Err(match nearest(muxer, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(format!("known ones: {}", names.join(", "))),
    })
}

/// Checks that a container can hold what an encoder makes, where that is a common mistake.
pub(super) fn holds(container: Container, encoder: &str) -> Result<(), OptionError> {
    let suits: &[&str] = match container.muxer {
        "webm" => &["vp8", "vp9", "av1", "vpx"],
        "ogg" | "ogv" => &["theora", "vp8", "libvpx"],
        _ => return Ok(()),
    };
    if suits.iter().any(|part| encoder.contains(part)) {
        return Ok(());
    }
    let instead = match container.muxer {
        "webm" => "-c:v libsvtav1 or -c:v libvpx-vp9",
        _ => "-c:v libtheora, or an output in mkv",
    };
    Err(OptionError::new(
        OptionErrorKind::BadContainer,
        encoder,
        format!("container {} cannot hold what {encoder} makes", container.muxer),
    )
    .hint(format!("use {instead}")))
}

/// The options that the muxers of a family have, beside those of all muxers.
pub(super) fn options(family: Family) -> Names {
    match family {
        Family::Matroska => Names(
            "\
             reserve_index_space cues_to_front cluster_size_limit cluster_time_limit
             allow_raw_vfw flipped_raw_rgb write_crc32 default_mode",
        ),
        Family::Mov => Names(
            "\
             movflags moov_size skip_iods iods_audio_profile iods_video_profile frag_duration
             min_frag_duration frag_size video_track_timescale brand use_editlist fragment_index
             mov_gamma frag_interleave use_stream_ids_as_track_ids write_btrt write_tmcd
             empty_hdlr_name movie_timescale",
        ),
        Family::MpegTs => Names(
            "\
             mpegts_transport_stream_id mpegts_original_network_id mpegts_service_id
             mpegts_service_type mpegts_pmt_start_pid mpegts_start_pid mpegts_m2ts_mode muxrate
             pes_payload_size mpegts_flags tables_version omit_video_pes_length pcr_period
             pat_period sdt_period nit_period",
        ),
        Family::MpegPs => Names(
            "\
             muxrate preload",
        ),
        Family::Avi => Names(
            "\
             reserve_index_space write_channel_mask flipped_raw_rgb",
        ),
        Family::Ogg => Names(
            "\
             serial_offset oggpagesize pagesize page_duration",
        ),
        Family::Mxf => Names(
            "\
             signal_standard store_user_comments",
        ),
        Family::Flv => Names(
            "\
             flvflags",
        ),
        Family::Nut => Names(
            "\
             syncpoints write_index",
        ),
    }
}

/// All families, to look an option up that the chosen one does not have.
pub(super) const FAMILIES: &[Family] = &[
    Family::Matroska,
    Family::Mov,
    Family::MpegTs,
    Family::MpegPs,
    Family::Avi,
    Family::Ogg,
    Family::Mxf,
    Family::Flv,
    Family::Nut,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_leads_to_a_known_muxer() {
        for (extension, muxer, _) in EXTENSIONS {
            let found = choose(None, None, Some(&format!("film.{extension}")))
                .map(|(found, _)| found.muxer);
            assert_eq!(found.as_deref(), Ok(*muxer));
        }
    }

    #[test]
    fn the_option_outranks_the_request_and_the_name() {
        let muxer =
            |format, container, name| choose(format, container, name).map(|(found, _)| found.muxer);
        assert_eq!(muxer(Some(("-f", "mov")), Some("mp4"), Some("a.mkv")), Ok("mov"));
        assert_eq!(muxer(None, Some("mp4"), Some("a.mkv")), Ok("mp4"));
        assert_eq!(muxer(None, Some("mkv"), None), Ok("matroska"));
        assert_eq!(muxer(None, None, Some("A.MKV")), Ok("matroska"));
    }

    #[test]
    fn outputs_that_are_not_one_file_are_refused() {
        for muxer in ["tee", "hls", "null", "mkv", "matrosca", "", "rawvideo"] {
            assert!(choose(Some(("-f", muxer)), None, Some("a.mkv")).is_err(), "{muxer}");
        }
        assert!(choose(None, None, Some("film")).is_err());
        assert!(choose(None, None, None).is_err());
    }
}
