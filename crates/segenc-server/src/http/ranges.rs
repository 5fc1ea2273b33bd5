//! Which part of a file is asked for: `Range` and `If-Range` (RFC 9110, sections 13 and 14).
//!
//! Pure. One range is served; several at once are answered with the whole file, which the standard allows.

use axum::http::{HeaderMap, header};

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    /// Everything.
    Whole,
    /// From the first to the last byte of these, both included.
    Part { first: u64, last: u64 },
    /// Nothing of what is asked for is there.
    Unsatisfiable,
}

/// Decides what to send of a file of `size` bytes whose strong tag is `etag`.
pub(super) fn select(headers: &HeaderMap, etag: &str, size: u64) -> Selection {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(range) = text(header::RANGE) else { return Selection::Whole };
    // Only the very same tag counts: a weak one, a date, or another tag means another file, perhaps.
    if text(header::IF_RANGE).is_some_and(|wanted| wanted.trim() != etag) {
        return Selection::Whole;
    }
    parse(range, size)
}

fn parse(range: &str, size: u64) -> Selection {
    let Some((unit, spec)) = range.split_once('=') else { return Selection::Whole };
    let (spec, several) = (spec.trim(), spec.contains(','));
    let Some((first, last)) = spec.split_once('-') else { return Selection::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || several {
        return Selection::Whole;
    }
    let (first, last) = (first.trim(), last.trim());
    let (Some(first), Some(last)) = (number(first), number(last)) else { return Selection::Whole };
    let end = size.saturating_sub(1);
    match (first, last) {
        (None, None) => Selection::Whole,
        (Some(first), Some(last)) if last < first => Selection::Whole,
        (None, Some(0)) => Selection::Unsatisfiable,
        _ if size == 0 => Selection::Unsatisfiable,
        (None, Some(suffix)) => Selection::Part { first: size.saturating_sub(suffix), last: end },
        (Some(first), _) if first >= size => Selection::Unsatisfiable,
        (Some(first), None) => Selection::Part { first, last: end },
        (Some(first), Some(last)) => Selection::Part { first, last: last.min(end) },
    }
}

/// An empty text is an absent number; digits alone are one. Numbers beyond `u64` are as far as it goes.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_mean_what_the_standard_says() {
        let part = |first, last| Selection::Part { first, last };
        for (range, size, wanted) in [
            ("bytes=0-0", 10, part(0, 0)),
            ("bytes=2-5", 10, part(2, 5)),
            ("bytes=2-", 10, part(2, 9)),
            ("bytes=2-99", 10, part(2, 9)),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-30", 10, part(0, 9)),
            ("Bytes=9-9", 10, part(9, 9)),
            ("bytes=10-", 10, Selection::Unsatisfiable),
            ("bytes=-0", 10, Selection::Unsatisfiable),
            ("bytes=0-", 0, Selection::Unsatisfiable),
            ("bytes=99999999999999999999-", 10, Selection::Unsatisfiable),
            ("bytes=5-2", 10, Selection::Whole),
            ("bytes=0-1,3-4", 10, Selection::Whole),
            ("bytes=", 10, Selection::Whole),
            ("bytes=-", 10, Selection::Whole),
            ("bytes=a-b", 10, Selection::Whole),
            ("bytes=+1-2", 10, Selection::Whole),
            ("frames=0-1", 10, Selection::Whole),
            ("nonsense", 10, Selection::Whole),
        ] {
            assert_eq!(parse(range, size), wanted, "{range} of {size}");
        }
    }

    #[test]
    fn a_range_of_another_version_gets_the_whole_file() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        for (tag, wanted) in [
            ("\"a\"", Selection::Part { first: 0, last: 1 }),
            ("\"b\"", Selection::Whole),
            ("W/\"a\"", Selection::Whole),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Selection::Whole),
        ] {
            headers.insert(header::IF_RANGE, HeaderValue::from_static(tag));
            assert_eq!(select(&headers, "\"a\"", 10), wanted, "{tag}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_inside_the_file(range in "bytes=.{0,20}", size in 0_u64..100) {
            if let Selection::Part { first, last } = parse(&range, size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
