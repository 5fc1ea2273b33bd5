//! `segenc top`: the whole farm, live: its jobs and workers as the server tells them.
//!
//! On a terminal one picture that is drawn again; elsewhere a line for everything that changes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Method;
use segenc_proto::rest::{Changes, JobView, WorkerView};

use crate::api::{Api, ApiError};
use crate::arguments::{Top, Voice};
use crate::follow::{Absence, Events, is_final};
use crate::interrupt::Interrupts;
use crate::quantities::{bytes, clock, percent};
use crate::terminal::Screen;
use crate::{places, terminal};

/// The server gives a sign of life every five seconds; after this long the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Letters of a bar: enough to see it move.
const BAR_WIDTH: usize = 20;

/// Runs the command.
pub(crate) async fn run(flags: Top, voice: Voice) -> anyhow::Result<()> {
    let api = places::api(&flags.connection)?;
    let interrupts = Interrupts::listen();
    let mut show = Show::new(voice, flags.once);
    tokio::select! {
        ended = watch(&api, &mut show) => Ok(ended?),
        () = interrupts.at_least(1) => Ok(()),
    }
}

async fn watch(api: &Api, show: &mut Show) -> Result<(), ApiError> {
    let mut absence = Absence::none("the farm goes on");
    if show.once {
        // Who asks once does not wait for a server that is not there.
        while watch_once(api, show, &mut absence).await?.is_none() {
            absence.pause().await;
        }
        return Ok(());
    }
    absence.outlast(async |absence| watch_once(api, show, absence).await).await
}

/// One connection's worth. `None`: it ended before enough was seen.
async fn watch_once(
    api: &Api,
    show: &mut Show,
    absence: &mut Absence,
) -> Result<Option<()>, ApiError> {
    let request = api.request(Method::GET, "/api/events");
    let response = api.send(request.header("accept", "text/event-stream")).await?;
    absence.over();
    let mut stream = response.bytes_stream();
    let mut events = Events::default();
    while let Ok(Some(Ok(read))) = tokio::time::timeout(SILENCE_MAX, stream.next()).await {
        for data in events.feed(&read) {
            let Ok(changes) = serde_json::from_str::<Changes>(&data) else { continue };
            show.take(changes);
            if show.once {
                return Ok(Some(()));
            }
        }
        if events.is_overlong() {
            break;
        }
    }
    Ok(None)
}

/// What is known, and how it is shown.
struct Show {
    farm: Farm,
    voice: Voice,
    once: bool,
    screen: Option<Screen>,
}

#[derive(Default)]
struct Farm {
    jobs: BTreeMap<u64, JobView>,
    workers: BTreeMap<u64, WorkerView>,
}

impl Show {
    fn new(voice: Voice, once: bool) -> Self {
        let screen = if voice.json || once { None } else { Screen::of_stdout() };
        Self { farm: Farm::default(), voice, once, screen }
    }

    fn take(&mut self, changes: Changes) {
        if self.voice.json {
            if let Ok(line) = serde_json::to_string(&changes) {
                terminal::result(&line);
            }
            return;
        }
        if self.screen.is_none() && !self.once {
            changes.jobs.iter().for_each(|job| terminal::result(&job_line(job)));
            let workers = changes.workers.iter();
            workers.for_each(|worker| terminal::result(&worker_line(worker)));
            return;
        }
        self.farm.take(changes);
        match &mut self.screen {
            None => {
                self.farm.lines(usize::MAX).iter().for_each(|line| terminal::result(line));
            }
            Some(screen) => screen.draw(&self.farm.lines(screen.lines_max())),
        }
    }
}

impl Farm {
    fn take(&mut self, changes: Changes) {
        if changes.complete {
            self.jobs.clear();
            self.workers.clear();
        }
        self.jobs.extend(changes.jobs.into_iter().map(|job| (job.id, job)));
        self.workers.extend(changes.workers.into_iter().map(|worker| (worker.id, worker)));
        changes.gone_jobs.iter().for_each(|id| drop(self.jobs.remove(id)));
        changes.gone_workers.iter().for_each(|id| drop(self.workers.remove(id)));
    }

