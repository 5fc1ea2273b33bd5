//! Watch folders: films that come are encoded, once, and what became of them is remembered.
//!
//! Looks at names, sizes and times alone; what is in a film the job's own analysis tells. Nothing is deleted, and
//! a source is moved only where the folder's settings say so and its result is verified.

mod follow;
mod rules;
mod scan;
mod take;
mod trash;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use segenc_core::time::Millis;
use segenc_proto::rest::{WatchFolder, WatchFolderView, WatchedFileView};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock;
use crate::shared::Shared;
use crate::store::{FileRow, FileState, StoreError};
pub(crate) use rules::Rules;

/// How often jobs are followed, and looked whether a folder is due.
const TICK: Duration = Duration::from_secs(1);
/// Folders that can be watched: each is looked through again and again.
pub(crate) const FOLDERS_MAX: usize = 100;

/// All watch folders and what is known of their files.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    folders: BTreeMap<String, Folder>,
    /// By folder and path.
    files: BTreeMap<(String, String), FileRow>,
}

#[derive(Debug)]
struct Folder {
    settings: WatchFolder,
    /// Or what is wrong with the settings.
    rules: Result<Arc<Rules>, String>,
    fixed: bool,
    trouble: Option<String>,
    scanned_at: Option<Millis>,
    due: Option<Instant>,
    waiting: u64,
}

impl Folder {
    fn new(settings: WatchFolder, rules: Result<Rules, String>, fixed: bool) -> Self {
        Self {
            settings,
            trouble: rules.as_ref().err().cloned(),
            rules: rules.map(Arc::new),
            fixed,
            scanned_at: None,
            due: None,
            waiting: 0,
        }
    }
}

/// Files that are looked at until they do not change any more.
#[derive(Debug, Default)]
struct Settling {
    seen: BTreeMap<(String, String), (u64, Millis, Instant)>,
    /// How many of those seen last had settled.
    ready: usize,
}

