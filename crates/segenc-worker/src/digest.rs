//! SHA-256 of files and the ways it is written: hex in messages, base64 in `Repr-Digest` (RFC 9530).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// Bytes read at once: enough to keep the hash busy, little enough for every slot to have it.
const READ_BYTES: usize = 256 * 1024;

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The value of a `Repr-Digest` header.
pub(crate) fn repr_digest(sha256: &[u8; 32]) -> String {
    format!("sha-256=:{}:", BASE64_STANDARD.encode(sha256))
}

/// SHA-256 and size of a file, read beside the async threads.
pub(crate) async fn of_file(path: &Path) -> io::Result<([u8; 32], u64)> {
    let path: PathBuf = path.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0_u8; READ_BYTES];
        let mut size = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok((hasher.finalize().into(), size));
            }
            hasher.update(&buffer[..read]);
            size += u64::try_from(read).unwrap_or(u64::MAX);
        }
    })
    .await
    .map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_digest_of_a_file_is_that_of_its_bytes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("abc");
        std::fs::write(&path, b"abc").expect("writable");
        let (sha256, size) = of_file(&path).await.expect("readable");
        assert_eq!(size, 3);
        // FIPS 180-4's example.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256), known);
        assert_eq!(repr_digest(&sha256), "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:");
    }
}
