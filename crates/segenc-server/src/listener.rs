//! One port for everything: TLS where wanted, HTTP/1.1 and HTTP/2 by ALPN or by preface, and an end that is
//! bounded. Knows nothing of what is served.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Open connections; who comes later waits to be accepted. Twice the 10,000 idle workers that one server is
/// meant to carry.
const CONNECTIONS_MAX: usize = 20_000;
/// Calls side by side on one HTTP/2 connection: a worker has one per slot and a few more.
const STREAMS_MAX: u32 = 1_024;
/// A TLS greeting that takes longer is a mistake or an attack.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// So long an HTTP/1.1 connection may take for the next request's header; it also ends idle ones.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Buffer of an HTTP/1.1 connection, which also bounds its headers: large enough for fast uploads.
const BUFFER_BYTES: usize = 256 * 1024;
/// A silent HTTP/2 connection is asked for a sign of life this often, so that a pulled cable is noticed.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Without an answer to that for this long, the connection is given up.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers beyond this are refused: tokens, ranges and names are short.
const HEADERS_MAX_BYTES: u32 = 32 * 1024;
/// What a sender may have under way on a stream: a segment upload at full speed over a long line.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// The same for a whole connection.
const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// After a failure to accept (no file descriptors left) it is tried again so much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// So long open requests may go on after the server was told to stop.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until `stop`, then lets open requests end, but not for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((socket, place)) = accepted else { continue };
        let (tls, router) = (tls.clone(), router.clone());
        let (stop, abort) = (stop.clone(), abort.clone());
        connections.spawn(async move {
            tokio::select! {
                () = abort.cancelled() => {}
                () = greet(socket, tls, router, stop) => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
        tracing::warn!("open requests are cut off after {} s", DRAIN_TIMEOUT.as_secs());
        abort.cancel();
        connections.wait().await;
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, _)) => Some((socket, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn greet(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
) {
    // Small answers must not wait for more to fill a packet.
    let _ = socket.set_nodelay(true);
    match tls {
        None => converse(socket, router, stop).await,
        Some(tls) => match tokio::time::timeout(GREETING_TIMEOUT, tls.accept(socket)).await {
            Ok(Ok(socket)) => converse(socket, router, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS greeting failed"),
            Err(_) => tracing::debug!("a TLS greeting took too long"),
        },
    }
}

async fn converse(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    stop: CancellationToken,
) {
    let builder = protocols();
    let service =
        router.map_request(|request: hyper::Request<Incoming>| request.map(axum::body::Body::new));
    let service = TowerToHyperService::new(service);
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, "a connection broke");
    }
}

fn protocols() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Without a timer the first keep-alive panics.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    builder
}
