//! `segenc jobs`: the operator's view of the jobs and the verbs for them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::Method;
use segenc_proto::rest::{AttemptView, JobView, ReportView, TaskView};

use super::live;
use super::turn::Turn;
use crate::api::Api;
use crate::arguments::{Jobs, JobsVerb, Voice};
use crate::follow;
use crate::halt::{Exit, Halt};
use crate::interrupt::Interrupts;
use crate::progress::{Place, Progress};
use crate::quantities::{bytes, clock, made, percent};
use crate::{places, table, terminal};

/// Runs the command.
pub(crate) async fn run(flags: Jobs, voice: Voice) -> anyhow::Result<()> {
    let api = places::api(&flags.connection)?;
    let asked = Asked { api: &api, voice };
    match flags.verb.unwrap_or(JobsVerb::List { state: None }) {
        JobsVerb::List { state } => asked.list(state).await,
        JobsVerb::Show { id, follow: false } => asked.show(id).await,
        JobsVerb::Show { id, follow: true } => asked.follow(id).await,
        JobsVerb::Wait { id } => asked.wait(id).await,
        JobsVerb::Cancel { ids } => asked.each(&ids, "cancel", "canceled").await,
        JobsVerb::Pause { ids } => asked.each(&ids, "pause", "paused").await,
        JobsVerb::Resume { ids } => asked.each(&ids, "resume", "goes on").await,
        JobsVerb::Retry { ids } => asked.each(&ids, "retry", "is tried again").await,
        JobsVerb::Logs { id } => asked.logs(id).await,
        JobsVerb::Report { id } => asked.report(id).await,
        JobsVerb::Delete { ids } => asked.delete(&ids).await,
    }
}

struct Asked<'a> {
    api: &'a Api,
    voice: Voice,
}

