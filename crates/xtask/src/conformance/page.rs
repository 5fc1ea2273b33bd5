//! The results as pages for people. Every run replaces its own part of a page and leaves the others alone.
//!
//! Must not know how cases are run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::case::{Outcome, Verdict};
use super::report::Results;
use super::suite::Suite;

/// Points named in a row of a page; the JSON has all.
const POINTS_SHOWN: usize = 3;

/// Writes the part of the page that belongs to the suite.
pub(crate) fn write(root: &Path, suite: &Suite, results: &Results) -> Result<()> {
    let (page, text) = match suite {
        Suite::Files(_) => ("docs/conformance.md", by_verdict(FILES, results)),
        Suite::Fixtures => ("docs/conformance.md", by_verdict(FIXTURES, results)),
        Suite::Encoders => ("docs/conformance.md", grid(ENCODERS, "encoder", results)),
        Suite::Containers => ("docs/conformance.md", grid(CONTAINERS, "container", results)),
        Suite::Filters => ("docs/guide/filters.md", filters(results)),
        Suite::Short => return Ok(()),
    };
    let path = root.join(page);
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let new = replaced(&old, suite.name(), &text);
    std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))
}

/// Puts a part into a page, in the place of an older one of this name or at the end.
fn replaced(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
    let part = format!("{begin}\n{}\n{end}", text.trim());
    match (page.find(&begin), page.find(&end)) {
        (Some(start), Some(stop)) if start < stop => {
            format!("{}{part}{}", &page[..start], &page[stop + end.len()..])
        }
        _ if page.trim().is_empty() => format!("{part}\n"),
        _ => format!("{}\n\n{part}\n", page.trim_end()),
    }
}

const FILES: &str = "## Real files\n\nWritten by `cargo xtask conformance DIR`.";

const FIXTURES: &str = "## Hard cases, made\n\nWritten by `cargo xtask conformance`, over the files that `cargo xtask \
    fixtures` makes.";

const ENCODERS: &str = "## Encoders\n\nWritten by `cargo xtask conformance --encoders`. Of encoders that are not \
    lossless the number of pictures is compared, not their contents; all else is compared as above. ✓ with a \
    number: exact, from so many segments; ✓ whole: exact, in one piece.";

const CONTAINERS: &str = "## Containers of the output\n\nWritten by `cargo xtask conformance --containers`. ✓ with a \
    number: exact, from so many segments; ✓ whole: exact, in one piece; `ffmpeg fails`: plain ffmpeg cannot make \
    it, and segenc says so, too.";

fn by_verdict(head: &str, results: &Results) -> String {
    let mut text = format!("{head}\n\n");
    let cut = results.of(Verdict::Exact).filter(|outcome| outcome.way == "segments");
    let (cut, segments) =
        cut.fold((0_u64, 0_u64), |(count, sum), one| (count + 1, sum + one.segments));
    let _ = writeln!(
        text,
        "**{}**; {cut} of the exact ones were cut, into {segments} segments, the others made in one \
         piece. {} more cannot be made by plain ffmpeg.\n",
        results.summary(),
        results.of(Verdict::BothFail).count() + results.of(Verdict::OnlyPlainFails).count()
    );
    table(&mut text, "Not exact", results.of(Verdict::Differs));
    let lossy = "Exact but for pictures that plain ffmpeg does not keep either, or not twice alike";
    table(&mut text, lossy, results.of(Verdict::Lossy));
    table(&mut text, "Refused, as it has to be", results.of(Verdict::Refused));
    let refused = "Refused with a reason, where plain ffmpeg makes something";
    table(&mut text, refused, results.of(Verdict::NotOffered));
    table(&mut text, "Exact", results.of(Verdict::Exact));
    table(&mut text, "Plain ffmpeg fails, and so does segenc", results.of(Verdict::BothFail));
    table(&mut text, "Plain ffmpeg fails, segenc does not", results.of(Verdict::OnlyPlainFails));
    table(&mut text, "Not tried: too large for this run", results.of(Verdict::LeftOut));
    text
}

fn table<'a>(text: &mut String, title: &str, outcomes: impl Iterator<Item = &'a Outcome>) {
    let mut outcomes = outcomes.peekable();
    if outcomes.peek().is_none() {
        return;
    }
    let _ = write!(
        text,
        "### {title}\n\n| file | traits | output | result | way |\n|---|---|---|---|---|\n"
    );
    for outcome in outcomes {
        let result = match outcome.points.as_slice() {
            [] => "exact".to_owned(),
            points => shown(points),
        };
        let way = match outcome.way.as_str() {
            "segments" => format!("{} segments", outcome.segments),
            "whole" => format!("whole: {}", outcome.reason),
            _ => String::new(),
        };
        row(text, &[&outcome.file, &outcome.traits, &outcome.output, &result, &way]);
    }
    text.push('\n');
}

