//! Writes what was measured: JSON and a plot under target/bench, a table into docs/benchmarks.md.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::measure::Cost;
use super::one_machine::Row;
use super::page::write_section;

/// Writes all three.
pub(crate) fn write(root: &Path, film: &Path, rows: &[Row]) -> Result<()> {
    let folder = root.join("target/bench");
    std::fs::write(folder.join("one-machine.json"), serde_json::to_string_pretty(rows)?)?;
    std::fs::write(folder.join("one-machine.svg"), plot(rows))?;
    let table = table(film, rows);
    println!("{table}");
    write_section(root, "one-machine", &table)
}

fn table(film: &Path, rows: &[Row]) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let name = film.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let runs = rows.first().map_or(0, |row| row.plain.len());
    let mut text = format!("Film: `{name}`, {cores} cores, medians of {runs}.\n\n");
    text.push_str("| options | wall | CPU | wall, `--verify full` | CPU | size |\n|---|---|---|---|---|---|\n");
    let (wall, cpu) = (|cost: &Cost| cost.wall, |cost: &Cost| cost.cpu);
    for row in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {:.2} × | {:.2} × | {:.2} × | {:.2} × | {:.3} × |",
            row.options,
            row.ratio(&row.usual, wall),
            row.ratio(&row.usual, cpu),
            row.ratio(&row.full, wall),
            row.ratio(&row.full, cpu),
            row.size_ratio,
        );
    }
    text
}

/// Bars of wall time over plain ffmpeg's; the line is plain ffmpeg itself.
fn plot(rows: &[Row]) -> String {
    let mut bars = String::new();
    for (number, row) in rows.iter().enumerate() {
        let y = 30 + 60 * number;
        for (offset, side, colour) in [(0, &row.usual, "#2b6cb0"), (22, &row.full, "#63b3ed")] {
            let width = 300.0 * row.ratio(side, |cost| cost.wall);
            let _ = write!(
                bars,
                r#"<rect x="110" y="{}" width="{width:.0}" height="18" fill="{colour}"/>"#,
                y + offset
            );
        }
        let _ = write!(bars, r#"<text x="10" y="{}">{}</text>"#, y + 26, row.encoder);
    }
    let height = 40 + 60 * rows.len();
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="560" height="{height}" font-family="sans-serif" font-size="14"><text x="10" y="18">wall time ÷ plain ffmpeg (dark: as usual, light: --verify full)</text>{bars}<line x1="410" y1="24" x2="410" y2="{height}" stroke="#c53030"/></svg>"##
    )
}
