//! Outputs from workers: received under the attempt's name, checked by digest, synced, and only then
//! acknowledged. An upload that broke off goes on where it was.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use segenc_core::ids::{AttemptId, AttemptNumber, JobId, TaskId, WorkerId};
use segenc_core::pool::command::Command;
use segenc_core::pool::task::{AttemptState, Blob};
use serde::Deserialize;

use super::App;
use super::caller::{Path, Query, WorkerCaller};
use super::files::{find, not_yours};
use super::problem::Problem;
use crate::auth::hex;
use crate::clock;
use crate::coordinator::Refusal;
use crate::incoming::{Incoming, free_bytes};
use crate::traffic::Cargo;
use crate::turns::Turn;

const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// `?attempt=N`.
#[derive(Debug, Deserialize)]
pub(super) struct AttemptQuery {
    attempt: u32,
}

/// An output on its way, and what is known of it.
struct Delivery {
    app: App,
    worker: WorkerId,
    job: JobId,
    attempt: AttemptId,
    /// What is stored already.
    stored: Option<Blob>,
}

impl Delivery {
    /// Lets the worker in whose attempt this is, while it is current.
    fn open(
        app: &App,
        worker: WorkerId,
        (job, task): (u64, u64),
        number: u32,
    ) -> Result<Self, Problem> {
        let (job, task) = (JobId(job), TaskId(task));
        let attempt = AttemptId { task, number: AttemptNumber(number) };
        let view = app.coordinator.view();
        let (_, task) = find(&view, job, task)?;
        let found = task.attempt(attempt.number);
        let stale = |why: &str| {
            Problem::conflict(
                "stale-attempt",
                format!("attempt {attempt} is no longer yours: it was {why}"),
            )
        };
        let Some(found) = found else {
            if task.attempts.iter().any(|attempt| attempt.worker == worker) {
                return Err(stale("never handed out"));
            }
            return Err(not_yours(task.id));
        };
        if found.worker != worker {
            return Err(not_yours(task.id));
        }
        match (found.state, &found.output) {
            (AttemptState::Running, _) | (AttemptState::Succeeded, Some(_)) => {}
            (AttemptState::Succeeded, None) => return Err(stale("finished without an output")),
            (AttemptState::Failed, _) => return Err(stale("failed")),
            (AttemptState::Expired, _) => return Err(stale("expired")),
            (AttemptState::Canceled, _) => return Err(stale("canceled")),
        }
        Ok(Self { app: App::clone(app), worker, job, attempt, stored: found.output.clone() })
    }

    /// The same again once nobody else writes: much may have happened while waiting.
    async fn alone(self) -> Result<(Self, Turn), Problem> {
        let turn = self.app.blobs.turn(self.attempt).await;
        let ids = (self.job.0, self.attempt.task.0);
        let again = Self::open(&self.app, self.worker, ids, self.attempt.number.0)?;
        Ok((again, turn))
    }

    /// Answers a repeated delivery of what is stored already.
    async fn repeated(&self, wanted: &str, stored: &Blob, body: Body) -> Result<Response, Problem> {
        if stored.sha256 != wanted {
            return Err(Problem::conflict(
                "other-output",
                format!("another output of attempt {} is stored already", self.attempt),
            ));
        }
        // What the client sends is read to its end, so that it hears the answer and not a broken line.
        let mut pieces = body.into_data_stream();
        while let Some(Ok(_)) = pieces.next().await {}
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    /// Writes what arrives. What broke off stays, to be gone on with.
    async fn receive(&self, incoming: &mut Incoming, body: Body, turn: &Turn) -> Result<(), Cut> {
        let counters = self.app.traffic.of(self.worker);
        let mut pieces = body.into_data_stream();
        loop {
            let piece = tokio::select! {
                () = turn.interrupted() => return Err(Cut::Line),
                piece = pieces.next() => piece,
            };
            match piece {
                None => return Ok(()),
                Some(Err(_)) => return Err(Cut::Line),
                Some(Ok(piece)) => {
                    counters.add(Cargo::Output, piece.len() as u64);
                    incoming.write(&piece).await.map_err(Cut::Disk)?;
                }
            }
        }
    }

    /// Receives a body to its end.
    async fn take(
        &self,
        mut incoming: Incoming,
        body: Body,
        turn: &Turn,
        end: End,
    ) -> Result<Response, Problem> {
        let received = self.receive(&mut incoming, body, turn).await;
        let offset = incoming.written();
        let whole = match (received, incoming.finish().await) {
            (Err(Cut::Disk(error)), _) | (_, Err(error)) => {
                self.app.blobs.discard(self.job, self.attempt).await;
                return Err(Problem::io(&error));
            }
            (Err(Cut::Line), Ok(_)) => {
                let detail = format!("the upload broke off after {offset} bytes");
                return Err(Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "upload-interrupted",
                    detail,
                )
                .header(UPLOAD_OFFSET, HeaderValue::from(offset)));
            }
            (Ok(()), Ok(whole)) => whole,
        };
        let End::Complete { sha256 } = end else {
            let headers = [
                (UPLOAD_OFFSET, HeaderValue::from(offset)),
                (UPLOAD_COMPLETE, HeaderValue::from_static("?0")),
            ];
            return Ok((StatusCode::NO_CONTENT, headers).into_response());
        };
        if hex(&whole.sha256) != sha256 {
            self.app.blobs.discard(self.job, self.attempt).await;
            return Err(Problem::unprocessable(
                "digest-mismatch",
                format!("what arrived ({offset} bytes) has another digest than Repr-Digest says"),
            ));
        }
        let kept = self.app.blobs.keep(self.job, self.attempt, &whole).await;
        let blob = kept.map_err(|error| Problem::io(&error))?;
        let command =
            Command::StoreOutput { worker: self.worker, attempt: self.attempt, blob: blob.clone() };
        match self.app.coordinator.command(command).await {
            Ok(_) => {}
            Err(refusal @ Refusal::Rejected(_)) => {
                self.app.blobs.delete(&blob).await;
                return Err(refusal.into());
            }
            // Nobody knows what the disk has kept: the bytes stay until the sweeper knows.
            Err(refusal) => return Err(refusal.into()),
        }
        Ok((StatusCode::CREATED, [(UPLOAD_OFFSET, HeaderValue::from(offset))]).into_response())
    }

