//! The farm in numbers, for `/metrics`: what is now, from the pool, and what was counted since the start.
//!
//! Decides nothing. Names and help texts are promises: dashboards are built on them.

mod tally;
mod text;

use std::collections::BTreeMap;

use segenc_core::ids::AttemptId;

use crate::coordinator::View;
use crate::http::{task_kind as kind_name, task_state, worker_view};
use crate::incoming::free_bytes;
use crate::shared::Shared;
use crate::traffic::Cargo;
pub(crate) use tally::Tally;
use tally::{COMMIT_BOUNDS, Counts, WAIT_BOUNDS};
use text::Page;

/// States of jobs that are always told, so that a line in a picture does not end when there is none.
const JOB_STATES: [&str; 8] =
    ["held", "analyzing", "transcoding", "merging", "paused", "completed", "failed", "canceled"];

/// The whole page.
pub(crate) fn render(shared: &Shared) -> String {
    let view = shared.coordinator.view();
    let mut page = Page::default();
    about_jobs(&mut page, &view);
    about_workers(&mut page, &view, shared);
    about_disk(&mut page, shared);
    about_counts(&mut page, &shared.tally.now());
    about_library(&mut page, shared);
    page.into_text()
}

fn about_jobs(page: &mut Page, view: &View) {
    let mut states: BTreeMap<String, u64> =
        JOB_STATES.map(|state| (state.to_owned(), 0)).into_iter().collect();
    let mut tasks: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for job in view.pool.jobs() {
        *states.entry(job.standing()).or_default() += 1;
        for task in view.pool.tasks_of(job.id) {
            *tasks.entry((kind_name(task.kind), task_state(task.state))).or_default() += 1;
        }
    }
    let mut family = page.gauge("segenc_jobs", "Jobs that the server knows, by state.");
    for (state, count) in &states {
        family.number(&[("state", state)], count);
    }
    let mut family = page.gauge("segenc_tasks", "Tasks of these jobs, by kind and state.");
    for ((kind, state), count) in &tasks {
        family.number(&[("kind", kind), ("state", state)], count);
    }
}

fn about_workers(page: &mut Page, view: &View, shared: &Shared) {
    let workers: Vec<_> =
        view.pool.workers().map(|worker| worker_view(view, &shared.traffic, worker)).collect();
    let mut states: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for worker in &workers {
        let online = if worker.online { "true" } else { "false" };
        *states.entry((worker.state.as_str(), online)).or_default() += 1;
    }
    let mut family = page.gauge("segenc_workers", "Workers, by state and whether they are there.");
    for ((state, online), count) in &states {
        family.number(&[("state", state), ("online", online)], count);
    }
    let online = || workers.iter().filter(|worker| worker.online);
    let slots: u64 = online().map(|worker| u64::from(worker.slots)).sum();
    page.gauge("segenc_slots", "Tasks that the workers that are there can run side by side.")
        .number(&[], slots);
    page.gauge("segenc_attempts_running", "Attempts that are running.")
        .number(&[], view.pool.running().count());
    let millifps: u64 =
        view.pool.running().filter_map(|run| Some(view.leases.get(run.id)?.speed_millifps)).sum();
    page.gauge("segenc_encode_frames_per_second", "Frames that are encoded each second, in all.")
        .number(&[], thousandths(millifps));
    let mut speeds: BTreeMap<(u64, &str), u64> =
        workers.iter().map(|worker| ((worker.id, worker.name.as_str()), 0)).collect();
    for worker in view.pool.workers() {
        let speed = |id: &AttemptId| Some(view.leases.get(*id)?.speed_millifps);
        let sum: u64 = worker.running.iter().filter_map(speed).sum();
        speeds.insert((worker.id.0, worker.profile.name.as_str()), sum);
    }
    let mut family =
        page.gauge("segenc_worker_frames_per_second", "Frames that a worker encodes each second.");
    for ((id, name), sum) in &speeds {
        family.number(&[("worker", &id.to_string()), ("name", name)], thousandths(*sum));
    }
    let mut family = page.counter(
        "segenc_worker_bytes_total",
        "Bytes that travelled since the server started: to workers (source, part) and from them (output).",
    );
    for worker in view.pool.workers() {
        let counters = shared.traffic.of(worker.id);
        let id = worker.id.0.to_string();
        for (cargo, word) in
            [(Cargo::Source, "source"), (Cargo::Part, "part"), (Cargo::Output, "output")]
        {
            let labels = [("worker", id.as_str()), ("cargo", word)];
            family.number(&labels, counters.read(cargo));
        }
    }
}

