//! Between the messages of the wire and the core's types, in both directions.
//!
//! What comes in is checked here: an enum without meaning, a timebase of zero, arrays of unequal length
//! or too many entries are a [`WireError`], never a panic. What goes out cannot fail.

mod looks;
mod reports;
mod source;
mod task;

pub use looks::{MAX_LOOKS, look_messages, looks, seen, seen_message};
pub use reports::{failure, finish_request, observed, observed_frames, reason, worker_profile};
pub use source::{
    MAX_PACKETS_PER_BATCH, MAX_STREAMS, NO_TIMESTAMP, packet_batch, packets, source_facts,
    source_facts_message,
};
pub use task::{AssignedTask, InputLocation, task, task_message};

use segenc_core::time::Timebase;
use thiserror::Error;

use crate::grpc;

/// A message that does not mean anything.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// A field that has to be there is not.
    #[error("the message lacks {0}")]
    Missing(&'static str),
    /// A field has a value that means nothing.
    #[error("the message has a {field} that means nothing: {value}")]
    Meaningless {
        /// Which.
        field: &'static str,
        /// What it was, shortened.
        value: String,
    },
    /// More entries than the limit.
    #[error("the message has {count} {what}, at most {limit} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many may be there.
        limit: usize,
    },
}

fn timebase(message: Option<grpc::Timebase>) -> Result<Timebase, WireError> {
    let message = message.ok_or(WireError::Missing("timebase"))?;
    Timebase::new(message.num, message.den)
        .map_err(|error| WireError::Meaningless { field: "timebase", value: error.to_string() })
}

fn timebase_message(timebase: Timebase) -> grpc::Timebase {
    grpc::Timebase { num: timebase.num(), den: timebase.den() }
}
