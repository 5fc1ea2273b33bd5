//! The only place that writes to the terminal: results on stdout, talk and progress on stderr.
//!
//! Knows nothing of jobs. Lines go past a progress bar without tearing it.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::quantities::cut;

static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Writes one line of a result to stdout.
///
/// A reader that has gone (`segenc jobs list | head`) is no error: nobody is left to be told.
pub(crate) fn result(line: &str) {
    BARS.suspend(|| {
        let mut stdout = io::stdout().lock();
        let _ = writeln!(stdout, "{}", harmless(line));
        let _ = stdout.flush();
    });
}

/// Writes bytes that are no line, such as a generated script, to stdout.
pub(crate) fn raw(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    // As with lines: a reader that has gone does not care.
    let _ = stdout.write_all(bytes);
    let _ = stdout.flush();
}

/// Tells the user something on stderr.
pub(crate) fn say(line: &str) {
    BARS.suspend(|| {
        let _ = writeln!(io::stderr().lock(), "{}", harmless(line));
    });
}

/// The text without what would steer the terminal: names of files and logs come from anywhere.
fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(steers) {
        Cow::Owned(text.replace(steers, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Shows a bar at the bottom of stderr.
pub(crate) fn bar() -> ProgressBar {
    BARS.add(ProgressBar::no_length())
}

/// Shows a bar for `size` bytes that are being moved, if somebody is there to see it.
pub(crate) fn transfer_bar(verb: &'static str, size: u64) -> ProgressBar {
    if !is_interactive() {
        return ProgressBar::hidden();
    }
    let bar = bar();
    // A template that cannot be read leaves the library's plain bar, which is no reason to stop.
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:24}] {bytes} of {total_bytes}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(verb);
    bar.set_length(size);
    bar
}

/// Whether a moving bar makes sense.
pub(crate) fn is_interactive() -> bool {
    io::stderr().is_terminal()
}

/// How wide a table may be; `None` where the output is no terminal and nothing needs to be cut.
pub(crate) fn table_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .or_else(|| Term::stdout().size_checked().map(|(_, columns)| usize::from(columns)))
}

/// Whether colours make sense on stderr: a person looks, and does not refuse them (<https://no-color.org>).
pub(crate) fn wants_colour() -> bool {
    is_interactive() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Rows and columns of a terminal that does not tell.
const SIZE_DEFAULT: (usize, usize) = (24, 80);

/// A picture on stdout that is drawn again in its place.
#[derive(Debug)]
pub(crate) struct Screen {
    term: Term,
    drawn: usize,
}

impl Screen {
    /// The terminal, if stdout is one.
    pub(crate) fn of_stdout() -> Option<Self> {
        let term = Term::stdout();
        term.is_term().then_some(Self { term, drawn: 0 })
    }

    /// Lines that fit into it, with one left for the cursor.
    pub(crate) fn lines_max(&self) -> usize {
        self.size().0.saturating_sub(1)
    }

    /// Draws these lines in the place of those before.
    pub(crate) fn draw(&mut self, lines: &[String]) {
        let columns = self.size().1;
        // A terminal that does not follow shows an old picture, and the next one is drawn all the same.
        let _ = self.term.clear_last_lines(self.drawn);
        for line in lines {
            let _ = self.term.write_line(&cut(&harmless(line), columns));
        }
        self.drawn = lines.len();
    }

    fn size(&self) -> (usize, usize) {
        self.term
            .size_checked()
            .map_or(SIZE_DEFAULT, |(rows, columns)| (usize::from(rows), usize::from(columns)))
    }
}

/// Where log lines go: to stderr, past the bar.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\rc\td\ne"), "a\u{fffd}[31mb\u{fffd}c\td\ne");
        assert_eq!(harmless("plain ä 🎬"), "plain ä 🎬");
    }
}
