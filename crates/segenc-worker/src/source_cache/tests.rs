//! The source cache against a server that counts, breaks off and changes its file.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use segenc_proto::connect::Secret;

use super::range::{Asked, asked};
use super::*;

const MIB: u64 = 1024 * 1024;

/// What the scripted server does and has seen.
#[derive(Debug)]
struct Script {
    film: Bytes,
    etag: Mutex<String>,
    /// The next so many answers break off after [`BROKEN_AFTER`] bytes.
    breaks: AtomicU64,
    /// Answers this instead, where it is not 0.
    refuses: AtomicU64,
    /// The body of such an answer.
    problem: &'static str,
    requests: AtomicU64,
    sent: AtomicU64,
}

const BROKEN_AFTER: usize = 100_000;

struct Farm {
    script: Arc<Script>,
    url: String,
    cache: SourceCache,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
    _server: AbortOnDropHandle<()>,
}

async fn serve_range(State(script): State<Arc<Script>>, headers: HeaderMap) -> Response {
    script.requests.fetch_add(1, Ordering::SeqCst);
    let refused = script.refuses.load(Ordering::SeqCst);
    if refused != 0 {
        let status = u16::try_from(refused).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let mut response = Response::new(Body::from(script.problem));
        *response.status_mut() = status.expect("a test names a real status");
        return response;
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(text(header::AUTHORIZATION), Some("Bearer hush"));
    let etag = script.etag.lock().expect("no test panics while it holds it").clone();
    let same = text(header::IF_RANGE).is_none_or(|version| version == etag);
    let size = u64::try_from(script.film.len()).expect("a length fits");
    let (status, range) = match asked(text(header::RANGE), size) {
        Asked::Part(range) if same => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Part(_) | Asked::Whole => (StatusCode::OK, 0..size),
        Asked::Beyond => panic!("the cache asked beyond the end"),
    };
    let bounds =
        usize::try_from(range.start).expect("fits")..usize::try_from(range.end).expect("fits");
    let mut bytes = script.film.slice(bounds);
    let length = bytes.len();
    let breaks = script
        .breaks
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok();
    if breaks {
        bytes.truncate(BROKEN_AFTER);
    }
    let counted = Arc::clone(&script);
    let pieces: Vec<Bytes> = bytes.chunks(16 * 1024).map(Bytes::copy_from_slice).collect();
    let sent = stream::iter(pieces).map(move |piece| {
        counted.sent.fetch_add(u64::try_from(piece.len()).expect("fits"), Ordering::SeqCst);
        Ok::<_, std::io::Error>(piece)
    });
    let end = stream::iter(breaks.then(|| Err(std::io::Error::other("the cable was pulled"))));
    Response::builder()
        .status(status)
        .header(header::ETAG, etag)
        .header(header::CONTENT_LENGTH, length)
        .header(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1))
        .body(Body::from_stream(sent.chain(end)))
        .expect("all parts are valid")
}

