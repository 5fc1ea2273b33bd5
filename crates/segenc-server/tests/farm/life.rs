//! Whole lives of jobs.

use reqwest::Method;
use segenc_proto::grpc;
use serde_json::json;

use crate::support::{
    FRAMES, Farm, facts, finish, input_path, packets, segment_bytes, segment_of, status, text,
};

/// Encodes all segments and answers how many there were, and the task that came after them.
async fn encode_all(worker: &mut crate::support::Worker) -> (u32, grpc::Task) {
    let mut segments = 0;
    loop {
        let task = worker.task().await;
        if !matches!(task.work, Some(grpc::task::Work::Transcode(_))) {
            return (segments, task);
        }
        worker.encode(&task).await.expect("a segment");
        segments += 1;
    }
}

#[tokio::test]
async fn a_job_goes_from_its_source_to_a_verified_output() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let place = farm.folders.films().join("out put.mkv");
    let job = farm.job(json!({"path": text(&place)})).await;
    worker.analyze().await;
    let (segments, merge) = encode_all(&mut worker).await;
    assert!(segments > 2, "{segments} segments");
    let Some(grpc::task::Work::Merge(work)) = &merge.work else { panic!("not a merge: {merge:?}") };
    let Some(grpc::merge::What::Join(join)) = &work.what else { panic!("no join: {work:?}") };
    assert_eq!(join.segments.len(), segments as usize);
    assert_eq!(merge.inputs.len(), segments as usize + 1);
    for number in 1..=segments {
        let input = worker.files.get(&input_path(&merge, number)).await;
        assert_eq!(input.bytes().await.expect("bytes"), segment_bytes(number - 1));
    }
    assert!(!place.exists());
    assert_eq!(worker.put(&merge, b"the film").await.status(), 201);
    let mut finish = finish(&merge);
    finish.checks =
        vec![grpc::Check { name: "frames".to_owned(), passed: true, detail: "500".to_owned() }];
    worker.finish(finish.clone()).await.expect("the merge ends");
    assert_eq!(std::fs::read(&place).expect("the output is in its place"), b"the film");
    worker.finish(finish).await.expect("saying it twice changes nothing");

    let view = farm.view(job).await;
    assert_eq!(view["state"], "completed");
    assert_eq!(view["progress"]["frames_done"], FRAMES);
    assert_eq!(view["output"]["size"], 8);
    let report = farm.operator.get_json(&format!("/api/jobs/{job}/report")).await;
    assert_eq!((&report["verified"], &report["way"]), (&json!(true), &json!("segments")));
    let output = farm.operator.request(Method::GET, &format!("/api/jobs/{job}/output"));
    let output = output.header("range", "bytes=4-").send().await.expect("an answer");
    assert_eq!(output.status(), 206);
    assert!(
        output.headers()["content-disposition"]
            .to_str()
            .expect("plain")
            .ends_with("filename*=UTF-8''out%20put.mkv")
    );
    assert_eq!(output.text().await.expect("text"), "film");
}

#[tokio::test]
async fn segments_are_handed_out_while_the_analysis_runs() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    let analysis = worker.task().await;
    let mut report = status(&analysis);
    report.facts = Some(facts());
    worker.report(report).await.expect("facts");
    let mut report = status(&analysis);
    report.packets = Some(packets(0, 400));
    worker.report(report).await.expect("packets");
    let segment = worker.task().await;
    worker.encode(&segment).await.expect("a segment");
}

#[tokio::test]
async fn packets_that_are_missing_are_asked_for_again() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    let analysis = worker.task().await;
    let mut report = status(&analysis);
    report.facts = Some(facts());
    report.packets = Some(packets(0, 100));
    worker.report(report).await.expect("the beginning");
    let mut report = status(&analysis);
    report.packets = Some(packets(200, 300));
    let answer = worker.report(report).await.expect("a gap is told");
    assert_eq!(answer.packets_received, 100);
    let mut end = finish(&analysis);
    end.packets = Some(packets(300, 400));
    let refused = worker.finish(end).await.expect_err("a gap at the end is refused");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    let mut end = finish(&analysis);
    end.packets = Some(packets(50, FRAMES));
    worker.finish(end).await.expect("an overlap is no harm");
    let (segments, _) = encode_all(&mut worker).await;
    assert!(segments > 2);
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let job = farm.job(json!({})).await;
    worker.analyze().await;
    let first = worker.task().await;
    worker.encode(&first).await.expect("a segment");
    let second = worker.task().await;
    let before = farm.view(job).await;
    let farm = farm.restart().await;
    let mut worker = worker.moved_to(&farm.server.server_address());
    let who = worker.registration().await.expect("the token is known");
    assert_eq!(who.worker_id, worker.id);
    let after = farm.view(job).await;
    for field in ["id", "state", "name", "args", "created_at", "plan_complete"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    assert_eq!(after["progress"]["segments_done"], 1);
    // The attempt that ran goes on, and is accepted.
    worker.encode(&second).await.expect("a segment of before");
    let (segments, merge) = encode_all(&mut worker).await;
    assert_eq!(merge.inputs.len() as u32, segments + 3);
}

