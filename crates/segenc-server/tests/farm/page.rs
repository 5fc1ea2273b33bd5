//! What the page stands on: its own files, the streams of events, looking into folders and options.

use std::path::PathBuf;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Farm, json_of, text};

#[tokio::test]
async fn the_page_is_for_everybody_and_everything_else_is_not() {
    let farm = Farm::start().await;
    for path in ["/", "/jobs/7", "/login"] {
        let caller = &farm.operator;
        let response =
            caller.http.get(format!("{}{path}", caller.base)).send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().expect("plain");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert!(response.text().await.expect("a body").contains("Segmented Encoder"));
    }
    for path in ["/api", "/api/nothing", "/jobs/7/x", "/assets/nothing.js"] {
        let response = farm.operator.get(path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
    }
}

/// The events of a stream, one after the other.
struct Events {
    response: Response,
    read: String,
}

impl Events {
    async fn open(farm: &Farm, path: &str) -> Self {
        let response = farm.operator.get(path).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    /// The next event of this name for which the test holds.
    async fn until(&mut self, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            while let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else {
                    continue;
                };
                let data: Value = serde_json::from_str(data).expect("JSON");
                if event.contains(&format!("event: {name}\n")) && holds(&data) {
                    return data;
                }
            }
            let piece = self.response.chunk().await.expect("bytes").expect("the stream goes on");
            self.read.push_str(std::str::from_utf8(&piece).expect("text"));
        }
    }
}

#[tokio::test]
async fn the_farms_stream_tells_everything_once_and_then_only_changes() {
    let farm = Farm::start().await;
    let (first, second) = (farm.job(json!({})).await, farm.job(json!({})).await);
    let mut events = Events::open(&farm, "/api/events").await;
    let all = events.until("changes", |_| true).await;
    assert_eq!(all["complete"], true);
    let ids: Vec<&Value> = all["jobs"].as_array().expect("jobs").iter().map(|j| &j["id"]).collect();
    assert_eq!(ids, [&json!(second), &json!(first)]);

    farm.operator.post(&format!("/api/jobs/{first}/cancel"), &json!({})).await;
    let change = events.until("changes", |change| change["jobs"] != json!([])).await;
    assert_eq!(change["complete"], false);
    assert_eq!(change["jobs"].as_array().map(Vec::len), Some(1));
    assert_eq!(change["jobs"][0]["state"], "canceled");

    let path = format!("/api/jobs/{first}");
    farm.operator.request(Method::DELETE, &path).send().await.expect("an answer");
    events.until("changes", |change| change["gone_jobs"] == json!([first])).await;

    let mut worker = farm.worker("one").await;
    let joined = events.until("changes", |change| change["workers"] != json!([])).await;
    assert_eq!(joined["workers"][0]["name"], "one");
    let task = worker.task().await;
    let busy = |change: &Value| change["workers"][0]["work"][0]["task"] == json!(task.task_id);
    let busy = events.until("changes", busy).await;
    assert_eq!(busy["workers"][0]["work"][0]["kind"], "analysis");
}

#[tokio::test]
async fn a_jobs_stream_tells_its_tasks_and_goes_on_after_its_end() {
    let farm = Farm::start().await;
    let job = farm.job(json!({})).await;
    let mut events = Events::open(&farm, &format!("/api/jobs/{job}/events?with=tasks")).await;
    let first = events.until("tasks", |_| true).await;
    assert_eq!(first["complete"], true);
    assert_eq!(first["tasks"][0]["kind"], "analysis");
    let mut worker = farm.worker("one").await;
    worker.analyze().await;
    let is_planned = |change: &Value| {
        let tasks = change["tasks"].as_array().expect("tasks");
        tasks.iter().any(|task| task["kind"] == "segment" && task["state"] == "ready")
    };
    let planned = events.until("tasks", is_planned).await;
    assert_eq!(planned["complete"], false);
    let task = worker.task().await;
    worker.encode(&task).await.expect("encoded");
    let is_done = |change: &Value| {
        let tasks = change["tasks"].as_array().expect("tasks");
        tasks.iter().any(|found| found["id"] == json!(task.task_id) && found["state"] == "done")
    };
    let done = events.until("tasks", is_done).await;
    assert!(done["tasks"].as_array().map_or(0, Vec::len) < 5, "only what has changed: {done}");
    farm.operator.post(&format!("/api/jobs/{job}/cancel"), &json!({})).await;
    events.until("job", |job| job["state"] == "canceled").await;
    farm.operator.post(&format!("/api/jobs/{job}/retry"), &json!({})).await;
    events.until("job", |job| job["state"] != "canceled").await;
}

