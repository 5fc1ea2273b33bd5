//! How a job ends for the user: the output fetched and put in place, the report told, or the failure.
//!
//! The same for local jobs and jobs on a farm.

use segenc_proto::rest::{JobView, ReportView};

use super::Wish;
use crate::api::Api;
use crate::arguments::Voice;
use crate::download;
use crate::halt::Halt;
use crate::quantities::{bytes, counted, ratio, span};
use crate::terminal;

/// Fetches the finished output, puts it in place and says so.
pub(crate) async fn deliver(wish: &Wish, api: &Api, job: &JobView) -> anyhow::Result<()> {
    let output = job
        .output
        .as_ref()
        .ok_or_else(|| Halt::failed("the job is completed without an output"))?;
    let report: ReportView = api.get(&format!("/api/jobs/{}/report", job.id)).await?;
    if !report.verified {
        return Err(Halt::failed("the output is not verified")
            .reason("output-not-verified")
            .into());
    }
    let partial = wish.output.open_partial()?;
    let bar = (!wish.voice.json && !wish.voice.quiet)
        .then(|| terminal::transfer_bar("fetching", output.size));
    let fetched = download::fetch(api, job.id, output, &partial, |bytes| {
        if let Some(bar) = &bar {
            bar.set_position(bytes);
        }
    })
    .await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    fetched?;
    partial.place()?;
    tell(wish, job, &report, output.size);
    Ok(())
}

fn tell(wish: &Wish, job: &JobView, report: &ReportView, size: u64) {
    let took = wish.began.elapsed();
    if wish.voice.json {
        let line = serde_json::json!({
            "event": "completed",
            "output": wish.output.path(),
            "size": size,
            "millis": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "report": report,
        });
        terminal::result(&line.to_string());
        return;
    }
    let speed = job.duration_millis.map(|film| {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        format!(" ({:.1} x real time)", ratio(film, took))
    });
    let made = if report.frames > 0 {
        format!(
            "{}, {}",
            counted(report.frames, "frame"),
            counted(u64::from(report.segments), "segment")
        )
    } else {
        counted(u64::try_from(report.checks.len()).unwrap_or(u64::MAX), "check")
    };
    terminal::result(&format!(
        "done in {}{}: {} -> {} ({:.0} %), verified: {made}",
        span(took),
        speed.unwrap_or_default(),
        bytes(job.source_size),
        bytes(size),
        ratio(size, job.source_size) * 100.0,
    ));
}

/// The end of a job that was not completed, and what can be done about it.
pub(crate) fn not_completed(job: &JobView, again: &str) -> Halt {
    let Some(failure) = &job.failure else {
        return Halt::failed(format!("job {} is {}", job.id, job.state)).hint(again);
    };
    let hint = match &failure.hint {
        Some(hint) => format!("{hint}; {again}"),
        None => again.to_owned(),
    };
    Halt::failed(failure.message.clone())
        .reason(failure.reason.clone())
        .hint(hint)
        .log_tail(&failure.log_tail)
}

/// What a view says of finished segments, when a job goes on.
pub(crate) fn tell_of_resuming(job: &JobView, voice: Voice) {
    let (done, planned) = (job.progress.segments_done, job.progress.segments_planned);
    if voice.json {
        let line = serde_json::json!({
            "event": "resuming", "segments_done": done, "segments_planned": planned,
        });
        terminal::result(&line.to_string());
    } else if !voice.quiet {
        terminal::say(&format!("resuming: {done} of {planned} segments are there"));
    }
}
