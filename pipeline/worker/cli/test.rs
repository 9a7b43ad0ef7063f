//! `test`: runs the tests in the mapping files.

use ingest_mapping::route::Pipeline;

use super::args::TestArgs;
use super::exit::{CommandError, CommandExit};
use super::output::Output;
use crate::observe::words::plural;

/// Runs the tests of every mapping and prints the failures.
///
/// # Errors
///
/// When the configuration cannot be used or the output cannot be written.
pub fn run(args: &TestArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let settings = args.config.load()?;
    let (mut run, mut failed) = (0, 0);
    for tested in tests(settings.kafka.topics.iter().map(|t| &t.pipeline)) {
        run += tested.count;
        failed += tested.failures.len();
        for failure in &tested.failures {
            out.line(failure)?;
        }
        if tested.count == 0 {
            out.line(&format!("{}: no tests", tested.file))?;
        }
    }
    out.line(&format!("{}, {failed} failed", plural(run, "test")))?;
    Ok(if failed == 0 {
        CommandExit::Good
    } else {
        CommandExit::Faults
    })
}

/// The test results of one mapping.
pub(super) struct Tested {
    pub(super) file: String,
    pub(super) count: usize,
    pub(super) failures: Vec<String>,
}

/// Runs the tests of every mapping, once however many topics share it.
pub(super) fn tests<'p>(pipelines: impl IntoIterator<Item = &'p Pipeline>) -> Vec<Tested> {
    let mut done: Vec<*const ingest_mapping::mapping::Mapping> = Vec::new();
    let mut tested = Vec::new();
    for pipeline in pipelines {
        let mapping = pipeline.mapping();
        let same = std::ptr::from_ref(mapping);
        if done.contains(&same) {
            continue;
        }
        done.push(same);
        let failures = mapping.run_tests_as(pipeline.format());
        tested.push(Tested {
            file: mapping.file().to_owned(),
            count: mapping.test_count(),
            failures: failures.iter().map(ToString::to_string).collect(),
        });
    }
    tested
}
