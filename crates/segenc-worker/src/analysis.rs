//! Analysis of a source: its facts, then the packets of its film, reported while they are read; or a copy of its
//! film, where the server wants one, and the packets of that.

use std::path::PathBuf;
use std::time::Duration;

use segenc_core::ids::AttemptId;
use segenc_core::source::{Packet, SourceFacts};
use segenc_media::{
    Attempt, Copied, FilmCopy, MediaInput, Progress, WorkError, copy_film, packets, probe,
    why_packets_are_no_pictures,
};
use segenc_proto::{convert, grpc};

use crate::backoff::Backoff;
use crate::failures;
use crate::heartbeat::{status_report, stops};
use crate::server::{CallError, Session};

/// The first batch: some seconds of film, so that the first segments can start at once.
const BATCH_FIRST: usize = 500;
/// Later batches double up to this: about half a megabyte.
const BATCH_MAX: usize = 20_000;
/// The first pause after a report did not get through.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// So often the packets are read again for a server that forgot them in a restart.
const READINGS_MAX: u32 = 5;
/// So often a batch is sent of which nothing arrives.
const SENDINGS_MAX: u32 = 5;

/// One analysis.
#[derive(Debug)]
pub(crate) struct Analysis<'a> {
    /// To whom it reports.
    pub(crate) session: &'a Session,
    /// Which attempt it is.
    pub(crate) id: AttemptId,
    /// Its surroundings.
    pub(crate) attempt: &'a Attempt<'a>,
    /// What it reads.
    pub(crate) source: &'a MediaInput,
}

/// How sending the packets ended.
enum Sent {
    All,
    /// The server has learnt that the film must not be cut.
    NoMoreWanted,
    /// The server lost what it had and wants everything again.
    Forgotten,
}

