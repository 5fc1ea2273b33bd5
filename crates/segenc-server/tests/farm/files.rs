//! Bytes: inputs in parts, outputs in pieces, and who may have which.

use reqwest::Method;
use segenc_proto::connect::Secret;
use segenc_proto::grpc;
use serde_json::json;

use crate::support::{
    Caller, Farm, Worker, input_path, json_of, output_path, repr_digest, source_bytes, status,
};

/// A farm whose worker holds an analysis.
async fn with_task() -> (Farm, Worker, grpc::Task) {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    let task = worker.task().await;
    (farm, worker, task)
}

#[tokio::test]
async fn inputs_are_served_in_the_parts_that_are_asked_for() {
    let (_farm, worker, task) = with_task().await;
    let path = input_path(&task, 0);
    let bytes = source_bytes();
    let whole = worker.files.get(&path).await;
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    let etag = whole.headers()["etag"].to_str().expect("plain").to_owned();
    assert_eq!(whole.bytes().await.expect("bytes"), bytes);
    let size = bytes.len();
    for (range, if_range, status, part) in [
        ("bytes=0-0", None, 206, 0..1),
        ("bytes=1000-1999", None, 206, 1000..2000),
        ("bytes=399999-", None, 206, 399_999..size),
        ("bytes=-5", None, 206, size - 5..size),
        ("bytes=10-99999999", None, 206, 10..size),
        ("bytes=5-9", Some(etag.as_str()), 206, 5..10),
        ("bytes=5-9", Some("\"another\""), 200, 0..size),
        ("bytes=0-1,5-6", None, 200, 0..size),
        ("bytes=400000-", None, 416, 0..0),
    ] {
        let mut request = worker.files.request(Method::GET, &path).header("range", range);
        if let Some(tag) = if_range {
            request = request.header("if-range", tag);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), status, "{range}");
        match status {
            206 => {
                let wanted = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                assert_eq!(response.headers()["content-range"], wanted);
            }
            416 => {
                assert_eq!(response.headers()["content-range"], format!("bytes */{size}"));
                continue;
            }
            _ => {}
        }
        assert_eq!(response.headers()["etag"], etag);
        assert_eq!(response.bytes().await.expect("bytes"), bytes[part], "{range}");
    }
    let head = worker.files.request(Method::HEAD, &path).send().await.expect("an answer");
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"400000".parse().expect("plain"))
    );
    assert_eq!(head.headers()["etag"], etag);
    assert_eq!(head.headers()["accept-ranges"], "bytes");
    assert!(head.bytes().await.expect("bytes").is_empty());
}

#[tokio::test]
async fn only_the_worker_that_holds_a_task_sees_its_inputs() {
    let (farm, worker, task) = with_task().await;
    let other = farm.worker("two").await;
    let path = input_path(&task, 0);
    assert_eq!(other.files.get(&path).await.status(), 403);
    assert_eq!(farm.operator.get(&path).await.status(), 403);
    let nobody = reqwest::get(format!("{}{path}", worker.files.base)).await.expect("an answer");
    assert_eq!(nobody.status(), 401);
    assert_eq!(worker.files.get("/api/jobs/1/tasks/99/input/0").await.status(), 404);
    assert_eq!(worker.files.get("/api/jobs/7/tasks/1/input/0").await.status(), 404);
    assert_eq!(worker.files.get(&input_path(&task, 1)).await.status(), 404);
    let release = format!("/api/workers/{}/release", worker.id);
    assert_eq!(farm.operator.post(&release, &json!({})).await.status(), 200);
    assert_eq!(worker.files.get(&path).await.status(), 409);
}

