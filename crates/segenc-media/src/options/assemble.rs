//! Puts every option where it belongs: film, other streams, muxer; adds the defaults.
//!
//! Must not know how words are read, nor why a filter cannot be split.

use segenc_core::rate::RateWish;
use segenc_core::source::StreamKind;
use segenc_core::spec::{
    DynamicHdr, JobSpec, Neighbours, OutputOption, SplitPolicy, StreamMap, Verify, VideoEncode,
    VideoSpec,
};

use super::catalog::{self, Role, Takes};
use super::codecs::{Codecs, Film};
use super::container::{self, Container, Flavour};
use super::encoder::{self, Encoder, Rate, kind_name};
use super::error::{OptionError, OptionErrorKind, shown};
use super::filter::{self, ChainClass};
use super::specifier::{self, Specifier};
use super::words::Given;
use super::{map, rate, split};

/// Quality of the film where nothing is said.
const DEFAULT_CRF: &str = "20";

/// Speed of the encoder where nothing is said.
const DEFAULT_PRESET: &str = "medium";

/// Kinds of streams that may be encoded beside the film.
const OTHERS: [StreamKind; 2] = [StreamKind::Audio, StreamKind::Subtitle];

/// A job in the making.
struct Draft {
    codecs: Codecs,
    container: Container,
    maps: Vec<StreamMap>,
    video: Vec<OutputOption>,
    filter: Option<(String, ChainClass)>,
    rates: Vec<Rate>,
    streams: Vec<OutputOption>,
    mux: Vec<OutputOption>,
}

/// What is known of the output beside the options.
pub(super) struct Target<'a> {
    /// The muxer that a request names.
    pub(super) container: Option<&'a str>,
    /// The file's name.
    pub(super) output_name: Option<&'a str>,
    /// The size that the file is to have.
    pub(super) file_bytes: Option<u64>,
}

/// Makes the job of the options given.
pub(super) fn job(
    args: &[String],
    given: &[Given],
    target: Target<'_>,
) -> Result<JobSpec, OptionError> {
    let format = given
        .iter()
        .rev()
        .find(|option| option.known.is_some_and(|known| known.role == Role::Format));
    let format = format.map(|option| (option.word.as_str(), option.text()));
    let (container, flavour) = container::choose(format, target.container, target.output_name)?;
    let mut draft = Draft {
        codecs: Codecs::read(given, flavour)?,
        container,
        maps: Vec::new(),
        video: Vec::new(),
        filter: None,
        rates: Vec::new(),
        streams: Vec::new(),
        mux: Vec::new(),
    };
    for option in given {
        draft.place(option)?;
    }
    let size = target.file_bytes.map(|bytes| draft.size(bytes)).transpose()?;
    draft.defaults(flavour, size.as_ref());
    if let Some(encoder) = draft.codecs.film.encoder() {
        container::holds(container, encoder.name)?;
    }
    let spec = draft.finish(args, size);
    match (&spec.split, target.file_bytes) {
        (SplitPolicy::Whole { reason }, Some(_)) => Err(rate::in_one_piece(reason)),
        (SplitPolicy::Segments { .. } | SplitPolicy::Retimed { .. }, _)
        | (SplitPolicy::Whole { .. }, None) => Ok(spec),
    }
}

impl Draft {
    fn place(&mut self, given: &Given) -> Result<(), OptionError> {
        let Some(known) = given.known else { return self.place_private(given) };
        match known.role {
            Role::Codec => Ok(()),
            Role::Format | Role::Drop(_) => no_specifier(given),
            Role::Filter => self.place_filter(given),
            Role::Map => {
                no_specifier(given)?;
                self.maps.push(map::parse(&given.word, given.text())?);
                Ok(())
            }
            Role::Metadata => {
                specifier::metadata(&given.word, given.specifier.as_deref())?;
                match given.text().split_once('=') {
                    Some((key, _)) if !key.is_empty() => self.mux(given),
                    _ => return Err(bad_value(given, "takes key=value")),
                }
                Ok(())
            }
            Role::KeepOrDrop => {
                no_specifier(given)?;
                if !matches!(given.text(), "0" | "-1") {
                    return Err(bad_value(given, "takes 0 (keep the source's) or -1 (keep none)"));
                }
                self.mux(given);
                Ok(())
            }
            Role::StreamMuxing => {
                specifier::streams(&given.word, given.specifier.as_deref())?;
                self.mux(given);
                Ok(())
            }
            Role::Muxing => {
                no_specifier(given)?;
                self.mux(given);
                Ok(())
            }
            Role::Encoding(kinds) => {
                if self.place_encoding(given, kinds)? {
                    return Ok(());
                }
                match specifier::streams(&given.word, given.specifier.as_deref())? {
                    Specifier::Any => Err(without_effect(given, kinds)),
                    Specifier::Kind(kind, _) => Err(without_effect(given, &[kind])),
                }
            }
            Role::EncodingAndMuxing(kinds) => {
                self.place_encoding(given, kinds)?;
                self.mux(given);
                Ok(())
            }
        }
    }

    fn mux(&mut self, given: &Given) {
        self.mux.push(option(given));
    }

