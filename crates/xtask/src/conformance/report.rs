//! The results of a run, as JSON for programs.
//!
//! Must not know how they are told to people.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::case::{Outcome, Verdict};

/// The name of the JSON.
const RESULTS: &str = "results.json";

/// All outcomes, by file and output.
#[derive(Debug, Default)]
pub(crate) struct Results {
    outcomes: BTreeMap<(String, String), Outcome>,
}

impl Results {
    /// What an earlier run left; nothing, if there was none.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join(RESULTS)).unwrap_or_default();
        let all: Vec<Outcome> = serde_json::from_str(&text).unwrap_or_default();
        let mut results = Self::default();
        all.into_iter().for_each(|outcome| results.insert(outcome));
        results
    }

    /// Whether a case was not tried, or did not come out as it should.
    pub(crate) fn wants_again(&self, file: &str, output: &str) -> bool {
        let known = self.outcomes.get(&(file.to_owned(), output.to_owned()));
        known.is_none_or(|outcome| match outcome.verdict {
            Verdict::Differs | Verdict::OnlyPlainFails => true,
            Verdict::Exact
            | Verdict::BothFail
            | Verdict::LeftOut
            | Verdict::Lossy
            | Verdict::Refused
            | Verdict::NotOffered => false,
        })
    }

    pub(crate) fn insert(&mut self, outcome: Outcome) {
        self.outcomes.insert((outcome.file.clone(), outcome.output.clone()), outcome);
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let all: Vec<&Outcome> = self.outcomes.values().collect();
        let path = folder.join(RESULTS);
        let text = serde_json::to_string_pretty(&all)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(crate) fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Outcome> {
        self.outcomes.values().filter(move |outcome| outcome.verdict == verdict)
    }

    /// `exact / tried`, and what stands apart.
    pub(crate) fn summary(&self) -> String {
        let exact = self.of(Verdict::Exact).count();
        let others = self.of(Verdict::Differs).count() + self.of(Verdict::Lossy).count();
        format!("{exact} / {} exact", exact + others)
    }

    /// All of them, by file and output.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.values()
    }

    /// Whether none came out otherwise than it should.
    pub(crate) fn all_exact(&self) -> bool {
        self.of(Verdict::Differs).next().is_none()
    }
}
