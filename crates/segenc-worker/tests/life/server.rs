//! A server that follows a script: hands out the tasks it was given, keeps what workers bring and say.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use segenc_proto::connect::{JoinString, Secret, ServerAddress};
use segenc_proto::grpc;
use segenc_proto::grpc::segmented_encoder_server::{SegmentedEncoder, SegmentedEncoderServer};
use segenc_proto::grpc::status_answer::Directive;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Status};

/// What the server is to do and what it has seen.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Tasks to be handed out.
    pub(crate) tasks: VecDeque<grpc::Task>,
    /// Inputs by task and number.
    pub(crate) inputs: BTreeMap<(u64, u32), Bytes>,
    /// Which stream's packets an analysis is asked for.
    pub(crate) film_stream: Option<u32>,
    /// Attempts of these tasks are told to stop.
    pub(crate) stop: Vec<u64>,
    /// Worker tokens that are known.
    pub(crate) tokens: Vec<String>,
    /// Tokens with which workers registered.
    pub(crate) registered_with: Vec<String>,
    /// Facts as they were told.
    pub(crate) facts: Option<grpc::SourceFacts>,
    /// How many packets were told.
    pub(crate) packets: u64,
    /// Where to look for scenes.
    pub(crate) looks: Vec<grpc::Look>,
    /// What was seen there, in that order.
    pub(crate) seen: Vec<(i64, Option<i64>)>,
    /// Once all packets were told, the server is as if started anew: it wants all of it again, and these looks.
    pub(crate) forgets: Option<Vec<grpc::Look>>,
    /// Tasks reported on.
    pub(crate) reported: Vec<u64>,
    /// Outputs by task.
    pub(crate) outputs: BTreeMap<u64, Bytes>,
    /// Tasks finished.
    pub(crate) finished: Vec<grpc::FinishRequest>,
    /// Tasks failed.
    pub(crate) failed: Vec<grpc::FailRequest>,
    /// How often a worker signed off.
    pub(crate) signed_off: u32,
}

/// The running server.
pub(crate) struct Farm {
    script: Arc<Mutex<Script>>,
    changes: watch::Sender<()>,
    authority: String,
    _server: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Service {
    script: Arc<Mutex<Script>>,
    changes: watch::Sender<()>,
}

pub(crate) const JOIN_TOKEN: &str = "join";

impl Farm {
    pub(crate) async fn start(script: Script) -> Self {
        let script = Arc::new(Mutex::new(script));
        let changes = watch::Sender::new(());
        let service = Service { script: Arc::clone(&script), changes: changes.clone() };
        let files = Router::new()
            .route("/api/jobs/{job}/tasks/{task}/input/{num}", get(input))
            .route("/api/jobs/{job}/tasks/{task}/output", axum::routing::put(output))
            .with_state(service.clone());
        let grpc = tonic::service::Routes::new(SegmentedEncoderServer::new(service));
        let app = files.merge(grpc.into_axum_router().reset_fallback());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let authority = listener.local_addr().expect("it is bound").to_string();
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Self { script, changes, authority, _server: AbortOnDropHandle::new(server) }
    }

    pub(crate) fn join(&self, token: &str) -> JoinString {
        let server = ServerAddress::plain(self.authority.clone());
        JoinString { server, token: Secret::new(token) }
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no test panics while it holds it")
    }

    /// Lets waiting workers look again.
    pub(crate) fn wake(&self) {
        self.changes.send_replace(());
    }

    /// Waits until something has happened.
    pub(crate) async fn until(&self, happened: impl Fn(&Script) -> bool) {
        let mut changes = self.changes.subscribe();
        while !happened(&self.script()) {
            let waited = tokio::time::timeout(Duration::from_secs(60), changes.changed()).await;
            if waited.is_err() {
                panic!("it does not happen; the script stands at {:#?}", self.script());
            }
        }
    }
}

impl Service {
    fn change<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        let result = change(&mut self.script.lock().expect("no test panics while it holds it"));
        self.changes.send_replace(());
        result
    }

    fn worker<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let token = token_of(request);
        let known = self.change(|script| script.tokens.contains(&token));
        if known { Ok(()) } else { Err(Status::unauthenticated("not known")) }
    }
}

fn token_of<T>(request: &Request<T>) -> String {
    let value = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned()
}

fn answer<T>(message: T) -> Result<tonic::Response<T>, Status> {
    Ok(tonic::Response::new(message))
}