    /// Remembers whether the disk took it, for those who look why a job stands still.
    fn noted(&self, answer: Result<Response, Problem>) -> Result<Response, Problem> {
        let view = self.app.coordinator.view();
        match &answer {
            Ok(_) => view.storage.takes(),
            Err(problem) if problem.is_disk_full() => view.storage.refuses(clock::now()),
            Err(_) => {}
        }
        answer
    }

    /// Refuses what cannot fit before a byte of it is written.
    fn check_room(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let declared = headers.get(header::CONTENT_LENGTH).and_then(number).unwrap_or_default();
        let free = free_bytes(self.app.blobs.folder()).map_err(|error| Problem::io(&error))?;
        if declared > free { Err(Problem::disk_full()) } else { Ok(()) }
    }
}

/// Why not all arrived.
enum Cut {
    /// The connection broke, or the worker has come back on another one.
    Line,
    Disk(std::io::Error),
}

/// Whether these are the last bytes, and what the whole must be then.
enum End {
    Complete { sha256: String },
    MoreToCome,
}

fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.trim().parse().ok()
}

/// The SHA-256 of `Repr-Digest: sha-256=:BASE64:` (RFC 9530), in hex.
fn wanted_digest(headers: &HeaderMap) -> Result<String, Problem> {
    let missing = |detail: &str| Problem::bad_request("digest-missing", detail.to_owned());
    let value = headers
        .get(REPR_DIGEST)
        .ok_or_else(|| missing("an output needs Repr-Digest: sha-256=:BASE64:"))?;
    parse_digest(value.to_str().unwrap_or_default())
        .ok_or_else(|| missing("Repr-Digest holds no sha-256=:BASE64:"))
}

pub(super) fn parse_digest(value: &str) -> Option<String> {
    value.split(',').find_map(|member| {
        let (name, rest) = member.trim().split_once('=')?;
        let text = rest.trim().strip_prefix(':')?.strip_suffix(':')?;
        let bytes = STANDARD.decode(text).ok()?;
        (name.eq_ignore_ascii_case("sha-256") && bytes.len() == 32).then(|| hex(&bytes))
    })
}

/// Takes an output from its first byte on.
#[utoipa::path(
    put,
    path = "/api/jobs/{job_id}/tasks/{task_id}/output",
    tag = "workers' files",
    params(("job_id" = u64, Path), ("task_id" = u64, Path), ("attempt" = u32, Query)),
    request_body(content_type = "application/octet-stream"),
    responses((status = 201), (status = 204), (status = 408), (status = 409), (status = 422), (status = 507))
)]
pub(super) async fn put(
    State(app): State<App>,
    WorkerCaller(worker): WorkerCaller,
    Path(ids): Path<(u64, u64)>,
    Query(AttemptQuery { attempt }): Query<AttemptQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let delivery = Delivery::open(&app, worker, ids, attempt)?;
    let sha256 = wanted_digest(&headers)?;
    let (delivery, turn) = delivery.alone().await?;
    if let Some(stored) = &delivery.stored {
        return delivery.repeated(&sha256, stored, body).await;
    }
    let taken = async {
        delivery.check_room(&headers)?;
        let begun = app.blobs.begin(delivery.job, delivery.attempt).await;
        let incoming = begun.map_err(|error| Problem::io(&error))?;
        delivery.take(incoming, body, &turn, End::Complete { sha256 }).await
    };
    delivery.noted(taken.await)
}

