//! Lines that break anywhere, bodies that are changed on the way, deliveries that come late: what is kept is whole
//! or nothing.

use reqwest::Method;
use segenc_proto::grpc;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{
    Caller, Farm, Worker, finish, json_of, output_path, repr_digest, segment_bytes, segment_of,
};

/// Cuts of outputs and of sources, a thousand together.
const OUTPUT_CUTS: u64 = 600;
const SOURCE_CUTS: u64 = 400;
/// Deliveries of a worker that has lost its task.
const LATE: u64 = 100;
/// Bytes of what is sent.
const SIZE: usize = 30_000;

/// Numbers that look drawn and are the same in every run.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's multiplier; the upper bits are the good ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }
}

fn bytes() -> Vec<u8> {
    (0..SIZE).map(|at| u8::try_from(at * at % 251).expect("small")).collect()
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files_below(&path),
            path => vec![path],
        })
        .collect()
}

/// A request written by hand: its body is what the line still carried.
async fn send_by_hand(caller: &Caller, request: &str, headers: &str, body: &[u8], end: End) {
    let address = caller.base.strip_prefix("http://").expect("plain http");
    let mut socket = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\n{headers}\r\n",
        caller.token.bearer()
    );
    // A server that has refused the head closes while the body is still sent.
    let _ = socket.write_all(head.as_bytes()).await;
    let _ = socket.write_all(body).await;
    match end {
        End::HangUp => {}
        End::HalfClose => {
            let _ = socket.shutdown().await;
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer).await;
            let text = String::from_utf8_lossy(&answer);
            assert!(!text.starts_with("HTTP/1.1 201"), "half of it was taken: {text}");
        }
    }
}

#[derive(Clone, Copy)]
enum End {
    HangUp,
    HalfClose,
}

/// A farm whose worker holds the first segment.
async fn with_segment() -> (Farm, Worker, grpc::Task) {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    worker.analyze().await;
    let task = worker.task().await;
    (farm, worker, task)
}

async fn arrived(caller: &Caller, path: &str) -> usize {
    let head = caller.request(Method::HEAD, path).send().await.expect("an answer");
    assert!(head.status().is_success(), "{}", head.status());
    head.headers()["upload-offset"].to_str().expect("plain").parse().expect("a number")
}

#[tokio::test]
async fn an_output_that_was_cut_or_changed_never_becomes_a_blob() {
    let (farm, mut worker, task) = with_segment().await;
    let (path, bytes) = (output_path(&task), bytes());
    let digest = repr_digest(&bytes);
    let mut drawn = Drawn(1);
    let blobs = farm.folders.data().join("blobs");
    for round in 0..OUTPUT_CUTS {
        let cut = drawn.below(SIZE);
        let headers = format!("repr-digest: {digest}\r\n");
        match drawn.below(6) {
            kind @ (0 | 1) => {
                let headers = format!("{headers}content-length: {SIZE}\r\n");
                let end = if kind == 0 { End::HangUp } else { End::HalfClose };
                send_by_hand(&worker.files, &format!("PUT {path}"), &headers, &bytes[..cut], end)
                    .await;
            }
            2 => {
                let headers = format!("{headers}transfer-encoding: chunked\r\n");
                let mut body = format!("{SIZE:x}\r\n").into_bytes();
                body.extend(&bytes[..cut]);
                send_by_hand(&worker.files, &format!("PUT {path}"), &headers, &body, End::HangUp)
                    .await;
            }
            3 => {
                let mut changed = bytes.clone();
                changed[cut] ^= 1 << drawn.below(8);
                let put = worker.files.request(Method::PUT, &path).header("repr-digest", &digest);
                let answer = put.body(changed).send().await.expect("an answer");
                assert_eq!(answer.status(), 422, "round {round}");
            }
            4 => {
                let offset = arrived(&worker.files, &path).await;
                let headers = format!(
                    "{headers}upload-offset: {offset}\r\nupload-complete: ?1\r\ncontent-length: {}\r\n",
                    SIZE - offset
                );
                let end = offset + drawn.below(SIZE - offset);
                let body = &bytes[offset..end];
                send_by_hand(&worker.files, &format!("PATCH {path}"), &headers, body, End::HangUp)
                    .await;
            }
            _ => {
                // Says that this was all, although a part is missing.
                let offset = arrived(&worker.files, &path).await;
                let end = offset + drawn.below(SIZE - offset);
                let patch = worker.files.request(Method::PATCH, &path);
                let patch = patch.header("repr-digest", &digest).header("upload-offset", offset);
                let answer = patch.body(bytes[offset..end].to_vec()).send().await;
                assert_eq!(answer.expect("an answer").status(), 422, "round {round}");
            }
        }
        assert_eq!(files_below(&blobs), Vec::<std::path::PathBuf>::new(), "round {round}");
    }
    worker.encode(&task).await.expect("the right bytes are taken after all that");
    assert_eq!(files_below(&blobs).len(), 1);
}

