//! Under which name the parts of an attempt's time are told to whoever traces it.
//!
//! They are spans of `tracing`, and cost nothing where nobody listens. They bear no path, address or option: those may
//! hold what only the user and the programs may know.

use std::path::Path;

use crate::runner::Exit;

/// The target of all spans that are told; nothing else has it.
pub const TARGET: &str = "segenc_trace";
/// The name of the outermost one, which is all that is done for an attempt.
pub const WORK: &str = "work";

/// A count as traces have it.
#[must_use]
pub fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What came out is compared with the plan.
pub(crate) fn verify() -> tracing::Span {
    tracing::info_span!(target: TARGET, "verify")
}

/// A program, under its own name, as long as it runs.
pub(crate) fn program(path: &Path) -> tracing::Span {
    let name = path.file_stem().map(|name| name.to_string_lossy()).unwrap_or_default();
    tracing::info_span!(
        target: TARGET,
        "program",
        otel.name = %name,
        process.exit.code = tracing::field::Empty,
        segenc.signal = tracing::field::Empty,
        segenc.cpu_millis = tracing::field::Empty,
    )
}

/// Notes how a program ended.
pub(crate) fn note_end(span: &tracing::Span, exit: Exit, cpu_millis: u64) {
    match exit {
        Exit::Code(code) => span.record("process.exit.code", i64::from(code)),
        Exit::Signal(signal) => span.record("segenc.signal", i64::from(signal)),
    };
    span.record("segenc.cpu_millis", count(cpu_millis));
}
