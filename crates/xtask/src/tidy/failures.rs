//! Every failure reason that a user can meet has a heading in `docs/failures.md`, and no heading is dead.
//!
//! Reads code as text: the string literals, and what stands before each. Must not know single reasons.

use std::collections::BTreeSet;

use super::SourceFile;

const BOOK: &str = "docs/failures.md";

/// What stands right before a reason where it is handed on by its name.
const OPENERS: &[&str] = &[
    "reason(",
    "reason:",
    "Problem { kind:",
    "conflict(",
    "unprocessable(",
    "bad_request(",
    "forbidden(",
];

/// Types whose variant stands right before a reason, as in `failed(FailureKind::Worker, "disk-full", …)`.
const COMPANIONS: &[&str] = &["FailureKind::", "StatusCode::"];

/// Reasons in the code without a heading, and headings that no code gives any more.
pub(super) fn undocumented(files: &[SourceFile]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut headings: BTreeSet<&str> = BTreeSet::new();
    for heading in files.iter().filter(|file| file.path == BOOK).flat_map(|file| headed(&file.text))
    {
        if !headings.insert(heading) {
            complaints.push(format!("{BOOK}: has two headings for the reason `{heading}`"));
        }
    }
    let mut given: BTreeSet<String> = BTreeSet::new();
    for file in files.iter().filter(|file| meets_users(file)) {
        given.extend(reasons(&file.text));
    }
    let missing = given
        .iter()
        .filter(|reason| !headings.contains(reason.as_str()))
        .map(|reason| format!("{BOOK}: has no heading for the reason `{reason}`"));
    let dead = headings
        .iter()
        .filter(|heading| !given.contains(**heading))
        .map(|heading| format!("{BOOK}: `{heading}` is given by no code"));
    complaints.extend(missing.chain(dead));
    complaints
}

fn headed(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("## `")?.split('`').next())
}

/// Code whose reasons reach people: not tests, and not the simulator, which draws its failures.
fn meets_users(file: &SourceFile) -> bool {
    let is_code = file.path.ends_with(".rs") || file.path.ends_with(".py");
    is_code && !file.is_for_tests() && !file.path.starts_with("crates/segenc-sim/")
}

/// All reasons that a file gives.
fn reasons(text: &str) -> Vec<String> {
    let code = without_tests(text);
    let mut reader = Reader { rest: &code, before: String::new() };
    let mut found = Vec::new();
    while let Some(literal) = reader.next_literal() {
        if is_reason_name(&literal) && is_given(reader.before.trim_end()) {
            found.push(literal.clone());
        }
        reader.before.push_str("\"\"");
    }
    found
}

/// The code up to the tests written into it, without lines that are comments. A file of tests beside it is
/// only named, and the code goes on behind the name.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens_tests = lines.peek().is_some_and(|next| next.trim_end().ends_with('{'));
        if line.trim() == "#[cfg(test)]" && opens_tests {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// Lower-case words with hyphens.
fn is_reason_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit())
}

/// Whether a literal behind this code is a reason that somebody gives.
fn is_given(before: &str) -> bool {
    OPENERS.iter().any(|opener| before.ends_with(opener))
        || before.ends_with("reason=")
        || follows_companion(before)
        || is_constant(before)
        || is_outcome_of_reason(before)
}

fn without_last_name(text: &str) -> &str {
    text.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

fn follows_companion(before: &str) -> bool {
    let Some(before) = before.strip_suffix(',') else { return false };
    let path = without_last_name(before);
    let variant = &before[path.len()..];
    // The example worker in Python writes the kinds as the .proto has them.
    variant.starts_with("FAILURE_KIND_")
        || (!variant.is_empty() && COMPANIONS.iter().any(|companion| path.ends_with(companion)))
}

/// `const REASON_LATE: &str =`, and with `REASON` in another place.
fn is_constant(before: &str) -> bool {
    let Some(rest) = before.strip_suffix('=') else { return false };
    let Some(rest) = rest.trim_end().strip_suffix(": &str") else { return false };
    let kept = without_last_name(rest);
    kept.trim_end().ends_with("const") && rest[kept.len()..].split('_').any(|word| word == "REASON")
}

/// What a branch answers in a function whose name speaks of a reason, or in `let reason = …`.
fn is_outcome_of_reason(before: &str) -> bool {
    if !before.ends_with("=>") && !before.ends_with('{') && !before.ends_with(" =") {
        return false;
    }
    let bound = before.rfind("let reason = ").is_some_and(|start| !before[start..].contains(';'));
    let answered = before.rfind("fn ").is_some_and(|start| {
        let name = before[start..].trim_start_matches("fn ").split('(').next().unwrap_or_default();
        name.split('_').any(|word| word == "reason")
    });
    bound || answered
}

/// Goes through code from literal to literal.
struct Reader<'a> {
    rest: &'a str,
    /// The code before, runs of white space as one space, literals emptied.
    before: String,
}

