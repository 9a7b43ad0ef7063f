//! `provision`: makes the klasses and attributes that the mappings write, and nothing else.
//!
//! What the organisation has is read first. The plan only creates and extends: nothing is removed, renamed or changed, and
//! what others have configured is written back as it was read.

mod args;
pub(in crate::cli) mod needed;
pub(in crate::cli) mod organisation;
mod plan;
pub mod probe;
mod step;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Context as _, anyhow};
use ingest_kustomer::{Client, Need, TokenInfo};

pub use self::args::{KeyArgs, ProvisionArgs, ProvisionCommand};
use self::needed::Needed;
use self::organisation::Organisation;
use self::plan::Plan;
use super::exit::{CommandError, CommandExit};
use super::output::Output;
use crate::config::{SecretRef, Settings};
use crate::observe::words::plural;

/// Shows or carries out what has to be made.
///
/// # Errors
///
/// When the configuration cannot be used, the key does not allow it, or the API does not do what it is asked.
pub fn run(args: &ProvisionArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let (key, apply) = match &args.command {
        ProvisionCommand::Plan(key) => (key, None),
        ProvisionCommand::Apply(apply) => (&apply.key, Some(apply.yes)),
    };
    let settings = key.config.load()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let client = client(&settings, key)?;
    let token = runtime
        .block_on(client.token_info())
        .with_context(|| format!("the key cannot be used at {}", settings.kustomer.base_url))?;
    let needed = Needed::of(&settings);
    for need in [Need::ReadKlasses, Need::ReadMetadata] {
        demand(&token, need)?;
    }
    let organisation = runtime
        .block_on(Organisation::read(&client, &needed))
        .map_err(|problem| anyhow!("{problem}"))?;
    let plan = Plan::new(&needed, &organisation);
    for line in plan.lines() {
        out.line(&line)?;
    }
    if plan.steps.is_empty() {
        out.line("nothing to do")?;
        return Ok(CommandExit::Good);
    }
    out.line(&plan.sum())?;
    let Some(yes) = apply else {
        out.line(&format!(
            "to do it: kustomer-ingest provision apply --config {}{}",
            key.config.config.display(),
            key.words()
        ))?;
        return Ok(CommandExit::Faults);
    };
    for need in plan.needs() {
        demand(&token, need)?;
    }
    if !yes && !confirmed(out)? {
        out.line("nothing was done")?;
        return Ok(CommandExit::Failed);
    }
    for step in &plan.steps {
        let done = runtime.block_on(organisation::carry_out(&client, step));
        match done {
            Ok(()) => out.line(&format!("done: {}", step.in_words()))?,
            Err(problem) => {
                out.flush()?;
                return Err(CommandError::Failed(anyhow!(
                    "{}: {problem}; what was done before it stays, and the command can be run again",
                    step.in_words()
                )));
            }
        }
    }
    out.line(&format!("{} done", plural(plan.steps.len(), "step")))?;
    Ok(CommandExit::Good)
}

/// A client with the key of the arguments, or else that of the worker.
fn client(settings: &Settings, key: &KeyArgs) -> Result<Client, CommandError> {
    let place = match (&key.token_env, &key.token_file) {
        (Some(name), _) => SecretRef::Env(name.clone()),
        (None, Some(path)) => SecretRef::File(path.clone()),
        (None, None) => settings.kustomer.token.clone(),
    };
    let mut settings = settings.clone();
    settings.kustomer.token = place;
    let client = settings.kustomer_client().context("there is no key")?;
    Ok(Client::new(client).context("the key cannot be used")?)
}

/// Fails if the key lacks a role.
fn demand(token: &TokenInfo, need: Need) -> Result<(), CommandError> {
    if token.allows(need) {
        return Ok(());
    }
    Err(CommandError::Failed(anyhow!(
        "the key lacks the role {}: create one for provisioning ({}), and name its place with --token-env or --token-file",
        need.roles().join(" or "),
        [
            Need::ReadKlasses,
            Need::CreateKlasses,
            Need::ReadMetadata,
            Need::UpdateMetadata
        ]
        .iter()
        .filter_map(|need| need.roles().first().copied())
        .collect::<Vec<_>>()
        .join(", ")
    )))
}

/// Asks a person.
fn confirmed(out: &mut Output<'_>) -> Result<bool, CommandError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(CommandError::Usage(
            "nobody can be asked here: say --yes to do what the plan shows".to_owned(),
        ));
    }
    out.line("do it? Write yes:")?;
    out.flush()?;
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.context("cannot read the answer")?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
