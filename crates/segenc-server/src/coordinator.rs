//! The one task that owns the pool: it decides, has the events stored, and only then applies them.
//!
//! Commands that arrive together share one transaction. A failed commit changes nothing, and nobody hears of
//! an event that is not stored. It knows no wire and no file.

mod batch;
mod handle;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use segenc_core::ids::JobId;
use segenc_core::pool::command::Command;
use segenc_core::pool::{Leases, Pool};
use segenc_core::time::Millis;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::journal;
use crate::metrics::Tally;
use crate::notes::Notes;
use crate::planning::Planning;
use crate::storage::Storage;
use crate::store::{Store, StoreError};
use crate::traces::{self, SpanSink};
pub(crate) use batch::Draft;
use batch::Next;
pub(crate) use handle::{Coordinator, Created, Refusal};

use crate::planning::{AnalysisAnswer, Finish, Report};
use crate::store::Wish;
use segenc_core::pool::command::{Answer, NewJob};

/// Commands that wait for the coordinator; who comes later waits at the door. As many as two long polls of
/// a large farm.
const QUEUE_MAX: usize = 4096;
/// Commands that share one transaction: enough to make the sync cheap, few enough to answer soon.
const BATCH_MAX: usize = 256;
/// How often leases are looked at. A lease is ten seconds, so this is exact enough.
const TICK: Duration = Duration::from_millis(500);

/// What readers see: a pool and leases that belong together.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) pool: Pool,
    pub(crate) leases: Leases,
    /// The clock when it was taken.
    pub(crate) now: Millis,
    /// The disk on which all of it is kept.
    pub(crate) storage: Arc<Storage>,
    /// Why the server ended jobs by itself.
    pub(crate) notes: Arc<Notes>,
}

/// What the coordinator shares with others beside its views.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    pub(crate) storage: Arc<Storage>,
    pub(crate) notes: Arc<Notes>,
    /// What is counted.
    pub(crate) tally: Arc<Tally>,
    /// Who takes spans.
    pub(crate) traces: Option<SpanSink>,
}

/// Something asked of the coordinator.
#[derive(Debug)]
enum Ask {
    Command(Command),
    Create { job: Box<NewJob>, wish: Wish },
    Report(Box<Report>),
    FinishAnalysis(Box<Finish>),
}

/// What it answers.
#[derive(Debug, Clone)]
struct Reply {
    answer: Answer,
    analysis: Option<AnalysisAnswer>,
    /// The job was there already: the same wish came twice.
    repeated: bool,
}

struct Message {
    ask: Ask,
    reply: oneshot::Sender<Result<Reply, Refusal>>,
}

struct Owner {
    store: Store,
    beside: Beside,
    pool: Pool,
    leases: Leases,
    planning: Planning,
    jobs_by_key: BTreeMap<String, JobId>,
    view: watch::Sender<Arc<View>>,
    work: watch::Sender<u64>,
    ended: watch::Sender<u64>,
}

/// Loads the history and starts the coordinator. It runs until `stop` and gives up its queue then.
pub(crate) async fn start(
    store: Store,
    beside: Beside,
    stop: CancellationToken,
) -> Result<(Coordinator, tokio::task::JoinHandle<()>), StoreError> {
    let history = store.load().await?;
    let mut pool = Pool::default();
    for event in &history.events {
        pool.apply(event);
    }
    let now = clock::now();
    let leases = Leases::adopt(&pool, now);
    let view = View {
        pool: pool.clone(),
        leases: leases.clone(),
        now,
        storage: Arc::clone(&beside.storage),
        notes: Arc::clone(&beside.notes),
    };
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let (view, view_reader) = watch::channel(Arc::new(view));
    let (work, work_reader) = watch::channel(0);
    let (ended, ended_reader) = watch::channel(0);
    let owner = Owner {
        store,
        beside,
        pool,
        leases,
        planning: Planning::default(),
        jobs_by_key: history.jobs_by_key,
        view,
        work,
        ended,
    };
    let task = tokio::spawn(owner.run(receiver, stop));
    Ok((Coordinator::new(sender, view_reader, work_reader, ended_reader), task))
}

