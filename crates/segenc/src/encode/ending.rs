//! How a job ends for the user: the output fetched and put in place, the report told, or the failure.
//!
//! The same for local jobs and jobs on a farm.

use segenc_core::time::Timebase;
use segenc_proto::rest::{JobView, ReportView};

use super::Wish;
use crate::api::Api;
use crate::arguments::Voice;
use crate::download;
use crate::halt::Halt;
use crate::quantities::{bytes, clock, made, ratio, span};
use crate::terminal;

/// Sound and subtitles may last a little longer than the film.
const MISSING_MILLIS_MIN: u64 = 2_000;
/// The part of a film that may be missing before anybody is told: a twentieth.
const MISSING_PART_MIN: u64 = 20;

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
            "note": cut_off(report),
            "report": report,
        });
        terminal::result(&line.to_string());
        return;
    }
    let speed = job.duration_millis.map(|film| {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        format!(" ({:.1} x real time)", ratio(film, took))
    });
    if let Some(note) = cut_off(report) {
        terminal::say(&format!("note: {note}"));
    }
    let which = wish.flags.place.as_ref();
    let which = which.map(|place| format!("{place}: {}: ", wish.output.path().display()));
    terminal::result(&format!(
        "{}done in {}{}: {} -> {} ({:.0} %), verified: {}",
        which.unwrap_or_default(),
        span(took),
        speed.unwrap_or_default(),
        bytes(job.source_size),
        bytes(size),
        ratio(size, job.source_size) * 100.0,
        made(report),
    ));
}

/// A source that promises more film than there is was probably cut off, which nobody else would tell.
fn cut_off(report: &ReportView) -> Option<String> {
    let promised = report.job.duration_millis?;
    let segments: Vec<_> = report.tasks.iter().filter_map(|task| task.segment.as_ref()).collect();
    let start = segments.iter().map(|segment| segment.start).min()?;
    let last = segments.iter().max_by_key(|segment| segment.end)?;
    let timebase = Timebase::try_from(last.timebase).ok()?;
    let film = timebase.micros(last.end.saturating_sub(start)) / 1000;
    let film = u64::try_from(film).ok()?;
    let missing = promised.saturating_sub(film);
    (missing > MISSING_MILLIS_MIN && missing > promised / MISSING_PART_MIN).then(|| {
        format!(
            "the source says it lasts {}, but its film ends after {}: was the file cut off?",
            clock(promised),
            clock(film)
        )
    })
}

/// The end of a job that was not completed, and what can be done about it.
pub(crate) fn not_completed(job: &JobView, again: Option<&str>) -> Halt {
    let hints = |hint: Option<&str>| {
        let all: Vec<&str> = hint.into_iter().chain(again).collect();
        Some(all.join("; ")).filter(|hints| !hints.is_empty())
    };
    let Some(failure) = &job.failure else {
        return Halt::failed(format!("job {} is {}", job.id, job.state)).hint_if_any(hints(None));
    };
    Halt::failed(failure.message.clone())
        .reason(failure.reason.clone())
        .hint_if_any(hints(failure.hint.as_deref()))
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
        terminal::say(&match done {
            0 => "resuming: no segment was finished yet".to_owned(),
            _ => format!("resuming: {done} of {planned} segments are there"),
        });
    }
}