impl Asked<'_> {
    async fn list(&self, state: Option<String>) -> anyhow::Result<()> {
        let query = state.map(|state| format!("state={}", query_word(&state))).unwrap_or_default();
        let jobs: Vec<JobView> = self.api.list("/api/jobs", &query).await?;
        if self.voice.json {
            for job in &jobs {
                terminal::result(&serde_json::to_string(job)?);
            }
            return Ok(());
        }
        if jobs.is_empty() {
            terminal::say("no jobs");
            return Ok(());
        }
        let rows: Vec<[String; 8]> = jobs.iter().map(job_row).collect();
        table::print(["ID", "STATE", "DONE", "SEGMENTS", "FPS", "ETA", "SIZE", "NAME"], &rows);
        Ok(())
    }

    async fn show(&self, id: u64) -> anyhow::Result<()> {
        let job = self.api.job(id).await?;
        let tasks: Vec<TaskView> = self.tasks(id).await?;
        if self.voice.json {
            terminal::result(&serde_json::json!({ "job": job, "tasks": tasks }).to_string());
            return Ok(());
        }
        tell_job(&job);
        let rows: Vec<[String; 6]> = tasks.iter().map(task_row).collect();
        table::print(["TASK", "KIND", "STATE", "TRIES", "WORKER", "FRAMES"], &rows);
        Ok(())
    }

    async fn wait(&self, id: u64) -> anyhow::Result<()> {
        let interrupts = Interrupts::listen();
        let mut progress = Progress::new(self.voice, Place::Farm);
        let followed = tokio::select! {
            followed = follow::until_final(self.api, id, |job| progress.show(job)) => Some(followed),
            () = interrupts.at_least(1) => None,
        };
        progress.end();
        let Some(followed) = followed else { return Err(left(id)) };
        self.ended(&followed?)
    }

    async fn follow(&self, id: u64) -> anyhow::Result<()> {
        let interrupts = Interrupts::listen();
        let followed = tokio::select! {
            followed = live::follow(self.api, id, self.voice) => Some(followed),
            () = interrupts.at_least(1) => None,
        };
        let Some(followed) = followed else { return Err(left(id)) };
        self.ended(&followed?)
    }

    /// What a job's end means for who waited for it.
    fn ended(&self, job: &JobView) -> anyhow::Result<()> {
        if job.state == "completed" {
            if self.voice.json {
                terminal::result(
                    &serde_json::json!({ "event": "completed", "job": job }).to_string(),
                );
            } else if !self.voice.quiet {
                terminal::say(&format!("job {} is completed", job.id));
            }
            return Ok(());
        }
        let halt = match (&job.failure, &job.note) {
            (Some(failure), _) => Halt::failed(failure.message.clone())
                .reason(failure.reason.clone())
                .hint_if_any(failure.hint.clone())
                .log_tail(&failure.log_tail),
            (None, Some(note)) => Halt::failed(format!("job {} is {}: {note}", job.id, job.state)),
            (None, None) => Halt::failed(format!("job {} is {}", job.id, job.state)),
        };
        Err(halt.into())
    }

    async fn logs(&self, id: u64) -> anyhow::Result<()> {
        let tasks = self.tasks(id).await?;
        let mut failures = 0_u64;
        for task in &tasks {
            for attempt in &task.attempts {
                failures += u64::from(attempt.failure.is_some());
                self.tell_failure(task, attempt)?;
            }
        }
        if failures == 0 && !self.voice.json {
            terminal::say("no attempt of this job has failed");
        }
        Ok(())
    }

    fn tell_failure(&self, task: &TaskView, attempt: &AttemptView) -> anyhow::Result<()> {
        let Some(failure) = &attempt.failure else { return Ok(()) };
        if self.voice.json {
            let line =
                serde_json::json!({ "task": task.id, "kind": task.kind, "attempt": attempt });
            terminal::result(&serde_json::to_string(&line)?);
            return Ok(());
        }
        terminal::result(&format!(
            "{} {}, attempt {} on {}: [{}] {}",
            what(task),
            attempt.state,
            attempt.number,
            attempt.worker_name,
            failure.reason,
            failure.message
        ));
        for line in failure.log_tail.trim_end().lines() {
            terminal::result(&format!("    {line}"));
        }
        Ok(())
    }

    async fn report(&self, id: u64) -> anyhow::Result<()> {
        let report: ReportView = self.api.get(&format!("/api/jobs/{id}/report")).await?;
        if self.voice.json {
            terminal::result(&serde_json::to_string(&report)?);
            return Ok(());
        }
        tell_job(&report.job);
        if !report.verified {
            terminal::result(&format!("not verified: the job is {}", report.job.state));
            return Ok(());
        }
        terminal::result(&format!(
            "verified: {}, {} of processor time",
            made(&report),
            clock(report.cpu_millis)
        ));
        tell_backups(&report.tasks);
        let shares = report.workers.iter().map(|share| {
            let (frames, tasks) = (share.frames.to_string(), share.tasks.to_string());
            [share.name.clone(), tasks, frames, bytes(share.bytes), clock(share.cpu_millis)]
        });
        let shares: Vec<[String; 5]> = shares.collect();
        table::print(["WORKER", "TASKS", "FRAMES", "MADE", "CPU"], &shares);
        let rows: Vec<[String; 3]> = report
            .checks
            .iter()
            .map(|check| {
                let outcome = if check.passed { "holds" } else { "FAILS" };
                [check.name.clone(), outcome.to_owned(), check.detail.clone()]
            })
            .collect();
        table::print(["CHECK", "OUTCOME", "SEEN"], &rows);
        Ok(())
    }

    async fn each(&self, ids: &[u64], verb: &str, done: &str) -> anyhow::Result<()> {
        let mut turn = Turn::default();
        for id in ids {
            let told = self.api.tell(Method::POST, &format!("/api/jobs/{id}/{verb}")).await;
            turn.note(told, self.voice, || format!("job {id} {done}"))?;
        }
        turn.end()
    }

    async fn delete(&self, ids: &[u64]) -> anyhow::Result<()> {
        let mut turn = Turn::default();
        for id in ids {
            let told = self.api.tell(Method::DELETE, &format!("/api/jobs/{id}")).await;
            turn.note(told, self.voice, || format!("job {id} is deleted"))?;
        }
        turn.end()
    }

    async fn tasks(&self, id: u64) -> anyhow::Result<Vec<TaskView>> {
        Ok(self.api.get(&format!("/api/jobs/{id}/tasks")).await?)
    }
}