#[tokio::test]
async fn what_has_arrived_is_not_sent_again() {
    let (farm, worker, task) = with_segment().await;
    let (path, bytes) = (output_path(&task), bytes());
    let digest = repr_digest(&bytes);
    let mut drawn = Drawn(2);
    let mut sent = 0;
    // Half-closed, so that all that was sent is read before the end is.
    while let offset = arrived(&worker.files, &path).await
        && offset < SIZE - 1_000
    {
        let end = offset + 1 + drawn.below(900);
        let headers = format!(
            "repr-digest: {digest}\r\nupload-offset: {offset}\r\nupload-complete: ?1\r\ncontent-length: {}\r\n",
            SIZE - offset
        );
        let body = &bytes[offset..end];
        send_by_hand(&worker.files, &format!("PATCH {path}"), &headers, body, End::HalfClose).await;
        sent += body.len();
    }
    let offset = arrived(&worker.files, &path).await;
    let patch = worker.files.request(Method::PATCH, &path).header("upload-offset", offset);
    let patch = patch.header("repr-digest", &digest).body(bytes[offset..].to_vec());
    assert_eq!(patch.send().await.expect("an answer").status(), 201);
    assert_eq!(sent + SIZE - offset, SIZE, "every byte was sent once");
    let blobs = files_below(&farm.folders.data().join("blobs"));
    assert_eq!(std::fs::read(&blobs[0]).expect("readable"), bytes);
}

#[tokio::test]
async fn a_source_that_was_cut_is_never_taken_for_whole() {
    let farm = Farm::start().await;
    let (caller, bytes) = (&farm.operator, bytes());
    let announced = caller
        .request(Method::POST, "/api/uploads")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", SIZE)
        .send()
        .await
        .expect("an answer");
    let place = announced.headers()["location"].to_str().expect("plain").to_owned();
    let id = place.rsplit('/').next().expect("an id").to_owned();
    let mut drawn = Drawn(3);
    for round in 0..SOURCE_CUTS {
        let offset = arrived(caller, &place).await;
        assert!(offset < SIZE, "round {round}: it is never all there");
        // Wrong on purpose now and then: behind or before what is there.
        let is_off = drawn.below(4) == 0;
        let claimed = if is_off { (offset + 1 + drawn.below(SIZE)) % SIZE } else { offset };
        let end = (claimed + drawn.below(120)).min(SIZE - 1);
        let headers = format!(
            "tus-resumable: 1.0.0\r\nupload-offset: {claimed}\r\ncontent-length: {}\r\n\
             content-type: application/offset+octet-stream\r\n",
            SIZE - claimed
        );
        let how = if drawn.below(2) == 0 { End::HangUp } else { End::HalfClose };
        send_by_hand(caller, &format!("PATCH {place}"), &headers, &bytes[claimed..end], how).await;
        let early = caller.post("/api/jobs", &json!({"source": {"upload": id}})).await;
        assert_eq!(json_of(early).await["type"], "upload-incomplete", "round {round}");
    }
    let offset = arrived(caller, &place).await;
    let rest = caller.request(Method::PATCH, &place).header("tus-resumable", "1.0.0");
    let rest = rest.header("upload-offset", offset);
    let rest = rest.header("content-type", "application/offset+octet-stream");
    let answer = rest.body(bytes[offset..].to_vec()).send().await.expect("an answer");
    assert_eq!(answer.status(), 204);
    let kept = std::fs::read(farm.folders.data().join("uploads").join(&id)).expect("it is there");
    assert_eq!(kept, bytes);
}

#[tokio::test]
async fn a_hundred_late_deliveries_of_a_hundred_are_refused() {
    let (farm, mut late, task) = with_segment().await;
    farm.operator.post(&format!("/api/workers/{}/release", late.id), &json!({})).await;
    let mut successor = farm.worker("two").await;
    let again = successor.task().await;
    assert_eq!((again.task_id, again.attempt), (task.task_id, task.attempt + 1));
    let right = segment_bytes(segment_of(&task).index);
    let mut refused = 0;
    for round in 0..LATE {
        if round == LATE / 2 {
            successor.encode(&again).await.expect("the successor's is taken");
        }
        // By the number of its own attempt or of its successor's, right bytes or others, all or the rest.
        let aimed = if round % 2 == 0 { &task } else { &again };
        let bytes =
            if round % 3 == 0 { right.clone() } else { format!("late {round}").into_bytes() };
        let method = if round % 5 == 0 { Method::PATCH } else { Method::PUT };
        let request = late.files.request(method, &output_path(aimed)).header("upload-offset", 0);
        let request = request.header("repr-digest", repr_digest(&bytes)).body(bytes);
        let status = request.send().await.expect("an answer").status().as_u16();
        let finished = late.finish(finish(aimed)).await;
        refused += u64::from(matches!(status, 403 | 409) && finished.is_err());
    }
    assert_eq!(refused, LATE);
    let blobs = files_below(&farm.folders.data().join("blobs"));
    let stored: Vec<_> = blobs.iter().map(|path| std::fs::read(path).expect("readable")).collect();
    assert_eq!(stored, [right]);
}