impl Farm {
    async fn start(size: u64) -> Self {
        segenc_proto::connect::install_crypto_provider();
        let size = usize::try_from(size).expect("fits");
        // Bytes that tell their place, so that a shifted range cannot pass.
        let film: Vec<u8> =
            (0..size).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
        let script = Arc::new(Script {
            film: film.into(),
            etag: Mutex::new("\"one\"".to_owned()),
            breaks: AtomicU64::new(0),
            refuses: AtomicU64::new(0),
            problem: r#"{"type":"source-changed"}"#,
            requests: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let app = Router::new().fallback(serve_range).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = SourceCache::start(folder.path().join("sources")).await.expect("loopback");
        Self {
            script,
            url: format!("http://{address}/input"),
            cache,
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            _folder: folder,
            _server: AbortOnDropHandle::new(server),
        }
    }

    fn open(&self, job: u64) -> OpenSource {
        let upstream =
            Upstream { http: self.http.clone(), url: self.url.clone(), token: Secret::new("hush") };
        let size = u64::try_from(self.script.film.len()).expect("fits");
        self.cache
            .open(SourceKey { job, original: Original::Source, size }, upstream, View::Plain)
            .expect("a file")
    }

    async fn get(&self, source: &OpenSource, range: &str) -> (StatusCode, Bytes) {
        let request = self.http.get(&source.url).header(header::RANGE, range);
        let response = request.send().await.expect("loopback answers");
        let status = response.status();
        (status, response.bytes().await.unwrap_or_default())
    }

    fn film(&self, range: std::ops::Range<usize>) -> Bytes {
        self.script.film.slice(range)
    }

    fn sent(&self) -> u64 {
        self.script.sent.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn every_range_has_the_bytes_of_the_source() {
    let farm = Farm::start(3 * MIB + 12_345).await;
    let source = farm.open(1);
    let all = farm.script.film.len();
    for (range, wanted) in [
        ("bytes=0-", 0..all),
        ("bytes=100-199", 100..200),
        ("bytes=65530-65550", 65_530..65_551),
        ("bytes=3145000-", 3_145_000..all),
        ("bytes=-7", all - 7..all),
    ] {
        let (status, bytes) = farm.get(&source, range).await;
        assert_eq!(status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(bytes, farm.film(wanted), "{range}");
    }
    assert_eq!(farm.sent(), u64::try_from(all).expect("fits"), "nothing is fetched twice");
    let (status, _) = farm.get(&source, "bytes=99999999-").await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
    let whole = farm.http.get(&source.url).send().await.expect("loopback answers");
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.bytes().await.expect("it is all there"), farm.film(0..all));
    let head = farm.http.head(&source.url).send().await.expect("loopback answers");
    assert_eq!(head.headers()[header::CONTENT_LENGTH], all.to_string().as_str());
}

#[tokio::test]
async fn who_reads_a_little_and_closes_fetches_little() {
    let farm = Farm::start(64 * MIB).await;
    let source = farm.open(1);
    for start in [0_u64, 40 * MIB, 63 * MIB, 20 * MIB] {
        let range = format!("bytes={start}-");
        let request = farm.http.get(&source.url).header(header::RANGE, range);
        let mut response = request.send().await.expect("loopback answers");
        let mut read = 0;
        while read < 100_000 {
            let bytes = response.chunk().await.expect("bytes").expect("more bytes");
            read += bytes.len();
        }
    }
    // Four seeks: what was read, plus what lay in the buffers of loopback and of one window each.
    assert!(farm.sent() < 4 * MIB, "fetched {} bytes", farm.sent());
}

#[tokio::test]
async fn readers_side_by_side_share_what_is_fetched() {
    let farm = Farm::start(8 * MIB).await;
    let (one, two, three) = (farm.open(1), farm.open(1), farm.open(1));
    let (a, b, c) = tokio::join!(
        farm.get(&one, "bytes=0-"),
        farm.get(&two, "bytes=0-"),
        farm.get(&three, "bytes=1048576-")
    );
    let all = farm.script.film.len();
    assert_eq!(a.1, farm.film(0..all));
    assert_eq!(b.1, farm.film(0..all));
    assert_eq!(c.1, farm.film(1_048_576..all));
    assert_eq!(farm.sent(), 8 * MIB);
}

#[tokio::test]
async fn a_source_of_another_job_is_fetched_for_itself() {
    let farm = Farm::start(MIB).await;
    let (one, two) = (farm.open(1), farm.open(2));
    farm.get(&one, "bytes=0-").await;
    farm.get(&two, "bytes=0-").await;
    assert_eq!(farm.sent(), 2 * MIB);
}

#[tokio::test]
async fn the_next_task_of_a_job_finds_what_the_last_one_read() {
    let farm = Farm::start(MIB).await;
    let first = farm.open(1);
    farm.get(&first, "bytes=0-").await;
    drop(first);
    let second = farm.open(1);
    let (_, bytes) = farm.get(&second, "bytes=0-").await;
    assert_eq!(bytes, farm.script.film);
    assert_eq!(farm.sent(), MIB);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_goes_unnoticed() {
    let farm = Farm::start(2 * MIB).await;
    farm.script.breaks.store(3, Ordering::SeqCst);
    let source = farm.open(1);
    let (status, bytes) = farm.get(&source, "bytes=0-").await;
    assert_eq!(status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(bytes, farm.script.film);
    assert_eq!(source.trouble(), None);
    assert_eq!(farm.script.breaks.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_source_that_changes_is_an_error_and_never_a_mixture() {
    let farm = Farm::start(4 * MIB).await;
    let source = farm.open(1);
    farm.get(&source, "bytes=0-99").await;
    *farm.script.etag.lock().expect("no test panics while it holds it") = "\"two\"".to_owned();
    let request = farm.http.get(&source.url).header(header::RANGE, "bytes=2097152-");
    let response = request.send().await.expect("loopback answers");
    assert!(response.bytes().await.is_err(), "the answer breaks off");
    assert_eq!(source.trouble(), Some(Trouble::Changed));
    // The next task begins with the new file.
    let fresh = farm.open(1);
    let (_, bytes) = farm.get(&fresh, "bytes=0-").await;
    assert_eq!(bytes, farm.script.film);
    assert_eq!(fresh.trouble(), None);
}

#[tokio::test]
async fn a_lost_lease_ends_reading_at_once() {
    let farm = Farm::start(MIB).await;
    farm.script.refuses.store(403, Ordering::SeqCst);
    let source = farm.open(1);
    let request = farm.http.get(&source.url).send().await.expect("loopback answers");
    assert!(request.bytes().await.is_err());
    assert_eq!(source.trouble(), Some(Trouble::Refused(StatusCode::FORBIDDEN)));
    assert_eq!(farm.script.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_finds_the_source_changed_is_believed() {
    let farm = Farm::start(MIB).await;
    farm.script.refuses.store(409, Ordering::SeqCst);
    let source = farm.open(1);
    let request = farm.http.get(&source.url).send().await.expect("loopback answers");
    assert!(request.bytes().await.is_err());
    assert_eq!(source.trouble(), Some(Trouble::Changed));
}

#[tokio::test]
async fn an_address_ends_with_its_task() {
    let farm = Farm::start(MIB).await;
    let source = farm.open(1);
    let url = source.url.clone();
    drop(source);
    let response = farm.http.get(&url).send().await.expect("loopback answers");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let root = url.rsplit_once('/').expect("it has a path").0.to_owned();
    let response = farm.http.get(format!("{root}/")).send().await.expect("loopback answers");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn warming_fetches_the_first_bytes_only() {
    let farm = Farm::start(8 * MIB).await;
    let source = farm.open(1);
    source.warm().await;
    assert_eq!(farm.sent(), blocks::GRANULE);
    let (_, bytes) = farm.get(&source, "bytes=0-999").await;
    assert_eq!(bytes, farm.film(0..1000));
    assert_eq!(farm.sent(), blocks::GRANULE);
}

#[tokio::test]
async fn sources_that_nobody_reads_are_forgotten() {
    let farm = Farm::start(MIB).await;
    for job in 0..5 {
        drop(farm.open(job));
    }
    assert_eq!(farm.cache.shared.lock().sources.len(), IDLE_SOURCES_MAX);
    let later = Instant::now() + IDLE_SOURCE_LASTS;
    farm.cache.shared.lock().forget_idle(later);
    assert!(farm.cache.shared.lock().sources.is_empty());
}
