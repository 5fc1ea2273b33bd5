//! The sections of docs/benchmarks.md that programs write: each stands between two marks of its name.

use std::path::Path;

use anyhow::{Context, Result};

/// Replaces what stands in a section.
pub(crate) fn write_section(root: &Path, name: &str, text: &str) -> Result<()> {
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let path = root.join("docs/benchmarks.md");
    let page = std::fs::read_to_string(&path).context("docs/benchmarks.md cannot be read")?;
    let (head, rest) =
        page.split_once(&begin).with_context(|| format!("docs/benchmarks.md lacks {begin}"))?;
    let (_, tail) =
        rest.split_once(&end).with_context(|| format!("docs/benchmarks.md lacks {end}"))?;
    std::fs::write(&path, format!("{head}{begin}\n{text}{end}{tail}"))
        .context("docs/benchmarks.md cannot be written")
}
