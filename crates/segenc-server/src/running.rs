//! Start and end of a server: everything is put together here, and taken apart in order.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use segenc_proto::connect::pairing::{PairingCode, Place};
use segenc_proto::connect::{JoinString, Secret, ServerAddress, install_crypto_provider};
use segenc_proto::grpc::SharedFilesProof;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::auth::{AuthError, Pairing, Passkeys, People, Places, Tokens, hex, random_token};
use crate::blobs::Blobs;
use crate::config::{Protection, ServerConfig};
use crate::coordinator::Beside;
use crate::data_dir::{DataDir, DataDirError, write_private};
use crate::grpc::ReflectionError;
use crate::media_files::MediaRoots;
use crate::notes::Notes;
use crate::notify::Receivers;
use crate::presets::Presets;
use crate::shared::Shared;
use crate::storage::Storage;
use crate::store::{Store, StoreError, TokenKind};
use crate::thumbnails::Thumbnails;
use crate::tls::{self, Identity, TlsError};
use crate::traffic::Traffic;
use crate::turns::Turns;
use crate::watch::Watch;
use crate::{clock, coordinator, grpc, http, listener, notify, sweeper, watch};

/// After the listener has ended, what is left has nothing to wait for; this is for a disk that hangs.
const LAST_STEPS_TIMEOUT: Duration = Duration::from_secs(3);