#[tokio::test]
async fn an_analysis_goes_on_after_a_restart_from_its_first_packet() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let job = farm.job(json!({})).await;
    let analysis = worker.task().await;
    let mut report = status(&analysis);
    report.facts = Some(facts());
    report.packets = Some(packets(0, 400));
    worker.report(report).await.expect("most of it");
    let planned = farm.view(job).await["progress"]["segments_planned"].clone();
    assert_ne!(planned, 0);
    let farm = farm.restart().await;
    let mut worker = worker.moved_to(&farm.server.server_address());
    let refused = worker.finish(finish(&analysis)).await.expect_err("nobody has the packets");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    let mut report = status(&analysis);
    report.packets = Some(packets(400, FRAMES));
    let answer = worker.report(report).await.expect("told where to go on");
    assert_eq!((answer.film_stream, answer.packets_received), (Some(0), 0));
    let mut end = finish(&analysis);
    end.packets = Some(packets(0, FRAMES));
    worker.finish(end).await.expect("the whole of it");
    let view = farm.view(job).await;
    assert_eq!(view["plan_complete"], true);
    assert_eq!(view["progress"]["frames_planned"], FRAMES);
}

#[tokio::test]
async fn a_film_that_cannot_be_cut_is_made_in_one_piece() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let job = farm.job(json!({})).await;
    let analysis = worker.task().await;
    let mut batch = packets(0, FRAMES);
    batch.pts[123] = i64::MIN;
    let mut end = finish(&analysis);
    end.facts = Some(facts());
    end.packets = Some(batch);
    worker.finish(end).await.expect("the analysis ends");
    let whole = worker.task().await;
    assert!(matches!(
        &whole.work,
        Some(grpc::task::Work::Transcode(grpc::Transcode {
            what: Some(grpc::transcode::What::WholeTitle(_)),
            ..
        }))
    ));
    assert_eq!(worker.put(&whole, b"whole").await.status(), 201);
    worker.finish(finish(&whole)).await.expect("the title");
    let merge = worker.task().await;
    let mut end = finish(&merge);
    end.output_is_input = Some(1);
    worker.finish(end).await.expect("only checked");
    let view = farm.view(job).await;
    assert_eq!(view["state"], "completed");
    assert!(view["whole_because"].is_string());
    let output = farm.operator.get(&format!("/api/jobs/{job}/output")).await;
    assert_eq!(output.text().await.expect("text"), "whole");
}

#[tokio::test]
async fn segments_of_a_copied_film_begin_when_the_copy_is_there() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let job = farm.job(json!({})).await;
    let analysis = worker.task().await;
    let mut report = status(&analysis);
    report.facts = Some(grpc::SourceFacts { demuxer: "mpegts".to_owned(), ..facts() });
    let answer = worker.report(report).await.expect("facts are taken");
    assert_eq!(answer.copy, Some(grpc::FilmCopy { beside: vec![1] }));
    let mut report = status(&analysis);
    report.packets = Some(packets(0, FRAMES));
    worker.report(report).await.expect("packets are taken");
    assert_eq!(farm.view(job).await["progress"]["segments_planned"], 0);

    let refused = worker.finish(finish(&analysis)).await.expect_err("there is no copy");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert_eq!(farm.view(job).await["progress"]["segments_planned"], 0);
    assert_eq!(worker.put(&analysis, b"the copy").await.status(), 201);
    worker.finish(finish(&analysis)).await.expect("the analysis ends");
    assert!(farm.view(job).await["copied_because"].is_string());

    let segment = worker.task().await;
    assert_eq!(segment_of(&segment).film.as_ref().map(|film| film.stream), Some(0));
    let Some(grpc::task::Work::Transcode(work)) = &segment.work else { panic!("{segment:?}") };
    assert_eq!(work.demuxer, "nut");
    let read = worker.files.get(&input_path(&segment, 0)).await;
    assert_eq!(read.text().await.expect("text"), "the copy");
}

