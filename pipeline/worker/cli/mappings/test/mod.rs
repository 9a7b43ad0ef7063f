//! `test`: runs the tests in the mapping files, says what they reach, and makes new ones of records.

mod args;
mod junit;
mod pin;
mod results;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::Context as _;
use ingest_mapping::testing::{Coverage, Reached};

pub use self::args::TestArgs;
pub(in crate::cli) use self::results::{Tested, tests};
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;
use crate::observe::words::plural;

/// Runs the tests of every mapping and prints the failures.
///
/// # Errors
///
/// When the configuration cannot be used or the output cannot be written.
pub fn run(args: &TestArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let settings = match args.config.load() {
        Ok(settings) => settings,
        Err(error @ CommandError::Config(_)) if args.pin.is_none() => {
            out.line(
                "no test was run: the configuration and its mappings have to be without faults",
            )?;
            if let (Some(path), CommandError::Config(faults)) = (&args.junit, &error) {
                write(path, &junit::of_faults(faults))?;
            }
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    if let Some(file) = &args.pin {
        return pin::run(args, file, &settings, out);
    }
    let all = tests(settings.kafka.topics.iter().map(|t| &t.pipeline));
    let (mut run, mut failed) = (0, 0);
    for tested in &all {
        run += tested.results.len();
        for failure in tested.failures() {
            failed += 1;
            out.line(&failure)?;
        }
        if tested.results.is_empty() {
            out.line(&format!("{}: no tests", tested.file))?;
        }
    }
    if let Some(path) = &args.junit {
        write(path, &junit::xml(&all, args.min_coverage))?;
    }
    let mut exit = CommandExit::Good;
    if args.coverage || args.min_coverage.is_some() {
        let enough = coverage(&all, args.coverage, args.min_coverage, out)?;
        if !enough {
            exit = CommandExit::Faults;
        }
    }
    out.line(&format!("{}, {failed} failed", plural(run, "test")))?;
    if failed > 0 {
        exit = CommandExit::Faults;
    }
    Ok(exit)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Prints what the tests reach. Whether that is enough.
fn coverage(
    all: &[Tested],
    shown: bool,
    least: Option<f64>,
    out: &mut Output<'_>,
) -> Result<bool, CommandError> {
    let mut enough = true;
    for tested in all {
        let Coverage { routes, fields } = &tested.coverage;
        let reached = |all: &[Reached]| all.iter().filter(|one| one.is_reached).count();
        let percent = tested.coverage.percent();
        let missed = routes.iter().chain(fields).filter(|one| !one.is_reached);
        for one in missed.filter(|_| shown) {
            let line = one.place.line;
            let file = &tested.file;
            // The fields of a route that no test reaches are not listed one by one.
            let of_missed = |route: &&Reached| route.route == one.route && !route.is_reached;
            if one.field.is_empty() {
                out.line(&format!(
                    "{file}:{line}: route {}: no test reaches it",
                    one.route
                ))?;
            } else if !routes.iter().any(|route| of_missed(&route)) {
                let (route, field) = (&one.route, &one.field);
                out.line(&format!(
                    "{file}:{line}: route {route}: {field}: has no value in any test"
                ))?;
            }
        }
        out.line(&format!(
            "{}: tests reach {} of {}, {} of {}: {percent:.0} %",
            tested.file,
            reached(routes),
            plural(routes.len(), "route"),
            reached(fields),
            plural(fields.len(), "field"),
        ))?;
        if let Some(told) = least.and_then(|least| tested.too_little(least)) {
            enough = false;
            out.line(&told)?;
        }
    }
    Ok(enough)
}
