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

/// Prints the manual: the page of the program, then one for each command.
pub(crate) fn man() -> anyhow::Result<()> {
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    clap_mangen::Man::new(program.clone()).render(&mut pages)?;
    for command in program.get_subcommands() {
        clap_mangen::Man::new(command.clone()).render(&mut pages)?;
    }
    terminal::raw(&pages);
    Ok(())
}