/// Watches until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut settling = Settling::default();
    loop {
        follow::follow(&shared).await;
        for rules in shared.watch.due() {
            take::look(&shared, &rules, &mut settling).await;
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.watch.wake.notified() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Reads what is kept, and the folders of the settings file, which hide those of the same name.
pub(crate) async fn load(shared: &Shared, fixed: &[WatchFolder]) -> Result<(), StoreError> {
    let kept = shared.store.watch_folders().await?;
    let files = shared.store.watched_files().await?;
    let mut state = shared.watch.lock();
    for (settings, is_fixed) in
        kept.iter().map(|one| (one, false)).chain(fixed.iter().map(|one| (one, true)))
    {
        let rules = Rules::read(settings.clone(), &shared.presets.all(), shared.parse_spec);
        if let Err(why) = &rules {
            tracing::warn!(folder = settings.name, why, "a watch folder is not looked at");
        }
        let folder = Folder::new(settings.clone(), rules, is_fixed);
        state.folders.insert(settings.name.clone(), folder);
    }
    // Nobody follows the files of a folder that the settings file does not name any more.
    let known = files.into_iter().filter(|row| state.folders.contains_key(&row.folder));
    let files = known.map(|row| ((row.folder.clone(), row.path.clone()), row)).collect();
    state.files = files;
    Ok(())
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How all folders go.
    pub(crate) fn views(&self) -> Vec<WatchFolderView> {
        let state = self.lock();
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for row in state.files.values() {
            *counts.entry((row.folder.as_str(), row.state.name())).or_default() += 1;
        }
        let view = |folder: &Folder| {
            let name = folder.settings.name.as_str();
            let count =
                |state: FileState| counts.get(&(name, state.name())).copied().unwrap_or_default();
            WatchFolderView {
                settings: folder.settings.clone(),
                fixed: folder.fixed,
                trouble: folder.trouble.clone(),
                scanned_at: folder.scanned_at,
                waiting: folder.waiting,
                queued: count(FileState::Queued),
                done: count(FileState::Done),
                skipped: count(FileState::Skipped) + count(FileState::Canceled),
                failed: count(FileState::Failed),
            }
        };
        state.folders.values().map(view).collect()
    }

    /// What became of a folder's files, by path, from behind `after`.
    pub(crate) fn files(
        &self,
        name: &str,
        after: Option<&str>,
        wanted: Option<&str>,
        limit: usize,
    ) -> Vec<WatchedFileView> {
        let state = self.lock();
        let rows = state.files.values().filter(|row| row.folder == name);
        rows.filter(|row| after.is_none_or(|after| row.path.as_str() > after))
            .filter(|row| wanted.is_none_or(|wanted| row.state.name() == wanted))
            .take(limit)
            .map(file_view)
            .collect()
    }

    /// Whether there is such a folder, and whether it stands in the settings file.
    pub(crate) fn is_fixed(&self, name: &str) -> Option<bool> {
        self.lock().folders.get(name).map(|folder| folder.fixed)
    }

    /// How many folders there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().folders.len()
    }

    /// Takes settings up; what became of files stays known.
    pub(crate) fn put(&self, rules: Rules) {
        let settings = rules.settings.clone();
        let folder = Folder::new(settings.clone(), Ok(rules), false);
        self.lock().folders.insert(settings.name, folder);
        self.wake.notify_one();
    }

    /// Forgets a folder and its files.
    pub(crate) fn forget(&self, name: &str) {
        let mut state = self.lock();
        state.folders.remove(name);
        state.files.retain(|(folder, _), _| folder != name);
    }

    /// Has a folder looked at now; `false` if there is none of this name.
    pub(crate) fn hurry(&self, name: &str) -> bool {
        let mut state = self.lock();
        let Some(folder) = state.folders.get_mut(name) else { return false };
        folder.due = None;
        self.wake.notify_one();
        true
    }

    /// The rows of a folder in this state.
    pub(crate) fn rows(&self, name: &str, wanted: FileState) -> Vec<FileRow> {
        let state = self.lock();
        let rows = state.files.values().filter(|row| row.folder == name && row.state == wanted);
        rows.cloned().collect()
    }

    /// Forgets a file, so that it is looked at as if it were new.
    pub(crate) fn forget_file(&self, row: &FileRow) {
        self.lock().files.remove(&(row.folder.clone(), row.path.clone()));
    }

    /// Folders that are to be looked at now; they are due again after their time.
    fn due(&self) -> Vec<Arc<Rules>> {
        let now = Instant::now();
        let mut due = Vec::new();
        for folder in self.lock().folders.values_mut() {
            let Ok(rules) = &folder.rules else { continue };
            if rules.settings.enabled && folder.due.is_none_or(|due| due <= now) {
                due.push(Arc::clone(rules));
                folder.due = Some(now + Duration::from_secs(rules.settings.every_seconds));
            }
        }
        due
    }

    fn rules(&self, name: &str) -> Option<Arc<Rules>> {
        self.lock().folders.get(name)?.rules.as_ref().ok().cloned()
    }

    fn row(&self, folder: &str, path: &str) -> Option<FileRow> {
        self.lock().files.get(&(folder.to_owned(), path.to_owned())).cloned()
    }

    /// Files that jobs of watch folders make: they are no sources.
    fn outputs(&self) -> BTreeSet<String> {
        self.lock().files.values().filter_map(|row| row.output.clone()).collect()
    }

    /// The file whose job makes this output.
    fn source_of(&self, output: &str) -> Option<String> {
        let state = self.lock();
        let mut rows = state.files.values();
        rows.find(|row| row.output.as_deref() == Some(output)).map(|row| row.path.clone())
    }

    /// Files that have a job.
    fn followed(&self) -> Vec<FileRow> {
        // What is done stays done, whatever becomes of its job.
        let state = self.lock();
        let rows = state.files.values();
        rows.filter(|row| row.job.is_some() && row.state != FileState::Done).cloned().collect()
    }

    fn note_look(&self, name: &str, waiting: u64, trouble: Option<String>) {
        if let Some(folder) = self.lock().folders.get_mut(name) {
            folder.scanned_at = Some(clock::now());
            folder.waiting = waiting;
            folder.trouble = trouble;
        }
    }
}

/// Remembers what became of a file, on disk first.
async fn note(shared: &Shared, mut row: FileRow) {
    row.noted = clock::now();
    if let Err(error) = shared.store.put_watched_file(&row).await {
        tracing::warn!(path = row.path, %error, "what became of a file cannot be stored");
        return;
    }
    let mut state = shared.watch.lock();
    if state.folders.contains_key(&row.folder) {
        state.files.insert((row.folder.clone(), row.path.clone()), row);
    }
}

/// The real place of a folder that may be watched or written to.
async fn place(shared: &Arc<Shared>, path: &str) -> Result<PathBuf, String> {
    let (looker, path) = (Arc::clone(shared), path.to_owned());
    let found = tokio::task::spawn_blocking(move || looker.roots.place_of_folder(&path)).await;
    found.map_err(|error| error.to_string())?.map_err(|problem| problem.to_string())
}

/// Whether both folders are where jobs may read and write.
pub(crate) async fn check_places(
    shared: &Arc<Shared>,
    settings: &WatchFolder,
) -> Result<(), String> {
    place(shared, &settings.path).await?;
    place(shared, &settings.output).await.map(drop)
}

fn file_view(row: &FileRow) -> WatchedFileView {
    WatchedFileView {
        path: row.path.clone(),
        size: row.size,
        modified_at: row.modified,
        state: row.state.name().to_owned(),
        reason: row.reason.clone(),
        job: row.job.map(|job| job.0),
        output: row.output.clone(),
        noted_at: row.noted,
    }
}
