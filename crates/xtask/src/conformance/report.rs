//! The results as JSON for programs, and as a page for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::case::{Outcome, Verdict};

/// Points named in a row of the page; the JSON has all.
const POINTS_SHOWN: usize = 3;

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
            Verdict::Exact | Verdict::BothFail | Verdict::LeftOut | Verdict::Lossy => false,
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

    fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Outcome> {
        self.outcomes.values().filter(move |outcome| outcome.verdict == verdict)
    }

    /// `exact / tried`, and what stands apart.
    pub(crate) fn summary(&self) -> String {
        let exact = self.of(Verdict::Exact).count();
        let others = self.of(Verdict::Differs).count() + self.of(Verdict::Lossy).count();
        format!("{exact} / {} exact", exact + others)
    }

    /// Writes docs/conformance.md.
    pub(crate) fn write_page(&self, root: &Path) -> Result<()> {
        let path = root.join("docs/conformance.md");
        std::fs::write(&path, self.page())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn page(&self) -> String {
        let mut text = String::from(
            "# Exactness on real files\n\nWritten by `cargo xtask conformance DIR`. Each file is made once by one \
             plain ffmpeg (`-c copy -c:v ENCODER -fps_mode passthrough -enc_time_base -1`) and once by \
             `segenc encode --segment-seconds 1` with the same encoder: `ffv1` into Matroska, and for MP4, MOV and Matroska \
             sources also `libx264 -qp 0 -preset ultrafast` into MP4. Compared: every decoded picture, the times \
             of all streams, rising DTS, the list of streams, chapters, tags, dispositions, bytes and durations \
             of copied packets, colours, aspect ratio, side data, duration.\n\n",
        );
        let cut = self.of(Verdict::Exact).filter(|outcome| outcome.way == "segments");
        let (cut, segments) =
            cut.fold((0_u64, 0_u64), |(count, sum), one| (count + 1, sum + one.segments));
        let _ = writeln!(
            text,
            "**{}**; {cut} of the exact ones were cut, into {segments} segments, the others made in one \
             piece. {} more cannot be made by plain ffmpeg.\n",
            self.summary(),
            self.of(Verdict::BothFail).count() + self.of(Verdict::OnlyPlainFails).count()
        );
        table(&mut text, "Not exact", self.of(Verdict::Differs));
        let lossy =
            "Exact but for pictures that plain ffmpeg does not keep either, or not twice alike";
        table(&mut text, lossy, self.of(Verdict::Lossy));
        table(&mut text, "Exact", self.of(Verdict::Exact));
        table(&mut text, "Plain ffmpeg fails, and so does segenc", self.of(Verdict::BothFail));
        table(&mut text, "Plain ffmpeg fails, segenc does not", self.of(Verdict::OnlyPlainFails));
        table(&mut text, "Not tried: too large for this run", self.of(Verdict::LeftOut));
        text
    }
}

fn table<'a>(text: &mut String, title: &str, outcomes: impl Iterator<Item = &'a Outcome>) {
    let mut outcomes = outcomes.peekable();
    if outcomes.peek().is_none() {
        return;
    }
    let _ = write!(
        text,
        "## {title}\n\n| file | traits | output | result | way |\n|---|---|---|---|---|\n"
    );
    for outcome in outcomes {
        let result = if outcome.points.is_empty() {
            "exact".to_owned()
        } else {
            let shown = outcome.points.iter().take(POINTS_SHOWN).map(String::as_str);
            let more = outcome.points.len().saturating_sub(POINTS_SHOWN);
            let more = if more > 0 { format!("; {more} more") } else { String::new() };
            format!("{}{more}", shown.collect::<Vec<_>>().join("; "))
        };
        let way = match outcome.way.as_str() {
            "segments" => format!("{} segments", outcome.segments),
            "whole" => format!("whole: {}", outcome.reason),
            _ => String::new(),
        };
        let cells = [&outcome.file, &outcome.traits, &outcome.output, &result, &way];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "/")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
}
