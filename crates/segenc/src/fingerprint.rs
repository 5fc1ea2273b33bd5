//! What tells one source from another that has taken its place: size, time, head and tail.
//!
//! Reads at most 128 KiB of the file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use segenc_proto::rest::FileFingerprint;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// So many bytes at each end are looked at: headers and indexes live there.
const END_BYTES: u64 = 64 * 1024;

/// A file as it was when somebody looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceMark {
    /// Size in bytes.
    pub(crate) size: u64,
    /// Milliseconds since the epoch of its last change; 0 where the system does not tell.
    pub(crate) modified: u64,
    /// SHA-256 in hex over the first and the last 64 KiB.
    pub(crate) head_and_tail: String,
}

impl SourceMark {
    /// Looks at a file.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let size = metadata.len();
        let mut digest = Sha256::new();
        if size <= 2 * END_BYTES {
            feed(&mut digest, &mut file, size)?;
        } else {
            feed(&mut digest, &mut file, END_BYTES)?;
            file.seek(SeekFrom::Start(size - END_BYTES))?;
            feed(&mut digest, &mut file, END_BYTES)?;
        }
        Ok(Self { size, modified, head_and_tail: hex(&digest.finalize()) })
    }

    /// The form in which a server is asked whether it sees the same file.
    pub(crate) fn for_server(&self) -> FileFingerprint {
        FileFingerprint { size: self.size, head_and_tail: self.head_and_tail.clone() }
    }
}

fn feed(digest: &mut Sha256, file: &mut File, bytes: u64) -> io::Result<()> {
    let mut read = Vec::new();
    file.take(bytes).read_to_end(&mut read)?;
    digest.update(&read);
    Ok(())
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_at_either_end_is_seen() {
        let folder = tempfile::tempdir().expect("the test may write");
        let path = folder.path().join("film");
        let mut bytes = vec![7_u8; 300_000];
        let mark = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("the test may write");
            SourceMark::of(&path).expect("the file is there").head_and_tail
        };
        let whole = mark(&bytes);
        bytes[0] = 8;
        let other_head = mark(&bytes);
        bytes[0] = 7;
        bytes[299_999] = 8;
        let other_tail = mark(&bytes);
        assert!(whole != other_head && whole != other_tail && other_head != other_tail);
    }

    #[test]
    fn an_empty_file_has_the_digest_of_nothing() {
        let file = tempfile::NamedTempFile::new().expect("the test may write");
        let mark = SourceMark::of(file.path()).expect("the file is there");
        assert_eq!(mark.size, 0);
        assert!(mark.head_and_tail.starts_with("e3b0c44298fc1c14"));
    }
}
