//! The command line: one file per command, exit codes by meaning. No other module knows `clap`.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done, and all is well |
//! | 1 | failed at run time: a halt, a drain that ran out of time, an address in use, a file that cannot be read, a
//! letter that does not exist, a replay that was stopped |
//! | 2 | used wrongly: the command line, or a configuration that cannot be used |
//! | 3 | `check` or `test` found faults, `diff --exit-code` a change, `replay-recording` a step that was decided differently, or
//! `provision plan` something to do |
//!
//! Commands print to standard output through one locked writer ([`output`]); if the reader goes away, the command ends
//! quietly. Logs and errors go to standard error.

pub mod args;
pub mod check;
pub mod dead_letters;
pub mod exit;
pub mod mappings;
pub mod output;
pub mod provision;
pub mod records;
pub mod run;
pub mod simulated;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::args::{CheckArgs, InitArgs, ReplayRecordingArgs, RunArgs, TryRecordsArgs};
use self::check::suppressed::{self, SuppressedArgs};
use self::dead_letters::DeadLettersArgs;
use self::exit::{CommandError, CommandExit};
use self::mappings::diff::{self, DiffArgs};
use self::mappings::explain::{self, ExplainArgs};
use self::mappings::infer::{self, InferArgs};
use self::mappings::init;
use self::mappings::test::{self, TestArgs};
use self::output::Output;
use self::output::manual::{self, CompletionsArgs, ManArgs};
use self::provision::ProvisionArgs;
use self::provision::probe::{self, ProbeArgs};
use self::records::receipts::{self, ReceiptsArgs};
use self::run::control::frontier::{self, FrontierArgs};
use self::run::control::pauses::{self, PauseArgs, ResumeArgs};
use self::run::control::{self, HoldsArgs, LogLevelArgs};
use self::simulated::demo::{self, DemoArgs};
use self::simulated::forecast::{self, ForecastArgs};

const EXIT_CODES: &str = "Exit codes:\n  0  done, and all is well\n  1  failed at run time\n  2  used \
wrongly: the command line, or a configuration that cannot be used\n  3  check or test found faults, diff --exit-code or replay-recording a \
difference, provision plan something to do";

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
    /// See everything at work in one process: a broker, a simulated Kustomer, the events of a shop.
    Demo(DemoArgs),
    /// Write a first configuration, a mapping and a few events into a folder.
    Init(InitArgs),
    /// Propose a first mapping for sample records.
    Infer(InferArgs),
    /// Find every fault in a configuration, its mappings and their tests, before it is deployed.
    Check(CheckArgs),
    /// Show what would be sent for records, without sending anything.
    Explain(ExplainArgs),
    /// Play traffic against a simulated Kustomer in virtual time: what each plan would carry, and how late.
    Forecast(ForecastArgs),
    /// Run the tests in the mapping files, say what they reach, and make new ones of records.
    Test(TestArgs),
    /// Compare two configurations: what of a sample would become otherwise.
    Diff(DiffArgs),
    /// Make the klasses and attributes in Kustomer that the mappings write.
    Provision(ProvisionArgs),
    /// Ask a sandbox what the documentation of the API leaves open, and write the answers into a file.
    Probe(ProbeArgs),
    /// Show what holds back the frontier of a partition of a running worker.
    Frontier(FrontierArgs),
    /// See what a running worker waits for, and end a hold.
    Holds(HoldsArgs),
    /// Let a running worker leave a topic, a route or a destination alone for a while.
    Pause(PauseArgs),
    /// End a pause before its time.
    Resume(ResumeArgs),
    /// Change what a running worker logs.
    LogLevel(LogLevelArgs),
    /// See the list of people of whom nothing is sent.
    Suppressed(SuppressedArgs),
    /// Look at dead letters, and send them back when their cause is fixed.
    DeadLetters(DeadLettersArgs),
    /// Show what became of a record, from its receipt.
    Receipts(ReceiptsArgs),
    /// Step through a worker's recording, and see what it decided and why.
    ReplayRecording(ReplayRecordingArgs),
    /// Print what a shell needs to complete commands and options.
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands into a folder.
    Man(ManArgs),
    /// Map records at which a worker may have died; started by the worker itself.
    #[command(hide = true)]
    TryRecords(TryRecordsArgs),
}

