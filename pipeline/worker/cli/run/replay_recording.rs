//! `replay-recording`: lets a machine repeat a worker's recorded steps.

use std::fs::File;
use std::io::BufReader;

use anyhow::Context as _;

use crate::cli::args::ReplayRecordingArgs;
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;
use crate::clock::Clock;
use crate::pump::recorder::replay::{ReplayError, Shown, replay};

/// Runs `replay-recording`.
///
/// # Errors
///
/// The file cannot be read, or is not a recording that this program can replay.
pub fn run(args: &ReplayRecordingArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let only = args.only.as_deref().map(partition).transpose()?;
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        return Err(CommandError::Usage(format!(
            "--from {from} --to {to}: nothing is between the two"
        )));
    }
    let shown = Shown {
        from: args.from,
        to: args.to,
        only,
    };
    let file = args.file.display();
    let recording = File::open(&args.file).with_context(|| format!("{file} cannot be read"))?;
    match replay(BufReader::new(recording), Clock.now(), &shown, out) {
        Ok(replayed) if replayed.exact && replayed.differences > 0 => Ok(CommandExit::Faults),
        Ok(_) => Ok(CommandExit::Good),
        Err(ReplayError::Output(error)) => Err(error.into()),
        Err(error) => Err(CommandError::Failed(
            anyhow::Error::new(error).context(format!("{file}")),
        )),
    }
}

fn partition(text: &str) -> Result<(String, i32), CommandError> {
    text.rsplit_once('/')
        .filter(|(topic, _)| !topic.is_empty())
        .and_then(|(topic, number)| Some((topic.to_owned(), number.parse().ok()?)))
        .ok_or_else(|| {
            CommandError::Usage(format!(
                "--only {text}: give a topic and a partition number, such as shop.events/3"
            ))
        })
}
