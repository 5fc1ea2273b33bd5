//! The one place where the server reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use segenc_core::time::Millis;

/// Milliseconds since the Unix epoch; 0 on a clock that stands before it.
pub(crate) fn now() -> Millis {
    millis_of(SystemTime::now())
}

/// A file's time in the same unit.
pub(crate) fn millis_of(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
