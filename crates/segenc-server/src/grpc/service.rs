//! The calls, each thin: who asks, what is asked, what the coordinator says.

use std::sync::Arc;
use std::time::Duration;

use segenc_core::ids::{AttemptId, AttemptNumber, JobId, TaskId, WorkerId};
use segenc_core::pool::command::{Answer, Command, Directive, Rejection};
use segenc_core::pool::limits::{LEASE_MILLIS, REDELIVER_AFTER_MILLIS};
use segenc_core::pool::task::{Blob, TaskKind};
use segenc_proto::convert::{self, AssignedTask, InputLocation, WireError};
use segenc_proto::grpc;
use segenc_proto::grpc::segmented_encoder_server::SegmentedEncoder;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::presence::{Line, Presence};
use crate::assignment::{InputRef, assignment};
use crate::auth;
use crate::coordinator::{Refusal, View};
use crate::finishing;
use crate::notes;
use crate::planning::{Finish, Report, Scenes, Seen};
use crate::shared::{Shared, holds};
use crate::store::TokenKind;
use crate::traces;

/// A free slot waits so long for a task: below the timeouts of the usual proxies.
const LONG_POLL: Duration = Duration::from_secs(20);
/// An attempt whose answer may have been lost is asked for again after this, and one that runs elsewhere may have
/// become so late that a backup pays.
const ASK_AGAIN: Duration = Duration::from_millis(REDELIVER_AFTER_MILLIS + 100);

/// The service.
pub(crate) struct Service {
    shared: Arc<Shared>,
    presence: Arc<Presence>,
}

impl Service {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, presence: Arc::default() }
    }

    fn kind_of(&self, metadata: &MetadataMap) -> Result<TokenKind, Status> {
        let unknown = || Status::unauthenticated("the token is missing or not known");
        let value = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let token = value.and_then(auth::bearer).ok_or_else(unknown)?;
        self.shared.tokens.kind_of(token).ok_or_else(unknown)
    }

    /// The worker whose token this is.
    fn worker(&self, metadata: &MetadataMap) -> Result<WorkerId, Status> {
        let worker = match self.kind_of(metadata)? {
            TokenKind::Worker(worker) => worker,
            TokenKind::Operator | TokenKind::Viewer | TokenKind::Join => {
                return Err(Status::permission_denied("this takes a worker's own token"));
            }
        };
        if self.shared.coordinator.view().pool.worker(worker).is_none() {
            return Err(Status::unauthenticated("this worker was removed; join again"));
        }
        Ok(worker)
    }

    fn registration(
        &self,
        worker: WorkerId,
        token: String,
        name: String,
    ) -> grpc::RegistrationResponse {
        grpc::RegistrationResponse {
            worker_id: worker.0,
            token,
            name,
            lease_millis: u32::try_from(LEASE_MILLIS).unwrap_or(u32::MAX),
            shared_files: Some(self.shared.shared_files.clone()),
        }
    }

    async fn command(&self, command: Command) -> Result<Answer, Status> {
        self.shared.coordinator.command(command).await.map_err(|refusal| status(&refusal))
    }

    /// Writes down what a worker is to do.
    fn task_message(&self, view: &View, attempt: AttemptId) -> Result<grpc::Task, Status> {
        let gone = || Status::unavailable("the task is gone; ask again");
        let job = view.pool.task(attempt.task).and_then(|task| view.pool.job(task.job));
        let job = job.ok_or_else(gone)?;
        let (work, inputs) =
            assignment(&view.pool, attempt).map_err(|error| Status::internal(error.to_string()))?;
        let location = |(num, input): (u32, InputRef)| {
            let path = self.shared.input_path(job, &input);
            let (size, sha256) = match input {
                InputRef::Source => (job.source.fingerprint.size, None),
                // Read in ranges, as the source is: no worker needs all of it.
                InputRef::Copy(blob) => (blob.size, None),
                InputRef::Blob(blob) => (blob.size, Some(blob.sha256)),
            };
            let server_path = path.to_str().map(ToOwned::to_owned);
            InputLocation { num, size, sha256, server_path }
        };
        let inputs = (0..).zip(inputs).map(location).collect();
        let traceparent = traces::traceparent(self.shared.traces, &view.pool, attempt);
        Ok(convert::task_message(AssignedTask { job: job.id, attempt, inputs, work, traceparent }))
    }

    /// Stores an input as the output: the title was made in one go and only had to be checked.
    async fn store_input(
        &self,
        worker: WorkerId,
        attempt: AttemptId,
        number: u32,
    ) -> Result<(), Status> {
        let view = self.shared.coordinator.view();
        let inputs = assignment(&view.pool, attempt).map(|(_, inputs)| inputs);
        let input = inputs.ok().and_then(|inputs| inputs.into_iter().nth(number as usize));
        let Some(InputRef::Blob(blob)) = input else {
            return Err(Status::invalid_argument("this input cannot be the output"));
        };
        self.command(Command::StoreOutput { worker, attempt, blob }).await.map(drop)
    }

    /// Puts the output of a merge into its place before the merge counts as done.
    async fn place(&self, worker: WorkerId, attempt: AttemptId) -> Result<(), Status> {
        let view = self.shared.coordinator.view();
        let Some((task, blob)) = running_output(&view, worker, attempt) else { return Ok(()) };
        let Some(job) = view.pool.job(task) else { return Ok(()) };
        if let Some(why) = finishing::unwanted(&self.shared, job, &blob).await {
            notes::end_job(&self.shared, job.id, &why).await.map_err(|refusal| status(&refusal))?;
            return Err(Status::aborted(why));
        }
        let placed = finishing::place_output(&self.shared, job, worker, attempt, &blob).await;
        let Err(error) = placed else { return Ok(()) };
        let failure = error.into_failure();
        tracing::warn!(job = job.id.0, reason = failure.reason, "{}", failure.message);
        let message = failure.message.clone();
        self.command(Command::FailTask { worker, attempt, failure }).await?;
        Err(Status::aborted(message))
    }
}

