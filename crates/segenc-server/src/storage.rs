//! Whether the server's disk takes what it is given, for those who wait for a job that stands still.
//!
//! Knows only when something was refused last; the reasons are in the server's log.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use segenc_core::time::Millis;

/// Who was refused asks again within seconds. Where nobody was refused for so long, the trouble is over or
/// nobody has anything to store.
const STANDS_FOR_MILLIS: Millis = 20_000;

/// The disk below the data folder, as the last writes found it.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    folder: PathBuf,
    /// When something could not be stored; 0 if the last thing could.
    refused_at: AtomicU64,
}

impl Storage {
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder, refused_at: AtomicU64::new(0) }
    }

    /// Something could not be stored.
    pub(crate) fn refuses(&self, now: Millis) {
        self.refused_at.store(now, Ordering::Relaxed);
    }

    /// Something was stored.
    pub(crate) fn takes(&self) {
        self.refused_at.store(0, Ordering::Relaxed);
    }

    /// What a job waits for that cannot go on without this disk.
    pub(crate) fn trouble(&self, now: Millis) -> Option<String> {
        let refused = self.refused_at.load(Ordering::Relaxed);
        (refused != 0 && now < refused.saturating_add(STANDS_FOR_MILLIS)).then(|| {
            format!(
                "the server cannot store anything more in {}; make room there, and it goes on",
                self.folder.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_over_when_something_is_stored_or_nobody_asks_any_more() {
        let storage = Storage::new(PathBuf::from("/data"));
        assert_eq!(storage.trouble(1_000), None);
        storage.refuses(1_000);
        assert!(storage.trouble(2_000).is_some_and(|text| text.contains("/data")));
        assert_eq!(storage.trouble(1_000 + STANDS_FOR_MILLIS), None);
        storage.refuses(2_000);
        storage.takes();
        assert_eq!(storage.trouble(2_000), None);
    }
}
