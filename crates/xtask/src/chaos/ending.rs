//! What must hold when all jobs are done: none lost, none failed, nothing done twice, nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::farm::Farm;
use super::processes;
use super::run::Tally;

/// Jobs whose command was killed may still be going on.
const OPEN_WITHIN: Duration = Duration::from_secs(120);
/// What is needless is swept within a second.
const SWEPT_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Looks at everything, then ends the farm and looks at what is left.
pub(crate) fn check(farm: &mut Farm, tally: &mut Tally) -> Result<()> {
    let jobs = settled_jobs(farm)?;
    for job in &jobs {
        if job["state"] != "completed" {
            tally
                .violations
                .push(format!("job {} is {}: {}", job["id"], job["state"], job["failure"]));
            continue;
        }
        let report = farm.ask(&["jobs", "report", "--json", &job["id"].to_string()])?;
        look_at_attempts(&report, tally);
    }
    for job in &jobs {
        farm.lines(&["jobs", "delete", "--json", &job["id"].to_string()])?;
    }
    for folder in ["blobs", "partial"] {
        let folder = farm.layout.data.join(folder);
        wait_until_empty(&folder, &[], tally);
    }
    for number in 0..farm.layout.workers {
        for running in farm.encoders_of(number) {
            tally.violations.push(format!("worker {number} has nothing to do, but has {running}"));
        }
    }
    farm.stop_workers()?;
    for number in 0..farm.layout.workers {
        wait_until_empty(&farm.layout.scratch(number), &["segenc-worker.gate"], tally);
    }
    farm.stop_server()?;
    for left in processes::own_descendants() {
        tally.violations.push(format!("left behind: {left}"));
    }
    Ok(())
}

/// All jobs, after the last has ended.
fn settled_jobs(farm: &Farm) -> Result<Vec<Value>> {
    let begin = Instant::now();
    loop {
        let jobs = farm.lines(&["jobs", "list", "--json"])?;
        let is_open = |job: &&Value| {
            !matches!(job["state"].as_str(), Some("completed" | "failed" | "canceled"))
        };
        if jobs.iter().find(is_open).is_none() || begin.elapsed() > OPEN_WITHIN {
            return Ok(jobs);
        }
        thread::sleep(LOOK);
    }
}

/// A task has one attempt that succeeded; each one before it ended otherwise, and says how.
pub(crate) fn look_at_attempts(report: &Value, tally: &mut Tally) {
    for task in report["tasks"].as_array().into_iter().flatten() {
        let attempts = task["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
        tally.tasks += 1;
        tally.again += u32::try_from(attempts.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let succeeded = attempts.iter().filter(|one| one["state"] == "succeeded").count();
        if succeeded > 1 {
            let job = &report["job"]["id"];
            tally.violations.push(format!("job {job}: done more than once: {task}"));
        }
    }
}

fn wait_until_empty(folder: &Path, may_stay: &[&str], tally: &mut Tally) {
    let begin = Instant::now();
    loop {
        let mut left = Vec::new();
        collect(folder, &mut left);
        left.retain(|path| {
            !path.file_name().is_some_and(|name| may_stay.iter().any(|stays| name == *stays))
        });
        if left.is_empty() {
            return;
        }
        if begin.elapsed() > SWEPT_WITHIN {
            tally.violations.push(format!("left in {}: {left:?}", folder.display()));
            return;
        }
        thread::sleep(LOOK);
    }
}

/// All files below a folder.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_that_succeeded_twice_is_a_violation() {
        let report = |states: &[&str]| {
            let attempts: Vec<Value> =
                states.iter().map(|state| json!({ "state": state })).collect();
            json!({ "job": { "id": 1 }, "tasks": [{ "attempts": attempts }] })
        };
        let mut tally = Tally::default();
        look_at_attempts(&report(&["expired", "failed", "succeeded"]), &mut tally);
        assert_eq!((tally.again, tally.violations.len()), (2, 0));
        look_at_attempts(&report(&["succeeded", "succeeded"]), &mut tally);
        assert_eq!(tally.violations.len(), 1);
    }
}
