//! EBML elements (RFC 8794): identifier, size, content. Knows no meaning of them.

use std::io::{self, Read, Seek};

use super::window::Window;

/// One element's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    /// With its length bits, as it is written.
    pub(super) id: u32,
    /// Where its content begins.
    pub(super) content: u64,
    /// Where it ends; `None` where it does not say.
    pub(super) end: Option<u64>,
}

/// The element at a position; `None` if there is none.
pub(super) fn element<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
) -> io::Result<Option<Element>> {
    let Some((id, id_bytes)) = number(window, at, 4)? else { return Ok(None) };
    let Some((coded, size_bytes)) = number(window, at + id_bytes, 8)? else { return Ok(None) };
    let content = at + id_bytes + size_bytes;
    let value = without_marker(coded, size_bytes);
    let unknown = value == (1 << (7 * size_bytes)) - 1;
    let end = if unknown { None } else { Some(content.saturating_add(value)) };
    let id = u32::try_from(id).unwrap_or(0);
    Ok(Some(Element { id, content, end }))
}

/// A number in as few bytes as its leading bits say, and how many these are.
pub(super) fn track_number<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
) -> io::Result<Option<(u64, u64)>> {
    let found = number(window, at, 8)?;
    Ok(found.map(|(coded, bytes)| (without_marker(coded, bytes), bytes)))
}

/// The value with its marker bit, and how many bytes it takes.
fn number<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
    bytes_max: u64,
) -> io::Result<Option<(u64, u64)>> {
    let Some([first]) = window.array::<1>(at)? else { return Ok(None) };
    let bytes = u64::from(first.leading_zeros()) + 1;
    if bytes > bytes_max {
        return Ok(None);
    }
    let length = usize::try_from(bytes).map_err(io::Error::other)?;
    let coded = window.bytes(at, length)?;
    let value = coded.map(|coded| coded.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    Ok(value.map(|value| (value, bytes)))
}

const fn without_marker(coded: u64, bytes: u64) -> u64 {
    coded & ((1 << (7 * bytes)) - 1)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn at_start(bytes: &[u8]) -> Option<Element> {
        let mut window = Window::new(Cursor::new(bytes), bytes.len() as u64);
        element(&mut window, 0).expect("memory can be read")
    }

    #[test]
    fn identifiers_and_sizes_are_read_in_all_lengths() {
        let element = |id, content, end| Some(Element { id, content, end });
        assert_eq!(at_start(&[0xa3, 0x85]), element(0xa3, 2, Some(7)));
        assert_eq!(at_start(&[0x1a, 0x45, 0xdf, 0xa3, 0x40, 2]), element(0x1a45_dfa3, 6, Some(8)));
        assert_eq!(at_start(&[0x42, 0x86, 1, 0, 0, 0, 0, 0, 0, 9]), element(0x4286, 10, Some(19)));
        assert_eq!(at_start(&[0xa3, 0xff]), element(0xa3, 2, None));
        assert_eq!(at_start(&[0xa3, 1, 255, 255, 255, 255, 255, 255, 255]), element(0xa3, 9, None));
    }

    #[test]
    fn what_is_no_element_is_none() {
        for bytes in [&[][..], &[0xa3], &[0], &[0x08, 1, 1, 1, 1, 0x81], &[0xa3, 0, 1, 1]] {
            assert_eq!(at_start(bytes), None, "{bytes:?}");
        }
    }
}