    /// The picture: first what is at work.
    fn lines(&self, most: usize) -> Vec<String> {
        let open = |job: &&JobView| !is_final(job);
        let (running, over): (Vec<&JobView>, Vec<&JobView>) =
            self.jobs.values().rev().partition(open);
        let online = self.workers.values().filter(|worker| worker.online);
        let slots: u32 = online.clone().map(|worker| worker.slots).sum();
        let busy: u32 = online.clone().map(|worker| worker.running).sum();
        let speed: f64 = running.iter().fold(0.0, |sum, job| sum + job.progress.frames_per_second);
        let mut lines = vec![format!(
            "{} open, {} ended   {} of {} workers there, {busy} of {slots} slots busy   {speed:.0} fps",
            running.len(),
            over.len(),
            online.count(),
            self.workers.len(),
        )];
        lines.extend(self.workers.values().map(worker_line));
        lines.extend(running.iter().map(|job| job_line(job)));
        lines.extend(over.iter().map(|job| job_line(job)));
        if lines.len() > most {
            let left = lines.len() - most.saturating_sub(1);
            lines.truncate(most.saturating_sub(1));
            lines.push(format!("… and {left} more lines: segenc jobs, segenc workers"));
        }
        lines
    }
}

/// A job in one line.
pub(super) fn job_line(job: &JobView) -> String {
    let now = &job.progress;
    let done = match job.state.as_str() {
        "completed" => 100,
        _ => percent(now.frames_done, now.frames_planned),
    };
    let full = usize::try_from(done).unwrap_or_default() * BAR_WIDTH / 100;
    let bar = format!("{}{}", "=".repeat(full), " ".repeat(BAR_WIDTH.saturating_sub(full)));
    let mut text = format!("job {:<4} [{bar}] {done:>3} %  {:<11}", job.id, job.state);
    if now.frames_per_second > 0.0 {
        text = format!("{text}  {:.0} fps", now.frames_per_second);
    }
    if let Some(eta) = now.eta_millis {
        text = format!("{text}  {} left", clock(eta));
    }
    if let Some(output) = &job.output {
        text = format!("{text}  {}", bytes(output.size));
    }
    let why = job.failure.as_ref().map(|failure| failure.message.as_str());
    let why = why.or(job.note.as_deref()).or(job.waiting_for.as_deref());
    match why {
        Some(why) => format!("{text}  {}: {why}", job.name),
        None => format!("{text}  {}", job.name),
    }
}

fn worker_line(worker: &WorkerView) -> String {
    let state = match (worker.online, worker.state.as_str(), worker.resting_until) {
        (false, ..) => "away",
        (true, "active", Some(_)) => "resting",
        (true, state, _) => state,
    };
    let speed: f64 = worker.work.iter().fold(0.0, |sum, work| sum + work.frames_per_second);
    let mut doing: Vec<String> = Vec::new();
    for work in &worker.work {
        doing.push(match work.segment {
            Some(segment) => format!("job {} segment {segment}", work.job),
            None => format!("job {} {}", work.job, work.kind.replace('_', " ")),
        });
    }
    let line = format!(
        "worker {:<12} {state:<10} {}/{} slots  {speed:>4.0} fps  {}",
        worker.name,
        worker.running,
        worker.slots,
        doing.join(", ")
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use segenc_proto::rest::Progress;

    use super::*;

    fn job(id: u64, state: &str) -> JobView {
        let progress = Progress { frames_done: 50, frames_planned: 200, ..Progress::default() };
        JobView {
            id,
            state: state.to_owned(),
            name: "film".to_owned(),
            progress,
            ..JobView::default()
        }
    }

    fn changes(jobs: Vec<JobView>, gone_jobs: Vec<u64>) -> Changes {
        Changes {
            complete: false,
            now: 0,
            jobs,
            gone_jobs,
            workers: Vec::new(),
            gone_workers: Vec::new(),
            older_jobs: false,
        }
    }

    #[test]
    fn what_is_at_work_comes_first_and_what_is_gone_is_gone() {
        let mut farm = Farm::default();
        farm.take(changes(
            vec![job(1, "transcoding"), job(2, "completed"), job(3, "failed")],
            vec![],
        ));
        farm.take(changes(vec![], vec![3]));
        let lines = farm.lines(10);
        assert!(lines[0].starts_with("1 open, 1 ended"), "{}", lines[0]);
        assert!(lines[1].starts_with("job 1    [=====   "), "{}", lines[1]);
        assert!(lines[1].contains(" 25 %") && lines[2].contains("100 %"), "{lines:?}");
        assert_eq!(lines.len(), 3);
        assert!(farm.lines(2)[1].contains("more lines"));
    }
}
