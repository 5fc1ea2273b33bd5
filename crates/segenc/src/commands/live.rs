//! `segenc jobs show --follow`: one job live until its end, as the server tells it.
//!
//! On a terminal one picture that is drawn again; elsewhere a line for everything that changes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Method;
use segenc_proto::rest::{AttemptView, JobView, TaskChanges, TaskView};
use serde::Deserialize;

use super::jobs::what;
use super::top::job_line;
use crate::api::{Api, ApiError};
use crate::arguments::Voice;
use crate::follow::{Absence, Events, is_final};
use crate::quantities::counted;
use crate::terminal::{self, Screen};

/// The server gives a sign of life every five seconds; after this long the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Letters of the strip of segments in one line: they fit into the narrowest usual terminal.
const STRIP_WIDTH: usize = 76;
/// Lines of the strip; a longer film's segments share letters.
const STRIP_LINES_MAX: usize = 4;

/// Shows the job until it has ended. A server that goes away is waited for.
pub(super) async fn follow(api: &Api, id: u64, voice: Voice) -> Result<JobView, ApiError> {
    let mut show = Show::new(voice);
    let absence = Absence::none("the job is safe");
    absence.outlast(async |absence| follow_once(api, id, &mut show, absence).await).await
}

/// What the stream tells.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Told {
    Tasks(TaskChanges),
    Job(Box<JobView>),
}

/// One connection's worth. `None`: it ended before the job did.
async fn follow_once(
    api: &Api,
    id: u64,
    show: &mut Show,
    absence: &mut Absence,
) -> Result<Option<JobView>, ApiError> {
    let request = api.request(Method::GET, &format!("/api/jobs/{id}/events?with=tasks"));
    let response = api.send(request.header("accept", "text/event-stream")).await?;
    absence.over();
    let mut stream = response.bytes_stream();
    let mut events = Events::default();
    while let Ok(Some(Ok(read))) = tokio::time::timeout(SILENCE_MAX, stream.next()).await {
        for data in events.feed(&read) {
            match serde_json::from_str(&data) {
                Ok(Told::Job(job)) => show.take_job(*job),
                Ok(Told::Tasks(changes)) => show.take_tasks(changes),
                // A newer server tells more than this program knows.
                Err(_) => {}
            }
        }
        if let Some(job) = show.ended() {
            return Ok(Some(job.clone()));
        }
        if events.is_overlong() {
            break;
        }
    }
    Ok(None)
}

/// What is known of the job, and how it is shown.
struct Show {
    job: Option<JobView>,
    tasks: BTreeMap<u64, TaskView>,
    form: Form,
}

enum Form {
    Picture(Screen),
    Lines { last: String },
    Json,
    Nothing,
}

impl Show {
    fn new(voice: Voice) -> Self {
        let form = match (voice.json, voice.quiet, Screen::of_stdout()) {
            (true, ..) => Form::Json,
            (false, true, _) => Form::Nothing,
            (false, false, Some(screen)) => Form::Picture(screen),
            (false, false, None) => Form::Lines { last: String::new() },
        };
        Self { job: None, tasks: BTreeMap::new(), form }
    }

    fn ended(&self) -> Option<&JobView> {
        self.job.as_ref().filter(|job| is_final(job))
    }

    fn take_job(&mut self, job: JobView) {
        match &mut self.form {
            Form::Json => say_json("job", "job", &job),
            Form::Lines { last } => {
                // Its speed changes all the time, which is nothing to tell.
                let step = step(&job);
                if step != *last {
                    terminal::result(&job_line(&job));
                    *last = step;
                }
            }
            Form::Picture(_) | Form::Nothing => {}
        }
        self.job = Some(job);
        self.draw();
    }

    fn take_tasks(&mut self, changes: TaskChanges) {
        match &self.form {
            Form::Json => say_json("tasks", "tasks", &changes.tasks),
            Form::Lines { .. } => {
                for task in &changes.tasks {
                    let before = self.tasks.get(&task.id);
                    // Of what was before, only what still runs is news.
                    if changes.complete && task.state != "running" {
                        continue;
                    }
                    changed(before, task).iter().for_each(|line| terminal::result(line));
                }
            }
            Form::Picture(_) | Form::Nothing => {}
        }
        if changes.complete {
            self.tasks.clear();
        }
        self.tasks.extend(changes.tasks.into_iter().map(|task| (task.id, task)));
        self.draw();
    }

