//! HTTP and gRPC clients that know the server by its certificate.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::join::{Fingerprint, ServerAddress, Tls};

/// A host that does not answer a connection attempt within this time is not reachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent connection is asked for a sign of life this often, so that a pulled cable is noticed.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Without an answer to that for this long, the connection is given up.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that cannot be made.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The address is no URL.
    #[error("{0} is not an address that can be connected to")]
    BadAddress(String),
    /// The TLS library refuses.
    #[error("setting up TLS failed")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refuses.
    #[error("setting up the HTTP client failed")]
    Http(#[from] reqwest::Error),
}

/// Chooses the one TLS provider of the program. Called first in `main`; later calls change nothing.
pub fn install_crypto_provider() {
    // Err means that a provider is installed already, and there is only this one in the tree.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Makes a gRPC channel that connects when it is first used, and again after a break.
///
/// # Errors
/// When the address is no URL or TLS cannot be set up.
pub fn grpc_channel(server: &ServerAddress) -> Result<Channel, ConnectError> {
    let bad_address = || ConnectError::BadAddress(server.base_url());
    // The connector below does TLS itself, so the endpoint is always told plain http.
    let endpoint = Endpoint::from_shared(format!("http://{}", server.authority()))
        .map_err(|_| bad_address())?
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let authority = server.authority().to_owned();
    if server.tls() == Tls::Plain {
        return Ok(endpoint.connect_timeout(CONNECT_TIMEOUT).connect_lazy());
    }
    let mut config = client_config(server)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tls = TlsConnector::from(Arc::new(config));
    let name = host_of(&authority)
        .and_then(|host| ServerName::try_from(host.to_owned()).ok())
        .ok_or_else(bad_address)?;
    let connector = tower::service_fn(move |_: http::Uri| {
        let (tls, name, authority) = (tls.clone(), name.clone(), authority.clone());
        async move {
            let tcp =
                tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(authority)).await??;
            tcp.set_nodelay(true)?;
            tls.connect(name, tcp).await.map(TokioIo::new)
        }
    });
    Ok(endpoint.connect_with_connector_lazy(connector))
}

/// Makes an HTTP client.
///
/// # Errors
/// When TLS cannot be set up.
pub fn http_client(server: &ServerAddress) -> Result<reqwest::Client, ConnectError> {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none());
    let builder = match server.tls() {
        // Bytes over loopback: one connection each is faster than sharing one by HTTP/2.
        Tls::Plain => builder.http1_only(),
        Tls::Public | Tls::Pinned(_) => {
            let mut config = client_config(server)?;
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            builder.tls_backend_preconfigured(config)
        }
    };
    Ok(builder.build()?)
}

fn host_of(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map(|(host, _)| host);
    }
    authority.split(':').next()
}

fn client_config(server: &ServerAddress) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match server.tls() {
        Tls::Pinned(fingerprint) => {
            Arc::new(Pinned { fingerprint, provider: Arc::clone(&provider) })
        }
        Tls::Plain | Tls::Public => public_verifier(&provider)?,
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn public_verifier(
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // A single unreadable root on this computer is no reason to trust none of them.
        let _ = roots.add(certificate);
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
    Ok(verifier)
}

/// Accepts exactly one certificate, whatever name it bears: the join string vouches for it.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Sha256::digest(end_entity).as_slice() == self.fingerprint.0 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General(
            "the server shows another certificate than the join string names".to_owned(),
        ))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
