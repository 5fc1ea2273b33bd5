//! From a file that has settled to its job.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use segenc_proto::rest::{CreateJob, OutputSpec, SourceSpec};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::rules::Rules;
use super::scan::{self, Found, Look};
use super::{Settling, note, place};
use crate::auth::hex;
use crate::http::make_job;
use crate::shared::Shared;
use crate::store::{FileRow, FileState};

/// Reasons for which a file is not taken now, and nothing is held against it.
const PASSING: [&str; 5] =
    ["database-unwritable", "stopping", "internal", "disk-full", "source-not-visible"];

/// Looks at a folder and takes what has settled.
pub(super) async fn look(shared: &Arc<Shared>, rules: &Arc<Rules>, settling: &mut Settling) {
    let name = rules.settings.name.clone();
    match found_in(shared, rules).await {
        Ok((look, output)) => {
            let ready = settling.sort(shared, rules, &look.files);
            let (ready, written) = apart_from_written(ready).await;
            let waiting = settling.waiting(&name) + written;
            let left = take_all(shared, rules, &output, ready).await;
            shared.watch.note_look(&name, waiting + left, look.trouble);
        }
        Err(trouble) => shared.watch.note_look(&name, 0, Some(trouble)),
    }
}

async fn found_in(shared: &Arc<Shared>, rules: &Arc<Rules>) -> Result<(Look, PathBuf), String> {
    let top = place(shared, &rules.settings.path).await?;
    let output = place(shared, &rules.settings.output).await?;
    let (looker, spared) = (Arc::clone(rules), output.clone());
    let look = tokio::task::spawn_blocking(move || scan::look(&top, &spared, &looker)).await;
    let look = look.map_err(|error| error.to_string())?;
    let path = &rules.settings.path;
    Ok((look.map_err(|error| format!("{path} cannot be looked at: {error}"))?, output))
}

