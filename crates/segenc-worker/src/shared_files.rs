//! Whether this worker sees the server's files: proven by reading a file with the promised bytes.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use segenc_proto::grpc;
use sha2::{Digest as _, Sha256};

use crate::digest;

/// A proof is a few dozen random bytes; nothing longer is read.
const PROOF_BYTES_MAX: u64 = 4096;

/// Whether the file that the server names is here and has the bytes it says.
pub(crate) fn proven(proof: &grpc::SharedFilesProof) -> bool {
    let path = Path::new(&proof.path);
    if !path.is_absolute() || proof.sha256.len() != 64 {
        return false;
    }
    let Ok(file) = std::fs::File::open(path) else { return false };
    let mut bytes = Vec::new();
    let read = file.take(PROOF_BYTES_MAX).read_to_end(&mut bytes);
    read.is_ok() && digest::hex(&Sha256::digest(&bytes)) == proof.sha256
}

/// The server's file, if it is here and has the size that it should.
pub(crate) async fn find(server_path: &str, size: u64) -> Option<PathBuf> {
    let path = PathBuf::from(server_path);
    if !path.is_absolute() {
        return None;
    }
    let metadata = tokio::fs::metadata(&path).await.ok()?;
    if !metadata.is_file() || metadata.len() != size {
        return None;
    }
    // Seen is not yet readable: the server may run as another user.
    tokio::fs::File::open(&path).await.ok()?;
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_promised_bytes_prove_anything() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("proof");
        std::fs::write(&file, b"nonce").expect("writable");
        let path = file.to_string_lossy().into_owned();
        let sha256 = digest::hex(&Sha256::digest(b"nonce"));
        let proof = |path: &str, sha256: &str| grpc::SharedFilesProof {
            path: path.to_owned(),
            sha256: sha256.to_owned(),
        };
        assert!(proven(&proof(&path, &sha256)));
        assert!(!proven(&proof(&path, &digest::hex(&Sha256::digest(b"other")))));
        assert!(!proven(&proof(&path, "")));
        assert!(!proven(&proof("/no/such/file", &sha256)));
    }

    #[tokio::test]
    async fn a_file_of_another_size_is_not_the_servers() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("film.mkv");
        std::fs::write(&file, b"12345").expect("writable");
        let path = file.to_string_lossy().into_owned();
        assert_eq!(find(&path, 5).await, Some(file));
        assert_eq!(find(&path, 6).await, None);
        assert_eq!(find("film.mkv", 5).await, None);
        assert_eq!(find(&folder.path().to_string_lossy(), 5).await, None);
    }
}
