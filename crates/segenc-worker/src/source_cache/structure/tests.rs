//! The structure against a server that tells it, stops, breaks off, changes its file or knows nothing of it.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, Uri, header};
use segenc_proto::connect::Secret;

use super::super::range::{Asked, asked};
use super::super::{OpenSource, Original, SourceCache, SourceKey, View};
use super::*;

const MIB: u64 = 1024 * 1024;
const STRUCTURE: &str = "application/vnd.segenc.structure";

/// How the server takes a question for the structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Tells,
    /// Breaks off after so many bytes of each of the first three answers.
    Breaks(usize),
    /// Falls silent after so many bytes.
    Stalls(usize),
    /// Cannot leave anything out.
    HasNone,
    /// Knows no such question, and answers the file.
    IsOld,
    /// Says something else than it should.
    Babbles,
    /// Has another file by now.
    HasChanged,
}

#[derive(Debug)]
struct Script {
    film: Bytes,
    holes: Vec<Range<usize>>,
    manner: Manner,
    /// Questions for the structure.
    asked: AtomicU64,
    told: AtomicU64,
    fetched: AtomicU64,
}

struct Farm {
    script: Arc<Script>,
    upstream: Upstream,
    cache: SourceCache,
    _folder: tempfile::TempDir,
    _server: AbortOnDropHandle<()>,
}

fn number(mut value: usize, out: &mut Vec<u8>) {
    while value > 127 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Script {
    fn records(&self, from: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = from;
        let mut left_out = 0;
        let end = std::iter::once(self.film.len()..self.film.len());
        for hole in self.holes.iter().cloned().chain(end).filter(|hole| hole.end > from) {
            let told = at..hole.start.max(at);
            if !told.is_empty() {
                number(left_out, &mut out);
                number(told.len(), &mut out);
                out.extend_from_slice(&self.film[told.clone()]);
                left_out = 0;
            }
            left_out += hole.end - told.end;
            at = hole.end;
        }
        if left_out > 0 {
            number(left_out, &mut out);
            number(0, &mut out);
        }
        out
    }

    /// What a reader of the structure sees.
    fn seen(&self) -> Vec<u8> {
        let mut seen = self.film.to_vec();
        self.holes.iter().for_each(|hole| seen[hole.clone()].fill(0));
        seen
    }

    fn size(&self) -> u64 {
        u64::try_from(self.film.len()).expect("fits")
    }
}

async fn serve(State(script): State<Arc<Script>>, uri: Uri, headers: HeaderMap) -> Response {
    let builder = Response::builder().header(header::ETAG, "\"film\"");
    let counted = Arc::clone(&script);
    let question = uri.query().and_then(|query| query.strip_prefix("holes=video&from="));
    if let Some(from) = question.filter(|_| script.manner != Manner::IsOld) {
        let earlier = script.asked.fetch_add(1, Ordering::SeqCst);
        let mut records =
            script.records(from.split('&').next().unwrap_or_default().parse().expect("a number"));
        match script.manner {
            Manner::Breaks(bytes) if earlier < 3 => records.truncate(bytes),
            Manner::Stalls(bytes) => records.truncate(bytes),
            Manner::Babbles => records = vec![0xff; 1000],
            Manner::HasNone => {
                return builder.status(204).body(Body::empty()).expect("all parts are valid");
            }
            Manner::HasChanged => {
                let problem = Body::from(r#"{"type":"source-changed"}"#);
                return builder.status(409).body(problem).expect("all parts are valid");
            }
            Manner::Breaks(_) | Manner::Tells | Manner::IsOld => {}
        }
        let pieces: Vec<Bytes> = records.chunks(10_007).map(Bytes::copy_from_slice).collect();
        let told = stream::iter(pieces).map(move |piece| {
            counted.told.fetch_add(u64::try_from(piece.len()).expect("fits"), Ordering::SeqCst);
            Ok::<_, io::Error>(piece)
        });
        let broken = earlier < 3 && matches!(script.manner, Manner::Breaks(_));
        let error = stream::iter(broken.then(|| Err(io::Error::other("the cable was pulled"))));
        let body = match script.manner {
            Manner::Stalls(_) => Body::from_stream(told.chain(stream::pending())),
            _ => Body::from_stream(told.chain(error)),
        };
        let builder = builder.header(header::CONTENT_TYPE, STRUCTURE);
        return builder.body(body).expect("all parts are valid");
    }
    let size = script.size();
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, range) = match asked(range, size) {
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Whole => (StatusCode::OK, 0..size),
        Asked::Beyond => panic!("the cache asked beyond the end"),
    };
    script.fetched.fetch_add(range.end - range.start, Ordering::SeqCst);
    let bounds =
        usize::try_from(range.start).expect("fits")..usize::try_from(range.end).expect("fits");
    builder
        .status(status)
        .header(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1))
        .body(Body::from(script.film.slice(bounds)))
        .expect("all parts are valid")
}

