//! Follows a job to its end by server-sent events, over breaks of the connection and restarts of the server.
//!
//! Knows nothing of how progress is shown.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use reqwest::Method;
use segenc_proto::rest::JobView;

use crate::api::{Api, ApiError};
use crate::terminal;

/// The server sends a sign of life at least every 15 s; after three missed ones the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// A job that does not change is shown again this often.
const SHOWN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// First wait before a broken connection is tried again.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// Longest wait, so that a server that is back is noticed soon.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Bytes of one event. A job's view is some kilobytes; the first event of a whole farm holds two thousand of them.
const EVENT_BYTES_MAX: usize = 32 << 20;

/// Whether nothing more will happen to a job by itself.
pub(crate) fn is_final(job: &JobView) -> bool {
    matches!(job.state.as_str(), "completed" | "failed" | "canceled")
}

/// Calls `seen` with the job whenever it has changed, until it has ended.
///
/// A server that goes away is waited for, without end: the user can interrupt. It is said once, and once
/// more when it is back.
pub(crate) async fn until_final(
    api: &Api,
    id: u64,
    mut seen: impl FnMut(&JobView),
) -> Result<JobView, ApiError> {
    let absence = Absence::none("the job is safe");
    absence.outlast(async |absence| follow_once(api, id, absence, &mut seen).await).await
}

/// One connection's worth. `None`: it ended before the job did.
async fn follow_once(
    api: &Api,
    id: u64,
    absence: &mut Absence,
    seen: &mut impl FnMut(&JobView),
) -> Result<Option<JobView>, ApiError> {
    let job = api.job(id).await?;
    absence.over();
    seen(&job);
    if is_final(&job) {
        return Ok(Some(job));
    }
    let request = api.request(Method::GET, &format!("/api/jobs/{id}/events"));
    let response = api.send(request.header("accept", "text/event-stream")).await?;
    let mut bytes = response.bytes_stream();
    let mut events = Events::default();
    let mut job = job;
    let mut heard = Instant::now();
    loop {
        let read = match tokio::time::timeout(SHOWN_AGAIN_AFTER, bytes.next()).await {
            Ok(Some(Ok(read))) => read,
            Ok(Some(Err(_)) | None) => break,
            Err(_) if heard.elapsed() > SILENCE_MAX => break,
            Err(_) => {
                // What is shown may depend on how long nothing has changed.
                seen(&job);
                continue;
            }
        };
        heard = Instant::now();
        for data in events.feed(&read) {
            job = match serde_json::from_str::<JobView>(&data) {
                Ok(job) if job.id == id => job,
                // Something else happened; what it means for the job is asked.
                Ok(_) | Err(_) => api.job(id).await?,
            };
            seen(&job);
            if is_final(&job) {
                return Ok(Some(job));
            }
        }
        if events.is_overlong() {
            break;
        }
    }
    Ok(None)
}

/// The server's absence, as the user hears of it and as it paces our questions.
#[derive(Debug)]
pub(crate) struct Absence {
    /// What the user need not fear for meanwhile.
    safe: &'static str,
    told: bool,
    waits: u32,
}

impl Absence {
    /// No absence yet. `safe`: what the user need not fear for when one comes.
    pub(crate) const fn none(safe: &'static str) -> Self {
        Self { safe, told: false, waits: 0 }
    }

    /// Follows the server until there is an answer, one connection after the other: `once` takes what one tells,
    /// and answers nothing if it ends before that.
    pub(crate) async fn outlast<T>(
        mut self,
        mut once: impl AsyncFnMut(&mut Self) -> Result<Option<T>, ApiError>,
    ) -> Result<T, ApiError> {
        loop {
            match once(&mut self).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(error) if error.may_pass() => self.note(&error),
                Err(error) => return Err(error),
            }
            self.pause().await;
        }
    }

    /// The server did not answer. Said the first time.
    pub(crate) fn note(&mut self, error: &ApiError) {
        if !self.told {
            terminal::say(&format!("{error}; waiting for it ({})", self.safe));
            self.told = true;
        }
    }

    /// Waits before the next try, longer each time.
    pub(crate) async fn pause(&mut self) {
        let wait = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(self.waits)).min(RETRY_MAX);
        self.waits = (self.waits + 1).min(8);
        tokio::time::sleep(wait).await;
    }

    /// The server answers again.
    pub(crate) fn over(&mut self) {
        if self.told {
            terminal::say("the server is back");
        }
        *self = Self::none(self.safe);
    }
}

/// Cuts a stream of server-sent events into the data of its events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: String,
}

impl Events {
    /// The data of the events that end in these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut ready = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
            self.line.clear();
            if line.is_empty() {
                if !self.data.is_empty() {
                    ready.push(std::mem::take(&mut self.data));
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        ready
    }

    /// Whether an event is longer than any should be.
    pub(crate) const fn is_overlong(&self) -> bool {
        self.line.len() + self.data.len() > EVENT_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_any_cutting_of_the_stream() {
        let stream =
            b": hello\n\nevent: job\ndata: {\"a\":1}\r\n\r\nid: 4\ndata: x\ndata: y\n\ndata: open";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let data: Vec<String> =
                stream.chunks(size).flat_map(|part| events.feed(part)).collect();
            assert_eq!(data, ["{\"a\":1}", "x\ny"], "pieces of {size}");
        }
    }
}
