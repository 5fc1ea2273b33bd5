//! The server's own certificate: made at first start, kept, and known by its fingerprint.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use segenc_proto::connect::Fingerprint;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::data_dir::write_private;

/// Certificate and key, ready to be shown.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) fingerprint: Fingerprint,
}

/// A certificate that cannot be made or read.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error("{} cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} holds no certificate or key in PEM", path.display())]
    Pem { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("no certificate can be made")]
    Make(#[from] rcgen::Error),
    #[error("the certificate cannot be used")]
    Use(#[from] rustls::Error),
}

/// Reads the certificate in `folder`, or makes one that names `host`.
pub(crate) fn identity(folder: &Path, host: &str) -> Result<Identity, TlsError> {
    let (certificate_file, key_file) = (folder.join("certificate.pem"), folder.join("key.pem"));
    // The key is written first: a certificate without its key never stays behind.
    if !certificate_file.exists() {
        let made = rcgen::generate_simple_self_signed(vec![host.to_owned()])?;
        for (path, text) in
            [(&key_file, made.signing_key.serialize_pem()), (&certificate_file, made.cert.pem())]
        {
            write_private(path, &text)
                .map_err(|source| TlsError::File { path: path.clone(), source })?;
        }
    }
    let read = |path: &PathBuf| {
        fs::read(path).map_err(|source| TlsError::File { path: path.clone(), source })
    };
    let certificate = CertificateDer::from_pem_slice(&read(&certificate_file)?)
        .map_err(|source| TlsError::Pem { path: certificate_file.clone(), source })?;
    let key = PrivateKeyDer::from_pem_slice(&read(&key_file)?)
        .map_err(|source| TlsError::Pem { path: key_file.clone(), source })?;
    let fingerprint = Fingerprint(Sha256::digest(&certificate).into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { config: Arc::new(config), fingerprint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_kept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = identity(folder.path(), "farm.example").expect("made");
        let second = identity(folder.path(), "farm.example").expect("read");
        assert_eq!(first.fingerprint, second.fingerprint);
    }
}
