//! Writes what cutting costs: JSON under target/bench, a plot and a table into docs.
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
    std::fs::write(root.join("docs/cuts.svg"), plot(&rows))?;
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

/// One measure as bars from a line that means "as one process".
struct Bars {
    title: &'static str,
    unit: &'static str,
    /// Where the line stands, and how far from it a unit is, in pixels.
    zero: f64,
    scale: f64,
    value: fn(&Row) -> f64,
}

const BARS: [Bars; 2] = [
    Bars {
        title: "bits at equal SSIM over those of one process",
        unit: "%",
        zero: 330.0,
        scale: 20.0,
        value: |row| (row.bits - 1.0) * 100.0,
    },
    Bars {
        title: "SSIM of frames beside a join over that of one process",
        unit: "dB",
        zero: 1000.0,
        scale: 60.0,
        value: |row| row.seam_mean,
    },
];

impl Bars {
    fn bar(&self, row: &Row, y: i32) -> String {
        let value = (self.value)(row);
        let width = value * self.scale;
        let left = self.zero + width.min(0.0);
        let colour = if row.way == Way::Ours { "#2b6cb0" } else { "#a0aec0" };
        format!(
            r#"<rect x="{left:.0}" y="{y}" width="{:.0}" height="16" fill="{colour}"/><text x="{:.0}" y="{}">{value:+.1} {}</text>"#,
            width.abs(),
            left + width.abs() + 6.0,
            y + 13,
            self.unit,
        )
    }

    fn frame(&self, height: i32) -> String {
        let Self { title, zero, .. } = self;
        format!(
            r##"<text x="{:.0}" y="18">{title}</text><line x1="{zero}" y1="28" x2="{zero}" y2="{height}" stroke="#c53030"/>"##,
            zero - 170.0,
        )
    }
}

/// Bars of what cutting costs in bits and at the seams, a group for each film and encoder; a line is one process.
fn plot(rows: &[Row]) -> String {
    let mut groups: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry((&row.film, &row.encoder)).or_default().push(row);
    }
    let (mut drawing, mut y) = (String::new(), 34);
    for ((film, encoder), rows) in groups {
        let _ = write!(drawing, r#"<text x="10" y="{}">{encoder}, {film}</text>"#, y + 14);
        for row in rows {
            y += 20;
            let name = name(row.way);
            let name = name.trim_matches('`');
            let _ = write!(drawing, r#"<text x="20" y="{}">{name}</text>"#, y + 13);
            drawing.extend(BARS.iter().map(|bars| bars.bar(row, y)));
        }
        y += 34;
    }
    drawing.extend(BARS.iter().map(|bars| bars.frame(y)));
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="1240" height="{y}" font-family="sans-serif" font-size="14"><rect width="100%" height="100%" fill="white"/>{drawing}</svg>"##
    )
}
