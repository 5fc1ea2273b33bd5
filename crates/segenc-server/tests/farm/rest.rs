//! The operator's interface: who may what, what is refused and how it is said.

use reqwest::Method;
use segenc_proto::connect::Secret;
use serde_json::{Value, json};

use crate::support::{Caller, Farm, json_of, profile, text, with_token};

async fn refused(farm: &Farm, wish: Value) -> (u16, String) {
    let response = farm.operator.post("/api/jobs", &wish).await;
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem = json_of(response).await;
    assert_eq!(problem["status"], status);
    (status, problem["type"].as_str().expect("a name").to_owned())
}

#[tokio::test]
async fn wishes_are_refused_with_their_reason() {
    let farm = Farm::start().await;
    let films = farm.folders.films();
    std::fs::write(films.join("empty.mkv"), b"").expect("written");
    std::fs::write(farm.folders.root.path().join("secret"), b"hush").expect("written");
    std::fs::write(films.join("old.mkv"), b"old").expect("written");
    let source = farm.folders.source();
    let good = json!({"path": text(&source)});
    let at = |name: &str| json!({"source": {"path": text(&films.join(name))}});
    for (wish, status, kind) in [
        (json!({"source": good, "args": ["refused"]}), 422, "option-refused"),
        (at("absent.mkv"), 422, "source-not-visible"),
        (at("empty.mkv"), 422, "source-empty"),
        (json!({"source": {"path": text(&films)}}), 422, "source-unreadable"),
        (json!({"source": {"path": "/etc/passwd"}}), 403, "path-not-allowed"),
        (at("../secret"), 403, "path-not-allowed"),
        (json!({"source": {"upload": "nothing"}}), 422, "upload-unknown"),
        (json!({"source": {}}), 422, "bad-source"),
        (json!({"source": good, "verify": "perhaps"}), 422, "bad-verify"),
        (json!({"source": good, "segment_seconds": 0}), 422, "bad-segment-seconds"),
        (json!({"source": good, "surprise": 1}), 400, "bad-json"),
        (
            json!({"source": good, "output": {"path": text(&films.join("old.mkv"))}}),
            422,
            "output-exists",
        ),
        (
            json!({"source": good, "output": {"path": text(&source), "overwrite": true}}),
            422,
            "output-is-source",
        ),
        (json!({"source": good, "output": {"path": "/nowhere/out.mkv"}}), 403, "path-not-allowed"),
        (
            json!({"source": {"path": text(&source), "fingerprint": {"size": 1, "head_and_tail": "00"}}}),
            422,
            "source-not-visible",
        ),
    ] {
        assert_eq!(refused(&farm, wish.clone()).await, (status, kind.to_owned()), "{wish}");
    }
    assert_eq!(farm.operator.get_json("/api/jobs").await["items"], json!([]));
}

#[cfg(unix)]
#[tokio::test]
async fn links_do_not_lead_out_of_the_media_roots() {
    let farm = Farm::start().await;
    let link = farm.folders.films().join("link.mkv");
    std::os::unix::fs::symlink("/etc/passwd", &link).expect("linked");
    let wish = json!({"source": {"path": text(&link)}});
    assert_eq!(refused(&farm, wish).await, (403, "path-not-allowed".to_owned()));
}

#[tokio::test]
async fn the_same_key_makes_one_job() {
    let farm = Farm::start().await;
    let source = farm.folders.source();
    let wish = json!({"source": {"path": text(&source)}}).to_string();
    let ask = async |farm: &Farm| {
        let request = farm.operator.request(Method::POST, "/api/jobs");
        let request = request.header("idempotency-key", "once").body(wish.clone());
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), json_of(response).await["id"].clone())
    };
    assert_eq!(ask(&farm).await, (201, json!(1)));
    assert_eq!(ask(&farm).await, (200, json!(1)));
    let farm = farm.restart().await;
    assert_eq!(ask(&farm).await, (200, json!(1)));
}

#[tokio::test]
async fn numbers_of_deleted_jobs_do_not_come_back() {
    let farm = Farm::start().await;
    let first = farm.job(json!({})).await;
    assert_eq!(
        farm.operator
            .request(Method::DELETE, "/api/jobs/1")
            .send()
            .await
            .expect("an answer")
            .status(),
        409
    );
    farm.operator.post("/api/jobs/1/cancel", &json!({})).await;
    let deleted = farm.operator.request(Method::DELETE, "/api/jobs/1").send().await;
    assert_eq!(deleted.expect("an answer").status(), 204);
    assert_eq!(farm.operator.get("/api/jobs/1").await.status(), 404);
    let farm = farm.restart().await;
    assert_eq!(farm.operator.get("/api/jobs/1").await.status(), 404);
    assert!(farm.job(json!({})).await > first);
    let mut worker = farm.worker("one").await;
    assert_eq!(worker.task().await.task_id, 2);
}