impl Settling {
    /// Files that are new or changed, and have been as they are for long enough.
    fn sort(&mut self, shared: &Shared, rules: &Rules, files: &[Found]) -> Vec<Found> {
        let folder = &rules.settings.name;
        let patience = Duration::from_secs(rules.settings.settle_seconds);
        let outputs = shared.watch.outputs();
        let mut before: BTreeMap<_, _> = BTreeMap::new();
        std::mem::swap(&mut before, &mut self.seen);
        // Other folders' files stay as they were seen.
        let (mine, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            before.into_iter().partition(|((name, _), _)| name == folder);
        self.seen = others;
        let mut ready = Vec::new();
        for file in files {
            let is_known = shared.watch.row(folder, &file.path).is_some_and(|row| {
                row.state == FileState::Queued
                    || (row.size, row.modified) == (file.size, file.modified)
            });
            if is_known || outputs.contains(&file.path) {
                continue;
            }
            let key = (folder.clone(), file.path.clone());
            let since = match mine.get(&key) {
                Some((size, modified, since))
                    if (*size, *modified) == (file.size, file.modified) =>
                {
                    *since
                }
                Some(_) | None => Instant::now(),
            };
            // Who is ready stays seen: it may have to wait until fewer jobs are open.
            if file.size > 0 && since.elapsed() >= patience {
                ready.push(file.clone());
            }
            self.seen.insert(key, (file.size, file.modified, since));
        }
        self.ready = ready.len();
        ready
    }

    /// Files of a folder that have not settled.
    fn waiting(&self, folder: &str) -> u64 {
        let seen = self.seen.keys().filter(|(name, _)| name == folder).count();
        u64::try_from(seen.saturating_sub(self.ready)).unwrap_or_default()
    }
}

/// Leaves out what some process writes to, and says how many those are.
async fn apart_from_written(ready: Vec<Found>) -> (Vec<Found>, u64) {
    let paths: BTreeSet<PathBuf> = ready.iter().map(|file| PathBuf::from(&file.path)).collect();
    if paths.is_empty() {
        return (ready, 0);
    }
    let written = tokio::task::spawn_blocking(move || scan::being_written(&paths)).await;
    let written = written.unwrap_or_default();
    let count = written.len();
    let quiet = ready.into_iter().filter(|file| !written.contains(Path::new(&file.path)));
    (quiet.collect(), u64::try_from(count).unwrap_or_default())
}

/// Makes jobs of files, as many as may be open. Answers how many are left.
async fn take_all(shared: &Arc<Shared>, rules: &Rules, output: &Path, ready: Vec<Found>) -> u64 {
    let open = shared.watch.rows(&rules.settings.name, FileState::Queued).len();
    let most = usize::try_from(rules.settings.jobs_max).unwrap_or(usize::MAX);
    let mut room = most.saturating_sub(open);
    let mut left = 0;
    for file in ready {
        let row = FileRow {
            folder: rules.settings.name.clone(),
            path: file.path.clone(),
            size: file.size,
            modified: file.modified,
            state: FileState::Skipped,
            reason: None,
            job: None,
            output: None,
            noted: 0,
        };
        if let Some(why) = rules.skips_size(file.size) {
            note(shared, FileRow { reason: Some(why), ..row }).await;
            continue;
        }
        if room == 0 {
            left += 1;
            continue;
        }
        let Some(row) = take(shared, rules, output, &file, row).await else {
            left += 1;
            continue;
        };
        room -= usize::from(row.state == FileState::Queued);
        tracing::info!(
            folder = row.folder,
            path = row.path,
            state = row.state.name(),
            "a film has come"
        );
        note(shared, row).await;
    }
    left
}

/// What becomes of a file; `None`: nothing yet.
async fn take(
    shared: &Arc<Shared>,
    rules: &Rules,
    output: &Path,
    file: &Found,
    row: FileRow,
) -> Option<FileRow> {
    let failed = |row: FileRow, why: String| {
        Some(FileRow { state: FileState::Failed, reason: Some(why), ..row })
    };
    let name = match rules.output_name(&file.dir, &file.name) {
        Ok(name) => name,
        Err(why) => return failed(row, why),
    };
    let target = output.join(name);
    let Some(target) = target.to_str().map(ToOwned::to_owned) else {
        return failed(row, "the output folder's name is not UTF-8".to_owned());
    };
    if let Some(rival) = shared.watch.source_of(&target).filter(|rival| *rival != file.path) {
        let why = format!("{rival} makes the same file, {target}");
        return Some(FileRow { reason: Some(why), ..row });
    }
    let (maker, folder) = (Arc::clone(shared), PathBuf::from(&target));
    let made = tokio::task::spawn_blocking(move || maker.roots.make_folder_of(&folder)).await;
    if let Err(problem) = made.ok()? {
        return failed(row, problem.to_string());
    }
    let wish = wish(rules, file, &target);
    match make_job(shared, wish, Some(key(&row))).await {
        Ok(created) => Some(FileRow {
            state: FileState::Queued,
            job: Some(created.job),
            output: Some(target),
            ..row
        }),
        Err(problem) if PASSING.contains(&problem.kind()) => None,
        Err(problem) if problem.kind() == "output-exists" => {
            Some(FileRow { reason: Some(problem.detail().to_owned()), ..row })
        }
        Err(problem) => failed(row, problem.detail().to_owned()),
    }
}

fn wish(rules: &Rules, file: &Found, target: &str) -> CreateJob {
    let settings = &rules.settings;
    CreateJob {
        source: SourceSpec { path: Some(file.path.clone()), ..SourceSpec::default() },
        output: OutputSpec {
            path: Some(target.to_owned()),
            container: Some(settings.container.clone()),
            overwrite: false,
            only_if_smaller: settings.only_if_smaller,
        },
        args: rules.args.clone(),
        priority: settings.priority,
        // What is in the film decides; until then only its analysis runs.
        hold: rules.needs_facts(),
        ..CreateJob::default()
    }
}

/// The same file makes the same job, also where a crash has made us forget it.
fn key(row: &FileRow) -> String {
    let mut digest = Sha256::new();
    digest.update(row.folder.as_bytes());
    digest.update([0]);
    digest.update(row.path.as_bytes());
    digest.update(row.size.to_le_bytes());
    digest.update(row.modified.to_le_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    format!("watch-{}", hex(&digest))
}
