//! Who this worker is: its id and token, kept in a file of its owner over restarts.
//!
//! It does not talk to the server.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use segenc_proto::connect::{Secret, ServerAddress};
use serde::{Deserialize, Serialize};

use crate::error::WorkerError;

/// An identity file is some hundred bytes; a longer one is something else.
const IDENTITY_BYTES_MAX: u64 = 16 * 1024;

/// What the server gave this worker when it joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its id there.
    pub(crate) worker: u64,
    /// Its own token.
    pub(crate) token: Secret,
}

/// The file's content. The server is part of it so that the token is never shown to another one.
#[derive(Serialize, Deserialize)]
struct Stored {
    server: String,
    worker: u64,
    token: String,
}

/// Reads the identity for this server; `None` if there is none, or none that can be understood.
pub(crate) fn load(path: &Path, server: &ServerAddress) -> Result<Option<Identity>, WorkerError> {
    let failed =
        |source| WorkerError::Identity { attempted: "read", path: path.to_owned(), source };
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if size > IDENTITY_BYTES_MAX {
        let error =
            io::Error::new(io::ErrorKind::InvalidData, "it is too long for an identity file");
        return Err(failed(error));
    }
    let text = fs::read(path).map_err(failed)?;
    let Ok(stored) = serde_json::from_slice::<Stored>(&text) else {
        // A torn file is no reason to stand still: the join string makes a new identity.
        tracing::warn!(path = %path.display(), "the identity file cannot be understood; joining anew");
        return Ok(None);
    };
    if stored.server != key_of(server) {
        return Ok(None);
    }
    Ok(Some(Identity { worker: stored.worker, token: Secret::new(stored.token) }))
}

/// Writes the identity, readable by its owner only; complete or not at all.
pub(crate) fn store(
    path: &Path,
    server: &ServerAddress,
    identity: &Identity,
) -> Result<(), WorkerError> {
    let failed =
        |source| WorkerError::Identity { attempted: "write", path: path.to_owned(), source };
    let stored = Stored {
        server: key_of(server),
        worker: identity.worker,
        token: identity.token.reveal().to_owned(),
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(failed)?;
    // A temporary file is made with mode 0600, and the rename keeps that.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    serde_json::to_writer(&mut file, &stored).map_err(|error| failed(error.into()))?;
    file.write_all(b"\n").map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A pinned certificate names its server wherever it is reached; otherwise the address does.
fn key_of(server: &ServerAddress) -> String {
    let text = server.to_string();
    match text.split_once("/sha256:") {
        Some((_, fingerprint)) => format!("sha256:{fingerprint}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use segenc_proto::connect::Fingerprint;

    use super::*;

    fn identity() -> Identity {
        Identity { worker: 7, token: Secret::new("hush") }
    }

    #[test]
    fn an_identity_is_kept_and_only_for_its_owner() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep/identity.json");
        let server = ServerAddress::plain("127.0.0.1:8642");
        assert_eq!(load(&path, &server).expect("readable"), None);
        store(&path, &server, &identity()).expect("writable");
        assert_eq!(load(&path, &server).expect("readable"), Some(identity()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_token_is_never_shown_to_another_server() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("identity.json");
        let server = ServerAddress::plain("127.0.0.1:8642");
        store(&path, &server, &identity()).expect("writable");
        let other = ServerAddress::plain("127.0.0.1:8643");
        assert_eq!(load(&path, &other).expect("readable"), None);
    }

    #[test]
    fn a_server_with_a_pinned_certificate_may_move() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("identity.json");
        let before = ServerAddress::pinned("10.0.0.5:8642", Fingerprint([1; 32]));
        let after = ServerAddress::pinned("10.0.0.6:8642", Fingerprint([1; 32]));
        store(&path, &before, &identity()).expect("writable");
        assert_eq!(load(&path, &after).expect("readable"), Some(identity()));
    }

    #[test]
    fn a_torn_file_means_joining_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("identity.json");
        fs::write(&path, b"{\"server\":").expect("writable");
        let server = ServerAddress::plain("127.0.0.1:8642");
        assert_eq!(load(&path, &server).expect("readable"), None);
    }
}