/// Whether time alone may bring this worker a task.
fn looks_again(view: &View, worker: WorkerId) -> bool {
    let holds_some = view.pool.worker(worker).is_some_and(|worker| !worker.running.is_empty());
    holds_some || view.leases.some_run()
}

/// The job and the stored output of a merge that this worker runs.
fn running_output(view: &View, worker: WorkerId, attempt: AttemptId) -> Option<(JobId, Blob)> {
    let task = view.pool.task(attempt.task).filter(|task| task.kind == TaskKind::Merge)?;
    if !holds(task, attempt, worker) {
        return None;
    }
    Some((task.job, task.attempt(attempt.number)?.output.clone()?))
}

const fn attempt_id(task: u64, number: u32) -> AttemptId {
    AttemptId { task: TaskId(task), number: AttemptNumber(number) }
}

fn meaningless(error: &WireError) -> Status {
    Status::invalid_argument(error.to_string())
}

fn seen(
    facts: Option<grpc::SourceFacts>,
    packets: Option<grpc::PacketBatch>,
) -> Result<Seen, Status> {
    let facts =
        facts.map(convert::source_facts).transpose().map_err(|error| meaningless(&error))?;
    let packets = packets.map(convert::packets).transpose().map_err(|error| meaningless(&error))?;
    Ok(Seen { facts, packets, ..Seen::default() })
}

