//! `dead-letters`: its arguments; [`crate::dead_letters`] does the work.

use clap::{Args, Subcommand};

use super::args::{ConfigArg, whole};
use super::exit::{CommandError, CommandExit};
use super::output::Output;
use crate::clock::Clock;
use crate::dead_letters::{
    DeadLettersError, Filter, LetterPlace, LetterTopic, ListOptions, Moment, ReplayOptions,
    Replayed, Selection, Shown, list, replay, show,
};

/// `dead-letters`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A dead letter is a record that can never be delivered as it is, with the reason and its origin in \
headers. A letter is identified by its place on the dead-letter topic: PARTITION:OFFSET.\n\nExamples:\n  \
kustomer-ingest dead-letters list --config worker.yaml --since 2h\n  kustomer-ingest dead-letters show --config \
worker.yaml 0:42\n  kustomer-ingest dead-letters replay --config worker.yaml --reason mapping_failed --dry-run"
)]
pub struct DeadLettersArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: DeadLettersCommand,
}

/// The commands for dead letters.
#[derive(Debug, Clone, Subcommand)]
pub enum DeadLettersCommand {
    /// List letters and count them by reason and topic, without keys and values.
    List(ListArgs),
    /// Show letters in full.
    Show(ShowArgs),
    /// Send the original records back to the topics that they came from.
    Replay(ReplayArgs),
}

/// Which topic of letters.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// Read the hold topic (`kafka.hold_topic`) instead of the dead-letter topic.
    #[arg(long)]
    pub from_hold: bool,
}

/// Which letters.
#[derive(Debug, Clone, Default, Args)]
pub struct FilterArgs {
    /// Only letters with this reason, such as `mapping_failed`; may be given several times.
    #[arg(long, value_name = "REASON")]
    pub reason: Vec<String>,
    /// Only letters whose record came from this topic; may be given several times.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Vec<String>,
    /// Only letters of this route of the mapping; may be given several times.
    #[arg(long, value_name = "ROUTE")]
    pub route: Vec<String>,
    /// Only letters written at this time or later: 2026-03-04T05:06:07Z, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only letters written before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
}

/// `dead-letters list`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "The newest letters are shown last. The time is when the letter was written, or that of the \
record if the letter does not say.\n\nWith --json each line is an object: position, partition, offset, reason, \
source {topic, partition, offset}, route, attempts, replays, written, recorded, key_bytes, value_bytes, \
headers.\n\nExamples:\n  kustomer-ingest dead-letters list --config worker.yaml --summary\n  kustomer-ingest \
dead-letters list --config worker.yaml --reason refused_by_api --since 2h --json"
)]
pub struct ListArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub place: PlaceArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub filter: FilterArgs,
    /// Show only the newest N; the default is 100, or all with --json.
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000_u64, "100"))]
    pub limit: Option<u64>,
    /// Only the counts by reason and topic.
    #[arg(long)]
    pub summary: bool,
    /// Print one JSON object per line, for programs.
    #[arg(long)]
    pub json: bool,
}

/// `dead-letters show`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Without --value, keys, values and the producer's headers are shown only by their sizes: they may contain \
personal data.\n\nExamples:\n  kustomer-ingest dead-letters show --config worker.yaml 0:42\n  kustomer-ingest \
dead-letters show --config worker.yaml --value 0:42\n  kustomer-ingest dead-letters show --config worker.yaml 0:42 --json > letter.json"
)]
pub struct ShowArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub place: PlaceArgs,
    /// Also show the key, the value and the producer's headers.
    #[arg(long)]
    pub value: bool,
    /// Print each letter's original record on one line of JSON, as explain --records and test --pin take it, with all of its content.
    #[arg(long, conflicts_with = "value")]
    pub json: bool,
    /// The place of the letter on the dead-letter topic.
    #[arg(value_name = "PARTITION:OFFSET", required = true)]
    pub letters: Vec<LetterPlace>,
}

