//! The arguments of `test`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::ConfigArg;

/// `test`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A mapping file has its tests under `tests:`, each an event and its expected result. A test that fails shows all that differs, each with \
its line in the test and that of the rule.\n\nWith --coverage it lists the routes that decide about no test's event, and the fields whose expressions give nothing \
for any of them. --min-coverage 90 fails below that part of routes and fields together.\n\n--pin turns a record into a test: it is added to the end \
of the tests in the topic's mapping file, with what becomes of it now as the expectation; the rest of the file stays as it is. The file \
has a record as for explain --records, such as one written by dead-letters show --json, or a bare value. Personal data (e-mail addresses, phone numbers, names, \
addresses, birthdays) and ids are replaced by made-up values of the same shape, the same by the same; --keep-ids keeps the ids. Read the test before you \
commit it: data in fields with other names is not recognised.\n\nExamples:\n  kustomer-ingest test --config worker.yaml\n  kustomer-ingest test --config \
worker.yaml --coverage --min-coverage 90 --junit target/mappings.xml\n  kustomer-ingest dead-letters show --config worker.yaml 0:42 --json > letter.json\n  \
kustomer-ingest test --config worker.yaml --pin letter.json --name 'an order without a total'"
)]
pub struct TestArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// List the routes and fields that no test reaches.
    #[arg(long)]
    pub coverage: bool,
    /// Fail if tests reach less than this part of routes and fields, in per cent.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub min_coverage: Option<f64>,
    /// Write the results into this file, in the form of `JUnit`.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Add the record in this file to the tests, without personal data, instead of running them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["coverage", "min_coverage", "junit"])]
    pub pin: Option<PathBuf>,
    /// With --pin: the line of the file that has the record, if it has several.
    #[arg(long, value_name = "N", requires = "pin", value_parser = crate::cli::args::whole(1..=u64::MAX, "3"))]
    pub line: Option<u64>,
    /// With --pin: the name of the test; made from the event if left out.
    #[arg(long, value_name = "NAME", requires = "pin")]
    pub name: Option<String>,
    /// With --pin: the topic of a record that names none; needed if the configuration has several.
    #[arg(long, value_name = "TOPIC", requires = "pin")]
    pub topic: Option<String>,
    /// With --pin: keep ids as they are.
    #[arg(long, requires = "pin")]
    pub keep_ids: bool,
    /// With --pin: show the test, and write nothing.
    #[arg(long, requires = "pin")]
    pub dry_run: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim().parse().ok();
    number
        .filter(|number: &f64| (0.0..=100.0).contains(number))
        .ok_or_else(|| format!("`{text}`: give a number from 0 to 100, such as 90"))
}