/// A server that cannot start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is taken.
    #[error("{address} is in use by another program")]
    AddressInUse {
        /// Which.
        address: SocketAddr,
    },
    /// The system does not let this user listen there.
    #[error("this user may not listen on {address}")]
    AddressNotPermitted {
        /// Which.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("{address} cannot be listened on")]
    Address {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data folder cannot be made or written.
    #[error("the data folder {} cannot be written", path.display())]
    DataDirNotWritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another server works in the data folder.
    #[error("the data folder {} is in use by another server", path.display())]
    DataDirInUse {
        /// Which.
        path: PathBuf,
    },
    /// The data was written by a newer version of this program.
    #[error("the data in {} was written by a newer version of segenc: update this one", path.display())]
    NewerData {
        /// Which.
        path: PathBuf,
    },
    /// The database cannot be opened or read.
    #[error("the database in {} cannot be used", path.display())]
    Database {
        /// Which data folder.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file of own presets cannot be read.
    #[error("the presets in {} cannot be read", path.display())]
    Presets {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Certificate, tokens or descriptions cannot be made.
    #[error("the server's secrets cannot be set up")]
    Secrets {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A server that runs until it is stopped; dropping it stops it without waiting.
pub struct RunningServer {
    address: SocketAddr,
    server_address: ServerAddress,
    admin_token: Secret,
    join: JoinString,
    shared: Arc<Shared>,
    stop_coordinator: CancellationToken,
    listener: JoinHandle<()>,
    sweeper: JoinHandle<()>,
    watcher: JoinHandle<()>,
    notifier: JoinHandle<()>,
    coordinator: JoinHandle<()>,
}

impl std::fmt::Debug for RunningServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RunningServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Starts a server and returns once it answers.
///
/// # Errors
/// When the address or the data folder cannot be used; the texts are for people.
pub async fn start(config: ServerConfig) -> Result<RunningServer, StartError> {
    install_crypto_provider();
    // The folder first: a second server on the same data is told so, whatever its port.
    let data_dir = open_data_dir(&config)?;
    let (listener, address) = listen(config.listen).await?;
    let authority = config.advertise.clone().unwrap_or_else(|| reachable(address).to_string());
    let identity = identity(&config, &data_dir, address, &authority)?;
    let server_address = match &identity {
        None => ServerAddress::plain(authority.clone()),
        Some(identity) => ServerAddress::pinned(authority.clone(), identity.fingerprint),
    };
    let database = |error: StoreError| refused_database(&config, error);
    let store = Store::open(&data_dir.database()).await.map_err(database)?;
    let tokens = Tokens::load(store.clone()).await.map_err(database)?;
    let admin_token = admin_token(&data_dir, &tokens).await?;
    let join = join_string(&data_dir, &tokens, server_address.clone()).await?;
    let shared_files = shared_files_proof(&data_dir)?;
    let people = People::open(&data_dir.logins()).map_err(secrets)?;
    let presets = Presets::open(data_dir.presets(), config.presets.clone())
        .map_err(|source| StartError::Presets { path: data_dir.presets(), source })?;
    let (stop, stop_coordinator) = (CancellationToken::new(), CancellationToken::new());
    let beside = beside(&config, &store, &data_dir).await.map_err(database)?;
    let Beside { notes, tally, .. } = beside.clone();
    let (coordinator, coordinating) =
        coordinator::start(store.clone(), beside, stop_coordinator.clone())
            .await
            .map_err(database)?;
    let shared = Arc::new(Shared {
        coordinator,
        store,
        tokens,
        people,
        passkeys: Passkeys::new(Places::of(config.protection, &authority, address)),
        pairing: pairing(config.protection, &server_address),
        blobs: Blobs::new(data_dir.blobs(), data_dir.partial()),
        thumbnails: Thumbnails::new(data_dir.thumbnails()),
        roots: MediaRoots::new(&config.media_roots),
        traffic: Traffic::default(),
        upload_turns: Turns::default(),
        presets,
        parse_spec: config.parse_spec,
        aim_at_size: config.aim_at_size,
        shared_files,
        stop: stop.clone(),
        started_at: clock::now(),
        tally,
        notes,
        watch: Watch::default(),
        receivers: Receivers::of_settings(&config.automation),
        automation: config.automation.clone(),
        traces: config.traces,
        data_dir,
    });
    watch::load(&shared, &config.automation.watch_folders).await.map_err(database)?;
    notify::load(&shared).await.map_err(database)?;
    let router = router(&shared).await?;
    let acceptor = identity.map(|identity| TlsAcceptor::from(identity.config));
    Ok(RunningServer {
        address,
        server_address,
        admin_token,
        join,
        listener: tokio::spawn(listener::serve(listener, acceptor, router, stop)),
        sweeper: tokio::spawn(sweeper::run(Arc::clone(&shared))),
        watcher: tokio::spawn(watch::run(Arc::clone(&shared))),
        notifier: tokio::spawn(notify::run(Arc::clone(&shared))),
        coordinator: coordinating,
        shared,
        stop_coordinator,
    })
}

fn open_data_dir(config: &ServerConfig) -> Result<DataDir, StartError> {
    DataDir::open(&config.data_dir).map_err(|error| match error {
        DataDirError::NotWritable { path, source } => {
            StartError::DataDirNotWritable { path, source }
        }
        DataDirError::InUse { path } => StartError::DataDirInUse { path },
    })
}

fn pairing(protection: Protection, server: &ServerAddress) -> Pairing {
    Pairing::new(match protection {
        Protection::Automatic => Some(Place::of(server)),
        Protection::PlainBehindProxy => None,
    })
}

async fn listen(wished: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = TcpListener::bind(wished).await;
    let listener = bound.map_err(|source| refused_address(wished, source))?;
    let address = listener.local_addr();
    let address = address.map_err(|source| StartError::Address { address: wished, source })?;
    Ok((listener, address))
}

/// What the coordinator shares with the others.
async fn beside(
    config: &ServerConfig,
    store: &Store,
    data_dir: &DataDir,
) -> Result<Beside, StoreError> {
    Ok(Beside {
        storage: Arc::new(Storage::new(data_dir.root().to_owned())),
        notes: Arc::new(Notes::new(store.notes().await?)),
        tally: Arc::default(),
        traces: config.traces,
    })
}

/// Everything that is answered on the one port.
async fn router(shared: &Arc<Shared>) -> Result<axum::Router, StartError> {
    let calls = grpc::router(Arc::clone(shared))
        .await
        .map_err(|error: ReflectionError| StartError::Secrets { source: error.into() })?;
    Ok(http::router(Arc::clone(shared)).merge(calls))
}

impl RunningServer {
    /// The address listened on, with the port that was chosen.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How clients reach the server and know it.
    #[must_use]
    pub fn server_address(&self) -> ServerAddress {
        self.server_address.clone()
    }

    /// The token that opens everything; also in `DATA_DIR/admin-token`.
    #[must_use]
    pub fn admin_token(&self) -> Secret {
        self.admin_token.clone()
    }

    /// What a worker needs to join; also in `DATA_DIR/join`.
    #[must_use]
    pub fn join_string(&self) -> JoinString {
        self.join.clone()
    }

    /// Where people find the page, without a slash at the end.
    #[must_use]
    pub fn page_url(&self) -> String {
        self.server_address.base_url()
    }

    /// A link that lets one browser in, once and for an hour; `None` as soon as there is a password.
    #[must_use]
    pub fn login_link(&self) -> Option<Secret> {
        let code = self.shared.people.issue_code().ok().flatten()?;
        Some(Secret::new(format!("{}/login#{}", self.page_url(), code.reveal())))
    }

    /// A code that lets one worker in, once and within ten minutes; `None` behind a proxy, where workers cannot pair.
    #[must_use]
    pub fn pairing_code(&self) -> Option<PairingCode> {
        self.shared.pairing.issue(clock::now()).ok().map(|(code, _)| code)
    }

    /// The server's heart: a beat for each turn of the coordinator, which comes twice a second or oftener. It stands
    /// still when the coordinator does, and with it everything else.
    pub fn heart(&self) -> impl Stream<Item = ()> + Send + use<> {
        stream::unfold(self.shared.coordinator.views(), |mut views| async move {
            views.changed().await.ok().map(|()| ((), views))
        })
    }

    /// Lets open requests end, but not for ever, and closes the database.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        // The listener bounds itself; the others follow it, so that its last requests are still answered.
        let _ = self.listener.await;
        self.stop_coordinator.cancel();
        let rest = async {
            let _ = self.coordinator.await;
            let _ = self.sweeper.await;
            let _ = self.watcher.await;
            let _ = self.notifier.await;
            self.shared.store.close().await;
        };
        if tokio::time::timeout(LAST_STEPS_TIMEOUT, rest).await.is_err() {
            tracing::warn!("the database did not close in time; it is consistent all the same");
        }
    }
}

fn refused_address(address: SocketAddr, source: io::Error) -> StartError {
    match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
        io::ErrorKind::PermissionDenied => StartError::AddressNotPermitted { address },
        _ => StartError::Address { address, source },
    }
}

fn refused_database(config: &ServerConfig, error: StoreError) -> StartError {
    let path = config.data_dir.clone();
    match error {
        StoreError::Newer { .. } => StartError::NewerData { path },
        StoreError::Database(_) | StoreError::Encode(_) | StoreError::Decode { .. } => {
            StartError::Database { path, source: error.into() }
        }
    }
}

fn secrets(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StartError {
    StartError::Secrets { source: error.into() }
}

/// The certificate, unless connections need none.
fn identity(
    config: &ServerConfig,
    data_dir: &DataDir,
    address: SocketAddr,
    authority: &str,
) -> Result<Option<Identity>, StartError> {
    let plain = match config.protection {
        Protection::Automatic => address.ip().is_loopback(),
        Protection::PlainBehindProxy => true,
    };
    if plain {
        return Ok(None);
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    tls::identity(&data_dir.tls(), host).map(Some).map_err(|error: TlsError| secrets(error))
}

/// The address that others reach: a server that listens everywhere is known by the address that its own
/// packets would bear.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    // Connecting a datagram socket sends nothing; it only asks for the way to a documentation address.
    let own = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect(("192.0.2.1", 9)).and_then(|()| socket.local_addr()))
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |own| own.ip());
    SocketAddr::new(own, address.port())
}

/// Reads the admin token, or makes one at the first start and after its file was deleted.
async fn admin_token(data_dir: &DataDir, tokens: &Tokens) -> Result<Secret, StartError> {
    let path = data_dir.admin_token();
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let token = match kept.trim() {
        "" => {
            let token = random_token().map_err(secrets)?;
            write_private(&path, &format!("{}\n", token.reveal())).map_err(secrets)?;
            token
        }
        kept => Secret::new(kept),
    };
    let adopted = async {
        tokens.adopt(&token, TokenKind::Operator, "admin").await?;
        tokens.revoke_others(TokenKind::Operator, &token).await
    };
    adopted.await.map_err(secrets)?;
    Ok(token)
}

/// Keeps the join token, and writes the join string anew: the address may be another one.
async fn join_string(
    data_dir: &DataDir,
    tokens: &Tokens,
    server: ServerAddress,
) -> Result<JoinString, StartError> {
    let path = data_dir.join();
    let kept = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    let token = match kept {
        Some(JoinString { token, .. }) => token,
        None => random_token().map_err(secrets)?,
    };
    let join = JoinString { server, token };
    let adopted = async {
        tokens.adopt(&join.token, TokenKind::Join, "join").await?;
        tokens.revoke_others(TokenKind::Join, &join.token).await
    };
    adopted.await.map_err(secrets)?;
    write_private(&path, &format!("{}\n", join.reveal())).map_err(secrets)?;
    Ok(join)
}

/// Writes a file with a random text: a worker that can read it sees the server's files.
fn shared_files_proof(data_dir: &DataDir) -> Result<SharedFilesProof, StartError> {
    let path = data_dir.shared_files_proof();
    let text = random_token().map_err(|error: AuthError| secrets(error))?;
    write_private(&path, text.reveal()).map_err(secrets)?;
    let digest: [u8; 32] = Sha256::digest(text.reveal().as_bytes()).into();
    let path = path.to_str().map(ToOwned::to_owned).unwrap_or_default();
    Ok(SharedFilesProof { path, sha256: hex(&digest) })
}
