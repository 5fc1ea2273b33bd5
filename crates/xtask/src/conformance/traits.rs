//! What is odd about each file, as the folder's own README tells it in a table. A folder may have none.

use std::collections::BTreeMap;
use std::path::Path;

/// Traits by file name: the last column of every row of the table.
pub(crate) fn read(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    parse(&text)
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let mut traits = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [file, .., last] = cells.as_slice() {
            traits.insert((*file).to_owned(), (*last).to_owned());
        }
    }
    traits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_is_taken() {
        let traits =
            parse("| file | codec | traits |\n|---|---|---|\n| a.mkv | h264 | VFR, HLG |\n");
        assert_eq!(traits.get("a.mkv").map(String::as_str), Some("VFR, HLG"));
    }
}