fn about_disk(page: &mut Page, shared: &Shared) {
    if let Ok(free) = free_bytes(shared.blobs.folder()) {
        page.gauge("segenc_disk_free_bytes", "Free bytes on the disk of the data folder.")
            .number(&[], free);
    }
    page.gauge("segenc_build_info", "The server's version, as a label.")
        .number(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.gauge("segenc_start_time_seconds", "When the server started, since 1970.")
        .number(&[], shared.started_at / 1000);
}

fn about_counts(page: &mut Page, counts: &Counts) {
    page.counter("segenc_jobs_created_total", "Jobs made since the server started.")
        .number(&[], counts.jobs_made);
    let mut family =
        page.counter("segenc_jobs_ended_total", "Jobs that ended since the server started.");
    for (state, count) in &counts.jobs_ended {
        family.number(&[("state", &state.to_string())], count);
    }
    let mut family = page.counter(
        "segenc_attempts_ended_total",
        "Attempts that ended since the server started, by kind of task and how; `expired`: a lease was lost.",
    );
    for ((kind, how), count) in &counts.attempts {
        family.number(&[("kind", kind), ("how", how)], count);
    }
    let lost: u64 = counts
        .attempts
        .iter()
        .filter_map(|((_, how), count)| (*how == "expired").then_some(count))
        .sum();
    page.counter("segenc_leases_lost_total", "Leases that ran out since the server started.")
        .number(&[], lost);
    page.counter("segenc_frames_encoded_total", "Frames encoded since the server started.")
        .number(&[], counts.frames);
    let mut family = page.counter(
        "segenc_worker_cpu_seconds_total",
        "Processor time of attempts that succeeded since the server started.",
    );
    for (worker, millis) in &counts.cpu_millis {
        family.number(&[("worker", &worker.to_string())], thousandths(*millis));
    }
    page.histogram(
        "segenc_job_wait_seconds",
        "From the making of a job until a worker takes it up.",
        &WAIT_BOUNDS,
        &counts.waits,
    );
    page.histogram(
        "segenc_store_commit_seconds",
        "Time that a transaction of the database takes, with its sync.",
        &COMMIT_BOUNDS,
        &counts.commits,
    );
    page.counter("segenc_store_commits_refused_total", "Transactions that the database refused.")
        .number(&[], counts.commits_refused);
    page.counter("segenc_notifications_total", "Notifications, by how they ended.")
        .number(&[("how", "sent")], counts.messages_sent)
        .number(&[("how", "given_up")], counts.messages_given_up);
}

fn about_library(page: &mut Page, shared: &Shared) {
    let mut family = page.gauge("segenc_watched_files", "Files of watch folders, by state.");
    for folder in shared.watch.views() {
        let name = folder.settings.name.as_str();
        for (state, count) in [
            ("waiting", folder.waiting),
            ("queued", folder.queued),
            ("done", folder.done),
            ("skipped", folder.skipped),
            ("failed", folder.failed),
        ] {
            family.number(&[("folder", name), ("state", state)], count);
        }
    }
}

/// Speeds and times are kept in thousandths.
#[expect(clippy::cast_precision_loss, reason = "for pictures; beyond 2^53 nobody reads it")]
fn thousandths(number: u64) -> f64 {
    number as f64 / 1000.0
}
