//! The `Range` header of a request, as far as it is needed (RFC 9110, section 14).

use std::ops::Range;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything: no range, or one that may be ignored.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes beyond the end.
    Beyond,
}

/// Understands a single range of a file of `size` bytes. Several ranges at once are ignored, as allowed.
pub(super) fn asked(header: Option<&str>, size: u64) -> Asked {
    let Some(spec) = header.and_then(|value| value.trim().strip_prefix("bytes=")) else {
        return Asked::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asked::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (first.trim(), last.trim()) {
        ("", "") => return Asked::Whole,
        ("", suffix) => number(suffix).map(|length| size.saturating_sub(length)..size),
        (first, "") => number(first).map(|first| first..size),
        (first, last) => number(first).zip(number(last)).and_then(|(first, last)| {
            (first <= last).then(|| first..last.saturating_add(1).min(size))
        }),
    };
    match range {
        None => Asked::Whole,
        Some(range) if range.start >= range.end => Asked::Beyond,
        Some(range) => Asked::Part(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_understood_as_the_rfc_says() {
        for (header, wanted) in [
            (None, Asked::Whole),
            (Some("bytes=0-"), Asked::Part(0..100)),
            (Some("bytes=10-19"), Asked::Part(10..20)),
            (Some("bytes=90-1000"), Asked::Part(90..100)),
            (Some("bytes=-10"), Asked::Part(90..100)),
            (Some("bytes=-1000"), Asked::Part(0..100)),
            (Some("bytes=100-"), Asked::Beyond),
            (Some("bytes=-0"), Asked::Beyond),
            (Some("bytes=5-4"), Asked::Whole),
            (Some("bytes=0-1,5-6"), Asked::Whole),
            (Some("bytes=-"), Asked::Whole),
            (Some("frames=1-2"), Asked::Whole),
            (Some("bytes=99999999999999999999-"), Asked::Whole),
        ] {
            assert_eq!(asked(header, 100), wanted, "{header:?}");
        }
    }
}
