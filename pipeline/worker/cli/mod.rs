//! The command line: one file per command, exit codes by meaning.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done, and all is well |
//! | 1 | failed at run time: a halt, a drain that ran out of time, an address in use, a file that cannot be read, a letter that is not there, a replay that was stopped |
//! | 2 | used wrongly: the command line, or a configuration that cannot be used |
//! | 3 | `check` or `test` did their work and found faults |
//!
//! Commands print to standard output through one locked writer ([`output`]); a reader that goes away ends the command
//! quietly. Logs and errors go to standard error.

pub mod check;
pub mod dead_letters;
mod demo;
pub mod explain;
pub mod init;
mod online;
pub mod output;
pub mod run;
pub mod test;
pub mod try_records;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::output::Output;
use crate::clock::TimeScale;
use crate::config::{Faults, Settings};

pub use self::dead_letters::args::DeadLettersArgs;
pub use self::demo::DemoArgs;

const EXIT_CODES: &str = "Exit codes:\n  0  done, and all is well\n  1  failed at run time\n  2  used \
wrongly: the command line, or a configuration that cannot be used\n  3  check or test found faults";

const EXAMPLES: &str = "Examples:\n  kustomer-ingest demo\n  kustomer-ingest init shop\n  kustomer-ingest check --config worker.yaml --online\n  \
kustomer-ingest explain --config worker.yaml events.ndjson\n  kustomer-ingest run --config worker.yaml";

/// Puts product and commerce events from Kafka on the right customer's timeline in Kustomer.
#[derive(Debug, Parser)]
#[command(name = "kustomer-ingest", version, after_help = const_str(), arg_required_else_help = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the worker until it is told to stop.
    Run(RunArgs),
    /// See the whole thing at work in one process: a broker, an imitation of Kustomer, a shop's events.
    Demo(DemoArgs),
    /// Write a first configuration, a mapping and a few events into a folder.
    Init(InitArgs),
    /// Find every fault of a configuration, its mappings and their tests, before it is deployed.
    Check(CheckArgs),
    /// Show what would be sent for records, without sending anything.
    Explain(ExplainArgs),
    /// Run the tests that the mapping files carry.
    Test(TestArgs),
    /// Look at what was dead-lettered, and send it back when the cause is mended.
    DeadLetters(DeadLettersArgs),
    /// Map records at which a worker may have died; started by the worker itself.
    #[command(hide = true)]
    TryRecords(TryRecordsArgs),
}

/// The configuration that a command works with.
#[derive(Debug, Clone, Args)]
pub struct ConfigArg {
    /// The configuration file.
    #[arg(long, short = 'c', value_name = "FILE")]
    pub config: PathBuf,
}

/// `run`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "SIGTERM or SIGINT drains: what is in flight is finished, offsets are committed, partitions \
are handed back. A second signal ends at once; nothing is lost by it, some events may repeat.\n\nExample:\n  \
kustomer-ingest run --config /etc/kustomer-ingest/worker.yaml"
)]
pub struct RunArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// Divide all durations that mirror the API's by this; only against a simulator on this machine.
    #[arg(long, value_name = "N", default_value = "1", hide = true)]
    pub time_scale: TimeScale,
    /// Do not hold this topic when many of its records are rejected; may be given several times.
    #[arg(long, value_name = "TOPIC")]
    pub accept_dead_letters: Vec<String>,
    /// End the process at a record that holds this text: for tests, only against a simulator on this machine.
    #[arg(long, value_name = "TEXT", hide = true)]
    pub die_at: Option<String>,
}

/// `try-records`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A worker that finds that the one before it died starts this by itself: kustomer-ingest run says so in its log."
)]
pub struct TryRecordsArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// As of `run`.
    #[arg(long, value_name = "TEXT", hide = true)]
    pub die_at: Option<String>,
}

/// `init`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Nothing that is there is overwritten. Edit worker.yaml, then check it.\n\nExample:\n  \
kustomer-ingest init shop && cd shop && kustomer-ingest explain --config worker.yaml events.ndjson"
)]
pub struct InitArgs {
    /// The folder; this one if left out.
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `check`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Prints every fault with its place and the way out, then warnings, then a summary. With \
--online it also asks the API about the key, its roles and the klasses, and the brokers about the topics; it writes \
nothing.\n\nExamples:\n  kustomer-ingest check --config worker.yaml\n  kustomer-ingest check --config worker.yaml \
--online"
)]
pub struct CheckArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// Also ask Kustomer and Kafka.
    #[arg(long)]
    pub online: bool,
}

