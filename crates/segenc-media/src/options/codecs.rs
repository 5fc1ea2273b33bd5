//! Which encoder every kind of stream gets, from `-c`, `-an` and the like.
//!
//! Must not know the encoders' options.

use segenc_core::source::StreamKind;
use segenc_core::spec::CodecChoice;

use super::catalog::Role;
use super::container::Flavour;
use super::encoder::{self, Encoder, kind_name};
use super::error::{OptionError, OptionErrorKind, shown};
use super::specifier::{self, Specifier};
use super::words::Given;

/// The encoder of the film where the user names none.
const DEFAULT_ENCODER: &str = "libx264";

const KINDS: [StreamKind; 5] = [
    StreamKind::Video,
    StreamKind::Audio,
    StreamKind::Subtitle,
    StreamKind::Attachment,
    StreamKind::Data,
];

/// What happens to the film.
#[derive(Debug, Clone, Copy)]
pub(super) enum Film {
    /// Encoded, by the user's choice.
    Chosen(&'static Encoder),
    /// Encoded, because nothing was said.
    Default(&'static Encoder),
    /// Copied.
    Copied,
    /// Left out.
    Dropped,
}

impl Film {
    /// The encoder, where there is one.
    pub(super) fn encoder(self) -> Option<&'static Encoder> {
        match self {
            Self::Chosen(encoder) | Self::Default(encoder) => Some(encoder),
            Self::Copied | Self::Dropped => None,
        }
    }
}

/// All choices.
#[derive(Debug)]
pub(super) struct Codecs {
    /// The film.
    pub(super) film: Film,
    /// The other streams, in the user's order.
    pub(super) others: Vec<CodecChoice>,
    /// Kinds that are dropped.
    pub(super) dropped: Vec<StreamKind>,
    /// Encoders of the other streams.
    encoders: Vec<&'static Encoder>,
}

impl Codecs {
    /// Collects the choices.
    pub(super) fn read(given: &[Given], flavour: Flavour) -> Result<Self, OptionError> {
        let mut codecs = Self {
            film: Film::Copied,
            others: Vec::new(),
            dropped: Vec::new(),
            encoders: Vec::new(),
        };
        let mut film = None;
        for option in given {
            let Some(known) = option.known else { continue };
            if known.role == Role::Codec {
                codecs.choose(option, &mut film)?;
            }
            if let Role::Drop(kind) = known.role {
                codecs.drop_kind(kind);
            }
        }
        match flavour {
            Flavour::Usual | Flavour::BluRay => {}
            Flavour::SoundOnly if film.is_some() => {}
            Flavour::SoundOnly => codecs.drop_kind(StreamKind::Video),
            Flavour::SubtitlesOnly => {
                codecs.drop_kind(StreamKind::Video);
                codecs.drop_kind(StreamKind::Audio);
            }
        }
        codecs.film = if codecs.dropped.contains(&StreamKind::Video) {
            Film::Dropped
        } else {
            match film {
                Some(film) => film,
                None => Film::Default(encoder::find("", DEFAULT_ENCODER, StreamKind::Video)?),
            }
        };
        codecs.encoders = codecs.found_encoders()?;
        Ok(codecs)
    }

    fn drop_kind(&mut self, kind: StreamKind) {
        if !self.dropped.contains(&kind) {
            self.dropped.push(kind);
        }
    }

    fn choose(&mut self, option: &Given, film: &mut Option<Film>) -> Result<(), OptionError> {
        let codec = option.text();
        let word = option.word.as_str();
        match specifier::streams(word, option.specifier.as_deref())? {
            Specifier::Any if codec == "copy" => {
                *film = Some(Film::Copied);
                for kind in KINDS.into_iter().filter(|kind| *kind != StreamKind::Video) {
                    self.others.push(CodecChoice { kind, position: None, codec: codec.to_owned() });
                }
            }
            Specifier::Any => {
                return Err(OptionError::new(
                    OptionErrorKind::BadSpecifier,
                    word,
                    format!("{} {} does not say for which streams", shown(word), shown(codec)),
                )
                .hint(format!("write -c:v {0}, -c:a {0} or -c:s {0}", shown(codec))));
            }
            Specifier::Kind(StreamKind::Video, None | Some(0)) => {
                *film = Some(match codec {
                    "copy" => Film::Copied,
                    _ => Film::Chosen(encoder::find(word, codec, StreamKind::Video)?),
                });
            }
            Specifier::Kind(kind, position) => {
                let encoded = matches!(kind, StreamKind::Audio | StreamKind::Subtitle);
                if codec != "copy" && !encoded {
                    let what =
                        if kind == StreamKind::Video { "further video" } else { kind_name(kind) };
                    return Err(OptionError::new(
                        OptionErrorKind::BadValue,
                        word,
                        format!("{what} streams can only be copied"),
                    )
                    .hint("use copy, or drop them with -map -0:…"));
                }
                if codec != "copy" {
                    encoder::find(word, codec, kind)?;
                }
                self.others.push(CodecChoice { kind, position, codec: codec.to_owned() });
            }
        }
        Ok(())
    }

    /// The encoders that are in force for some stream: choices that a later one replaces do not count.
    fn found_encoders(&self) -> Result<Vec<&'static Encoder>, OptionError> {
        let mut found = Vec::new();
        for (at, choice) in self.others.iter().enumerate() {
            let replaced = self.others[at + 1..].iter().any(|later| {
                later.kind == choice.kind
                    && (later.position.is_none() || later.position == choice.position)
            });
            if choice.codec != "copy" && !replaced && !self.dropped.contains(&choice.kind) {
                found.push(encoder::find("", &choice.codec, choice.kind)?);
            }
        }
        Ok(found)
    }

    /// Encoders in force for other streams of this kind.
    pub(super) fn encoders(&self, kind: StreamKind) -> impl Iterator<Item = &'static Encoder> {
        self.encoders.iter().copied().filter(move |encoder| encoder.kind == kind)
    }

    /// Whether a stream of this kind (at this position, where one is named) is encoded.
    pub(super) fn encodes(&self, kind: StreamKind, position: Option<u32>) -> bool {
        if self.dropped.contains(&kind) {
            return false;
        }
        match position {
            None => self.encoders(kind).next().is_some(),
            Some(_) => self
                .others
                .iter()
                .rev()
                .find(|choice| {
                    choice.kind == kind
                        && (choice.position.is_none() || choice.position == position)
                })
                .is_some_and(|choice| choice.codec != "copy"),
        }
    }
}
