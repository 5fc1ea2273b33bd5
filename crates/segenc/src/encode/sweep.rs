//! Forgets jobs of this machine that were begun, not finished, and not taken up again for long.
//!
//! Knows the names of their folders, not what is in them. What somebody works in is locked and stays.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::state::RECORD;

/// A job that nobody went on with for this long was given up. Until then the same command goes on where it was, also
/// after a holiday.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Deeper than this no server nests its folders.
const DEPTH_MAX: usize = 6;

/// What was taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Swept {
    /// Jobs.
    pub(super) jobs: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// Takes away what is older than [`KEPT_FOR`] in the folder of all jobs. What cannot be taken away stays: it costs room,
/// nothing else.
pub(super) fn sweep(all: &Path, now: SystemTime) -> Swept {
    let mut swept = Swept::default();
    let Ok(entries) = fs::read_dir(all) else { return swept };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_old = |path: &Path| used_at(path).is_some_and(|used| is_older(used, now));
        if let Some(key) = name.strip_prefix("worker.") {
            // Its job has gone before it.
            if is_key(key) && !all.join(key).exists() && is_old(&path) {
                let _ = fs::remove_file(&path);
            }
        } else if let Some(key) = name.strip_prefix("farm.") {
            if is_key(key) && is_old(&path) {
                let _ = fs::remove_file(&path);
            }
        } else if let Some(key) = name.strip_prefix("output.") {
            if is_key(key) && is_old(&path) {
                take_away(&path);
            }
        } else if is_key(&name) && is_old(&path) {
            let bytes = size_of(&path, DEPTH_MAX);
            if take_away(&path) {
                let _ = fs::remove_file(all.join(format!("worker.{name}")));
                swept.jobs += 1;
                swept.bytes = swept.bytes.saturating_add(bytes);
            }
        }
    }
    swept
}

fn is_key(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|letter| letter.is_ascii_hexdigit())
}

/// When it was used last: every run writes its wish down.
fn used_at(path: &Path) -> Option<SystemTime> {
    let record = fs::metadata(path.join(RECORD)).and_then(|metadata| metadata.modified());
    record.or_else(|_| fs::metadata(path)?.modified()).ok()
}

fn is_older(used: SystemTime, now: SystemTime) -> bool {
    now.duration_since(used).is_ok_and(|age| age > KEPT_FOR)
}

/// Deletes a folder, under its lock; `false` if somebody works in it.
fn take_away(folder: &Path) -> bool {
    let lock = folder.join("lock");
    let held = match File::options().write(true).open(&lock) {
        Ok(file) if file.try_lock().is_ok() => Some(file),
        Ok(_) => return false,
        // A folder without a lock is half deleted.
        Err(_) if !lock.exists() => None,
        Err(_) => return false,
    };
    // The record first, so that what is left is never taken for a job that goes on.
    let _ = fs::remove_file(folder.join(RECORD));
    let gone = fs::remove_dir_all(folder).is_ok();
    drop(held);
    gone
}

fn size_of(folder: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() && depth > 0 => size_of(&entry.path(), depth - 1),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) | Err(_) => 0,
    };
    entries.flatten().map(size).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn job(all: &Path, key: &str, age: Duration) {
        let folder = all.join(key);
        fs::create_dir_all(folder.join("server")).expect("a folder");
        fs::write(folder.join("lock"), b"").expect("a file");
        fs::write(folder.join("server").join("blob"), [0; 100]).expect("a file");
        fs::write(all.join(format!("worker.{key}")), b"").expect("a file");
        let record = File::create(folder.join(RECORD)).expect("a file");
        record.set_modified(SystemTime::now() - age).expect("a time");
    }

    #[test]
    fn only_jobs_that_nobody_went_on_with_for_a_month_are_forgotten() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let all = place.path();
        job(all, "00000000000000aa", 31 * DAY);
        job(all, "00000000000000bb", 29 * DAY);
        fs::create_dir(all.join("films")).expect("a folder");
        let now = SystemTime::now();
        assert_eq!(sweep(all, now), Swept { jobs: 1, bytes: 100 });
        assert!(!all.join("00000000000000aa").exists());
        assert!(!all.join("worker.00000000000000aa").exists());
        assert!(all.join("00000000000000bb").exists() && all.join("films").exists());
        assert_eq!(sweep(all, now), Swept::default());
        assert_eq!(sweep(all, now + 2 * DAY).jobs, 1, "a day later it is its turn");
        assert!(all.join("films").exists(), "what is not ours stays");
    }

    #[test]
    fn a_job_that_runs_is_never_forgotten() {
        let place = tempfile::tempdir().expect("a temporary folder");
        job(place.path(), "00000000000000aa", 99 * DAY);
        let folder = place.path().join("00000000000000aa");
        let held = File::options().write(true).open(folder.join("lock")).expect("it is there");
        held.try_lock().expect("nobody holds it");
        assert_eq!(sweep(place.path(), SystemTime::now()), Swept::default());
        assert!(folder.join(RECORD).exists());
        drop(held);
        assert_eq!(sweep(place.path(), SystemTime::now()).jobs, 1);
    }
}
