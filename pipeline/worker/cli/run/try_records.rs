//! `try-records`: the child in which a worker maps records at which it may have died. Only the worker starts it.

use std::io;

use anyhow::Context as _;

use crate::cli::args::TryRecordsArgs;
use crate::cli::exit::{CommandError, CommandExit};
use crate::pump::mappers::on_mapper_stack;
use crate::pump::mappers::suspects::serve;
use crate::pump::mappers::{Expected, Judge};

/// The most address space that the child may use, in bytes. A record that needs more has ended a worker before, and must
/// not take this child's parent along.
const ADDRESS_SPACE: u64 = 1 << 30;

/// Maps records from standard input until it ends, or one of them ends the process.
///
/// # Errors
///
/// When the configuration cannot be used, or a line is not a record.
pub fn run(args: &TryRecordsArgs) -> Result<CommandExit, CommandError> {
    let settings = args.config.load()?;
    limit_memory().context("the limit of the address space cannot be set")?;
    let registry = settings.schemas().context("schema_registry")?;
    let judge = Judge::new(settings.paths())
        .knowing(registry.schemas())
        .dying_at(args.die_at.as_deref());
    let served = on_mapper_stack("suspects".to_owned(), move || {
        serve(io::stdin().lock(), io::stdout().lock(), |record, says| {
            'ways: for expected in [Expected::Skipped, Expected::Wanted] {
                // Without its schema nothing of a record is read, so nothing can happen. It is asked for once: the other suspects
                // wait meanwhile.
                while let Err(schema) = judge.judge(record, expected) {
                    if says.while_asking(|| registry.fetch(schema))?.is_err() {
                        break 'ways;
                    }
                }
            }
            Ok(())
        })
    });
    let served = served.context("a thread cannot be started")?.join();
    // A panic that mapping did not catch counts as this child's death.
    served.unwrap_or_else(|_panic| Err(anyhow::anyhow!("it panicked")))?;
    Ok(CommandExit::Good)
}

fn limit_memory() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::As);
    limit.current = Some(
        limit
            .current
            .map_or(ADDRESS_SPACE, |now| now.min(ADDRESS_SPACE)),
    );
    Ok(setrlimit(Resource::As, limit)?)
}
