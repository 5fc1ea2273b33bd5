//! Analysis of a source: its facts, then the packets of its film, reported while they are read; or a copy of its
//! film, where the server wants one, and the packets of that. Looks at pictures meanwhile where the server says so.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use segenc_core::failure::FailureKind;
use segenc_core::ids::AttemptId;
use segenc_core::source::{Packet, SourceFacts};
use segenc_media::{
    Attempt, Copied, LookedAt, MediaInput, Progress, WorkError, copy_film, packets, probe,
    why_packets_are_no_pictures,
};
use segenc_proto::{convert, grpc};

use crate::backoff::Backoff;
use crate::failures;
use crate::heartbeat::{status_report, stops};
use crate::looking::{Looking, Sight};
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
    /// The same with all pictures, which may have to be fetched.
    pub(crate) pictures: &'a MediaInput,
}

/// Where packets come from.
#[derive(Debug, Clone, Copy)]
enum Packets<'a> {
    /// From this stream of the source, which is read once more each time.
    Source(u32),
    /// They are here.
    Copy(&'a [Packet]),
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
        let answer = self.tell_facts(&facts).await?;
        let Some(stream) = answer.film_stream else { return Ok(None) };
        let Some(film) = facts.streams.iter().find(|known| known.index == stream) else {
            let message = format!("the server wants stream {stream}, which is not in the source");
            let failure = failures::failure(FailureKind::Task, "task-not-understood", message);
            return Err(WorkError::Failed(failure));
        };
        match answer.copy {
            Some(wanted) => {
                let copied =
                    copy_film(self.attempt, self.source, &facts, stream, &wanted.beside).await?;
                let copy = match copied {
                    Copied::Made(copy) => copy,
                    Copied::Unsplittable(reason) => {
                        self.say_unsplittable(reason).await?;
                        return Ok(None);
                    }
                };
                let file = MediaInput::File(copy.path.clone());
                let looking = Looking::new(self.attempt, LookedAt::copy(&file, film));
                let sent = self.send(&facts, Packets::Copy(&copy.packets), looking).await?;
                Ok(sent.then_some(copy.path))
            }
            None => {
                let odd =
                    why_packets_are_no_pictures(self.attempt, self.source, &facts, film).await?;
                if let Some(reason) = odd {
                    self.say_unsplittable(reason).await?;
                    return Ok(None);
                }
                let at = LookedAt::source(self.pictures, &facts, film);
                let looking = Looking::new(self.attempt, at);
                self.send(&facts, Packets::Source(stream), looking).await?;
                Ok(None)
            }
        }
    }

    async fn tell_facts(&self, facts: &SourceFacts) -> Result<grpc::StatusAnswer, WorkError> {
        let mut report = self.empty_report();
        report.facts = Some(convert::source_facts_message(facts));
        self.report(report).await
    }

    async fn say_unsplittable(&self, reason: String) -> Result<(), WorkError> {
        tracing::info!(attempt = %self.id, reason, "the film must not be cut");
        let mut report = self.empty_report();
        report.unsplittable = Some(reason);
        self.report(report).await.map(drop)
    }

    /// Sends all packets until the server has them, and has seen what it wants. Whether it still wants them then.
    async fn send(
        &self,
        facts: &SourceFacts,
        packets: Packets<'_>,
        mut looking: Looking<'_>,
    ) -> Result<bool, WorkError> {
        for _ in 0..READINGS_MAX {
            let sent = match packets {
                Packets::Source(stream) => self.send_read(facts, stream, &mut looking).await?,
                Packets::Copy(packets) => self.send_listed(packets, &mut looking).await?,
            };
            match sent {
                Sent::All => return Ok(true),
                Sent::NoMoreWanted => return Ok(false),
                Sent::Forgotten => {
                    tracing::info!(attempt = %self.id, "the server lost the packets; telling them again");
                    if self.tell_facts(facts).await?.film_stream.is_none() {
                        return Ok(false);
                    }
                }
            }
        }
        Err(WorkError::Failed(failures::analysis_not_taken()))
    }

    /// Sends packets that are known already.
    async fn send_listed(
        &self,
        packets: &[Packet],
        looking: &mut Looking<'_>,
    ) -> Result<Sent, WorkError> {
        let mut first = 0;
        for batch in packets.chunks(BATCH_MAX) {
            match self.send_batch(first, batch, looking).await? {
                Sent::All => {}
                ended @ (Sent::NoMoreWanted | Sent::Forgotten) => return Ok(ended),
            }
            first += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        }
        self.look_to_the_end(first, looking).await
    }

    /// Sends packets while they are read.
    async fn send_read(
        &self,
        facts: &SourceFacts,
        stream: u32,
        looking: &mut Looking<'_>,
    ) -> Result<Sent, WorkError> {
        let mut reader = packets(self.attempt, self.source, facts, stream).await?;
        let mut batch_max = BATCH_FIRST;
        let mut first = 0;
        while let Some(batch) = self.while_looking(looking, reader.next_batch(batch_max)).await? {
            match self.send_batch(first, &batch, looking).await? {
                Sent::All => {}
                ended @ (Sent::NoMoreWanted | Sent::Forgotten) => return Ok(ended),
            }
            first += u64::try_from(batch.len()).unwrap_or(u64::MAX);
            batch_max = (batch_max * 2).min(BATCH_MAX);
        }
        self.look_to_the_end(first, looking).await
    }

    /// Waits for `work`, and tells meanwhile what is seen.
    async fn while_looking<T>(
        &self,
        looking: &mut Looking<'_>,
        work: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                sight = looking.next(), if looking.goes_on() => {
                    let answer = self.report(self.sight_report(sight?)).await?;
                    want(looking, answer.looks)?;
                }
                done = &mut work => return done,
            }
        }
    }

    /// All packets are sent: looks until the server has seen enough.
    async fn look_to_the_end(
        &self,
        sent: u64,
        looking: &mut Looking<'_>,
    ) -> Result<Sent, WorkError> {
        let mut report = self.empty_report();
        loop {
            report.packets_end = true;
            let answer = self.report(report).await?;
            if answer.packets_received < sent {
                return Ok(Sent::Forgotten);
            }
            if answer.film_stream.is_none() {
                return Ok(Sent::NoMoreWanted);
            }
            want(looking, answer.looks)?;
            if !looking.goes_on() {
                return Ok(Sent::All);
            }
            report = self.sight_report(looking.next().await?);
        }
    }

    /// A report of what was seen.
    fn sight_report(&self, sight: Sight) -> grpc::StatusReport {
        // Looking is getting on, too.
        self.attempt.progress.send_modify(|progress| progress.frames += 1);
        let mut report = self.empty_report();
        report.seen = vec![convert::seen_message(sight.until, sight.scene)];
        report
    }

    /// Sends a batch until all of it has arrived.
    async fn send_batch(
        &self,
        first: u64,
        batch: &[Packet],
        looking: &mut Looking<'_>,
    ) -> Result<Sent, WorkError> {
        let mut arrived = 0;
        let mut in_vain = 0;
        while let Some(rest) = batch.get(arrived..).filter(|rest| !rest.is_empty()) {
            let position = first + u64::try_from(arrived).unwrap_or(u64::MAX);
            let mut report = self.empty_report();
            report.packets = Some(convert::packet_batch(position, rest));
            let answer = self.report(report).await?;
            want(looking, answer.looks)?;
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
        let frames = first + u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.attempt.progress.send_replace(Progress { frames, speed_millifps: 0 });
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

/// Takes the looks that an answer asks for.
fn want(looking: &mut Looking<'_>, looks: Vec<grpc::Look>) -> Result<(), WorkError> {
    let looks = convert::looks(looks).map_err(|error| {
        let failure =
            failures::failure(FailureKind::Task, "task-not-understood", error.to_string());
        WorkError::Failed(failure)
    })?;
    looking.want(looks);
    Ok(())
}
