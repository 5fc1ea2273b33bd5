//! Keeps a call open by which the server knows at once when this process or its line is gone.
//!
//! Knows nothing of tasks.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::backoff::Backoff;
use crate::server::{CallError, Session};

/// The line is opened again after this: the server waits a little longer before it takes tasks back.
const AGAIN_FIRST: Duration = Duration::from_millis(50);
/// While the server cannot be reached, it is tried this often.
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// Keeps the line open until dropped.
pub(crate) fn keep(session: &Session) -> AbortOnDropHandle<()> {
    let session = session.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut backoff = Backoff::new(AGAIN_FIRST, AGAIN_MAX);
        loop {
            match session.keep_presence().await {
                Ok(()) => backoff.reset(),
                // An older server does not have the call: there, leases have to do.
                Err(CallError::Refused(..) | CallError::NotKnown(_)) => return,
                Err(CallError::Unreachable(_) | CallError::OtherCertificate) => {}
            }
            backoff.pause().await;
        }
    }))
}
