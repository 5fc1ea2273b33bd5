//! The server of the simulation: decide, store, apply, answer, with the real rules. Everything it does
//! passes the witness.
//!
//! Commands that arrive while others are being stored wait and share the next transaction, as in the real
//! coordinator. It knows no machine and no network: it is handed commands, and hands out answers.

use std::collections::BTreeSet;

use segenc_core::ids::{AttemptId, JobId};
use segenc_core::pool::command::{Answer, Command, Rejection};
use segenc_core::pool::event::Event;
use segenc_core::pool::task::TaskKind;
use segenc_core::pool::{Decision, Leases, Pool, decide, sanity_check};
use segenc_core::time::Millis;

use crate::agenda::Letter;
use crate::witness::Witness;

/// Commands that share one transaction.
const BATCH_MAX: usize = 256;

/// What a worker hears.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// An attempt, with what the worker must know of it.
    Assigned(Order),
    /// Anything else.
    Answered(Answer),
    Refused(Rejection),
}

/// An attempt as it is handed out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) attempt: AttemptId,
    pub(crate) job: JobId,
    pub(crate) kind: TaskKind,
    pub(crate) longer_run_up: bool,
    pub(crate) bits_asked: Option<u64>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sender {
    Worker(Letter),
    /// A user who wishes the job of this number. The number is the wish's key: it makes one job, however often
    /// it arrives.
    Submit(usize),
    /// Another user, or the clock: nobody waits for the answer.
    Nobody,
}

/// Something asked.
#[derive(Debug, Clone)]
struct Asked {
    sender: Sender,
    command: Command,
}

/// Commands that were decided and are being stored.
#[derive(Debug)]
struct Batch {
    number: u64,
    now: Millis,
    decided: Vec<(Asked, Result<Decision, Rejection>)>,
    leases: Leases,
}

/// What became of the batch that was being stored when the server died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Torn {
    /// The disk had it all.
    Stored,
    /// The disk had nothing of it.
    Lost,
}

/// What follows from commands that were decided.
#[derive(Debug)]
pub(crate) enum Begun {
    /// There was nothing to store: these are the answers.
    Answered(Vec<(Letter, Reply)>),
    /// The batch of this number is on its way to the disk.
    Storing(u64),
}

/// How the server treats workers that would get a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Backups {
    /// As its rules say.
    #[default]
    Made,
    /// Who finds nothing waiting gets nothing, so that it can be seen what backups bring.
    Withheld,
}

#[derive(Debug, Default)]
pub(crate) struct Server {
    pub(crate) pool: Pool,
    leases: Leases,
    /// What is on disk.
    stored: Vec<Event>,
    /// The job that each wish became.
    pub(crate) jobs: Vec<Option<JobId>>,
    pub(crate) witness: Witness,
    pub(crate) backups: Backups,
    waiting: Vec<Asked>,
    batch: Option<Batch>,
    batches: u64,
    pub(crate) commands: u64,
    pub(crate) rejections: u64,
}

impl Server {
    pub(crate) fn new(wishes: usize, backups: Backups) -> Self {
        Self { jobs: vec![None; wishes], backups, ..Self::default() }
    }

    /// A command arrives.
    pub(crate) fn receive(&mut self, sender: Sender, command: Command) {
        self.waiting.push(Asked { sender, command });
    }

    /// Decides what waits, if nothing is being stored.
    pub(crate) fn begin(&mut self, now: Millis) -> Result<Option<Begun>, String> {
        if self.batch.is_some() || self.waiting.is_empty() {
            return Ok(None);
        }
        let rest = self.waiting.split_off(self.waiting.len().min(BATCH_MAX));
        let asked = std::mem::replace(&mut self.waiting, rest);
        let mut wishes: BTreeSet<usize> = BTreeSet::new();
        let (mut pool, mut leases) = (self.pool.clone(), self.leases.clone());
        let mut decided = Vec::with_capacity(asked.len());
        for asked in asked {
            if let Sender::Submit(number) = asked.sender {
                let known = self.jobs.get(number).copied().flatten().is_some();
                if known || !wishes.insert(number) {
                    continue;
                }
            }
            self.commands += 1;
            let decision = self.decide(&pool, &leases, now, &asked.command);
            if let Ok(decision) = &decision {
                for event in &decision.events {
                    pool.apply(event);
                }
                leases.note(&pool, now, &asked.command, decision);
            } else {
                self.rejections += 1;
            }
            decided.push((asked, decision));
        }
        self.batches += 1;
        let batch = Batch { number: self.batches, now, decided, leases };
        if batch.decided.iter().all(|(_, decision)| is_quiet(decision)) {
            return Ok(Some(Begun::Answered(self.commit(batch)?)));
        }
        self.batch = Some(batch);
        Ok(Some(Begun::Storing(self.batches)))
    }

    fn decide(
        &self,
        pool: &Pool,
        leases: &Leases,
        now: Millis,
        command: &Command,
    ) -> Result<Decision, Rejection> {
        if let (Backups::Withheld, Command::RequestTask(_)) = (self.backups, command)
            && pool.jobs().all(|job| pool.counts(job.id).ready == 0)
        {
            return Ok(Decision { answer: Answer::Assigned(None), events: Vec::new() });
        }
        decide(pool, leases, now, command)
    }