#[tokio::test]
async fn a_film_that_a_worker_holds_unsplittable_is_made_in_one_piece() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let job = farm.job(json!({})).await;
    let analysis = worker.task().await;
    let mut report = status(&analysis);
    report.facts = Some(grpc::SourceFacts { demuxer: "mpegts".to_owned(), ..facts() });
    worker.report(report).await.expect("facts are taken");
    let mut report = status(&analysis);
    report.unsplittable = Some("its clock jumps".to_owned());
    let answer = worker.report(report).await.expect("the reason is taken");
    assert_eq!((answer.film_stream, answer.copy), (None, None));
    worker.finish(finish(&analysis)).await.expect("no copy is wanted any more");
    let view = farm.view(job).await;
    assert_eq!(view["whole_because"], "its clock jumps");
    assert!(view["copied_because"].is_null());
}

#[tokio::test]
async fn an_output_that_came_meanwhile_is_not_overwritten() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let place = farm.folders.films().join("out.mkv");
    let job = farm.job(json!({"path": text(&place)})).await;
    worker.analyze().await;
    let (_, merge) = encode_all(&mut worker).await;
    std::fs::write(&place, b"somebody else's").expect("written");
    assert_eq!(worker.put(&merge, b"the film").await.status(), 201);
    let refused = worker.finish(finish(&merge)).await.expect_err("refused");
    assert_eq!(refused.code(), tonic::Code::Aborted);
    assert_eq!(std::fs::read(&place).expect("read"), b"somebody else's");
    let view = farm.view(job).await;
    assert_eq!(
        (&view["state"], &view["failure"]["reason"]),
        (&json!("failed"), &json!("output-exists"))
    );
    // Out of the way, and the end alone is done again.
    std::fs::remove_file(&place).expect("moved away");
    farm.operator.post(&format!("/api/jobs/{job}/retry"), &json!({})).await;
    let merge = worker.task().await;
    assert!(matches!(merge.work, Some(grpc::task::Work::Merge(_))), "{merge:?}");
    assert_eq!(worker.put(&merge, b"the film").await.status(), 201);
    worker.finish(finish(&merge)).await.expect("in its place");
    assert_eq!(std::fs::read(&place).expect("read"), b"the film");
}

#[tokio::test]
async fn a_changed_source_ends_the_job_with_its_reason() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    let job = farm.job(json!({})).await;
    let analysis = worker.task().await;
    let mut report = status(&analysis);
    report.facts = Some(facts());
    worker.report(report).await.expect("facts");
    let mut report = status(&analysis);
    let mut other = facts();
    other.size = 1;
    report.facts = Some(other);
    let answer = worker.report(report).await.expect("an answer");
    assert_eq!(answer.directive(), grpc::status_answer::Directive::Stop);
    let view = farm.view(job).await;
    assert_eq!(view["failure"]["reason"], "source-changed");
    assert!(view["failure"]["hint"].is_string());
}

#[tokio::test]
async fn a_segment_seeks_further_back_after_a_mismatch() {
    let farm = Farm::start().await;
    let mut worker = farm.worker("one").await;
    farm.job(json!({})).await;
    worker.analyze().await;
    let task = worker.task().await;
    let index = segment_of(&task).index;
    assert_eq!(worker.put(&task, b"short").await.status(), 201);
    let mut end = finish(&task);
    end.frames = segment_of(&task).expected.clone();
    end.frames.as_mut().expect("frames").count -= 1;
    end.extradata_sha256 = Some("same everywhere".to_owned());
    let _ = worker.finish(end).await;
    let stale = worker.put(&task, b"short").await;
    assert_eq!(stale.status(), 409);
    loop {
        let task = worker.task().await;
        if segment_of(&task).index == index {
            assert_eq!(task.attempt, 2);
            return;
        }
    }
}
