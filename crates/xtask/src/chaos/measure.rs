//! How soon a farm gets over a fault, as the server's own times in the jobs' reports tell it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::Options;
use super::farm::{Farm, Layout, Way};
use super::films::{self, Case};
use super::processes::send;
use super::run::program;

/// How often each fault strikes.
const ROUNDS: usize = 5;
/// One more than there are long segments: somebody is always free.
const WORKERS: usize = 3;
/// Slots of each when the server is killed: more segments run then than `RUNNING_BEFORE`.
const SLOTS_FOR_SERVER: u32 = 8;
/// Length of the film that workers are killed on: two long segments.
const FILM_SECONDS: u32 = 36;
/// And of that which the server is killed on: four dozen segments.
const LONG_FILM_SECONDS: u32 = 96;
/// No round takes longer.
const ROUND_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// At least so many segments are done when the server is killed.
const DONE_BEFORE: usize = 3;
/// And at least so many run.
const RUNNING_BEFORE: usize = 20;

/// Times of one kind of fault, in milliseconds.
struct Figure {
    fault: &'static str,
    until: &'static str,
    goal: &'static str,
    millis: Vec<u64>,
}

/// Measures all and writes the table.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let program = program(root, options)?;
    let mut killed = figure("worker killed (`SIGKILL`)", "its segment runs elsewhere", "1 s");
    let mut stopped = figure("worker frozen (`SIGSTOP`)", "its segment runs elsewhere", "10 s");
    let mut flowing = figure(
        "server killed (`SIGKILL`) and started",
        "ready → next segment given or done",
        "2 s",
    );
    let mut lost = 0;
    {
        let (mut farm, cases, _folder) = farm(&program, SLOTS_FOR_SERVER, LONG_FILM_SECONDS)?;
        for round in 1..=ROUNDS {
            let (millis, lost_now) = server_fault(&mut farm, &cases[0])?;
            flowing.millis.push(millis);
            lost += lost_now;
            eprintln!("round {round} of {ROUNDS}: server {millis} ms, {lost_now} segments lost");
        }
    }
    let (mut farm, cases, _folder) = farm(&program, 1, FILM_SECONDS)?;
    for round in 1..=ROUNDS {
        let after_kill = worker_fault(&mut farm, &cases[0], Signal::KILL)?;
        let after_stop = worker_fault(&mut farm, &cases[0], Signal::STOP)?;
        killed.millis.push(after_kill);
        stopped.millis.push(after_stop);
        eprintln!(
            "round {round} of {ROUNDS}: worker killed {after_kill} ms, frozen {after_stop} ms"
        );
    }
    let table = table(&[killed, stopped, flowing], lost);
    println!("{table}");
    crate::bench::page::write_section(root, "faults", &table)
}

/// A farm with its films, and the folder that holds all of it.
fn farm(program: &Path, slots: u32, seconds: u32) -> Result<(Farm, Vec<Case>, TempDir)> {
    let folder = tempfile::tempdir()?;
    let farm = Farm::start(program, Layout { slots, ..Layout::below(folder.path(), WORKERS) })?;
    let cases = films::make(program, &farm.layout.films(), seconds)?;
    Ok((farm, cases, folder))
}

fn figure(fault: &'static str, until: &'static str, goal: &'static str) -> Figure {
    Figure { fault, until, goal, millis: Vec::new() }
}

fn table(figures: &[Figure], lost: usize) -> String {
    let mut text =
        String::from("| fault | until | median | worst | goal |\n|---|---|---|---|---|\n");
    for Figure { fault, until, goal, millis } in figures {
        let mut sorted = millis.clone();
        sorted.sort_unstable();
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        let worst = sorted.last().copied().unwrap_or_default();
        let seconds = |millis: u64| format!("{}.{:02} s", millis / 1000, millis % 1000 / 10);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {fault} | {until} | {} | {} | ≤ {goal} |",
            seconds(median),
            seconds(worst)
        );
    }
    let _ = writeln!(
        text,
        "\n{ROUNDS} rounds; the server was killed while {RUNNING_BEFORE} segments or more ran, and finished segments \
             lost by it: {lost}."
    );
    text
}

fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A job under way, followed by the command line.
struct Job {
    command: Child,
    id: u64,
    begin: Instant,
}