impl Farm {
    /// A film of 6 MiB: the first is told, then all but 1000 bytes of every 30,000 are holes.
    async fn start(manner: Manner) -> Self {
        segenc_proto::connect::install_crypto_provider();
        let size = usize::try_from(6 * MIB + 4321).expect("fits");
        let film: Vec<u8> = (0..size)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0] | 1)
            .collect();
        let begin = usize::try_from(MIB).expect("fits");
        let holes = (begin..size - 30_000).step_by(30_000).map(|at| at + 1000..at + 30_000);
        let script = Arc::new(Script {
            film: film.into(),
            holes: holes.collect(),
            manner,
            asked: AtomicU64::new(0),
            told: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let app = Router::new().fallback(serve).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = SourceCache::start(folder.path().join("sources")).await.expect("loopback");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let url = format!("http://{address}/input");
        let upstream = Upstream { http, url, token: Secret::new("hush") };
        let _server = AbortOnDropHandle::new(server);
        Self { script, upstream, cache, _folder: folder, _server }
    }

    fn open(&self, view: View) -> OpenSource {
        let key = SourceKey { job: 1, original: Original::Source, size: self.script.size() };
        self.cache.open(key, self.upstream.clone(), view).expect("a file")
    }

    async fn read(&self, source: &OpenSource, range: &str) -> Option<Bytes> {
        let request = self.upstream.http.get(&source.url).header(header::RANGE, range);
        request.send().await.expect("loopback answers").bytes().await.ok()
    }

    fn asked(&self) -> u64 {
        self.script.asked.load(Ordering::SeqCst)
    }

    fn fetched(&self) -> u64 {
        self.script.fetched.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn holes_are_zeros_and_everything_else_is_true() {
    let farm = Farm::start(Manner::Tells).await;
    let source = farm.open(View::Facts);
    source.warm().await;
    let seen = farm.script.seen();
    assert!(farm.read(&source, "bytes=0-").await.expect("all") == seen);
    let part = farm.read(&source, "bytes=3000000-3100000").await.expect("a part");
    assert!(part == seen[3_000_000..=3_100_000]);
    assert_eq!((farm.fetched(), farm.asked()), (0, 1));
    assert!(farm.script.told.load(Ordering::SeqCst) < farm.script.size() / 4);
}

#[tokio::test]
async fn zeros_never_reach_who_reads_plainly() {
    let farm = Farm::start(Manner::Tells).await;
    let structure = farm.open(View::Facts);
    farm.read(&structure, "bytes=0-").await.expect("all");
    let plain = farm.open(View::Plain);
    assert!(farm.read(&plain, "bytes=0-").await.expect("all") == farm.script.film);
    let fetched = farm.fetched();
    let head = MIB - GRANULE;
    assert!(
        fetched <= farm.script.size() - head,
        "what was told in full is not fetched: {fetched}"
    );
    // And who reads the structure again sees the truth where it is known.
    assert!(farm.read(&structure, "bytes=0-").await.expect("all") == farm.script.film);
}

#[tokio::test]
async fn the_next_task_of_a_job_asks_for_what_is_missing_only() {
    let farm = Farm::start(Manner::Tells).await;
    let plain = farm.open(View::Plain);
    farm.read(&plain, "bytes=0-999999").await.expect("a part");
    for _ in 0..2 {
        let source = farm.open(View::Facts);
        let read = farm.read(&source, "bytes=2000000-").await.expect("a part");
        assert!(read == farm.script.seen()[2_000_000..]);
    }
    assert_eq!(farm.asked(), 1, "what was told once is known");
    assert!(farm.script.told.load(Ordering::SeqCst) < MIB, "what was fetched is not told again");
}

#[tokio::test]
async fn a_telling_that_breaks_off_goes_on_where_it_was() {
    let farm = Farm::start(Manner::Breaks(400_000)).await;
    let source = farm.open(View::Facts);
    let (read, seen) = (farm.read(&source, "bytes=0-").await.expect("all"), farm.script.seen());
    println!(
        "asked {} fetched {} told {}",
        farm.asked(),
        farm.fetched(),
        farm.script.told.load(Ordering::SeqCst)
    );
    assert_eq!(read.iter().zip(&seen).position(|(read, seen)| read != seen), None);
    assert_eq!(read.len(), seen.len());
    assert_eq!((farm.asked(), farm.fetched(), source.trouble()), (4, 0, None));
}

#[tokio::test]
async fn servers_that_cannot_tell_are_read_plainly() {
    for manner in [Manner::HasNone, Manner::IsOld, Manner::Babbles] {
        let farm = Farm::start(manner).await;
        let source = farm.open(View::Facts);
        let read = farm.read(&source, "bytes=0-").await.expect("all");
        assert!(read == farm.script.film, "{manner:?}");
        assert_eq!(source.trouble(), None);
    }
}

#[tokio::test]
async fn who_looks_at_the_end_does_not_wait_for_the_beginning() {
    let farm = Farm::start(Manner::Stalls(300_000)).await;
    let source = farm.open(View::Facts);
    let seen = farm.read(&source, "bytes=0-199999").await.expect("told before the silence");
    assert!(seen == farm.script.film[..200_000]);
    let tail = farm.read(&source, "bytes=6200000-6200999").await.expect("fetched");
    assert!(tail == farm.script.film[6_200_000..6_201_000]);
    assert!(farm.fetched() > 0);
}

#[tokio::test]
async fn a_source_that_has_changed_is_an_error() {
    let farm = Farm::start(Manner::HasChanged).await;
    let source = farm.open(View::Facts);
    assert_eq!(farm.read(&source, "bytes=0-").await, None);
    assert_eq!(source.trouble(), Some(Trouble::Changed));
}

#[tokio::test]
async fn nobody_left_to_read_means_nobody_tells() {
    let farm = Farm::start(Manner::Stalls(300_000)).await;
    let source = farm.open(View::Facts);
    farm.read(&source, "bytes=0-99").await.expect("told before the silence");
    drop(source);
    // The task is gone with its last holder, so that the next one begins its own.
    let again = farm.open(View::Facts);
    farm.read(&again, "bytes=0-99").await.expect("known already");
    let other = farm.open(View::Facts);
    farm.read(&other, "bytes=200000-200099").await.expect("told before the silence");
    assert_eq!(farm.asked(), 2);
}
