//! The span of an attempt's work in its job's trace. Nothing is made where the server does not trace.

use segenc_core::work::{Pass, Work};
use segenc_media::spans::{TARGET, WORK, count};
use segenc_proto::convert::AssignedTask;
use tracing::Span;

use crate::JoinTrace;

/// The span of all that is done here for an attempt; a disabled one where nobody traces it.
pub(crate) fn work(task: &AssignedTask, join: Option<JoinTrace>) -> Span {
    let (Some(join), Some(traceparent)) = (join, &task.traceparent) else { return Span::none() };
    let span = tracing::info_span!(
        target: TARGET,
        WORK,
        segenc.job = count(task.job.0),
        segenc.task = count(task.attempt.task.0),
        segenc.attempt = i64::from(task.attempt.number.0),
        segenc.task.kind = kind(&task.work),
        segenc.segment = segment(&task.work),
    );
    join(&span, traceparent);
    span
}

/// The task's kind in the words of the REST interface, as far as the worker knows it.
const fn kind(work: &Work) -> &'static str {
    match work {
        Work::Analysis => "analysis",
        Work::Segment(work) => match work.pass {
            Pass::Measure => "measure",
            Pass::Only | Pass::Real { .. } => "segment",
        },
        Work::OtherStreams(_) => "other_streams",
        Work::Weigh(_) => "weigh",
        Work::Whole(_) => "whole",
        Work::Merge(_) => "merge",
    }
}

fn segment(work: &Work) -> Option<i64> {
    match work {
        Work::Segment(work) => Some(i64::from(work.index)),
        Work::Analysis
        | Work::OtherStreams(_)
        | Work::Weigh(_)
        | Work::Whole(_)
        | Work::Merge(_) => None,
    }
}
