//! Writes what cutting costs: JSON and plots under target/bench, a table into docs/benchmarks.md.
//!
//! Rows of other films and encoders that were measured before stay as they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::cuts::{Row, Way};
use super::page::write_section;

/// Writes all three, with the rows of one film and one encoder in the place of older ones.
pub(crate) fn write(root: &Path, new: Vec<Row>) -> Result<()> {
    println!("{}", table(&new));
    let folder = root.join("target/bench");
    let kept = folder.join("cuts.json");
    let mut rows: Vec<Row> = match std::fs::read(&kept) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("{} is no list of earlier rows; remove it", kept.display()))?,
        Err(_) => Vec::new(),
    };
    rows.retain(|old| {
        !new.iter().any(|row| (&row.film, &row.encoder) == (&old.film, &old.encoder))
    });
    rows.extend(new);
    rows.sort_by_key(|row| (row.film.clone(), row.encoder.clone()));
    std::fs::write(&kept, serde_json::to_string_pretty(&rows)?)?;
    std::fs::write(folder.join("cuts.svg"), plot(&rows))?;
    write_section(root, "cuts", &table(&rows))
}

fn name(way: Way) -> String {
    match way {
        Way::Single => "one process".to_owned(),
        Way::Closed => "one process, closed groups".to_owned(),
        Way::Ours => "`segenc`".to_owned(),
        Way::Fixed(seconds) => format!("fixed {seconds} s"),
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| film | encoder | cuts | joins | bits at equal SSIM | seam, mean | seam, worst |\n|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:+.2} % | {:+.2} dB | {:+.2} dB |",
            row.film,
            row.encoder,
            name(row.way),
            row.joins,
            (row.bits - 1.0) * 100.0,
            row.seam_mean,
            row.seam_worst,
        );
    }
    text
}

/// Bars of what cutting costs in bits, a group for each film and encoder; the line is one process.
fn plot(rows: &[Row]) -> String {
    const PIXELS_PER_CENT: f64 = 30.0;
    const ZERO: f64 = 330.0;
    let mut groups: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry((&row.film, &row.encoder)).or_default().push(row);
    }
    let (mut drawing, mut y) = (String::new(), 30);
    for ((film, encoder), rows) in groups {
        let _ = write!(drawing, r#"<text x="10" y="{}">{encoder}, {film}</text>"#, y + 14);
        for row in rows {
            y += 20;
            let width = (row.bits - 1.0) * 100.0 * PIXELS_PER_CENT;
            let left = if width < 0.0 { ZERO + width } else { ZERO };
            let colour = if row.way == Way::Ours { "#2b6cb0" } else { "#a0aec0" };
            let _ = write!(
                drawing,
                r#"<text x="30" y="{}">{}</text><rect x="{left:.0}" y="{y}" width="{:.0}" height="16" fill="{colour}"/><text x="{:.0}" y="{}">{:+.1} %</text>"#,
                y + 13,
                name(row.way).trim_matches('`'),
                width.abs(),
                left + width.abs() + 6.0,
                y + 13,
                (row.bits - 1.0) * 100.0,
            );
        }
        y += 34;
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" font-family="sans-serif" font-size="14"><text x="10" y="18">bits at equal SSIM over those of one process</text>{drawing}<line x1="{ZERO}" y1="24" x2="{ZERO}" y2="{y}" stroke="#c53030"/></svg>"##
    )
}
