//! How a command ends when it does not succeed: exit code, message, hint.
//!
//! Knows nothing of printing; `main` prints what is here.

use std::error::Error;
use std::fmt;

use crate::api::ApiError;

/// Why the program ends, as its exit code tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The job failed, or this machine stood in the way.
    Failed,
    /// Wrong usage or refused options.
    Usage,
    /// The server cannot be reached.
    Unreachable,
    /// The server does not let this user in.
    Unauthorised,
    /// By the user; what was done is kept.
    Interrupted,
}

impl Exit {
    /// The promised number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Unauthorised => 4,
            Self::Interrupted => 130,
        }
    }

    /// The word for programs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "refused",
            Self::Unreachable => "unreachable",
            Self::Unauthorised => "unauthorised",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An end that is no success, with all that the user is told about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Halt {
    exit: Exit,
    message: String,
    reason: Option<String>,
    hint: Option<String>,
    log_tail: Option<String>,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Halt {
    /// An end of this kind with this message: lower case, what was attempted on what.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            reason: None,
            hint: None,
            log_tail: None,
            cause: None,
        }
    }

    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something here went wrong.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Adds what lies behind it.
    /// Whether the user has asked for it.
    pub(crate) fn is_interruption(&self) -> bool {
        self.exit == Exit::Interrupted
    }

    pub(crate) fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// Adds the stable name of the reason.
    pub(crate) fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what to do, where something is known.
    pub(crate) fn hint_if_any(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Adds the end of a program's log.
    pub(crate) fn log_tail(mut self, log: &str) -> Self {
        self.log_tail = Some(log.to_owned()).filter(|log| !log.trim().is_empty());
        self
    }
}

/// What is printed about an error at the end of the program.
#[derive(Debug)]
pub(crate) struct LastWords {
    /// The exit code.
    pub(crate) exit: Exit,
    /// The chain of messages, each said once.
    pub(crate) message: String,
    /// The stable name of the reason.
    pub(crate) reason: Option<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// The end of a program's log.
    pub(crate) log_tail: Option<String>,
}

impl From<&anyhow::Error> for LastWords {
    fn from(error: &anyhow::Error) -> Self {
        let mut words = Self {
            exit: Exit::Failed,
            message: Chain(error).to_string(),
            reason: None,
            hint: None,
            log_tail: None,
        };
        for cause in error.chain() {
            if let Some(halt) = cause.downcast_ref::<Halt>() {
                words.exit = halt.exit;
                words.reason.clone_from(&halt.reason);
                words.hint.clone_from(&halt.hint);
                words.log_tail.clone_from(&halt.log_tail);
                return words;
            }
            if let Some(refused) = cause.downcast_ref::<ApiError>() {
                words.exit = refused.exit();
                words.reason = refused.reason().map(str::to_owned);
                words.hint = refused.hint();
                return words;
            }
        }
        words
    }
}

/// An error with its causes, leaving out a cause that the text before it has said already.
struct Chain<'a>(&'a anyhow::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = String::new();
        for cause in self.0.chain() {
            let text = cause.to_string();
            if said.contains(text.trim()) {
                continue;
            }
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.push_str(text.trim());
        }
        formatter.write_str(&said)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_chain_says_nothing_twice() {
        let error = Err::<(), _>(anyhow::anyhow!("no such file"))
            .context("reading a failed: no such file")
            .context("starting failed")
            .expect_err("it is made as an error");
        assert_eq!(Chain(&error).to_string(), "starting failed: reading a failed: no such file");
    }

    #[test]
    fn a_halt_below_contexts_still_gives_exit_code_and_hint() {
        let error = Err::<(), _>(Halt::usage("no").hint("do this"))
            .context("looking at x")
            .expect_err("it is made as an error");
        let words = LastWords::from(&error);
        assert_eq!((words.exit, words.hint.as_deref()), (Exit::Usage, Some("do this")));
        assert_eq!(words.message, "looking at x: no");
    }
}