fn shown(points: &[String]) -> String {
    let first = points.iter().take(POINTS_SHOWN).map(String::as_str);
    let more = points.len().saturating_sub(POINTS_SHOWN);
    let more = if more > 0 { format!("; {more} more") } else { String::new() };
    format!("{}{more}", first.collect::<Vec<_>>().join("; "))
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> =
        cells.iter().map(|cell| without_folders(cell).replace('|', "/")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// What ffmpeg says may name files by where they stood on the machine that tried them.
fn without_folders(cell: &str) -> String {
    let words = cell.split(' ').map(|word| {
        let is_path = word.starts_with('/') || word.starts_with("file:/");
        word.rsplit_once('/').filter(|_| is_path).map_or(word, |(_, name)| name)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Outcomes by output, then by file.
fn by_output(results: &Results) -> BTreeMap<&str, BTreeMap<&str, &Outcome>> {
    let mut rows: BTreeMap<&str, BTreeMap<&str, &Outcome>> = BTreeMap::new();
    for outcome in results.all() {
        rows.entry(&outcome.output).or_default().insert(&outcome.file, outcome);
    }
    rows
}

/// A row for each output, a column for each film.
fn grid(head: &str, what: &str, results: &Results) -> String {
    let mut text = format!("{head}\n\n**{}**\n\n", results.summary());
    let rows = by_output(results);
    let mut films: Vec<&str> = results.all().map(|outcome| outcome.file.as_str()).collect();
    films.sort_unstable();
    films.dedup();
    row(&mut text, &[&[what], films.as_slice()].concat());
    let _ = writeln!(text, "|{}", "---|".repeat(films.len() + 1));
    for (output, outcomes) in rows {
        let cells: Vec<String> = films
            .iter()
            .map(|film| outcomes.get(film).map_or(String::new(), |outcome| cell(outcome)))
            .collect();
        let cells: Vec<&str> =
            std::iter::once(output).chain(cells.iter().map(String::as_str)).collect();
        row(&mut text, &cells);
    }
    text
}

fn cell(outcome: &Outcome) -> String {
    match outcome.verdict {
        Verdict::Exact if outcome.way == "segments" => format!("✓ {}", outcome.segments),
        Verdict::Exact => "✓ whole".to_owned(),
        Verdict::Lossy => "✓ but for lossy pictures".to_owned(),
        Verdict::BothFail => "ffmpeg fails".to_owned(),
        Verdict::OnlyPlainFails => "ffmpeg fails, segenc does not".to_owned(),
        Verdict::Refused | Verdict::NotOffered => "refused".to_owned(),
        Verdict::LeftOut => "not tried".to_owned(),
        Verdict::Differs => shown(&outcome.points),
    }
}

fn filters(results: &Results) -> String {
    let mut text = format!(
        "## What becomes of each\n\nWritten by `cargo xtask conformance --filters`, with FFV1 and every pixel \
         compared. **{}**.\n\n| filter | how | compared with plain ffmpeg | why |\n|---|---|---|---|\n",
        results.summary()
    );
    for (filter, outcomes) in by_output(results) {
        let all: Vec<&&Outcome> = outcomes.values().collect();
        let how = |wanted: &str| all.iter().any(|outcome| outcome.way == wanted);
        let way = match (how("segments"), how("whole")) {
            (true, false) => "in segments",
            (true, true) => "in segments, or whole",
            (false, true) => "whole",
            (false, false) => "refused",
        };
        let wrong: Vec<String> = all
            .iter()
            .filter(|outcome| outcome.verdict == Verdict::Differs)
            .map(|outcome| format!("{}: {}", outcome.file, shown(&outcome.points)))
            .collect();
        let exact = all.iter().filter(|outcome| outcome.verdict == Verdict::Exact).count();
        let result = match (wrong.is_empty(), exact) {
            (true, 0) => "–".to_owned(),
            (true, _) => "exact".to_owned(),
            (false, _) => wrong.join("; "),
        };
        let mut reasons: Vec<&str> = all
            .iter()
            .map(|outcome| match outcome.verdict {
                Verdict::NotOffered | Verdict::BothFail => {
                    outcome.points.first().map_or("", |point| point.as_str())
                }
                _ => outcome.reason.as_str(),
            })
            .filter(|reason| !reason.is_empty())
            .collect();
        reasons.sort_unstable();
        reasons.dedup();
        row(&mut text, &[&format!("`{filter}`"), way, &result, &reasons.join("; ")]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_and_others_stay() {
        let page = replaced("# Title\n", "a", "one");
        let page = replaced(&page, "b", "two");
        let page = replaced(&page, "a", "three");
        assert_eq!(
            page,
            "# Title\n\n<!-- begin a -->\nthree\n<!-- end a -->\n\n<!-- begin b -->\ntwo\n<!-- end b -->\n"
        );
    }
}
