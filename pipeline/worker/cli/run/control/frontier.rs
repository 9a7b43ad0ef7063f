//! `frontier`: shows what holds back the frontier of a partition of a running worker.

use anyhow::Context as _;
use clap::Args;
use hyper::Method;

use super::client::{Asked, WorkerArg};
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;

/// `frontier`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "It sends GET /status/partitions/TOPIC/PARTITION to the worker's admin address and prints the answer: the lowest \
unsettled record, its operations, the stage and the lane of each, what it waits for, and when it can go on. If \
several replicas share a topic, ask the one that owns the partition.\n\nExample:\n  \
kustomer-ingest frontier --config worker.yaml shop.events 3"
)]
pub struct FrontierArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub worker: WorkerArg,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// Asks the worker and prints its answer.
///
/// # Errors
///
/// When the configuration cannot be used, the worker does not answer, or the output cannot be written.
pub fn run(args: &FrontierArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let answer = args.worker.to_read()?.ask(&Asked {
        method: Method::GET,
        path: &format!("/status/partitions/{}/{}", args.topic, args.partition),
        body: "",
    })?;
    let text = serde_json::to_string_pretty(&answer).context("the answer")?;
    out.line(&text)?;
    Ok(CommandExit::Good)
}
