//! Backups of late attempts, workers that stand still, and workers whose hours are over.

use reqwest::StatusCode;
use segenc_proto::grpc;
use segenc_proto::grpc::status_answer::Directive;
use serde_json::{Value, json};

use crate::support::{Farm, Worker, calls, profile, segment_bytes, segment_of, status, with_token};

async fn said_of(worker: &mut Worker, task: &grpc::Task) -> Directive {
    worker.report(status(task)).await.expect("an answer").directive()
}

async fn worker_view(farm: &Farm, id: u64) -> Value {
    farm.operator.get_json(&format!("/api/workers/{id}")).await
}

#[tokio::test]
async fn a_late_segment_is_made_twice_and_the_first_result_counts() {
    let farm = Farm::start().await;
    let (mut fast, mut slow) = (farm.worker("fast").await, farm.worker("slow").await);
    let job = farm.job(json!({})).await;
    fast.analyze().await;
    let late = slow.task().await;
    assert_eq!(said_of(&mut slow, &late).await, Directive::Continue);
    let mut task = fast.task().await;
    while task.task_id != late.task_id {
        fast.encode(&task).await.expect("it counts");
        let mut report = status(&late);
        report.frames = 1;
        slow.report(report).await.expect("an answer");
        // The last one waits until the other is late enough.
        task = fast.task().await;
    }
    assert_eq!((late.attempt, task.attempt), (1, 2));
    assert_eq!(said_of(&mut slow, &late).await, Directive::Continue, "both run");
    let index = segment_of(&late).index;
    assert_eq!(slow.put(&late, b"half of it").await.status(), 201);
    fast.encode(&task).await.expect("it is the first");
    assert_eq!(said_of(&mut slow, &late).await, Directive::Stop);
    let refused = slow.put(&late, &segment_bytes(index)).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let report = farm.operator.get_json(&format!("/api/jobs/{job}/report")).await;
    let tasks = report["tasks"].as_array().expect("tasks");
    let told = tasks.iter().find(|told| told["id"] == late.task_id).expect("it is told");
    let attempts: Vec<_> = told["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|attempt| (attempt["state"].clone(), attempt["backup"].clone()))
        .collect();
    assert_eq!(attempts, [(json!("canceled"), json!(false)), (json!("succeeded"), json!(true))]);
}

#[tokio::test]
async fn a_paused_worker_is_told_to_stand_still_and_later_to_go_on() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    worker.analyze().await;
    let task = worker.task().await;
    let path = format!("/api/workers/{}", worker.id);
    let paused = farm.operator.post(&format!("{path}/pause"), &json!({})).await;
    assert_eq!(paused.status(), StatusCode::OK);
    assert_eq!(worker_view(&farm, worker.id).await["state"], "paused");
    assert_eq!(said_of(&mut worker, &task).await, Directive::Pause);
    farm.operator.post(&format!("{path}/resume"), &json!({})).await;
    assert_eq!(said_of(&mut worker, &task).await, Directive::Continue);
    worker.encode(&task).await.expect("it was kept");
    farm.operator.post(&format!("{path}/pause"), &json!({})).await;
    farm.operator.post(&format!("{path}/release"), &json!({})).await;
    assert_eq!(worker_view(&farm, worker.id).await["running"], 0);
}

#[tokio::test]
async fn a_worker_that_cannot_suspend_its_programs_is_not_paused() {
    let farm = Farm::start().await;
    let token = farm.worker("able").await.files.token.clone();
    let mut calls = calls(&farm.server.server_address());
    let unable = grpc::RegistrationRequest { can_pause: false, ..profile("unable") };
    let answer = calls.register_client(with_token(&token, unable)).await.expect("it is back");
    let id = answer.into_inner().worker_id;
    let refused = farm.operator.post(&format!("/api/workers/{id}/pause"), &json!({})).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    assert_eq!(worker_view(&farm, id).await["state"], "active");
}

#[tokio::test]
async fn a_worker_whose_hours_are_over_is_seen_to_rest() {
    let farm = Farm::start().await;
    let worker = farm.worker("one").await;
    let until = 9_999_999_999_999_u64;
    let mut calls = calls(&farm.server.server_address());
    let notice = grpc::RestNotice { until_unix_millis: until };
    calls.rest(with_token(&worker.files.token, notice)).await.expect("it is heard");
    let view = worker_view(&farm, worker.id).await;
    assert_eq!((&view["resting_until"], &view["online"]), (&json!(until), &json!(true)));
}