/// `dead-letters replay`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Each letter's record goes back to the topic that it came from, and to the same partition if the topic \
still has it: key, value, time and headers are unchanged, and its origin (ingest.source.*) and the number of its replays \
(ingest.replays) are added. The worker then treats it like any record; one that fails again becomes a letter whose ingest.replays \
is one higher. Only letters that existed when the command began are sent, so it always ends.\n\nWhat was sent is \
remembered under the consumer group GROUP.replay: the same command sends nothing twice, and continues where an earlier one was \
stopped. --again overrides this. Brokers forget this after offsets.retention.minutes (seven days by \
default). Records that are sent twice do no harm to objects with a version; events repeat, marked by the same \
meta.eventKey.\n\nSIGINT stops after the current record and prints where to continue.\n\nExamples:\n  kustomer-ingest \
dead-letters replay --config worker.yaml --reason mapping_failed --dry-run\n  kustomer-ingest dead-letters replay \
--config worker.yaml --reason mapping_failed --since 2h\n  kustomer-ingest dead-letters replay --config worker.yaml \
0:42 0:43"
)]
pub struct ReplayArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub place: PlaceArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub filter: FilterArgs,
    /// All letters; needed if nothing else selects any.
    #[arg(long, conflicts_with = "letters")]
    pub all: bool,
    /// Start at this letter of its partition; may be given once for each partition.
    #[arg(long, value_name = "PARTITION:OFFSET")]
    pub from: Vec<LetterPlace>,
    /// Send at most N records.
    #[arg(long, value_name = "N", value_parser = whole(1..=u64::MAX, "100"))]
    pub limit: Option<u64>,
    /// Print what would be sent, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The most records a second. Each is acknowledged before the next, which limits the rate to about a hundred.
    #[arg(long, value_name = "N", default_value = "20", value_parser = whole(1..=10_000_u32, "20"))]
    pub rate: u32,
    /// Leave out records that were replayed this often already.
    #[arg(long, value_name = "N", default_value = "3", value_parser = whole(0..=u64::MAX, "3"))]
    pub max_replays: u64,
    /// Send letters that were sent back before, too.
    #[arg(long)]
    pub again: bool,
    /// Only these letters.
    #[arg(value_name = "PARTITION:OFFSET")]
    pub letters: Vec<LetterPlace>,
}

/// Runs a command for dead letters.
///
/// # Errors
///
/// When the configuration cannot be used, the topic cannot be read, or a record cannot be sent back.
pub fn run(args: &DeadLettersArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    match &args.command {
        DeadLettersCommand::List(args) => {
            let filter = args.filter.filter()?;
            let topic = args.place.open()?;
            let options = ListOptions {
                limit: args.limit,
                summary: args.summary,
                json: args.json,
            };
            list(&topic, &filter, options, out)?;
            Ok(CommandExit::Good)
        }
        DeadLettersCommand::Show(args) => {
            let shown = match (args.json, args.value) {
                (true, _) => Shown::Json,
                (false, true) => Shown::Values,
                (false, false) => Shown::Sizes,
            };
            show(&args.place.open()?, &args.letters, shown, out)?;
            Ok(CommandExit::Good)
        }
        DeadLettersCommand::Replay(args) => {
            let options = args.options()?;
            Ok(match replay(&args.place.open()?, &options, out)? {
                Replayed::All => CommandExit::Good,
                Replayed::Part => CommandExit::Failed,
            })
        }
    }
}

// === impl PlaceArgs ===

impl PlaceArgs {
    fn open(&self) -> Result<LetterTopic, CommandError> {
        Ok(LetterTopic::open(self.config.load()?, self.from_hold)?)
    }
}

// === impl FilterArgs ===

impl FilterArgs {
    fn selection(&self) -> Selection {
        Selection {
            reasons: self.reason.clone(),
            topics: self.topic.clone(),
            routes: self.route.clone(),
            since: self.since,
            until: self.until,
        }
    }

    fn filter(&self) -> Result<Filter, DeadLettersError> {
        Filter::new(&self.selection(), Clock.unix_ms())
    }
}

// === impl ReplayArgs ===

impl ReplayArgs {
    fn options(&self) -> Result<ReplayOptions, CommandError> {
        let is_asked = self.all || !self.letters.is_empty() || !self.filter.selection().is_empty();
        if !is_asked {
            return Err(CommandError::Usage(
                "say which letters: --reason, --topic, --route, --since, --until, PARTITION:OFFSET, or --all"
                    .to_owned(),
            ));
        }
        Ok(ReplayOptions {
            filter: self.filter.filter()?,
            letters: self.letters.clone(),
            from: self.from.clone(),
            limit: self.limit,
            dry_run: self.dry_run,
            rate: self.rate,
            max_replays: self.max_replays,
            again: self.again,
        })
    }
}
