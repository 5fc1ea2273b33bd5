//! The loopback HTTP server that ffmpeg reads sources from.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::range::{Asked, asked};
use super::reader::Reader;
use super::{Shared, WeakShared};

/// What the system may hold of a connection's bytes on our side: what lies there when ffmpeg closes was
/// fetched in vain.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// What the HTTP library may hold before it writes to the system.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;
/// Connections waiting to be taken up; each task opens a few.
const BACKLOG: u32 = 64;
/// Connections at once: some per slot at the largest number of slots.
const CONNECTIONS_MAX: usize = 1024;
/// Who connects and asks nothing for so long is no ffmpeg of ours.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// After an error in accepting (no file handles left), this long until the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens the listener and serves until the handle is dropped.
pub(super) fn listen(shared: Arc<Shared>) -> io::Result<(SocketAddr, AbortOnDropHandle<()>)> {
    let socket = TcpSocket::new_v4()?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    let shared = Arc::downgrade(&shared);
    let task = tokio::spawn(async move {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((connection, _)) => {
                    let shared = WeakShared::clone(&shared);
                    tokio::spawn(async move {
                        serve(connection, shared).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection on loopback");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    Ok((address, AbortOnDropHandle::new(task)))
}

async fn serve(connection: TcpStream, shared: WeakShared) {
    let service = service_fn(move |request| {
        let shared = shared.upgrade();
        async move { Ok::<_, Infallible>(answer(&request, shared.as_deref())) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(WRITE_BUFFER_BYTES)
        .serve_connection(TokioIo::new(connection), service)
        .await;
    if let Err(error) = served {
        // ffmpeg closes in the middle of an answer whenever it seeks.
        tracing::trace!(%error, "a loopback connection ended");
    }
}

fn answer<B>(request: &Request<B>, shared: Option<&Shared>) -> Response<Body> {
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let word = request.uri().path().trim_start_matches('/');
    let Some(exposed) = shared.and_then(|shared| shared.exposed(word)) else {
        return empty(StatusCode::NOT_FOUND);
    };
    let size = exposed.file.size;
    let header = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, range) = match asked(header, size) {
        Asked::Whole => (StatusCode::OK, 0..size),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Beyond => {
            let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return response;
        }
    };
    let body = if *request.method() == Method::HEAD {
        Body::empty()
    } else {
        let reader = Reader::new(exposed, range.clone());
        Body::from_stream(stream::try_unfold(reader, |mut reader| async move {
            let bytes = reader.next().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(bytes.map(|bytes| (bytes, reader)))
        }))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    set(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    if status == StatusCode::PARTIAL_CONTENT {
        let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        set(&mut response, header::CONTENT_RANGE, &value);
    }
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn set(response: &mut Response<Body>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
