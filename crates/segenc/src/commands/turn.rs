//! One verb for several things, one after the other: what is refused for one does not stop the rest.
//!
//! Knows nothing of the verbs.

use crate::api::ApiError;
use crate::arguments::Voice;
use crate::terminal;

/// What was refused so far.
#[derive(Debug, Default)]
pub(super) struct Turn {
    refused: Option<ApiError>,
}

impl Turn {
    /// Takes the answer for one of them. Where nobody answers, the rest is not asked.
    pub(super) fn note(
        &mut self,
        told: Result<(), ApiError>,
        voice: Voice,
        done: impl Fn() -> String,
    ) -> Result<(), ApiError> {
        match told {
            Ok(()) if voice.quiet => {}
            Ok(()) => terminal::say(&done()),
            Err(error @ ApiError::Refused(_)) => {
                // The last one is said at the end of the program, with its exit code.
                if let Some(earlier) = self.refused.replace(error) {
                    terminal::say(&format!("error: {earlier}"));
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The end: the last refusal, if there was one.
    pub(super) fn end(self) -> anyhow::Result<()> {
        self.refused.map_or(Ok(()), |error| Err(error.into()))
    }
}
