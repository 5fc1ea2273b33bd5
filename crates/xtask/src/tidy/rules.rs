//! Rules that look at one file.

use super::SourceFile;

/// A rule: complaints about a file.
type Rule = fn(&SourceFile) -> Vec<String>;

/// All rules.
pub(super) const RULES: &[Rule] = &[
    opens_with_its_purpose,
    is_not_too_long,
    has_a_telling_name,
    core_is_pure,
    only_the_runner_starts_processes,
    only_media_speaks_ffmpeg,
    names_no_machine,
    uses_the_words_of_the_field,
    leaves_no_marks,
];

/// Longest file, without its tests.
const MAX_LINES: usize = 500;

fn is_rust(file: &SourceFile) -> bool {
    file.path.ends_with(".rs")
}

fn opens_with_its_purpose(file: &SourceFile) -> Vec<String> {
    if !is_rust(file) || file.text.starts_with("//!") {
        return Vec::new();
    }
    vec!["does not open with `//!` and what it owns".to_owned()]
}

fn is_not_too_long(file: &SourceFile) -> Vec<String> {
    let lines = file.lines_without_tests().count();
    if !is_rust(file) || lines <= MAX_LINES || file.path.ends_with("tests.rs") {
        return Vec::new();
    }
    vec![format!("has {lines} lines without its tests; {MAX_LINES} are enough for one subject")]
}

fn has_a_telling_name(file: &SourceFile) -> Vec<String> {
    let stem = file.path.rsplit('/').next().and_then(|name| name.split('.').next());
    let empty = ["util", "utils", "common", "helper", "helpers", "manager", "misc"];
    match stem {
        Some(stem) if is_rust(file) && empty.contains(&stem) => {
            vec![format!("`{stem}` says nothing about what is inside")]
        }
        _ => Vec::new(),
    }
}

fn core_is_pure(file: &SourceFile) -> Vec<String> {
    if !file.path.starts_with("crates/segenc-core/src/") || file.is_for_tests() {
        return Vec::new();
    }
    let absent = [
        "async fn",
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "SystemTime",
        "Instant::now",
        "rand::",
        "getrandom",
        "serde_json",
        "tokio",
    ];
    complain_of(file, &absent, "the core performs no I/O, reads no clock, draws no random number")
}

fn only_the_runner_starts_processes(file: &SourceFile) -> Vec<String> {
    let allowed = file.path == "crates/segenc-media/src/runner.rs" || file.is_for_tests();
    if !is_rust(file) || allowed {
        return Vec::new();
    }
    complain_of(
        file,
        &["Command::new(", "process::Command"],
        "only segenc-media's runner starts a process",
    )
}

fn only_media_speaks_ffmpeg(file: &SourceFile) -> Vec<String> {
    let silent = ["crates/segenc-core/src/", "crates/segenc-server/src/", "crates/segenc-sim/src/"];
    if !silent.iter().any(|folder| file.path.starts_with(folder)) || file.is_for_tests() {
        return Vec::new();
    }
    let words = [
        "\"-c:v\"",
        "\"-vf\"",
        "\"-map\"",
        "\"-i\"",
        "\"-ss\"",
        "\"-copyts\"",
        "\"ffmpeg\"",
        "\"ffprobe\"",
    ];
    complain_of(file, &words, "only segenc-media knows ffmpeg's command line")
}

fn names_no_machine(file: &SourceFile) -> Vec<String> {
    if file.path.ends_with(".lock") {
        return Vec::new();
    }
    // Spelt in halves, so that this file does not complain of itself.
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/")];
    let mut complaints = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for place in places {
            let begins_a_path = line.find(place).is_some_and(|at| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_.-}/".contains(c))
            });
            if begins_a_path {
                complaints.push(format!("line {}: names a path of one machine", number + 1));
            }
        }
    }
    complaints
}

fn uses_the_words_of_the_field(file: &SourceFile) -> Vec<String> {
    if !is_rust(file) || file.path.starts_with("crates/xtask/") {
        return Vec::new();
    }
    let words = [
        ("subjob", "task"),
        ("chunk_index", "segment index"),
        ("num_chunks", "number of segments"),
    ];
    let mut complaints = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for (word, instead) in words {
            if line.contains(word) {
                complaints.push(format!("line {}: `{word}` is called {instead} here", number + 1));
            }
        }
    }
    complaints
}

fn leaves_no_marks(file: &SourceFile) -> Vec<String> {
    if !is_rust(file) || file.path.starts_with("crates/xtask/") {
        return Vec::new();
    }
    let marks = ["todo!(", "unimplemented!(", "dbg!(", "FIXME", "XXX", "#[ignore"];
    complain_of(file, &marks, "left unfinished")
}

fn complain_of(file: &SourceFile, absent: &[&str], reason: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in file.lines_without_tests().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        for word in absent {
            if code.contains(word) {
                complaints.push(format!("line {}: `{word}`: {reason}", number + 1));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_clock_in_the_core_is_found() {
        let complaints =
            core_is_pure(&file("crates/segenc-core/src/a.rs", "//! A.\nlet now = Instant::now();"));
        assert_eq!(complaints.len(), 1);
    }

    #[test]
    fn a_comment_may_speak_of_anything() {
        assert!(
            core_is_pure(&file("crates/segenc-core/src/a.rs", "//! No async fn here.")).is_empty()
        );
    }

    #[test]
    fn a_second_place_that_starts_processes_is_found() {
        let text = "//! A.\nlet child = Command::new(\"x\");";
        assert_eq!(
            only_the_runner_starts_processes(&file("crates/segenc/src/a.rs", text)).len(),
            1
        );
        assert!(
            only_the_runner_starts_processes(&file("crates/segenc-media/src/runner.rs", text))
                .is_empty()
        );
    }

    #[test]
    fn long_files_are_found_but_tests_do_not_count() {
        let long = format!("//! A.\n{}", "x\n".repeat(MAX_LINES));
        assert_eq!(is_not_too_long(&file("a.rs", &long)).len(), 1);
        let tested = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}", "x\n".repeat(MAX_LINES));
        assert!(is_not_too_long(&file("a.rs", &tested)).is_empty());
        let elsewhere = format!("//! A.\n#[cfg(test)]\nmod tests;\n{}", "x\n".repeat(MAX_LINES));
        assert_eq!(is_not_too_long(&file("a.rs", &elsewhere)).len(), 1);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let text = format!("see {}main for more", concat!("/wo", "rk/"));
        assert_eq!(names_no_machine(&file("README.md", &text)).len(), 1);
        let other = format!("src{}x", concat!("/wo", "rk/"));
        assert!(names_no_machine(&file("README.md", &other)).is_empty());
    }
}
