//! Commands for a running worker: they ask its admin server, as curl would, where there is no curl.

mod client;
pub mod frontier;
pub mod pauses;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use self::client::{Asked, WorkerArg};
use crate::admin::status::PauseStatus;
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;

/// `holds`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "What the worker waits for, and the way out of each. Holds end by themselves when their cause is gone; docs/operations.md says which need a person.\n\n\
Examples:\n  kustomer-ingest holds list --config worker.yaml\n  kustomer-ingest holds release 3 --config worker.yaml\n  \
kubectl exec deploy/timeline-kustomer-ingest -- kustomer-ingest holds list -c /etc/kustomer-ingest/worker.yaml"
)]
pub struct HoldsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: HoldsAction,
}

/// What to do with holds.
#[derive(Debug, Clone, Subcommand)]
pub enum HoldsAction {
    /// List what is held, since when, why, and what to do about it.
    List(WorkerArg),
    /// End a hold now. If its cause is still there, it comes back.
    Release {
        /// Its number, from `holds list`.
        id: u64,
        #[command(flatten)]
        #[expect(missing_docs, reason = "described where it is declared")]
        worker: WorkerArg,
    },
}

/// `log-level`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "It lasts until the worker ends; log.level in the configuration is for good.\n\nExample:\n  \
kustomer-ingest log-level info,ingest_kafka=debug --config worker.yaml"
)]
pub struct LogLevelArgs {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,ingest_kafka=debug`.
    pub level: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub worker: WorkerArg,
}

/// Lists or releases holds of a running worker.
///
/// # Errors
///
/// When the worker does not answer or refuses.
pub fn holds(args: &HoldsArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    match &args.action {
        HoldsAction::List(worker) => {
            let status = worker.to_read()?.ask(&Asked {
                method: Method::GET,
                path: "/status",
                body: "",
            })?;
            let holds = status.get("holds").and_then(Value::as_array);
            let holds = holds.map(Vec::as_slice).unwrap_or_default();
            if holds.is_empty() {
                out.line("nothing is held")?;
            }
            for hold in holds {
                out.line(&in_words(hold))?;
            }
        }
        HoldsAction::Release { id, worker } => {
            worker.to_change()?.ask(&Asked {
                method: Method::POST,
                path: &format!("/holds/{id}/release"),
                body: "",
            })?;
            out.line(&format!("hold {id} is released"))?;
        }
    }
    Ok(CommandExit::Good)
}

/// Changes what a running worker logs.
///
/// # Errors
///
/// When the worker does not answer or refuses.
pub fn log_level(args: &LogLevelArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    args.worker.to_change()?.ask(&Asked {
        method: Method::PUT,
        path: "/log-level",
        body: &args.level,
    })?;
    out.line(&format!("the log level is {}", args.level))?;
    Ok(CommandExit::Good)
}

fn in_words(hold: &Value) -> String {
    let text = |name: &str| hold.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| hold.get(name).and_then(Value::as_u64).unwrap_or_default();
    let last = hold.get("last_error").and_then(|last| last.get("words"));
    let last = last.and_then(Value::as_str);
    let pause = hold.get("pause").cloned().unwrap_or_default();
    if let Ok(Some(pause)) = serde_json::from_value::<Option<PauseStatus>>(pause) {
        return format!(
            "{}  {}  {}, for {} s, {}\n    {}",
            number("id"),
            text("scope"),
            text("cause"),
            number("for_seconds"),
            pause.in_words(),
            text("what_to_do"),
        );
    }
    format!(
        "{}  {}  {}, for {} s, {} errors{}\n    {}",
        number("id"),
        text("scope"),
        text("cause"),
        number("for_seconds"),
        number("errors"),
        last.map_or_else(String::new, |last| format!(", the last: {last}")),
        text("what_to_do"),
    )
}