impl Job {
    fn begin(farm: &Farm, case: &Case, segment_seconds: &str, preset: &str) -> Result<Self> {
        let before = latest_job(farm)?;
        let output = farm.layout.folder.join("output.mkv");
        let errors = File::create(farm.layout.folder.join("command.log"))?;
        let mut command = farm.operator(Way::Direct)?;
        command.args(["encode", "-q", "--overwrite", "--segment-seconds", segment_seconds]);
        command.arg(&case.film).arg(output).args(["--", "-c:v", "libx264", "-preset", preset]);
        let command = command.stdout(Stdio::null()).stderr(errors).spawn()?;
        let begin = Instant::now();
        loop {
            let id = latest_job(farm)?;
            if id > before {
                return Ok(Self { command, id, begin });
            }
            ensure!(begin.elapsed() < ROUND_WITHIN, "no job is made");
            thread::sleep(LOOK);
        }
    }

    fn tasks(&self, farm: &Farm) -> Result<Vec<Value>> {
        let shown = farm.ask(&["jobs", "report", "--json", &self.id.to_string()])?;
        Ok(shown["tasks"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until the segments look as wanted.
    fn until<T>(&self, farm: &Farm, wanted: impl Fn(&[Value]) -> Option<T>) -> Result<T> {
        loop {
            let mut tasks = self.tasks(farm)?;
            tasks.retain(|task| task["kind"] == "segment");
            if let Some(found) = wanted(&tasks) {
                return Ok(found);
            }
            ensure!(self.begin.elapsed() < ROUND_WITHIN, "a round hangs: {tasks:?}");
            thread::sleep(LOOK);
        }
    }

    fn end(&mut self) -> Result<()> {
        let status = self.command.wait()?;
        ensure!(status.success(), "the job's command ended with {status}");
        Ok(())
    }
}

fn latest_job(farm: &Farm) -> Result<u64> {
    let jobs = farm.lines(&["jobs", "list", "--json"])?;
    Ok(jobs.iter().filter_map(|job| job["id"].as_u64()).max().unwrap_or(0))
}

fn attempts(task: &Value) -> &[Value] {
    task["attempts"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A worker is killed or frozen while it encodes one of two segments: when does that run elsewhere?
fn worker_fault(farm: &mut Farm, case: &Case, signal: Signal) -> Result<u64> {
    let mut job = Job::begin(farm, case, "18", "placebo")?;
    let name = job.until(farm, |tasks| {
        let attempt = attempts(tasks.first()?).first()?;
        let runs = attempt["frames_done"].as_u64() > Some(0);
        runs.then(|| attempt["worker_name"].as_str().map(str::to_owned)).flatten()
    })?;
    let number: usize = name.trim_start_matches('w').parse().context("a worker's name")?;
    let pid = farm.worker_pid(number).context("the worker runs")?;
    let struck = now_millis();
    if signal == Signal::KILL {
        farm.kill_worker(number)?
    } else {
        send(pid, signal)
    }
    let started = job.until(farm, |tasks| {
        attempts(tasks.first()?).get(1).and_then(|attempt| attempt["started_at"].as_u64())
    });
    if signal == Signal::KILL {
        farm.start_worker(number)?
    } else {
        send(pid, Signal::CONT)
    }
    job.end()?;
    Ok(started?.saturating_sub(struck))
}

/// The server is killed with finished and running segments: when do they go on, and how many finished ones are lost?
fn server_fault(farm: &mut Farm, case: &Case) -> Result<(u64, usize)> {
    // Quick segments: what is looked for is when tasks flow again, not how long one takes.
    let mut job = Job::begin(farm, case, "2", "medium")?;
    let done = job.until(farm, |tasks| {
        let running = tasks.iter().filter(|task| task["state"] == "running").count();
        let done: BTreeMap<u64, usize> = tasks
            .iter()
            .filter(|task| task["state"] == "done")
            .filter_map(|task| Some((task["id"].as_u64()?, attempts(task).len())))
            .collect();
        (done.len() >= DONE_BEFORE && running >= RUNNING_BEFORE).then_some(done)
    })?;
    farm.kill_server()?;
    farm.start_server()?;
    let ready = now_millis();
    job.end()?;
    let tasks = job.tasks(farm)?;
    let lost = tasks
        .iter()
        .filter(|task| {
            let before = task["id"].as_u64().and_then(|id| done.get(&id));
            before.is_some_and(|before| attempts(task).len() != *before)
        })
        .count();
    let times = tasks.iter().flat_map(attempts);
    let times = times.flat_map(|one| [one["started_at"].as_u64(), one["ended_at"].as_u64()]);
    let next = times.flatten().filter(|at| *at >= ready).min().context("nothing went on")?;
    Ok((next - ready, lost))
}
