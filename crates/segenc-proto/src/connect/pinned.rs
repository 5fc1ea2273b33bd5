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
    /// Nobody answers, or not with TLS.
    #[error("{authority} cannot be reached over TLS")]
    Unreachable {
        /// Host and port.
        authority: String,
        /// Why not.
        source: std::io::Error,
    },
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
    let (builder, mut config) = match server.tls() {
        // Bytes over loopback: one connection each is faster than sharing one by HTTP/2. The library sets up TLS
        // even so, and on a computer without certificate authorities would fail over them.
        Tls::Plain => (builder.http1_only(), config_that_trusts_nobody()?),
        Tls::Public | Tls::Pinned(_) => (builder, client_config(server)?),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(builder.tls_backend_preconfigured(config).build()?)
}

/// Asks a server for the fingerprint of the certificate that it shows. Nobody vouches for that yet: it is to be
/// proven in another way before anything is entrusted to that server.
///
/// # Errors
/// When nobody answers there within some seconds, or not with TLS.
pub async fn certificate_of(authority: &str) -> Result<Fingerprint, ConnectError> {
    let unreachable =
        |source| ConnectError::Unreachable { authority: authority.to_owned(), source };
    let name = host_of(authority)
        .and_then(|host| ServerName::try_from(host.to_owned()).ok())
        .ok_or_else(|| ConnectError::BadAddress(authority.to_owned()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Pinned { wanted: Wanted::Any, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let greeting = async {
        let tcp = TcpStream::connect(authority).await?;
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    };
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, greeting)
        .await
        .map_err(|late| unreachable(late.into()))?
        .map_err(unreachable)?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|shown| shown.first());
    let certificate = shown.ok_or_else(|| {
        unreachable(std::io::Error::new(std::io::ErrorKind::InvalidData, "it shows no certificate"))
    })?;
    Ok(Fingerprint(Sha256::digest(certificate).into()))
}

/// A client for addresses of other people, which trusts whom this computer trusts.
///
/// # Errors
/// When TLS cannot be set up.
pub fn public_client_builder() -> Result<reqwest::ClientBuilder, ConnectError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = match public_verifier(&provider) {
        Ok(verifier) => ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth(),
        // A computer without certificate authorities still reaches plain addresses.
        Err(_) => config_that_trusts_nobody()?,
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .tls_backend_preconfigured(config))
}

fn host_of(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map(|(host, _)| host);
    }
    authority.split(':').next()
}

fn config_that_trusts_nobody() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn client_config(server: &ServerAddress) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match server.tls() {
        Tls::Pinned(fingerprint) => {
            let wanted = Wanted::This(fingerprint);
            Arc::new(Pinned { wanted, provider: Arc::clone(&provider) })
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

/// Which certificate is accepted, whatever name it bears.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// Exactly one: the join string vouches for it.
    This(Fingerprint),
    /// Any, since it is only looked at.
    Any,
}

/// See [`Wanted`]. That the other side has the certificate's key is checked in any case.
#[derive(Debug)]
struct Pinned {
    wanted: Wanted,
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
        let is_wanted = match self.wanted {
            Wanted::This(fingerprint) => Sha256::digest(end_entity).as_slice() == fingerprint.0,
            Wanted::Any => true,
        };
        if is_wanted {
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