/// What a refusal is called on this wire.
fn status(refusal: &Refusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        Refusal::Rejected(rejection) => match rejection {
            Rejection::UnknownJob(_) | Rejection::UnknownTask(_) => Status::not_found(message),
            Rejection::UnknownWorker(_) => Status::unauthenticated(message),
            Rejection::StaleAttempt { .. } => Status::aborted(message),
            Rejection::NoOutput(_)
            | Rejection::WrongState { .. }
            | Rejection::CannotPause(_)
            | Rejection::PlanChanged { .. } => Status::failed_precondition(message),
        },
        Refusal::NotStored | Refusal::Stopping => Status::unavailable(message),
        Refusal::PacketsMissing { .. } | Refusal::FactsMissing => {
            Status::failed_precondition(message)
        }
    }
}

#[tonic::async_trait]
impl SegmentedEncoder for Service {
    async fn register_client(
        &self,
        request: Request<grpc::RegistrationRequest>,
    ) -> Result<Response<grpc::RegistrationResponse>, Status> {
        let kind = self.kind_of(request.metadata())?;
        let known = match kind {
            TokenKind::Join => None,
            TokenKind::Worker(_) => Some(self.worker(request.metadata())?),
            TokenKind::Operator | TokenKind::Viewer => {
                return Err(Status::permission_denied("joining takes a join token"));
            }
        };
        let profile =
            convert::worker_profile(request.into_inner()).map_err(|error| meaningless(&error))?;
        let name = profile.name.clone();
        let answer = self.command(Command::RegisterWorker { known, profile }).await?;
        let Answer::Worker(worker) = answer else {
            return Err(Status::internal("registering answered no worker"));
        };
        let token = match known {
            Some(_) => String::new(),
            None => {
                let issued = self.shared.tokens.issue(TokenKind::Worker(worker), &name).await;
                let token = issued.map_err(|error| Status::unavailable(error.to_string()))?;
                token.reveal().to_owned()
            }
        };
        tracing::info!(worker = worker.0, name, "a worker has registered");
        Ok(Response::new(self.registration(worker, token, name)))
    }

    async fn get_worker_registration(
        &self,
        request: Request<()>,
    ) -> Result<Response<grpc::RegistrationResponse>, Status> {
        let worker = self.worker(request.metadata())?;
        let view = self.shared.coordinator.view();
        let name = view.pool.worker(worker).map(|worker| worker.profile.name.clone());
        Ok(Response::new(self.registration(worker, String::new(), name.unwrap_or_default())))
    }

    async fn request_task(&self, request: Request<()>) -> Result<Response<grpc::Task>, Status> {
        let worker = self.worker(request.metadata())?;
        let deadline = tokio::time::Instant::now() + LONG_POLL;
        let mut work = self.shared.coordinator.work();
        loop {
            work.mark_unchanged();
            let answer = self.command(Command::RequestTask(worker)).await?;
            let view = self.shared.coordinator.view();
            if let Answer::Assigned(Some(attempt)) = answer {
                return self.task_message(&view, attempt).map(Response::new);
            }
            let again = if looks_again(&view, worker) { ASK_AGAIN } else { LONG_POLL };
            let wake = deadline.min(tokio::time::Instant::now() + again);
            tokio::select! {
                () = self.shared.stop.cancelled() => {
                    return Err(Status::unavailable("the server is stopping"));
                }
                changed = work.changed() => {
                    if changed.is_err() {
                        return Err(Status::unavailable("the server is stopping"));
                    }
                }
                () = tokio::time::sleep_until(wake) => {
                    if tokio::time::Instant::now() >= deadline {
                        return Ok(Response::new(grpc::Task::default()));
                    }
                }
            }
        }
    }

