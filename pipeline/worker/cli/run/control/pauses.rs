//! `pause` and `resume`: let a running worker leave something alone for a while.

use anyhow::Context as _;
use clap::Args;
use hyper::Method;
use serde_json::Value;

use super::client::{Asked, WorkerArg};
use crate::admin::PauseBody;
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;

/// What is meant.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct PausableArg {
    /// A topic: its partitions are not read, and nothing of it is begun.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// A route of the mapping; TOPIC/ROUTE if several topics have such a route.
    #[arg(long, value_name = "ROUTE")]
    pub route: Option<String>,
    /// What is written to: `all`, `tracking`, `kobject:KLASS`, `customer` or `company`.
    #[arg(long, value_name = "WHAT")]
    pub destination: Option<String>,
}

/// `pause`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Nothing is lost: what is paused waits in its order, costs no request, and is not set aside. What was begun is finished. The rest goes on, \
except for records of the same customers and objects behind it.\n\n\
It is a pause of one worker, until that ends: send it to each replica, and again after a restart. For pauses of the whole fleet, write `pauses` in the \
configuration. `holds list` shows it, and `resume` ends it before its time. A pause that is given again gets the new end and reason.\n\n\
Examples:\n  kustomer-ingest pause --topic shop.imports --for 8h --config worker.yaml\n  \
kustomer-ingest pause --destination kobject:order --until 2026-12-01T06:00:00+01:00 --reason 'the klass is rebuilt' -c worker.yaml\n  \
kustomer-ingest pause --destination all --address 10.0.0.7:9464 --token-file token"
)]
pub struct PauseArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub what: PausableArg,
    /// When it ends, by the worker's clock, such as `2026-12-01T06:00:00+01:00`.
    #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
    pub until: Option<String>,
    /// How long it lasts, such as `90m` or `8h`; without an end it lasts until somebody resumes.
    #[arg(long = "for", value_name = "DURATION")]
    pub lasts: Option<String>,
    /// Why, for whoever looks at the status; no personal data.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub worker: WorkerArg,
}

/// `resume`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "It ends the pause of one worker, also one that its configuration began: that begins again at its next time.\n\n\
Examples:\n  kustomer-ingest resume --topic shop.imports --config worker.yaml\n  kustomer-ingest resume --destination all --config worker.yaml"
)]
pub struct ResumeArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub what: PausableArg,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub worker: WorkerArg,
}

/// Pauses something of a running worker.
///
/// # Errors
///
/// When the worker does not answer or refuses.
pub fn pause(args: &PauseArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let body = PauseBody {
        until: args.until.clone(),
        lasts: args.lasts.clone(),
        reason: args.reason.clone(),
        ..body(&args.what)
    };
    let answer = send(&args.worker, "/pauses", &body)?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let scope = text("paused").unwrap_or_default();
    out.line(&match text("until") {
        Some(until) => format!("{scope} is paused until {until}, or until this worker ends"),
        None => format!("{scope} is paused until somebody resumes it, or until this worker ends"),
    })?;
    Ok(CommandExit::Good)
}

/// Ends pauses of a running worker.
///
/// # Errors
///
/// When the worker does not answer or refuses, or when nothing is paused.
pub fn resume(args: &ResumeArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let answer = send(&args.worker, "/pauses/resume", &body(&args.what))?;
    let scope = answer.get("resumed").and_then(Value::as_str);
    out.line(&format!("{} goes on", scope.unwrap_or_default()))?;
    Ok(CommandExit::Good)
}

fn body(what: &PausableArg) -> PauseBody {
    PauseBody {
        topic: what.topic.clone(),
        route: what.route.clone(),
        destination: what.destination.clone(),
        ..PauseBody::default()
    }
}

fn send(worker: &WorkerArg, path: &str, body: &PauseBody) -> Result<Value, CommandError> {
    let body = serde_json::to_string(body).context("the request")?;
    worker.to_change()?.ask(&Asked {
        method: Method::POST,
        path,
        body: &body,
    })
}