impl Owner {
    async fn run(mut self, mut queue: mpsc::Receiver<Message>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.handle(Vec::new()).await,
                count = queue.recv_many(&mut batch, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                    self.handle(std::mem::take(&mut batch)).await;
                }
            }
        }
    }

    /// Decides all messages on a draft, stores what follows, and lets the draft take the pool's place.
    async fn handle(&mut self, messages: Vec<Message>) {
        let now = clock::now();
        let mut draft = Draft::new(&self.pool, &self.leases, &self.jobs_by_key, now);
        let mut replies = Vec::with_capacity(messages.len());
        if messages.is_empty() {
            // A tick cannot be refused: it asks for nothing that could be missing.
            let _ = draft.decide(&Command::Tick);
        }
        for message in &messages {
            replies.push(draft.answer(&mut self.planning, &message.ask));
        }
        let committed = Instant::now();
        if !draft.records.is_empty()
            && let Err(error) = self.store.commit(&draft.records, &draft.wishes).await
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "events cannot be stored: nothing has happened");
            self.beside.storage.refuses(now);
            self.beside.tally.note_refused_commit();
            self.answer_without_events(now, messages);
            return;
        }
        if !draft.records.is_empty() {
            self.beside.tally.note_commit(committed.elapsed());
            let events = draft.records.iter().map(|record| &record.event);
            self.beside.tally.note_events(&draft.pool, events);
            draft.records.iter().for_each(|record| journal::tell(&draft.pool, &record.event));
            if let Some(sink) = self.beside.traces {
                let events = draft.records.iter().map(|record| &record.event);
                traces::tell(sink, &draft.pool, events);
            }
        }
        let next = draft.into_next();
        self.take_over(next);
        for (message, reply) in messages.into_iter().zip(replies) {
            // Whoever asked may have gone away meanwhile; what was stored holds all the same.
            let _ = message.reply.send(reply);
        }
    }

    fn take_over(&mut self, next: Next) {
        let Next { mut view, news, wishes } = next;
        view.storage = Arc::clone(&self.beside.storage);
        view.notes = Arc::clone(&self.beside.notes);
        for (job, wish) in wishes {
            if let Some(key) = wish.idempotency_key {
                self.jobs_by_key.insert(key, job);
            }
        }
        if news.ended {
            self.jobs_by_key.retain(|_, job| view.pool.job(*job).is_some());
        }
        self.pool = view.pool.clone();
        self.leases = view.leases.clone();
        self.planning.committed(&self.pool);
        self.view.send_replace(Arc::new(view));
        if news.work {
            self.work.send_modify(|count| *count = count.wrapping_add(1));
        }
        if news.ended {
            self.ended.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// While nothing can be stored, what needs no storing goes on: a status report still renews its lease.
    fn answer_without_events(&mut self, now: Millis, messages: Vec<Message>) {
        let mut replies = Vec::with_capacity(messages.len());
        let mut draft = Draft::new(&self.pool, &self.leases, &self.jobs_by_key, now);
        for message in &messages {
            let before = draft.clone();
            let reply = draft.answer(&mut self.planning, &message.ask);
            if draft.records.is_empty() {
                replies.push(reply);
            } else {
                draft = before;
                replies.push(Err(Refusal::NotStored));
            }
        }
        self.leases = draft.into_next().view.leases;
        let view = View {
            pool: self.pool.clone(),
            leases: self.leases.clone(),
            now,
            storage: Arc::clone(&self.beside.storage),
            notes: Arc::clone(&self.beside.notes),
        };
        self.view.send_replace(Arc::new(view));
        for (message, reply) in messages.into_iter().zip(replies) {
            let _ = message.reply.send(reply);
        }
    }
}
