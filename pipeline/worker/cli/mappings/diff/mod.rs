//! `diff`: what would become otherwise of a sample if another configuration were used.
//!
//! Every record is judged by both. What differs is counted by what it is (a verdict, an operation, a field), and shown with
//! places in the sample; values are shown only when they are asked for.

mod args;
mod compare;
mod judged;
mod report;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use self::args::{DiffArgs, DiffFormat};
use self::compare::Comparison;
use self::judged::judge;
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;
use crate::cli::records::lines::Item;
use crate::cli::records::sample::{Sample, Sampled};
use crate::clock::Clock;
use crate::config::Settings;

/// Compares two configurations over a sample.
///
/// # Errors
///
/// When a configuration cannot be used, the topic is not known, or the sample cannot be read.
pub fn run(args: &DiffArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let before = args.config.load()?;
    let after = crate::config::load(&args.against)?;
    let now = args.at.or_now();
    let sample = Sample::open(&args.sample, &before, Some(Clock.unix_ms()))?;
    let comparison = compare(&before, &after, sample, now)?;
    for line in report::lines(&comparison, args, &before, &after)? {
        out.line(&line)?;
    }
    if comparison.read == 0 {
        return Err(CommandError::Usage("the sample has no record".to_owned()));
    }
    if let Some(why) = comparison.unread() {
        return Err(CommandError::Usage(format!(
            "no record of the sample can be read with either configuration ({why}), so nothing was compared: is it a sample of this topic?"
        )));
    }
    Ok(if args.exit_code && comparison.changed > 0 {
        CommandExit::Faults
    } else {
        CommandExit::Good
    })
}

fn compare(
    before: &Settings,
    after: &Settings,
    mut sample: Sample,
    now: Timestamp,
) -> anyhow::Result<Comparison> {
    let mut comparison = Comparison::at(now);
    let from_kafka = sample.is_from_kafka();
    while let Some(Sampled { line, item }) = sample.read()? {
        match item {
            Item::Bad(_) => comparison.unusable += 1,
            Item::Record(record) => {
                let place = if from_kafka {
                    let at = &record.position.partition;
                    format!(
                        "{}/{}/{}",
                        at.topic, at.partition.0, record.position.offset.0
                    )
                } else {
                    format!("line {line}")
                };
                let (was, is) = (judge(before, &record, now), judge(after, &record, now));
                comparison.add(&place, &was, &is);
            }
        }
    }
    Ok(comparison)
}
