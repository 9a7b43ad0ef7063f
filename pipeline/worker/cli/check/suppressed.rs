//! `suppressed`, and what `check` says of the list of people of whom nothing is sent.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use ingest_model::operation::CustomerKey;
use serde_json::{Map, Value};

use super::finding::Finding;
use crate::cli::args::ConfigArg;
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;
use crate::config::settings::suppressed::{SuppressedError, SuppressedFile};
use crate::observe::words::plural;

/// `suppressed`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "`list` prints a JSON object a line: the line of the file, and the keys by which the person is found in Kustomer. \
The worker deletes nobody, it only sends nothing more. When somebody is deleted, make the line `suppress` and leave it as long as a topic or a \
backup may have a record of the person.\n\nExample:\n  kustomer-ingest suppressed list --config worker.yaml"
)]
pub struct SuppressedArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SuppressedCommand,
}

/// What to do with the list.
#[derive(Debug, Clone, Subcommand)]
pub enum SuppressedCommand {
    /// Name the people whom somebody has to delete in Kustomer.
    List(ConfigArg),
}

/// Shows the list.
///
/// # Errors
/// The configuration has none, or it cannot be used.
pub fn run(args: &SuppressedArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let SuppressedCommand::List(config) = &args.command;
    let settings = config.load()?;
    let Some(file) = settings.suppressed else {
        let problem = "the configuration names no list: privacy.suppressed is the path of one";
        return Err(CommandError::Usage(problem.to_owned()));
    };
    let list = file.read().context("privacy.suppressed")?;
    for (line, keys) in list.deletions() {
        let text = serde_json::to_string(&shown(*line, keys)).context("cannot write a line")?;
        out.line(&text)?;
    }
    let people = plural(list.deletions().len(), "line");
    let keys = plural(list.len(), "key");
    Output::stderr().line(&format!(
        "{people} to delete in Kustomer by hand; {keys} suppressed in all"
    ))?;
    Ok(CommandExit::Good)
}

fn shown(line: u64, keys: &[CustomerKey]) -> Value {
    let mut shown = Map::new();
    shown.insert("line".to_owned(), Value::from(line));
    for key in keys {
        let kind = shown
            .entry(key.kind())
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(all) = kind {
            all.push(Value::from(&**key.value()));
        }
    }
    Value::Object(shown)
}

/// What is wrong with the list. Without it, or with a mistake in it, the worker does not start.
pub(super) fn finding(file: &SuppressedFile) -> Option<Finding> {
    let error = file.read().err()?;
    let text = format!("privacy.suppressed: {error}");
    Some(match error {
        SuppressedError::Unreadable { .. } => {
            Finding::warning(text, "it need not exist here, but where the worker runs")
        }
        SuppressedError::Wrong { .. } => Finding::fault(
            text,
            "correct the lines: the worker does not start, or goes on with the list that it had",
        ),
    })
}