    /// The batch is on disk: it is applied and answered.
    pub(crate) fn stored(&mut self, number: u64) -> Result<Vec<(Letter, Reply)>, String> {
        match self.batch.take_if(|batch| batch.number == number) {
            Some(batch) => self.commit(batch),
            None => Ok(Vec::new()),
        }
    }

    /// The batch cannot be stored: nothing has happened, and only what needs no storing is answered.
    pub(crate) fn not_stored(&mut self, number: u64) -> Result<Vec<(Letter, Reply)>, String> {
        let Some(batch) = self.batch.take_if(|batch| batch.number == number) else {
            return Ok(Vec::new());
        };
        let mut leases = self.leases.clone();
        let mut decided = Vec::new();
        for (asked, _) in batch.decided {
            let decision = self.decide(&self.pool, &leases, batch.now, &asked.command);
            if !is_quiet(&decision) {
                continue;
            }
            if let Ok(decision) = &decision {
                leases.note(&self.pool, batch.now, &asked.command, decision);
            }
            decided.push((asked, decision));
        }
        self.commit(Batch { decided, leases, ..batch })
    }

    fn commit(&mut self, batch: Batch) -> Result<Vec<(Letter, Reply)>, String> {
        let mut replies = Vec::new();
        for (asked, decision) in batch.decided {
            if let Ok(decision) = &decision {
                self.apply(&asked, decision)?;
                self.witness.heard(&self.pool, batch.now, &asked.command, &decision.answer)?;
            }
            if let Sender::Worker(letter) = asked.sender {
                if let Ok(decision) = &decision {
                    self.witness.acknowledged(&asked.command, &decision.answer)?;
                }
                replies.push((letter, self.reply(decision.map(|decision| decision.answer))));
            }
        }
        self.leases = batch.leases;
        Ok(replies)
    }

    fn apply(&mut self, asked: &Asked, decision: &Decision) -> Result<(), String> {
        for event in &decision.events {
            self.pool.apply(event);
            self.witness.saw(&self.pool, &asked.command, event)?;
        }
        self.stored.extend(decision.events.iter().cloned());
        if let (Sender::Submit(number), Answer::Job(job)) = (asked.sender, &decision.answer)
            && let Some(slot) = self.jobs.get_mut(number)
        {
            *slot = Some(*job);
        }
        if decision.events.is_empty() { Ok(()) } else { sanity_check(&self.pool) }
    }

    /// What the worker hears of an answer.
    fn reply(&self, answer: Result<Answer, Rejection>) -> Reply {
        match answer {
            Ok(Answer::Assigned(Some(attempt))) => match self.order(attempt) {
                Some(order) => Reply::Assigned(order),
                None => Reply::Refused(Rejection::UnknownTask(attempt.task)),
            },
            Ok(answer) => Reply::Answered(answer),
            Err(rejection) => Reply::Refused(rejection),
        }
    }

    fn order(&self, attempt: AttemptId) -> Option<Order> {
        let task = self.pool.task(attempt.task)?;
        let (job, kind, longer_run_up) = (task.job, task.kind, task.longer_run_up);
        let index = match kind {
            TaskKind::Segment(index) | TaskKind::Retake(index) => Some(index),
            TaskKind::Analysis
            | TaskKind::Measure(_)
            | TaskKind::OtherStreams
            | TaskKind::Weigh
            | TaskKind::Whole
            | TaskKind::Merge => None,
        };
        let bits_asked = index.and_then(|index| self.pool.job(job)?.bits_asked(index, kind));
        Some(Order { attempt, job, kind, longer_run_up, bits_asked })
    }

    /// Dies, and is back with what it stored; the clock then says `back`.
    pub(crate) fn restart(&mut self, torn: Torn, back: Millis) -> Result<(), String> {
        if let (Some(batch), Torn::Stored) = (self.batch.take(), torn) {
            // On the disk, but nobody hears of it.
            for (asked, decision) in &batch.decided {
                if let Ok(decision) = decision {
                    self.apply(asked, decision)?;
                }
            }
        }
        self.waiting.clear();
        self.check_replay()?;
        self.leases = Leases::adopt(&self.pool, back);
        self.witness.restarted(back);
        Ok(())
    }

    /// What is stored is what is.
    pub(crate) fn check_replay(&mut self) -> Result<(), String> {
        let mut replayed = Pool::default();
        for event in &self.stored {
            replayed.apply(event);
        }
        if replayed != self.pool {
            return Err("the stored events make another pool".to_owned());
        }
        self.pool = replayed;
        self.witness.check_kept(&self.pool)
    }

    pub(crate) fn history(&self) -> &[Event] {
        &self.stored
    }

    pub(crate) fn events(&self) -> u64 {
        u64::try_from(self.stored.len()).unwrap_or(u64::MAX)
    }
}

/// Whether nothing has to be stored for it.
fn is_quiet(decision: &Result<Decision, Rejection>) -> bool {
    decision.as_ref().map_or(true, |decision| decision.events.is_empty())
}
