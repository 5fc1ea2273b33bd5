//! Sources from clients, by tus.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Response};
use serde_json::json;

use crate::support::{Farm, input_path, json_of, source_bytes};

async fn announce(farm: &Farm, size: u64) -> Response {
    let request = farm.operator.request(Method::POST, "/api/uploads");
    let request = request.header("tus-resumable", "1.0.0").header("upload-length", size);
    let name = format!("filename {}", STANDARD.encode("ein Fílm.mkv"));
    request.header("upload-metadata", name).send().await.expect("an answer")
}

async fn patch(farm: &Farm, place: &str, offset: usize, bytes: &[u8]) -> Response {
    let request = farm.operator.request(Method::PATCH, place).header("tus-resumable", "1.0.0");
    let request = request.header("upload-offset", offset);
    let request = request.header("content-type", "application/offset+octet-stream");
    request.body(bytes.to_vec()).send().await.expect("an answer")
}

fn place_of(created: &Response) -> String {
    assert_eq!(created.status(), 201);
    created.headers()["location"].to_str().expect("plain").to_owned()
}

async fn offset(farm: &Farm, place: &str) -> String {
    let head = farm.operator.request(Method::HEAD, place).send().await.expect("an answer");
    assert_eq!(head.status(), 200);
    head.headers()["upload-offset"].to_str().expect("plain").to_owned()
}

#[tokio::test]
async fn a_source_arrives_in_pieces_and_over_a_restart() {
    let farm = Farm::start().await;
    let bytes = source_bytes();
    let place = place_of(&announce(&farm, bytes.len() as u64).await);
    let first = patch(&farm, &place, 0, &bytes[..150_000]).await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["upload-offset"]),
        (204, &"150000".parse().expect("plain"))
    );
    let id = place.rsplit('/').next().expect("an id");
    let early = farm.operator.post("/api/jobs", &json!({"source": {"upload": id}})).await;
    assert_eq!(json_of(early).await["type"], "upload-incomplete");
    let farm = farm.restart().await;
    assert_eq!(offset(&farm, &place).await, "150000");
    assert_eq!(patch(&farm, &place, 0, b"again").await.status(), 409);
    assert_eq!(patch(&farm, &place, 150_000, &bytes[150_000..]).await.status(), 204);
    let made = farm.operator.post("/api/jobs", &json!({"source": {"upload": id}})).await;
    assert_eq!(made.status(), 201);
    assert_eq!(json_of(made).await["source_name"], "ein Fílm.mkv");
    let mut worker = farm.worker("one").await;
    let task = worker.task().await;
    let input = worker.files.get(&input_path(&task, 0)).await;
    assert_eq!(input.bytes().await.expect("bytes"), bytes);
    let used = farm.operator.request(Method::DELETE, &place).send().await.expect("an answer");
    assert_eq!(used.status(), 409);
}

#[tokio::test]
async fn an_upload_is_never_longer_than_announced() {
    let farm = Farm::start().await;
    let place = place_of(&announce(&farm, 4).await);
    assert_eq!(patch(&farm, &place, 0, b"12345").await.status(), 400);
    assert_eq!(offset(&farm, &place).await, "0");
    let wrong = farm.operator.request(Method::PATCH, &place).header("upload-offset", 0);
    assert_eq!(wrong.body("1234").send().await.expect("an answer").status(), 415);
}

#[tokio::test]
async fn an_upload_can_be_taken_back() {
    let farm = Farm::start().await;
    let place = place_of(&announce(&farm, 4).await);
    let gone = farm.operator.request(Method::DELETE, &place).send().await.expect("an answer");
    assert_eq!(gone.status(), 204);
    assert_eq!(
        farm.operator.request(Method::HEAD, &place).send().await.expect("an answer").status(),
        404
    );
    assert_eq!(
        std::fs::read_dir(farm.folders.data().join("uploads")).expect("a folder").count(),
        0
    );
}

#[tokio::test]
async fn an_upload_that_can_never_fit_is_refused() {
    let farm = Farm::start().await;
    let refused = announce(&farm, u64::MAX / 4).await;
    assert_eq!(refused.status(), 413);
    assert_eq!(json_of(refused).await["type"], "upload-too-large");
}
