//! Presets: those that the server was started with, and own ones that operators write on the page.
//!
//! Own ones are a small file of the data folder, read once and replaced as a whole. Whether the options of one are
//! any good is not decided here.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use segenc_proto::rest::PresetView;

use crate::data_dir::write_private;

/// A list that people read.
const OWN_MAX: usize = 1_000;

/// All presets.
#[derive(Debug)]
pub(crate) struct Presets {
    given: Vec<PresetView>,
    path: PathBuf,
    own: Mutex<BTreeMap<String, PresetView>>,
}

/// Why a preset was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PresetsError {
    #[error("there are {OWN_MAX} presets already")]
    TooMany,
    #[error("cannot write the presets to {}", path.display())]
    NotWritten { path: PathBuf, source: io::Error },
}

impl Presets {
    /// Reads the own presets.
    pub(crate) fn open(path: PathBuf, given: Vec<PresetView>) -> io::Result<Self> {
        let own = Mutex::new(read(&path)?);
        Ok(Self { given, path, own })
    }

    /// All of them by name; an own one hides another of its name.
    pub(crate) fn all(&self) -> Vec<PresetView> {
        let mut all: BTreeMap<String, PresetView> =
            self.given.iter().map(|preset| (preset.name.clone(), preset.clone())).collect();
        all.extend(self.lock().clone());
        all.into_values().collect()
    }

    /// Keeps an own one, in the place of one of its name.
    pub(crate) fn keep(&self, preset: PresetView) -> Result<(), PresetsError> {
        let mut own = self.lock();
        if own.len() >= OWN_MAX && !own.contains_key(&preset.name) {
            return Err(PresetsError::TooMany);
        }
        let mut next = own.clone();
        next.insert(preset.name.clone(), PresetView { own: true, ..preset });
        self.write(&next)?;
        *own = next;
        Ok(())
    }

    /// Forgets an own one; `false` if there was none.
    pub(crate) fn forget(&self, name: &str) -> Result<bool, PresetsError> {
        let mut own = self.lock();
        let mut next = own.clone();
        if next.remove(name).is_none() {
            return Ok(false);
        }
        self.write(&next)?;
        *own = next;
        Ok(true)
    }

    fn write(&self, own: &BTreeMap<String, PresetView>) -> Result<(), PresetsError> {
        let list: Vec<&PresetView> = own.values().collect();
        let failed = |source| PresetsError::NotWritten { path: self.path.clone(), source };
        let text = serde_json::to_string_pretty(&list).map_err(|error| failed(error.into()))?;
        write_private(&self.path, &text).map_err(failed)
    }

    /// A panic while it was held cannot have left half a list: it is replaced as a whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, PresetView>> {
        self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn read(path: &Path) -> io::Result<BTreeMap<String, PresetView>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let list: Vec<PresetView> = serde_json::from_str(&text)?;
    Ok(list.into_iter().map(|preset| (preset.name.clone(), preset)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset(name: &str, title: &str) -> PresetView {
        PresetView {
            name: name.to_owned(),
            title: title.to_owned(),
            about: String::new(),
            args: vec!["-c:v".to_owned(), "libx264".to_owned()],
            own: false,
        }
    }

    #[test]
    fn own_presets_hide_those_of_their_name_and_outlive_the_server() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("presets.json");
        let given = || vec![preset("h264", "built in")];
        let presets = Presets::open(path.clone(), given()).expect("nothing is there");
        presets.keep(preset("h264", "mine")).expect("it is kept");
        presets.keep(preset("other", "too")).expect("it is kept");
        let again = Presets::open(path, given()).expect("it is read");
        let told = |presets: &Presets| -> Vec<(String, bool)> {
            presets.all().into_iter().map(|preset| (preset.title, preset.own)).collect()
        };
        assert_eq!(told(&again), [("mine".to_owned(), true), ("too".to_owned(), true)]);
        assert!(again.forget("h264").expect("it is written"));
        assert!(!again.forget("h264").expect("nothing is written"));
        assert_eq!(told(&again), [("built in".to_owned(), false), ("too".to_owned(), true)]);
    }
}