    /// Gives an option to the encoders it is for; answers whether there was one.
    fn place_encoding(&mut self, given: &Given, kinds: &[StreamKind]) -> Result<bool, OptionError> {
        let mut meant = specifier::streams(&given.word, given.specifier.as_deref())?;
        // ffmpeg takes these for video when nothing is said.
        if meant == Specifier::Any && matches!(given.name.as_str(), "b" | "qscale" | "profile") {
            meant = Specifier::Kind(StreamKind::Video, None);
        }
        if let Specifier::Kind(kind, _) = meant
            && !kinds.contains(&kind)
        {
            return Err(bad_value(given, &format!("is not for {} streams", kind_name(kind))));
        }
        let mut placed = false;
        if kinds.contains(&StreamKind::Video)
            && meant.covers(StreamKind::Video)
            && self.codecs.film.encoder().is_some()
        {
            only_film(given, meant)?;
            self.video.push(option(given));
            placed = true;
        }
        let others = OTHERS.iter().any(|kind| {
            kinds.contains(kind)
                && meant.covers(*kind)
                && self.codecs.encodes(*kind, meant.position())
        });
        if others {
            self.streams.push(option(given));
        }
        Ok(placed || others)
    }

    /// Places an option that only some encoders or containers have.
    fn place_private(&mut self, given: &Given) -> Result<(), OptionError> {
        let name = given.name.as_str();
        let meant = specifier::streams(&given.word, given.specifier.as_deref())?;
        let mut placed = false;
        let film = self
            .codecs
            .film
            .encoder()
            .filter(|encoder| encoder.has(name) && meant.covers(StreamKind::Video));
        if let Some(encoder) = film {
            only_film(given, meant)?;
            self.check_private(given, encoder)?;
            self.video.push(option(given));
            placed = true;
        }
        let others = OTHERS.iter().any(|kind| {
            meant.covers(*kind) && self.codecs.encoders(*kind).any(|encoder| encoder.has(name))
        });
        if others {
            self.streams.push(option(given));
            placed = true;
        }
        if !placed && meant == Specifier::Any && container::options(self.container.family).has(name)
        {
            self.mux(given);
            placed = true;
        }
        if placed { Ok(()) } else { Err(self.not_here(given)) }
    }

    fn check_private(&mut self, given: &Given, encoder: &Encoder) -> Result<(), OptionError> {
        if let Some(list) = encoder.list_of(&given.name) {
            self.rates.push(encoder::check_params(&given.word, list, given.text())?);
        }
        match given.name.as_str() {
            "crf" | "qp" | "cq" => catalog::check_value(&given.word, Takes::Number, given.text()),
            _ => Ok(()),
        }
    }

    /// The option exists, but not for what was chosen.
    fn not_here(&self, given: &Given) -> OptionError {
        let owners = encoder::owners(&given.name);
        if owners.is_empty() {
            return OptionError::new(
                OptionErrorKind::OptionWithoutEffect,
                &given.word,
                format!("container {} has no option {}", self.container.muxer, shown(&given.word)),
            )
            .hint("leave it out, or choose another container with -f or by the output's name");
        }
        let film = match self.codecs.film {
            Film::Chosen(encoder) => format!("the video encoder is {}", encoder.name),
            Film::Default(encoder) => {
                format!("the video encoder is {} unless said otherwise", encoder.name)
            }
            Film::Copied => "video is copied".to_owned(),
            Film::Dropped => "video is dropped".to_owned(),
        };
        OptionError::new(
            OptionErrorKind::OptionWithoutEffect,
            &given.word,
            format!("{} would have no effect: {film}", shown(&given.word)),
        )
        .hint(format!("encoders that have it: {}", owners.join(", ")))
    }

    fn place_filter(&mut self, given: &Given) -> Result<(), OptionError> {
        let text = given.text();
        match specifier::streams(&given.word, given.specifier.as_deref())? {
            meant @ Specifier::Kind(StreamKind::Video, _) => {
                only_film(given, meant)?;
                let chain = filter::parse_filter_chain(text)?;
                let class = filter::classify_video(&chain)?;
                if self.codecs.film.encoder().is_none() {
                    return Err(without_effect(given, &[StreamKind::Video]));
                }
                self.filter = Some((text.to_owned(), class));
                Ok(())
            }
            Specifier::Kind(StreamKind::Audio, position) => {
                filter::check_audio(&filter::parse_filter_chain(text)?)?;
                if !self.codecs.encodes(StreamKind::Audio, position) {
                    return Err(without_effect(given, &[StreamKind::Audio]));
                }
                self.streams.push(option(given));
                Ok(())
            }
            Specifier::Kind(kind, _) => {
                Err(bad_value(given, &format!("is not for {} streams", kind_name(kind))))
            }
            Specifier::Any => Err(OptionError::new(
                OptionErrorKind::BadSpecifier,
                &given.word,
                format!("{} does not say for which streams", shown(&given.word)),
            )
            .hint("use -vf for video or -af for audio")),
        }
    }

    /// The wish for a file of so many bytes.
    fn size(&self, bytes: u64) -> Result<RateWish, OptionError> {
        let film = self.codecs.film.encoder().ok_or_else(rate::no_film)?;
        rate::of_file(film, &self.video, &self.rates, bytes)
    }