#[tokio::test]
async fn jobs_are_listed_in_pages_newest_first() {
    let farm = Farm::start().await;
    for _ in 0..3 {
        farm.job(json!({})).await;
    }
    farm.operator.post("/api/jobs/2/pause", &json!({})).await;
    let first = farm.operator.get_json("/api/jobs?limit=2").await;
    let ids = |page: &Value| -> Vec<u64> {
        let items = page["items"].as_array().expect("a list");
        items.iter().filter_map(|job| job["id"].as_u64()).collect()
    };
    assert_eq!(ids(&first), [3, 2]);
    let cursor = first["next"].as_str().expect("a cursor");
    let second = farm.operator.get_json(&format!("/api/jobs?limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&second), &second["next"]), (vec![1], &Value::Null));
    let paused = farm.operator.get_json("/api/jobs?state=paused,failed").await;
    assert_eq!(ids(&paused), [2]);
}

#[tokio::test]
async fn every_token_opens_its_own_doors_only() {
    let farm = Farm::start().await;
    let worker = farm.worker("one").await;
    let server = farm.server.server_address();
    let join = Caller::new(server.clone(), farm.server.join_string().token);
    let stranger = Caller::new(server.clone(), Secret::new("guessed"));
    for (caller, status) in
        [(&farm.operator, 200), (&join, 403), (&worker.files, 403), (&stranger, 401)]
    {
        assert_eq!(caller.get("/api/jobs").await.status(), status);
        assert_eq!(caller.get("/healthz").await.status(), 200);
    }
    for path in ["/api/jobs", "/api/workers", "/api/server", "/api/openapi.json", "/readyz"] {
        let nobody = reqwest::get(format!("{}{path}", server.base_url())).await.expect("an answer");
        assert_eq!(nobody.status(), 401, "{path}");
    }
    let mut calls = crate::support::calls(&server);
    for (token, code) in [
        (farm.server.admin_token(), tonic::Code::PermissionDenied),
        (Secret::new("guessed"), tonic::Code::Unauthenticated),
    ] {
        let refused = calls.register_client(with_token(&token, profile("two"))).await;
        assert_eq!(refused.expect_err("refused").code(), code);
    }
    let refused = calls.request_task(with_token(&farm.server.join_string().token, ())).await;
    assert_eq!(refused.expect_err("refused").code(), tonic::Code::PermissionDenied);
}

#[tokio::test]
async fn a_removed_worker_is_a_stranger() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let path = format!("/api/workers/{}", worker.id);
    let removed = farm.operator.request(Method::DELETE, &path).send().await.expect("an answer");
    assert_eq!(removed.status(), 204);
    let refused = worker.registration().await.expect_err("a stranger");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn a_job_says_what_it_waits_for() {
    let farm = Farm::start().await;
    let job = farm.job(json!({})).await;
    let waits = async || farm.view(job).await["waiting_for"].as_str().map(ToOwned::to_owned);
    assert!(waits().await.expect("waits").contains("no worker"));
    let worker = farm.worker("one").await;
    assert_eq!(waits().await, None);
    farm.operator.post(&format!("/api/workers/{}/drain", worker.id), &json!({})).await;
    assert!(waits().await.expect("waits").contains("draining"));
    farm.operator.post(&format!("/api/jobs/{job}/pause"), &json!({})).await;
    assert!(waits().await.expect("waits").contains("paused"));
}

#[tokio::test]
async fn events_tell_the_job_until_its_end() {
    let farm = Farm::start().await;
    let job = farm.job(json!({})).await;
    let mut events = farm.operator.get(&format!("/api/jobs/{job}/events")).await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let first = events.chunk().await.expect("bytes").expect("an event");
    assert!(String::from_utf8_lossy(&first).contains("\"state\":\"analyzing\""));
    farm.operator.post(&format!("/api/jobs/{job}/cancel"), &json!({})).await;
    let rest = events.text().await.expect("the stream ends by itself");
    assert!(rest.contains("\"state\":\"canceled\""), "{rest}");
}

#[tokio::test]
async fn the_interface_describes_itself() {
    let farm = Farm::start().await;
    let document = farm.operator.get_json("/api/openapi.json").await;
    assert_eq!(document["info"]["title"], "Segmented Encoder");
    assert!(document["info"]["contact"].is_null());
    for path in ["/api/jobs", "/api/jobs/{id}/output", "/api/uploads/{id}", "/healthz"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert!(document["components"]["schemas"]["JobView"].is_object());
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document() {
    let farm = Farm::start().await;
    for (method, path, status) in [
        (Method::GET, "/nothing", 404),
        (Method::GET, "/api/jobs/99", 404),
        (Method::GET, "/api/jobs/abc", 404),
        (Method::PUT, "/api/jobs", 405),
        (Method::GET, "/api/jobs?limit=x", 400),
    ] {
        let response = farm.operator.request(method, path).send().await.expect("an answer");
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
    }
    let large = farm.operator.request(Method::POST, "/api/jobs").body(vec![b' '; 2 * 1024 * 1024]);
    assert_eq!(large.send().await.expect("an answer").status(), 413);
}

#[tokio::test]
async fn who_has_a_document_already_is_told_that_it_is_still_the_same() {
    let farm = Farm::start().await;
    let asked = |tag: String| {
        let request = farm.operator.request(Method::GET, "/api/jobs");
        request.header("if-none-match", tag).send()
    };
    let first = farm.operator.get("/api/jobs").await;
    assert_eq!(first.headers()["cache-control"], "private, no-cache");
    let tag = first.headers()["etag"].to_str().expect("text").to_owned();
    let same = asked(tag.clone()).await.expect("an answer");
    assert_eq!(same.status(), 304);
    assert_eq!(same.headers()["etag"], tag.as_str());
    assert_eq!(same.bytes().await.expect("a body"), "");
    let wish = json!({"source": {"path": text(&farm.folders.source())}});
    assert_eq!(farm.operator.post("/api/jobs", &wish).await.status(), 201);
    let other = asked(tag.clone()).await.expect("an answer");
    assert_eq!(other.status(), 200);
    assert_ne!(other.headers()["etag"], tag.as_str());
    let refused = farm.operator.request(Method::GET, "/api/jobs/99").header("if-none-match", "*");
    assert_eq!(refused.send().await.expect("an answer").status(), 404);
}
