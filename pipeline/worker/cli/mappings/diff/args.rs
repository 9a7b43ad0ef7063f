//! The arguments of `diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::{AtArg, ConfigArg, whole};
use crate::cli::records::sample::SampleArgs;

/// `diff`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Each record of the sample is judged by both configurations; nothing is sent. What differs is counted: verdicts, operations, fields, and the \
requests that the operations would take. Values may be personal data and are shown only with --show-values.\n\nRequests are counted without merging: \
one for each event and each identity (none for an identity that travels with an event of its record), and two for a hundred objects, customers or companies, the submission and the look at its \
results. forecast plays a load exactly.\n\nOperations that are too old for their maxAge are not compared; the report says how many, and --at judges an old sample as of \
its own time.\n\nWith --exit-code the command ends with 3 if anything differs, and 0 if not.\n\nExamples:\n  kustomer-ingest diff --config worker.yaml --against \
new/worker.yaml events.ndjson\n  kustomer-ingest diff --config worker.yaml --against new/worker.yaml --topic shop.events --last 10000 --format markdown"
)]
pub struct DiffArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// The configuration to compare with: the new one.
    #[arg(long, value_name = "FILE")]
    pub against: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub sample: SampleArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub at: AtArg,
    /// A table for people, JSON for programs, or Markdown for a pull request.
    #[arg(long, value_enum, default_value_t = DiffFormat::Table)]
    pub format: DiffFormat,
    /// Also show values, before and after: they may be personal data.
    #[arg(long)]
    pub show_values: bool,
    /// How many places in the sample are shown for each change.
    #[arg(long, value_name = "N", default_value = "3", value_parser = whole(0..=20_usize, "3"))]
    pub examples: usize,
    /// End with exit code 3 if anything differs.
    #[arg(long)]
    pub exit_code: bool,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For a pull request.
    Markdown,
}