#[tokio::test]
async fn only_a_known_token_opens_an_output() {
    let (farm, worker, task) = with_segment().await;
    let other = farm.worker("two").await;
    let path = output_path(&task);
    let wrong = Caller { token: Secret::new("nobody's".to_owned()), ..worker.files.clone() };
    for method in [Method::HEAD, Method::PUT, Method::PATCH] {
        let request = |caller: &Caller| {
            let request = caller.request(method.clone(), &path).header("upload-offset", 0);
            request.header("repr-digest", repr_digest(b"bytes")).body("bytes")
        };
        for (caller, status) in [(&wrong, 401), (&farm.operator, 403), (&other.files, 403)] {
            let answer = request(caller).send().await.expect("an answer");
            assert_eq!(answer.status(), status, "{method}");
        }
        let url = format!("{}{path}", worker.files.base);
        let without = worker.files.http.request(method.clone(), url).body("bytes");
        assert_eq!(without.send().await.expect("an answer").status(), 401, "{method}");
    }
    assert_eq!(wrong.get(&input_path(&task, 0)).await.status(), 401);
    assert_eq!(files_below(&farm.folders.data().join("partial")), 0);
    assert_eq!(files_below(&farm.folders.data().join("blobs")), 0);
    assert_eq!(worker.put(&task, b"bytes").await.status(), 201);
}

#[tokio::test]
async fn a_source_that_changes_is_not_served_on() {
    let (farm, worker, task) = with_task().await;
    std::fs::write(farm.folders.source(), b"something else").expect("written");
    let response = worker.files.get(&input_path(&task, 0)).await;
    assert_eq!(response.status(), 409);
    assert_eq!(json_of(response).await["type"], "source-changed");
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

fn files_below(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| if path.is_dir() { files_below(&path) } else { 1 })
        .sum()
}

#[tokio::test]
async fn a_wrong_digest_leaves_nothing() {
    let (farm, mut worker, task) = with_segment().await;
    let request = worker.files.request(Method::PUT, &output_path(&task));
    let request = request.header("repr-digest", repr_digest(b"something else"));
    let response = request.body("bytes").send().await.expect("an answer");
    assert_eq!(response.status(), 422);
    assert_eq!(files_below(&farm.folders.data().join("partial")), 0);
    assert_eq!(files_below(&farm.folders.data().join("blobs")), 0);
    let without = worker.files.request(Method::PUT, &output_path(&task)).body("bytes");
    assert_eq!(without.send().await.expect("an answer").status(), 400);
    worker.encode(&task).await.expect("the right bytes are taken after that");
}

#[tokio::test]
async fn an_output_may_be_delivered_twice_but_not_changed() {
    let (_farm, worker, task) = with_segment().await;
    assert_eq!(worker.put(&task, b"bytes").await.status(), 201);
    assert_eq!(worker.put(&task, b"bytes").await.status(), 204);
    assert_eq!(worker.put(&task, b"other").await.status(), 409);
}

#[tokio::test]
async fn a_late_worker_cannot_overwrite_its_successor() {
    let (farm, mut late, task) = with_segment().await;
    let release = format!("/api/workers/{}/release", late.id);
    farm.operator.post(&release, &json!({})).await;
    let mut successor = farm.worker("two").await;
    let again = successor.task().await;
    assert_eq!((again.task_id, again.attempt), (task.task_id, task.attempt + 1));
    assert_eq!(late.put(&task, b"late").await.status(), 409);
    assert_eq!(late.put(&again, b"late").await.status(), 403);
    let answer = late.report(status(&task)).await.expect("told to stop");
    assert_eq!(answer.directive(), grpc::status_answer::Directive::Stop);
    assert_eq!(late.encode_refused(&task).await, tonic::Code::Aborted);
    successor.encode(&again).await.expect("the successor's is taken");
}