#[tokio::test]
async fn media_roots_can_be_looked_into_and_nothing_else() {
    let farm = Farm::start().await;
    let roots = farm.operator.get_json("/api/media").await;
    let films = roots["entries"][0]["path"].as_str().expect("a root").to_owned();
    assert_eq!(PathBuf::from(&films), farm.folders.films().canonicalize().expect("real"));
    let listing = farm.operator.get_json(&format!("/api/media?path={films}")).await;
    assert_eq!(listing["entries"][0]["name"], "in.mkv");
    assert_eq!(listing["entries"][0]["size"], 400_000);
    for outside in ["/etc", text(farm.folders.root.path())] {
        let response = farm.operator.get(&format!("/api/media?path={outside}")).await;
        assert_eq!(response.status(), 403, "{outside}");
        assert_eq!(json_of(response).await["type"], "path-not-allowed");
    }
}

#[tokio::test]
async fn options_are_checked_before_there_is_a_job() {
    let farm = Farm::start().await;
    let check =
        async |wish: Value| json_of(farm.operator.post("/api/options/check", &wish).await).await;
    let good = check(json!({"text": "-metadata title='A film' -crf 20"})).await;
    assert_eq!(good["args"], json!(["-metadata", "title=A film", "-crf", "20"]));
    assert_eq!(good["refusal"], Value::Null);
    assert_eq!(good["encoder"], "libx264");
    let refused = check(json!({"args": ["refused"]})).await;
    assert_eq!(refused["refusal"]["reason"], "unknown-option");
    assert_eq!(refused["refusal"]["hint"], "leave it out");
    let presets = farm.operator.get_json("/api/presets").await;
    assert_eq!(presets[0]["args"], json!(["-crf", "30"]));
    let open = check(json!({"text": "-vf 'scale"})).await;
    assert_eq!(open["refusal"]["reason"], "missing-value");
    assert_eq!(farm.operator.get_json("/api/jobs").await["items"], json!([]));
}

#[tokio::test]
async fn the_source_can_be_read_in_parts_and_its_streams_looked_at() {
    let farm = Farm::start().await;
    let job = farm.job(json!({})).await;
    let streams = farm.operator.get(&format!("/api/jobs/{job}/source/streams")).await;
    assert_eq!(streams.status(), 409);
    let request = farm.operator.request(Method::GET, &format!("/api/jobs/{job}/source"));
    let part = request.header("range", "bytes=4-7").send().await.expect("an answer");
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-disposition"], "attachment");
    assert_eq!(part.bytes().await.expect("a body").as_ref(), 1_u32.to_le_bytes());
    farm.worker("one").await.analyze().await;
    let streams = farm.operator.get_json(&format!("/api/jobs/{job}/source/streams")).await;
    assert_eq!(streams["streams"][0]["kind"], "video");
    assert_eq!(streams["streams"][0]["frames_per_second"], 25.0);
    let join = farm.operator.get_json("/api/workers/join").await;
    let expected = farm.server.join_string();
    assert_eq!(join["join"], expected.reveal());
}

/// The page's types are made from this file. `SEGENC_UPDATE=1` writes it anew.
#[tokio::test]
async fn the_pages_copy_of_the_description_is_up_to_date() {
    let farm = Farm::start().await;
    let document = farm.operator.get_json("/api/openapi.json").await;
    let now = serde_json::to_string_pretty(&document).expect("JSON") + "\n";
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("web/src/api/openapi.json");
    if std::env::var_os("SEGENC_UPDATE").is_some() {
        std::fs::write(&path, &now).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let advice = "run this test with SEGENC_UPDATE=1, then `npm run types` in web";
    assert!(kept == now, "the interface has changed: {advice}");
}
