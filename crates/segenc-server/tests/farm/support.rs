//! The server under test, its operator, and a worker that does as it is told.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder, Response};
use segenc_core::spec::{JobSpec, OutputOption, SplitPolicy, Verify, VideoEncode, VideoSpec};
use segenc_proto::connect::{Secret, ServerAddress, grpc_channel, http_client};
use segenc_proto::grpc;
use segenc_proto::grpc::segmented_encoder_client::SegmentedEncoderClient;
use segenc_proto::rest::PresetView;
use segenc_server::{Protection, RunningServer, ServerConfig, SpecRefusal, start};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tonic::transport::Channel;

/// Frames of the made-up film: 20 s of 25 frames each, a keyframe every 2 s.
pub(crate) const FRAMES: u64 = 500;

/// Accepts everything but the word `refused`.
fn parse_spec(
    args: &[String],
    container: Option<&str>,
    _output: &str,
) -> Result<JobSpec, SpecRefusal> {
    if args.iter().any(|arg| arg == "refused") {
        return Err(SpecRefusal {
            reason: "unknown-option".to_owned(),
            message: "`refused` is not known".to_owned(),
            hint: Some("leave it out".to_owned()),
        });
    }
    Ok(JobSpec {
        container: container.unwrap_or("matroska").to_owned(),
        args: args.to_vec(),
        maps: Vec::new(),
        video: VideoSpec::Encode(VideoEncode {
            encoder: "libx264".to_owned(),
            options: vec![OutputOption { name: "crf".to_owned(), value: Some("20".to_owned()) }],
            filter: None,
        }),
        codecs: Vec::new(),
        stream_options: Vec::new(),
        mux_options: Vec::new(),
        dropped_kinds: Vec::new(),
        split: SplitPolicy::Segments { run_up: 0, run_out: 0 },
        verify: Verify::Full,
        segment_seconds: None,
        dynamic_hdr: segenc_core::spec::DynamicHdr::Refuse,
        rate: None,
        buffer: None,
    })
}

/// Folders of a test.
pub(crate) struct Folders {
    pub(crate) root: TempDir,
}

impl Folders {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(root.path().join("films")).expect("folder");
        let folders = Self { root };
        std::fs::write(folders.source(), source_bytes()).expect("source");
        folders
    }

    pub(crate) fn films(&self) -> PathBuf {
        self.root.path().join("films")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.films().join("in.mkv")
    }

    pub(crate) fn config(&self) -> ServerConfig {
        ServerConfig {
            data_dir: self.data(),
            listen: "127.0.0.1:0".parse().expect("an address"),
            media_roots: vec![self.films()],
            protection: Protection::Automatic,
            advertise: None,
            presets: vec![PresetView {
                name: "small".to_owned(),
                title: "Small".to_owned(),
                about: String::new(),
                args: vec!["-crf".to_owned(), "30".to_owned()],
                own: false,
            }],
            parse_spec,
            aim_at_size: |spec, _| Ok(spec.clone()),
            automation: segenc_server::Automation::default(),
            traces: None,
        }
    }
}

/// A source in which every place looks different.
pub(crate) fn source_bytes() -> Vec<u8> {
    (0..100_000_u32).flat_map(|number| (number % 65_521).to_le_bytes()).collect()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// A running server with its operator.
pub(crate) struct Farm {
    pub(crate) folders: Folders,
    pub(crate) server: RunningServer,
    pub(crate) operator: Caller,
}

impl Farm {
    pub(crate) async fn start() -> Self {
        Self::over(Folders::new()).await
    }

    pub(crate) async fn over(folders: Folders) -> Self {
        let server = start(folders.config()).await.expect("the server starts");
        let operator = Caller::new(server.server_address(), server.admin_token());
        Self { folders, server, operator }
    }

    /// Stops the server and starts it again over the same data.
    pub(crate) async fn restart(self) -> Self {
        let Self { folders, server, .. } = self;
        server.stop().await;
        Self::over(folders).await
    }

    /// Makes a job of the source and answers its number.
    pub(crate) async fn job(&self, output: Value) -> u64 {
        let source = self.folders.source();
        let wish = json!({"source": {"path": text(&source)}, "output": output});
        let response = self.operator.post("/api/jobs", &wish).await;
        assert_eq!(response.status(), 201, "{}", response.text().await.expect("a body"));
        let job: Value = json_of(response).await;
        job["id"].as_u64().expect("a number")
    }

    pub(crate) async fn view(&self, job: u64) -> Value {
        self.operator.get_json(&format!("/api/jobs/{job}")).await
    }

    pub(crate) async fn worker(&self, name: &str) -> Worker {
        let join = self.server.join_string();
        Worker::join(&join.server, &join.token, name).await
    }
}

pub(crate) async fn json_of(response: Response) -> Value {
    serde_json::from_str(&response.text().await.expect("a body")).expect("JSON")
}

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: Secret,
}