impl Analysis<'_> {
    /// Reads and reports until the server has all it wants. Gives the copy of the film, if it wants that too.
    pub(crate) async fn run(&self) -> Result<Option<PathBuf>, WorkError> {
        let facts = probe(self.attempt, self.source).await?;
        let mut copy: Option<FilmCopy> = None;
        for _ in 0..READINGS_MAX {
            let mut report = self.empty_report();
            report.facts = Some(convert::source_facts_message(&facts));
            let answer = self.report(report).await?;
            let Some(stream) = answer.film_stream else { return Ok(None) };
            let sent = match answer.copy {
                Some(wanted) => {
                    let made = match copy.take() {
                        Some(made) => made,
                        None => match self.copy(&facts, stream, &wanted.beside).await? {
                            Some(made) => made,
                            None => return Ok(None),
                        },
                    };
                    let sent = self.send_listed(&made.packets).await?;
                    copy = Some(made);
                    sent
                }
                None => self.look_and_send(&facts, stream).await?,
            };
            match sent {
                Sent::All => return Ok(copy.map(|copy| copy.path)),
                Sent::NoMoreWanted => return Ok(None),
                Sent::Forgotten => {
                    tracing::info!(attempt = %self.id, "the server lost the packets; reading again");
                }
            }
        }
        Err(WorkError::Failed(failures::analysis_not_taken()))
    }

    /// Copies the film, or reports why it must not be cut.
    async fn copy(
        &self,
        facts: &SourceFacts,
        film: u32,
        beside: &[u32],
    ) -> Result<Option<FilmCopy>, WorkError> {
        match copy_film(self.attempt, self.source, facts, film, beside).await? {
            Copied::Made(copy) => Ok(Some(copy)),
            Copied::Unsplittable(reason) => {
                self.say_unsplittable(reason).await?;
                Ok(None)
            }
        }
    }

    async fn say_unsplittable(&self, reason: String) -> Result<(), WorkError> {
        tracing::info!(attempt = %self.id, reason, "the film must not be cut");
        let mut report = self.empty_report();
        report.unsplittable = Some(reason);
        self.report(report).await.map(drop)
    }

    /// Sends the packets of the source, unless they are no pictures.
    async fn look_and_send(&self, facts: &SourceFacts, stream: u32) -> Result<Sent, WorkError> {
        if let Some(film) = facts.streams.iter().find(|known| known.index == stream) {
            let odd = why_packets_are_no_pictures(self.attempt, self.source, facts, film).await?;
            if let Some(reason) = odd {
                self.say_unsplittable(reason).await?;
                return Ok(Sent::NoMoreWanted);
            }
        }
        self.send_packets(facts, stream).await
    }

    /// Sends packets that are known already.
    async fn send_listed(&self, packets: &[Packet]) -> Result<Sent, WorkError> {
        let mut first = 0;
        for batch in packets.chunks(BATCH_MAX) {
            match self.send_batch(first, batch).await? {
                Sent::All => {}
                ended @ (Sent::NoMoreWanted | Sent::Forgotten) => return Ok(ended),
            }
            first += u64::try_from(batch.len()).unwrap_or(u64::MAX);
            self.attempt.progress.send_replace(Progress { frames: first, speed_millifps: 0 });
        }
        Ok(Sent::All)
    }

    async fn send_packets(&self, facts: &SourceFacts, stream: u32) -> Result<Sent, WorkError> {
        let mut reader = packets(self.attempt, self.source, facts, stream).await?;
        let mut batch_max = BATCH_FIRST;
        let mut first = 0;
        while let Some(batch) = reader.next_batch(batch_max).await? {
            match self.send_batch(first, &batch).await? {
                Sent::All => {}
                ended @ (Sent::NoMoreWanted | Sent::Forgotten) => return Ok(ended),
            }
            first += u64::try_from(batch.len()).unwrap_or(u64::MAX);
            self.attempt.progress.send_replace(Progress { frames: first, speed_millifps: 0 });
            batch_max = (batch_max * 2).min(BATCH_MAX);
        }
        Ok(Sent::All)
    }

    /// Sends a batch until all of it has arrived.
    async fn send_batch(&self, first: u64, batch: &[Packet]) -> Result<Sent, WorkError> {
        let mut arrived = 0;
        let mut in_vain = 0;
        while let Some(rest) = batch.get(arrived..).filter(|rest| !rest.is_empty()) {
            let position = first + u64::try_from(arrived).unwrap_or(u64::MAX);
            let mut report = self.empty_report();
            report.packets = Some(convert::packet_batch(position, rest));
            let answer = self.report(report).await?;
            if answer.film_stream.is_none() && answer.packets_received > 0 {
                return Ok(Sent::NoMoreWanted);
            }
            let Some(now) = answer
                .packets_received
                .checked_sub(first)
                .and_then(|count| usize::try_from(count).ok())
                .filter(|count| *count <= batch.len())
            else {
                return Ok(Sent::Forgotten);
            };
            if now <= arrived {
                in_vain += 1;
                if in_vain == SENDINGS_MAX {
                    return Err(WorkError::Failed(failures::analysis_not_taken()));
                }
            }
            arrived = now;
        }
        Ok(Sent::All)
    }

    /// Reports until the report has arrived.
    async fn report(&self, report: grpc::StatusReport) -> Result<grpc::StatusAnswer, WorkError> {
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
        loop {
            let answer = tokio::select! {
                answer = self.session.report(report.clone()) => answer,
                () = self.attempt.cancel.cancelled() => return Err(WorkError::Canceled),
            };
            if stops(&answer) {
                return Err(WorkError::Canceled);
            }
            match answer {
                Ok(answer) => return Ok(answer),
                Err(CallError::Unreachable(_)) => backoff.pause().await,
                Err(
                    CallError::Refused(..) | CallError::NotKnown(_) | CallError::OtherCertificate,
                ) => {
                    return Err(WorkError::Canceled);
                }
            }
        }
    }

    fn empty_report(&self) -> grpc::StatusReport {
        let progress = *self.attempt.progress.borrow();
        status_report(self.id, progress)
    }
}