#[tonic::async_trait]
impl SegmentedEncoder for Service {
    async fn register_client(
        &self,
        request: Request<grpc::RegistrationRequest>,
    ) -> Result<tonic::Response<grpc::RegistrationResponse>, Status> {
        let token = token_of(&request);
        let fresh = token == JOIN_TOKEN;
        if !fresh {
            self.worker(&request)?;
        }
        let own = self.change(|script| {
            script.registered_with.push(token);
            let own = format!("own{}", script.tokens.len());
            if fresh {
                script.tokens.push(own.clone());
            }
            own
        });
        answer(grpc::RegistrationResponse {
            worker_id: 1,
            token: if fresh { own } else { String::new() },
            name: request.into_inner().name,
            lease_millis: 10_000,
            shared_files: None,
        })
    }

    async fn get_worker_registration(
        &self,
        _request: Request<()>,
    ) -> Result<tonic::Response<grpc::RegistrationResponse>, Status> {
        Err(Status::unimplemented("the worker does not use it"))
    }

    async fn request_task(
        &self,
        request: Request<()>,
    ) -> Result<tonic::Response<grpc::Task>, Status> {
        self.worker(&request)?;
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let task = {
                let mut script = self.script.lock().expect("no test panics while it holds it");
                script.tasks.pop_front()
            };
            if let Some(task) = task {
                return answer(task);
            }
            let _ = changes.changed().await;
        }
    }

    async fn report_status(
        &self,
        request: Request<grpc::StatusReport>,
    ) -> Result<tonic::Response<grpc::StatusAnswer>, Status> {
        self.worker(&request)?;
        let report = request.into_inner();
        answer(self.change(|script| {
            script.reported.push(report.task_id);
            script.facts = report.facts.or(script.facts.take());
            if let Some(batch) = report.packets {
                assert_eq!(batch.first, script.packets, "packets come in order");
                script.packets += batch.pts.len() as u64;
            }
            for seen in &report.seen {
                script.looks.retain(|look| look.until != seen.until);
                script.seen.push((seen.until, seen.scene));
            }
            if let Some(looks) = script.forgets.take_if(|_| report.packets_end) {
                script.looks = looks;
                script.packets = 0;
            }
            let stop = script.stop.contains(&report.task_id);
            let directive = if stop { Directive::Stop } else { Directive::Continue };
            grpc::StatusAnswer {
                directive: directive.into(),
                film_stream: script.film_stream,
                copy: None,
                looks: script.looks.clone(),
                packets_received: script.packets,
            }
        }))
    }

    async fn rest(
        &self,
        request: Request<grpc::RestNotice>,
    ) -> Result<tonic::Response<grpc::RestAnswer>, Status> {
        self.worker(&request)?;
        answer(grpc::RestAnswer {})
    }

    async fn finish_task(
        &self,
        request: Request<grpc::FinishRequest>,
    ) -> Result<tonic::Response<grpc::FinishAnswer>, Status> {
        self.worker(&request)?;
        self.change(|script| script.finished.push(request.into_inner()));
        answer(grpc::FinishAnswer {})
    }

    async fn fail_task(
        &self,
        request: Request<grpc::FailRequest>,
    ) -> Result<tonic::Response<grpc::FailAnswer>, Status> {
        self.worker(&request)?;
        self.change(|script| script.failed.push(request.into_inner()));
        answer(grpc::FailAnswer {})
    }

    type keepPresenceStream = tokio_stream::Empty<Result<grpc::PresenceSign, Status>>;

    /// An older server, which does not have the call.
    async fn keep_presence(
        &self,
        _request: Request<()>,
    ) -> Result<tonic::Response<Self::keepPresenceStream>, Status> {
        Err(Status::unimplemented("only leases"))
    }

    async fn sign_off(
        &self,
        request: Request<grpc::SignOffRequest>,
    ) -> Result<tonic::Response<grpc::SignOffAnswer>, Status> {
        self.worker(&request)?;
        self.change(|script| script.signed_off += 1);
        answer(grpc::SignOffAnswer {})
    }
}

async fn input(
    State(service): State<Service>,
    Path((_job, task, num)): Path<(u64, u64, u32)>,
    headers: HeaderMap,
) -> Response {
    let Some(bytes) = service.change(|script| script.inputs.get(&(task, num)).cloned()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = range else { return bytes.into_response() };
    let first: usize = first.parse().expect("the worker names the first byte");
    let last: usize = last.parse().expect("the worker names the last byte");
    let content_range = format!("bytes {first}-{last}/{}", bytes.len());
    let headers = [(header::CONTENT_RANGE, content_range), (header::ETAG, "\"film\"".to_owned())];
    (StatusCode::PARTIAL_CONTENT, headers, bytes.slice(first..=last)).into_response()
}

async fn output(
    State(service): State<Service>,
    Path((_job, task)): Path<(u64, u64)>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    assert_eq!(query.get("attempt").map(String::as_str), Some("1"));
    assert!(headers.contains_key("repr-digest"));
    service.change(|script| script.outputs.insert(task, body));
    StatusCode::CREATED
}