impl Caller {
    pub(crate) fn new(server: ServerAddress, token: Secret) -> Self {
        let http = http_client(&server).expect("a client");
        Self { http, base: server.base_url(), token }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.header("authorization", self.token.bearer())
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect("an answer")
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        json_of(response).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        request.body(body.to_string()).send().await.expect("an answer")
    }
}

/// A worker that does as it is told.
pub(crate) struct Worker {
    pub(crate) id: u64,
    pub(crate) files: Caller,
    calls: SegmentedEncoderClient<Channel>,
}

pub(crate) fn profile(name: &str) -> grpc::RegistrationRequest {
    grpc::RegistrationRequest {
        name: name.to_owned(),
        version: "0".to_owned(),
        slots: 4,
        cores: 4,
        memory_bytes: 1 << 30,
        encoders: vec!["libx264".to_owned()],
        ffmpeg_version: "5.1".to_owned(),
        platform: "test".to_owned(),
        can_pause: true,
        trial_sets: std::collections::HashMap::new(),
    }
}

pub(crate) fn calls(server: &ServerAddress) -> SegmentedEncoderClient<Channel> {
    SegmentedEncoderClient::new(grpc_channel(server).expect("a channel"))
}

pub(crate) fn with_token<T>(token: &Secret, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let value = token.bearer().parse().expect("a header");
    request.metadata_mut().insert("authorization", value);
    request
}

impl Worker {
    async fn join(server: &ServerAddress, join: &Secret, name: &str) -> Self {
        let mut calls = calls(server);
        let answer = calls.register_client(with_token(join, profile(name))).await;
        let answer = answer.expect("registered").into_inner();
        let files = Caller::new(server.clone(), Secret::new(answer.token));
        Self { id: answer.worker_id, files, calls }
    }

    /// The same worker at a server that was started again.
    pub(crate) fn moved_to(&self, server: &ServerAddress) -> Self {
        let files = Caller::new(server.clone(), self.files.token.clone());
        Self { id: self.id, files, calls: calls(server) }
    }

