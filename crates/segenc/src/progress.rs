//! How far a job is, shown as a bar, as lines or as JSON.
//!
//! Gets views of the job and shows them; asks nobody.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use segenc_proto::rest::{JobView, NO_WORKER_YET};

use crate::arguments::Voice;
use crate::quantities::{bytes, clock, counted, percent};
use crate::terminal;

/// Without a terminal a line this often: a log of a night stays readable.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// A program that reads JSON is not flooded.
const JSON_INTERVAL: Duration = Duration::from_millis(500);

/// A job that waits for no longer is only being begun, which is nothing to tell.
const WAITING_IS_NEWS_AFTER: Duration = Duration::from_secs(3);

/// Shows progress in the form that fits.
#[derive(Debug)]
pub(crate) struct Progress {
    form: Form,
    last_shown: Option<Instant>,
    last_step: (String, u32),
    waiting: Waiting,
    place: Place,
}

/// Where the job runs, which makes a difference to what the user can do while it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this process, with a worker of its own.
    Here,
    /// On a server.
    Farm,
}

/// What the job waits for, since when, and whether the user knows.
#[derive(Debug)]
struct Waiting {
    cause: Option<String>,
    since: Instant,
    told: bool,
}

#[derive(Debug)]
enum Form {
    Bar(ProgressBar),
    Lines,
    Json,
    Nothing,
}

impl Progress {
    /// The form that this command line asks for.
    pub(crate) fn new(voice: Voice, place: Place) -> Self {
        let form = if voice.json {
            Form::Json
        } else if voice.quiet {
            Form::Nothing
        } else if terminal::is_interactive() {
            Form::Bar(styled_bar())
        } else {
            Form::Lines
        };
        Self {
            form,
            last_shown: None,
            last_step: (String::new(), 0),
            waiting: Waiting { cause: None, since: Instant::now(), told: false },
            place,
        }
    }

    /// Shows a job as it is now.
    pub(crate) fn show(&mut self, job: &JobView) {
        self.tell_of_waiting(job);
        match &self.form {
            Form::Bar(bar) => show_bar(bar, job),
            Form::Lines => {
                if self.is_due(job, LINE_INTERVAL) {
                    terminal::say(&line(job));
                }
            }
            Form::Json => {
                if self.is_due(job, JSON_INTERVAL) {
                    let line = serde_json::json!({ "event": "progress", "job": job });
                    terminal::result(&line.to_string());
                }
            }
            Form::Nothing => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(self) {
        if let Form::Bar(bar) = self.form {
            bar.finish_and_clear();
        }
    }

    fn is_due(&mut self, job: &JobView, interval: Duration) -> bool {
        let now = Instant::now();
        let step = (phase(job).to_owned(), job.progress.segments_done);
        let stepped = match &self.form {
            Form::Json => self.last_step != step,
            Form::Bar(_) | Form::Lines | Form::Nothing => self.last_step.0 != step.0,
        };
        let due = stepped || self.last_shown.is_none_or(|last| now - last >= interval);
        if due {
            self.last_shown = Some(now);
            self.last_step = step;
        }
        due
    }

    fn tell_of_waiting(&mut self, job: &JobView) {
        if job.waiting_for != self.waiting.cause {
            self.waiting =
                Waiting { cause: job.waiting_for.clone(), since: Instant::now(), told: false };
        }
        let speaks = matches!(self.form, Form::Bar(_) | Form::Lines);
        let is_news = !self.waiting.told && self.waiting.since.elapsed() >= WAITING_IS_NEWS_AFTER;
        if let Some(cause) = self.waiting.cause.as_ref().filter(|_| speaks && is_news) {
            let starting = self.place == Place::Here && cause.starts_with(NO_WORKER_YET);
            if starting {
                terminal::say("trying out this machine's encoders, which is done once");
            } else {
                terminal::say(&format!("waiting: {cause}"));
            }
            self.waiting.told = true;
        }
    }
}

fn styled_bar() -> ProgressBar {
    let bar = terminal::bar();
    // A template that cannot be read leaves the library's plain bar, which is no reason to stop.
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:24}] {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

fn show_bar(bar: &ProgressBar, job: &JobView) {
    bar.set_length(job.progress.frames_planned.max(1));
    bar.set_position(job.progress.frames_done.min(job.progress.frames_planned));
    bar.set_prefix(phase(job));
    bar.set_message(summary(job));
}

/// What is being done, for people.
fn phase(job: &JobView) -> &'static str {
    let measures = job.progress.segments_measured.is_some() && job.whole_because.is_none();
    match job.state.as_str() {
        "analyzing" if measures => "reading and measuring",
        "analyzing" => "reading and encoding",
        "transcoding" if measures => "measuring",
        "transcoding" => "encoding",
        "merging" => "joining and verifying",
        "paused" => "paused",
        "held" => "held until it is resumed",
        "completed" => "done",
        "failed" => "failed",
        "canceled" => "canceled",
        _ => "working",
    }
}

fn line(job: &JobView) -> String {
    let summary = summary(job);
    if summary.is_empty() { phase(job).to_owned() } else { format!("{}: {summary}", phase(job)) }
}

fn summary(job: &JobView) -> String {
    let now = &job.progress;
    let more = if job.plan_complete { "" } else { "+" };
    let mut parts = Vec::new();
    // Nothing is planned before the first cuts are known, and never where there is no film.
    if now.frames_planned > 0 {
        parts.push(format!(
            "{} % ({} of {}{more} frames)",
            percent(now.frames_done, now.frames_planned),
            now.frames_done,
            now.frames_planned
        ));
    }
    if now.frames_per_second > 0.0 {
        parts.push(format!("{:.0} fps", now.frames_per_second));
    }
    if let Some(speed) = now.times_real_time.filter(|speed| *speed > 0.0) {
        parts.push(format!("{speed:.1} x real time"));
    }
    if let Some(eta) = now.eta_millis {
        parts.push(format!("eta {}", clock(eta)));
    }
    if now.bytes_done > 0 {
        parts.push(bytes(now.bytes_done));
    }
    if now.frames_planned > 0 && job.whole_because.is_none() {
        let done = now.segments_measured.unwrap_or(now.segments_done);
        parts.push(format!("{done} of {}{more} segments", now.segments_planned));
    }
    // Between two tasks nothing runs for a moment, which is nothing to tell.
    if now.running > 0 {
        parts.push(counted(u64::from(now.running), "task") + " running");
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use segenc_proto::rest::Progress as Counts;

    use super::*;

    #[test]
    fn a_line_says_nothing_of_what_is_not_there() {
        let mut job = JobView { state: "analyzing".to_owned(), ..JobView::default() };
        assert_eq!(line(&job), "reading and encoding");
        job.progress = Counts {
            frames_done: 5,
            frames_planned: 10,
            segments_planned: 2,
            running: 1,
            ..Counts::default()
        };
        assert_eq!(
            line(&job),
            "reading and encoding: 50 % (5 of 10+ frames), 0 of 2+ segments, 1 task running"
        );
        job.progress.segments_measured = Some(1);
        job.state = "transcoding".to_owned();
        job.plan_complete = true;
        assert_eq!(line(&job), "measuring: 50 % (5 of 10 frames), 1 of 2 segments, 1 task running");
    }
}
