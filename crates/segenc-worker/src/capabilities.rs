//! What this machine can do: processors, memory, encoders that were tried and work.
//!
//! Trying encoders takes a second or two, so what came out is kept in a file until ffmpeg changes.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use segenc_media::{Tools, try_encoders, try_encoders_among};
use segenc_proto::grpc;
use serde::{Deserialize, Serialize};

use crate::Encoders;

/// Memory that one encode of ordinary size takes at most.
const MEMORY_PER_SLOT: u64 = 1024 * 1024 * 1024;
/// Hardware encoders come and go with drivers, so that after a day all are tried again.
const TRIED_LASTS: Duration = Duration::from_secs(24 * 60 * 60);
/// Names of encoders take some kilobytes; a longer file is something else.
const TRIED_BYTES_MAX: u64 = 64 * 1024;

/// What this machine can do.
#[derive(Debug, Clone)]
pub(crate) struct Capabilities {
    /// How many encodes run side by side.
    pub(crate) slots: u32,
    /// What the server is told.
    pub(crate) profile: grpc::RegistrationRequest,
}

/// Looks at the machine. `name` and `slots` are the user's wishes.
pub(crate) async fn look(
    tools: &Tools,
    tried_file: &Path,
    name: Option<String>,
    slots: Option<u32>,
    wanted: &Encoders,
) -> Capabilities {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let cores = u32::try_from(cores).unwrap_or(u32::MAX);
    let memory_bytes = memory();
    let slots = slots.filter(|slots| *slots > 0).unwrap_or_else(|| fitting(cores, memory_bytes));
    let name = name.or_else(sysinfo::System::host_name).unwrap_or_else(|| "worker".to_owned());
    let tried = encoders(tools, tried_file, wanted).await;
    let profile = grpc::RegistrationRequest {
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        slots,
        cores,
        memory_bytes,
        encoders: tried.keys().cloned().collect(),
        ffmpeg_version: tools.version.text.clone(),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        // Windows has no such signal.
        can_pause: cfg!(unix),
        trial_sets: tried.into_iter().filter_map(|(name, wrote)| Some((name, wrote?))).collect(),
    };
    Capabilities { slots, profile }
}

/// As many slots as there are processors, fewer where memory would end first, at least one.
fn fitting(cores: u32, memory_bytes: u64) -> u32 {
    let by_memory = u32::try_from(memory_bytes / MEMORY_PER_SLOT).unwrap_or(u32::MAX);
    cores.min(by_memory).max(1)
}

/// The machine's memory, or what the system lets this process have of it.
fn memory() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let total = system.total_memory();
    match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 => total.min(limits.total_memory),
        Some(_) | None => total,
    }
}

/// Which ffmpeg the encoders were tried with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TriedWith {
    ffmpeg: std::path::PathBuf,
    version: String,
    modified_millis: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tried {
    with: TriedWith,
    at_millis: u64,
    /// Those that work, and what parameter sets each wrote, as [`try_encoders`] tells them.
    tried: BTreeMap<String, Option<String>>,
    /// Whether all were tried, so that one that is not among them does not work.
    #[serde(default)]
    complete: bool,
}

impl Tried {
    fn answers(&self, wanted: &Encoders) -> bool {
        match wanted {
            Encoders::All => self.complete,
            Encoders::These(names) => {
                self.complete || names.iter().all(|name| self.tried.contains_key(name))
            }
        }
    }
}

async fn encoders(
    tools: &Tools,
    tried_file: &Path,
    wanted: &Encoders,
) -> BTreeMap<String, Option<String>> {
    let with = TriedWith {
        ffmpeg: tools.ffmpeg.clone(),
        version: tools.version.text.clone(),
        modified_millis: fs::metadata(&tools.ffmpeg)
            .and_then(|metadata| metadata.modified())
            .map_or(0, millis),
    };
    let now = millis(SystemTime::now());
    let known = remembered(tried_file, &with, now);
    if let Some(known) = known.as_ref().filter(|known| known.answers(wanted)) {
        return known.tried.clone();
    }
    let mut tried = known.unwrap_or_else(|| Tried {
        with,
        at_millis: now,
        tried: BTreeMap::new(),
        complete: false,
    });
    if let Encoders::These(names) = wanted {
        tried.tried.extend(try_encoders_among(tools, names).await);
    }
    if !tried.answers(wanted) {
        // Also where one that is wanted does not work: the user is told which do.
        tried.tried = try_encoders(tools).await;
        tried.complete = true;
    }
    if !tried.tried.is_empty() {
        remember(tried_file, &tried);
    }
    tried.tried
}

fn remembered(file: &Path, with: &TriedWith, now: u64) -> Option<Tried> {
    if fs::metadata(file).ok()?.len() > TRIED_BYTES_MAX {
        return None;
    }
    let tried: Tried = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let age = now.checked_sub(tried.at_millis)?;
    let fresh = u128::from(age) < TRIED_LASTS.as_millis();
    (fresh && tried.with == *with).then_some(tried)
}

/// Without this file the encoders are tried again next time, so that nothing is lost if it fails.
fn remember(file: &Path, tried: &Tried) {
    let written = || -> std::io::Result<()> {
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut temporary, tried)?;
        temporary.persist(file).map_err(|error| error.error)?;
        Ok(())
    };
    if let Err(error) = written() {
        tracing::debug!(%error, file = %file.display(), "cannot keep the list of encoders");
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    #[test]
    fn slots_are_bounded_by_processors_and_memory() {
        assert_eq!(fitting(8, 64 * GIB), 8);
        assert_eq!(fitting(8, 3 * GIB), 3);
        assert_eq!(fitting(8, GIB / 2), 1);
    }

    #[test]
    fn encoders_are_remembered_for_this_very_ffmpeg_and_a_day() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("encoders.json");
        let with = TriedWith {
            ffmpeg: "/usr/bin/ffmpeg".into(),
            version: "5.1.9".to_owned(),
            modified_millis: 7,
        };
        let works = [("libx264".to_owned(), Some("601760f5".to_owned()))].into();
        let tried = Tried { with: with.clone(), at_millis: 1000, tried: works, complete: false };
        remember(&file, &tried);
        let known = remembered(&file, &with, 1500).expect("it was written just now");
        let these = |name: &str| Encoders::These(vec![name.to_owned()]);
        assert!(known.answers(&these("libx264")));
        assert!(!known.answers(&these("libx265")) && !known.answers(&Encoders::All));
        let all = Tried { complete: true, ..known };
        assert!(all.answers(&these("libx265")), "it was tried and does not work");
        let day = u64::try_from(TRIED_LASTS.as_millis()).expect("a day fits");
        assert!(remembered(&file, &with, 1000 + day).is_none());
        let newer = TriedWith { modified_millis: 8, ..with };
        assert!(remembered(&file, &newer, 1500).is_none());
    }
}