/// Reads the command line, runs the command, and reports how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let parsed = whole().try_get_matches();
    let cli = match parsed.and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap knows the difference.
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
                // All faults, each with its place, without a prefix.
                CommandError::Config(faults) => faults.to_string(),
                CommandError::Usage(problem) => format!("error: {problem}"),
                CommandError::Failed(cause) => format!("error: {cause:#}"),
                CommandError::Closed => String::new(),
            };
            match Output::stderr().line(&text) {
                // If even standard error is closed, only the exit code can tell.
                Ok(()) | Err(_) => code.into(),
            }
        }
    }
}

fn execute(command: Command) -> Result<CommandExit, CommandError> {
    match command {
        // These two run tasks that may print, so the lock on standard output is not held for them.
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::TryRecords(args) => run::try_records::run(&args),
        Command::Forecast(_)
        | Command::Init(_)
        | Command::Infer(_)
        | Command::Check(_)
        | Command::Explain(_)
        | Command::Test(_)
        | Command::Diff(_)
        | Command::Provision(_)
        | Command::Probe(_)
        | Command::Frontier(_)
        | Command::Holds(_)
        | Command::Pause(_)
        | Command::Resume(_)
        | Command::LogLevel(_)
        | Command::Suppressed(_)
        | Command::DeadLetters(_)
        | Command::Receipts(_)
        | Command::ReplayRecording(_)
        | Command::Completions(_)
        | Command::Man(_) => {
            let mut out = Output::stdout();
            let exit = print(&command, &mut out)?;
            out.flush()?;
            Ok(exit)
        }
    }
}

/// Runs a command that only prints.
fn print(command: &Command, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    match command {
        Command::Forecast(args) => forecast::run(args, out),
        Command::Init(args) => init::run(args, out),
        Command::Infer(args) => infer::run(args, out),
        Command::Check(args) => check::run(args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Test(args) => test::run(args, out),
        Command::Diff(args) => diff::run(args, out),
        Command::Provision(args) => provision::run(args, out),
        Command::Probe(args) => probe::run(args, out),
        Command::Frontier(args) => frontier::run(args, out),
        Command::Holds(args) => control::holds(args, out),
        Command::Pause(args) => pauses::pause(args, out),
        Command::Resume(args) => pauses::resume(args, out),
        Command::LogLevel(args) => control::log_level(args, out),
        Command::Suppressed(args) => suppressed::run(args, out),
        Command::DeadLetters(args) => dead_letters::run(args, out),
        Command::Receipts(args) => receipts::run(args, out),
        Command::ReplayRecording(args) => run::replay_recording::run(args, out),
        Command::Completions(args) => manual::completions(args, whole(), out),
        Command::Man(args) => manual::man(args, whole(), out),
        Command::Run(args) => run::run(args),
        Command::Demo(args) => demo::run(args),
        Command::TryRecords(args) => run::try_records::run(args),
    }
}

/// The whole command line; the help of every command ends with the exit codes.
fn whole() -> clap::Command {
    Cli::command().mut_subcommands(with_exit_codes)
}

fn with_exit_codes(command: clap::Command) -> clap::Command {
    let before = command.get_after_help().map(ToString::to_string);
    let text = before.map_or_else(
        || EXIT_CODES.to_owned(),
        |before| format!("{before}\n\n{EXIT_CODES}"),
    );
    command.after_help(text).mut_subcommands(with_exit_codes)
}

/// Examples and exit codes, for `--help`.
fn const_str() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

#[cfg(test)]
mod tests;
