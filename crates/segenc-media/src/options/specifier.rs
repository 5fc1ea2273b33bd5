//! Stream specifiers behind an option's name (`:v`, `:a:1`, `:s:a:0` of metadata).
//!
//! Knows no option; only says which output streams are meant.

use segenc_core::source::StreamKind;

use super::error::{OptionError, OptionErrorKind, shown};

/// The most streams of one kind that a specifier can count; real files have some dozens.
const MAX_POSITION: u32 = 999;

/// Which output streams an option is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Specifier {
    /// All.
    Any,
    /// Those of a kind, or the n-th of it.
    Kind(StreamKind, Option<u32>),
}

impl Specifier {
    /// Whether streams of this kind are meant.
    pub(super) fn covers(self, kind: StreamKind) -> bool {
        match self {
            Self::Any => true,
            Self::Kind(named, _) => named == kind,
        }
    }

    /// The position among the streams of its kind, where one is named.
    pub(super) fn position(self) -> Option<u32> {
        match self {
            Self::Any => None,
            Self::Kind(_, position) => position,
        }
    }
}

/// The letter that names a kind in a specifier.
pub(super) fn kind_of_letter(letter: &str) -> Option<StreamKind> {
    match letter {
        "v" | "V" => Some(StreamKind::Video),
        "a" => Some(StreamKind::Audio),
        "s" => Some(StreamKind::Subtitle),
        "t" => Some(StreamKind::Attachment),
        "d" => Some(StreamKind::Data),
        _ => None,
    }
}

/// Reads the specifier of an option that is about streams. `word` is the whole option as typed.
pub(super) fn streams(word: &str, text: Option<&str>) -> Result<Specifier, OptionError> {
    let Some(text) = text else { return Ok(Specifier::Any) };
    let (letter, rest) = match text.split_once(':') {
        Some((letter, rest)) => (letter, Some(rest)),
        None => (text, None),
    };
    let Some(kind) = kind_of_letter(letter) else {
        return Err(bad(word));
    };
    let position = rest.map(|rest| position(rest).ok_or_else(|| bad(word))).transpose()?;
    Ok(Specifier::Kind(kind, position))
}

/// Checks the specifier of `-metadata`: nothing, `g`, `s[:KIND[:N]]` or `c:N`.
pub(super) fn metadata(word: &str, text: Option<&str>) -> Result<(), OptionError> {
    match text {
        None | Some("g" | "s") => Ok(()),
        Some(text) => {
            if let Some(chapter) = text.strip_prefix("c:") {
                return position(chapter).map(|_| ()).ok_or_else(|| bad(word));
            }
            match text.strip_prefix("s:") {
                Some(rest) => streams(word, Some(rest)).map(|_| ()),
                None => Err(bad(word)),
            }
        }
    }
}

/// A small decimal number, and nothing else.
pub(super) fn position(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= MAX_POSITION)
}

fn bad(word: &str) -> OptionError {
    OptionError::new(
        OptionErrorKind::BadSpecifier,
        word,
        format!("the stream specifier of {} is not one that can be carried over", shown(word)),
    )
    .hint("name streams by kind and position: v, a, s, d, t, or a:0 for the first audio stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_positions_are_understood_and_numbers_refused() {
        assert_eq!(
            streams("-b:a:1", Some("a:1")).ok(),
            Some(Specifier::Kind(StreamKind::Audio, Some(1)))
        );
        assert_eq!(streams("-c", None).ok(), Some(Specifier::Any));
        for text in
            ["1", "", "a:", "a:x", "a:1:2", "m:language:eng", "p:1", "#3", "i:3", "a:99999", "a:+1"]
        {
            assert!(streams("-c", Some(text)).is_err(), "{text} must be refused");
        }
    }

    #[test]
    fn metadata_names_file_streams_or_chapters() {
        for text in ["g", "s", "s:a", "s:a:0", "c:3"] {
            assert!(metadata("-metadata", Some(text)).is_ok(), "{text}");
        }
        for text in ["s:0", "c", "x", "s:m:title", ""] {
            assert!(metadata("-metadata", Some(text)).is_err(), "{text}");
        }
    }
}
