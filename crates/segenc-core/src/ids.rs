//! Identifiers: small numbers that only grow, handed out by the pool.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// A job: one wish, this source into this output.
    JobId(u64)
);
id!(
    /// A task: what a worker is given. Unique over all jobs.
    TaskId(u64)
);
id!(
    /// A worker, kept over its restarts.
    WorkerId(u64)
);
id!(
    /// The number of an attempt within its task, from 1. It is the fencing token: in the lease, the
    /// status report, the upload and the finish; an older one is refused.
    AttemptNumber(u32)
);

/// One try of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The task that is tried.
    pub task: TaskId,
    /// Which try it is.
    pub number: AttemptNumber,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.task, self.number)
    }
}
