//! What a shell and `man` want to know of the command line.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

use super::Output;
use crate::cli::exit::{CommandError, CommandExit};

/// `completions`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Print them to where the shell looks for them.\n\nExamples:\n  kustomer-ingest completions bash > \
/usr/share/bash-completion/completions/kustomer-ingest\n  kustomer-ingest completions zsh > ~/.zfunc/_kustomer-ingest\n  \
kustomer-ingest completions fish > ~/.config/fish/completions/kustomer-ingest.fish"
)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `man`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  kustomer-ingest man | man -l -\n  kustomer-ingest man --dir /usr/local/share/man/man1"
)]
pub struct ManArgs {
    /// Write the pages of all commands into this folder, instead of printing the first one.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

pub(in crate::cli) fn completions(
    args: &CompletionsArgs,
    mut command: Command,
    out: &mut Output<'_>,
) -> Result<CommandExit, CommandError> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let script = String::from_utf8(script).context("the completions are no text")?;
    out.line(script.trim_end())?;
    Ok(CommandExit::Good)
}

pub(in crate::cli) fn man(
    args: &ManArgs,
    mut command: Command,
    out: &mut Output<'_>,
) -> Result<CommandExit, CommandError> {
    command.build();
    let Some(dir) = &args.dir else {
        out.line(page(command)?.trim_end())?;
        return Ok(CommandExit::Good);
    };
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut written = 0_usize;
    write_all(&command, dir, &mut written)?;
    out.line(&format!("{written} pages in {}", dir.display()))?;
    Ok(CommandExit::Good)
}

/// A page of the command and of all below it, named as `man` looks for them.
fn write_all(command: &Command, dir: &Path, written: &mut usize) -> Result<(), CommandError> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let file = dir.join(format!("{name}.1"));
    std::fs::write(&file, page(command.clone())?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    *written += 1;
    let visible = command.get_subcommands().filter(|one| !one.is_hide_set());
    for one in visible.filter(|one| one.get_name() != "help") {
        write_all(one, dir, written)?;
    }
    Ok(())
}

fn page(command: Command) -> Result<String, CommandError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .context("the page cannot be made")?;
    Ok(String::from_utf8(page).context("the page is no text")?)
}
