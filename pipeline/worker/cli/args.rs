//! The arguments of commands that have few; the others define their own.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;

use super::exit::CommandError;
use crate::clock::{Clock, TimeScale};
use crate::config::Settings;

/// The configuration that a command uses.
#[derive(Debug, Clone, Args)]
pub struct ConfigArg {
    /// The configuration file.
    #[arg(long, short = 'c', value_name = "FILE")]
    pub config: PathBuf,
}

/// As of when a command judges.
#[derive(Debug, Clone, Args)]
pub struct AtArg {
    /// Calculate ages (maxAge) as of this time instead of now, such as 2026-03-04T05:06:07Z.
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
}

/// `run`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "SIGTERM or SIGINT drains: what is in flight is finished, offsets are committed, partitions \
are handed back. A second signal ends the worker at once; nothing is lost, but some events may be sent again.\n\nExample:\n  \
kustomer-ingest run --config /etc/kustomer-ingest/worker.yaml"
)]
pub struct RunArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// Divide all durations that mirror the API's by this; only with a simulator on this machine.
    #[arg(long, value_name = "N", default_value = "1", hide = true)]
    pub time_scale: TimeScale,
    /// Do not hold this topic when many of its records are rejected; may be given several times.
    #[arg(long, value_name = "TOPIC")]
    pub accept_dead_letters: Vec<String>,
    /// End the process at a record that contains this text: for tests, only with a simulator on this machine.
    #[arg(long, value_name = "TEXT", hide = true)]
    pub die_at: Option<String>,
}

/// `try-records`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A worker that finds that its predecessor crashed starts this by itself; kustomer-ingest run logs it."
)]
pub struct TryRecordsArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// The same as for `run`.
    #[arg(long, value_name = "TEXT", hide = true)]
    pub die_at: Option<String>,
}

/// `replay-recording`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A worker writes a recording when an invariant is broken, when it halts, and on POST /debug/recording. Each step is shown with its number, \
the time since the process began, its input and its decisions. The whole file is replayed, however little of it is shown. If the file begins with the process, every step has to be \
decided as before; the first difference is shown with both decisions. Otherwise the machine starts with what was assigned at that time, and differences are only counted. Use the \
version of the worker that wrote the file.\n\nExamples:\n  kustomer-ingest replay-recording recording-20260304T050607890Z-1-asked.jsonl\n  kustomer-ingest \
replay-recording recording.jsonl --from 1200 --to 1300 --only shop.events/3"
)]
pub struct ReplayRecordingArgs {
    /// The recording.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Show steps from this number on.
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX, "1200"))]
    pub from: Option<u64>,
    /// Show steps up to this number.
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX, "1200"))]
    pub to: Option<u64>,
    /// Show only steps that name this partition, such as shop.events/3.
    #[arg(long, value_name = "TOPIC/PARTITION")]
    pub only: Option<String>,
}

/// `init`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Existing files are not overwritten. Edit worker.yaml, then check it.\n\nExample:\n  \
kustomer-ingest init shop && cd shop && kustomer-ingest explain --config worker.yaml events.ndjson\n  \
kustomer-ingest init shop --preset shopify"
)]
pub struct InitArgs {
    /// The mapping to begin with: segment (or rudderstack, which is the same), shopify, stripe, woocommerce, commercetools, easypost, aftership, debezium or cloudevents.
    #[arg(long, value_name = "NAME", default_value = "segment")]
    pub preset: String,
    /// The folder; the current one if left out.
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `check`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Prints every fault with its place and what to do, then warnings, then a summary. With \
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

// === impl ConfigArg ===

impl ConfigArg {
    /// Loads the settings.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be used.
    pub fn load(&self) -> Result<Settings, CommandError> {
        Ok(crate::config::load(&self.config)?)
    }
}

// === impl AtArg ===

impl AtArg {
    /// The time, or else that of the clock.
    #[must_use]
    pub fn or_now(&self) -> Timestamp {
        self.at
            .unwrap_or_else(|| Timestamp::from_millisecond(Clock.unix_ms()).unwrap_or_default())
    }
}

/// Reads a whole number of an argument. What is wrong is said with what is allowed and an example, which clap's own reader does
/// not.
pub(super) fn whole<T>(
    may: RangeInclusive<T>,
    such_as: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync,
{
    move |text| {
        let number = text.trim().parse().ok();
        let (least, most) = (may.start(), may.end());
        number.filter(|number| may.contains(number)).ok_or_else(|| {
            format!("`{text}`: give a whole number from {least} to {most}, such as {such_as}")
        })
    }
}
