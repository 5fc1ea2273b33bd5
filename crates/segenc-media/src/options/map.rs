//! `-map`: which streams of the source are kept.

use segenc_core::spec::{StreamMap, StreamSelector};

use super::error::{OptionError, OptionErrorKind, shown};
use super::specifier::{kind_of_letter, position};

/// Reads the value of one `-map`.
pub(super) fn parse(word: &str, text: &str) -> Result<StreamMap, OptionError> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (optional, rest) = match rest.strip_suffix('?') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.starts_with('[') {
        return Err(bad(word, text, "names the end of a filter graph")
            .hint("use one chain of filters with -vf or -af"));
    }
    let (file, streams) = match rest.split_once(':') {
        Some((file, streams)) => (file, Some(streams)),
        None => (rest, None),
    };
    if file != "0" {
        let what = if position(file).is_some() {
            "names a further input"
        } else {
            "is no stream selector"
        };
        return Err(bad(word, text, what).hint("a job has one source: its streams are 0:…"));
    }
    let selector = match streams {
        None => StreamSelector::All,
        Some(streams) => selector(streams).ok_or_else(|| {
            bad(word, text, "is no stream selector that can be carried over")
                .hint("use 0, 0:3, 0:v, 0:a:1, 0:s?, 0:m:language:eng, or one of these with a minus sign in front")
        })?,
    };
    Ok(StreamMap { negative, optional, selector })
}

fn selector(text: &str) -> Option<StreamSelector> {
    if let Some(tag) = text.strip_prefix("m:") {
        let (key, value) = match tag.split_once(':') {
            Some((key, value)) => (key, Some(value)),
            None => (tag, None),
        };
        let plain = !key.is_empty()
            && !tag.contains(['\\', '\''])
            && !value.is_some_and(|value| value.contains(':'));
        return plain.then(|| StreamSelector::Tag(key.to_owned(), value.map(str::to_owned)));
    }
    if let Some(index) = position(text) {
        return Some(StreamSelector::Index(index));
    }
    let (letter, rest) = match text.split_once(':') {
        Some((letter, rest)) => (letter, Some(position(rest)?)),
        None => (text, None),
    };
    if letter == "V" {
        return Some(StreamSelector::Film(rest));
    }
    Some(StreamSelector::Kind(kind_of_letter(letter)?, rest))
}

fn bad(word: &str, text: &str, what: &str) -> OptionError {
    OptionError::new(OptionErrorKind::BadValue, word, format!("{word} {:?} {what}", shown(text)))
}

#[cfg(test)]
mod tests {
    use segenc_core::source::StreamKind;

    use super::*;

    #[test]
    fn maps_are_read_as_ffmpeg_reads_them() {
        let read =
            |text| parse("-map", text).map(|map| (map.negative, map.optional, map.selector)).ok();
        assert_eq!(read("0"), Some((false, false, StreamSelector::All)));
        assert_eq!(read("-0:d"), Some((true, false, StreamSelector::Kind(StreamKind::Data, None))));
        assert_eq!(
            read("0:a:1?"),
            Some((false, true, StreamSelector::Kind(StreamKind::Audio, Some(1))))
        );
        assert_eq!(read("0:V:0"), Some((false, false, StreamSelector::Film(Some(0)))));
        assert_eq!(read("0:3"), Some((false, false, StreamSelector::Index(3))));
        let tag = StreamSelector::Tag("language".into(), Some("eng".into()));
        assert_eq!(read("0:m:language:eng"), Some((false, false, tag)));
        for text in [
            "1:0",
            "[out]",
            "",
            "0:",
            "0:x",
            "0:p:1",
            "0:a:x",
            "0:#1",
            "a",
            "0:m:",
            "0:a:m:language:eng",
            "--0",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