/// The user went away; the job did not.
fn left(id: u64) -> anyhow::Error {
    Halt::new(Exit::Interrupted, format!("left; job {id} goes on")).into()
}

fn job_row(job: &JobView) -> [String; 8] {
    let now = &job.progress;
    let size = job.output.as_ref().map_or(now.bytes_done, |output| output.size);
    let done = match job.state.as_str() {
        "completed" => 100,
        _ => percent(now.frames_done, now.frames_planned),
    };
    [
        job.id.to_string(),
        // Somebody looks at its plan on the page, or has left it so.
        if job.draft && job.state == "held" { "draft".to_owned() } else { job.state.clone() },
        format!("{done} %"),
        format!("{}/{}", now.segments_done, now.segments_planned),
        if now.frames_per_second > 0.0 {
            format!("{:.0}", now.frames_per_second)
        } else {
            String::new()
        },
        now.eta_millis.map(clock).unwrap_or_default(),
        bytes(size),
        job.name.clone(),
    ]
}

fn task_row(task: &TaskView) -> [String; 6] {
    let last = task.attempts.last();
    [
        task.id.to_string(),
        what(task),
        task.state.clone(),
        task.attempts.len().to_string(),
        last.map(|attempt| attempt.worker_name.clone()).unwrap_or_default(),
        match (&task.segment, last) {
            (Some(segment), Some(attempt)) => format!("{}/{}", attempt.frames_done, segment.frames),
            (Some(segment), None) => format!("0/{}", segment.frames),
            (None, Some(attempt)) if attempt.frames_done > 0 => attempt.frames_done.to_string(),
            (None, _) => String::new(),
        },
    ]
}

/// What a task makes, for people.
pub(super) fn what(task: &TaskView) -> String {
    match &task.segment {
        Some(segment) => format!("segment {}", segment.index),
        None => task.kind.replace('_', " "),
    }
}

fn tell_job(job: &JobView) {
    terminal::result(&format!("job {}  {}  {}", job.id, job.state, job.name));
    terminal::result(&format!(
        "source  {} ({}), made {}",
        job.source_name,
        bytes(job.source_size),
        moment(job.created_at)
    ));
    terminal::result(&format!(
        "output  {}, {}{}",
        job.container,
        job.encoder.as_deref().unwrap_or("no video encoded"),
        job.output.as_ref().map(|output| format!(", {}", bytes(output.size))).unwrap_or_default()
    ));
    if !job.args.is_empty() {
        terminal::result(&format!("options {}", job.args.join(" ")));
    }
    if let Some(reason) = &job.whole_because {
        terminal::result(&format!("in one piece: {reason}"));
    }
    if let Some(reason) = &job.copied_because {
        terminal::result(&format!("from a copy of the film: {reason}"));
    }
    if let Some(waiting) = &job.waiting_for {
        terminal::result(&format!("waiting: {waiting}"));
    }
    if let Some(failure) = &job.failure {
        terminal::result(&format!("failed  [{}] {}", failure.reason, failure.message));
        if let Some(hint) = &failure.hint {
            terminal::result(&format!("hint: {hint}"));
        }
    }
}

/// Says who was late, if anybody was.
fn tell_backups(tasks: &[TaskView]) {
    for task in tasks {
        let Some(backup) = task.attempts.iter().rev().find(|attempt| attempt.backup) else {
            continue;
        };
        let beside = task.attempts.iter().rev().find(|attempt| attempt.number < backup.number);
        let late = beside.map_or("somebody", |beside| beside.worker_name.as_str());
        let outcome = if backup.state == "succeeded" { "and was first" } else { "for nothing" };
        terminal::result(&format!(
            "backup: {} was late on {late}; {} made it too, {outcome}",
            what(task),
            backup.worker_name
        ));
    }
}

/// A moment on this computer's clock.
pub(super) fn moment(millis: u64) -> String {
    let stamp =
        i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    stamp.map_or_else(String::new, |stamp| {
        stamp.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    })
}

/// A word that cannot break out of its place in a query.
fn query_word(word: &str) -> String {
    word.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}