/// `explain`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "One JSON object a line comes out for each line that goes in: line, event, verdict (emit, skip or \
reject; none where a line holds no record of a configured topic), reason, and the operations with the requests they lead to. Nothing is known beforehand: objects are created, \
and a customer's id that has to be found first is shown as {\"$customer\": {\"externalId\": \"u1\"}}. In production, \
objects of one klass travel up to 100 in one request.\n\nInput is one JSON value a line, or one JSON document over many \
lines. With --records each line is a Kafka record:\n  {\"topic\": …, \"partition\": …, \"offset\": …, \"key\": …, \
\"headers\": [[name, value]], \"value\": …, \"timestamp\": …}\nA value is a text, any JSON, null for a tombstone, or \
bytes as \"valueBase64\". \
A record without a timestamp counts as produced now.\n\nExamples:\n  kustomer-ingest explain --config worker.yaml events.ndjson\n  kcat -C -b \
localhost:9092 -t shop.events -e -o -10 | kustomer-ingest explain --config worker.yaml"
)]
pub struct ExplainArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// The topic that the records are taken to come from; needed when the configuration has several.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Each line is a whole Kafka record, not only its value.
    #[arg(long)]
    pub records: bool,
    /// Judge ages (maxAge) as of this time instead of now, such as 2026-03-04T05:06:07Z.
    #[arg(long, value_name = "TIME")]
    pub at: Option<jiff::Timestamp>,
    /// Where the lines are; standard input if left out.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `test`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A mapping file carries its tests under `tests:`, each an event and what must come of it.\n\n\
Example:\n  kustomer-ingest test --config worker.yaml"
)]
pub struct TestArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandExit {
    /// Done, and all is well.
    Good,
    /// Failed at run time.
    Failed,
    /// Used wrongly: the command line or the configuration.
    Usage,
    /// `check` or `test` found faults.
    Faults,
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] Faults),
    /// The command line asks for what cannot be done.
    #[error("{0}")]
    Usage(String),
    /// Whoever reads the output went away: nothing is wrong.
    #[error("the output was closed")]
    Closed,
    /// It failed at run time.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// Reads the command line, runs the command, says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors: clap knows which is which.
            let printed = error.print();
            let code = if error.use_stderr() {
                CommandExit::Usage
            } else {
                CommandExit::Good
            };
            return printed.map_or(CommandExit::Failed, |()| code).into();
        }
    };
    match execute(cli.command) {
        Ok(exit) => exit.into(),
        Err(CommandError::Closed) => CommandExit::Good.into(),
        Err(error) => {
            let code = error.exit();
            let text = match &error {
                // All faults, each with its place: no word before them.
                CommandError::Config(faults) => faults.to_string(),
                CommandError::Usage(problem) => format!("error: {problem}"),
                CommandError::Failed(cause) => format!("error: {cause:#}"),
                CommandError::Closed => String::new(),
            };
            match Output::stderr().line(&text) {
                // Where even standard error is closed, the code alone has to say it.
                Ok(()) | Err(_) => code.into(),
            }
        }
    }
}

fn execute(command: Command) -> Result<CommandExit, CommandError> {
    match command {
        // These two run tasks that may print: the lock on standard output is not held for them.
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::TryRecords(args) => try_records::run(&args),
        Command::Init(_)
        | Command::Check(_)
        | Command::Explain(_)
        | Command::Test(_)
        | Command::DeadLetters(_) => {
            let mut out = Output::stdout();
            let exit = print(&command, &mut out)?;
            out.flush()?;
            Ok(exit)
        }
    }
}

/// Runs a command that does nothing but print.
fn print(command: &Command, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    match command {
        Command::Init(args) => init::run(args, out),
        Command::Check(args) => check::run(args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Test(args) => test::run(args, out),
        Command::DeadLetters(args) => dead_letters::run(args, out),
        Command::Run(args) => run::run(args),
        Command::Demo(args) => demo::run(args),
        Command::TryRecords(args) => try_records::run(args),
    }
}

fn load(arg: &ConfigArg) -> Result<Settings, CommandError> {
    Ok(crate::config::load(&arg.config)?)
}

/// Examples and exit codes, for `--help`.
fn const_str() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

// === impl CommandExit ===

impl CommandExit {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Faults => 3,
        }
    }
}

impl From<CommandExit> for ExitCode {
    fn from(exit: CommandExit) -> Self {
        Self::from(exit.code())
    }
}

// === impl CommandError ===

impl CommandError {
    /// How the command ended.
    #[must_use]
    pub fn exit(&self) -> CommandExit {
        match self {
            Self::Config(_) | Self::Usage(_) => CommandExit::Usage,
            Self::Closed => CommandExit::Good,
            Self::Failed(_) => CommandExit::Failed,
        }
    }
}

#[cfg(test)]
mod tests;