impl Worker {
    async fn encode_refused(&mut self, task: &grpc::Task) -> tonic::Code {
        self.finish(crate::support::finish(task)).await.expect_err("refused").code()
    }
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was() {
    let (_farm, mut worker, task) = with_segment().await;
    let path = output_path(&task);
    let bytes = source_bytes();
    let digest = repr_digest(&bytes);
    let offset = async || {
        let head = worker.files.request(Method::HEAD, &path).send().await.expect("an answer");
        assert_eq!(head.status(), 204);
        head.headers()["upload-offset"].to_str().expect("plain").to_owned()
    };
    let patch = async |from: usize, to: usize, complete: &str| {
        let request = worker.files.request(Method::PATCH, &path);
        let request = request.header("upload-offset", from).header("upload-complete", complete);
        let request = request.header("repr-digest", &digest).body(bytes[from..to].to_vec());
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(offset().await, "0");
    assert_eq!(patch(0, 1000, "?0").await, 204);
    assert_eq!(offset().await, "1000");
    assert_eq!(patch(999, 2000, "?0").await, 409);
    assert_eq!(patch(1000, bytes.len(), "?1").await, 201);
    let head = worker.files.request(Method::HEAD, &path).send().await.expect("an answer");
    assert_eq!(head.headers()["upload-complete"], "?1");
    let mut finish = crate::support::finish(&task);
    finish.frames = crate::support::segment_of(&task).expected.clone();
    worker.finish(finish).await.expect("done");
}

#[tokio::test]
async fn an_output_that_cannot_fit_is_refused_before_it_is_sent() {
    let (_farm, worker, task) = with_segment().await;
    let address = worker.files.base.strip_prefix("http://").expect("plain http").to_owned();
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\nrepr-digest: {}\r\n\
         content-length: {}\r\n\r\n",
        output_path(&task),
        worker.files.token.bearer(),
        repr_digest(b""),
        u64::MAX / 2
    );
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(address).expect("connected");
        socket.write_all(head.as_bytes()).expect("sent");
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    });
    assert_eq!(answer.await.expect("read"), "HTTP/1.1 507");
}

#[tokio::test]
async fn bytes_are_counted_by_worker() {
    let (farm, mut worker, task) = with_segment().await;
    let part = worker.files.request(Method::GET, &input_path(&task, 0));
    let part = part.header("range", "bytes=0-999").send().await.expect("an answer");
    assert_eq!(part.bytes().await.expect("bytes").len(), 1000);
    worker.encode(&task).await.expect("a segment");
    let workers = farm.operator.get_json("/api/workers").await;
    assert_eq!(workers[0]["bytes_fetched"], 1000);
    assert_eq!(workers[0]["bytes_delivered"], 10_000);
}

/// Sends the head and the first bytes of an output by hand, and hangs up once the server has begun to read.
fn send_half(address: &str, head: &str, half: &[u8]) {
    use std::io::{Read as _, Write as _};
    let mut socket = std::net::TcpStream::connect(address).expect("connected");
    socket.write_all(head.as_bytes()).expect("sent");
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 100");
    socket.write_all(half).expect("sent");
}

#[tokio::test]
async fn an_upload_whose_line_broke_is_finished_by_the_rest_alone() {
    let (_farm, worker, task) = with_segment().await;
    let bytes = source_bytes();
    let digest = repr_digest(&bytes);
    let address = worker.files.base.strip_prefix("http://").expect("plain http").to_owned();
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\nrepr-digest: {digest}\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        output_path(&task),
        worker.files.token.bearer(),
        bytes.len()
    );
    let half = bytes[..100_000].to_vec();
    tokio::task::spawn_blocking(move || send_half(&address, &head, &half)).await.expect("sent");
    let path = output_path(&task);
    let asked = worker.files.request(Method::HEAD, &path).send().await.expect("an answer");
    let offset: usize =
        asked.headers()["upload-offset"].to_str().expect("plain").parse().expect("a number");
    assert!(offset <= 100_000);
    let rest = worker.files.request(Method::PATCH, &path).header("upload-offset", offset);
    let rest = rest.header("repr-digest", digest).body(bytes[offset..].to_vec());
    assert_eq!(rest.send().await.expect("an answer").status(), 201);
}
