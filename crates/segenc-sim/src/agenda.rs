//! What happens when: the simulated clock's queue. What is due at the same time happens in the order in
//! which it was planned.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use segenc_core::pool::command::Command;
use segenc_core::time::Millis;

use crate::scenario::Mishap;
use crate::server::Reply;
use segenc_core::ids::AttemptId;

/// Something that will happen.
#[derive(Debug, Clone)]
pub(crate) enum Occurrence {
    /// A user submits the job of this number.
    Submit(usize),
    Mishap(Mishap),
    /// From now on nothing goes wrong.
    Quiet,
    /// Users take up again what failed meanwhile.
    Retry,
    /// The server looks at the clock.
    Tick,
    /// What the server wrote is on its disk, or could not be put there.
    Stored(u64),
    /// A message arrives at the server.
    Call(Letter, Command),
    /// Something happens on a machine, unless its process is another one by then.
    Machine(usize, u32, Local),
}

/// Whom an answer goes to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Letter {
    pub(crate) machine: usize,
    pub(crate) process: u32,
    pub(crate) call: u64,
}

/// Something on a machine.
#[derive(Debug, Clone)]
pub(crate) enum Local {
    /// The process starts.
    Start,
    /// An answer arrives.
    Answer(u64, Reply),
    /// No answer has come for too long.
    Unanswered(u64),
    /// Time to ask for work again.
    Ask,
    /// Time to report on an attempt.
    Report(AttemptId),
    /// The attempt's work is done.
    Worked(AttemptId),
}

#[derive(Debug)]
struct Entry {
    at: Millis,
    order: u64,
    what: Occurrence,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    planned: u64,
    pub(crate) now: Millis,
}

impl Agenda {
    /// Plans something in `after` milliseconds.
    pub(crate) fn plan(&mut self, after: Millis, what: Occurrence) {
        self.planned += 1;
        let entry = Entry { at: self.now + after, order: self.planned, what };
        self.entries.push(Reverse(entry));
    }

    /// The next thing; the clock jumps to it.
    pub(crate) fn next(&mut self) -> Option<Occurrence> {
        let Reverse(entry) = self.entries.pop()?;
        self.now = entry.at;
        Some(entry.what)
    }
}