/// Goes on with an output that broke off.
#[utoipa::path(
    patch,
    path = "/api/jobs/{job_id}/tasks/{task_id}/output",
    tag = "workers' files",
    params(("job_id" = u64, Path), ("task_id" = u64, Path), ("attempt" = u32, Query)),
    request_body(content_type = "application/octet-stream"),
    responses((status = 201), (status = 204), (status = 408), (status = 409), (status = 422), (status = 507))
)]
pub(super) async fn patch(
    State(app): State<App>,
    WorkerCaller(worker): WorkerCaller,
    Path(ids): Path<(u64, u64)>,
    Query(AttemptQuery { attempt }): Query<AttemptQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let delivery = Delivery::open(&app, worker, ids, attempt)?;
    let offset = headers.get(UPLOAD_OFFSET).and_then(number).ok_or_else(|| {
        Problem::bad_request("offset-missing", "a PATCH needs Upload-Offset".to_owned())
    })?;
    let more = headers.get(UPLOAD_COMPLETE).is_some_and(|value| value.as_bytes() == b"?0");
    let end =
        if more { End::MoreToCome } else { End::Complete { sha256: wanted_digest(&headers)? } };
    let (delivery, turn) = delivery.alone().await?;
    if let (Some(stored), End::Complete { sha256 }) = (&delivery.stored, &end) {
        return delivery.repeated(sha256, stored, body).await;
    }
    let taken = async {
        delivery.check_room(&headers)?;
        let resumed = app.blobs.resume(delivery.job, delivery.attempt).await;
        let incoming = resumed.map_err(|error| Problem::io(&error))?;
        if incoming.written() != offset {
            let detail = format!("{} bytes have arrived, not {offset}", incoming.written());
            // The header tells this from the 409 that makes a worker drop its output.
            return Err(Problem::conflict("wrong-offset", detail)
                .header(UPLOAD_OFFSET, HeaderValue::from(incoming.written())));
        }
        delivery.take(incoming, body, &turn, end).await
    };
    delivery.noted(taken.await)
}

/// Tells how much of an output has arrived. An upload that is still under way on another connection is ended
/// by the question: its client asks because it has lost it.
#[utoipa::path(
    head,
    path = "/api/jobs/{job_id}/tasks/{task_id}/output",
    tag = "workers' files",
    params(("job_id" = u64, Path), ("task_id" = u64, Path), ("attempt" = u32, Query)),
    responses((status = 204), (status = 403), (status = 404), (status = 409))
)]
pub(super) async fn offset(
    State(app): State<App>,
    WorkerCaller(worker): WorkerCaller,
    Path(ids): Path<(u64, u64)>,
    Query(AttemptQuery { attempt }): Query<AttemptQuery>,
) -> Result<Response, Problem> {
    let (delivery, _turn) = Delivery::open(&app, worker, ids, attempt)?.alone().await?;
    let (offset, complete) = match &delivery.stored {
        Some(blob) => (blob.size, "?1"),
        None => {
            let arrived = app.blobs.arrived(delivery.job, delivery.attempt).await;
            (arrived.unwrap_or_default(), "?0")
        }
    };
    let headers = [
        (UPLOAD_OFFSET, HeaderValue::from(offset)),
        (UPLOAD_COMPLETE, HeaderValue::from_static(complete)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_header_makes_a_digest_of_another_length(value in "[ -~]{0,120}") {
            let digest = parse_digest(&value);
            prop_assert!(digest.is_none_or(|digest| digest.len() == 64));
        }

        #[test]
        fn a_digest_survives_its_header(bytes in prop::array::uniform32(any::<u8>()), other in "[a-z0-9-]{1,9}") {
            let value = format!("{other}=?1, sha-256=:{}:", STANDARD.encode(bytes));
            prop_assert_eq!(parse_digest(&value), Some(hex(&bytes)));
        }
    }

    #[test]
    fn a_digest_is_read_as_rfc_9530_writes_it() {
        let zero = STANDARD.encode([0_u8; 32]);
        let wanted = Some("0".repeat(64));
        assert_eq!(parse_digest(&format!("sha-256=:{zero}:")), wanted);
        assert_eq!(parse_digest(&format!("sha-512=:AAAA:, SHA-256=:{zero}:")), wanted);
        for wrong in ["", "sha-256", "sha-256=zero", "sha-256=:AAAA:", "sha-256=:!:", "md5=::"] {
            assert_eq!(parse_digest(wrong), None, "{wrong}");
        }
    }
}