impl Reader<'_> {
    fn next_literal(&mut self) -> Option<String> {
        loop {
            let next = self.rest.chars().next()?;
            if next == '"' {
                return Some(self.quoted());
            }
            let skipped = self.character().unwrap_or(next.len_utf8());
            let (code, rest) = self.rest.split_at(skipped);
            self.rest = rest;
            if next.is_whitespace() {
                if !self.before.ends_with(' ') {
                    self.before.push(' ');
                }
            } else {
                self.before.push_str(code);
            }
        }
    }

    /// The length of a literal of one character, where one begins here: it may be a quotation mark.
    fn character(&self) -> Option<usize> {
        let rest = self.rest.strip_prefix('\'')?;
        let escaped = usize::from(rest.starts_with('\\'));
        let shown = rest.chars().nth(escaped)?;
        let length = escaped + shown.len_utf8();
        rest[length..].starts_with('\'').then_some(length + 2)
    }

    /// The text up to the closing mark, which for `r#"…"#` has as many signs as the opening one.
    fn quoted(&mut self) -> String {
        let prefix = self.before.trim_end_matches('#');
        let signs = self.before.len() - prefix.len();
        let is_raw = matches!(&prefix[without_last_name(prefix).len()..], "r" | "br");
        let end = format!("\"{}", "#".repeat(if is_raw { signs } else { 0 }));
        let inside = &self.rest[1..];
        let mut at = 0;
        while at < inside.len() && !inside[at..].starts_with(&end) {
            let escape = usize::from(!is_raw && inside[at..].starts_with('\\'));
            at += escape;
            at += inside[at..].chars().next().map_or(0, char::len_utf8);
        }
        self.rest = inside.get(at + end.len()..).unwrap_or_default();
        inside[..at].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_found_in_all_their_spellings() {
        let spellings = [
            ("halt.reason(\"disk-full\")", "disk-full"),
            ("Failure { kind, reason: \"disk-full\".to_owned() }", "disk-full"),
            ("const REASON_LATE: &str = \"too-late\";", "too-late"),
            ("pub(super) const REASON_LATE: &str =\n    \"too-late\";", "too-late"),
            ("Self::conflict(\"stale-attempt\", detail)", "stale-attempt"),
            ("Problem::unprocessable(\n    \"bad-verify\",\n    detail)", "bad-verify"),
            ("Problem::new(\n    StatusCode::GONE,\n    \"file-gone\",", "file-gone"),
            ("Self::new(StatusCode::BAD_GATEWAY, \"stopping\", detail)", "stopping"),
            ("WorkError::failed(FailureKind::Worker, \"scratch-unusable\", m)", "scratch-unusable"),
            ("sign(\n    FailureKind::Task,\n    \"odd-size\",\n    \"text\",", "odd-size"),
            ("Error::X => (FailureKind::Transient, \"killed\"),", "killed"),
            ("Problem {\n    kind: \"not-let-in\".to_owned(),", "not-let-in"),
            ("raise Failed(log, pb.FAILURE_KIND_TASK, \"no-media\")", "no-media"),
            ("FailRequest(kind=pb.WORKER,\n    reason=\"program-failed\"", "program-failed"),
        ];
        for (code, reason) in spellings {
            assert_eq!(reasons(code), [reason], "{code}");
        }
    }

    #[test]
    fn every_branch_of_a_reason_is_found() {
        let bound =
            "let reason = if x == \"a-word\" {\n\"no-a\"\n} else {\n\"no-b\"\n};\nf(\"no-c\");";
        assert_eq!(reasons(bound), ["no-a", "no-b"]);
        let answered = "fn storing_reason(k: Kind) -> &'static str {\n    match k {\n        \
            Kind::A => \"disk-full\",\n        _ => \"unusable\",\n    }\n}\nfn other() { \"no-d\" }";
        assert_eq!(reasons(answered), ["disk-full", "unusable"]);
    }

    #[test]
    fn words_that_are_no_reasons_are_left_alone() {
        for code in [
            "#[expect(lint, reason = \"generated\")]",
            "header(\"upload-offset\", 3)",
            "match reason { \"disk-full\" => hint() }",
            "const UPLOAD_OFFSET: &str = \"upload-offset\";",
            "Whole { reason: \"the video is copied\".to_owned() }",
            "// reason: \"said-in-a-comment\"",
            "#[cfg(test)]\nmod tests {\n    reason: \"said-in-a-test\"\n}",
        ] {
            assert!(reasons(code).is_empty(), "{code}");
        }
    }

    #[test]
    fn quotation_marks_of_other_kinds_do_not_confuse() {
        for before in
            ["x == '\"';", "x == '\\'';", "r\"\\\";", "r#\"a\"b\"#;", "\"a\\\"b\";", "&'a str;"]
        {
            let code = format!("f() {before} reason(\"disk-full\")");
            assert_eq!(reasons(&code), ["disk-full"], "{code}");
        }
    }

    #[test]
    fn code_behind_the_name_of_a_test_file_is_still_read() {
        assert_eq!(reasons("#[cfg(test)]\nmod tests;\nreason(\"disk-full\")"), ["disk-full"]);
    }

    #[test]
    fn missing_dead_and_double_headings_are_found() {
        let book = "## `gone-away`\n## `known`\n## `known`\n";
        let code = "reason: \"disk-full\", reason: \"known\"";
        let files = [
            SourceFile { path: BOOK.to_owned(), text: book.to_owned() },
            SourceFile { path: "crates/a/src/b.rs".to_owned(), text: code.to_owned() },
            SourceFile {
                path: "crates/segenc-sim/src/b.rs".to_owned(),
                text: "reason: \"drawn\"".to_owned(),
            },
        ];
        let complaints = undocumented(&files);
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        for (complaint, reason) in complaints.iter().zip(["known", "disk-full", "gone-away"]) {
            assert!(complaint.contains(reason), "{complaint}");
        }
    }
}
