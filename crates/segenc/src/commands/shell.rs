//! `segenc completions` and `segenc man`: made from the command line's own definition.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::terminal;

/// Prints a completion script.
pub(crate) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "segenc", &mut script);
    terminal::raw(&script);
}

/// Prints the manual page.
pub(crate) fn man() -> anyhow::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    terminal::raw(&page);
    Ok(())
}