    async fn report_status(
        &self,
        request: Request<grpc::StatusReport>,
    ) -> Result<Response<grpc::StatusAnswer>, Status> {
        let worker = self.worker(request.metadata())?;
        let message = request.into_inner();
        let report = Report {
            worker,
            attempt: attempt_id(message.task_id, message.attempt),
            frames: message.frames,
            speed_millifps: message.speed_millifps,
            seen: Seen {
                unsplittable: message.unsplittable.map(convert::reason),
                scenes: Scenes {
                    can_look: message.can_look,
                    seen: convert::seen(message.seen).map_err(|error| meaningless(&error))?,
                    packets_end: message.packets_end,
                },
                ..seen(message.facts, message.packets)?
            },
        };
        let reported = self.shared.coordinator.report(report).await;
        let (directive, analysis) = reported.map_err(|refusal| status(&refusal))?;
        let directive = match directive {
            Directive::Continue => grpc::status_answer::Directive::Continue,
            Directive::Pause => grpc::status_answer::Directive::Pause,
            Directive::Stop => grpc::status_answer::Directive::Stop,
        };
        Ok(Response::new(grpc::StatusAnswer {
            directive: directive.into(),
            film_stream: analysis.as_ref().and_then(|analysis| analysis.film_stream),
            packets_received: analysis.as_ref().map_or(0, |analysis| analysis.packets_received),
            looks: analysis
                .as_ref()
                .map(|analysis| convert::look_messages(&analysis.looks))
                .unwrap_or_default(),
            copy: analysis
                .and_then(|analysis| analysis.copy_beside)
                .map(|beside| grpc::FilmCopy { beside }),
        }))
    }

    async fn finish_task(
        &self,
        request: Request<grpc::FinishRequest>,
    ) -> Result<Response<grpc::FinishAnswer>, Status> {
        let worker = self.worker(request.metadata())?;
        let message = request.into_inner();
        let attempt = attempt_id(message.task_id, message.attempt);
        let observed = convert::observed(&message).map_err(|error| meaningless(&error))?;
        let kind = self.shared.coordinator.view().pool.task(attempt.task).map(|task| task.kind);
        if kind == Some(TaskKind::Analysis) {
            let seen = seen(message.facts, message.packets)?;
            let finish = Finish { worker, attempt, observed, seen };
            let finished = self.shared.coordinator.finish_analysis(finish).await;
            finished.map_err(|refusal| status(&refusal))?;
            return Ok(Response::new(grpc::FinishAnswer {}));
        }
        if let Some(number) = message.output_is_input {
            self.store_input(worker, attempt, number).await?;
        }
        self.place(worker, attempt).await?;
        self.command(Command::FinishTask { worker, attempt, observed }).await?;
        Ok(Response::new(grpc::FinishAnswer {}))
    }

    async fn fail_task(
        &self,
        request: Request<grpc::FailRequest>,
    ) -> Result<Response<grpc::FailAnswer>, Status> {
        let worker = self.worker(request.metadata())?;
        let message = request.into_inner();
        let attempt = attempt_id(message.task_id, message.attempt);
        let failure = convert::failure(message).map_err(|error| meaningless(&error))?;
        tracing::info!(%attempt, worker = worker.0, reason = failure.reason, "an attempt failed");
        self.command(Command::FailTask { worker, attempt, failure }).await?;
        Ok(Response::new(grpc::FailAnswer {}))
    }

    type keepPresenceStream = Line;

    async fn keep_presence(&self, request: Request<()>) -> Result<Response<Line>, Status> {
        let worker = self.worker(request.metadata())?;
        Ok(Response::new(self.presence.open(&self.shared, worker)))
    }

    async fn rest(
        &self,
        request: Request<grpc::RestNotice>,
    ) -> Result<Response<grpc::RestAnswer>, Status> {
        let worker = self.worker(request.metadata())?;
        let until = request.into_inner().until_unix_millis;
        self.command(Command::RestWorker { worker, until }).await?;
        Ok(Response::new(grpc::RestAnswer {}))
    }

    async fn sign_off(
        &self,
        request: Request<grpc::SignOffRequest>,
    ) -> Result<Response<grpc::SignOffAnswer>, Status> {
        let worker = self.worker(request.metadata())?;
        self.command(Command::SignOff(worker)).await?;
        Ok(Response::new(grpc::SignOffAnswer {}))
    }
}