    pub(crate) async fn registration(
        &mut self,
    ) -> Result<grpc::RegistrationResponse, tonic::Status> {
        let request = with_token(&self.files.token, ());
        self.calls.get_worker_registration(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn task(&mut self) -> grpc::Task {
        self.try_task().await.expect("a task")
    }

    pub(crate) async fn try_task(&mut self) -> Result<grpc::Task, tonic::Status> {
        let request = with_token(&self.files.token, ());
        self.calls.request_task(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn report(
        &mut self,
        report: grpc::StatusReport,
    ) -> Result<grpc::StatusAnswer, tonic::Status> {
        let request = with_token(&self.files.token, report);
        self.calls.report_status(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn finish(
        &mut self,
        finish: grpc::FinishRequest,
    ) -> Result<(), tonic::Status> {
        let request = with_token(&self.files.token, finish);
        self.calls.finish_task(request).await.map(drop)
    }

    /// Says that a task cannot be done by anybody.
    pub(crate) async fn fail(&mut self, task: &grpc::Task, reason: &str) {
        let message = grpc::FailRequest {
            task_id: task.task_id,
            attempt: task.attempt,
            kind: grpc::FailureKind::Task.into(),
            reason: reason.to_owned(),
            message: "it is broken".to_owned(),
            ..Default::default()
        };
        let request = with_token(&self.files.token, message);
        self.calls.fail_task(request).await.expect("taken");
    }

    /// Does the analysis that it is given next.
    pub(crate) async fn analyze(&mut self) -> grpc::Task {
        let task = self.task().await;
        assert!(matches!(task.work, Some(grpc::task::Work::Analysis(_))), "{task:?}");
        let mut report = status(&task);
        report.facts = Some(facts());
        let answer = self.report(report).await.expect("facts are taken");
        assert_eq!((answer.film_stream, answer.packets_received), (Some(0), 0));
        let mut report = status(&task);
        report.packets = Some(packets(0, FRAMES));
        let answer = self.report(report).await.expect("packets are taken");
        assert_eq!(answer.packets_received, FRAMES);
        self.finish(finish(&task)).await.expect("the analysis ends");
        task
    }

    /// Delivers `bytes` as the output of a task.
    pub(crate) async fn put(&self, task: &grpc::Task, bytes: &[u8]) -> Response {
        let request = self.files.request(Method::PUT, &output_path(task));
        let request = request.header("repr-digest", repr_digest(bytes));
        request.body(bytes.to_vec()).send().await.expect("an answer")
    }

    /// Encodes a segment: its bytes say which.
    pub(crate) async fn encode(&mut self, task: &grpc::Task) -> Result<(), tonic::Status> {
        let segment = segment_of(task);
        let bytes = segment_bytes(segment.index);
        assert_eq!(self.put(task, &bytes).await.status(), 201);
        let mut finish = finish(task);
        finish.frames = segment.expected.clone();
        finish.extradata_sha256 = Some("same everywhere".to_owned());
        self.finish(finish).await
    }
}

pub(crate) fn segment_of(task: &grpc::Task) -> &grpc::Segment {
    match &task.work {
        Some(grpc::task::Work::Transcode(grpc::Transcode {
            what: Some(grpc::transcode::What::Segment(segment)),
            ..
        })) => segment,
        other => panic!("not a segment: {other:?}"),
    }
}

pub(crate) fn segment_bytes(index: u32) -> Vec<u8> {
    format!("segment {index};").repeat(1000).into_bytes()
}

pub(crate) fn output_path(task: &grpc::Task) -> String {
    let grpc::Task { job_id, task_id, attempt, .. } = task;
    format!("/api/jobs/{job_id}/tasks/{task_id}/output?attempt={attempt}")
}

pub(crate) fn input_path(task: &grpc::Task, num: u32) -> String {
    format!("/api/jobs/{}/tasks/{}/input/{num}", task.job_id, task.task_id)
}

pub(crate) fn repr_digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}

pub(crate) fn status(task: &grpc::Task) -> grpc::StatusReport {
    grpc::StatusReport { task_id: task.task_id, attempt: task.attempt, ..Default::default() }
}

pub(crate) fn finish(task: &grpc::Task) -> grpc::FinishRequest {
    grpc::FinishRequest { task_id: task.task_id, attempt: task.attempt, ..Default::default() }
}

pub(crate) fn facts() -> grpc::SourceFacts {
    let timebase = Some(grpc::Timebase { num: 1, den: 1000 });
    let rate = Some(grpc::Rational { num: 25, den: 1 });
    grpc::SourceFacts {
        demuxer: "matroska,webm".to_owned(),
        start_micros: 0,
        duration_micros: Some(20_000_000),
        size: 400_000,
        streams: vec![
            grpc::StreamFacts {
                index: 0,
                kind: grpc::StreamKind::Video.into(),
                codec: "h264".to_owned(),
                timebase,
                video: Some(grpc::VideoFacts {
                    width: 320,
                    height: 180,
                    pixel_format: "yuv420p".to_owned(),
                    field_order: "progressive".to_owned(),
                    average_rate: rate,
                    real_rate: rate,
                    ..Default::default()
                }),
                ..Default::default()
            },
            grpc::StreamFacts {
                index: 1,
                kind: grpc::StreamKind::Audio.into(),
                codec: "aac".to_owned(),
                timebase,
                ..Default::default()
            },
        ],
        chapters: 0,
    }
}

/// Packets of the made-up film from number `first` up to `end`.
pub(crate) fn packets(first: u64, end: u64) -> grpc::PacketBatch {
    let ticks: Vec<i64> = (first..end).map(|n| i64::try_from(n * 40).expect("small")).collect();
    grpc::PacketBatch {
        first,
        pts: ticks.clone(),
        dts: ticks,
        size: (first..end).map(|_| 800).collect(),
        flags: (first..end).map(|n| u32::from(n % 50 == 0)).collect(),
        ..Default::default()
    }
}