    fn draw(&mut self) {
        let Form::Picture(screen) = &mut self.form else { return };
        let Some(job) = &self.job else { return };
        screen.draw(&picture(job, &self.tasks, screen.lines_max()));
    }
}

fn say_json(event: &str, name: &str, value: &impl serde::Serialize) {
    let line = serde_json::json!({ "event": event, name: value });
    terminal::result(&line.to_string());
}

/// What makes a job's line worth a new one.
fn step(job: &JobView) -> String {
    let now = &job.progress;
    format!(
        "{} {}/{} {:?} {:?}",
        job.state, now.segments_done, now.segments_planned, now.segments_measured, job.waiting_for
    )
}

/// What is new in a task: attempts that began, and how others ended.
fn changed(before: Option<&TaskView>, task: &TaskView) -> Vec<String> {
    let known = |attempt: &AttemptView| {
        let known = before?.attempts.iter().find(|known| known.number == attempt.number)?;
        Some(known.state.as_str())
    };
    let mut lines = Vec::new();
    for attempt in task.attempts.iter().filter(|attempt| known(attempt) != Some(&attempt.state)) {
        let mut line = format!("{}  {} on {}", what(task), attempt.state, attempt.worker_name);
        if attempt.number > 1 {
            line = format!("{line}, attempt {}", attempt.number);
        }
        if attempt.backup {
            line.push_str(", a backup");
        }
        if attempt.state == "succeeded" && attempt.frames_done > 0 {
            line = format!("{line}: {}", counted(attempt.frames_done, "frame"));
        }
        if let Some(failure) = &attempt.failure {
            line = format!("{line}: [{}] {}", failure.reason, failure.message);
        }
        lines.push(line);
    }
    lines
}

/// The job, where it stands segment by segment, and who makes what just now.
fn picture(job: &JobView, tasks: &BTreeMap<u64, TaskView>, most: usize) -> Vec<String> {
    let mut lines = vec![job_line(job)];
    if let Some(reason) = &job.whole_because {
        lines.push(format!("in one piece: {reason}"));
    }
    lines.extend(strip(tasks));
    let mut running = Vec::new();
    // Its end is told before that of its last task.
    for task in tasks.values().filter(|_| !is_final(job)) {
        for attempt in task.attempts.iter().filter(|attempt| attempt.state == "running") {
            running.push(running_line(task, attempt));
        }
    }
    let failed = tasks.values().flat_map(|task| &task.attempts);
    let failed = failed.filter(|attempt| attempt.failure.is_some()).count();
    if failed > 0 {
        let count = counted(u64::try_from(failed).unwrap_or(u64::MAX), "attempt");
        running.push(format!("{count} failed so far: segenc jobs logs {}", job.id));
    }
    lines.extend(running);
    if lines.len() > most {
        let left = lines.len() - most.saturating_sub(1);
        lines.truncate(most.saturating_sub(1));
        lines.push(format!("… and {left} more lines: segenc jobs show {}", job.id));
    }
    lines
}

fn running_line(task: &TaskView, attempt: &AttemptView) -> String {
    let done = match &task.segment {
        Some(segment) => format!("{}/{} frames", attempt.frames_done, segment.frames),
        None if attempt.frames_done > 0 => counted(attempt.frames_done, "frame"),
        None => String::new(),
    };
    let speed = match attempt.frames_per_second {
        speed if speed > 0.0 => format!("{speed:.0} fps"),
        _ => String::new(),
    };
    let late = if attempt.backup { "backup" } else { "" };
    let line =
        format!("{:<14} {:<16} {done:<18} {speed:<8} {late}", what(task), attempt.worker_name);
    line.trim_end().to_owned()
}

