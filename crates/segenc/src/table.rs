//! Tables that fit the terminal: columns as wide as their content, the last one cut where room ends.
//!
//! Knows nothing of what is listed.

use crate::quantities::cut;
use crate::terminal;

/// Between two columns.
const GAP: &str = "  ";

/// Prints rows under a heading. Every row has as many cells as the heading.
pub(crate) fn print<const COLUMNS: usize>(heading: [&str; COLUMNS], rows: &[[String; COLUMNS]]) {
    for line in lines(heading, rows, terminal::table_width()) {
        terminal::result(&line);
    }
}

fn lines<const COLUMNS: usize>(
    heading: [&str; COLUMNS],
    rows: &[[String; COLUMNS]],
    width: Option<usize>,
) -> Vec<String> {
    let heading = heading.map(str::to_owned);
    let all = || std::iter::once(&heading).chain(rows);
    let widths: Vec<usize> = (0..COLUMNS)
        .map(|column| all().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    all()
        .map(|row| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let line = cells.join(GAP).trim_end().to_owned();
            width.map_or(line.clone(), |width| cut(&line, width))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_long_lines_are_cut() {
        let rows = [["1".to_owned(), "a long name".to_owned()], ["22".to_owned(), "b".to_owned()]];
        assert_eq!(lines(["id", "name"], &rows, None), ["id  name", "1   a long name", "22  b"]);
        assert_eq!(lines(["id", "name"], &rows, Some(8))[1], "1   a l…");
    }
}
