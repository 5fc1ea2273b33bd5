//! Uploads to a server that follows a script: it takes so much, breaks off, refuses.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::Method;
use sha2::{Digest as _, Sha256};
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// What the server does with the next body.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Takes so many bytes of it, then breaks the connection.
    BreakAfter(usize),
    /// Keeps nothing of it and answers this.
    Answer(u16),
}

#[derive(Debug, Default)]
struct Script {
    steps: VecDeque<Step>,
    arrived: Vec<u8>,
    stored: Option<Vec<u8>>,
    log: Vec<String>,
}

type Shared = Arc<Mutex<Script>>;

async fn handle(State(script): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let offset = header(UPLOAD_OFFSET);
    let method = head.method.clone();
    let length = header("content-length").unwrap_or_default();
    let digest = header(REPR_DIGEST);
    let step = {
        let mut script = script.lock().expect("no panic while it is held");
        script.log.push(format!("{method} {} {length}", offset.as_deref().unwrap_or("-")));
        if method == Method::HEAD {
            let offset = script.arrived.len().to_string();
            return [(UPLOAD_OFFSET, offset)].into_response();
        }
        if method == Method::PUT {
            script.arrived.clear();
        }
        if offset.is_some_and(|offset| offset != script.arrived.len().to_string()) {
            return StatusCode::CONFLICT.into_response();
        }
        script.steps.pop_front()
    };
    let limit = match step {
        Some(Step::Answer(status)) => {
            // An answer before the last byte may be lost in the reset of the connection.
            let mut body = body.into_data_stream();
            while body.next().await.is_some() {}
            return StatusCode::from_u16(status).expect("a real status").into_response();
        }
        Some(Step::BreakAfter(bytes)) => bytes,
        None => usize::MAX,
    };
    let mut body = body.into_data_stream();
    let mut taken = 0;
    while taken < limit {
        let Some(Ok(piece)) = body.next().await else { break };
        let keep = piece.len().min(limit - taken);
        script.lock().expect("no panic while it is held").arrived.extend(&piece[..keep]);
        taken += keep;
    }
    if limit != usize::MAX {
        // An answer that breaks off in its body closes the connection.
        let broken =
            futures_util::stream::iter([Err::<bytes::Bytes, _>(std::io::Error::other("x"))]);
        let mut response = Response::new(Body::from_stream(broken));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    }
    let mut script = script.lock().expect("no panic while it is held");
    let sha256: [u8; 32] = Sha256::digest(&script.arrived).into();
    if digest != Some(digest::repr_digest(&sha256)) {
        script.arrived.clear();
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    script.stored = Some(std::mem::take(&mut script.arrived));
    StatusCode::CREATED.into_response()
}

struct Farm {
    script: Shared,
    upload: Upload,
    bytes: Vec<u8>,
    _folder: tempfile::TempDir,
    _server: AbortOnDropHandle<()>,
}

impl Farm {
    async fn start(steps: &[Step]) -> Self {
        segenc_proto::connect::install_crypto_provider();
        let script = Script { steps: steps.iter().copied().collect(), ..Script::default() };
        let script = Arc::new(Mutex::new(script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let app = Router::new().fallback(handle).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("output.nut");
        let bytes: Vec<u8> =
            (0..1_000_000_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();
        std::fs::write(&path, &bytes).expect("writable");
        let upload = Upload {
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            url: format!("http://{address}/output?attempt=1"),
            token: Secret::new("hush"),
            path,
            patience: Duration::from_secs(60),
        };
        Self { script, upload, bytes, _folder: folder, _server: AbortOnDropHandle::new(server) }
    }

    fn stored(&self) -> Option<Vec<u8>> {
        self.script.lock().expect("no panic while it is held").stored.clone()
    }

    fn log(&self) -> Vec<String> {
        self.script.lock().expect("no panic while it is held").log.clone()
    }
}

#[tokio::test]
async fn an_output_arrives_whole_with_its_digest() {
    let farm = Farm::start(&[]).await;
    farm.upload.run().await.expect("it is taken");
    assert_eq!(farm.stored().as_ref(), Some(&farm.bytes));
    assert_eq!(farm.log(), ["PUT - 1000000"]);
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_it_broke() {
    let farm = Farm::start(&[Step::BreakAfter(300_000), Step::BreakAfter(200_000)]).await;
    farm.upload.run().await.expect("it is taken");
    assert_eq!(farm.stored().as_ref(), Some(&farm.bytes));
    assert_eq!(
        farm.log(),
        ["PUT - 1000000", "HEAD - ", "PATCH 300000 700000", "HEAD - ", "PATCH 500000 500000"]
    );
}

#[tokio::test]
async fn a_server_without_room_is_waited_for() {
    let farm = Farm::start(&[Step::Answer(507), Step::Answer(503)]).await;
    farm.upload.run().await.expect("it is taken");
    assert_eq!(farm.stored().as_ref(), Some(&farm.bytes));
}

#[tokio::test]
async fn a_stale_attempt_is_dropped_at_once() {
    let farm = Farm::start(&[Step::Answer(409)]).await;
    let error = farm.upload.run().await.expect_err("it is stale");
    assert!(matches!(error, UploadError::Stale(StatusCode::CONFLICT)), "{error}");
    assert_eq!(farm.log().len(), 1);
    assert_eq!(farm.stored(), None);
}

#[tokio::test]
async fn damage_on_the_way_is_repaired_once() {
    let once = Farm::start(&[Step::Answer(422)]).await;
    once.upload.run().await.expect("it is taken");
    let twice = Farm::start(&[Step::Answer(422), Step::Answer(422)]).await;
    let error = twice.upload.run().await.expect_err("it is damaged again");
    assert!(matches!(error, UploadError::Damaged), "{error}");
}

#[tokio::test]
async fn a_worker_that_is_not_known_any_more_hears_it() {
    let farm = Farm::start(&[Step::Answer(401)]).await;
    let error = farm.upload.run().await.expect_err("it is not known");
    assert!(matches!(error, UploadError::NotKnown), "{error}");
}
