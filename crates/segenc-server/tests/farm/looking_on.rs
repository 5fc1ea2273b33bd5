//! What people look at before a job is started and while it is encoded: drafts, small pictures, own presets.

use reqwest::{Method, Response, StatusCode};
use segenc_proto::grpc;
use serde_json::{Value, json};

use crate::support::{Farm, Worker, json_of, text};

/// The smallest thing that begins as a JPEG does.
const PICTURE: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3];

async fn wish(farm: &Farm, more: Value) -> Value {
    let source = farm.folders.source();
    let mut wish = json!({"source": {"path": text(&source)}});
    for (name, value) in more.as_object().expect("a table") {
        wish[name] = value.clone();
    }
    let response = farm.operator.post("/api/jobs", &wish).await;
    assert_eq!(response.status(), 201);
    json_of(response).await
}

#[tokio::test]
async fn a_draft_is_planned_and_goes_on_when_it_is_resumed() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let made = wish(&farm, json!({"draft": true})).await;
    let id = made["id"].as_u64().expect("a number");
    assert_eq!((&made["state"], &made["draft"]), (&json!("held"), &json!(true)));
    worker.analyze().await;
    let planned = farm.view(id).await;
    assert_eq!(planned["state"], "held");
    assert_eq!(planned["plan_complete"], true);
    assert!(planned["progress"]["segments_planned"].as_u64() > Some(0));
    assert_eq!(planned["waiting_for"], "held; resume it to start");
    let listed = farm.operator.get_json("/api/jobs?state=held").await;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    let paused = farm.operator.post(&format!("/api/jobs/{id}/pause"), &json!({})).await;
    assert_eq!(paused.status(), 409);
    let resumed = farm.operator.post(&format!("/api/jobs/{id}/resume"), &json!({})).await;
    let resumed: Value = json_of(resumed).await;
    assert_eq!((&resumed["state"], &resumed["draft"]), (&json!("transcoding"), &json!(false)));
    let task = worker.task().await;
    worker.encode(&task).await.expect("it is encoded");
}

#[tokio::test]
async fn a_held_job_is_no_draft_and_both_are_deleted_without_being_canceled() {
    let farm = Farm::start().await;
    for (asked, draft) in [(json!({"hold": true}), false), (json!({"draft": true}), true)] {
        let made = wish(&farm, asked).await;
        assert_eq!((&made["state"], &made["draft"]), (&json!("held"), &json!(draft)));
        let path = format!("/api/jobs/{}", made["id"]);
        let gone = farm.operator.request(Method::DELETE, &path).send().await.expect("an answer");
        assert_eq!(gone.status(), 204);
        assert_eq!(farm.operator.get(&path).await.status(), 404);
    }
}

/// A farm whose worker encodes the first segment.
async fn encoding() -> (Farm, Worker, grpc::Task) {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    worker.analyze().await;
    let task = worker.task().await;
    (farm, worker, task)
}

fn place(task: &grpc::Task) -> String {
    let grpc::Task { job_id, task_id, attempt, .. } = task;
    format!("/api/jobs/{job_id}/tasks/{task_id}/thumbnail?attempt={attempt}")
}

async fn bring(worker: &Worker, path: &str, picture: &[u8]) -> Response {
    let request = worker.files.request(Method::PUT, path);
    request.body(picture.to_vec()).send().await.expect("an answer")
}

#[tokio::test]
async fn a_small_picture_is_taken_from_the_worker_that_holds_the_task_and_shown() {
    let (farm, mut worker, task) = encoding().await;
    let index = crate::support::segment_of(&task).index;
    let shown = format!("/api/jobs/{}/segments/{index}/thumbnail", task.job_id);
    assert_eq!(farm.operator.get(&shown).await.status(), 404);
    assert_eq!(bring(&worker, &place(&task), PICTURE).await.status(), 204);
    // A finish that comes before it does not make it worthless.
    worker.encode(&task).await.expect("it is encoded");
    assert_eq!(bring(&worker, &place(&task), PICTURE).await.status(), 204);
    for path in [shown, format!("/api/jobs/{}/thumbnail", task.job_id)] {
        let answer = farm.operator.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.bytes().await.expect("bytes"), PICTURE);
    }
}

#[tokio::test]
async fn a_picture_that_is_none_or_somebody_elses_is_refused() {
    let (farm, worker, task) = encoding().await;
    let other = farm.worker("two").await;
    let path = place(&task);
    let large = [PICTURE, &[0; 20 * 1024]].concat();
    let analysis = format!("/api/jobs/{}/tasks/1/thumbnail?attempt=1", task.job_id);
    for (who, path, picture, status, kind) in [
        (&other, &path, PICTURE, StatusCode::FORBIDDEN, "not-your-task"),
        (&worker, &path, b"<script>".as_slice(), StatusCode::UNPROCESSABLE_ENTITY, "not-a-jpeg"),
        (&worker, &path, large.as_slice(), StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
        (&worker, &analysis, PICTURE, StatusCode::UNPROCESSABLE_ENTITY, "nothing-to-picture"),
    ] {
        let answer = bring(who, path, picture).await;
        assert_eq!(answer.status(), status, "{kind}");
        let problem: Value = json_of(answer).await;
        assert_eq!(problem["type"], kind);
    }
    let as_operator = farm.operator.request(Method::PUT, &path).body(PICTURE.to_vec()).send();
    assert_eq!(as_operator.await.expect("an answer").status(), StatusCode::FORBIDDEN);
    let release = format!("/api/workers/{}/release", worker.id);
    assert_eq!(farm.operator.post(&release, &json!({})).await.status(), 200);
    assert_eq!(bring(&worker, &path, PICTURE).await.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_own_preset_is_checked_kept_over_a_restart_and_forgotten() {
    let farm = Farm::start().await;
    let write = async |farm: &Farm, name: &str, body: Value| {
        let request = farm.operator.request(Method::PUT, &format!("/api/presets/{name}"));
        let request = request.header("content-type", "application/json").body(body.to_string());
        request.send().await.expect("an answer")
    };
    let good = json!({"title": "Mine", "text": "-c:v libx264 -metadata title='a b'"});
    assert_eq!(write(&farm, "Wrong%20Name", good.clone()).await.status(), 422);
    assert_eq!(write(&farm, "mine", json!({"args": []})).await.status(), 422);
    assert_eq!(write(&farm, "mine", json!({"text": "-crf '20"})).await.status(), 422);
    let kept: Value = json_of(write(&farm, "mine", good).await).await;
    assert_eq!(kept["args"], json!(["-c:v", "libx264", "-metadata", "title=a b"]));
    let farm = farm.restart().await;
    let names = |presets: &Value| -> Vec<(String, bool)> {
        let list = presets.as_array().expect("a list").iter();
        list.map(|preset| (preset["name"].to_string(), preset["own"] == true)).collect()
    };
    let all = farm.operator.get_json("/api/presets").await;
    assert_eq!(names(&all), [("\"mine\"".to_owned(), true), ("\"small\"".to_owned(), false)]);
    for (name, status) in [("mine", 204), ("mine", 404), ("small", 404)] {
        let path = format!("/api/presets/{name}");
        let gone = farm.operator.request(Method::DELETE, &path).send().await.expect("an answer");
        assert_eq!(gone.status(), status, "{name}");
    }
}