/// A letter for each segment in the film's order; where there are too many, for the least of some neighbours.
fn strip(tasks: &BTreeMap<u64, TaskView>) -> Vec<String> {
    let mut segments: BTreeMap<u32, u8> = BTreeMap::new();
    for task in tasks.values().filter(|task| task.kind != "measure") {
        let Some(segment) = &task.segment else { continue };
        let stage = stage(&task.state);
        // A segment that is taken again is as far as the last of its tasks.
        segments.insert(segment.index, stage);
    }
    let stages: Vec<u8> = segments.into_values().collect();
    let room = STRIP_WIDTH * STRIP_LINES_MAX;
    let each = stages.len().div_ceil(room).max(1);
    let letters: Vec<char> = stages
        .chunks(each)
        .map(|some| letter(some.iter().copied().min().unwrap_or_default()))
        .collect();
    letters.chunks(STRIP_WIDTH).map(|line| line.iter().collect()).collect()
}

/// How far a task is: what failed comes first, so that it is seen.
fn stage(state: &str) -> u8 {
    match state {
        "failed" | "canceled" | "aborted" => 0,
        "running" => 2,
        "done" => 3,
        _ => 1,
    }
}

const fn letter(stage: u8) -> char {
    match stage {
        0 => '!',
        1 => '.',
        2 => '>',
        _ => '#',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32, state: &str) -> AttemptView {
        AttemptView {
            number,
            worker: 1,
            worker_name: "den".to_owned(),
            backup: false,
            state: state.to_owned(),
            started_at: 0,
            ended_at: None,
            frames_done: 12,
            frames_per_second: 30.0,
            output_size: None,
            failure: None,
        }
    }

    fn segment(index: u32, state: &str, attempts: Vec<AttemptView>) -> TaskView {
        TaskView {
            id: u64::from(index),
            kind: "segment".to_owned(),
            segment: Some(segenc_proto::rest::SegmentView {
                index,
                start: 0,
                end: 1,
                frames: 48,
                timebase: (1, 24),
                cut: "keyframe".to_owned(),
            }),
            state: state.to_owned(),
            attempts,
        }
    }

    #[test]
    fn a_line_is_said_for_each_change_of_an_attempt_and_for_nothing_else() {
        let running = segment(3, "running", vec![attempt(1, "running")]);
        assert_eq!(changed(None, &running), ["segment 3  running on den"]);
        let mut faster = running.clone();
        faster.attempts[0].frames_done = 40;
        assert!(changed(Some(&running), &faster).is_empty());
        let again = segment(3, "running", vec![attempt(1, "expired"), attempt(2, "running")]);
        assert_eq!(
            changed(Some(&running), &again),
            ["segment 3  expired on den", "segment 3  running on den, attempt 2"]
        );
    }

    #[test]
    fn the_strip_has_a_letter_for_each_segment_and_keeps_within_its_lines() {
        let states = ["done", "running", "ready", "failed"];
        let tasks = |count: u32| -> BTreeMap<u64, TaskView> {
            let state = |index: u32| states[usize::try_from(index % 4).unwrap_or_default()];
            (0..count).map(|i| (u64::from(i), segment(i, state(i), Vec::new()))).collect()
        };
        assert_eq!(strip(&tasks(6)), ["#>.!#>"]);
        let long = strip(&tasks(5_000));
        assert_eq!(long.len(), STRIP_LINES_MAX);
        assert!(long.iter().all(|line| line.len() <= STRIP_WIDTH));
        assert!(strip(&BTreeMap::new()).is_empty());
    }

    #[test]
    fn a_picture_names_who_makes_what_and_fits_the_terminal() {
        let job = JobView { id: 7, state: "transcoding".to_owned(), ..JobView::default() };
        let tasks: BTreeMap<u64, TaskView> = (0..9)
            .map(|index| {
                (
                    index,
                    segment(
                        u32::try_from(index).unwrap_or(0),
                        "running",
                        vec![attempt(1, "running")],
                    ),
                )
            })
            .collect();
        let lines = picture(&job, &tasks, 24);
        assert_eq!(lines.len(), 11);
        assert!(lines[2].starts_with("segment 0      den"), "{}", lines[2]);
        assert!(lines[2].contains("12/48 frames") && lines[2].contains("30 fps"), "{}", lines[2]);
        let short = picture(&job, &tasks, 5);
        assert_eq!(short.len(), 5);
        assert!(short[4].contains("more lines"), "{}", short[4]);
    }
}
