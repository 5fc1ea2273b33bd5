//! How names of files are written for ffmpeg, so that each is just a file.
//!
//! To ffmpeg a bare name may be an address (`a:b.mkv`, `concat:a|b`, `pipe:`) or an option (`-x.mkv`);
//! the prefix `file:` takes every other meaning away. Must not know any invocation.

use std::ffi::OsString;
use std::path::Path;

use crate::attempt::MediaInput;

/// The name of a file as ffmpeg's `file:` address.
pub(crate) fn file_address(path: &Path) -> OsString {
    let mut address = OsString::from("file:");
    address.push(path);
    address
}

/// The address of an input.
pub(crate) fn address(input: &MediaInput) -> OsString {
    match input {
        MediaInput::File(path) => file_address(path),
        MediaInput::Url(url) => OsString::from(url),
    }
}

/// Quotes an address for a line of an ffconcat list: in single quotes everything stands for itself, and
/// a quote is written outside of them (ffmpeg-utils, "Quoting and escaping"). `None` where it cannot be
/// written: a list is read line by line, so a line break has no quoting.
pub(crate) fn in_list(address: &str) -> Option<String> {
    if address.contains(['\n', '\r', '\0']) {
        return None;
    }
    Some(format!("'{}'", address.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_becomes_a_plain_file() {
        for name in ["a:b.mkv", "-y.mkv", "concat:a|b.mkv", "pipe:1", "http://host/x", "it's\n.mkv"]
        {
            let address = address(&MediaInput::File(name.into()));
            assert_eq!(address, OsString::from(format!("file:{name}")));
        }
    }

    #[test]
    fn quotes_are_written_outside_of_quotes() {
        assert_eq!(in_list("file:/a b/it's").as_deref(), Some(r"'file:/a b/it'\''s'"));
        assert_eq!(in_list(r"file:C:\x").as_deref(), Some(r"'file:C:\x'"));
        assert_eq!(in_list("file:/a\nb"), None);
    }
}
