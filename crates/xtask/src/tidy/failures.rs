//! Every failure reason that a user can meet has a heading in `docs/failures.md`.

use std::collections::BTreeSet;

use super::SourceFile;

const BOOK: &str = "docs/failures.md";

/// Reasons in the code without a heading, and headings that no code gives any more.
pub(super) fn undocumented(files: &[SourceFile]) -> Vec<String> {
    let headings: BTreeSet<&str> = files
        .iter()
        .filter(|file| file.path == BOOK)
        .flat_map(|file| file.text.lines())
        .filter_map(|line| line.strip_prefix("## `")?.split('`').next())
        .collect();
    let mut given: BTreeSet<String> = BTreeSet::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs") && !file.is_for_tests()) {
        for line in file.lines_without_tests() {
            given.extend(reasons(line));
        }
    }
    let missing = given
        .iter()
        .filter(|reason| !headings.contains(reason.as_str()))
        .map(|reason| format!("{BOOK}: has no heading for the reason `{reason}`"));
    let dead = headings
        .iter()
        .filter(|heading| !given.contains(**heading))
        .map(|heading| format!("{BOOK}: `{heading}` is given by no code"));
    missing.chain(dead).collect()
}

/// Reasons are written as `reason("kebab-case")`, `reason: "kebab-case"` or a constant `REASON…: &str =`.
fn reasons(line: &str) -> Vec<String> {
    let marks = ["reason(\"", "reason: \"", "REASON: &str = \"", "const REASON_", "problem(\""];
    let mut found = Vec::new();
    for mark in marks {
        for rest in line.split(mark).skip(1) {
            let rest = if mark == "const REASON_" {
                rest.split('"').nth(1)
            } else {
                rest.split('"').next()
            };
            let is_kebab = |text: &&str| {
                text.contains('-')
                    && text
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit())
            };
            found.extend(rest.filter(is_kebab).map(str::to_owned));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_found_in_all_their_spellings() {
        assert_eq!(reasons("    reason: \"disk-full\".to_owned(),"), ["disk-full"]);
        assert_eq!(reasons("const REASON_LATE: &str = \"too-late\";"), ["too-late"]);
        assert!(reasons("reason = \"generated code\"").is_empty());
    }

    #[test]
    fn a_reason_without_a_heading_is_found_and_a_dead_heading_too() {
        let files = [
            SourceFile { path: BOOK.to_owned(), text: "## `gone-away`\n".to_owned() },
            SourceFile {
                path: "crates/a/src/b.rs".to_owned(),
                text: "reason: \"disk-full\"".to_owned(),
            },
        ];
        assert_eq!(undocumented(&files).len(), 2);
    }
}