    fn defaults(&mut self, flavour: Flavour, size: Option<&RateWish>) {
        let said = |options: &[OutputOption], names: &[&str]| {
            options
                .iter()
                .any(|option| names.contains(&option.name.split(':').next().unwrap_or_default()))
        };
        if let Film::Default(_) = self.codecs.film {
            let silent = size.is_none() && self.rates.iter().all(|rate| *rate == Rate::Silent);
            if silent && !said(&self.video, &["crf", "qp", "b", "q", "qscale", "global_quality"]) {
                self.video.push(OutputOption {
                    name: "crf".to_owned(),
                    value: Some(DEFAULT_CRF.to_owned()),
                });
            }
            if !said(&self.video, &["preset"]) {
                self.video.push(OutputOption {
                    name: "preset".to_owned(),
                    value: Some(DEFAULT_PRESET.to_owned()),
                });
            }
        }
        match flavour {
            // ffmpeg goes by the output's extension here, and the file being written has another name.
            Flavour::BluRay
                if self.container.muxer == "mpegts" && !said(&self.mux, &["mpegts_m2ts_mode"]) =>
            {
                self.mux.push(OutputOption {
                    name: "mpegts_m2ts_mode".to_owned(),
                    value: Some("1".to_owned()),
                });
            }
            Flavour::BluRay | Flavour::Usual | Flavour::SoundOnly | Flavour::SubtitlesOnly => {}
        }
    }

    fn finish(self, args: &[String], size: Option<RateWish>) -> JobSpec {
        let unfiltered = ChainClass::Window(Neighbours::default());
        let class = self.filter.as_ref().map_or(&unfiltered, |(_, class)| class);
        let film = self.codecs.film.encoder();
        // The options are complete only now: the defaults belong into every pass too.
        let rate = match (film, size) {
            (Some(film), Some(size)) => {
                rate::passes(film, &self.video).map(|passes| RateWish { passes, aim: size.aim })
            }
            (Some(film), None) => rate::of_bitrate(film, &self.video, &self.rates),
            (None, _) => None,
        };
        let buffer = film.and_then(|film| rate::buffer(film, &self.video, &self.rates));
        let split = split::policy(
            self.codecs.film,
            &self.video,
            class,
            &self.rates,
            rate.as_ref(),
            buffer.as_ref(),
        );
        let video = match self.codecs.film {
            Film::Chosen(encoder) | Film::Default(encoder) => VideoSpec::Encode(VideoEncode {
                encoder: encoder.name.to_owned(),
                options: self.video,
                filter: self.filter.map(|(text, _)| text),
            }),
            Film::Copied => VideoSpec::Copy,
            Film::Dropped => VideoSpec::Drop,
        };
        JobSpec {
            container: self.container.muxer.to_owned(),
            args: args.to_vec(),
            maps: self.maps,
            video,
            codecs: self.codecs.others,
            stream_options: self.streams,
            mux_options: self.mux,
            dropped_kinds: self.codecs.dropped,
            split,
            verify: Verify::Affordable,
            segment_seconds: None,
            dynamic_hdr: DynamicHdr::Refuse,
            rate,
            buffer,
        }
    }
}

fn option(given: &Given) -> OutputOption {
    OutputOption { name: given.full_name(), value: given.value.clone() }
}

fn no_specifier(given: &Given) -> Result<(), OptionError> {
    match given.specifier {
        None => Ok(()),
        Some(_) => Err(OptionError::new(
            OptionErrorKind::BadSpecifier,
            &given.word,
            format!("{} takes no stream specifier here", shown(&given.word)),
        )
        .hint(format!("write -{}", given.name))),
    }
}

/// Refuses a position other than the film's.
fn only_film(given: &Given, meant: Specifier) -> Result<(), OptionError> {
    match meant.position() {
        Some(position) if position > 0 && meant.covers(StreamKind::Video) => Err(OptionError::new(
            OptionErrorKind::BadSpecifier,
            &given.word,
            format!(
                "{} is for a further video stream, and only the first is encoded",
                shown(&given.word)
            ),
        )
        .hint("use :v; further video streams are copied")),
        Some(_) | None => Ok(()),
    }
}

fn bad_value(given: &Given, why: &str) -> OptionError {
    OptionError::new(
        OptionErrorKind::BadValue,
        &given.word,
        format!("{} {why}", shown(&given.word)),
    )
}

fn without_effect(given: &Given, kinds: &[StreamKind]) -> OptionError {
    let names: Vec<&str> = kinds.iter().map(|kind| kind_name(*kind)).collect();
    let error = OptionError::new(
        OptionErrorKind::OptionWithoutEffect,
        &given.word,
        format!(
            "{} would have no effect: no {} stream it is for is encoded",
            shown(&given.word),
            names.join(" or ")
        ),
    );
    if kinds.contains(&StreamKind::Audio) {
        return error.hint("audio is copied unless an encoder is named, such as -c:a libopus");
    }
    error.hint("leave it out, or name a video encoder, such as -c:v libx264")
}
