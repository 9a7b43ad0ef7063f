//! `receipts`: what became of a record, read from the receipts topic.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use ingest_kafka::reader::{Read, TopicReader, Watermarks, fetch_offsets_at, fetch_watermarks};
use ingest_kafka::{KafkaSettings, ReadError, partition_of};
use ingest_model::record::{EventIds, Partition, Record, Topic};

use super::topic::unreadable;
use crate::cli::args::{ConfigArg, whole};
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;
use crate::clock::Clock;
use crate::dead_letters::{Moment, Progress, plain, show_time};
use crate::observe::words::plural;
use crate::pump::{Done, Origin, Receipt};

/// How long the brokers may take to answer, and to send the next record.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a record before looking at the time again.
const WAIT: Duration = Duration::from_millis(100);

/// `receipts`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A receipt says what became of a record: how it was settled, and for each of its operations the ids in Kustomer, the bulk \
job, attempts, cost and times. The worker writes them to kafka.receipts_topic after records are settled, as well as it can: a receipt that \
is missing does not mean that its record is.\n\nExamples:\n  kustomer-ingest receipts show --config worker.yaml shop.events/0/42\n  \
kustomer-ingest receipts find --config worker.yaml --event-id evt_1 --since 2d --json"
)]
pub struct ReceiptsArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: ReceiptsCommand,
}

/// The commands for receipts.
#[derive(Debug, Clone, Subcommand)]
pub enum ReceiptsCommand {
    /// Show what became of a record.
    Show(ShowArgs),
    /// Find the receipts that name an event, an object, a customer or a job.
    Find(FindArgs),
}

/// What all commands for receipts take.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// Only receipts written at this time or later: 2026-03-04T05:06:07Z, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Print each receipt as it was written, one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

/// `receipts show`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "All receipts of the record are shown, the newest last. There are several where it was worked on again, such as after a crash: \
what was delivered by then is skipped the second time.\n\nA receipt's key is the record's position, so one partition of the receipts topic is \
read; the others, too, if there is nothing. Without --since it is read from its beginning.\n\nExamples:\n  kustomer-ingest receipts show \
--config worker.yaml shop.events/0/42\n  kustomer-ingest receipts show --config worker.yaml shop.events/0/42 --json"
)]
pub struct ShowArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub common: CommonArgs,
    /// The position of the record.
    #[arg(value_name = "TOPIC/PARTITION/OFFSET")]
    pub record: Origin,
}

/// `receipts find`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Receipts have no index: the whole topic is read, or what was written since --since. Give what you know; a receipt has to match \
all of it.\n\nExamples:\n  kustomer-ingest receipts find --config worker.yaml --event-id evt_1\n  kustomer-ingest receipts find --config \
worker.yaml --customer-id 5f9c1a2b3c4d5e6f7a8b9c0d --since 2h"
)]
pub struct FindArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub common: CommonArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub wanted: WantedArgs,
    /// Only records of this topic.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Show at most N.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = whole(1..=1_000_000_u64, "100"))]
    pub limit: u64,
}

/// What a receipt has to name: one of these at least.
#[derive(Debug, Clone, Default, Args)]
#[group(required = true, multiple = true)]
pub struct WantedArgs {
    /// The id that its producer gave to the event.
    #[arg(long, value_name = "ID")]
    pub event_id: Option<String>,
    /// The id of an object in Kustomer.
    #[arg(long, value_name = "ID")]
    pub object_id: Option<String>,
    /// The id of a customer in Kustomer.
    #[arg(long, value_name = "ID")]
    pub customer_id: Option<String>,
    /// The id of a bulk job in Kustomer.
    #[arg(long, value_name = "ID")]
    pub job: Option<String>,
}

/// Runs a command for receipts.
///
/// # Errors
/// The configuration names no receipts topic, it cannot be read, or there is no such receipt.
pub fn run(args: &ReceiptsArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    match &args.command {
        ReceiptsCommand::Show(args) => show(args, out),
        ReceiptsCommand::Find(args) => find(args, out),
    }
}

fn show(args: &ShowArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let topic = ReceiptsTopic::open(&args.common)?;
    let key = args.record.to_string();
    let count = u32::try_from(topic.spans.len()).unwrap_or(u32::MAX);
    let home = partition_of(key.as_bytes(), count);
    let mut found = Vec::new();
    // Elsewhere only if the topic had another number of partitions then, or somebody has copied it.
    for at_home in [true, false] {
        let mut spans = topic.spans.clone();
        spans.retain(|partition, _| (*partition == home) == at_home);
        if !found.is_empty() || spans.is_empty() {
            continue;
        }
        topic.read(&spans, |record| {
            if record.key.as_deref() == Some(key.as_bytes()) {
                found.push(record);
            }
            Ok(true)
        })?;
    }
    found.sort_by_key(|record| record.timestamp_ms);
    let mut shown = 0_u64;
    for record in &found {
        let receipt = Receipt::read(record.value.as_deref().unwrap_or_default());
        match receipt {
            Ok(receipt) => {
                print(&receipt, record, args.common.json, out)?;
                shown += 1;
            }
            Err(why) => Output::stderr().line(&format!("{}: {why}", place(record)))?,
        }
    }
    if shown == 0 {
        return Err(anyhow!(
            "{} has no receipt of {key}: it is not settled yet, it was skipped by its mapping (kafka.receipts_of), its receipt was lost \
             (receipts_total), or the topic keeps it no longer",
            topic.topic
        )
        .into());
    }
    Ok(CommandExit::Good)
}

fn find(args: &FindArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let topic = ReceiptsTopic::open(&args.common)?;
    let (mut found, mut foreign) = (0_u64, 0_u64);
    topic.read(&topic.spans, |record| {
        let Ok(receipt) = Receipt::read(record.value.as_deref().unwrap_or_default()) else {
            foreign += 1;
            return Ok(true);
        };
        let of = args.topic.as_ref();
        if args.wanted.is_in(&receipt) && of.is_none_or(|topic| *topic == receipt.origin.topic) {
            found += 1;
            print(&receipt, &record, args.common.json, out)?;
        }
        Ok(found < args.limit)
    })?;
    if foreign > 0 {
        let records = plural(foreign, "record");
        Output::stderr().line(&format!(
            "{records} of {} left out: no receipts, or written by a newer worker",
            topic.topic
        ))?;
    }
    if found == args.limit {
        Output::stderr().line(&format!(
            "stopped after {}; --limit shows more",
            plural(found, "receipt")
        ))?;
    }
    if found == 0 {
        return Err(anyhow!("{} has no such receipt", topic.topic).into());
    }
    Ok(CommandExit::Good)
}

fn print(
    receipt: &Receipt,
    record: &Record,
    json: bool,
    out: &mut Output<'_>,
) -> Result<(), CommandError> {
    if json {
        let value = record.value.as_deref().unwrap_or_default();
        return out.line(&String::from_utf8_lossy(value));
    }
    for line in lines(receipt, &place(record)) {
        out.line(&line)?;
    }
    Ok(())
}

fn place(record: &Record) -> String {
    let partition = record.position.partition.partition.0;
    format!("{partition}:{}", record.position.offset.0)
}

/// A receipt for people; it stands at that place.
fn lines(receipt: &Receipt, place: &str) -> Vec<String> {
    let verdict = in_words(&receipt.verdict, receipt.reason.as_deref());
    let mut lines = vec![format!("{}  {verdict}", plain(&receipt.origin.to_string()))];
    let mut add = |name: &str, value: String| lines.push(format!("  {name:9}  {value}"));
    for id in &receipt.event_ids {
        add("event", plain(id));
    }
    if receipt.event_ids_left_out > 0 {
        add("", format!("and {} more", receipt.event_ids_left_out));
    }
    let times = &receipt.times;
    for (name, time) in [
        ("happened", times.event),
        ("recorded", times.record),
        ("came in", times.came_in),
        ("settled", Some(times.settled)),
    ] {
        if time.is_some() {
            add(name, show_time(time));
        }
    }
    add("traffic", plain(&receipt.traffic));
    if receipt.attempts > 0 {
        add("attempts", receipt.attempts.to_string());
    }
    add("units", receipt.units.to_string());
    add(
        "receipt",
        format!("{place}, by worker {}", plain(&receipt.worker)),
    );
    for (number, one) in (1..).zip(&receipt.operations) {
        lines.extend(operation(number, one));
    }
    if receipt.verdict == "dead_lettered" {
        lines.push("  dead-letters list says more of its rejection".to_owned());
    }
    lines
}

fn operation(number: u32, one: &Done) -> Vec<String> {
    let what = [Some(&one.kind), one.klass.as_ref(), one.verb.as_ref()];
    let what: Vec<&str> = what.into_iter().flatten().map(String::as_str).collect();
    let verdict = in_words(&one.verdict, one.reason.as_deref());
    let mut lines = vec![format!(
        "  operation {number}: {} ({}), {verdict}",
        plain(&what.join(" ")),
        plain(&one.route)
    )];
    let merged = (one.merged > 1).then(|| format!("{} operations of records in one", one.merged));
    let (attempts, units) = (one.attempts.to_string(), one.units.to_string());
    let all = [
        ("object", one.object_id.clone()),
        ("customer", one.customer_id.clone()),
        ("job", one.job.clone()),
        ("attempts", Some(attempts)),
        ("units", Some(units)),
        ("merged", merged),
        ("last sent", one.sent.map(|sent| show_time(Some(sent)))),
    ];
    for (name, value) in all {
        if let Some(value) = value {
            lines.push(format!("    {name:9}  {}", plain(&value)));
        }
    }
    lines
}

fn in_words(verdict: &str, reason: Option<&str>) -> String {
    match reason {
        None => plain(verdict),
        Some(reason) => format!("{}: {}", plain(verdict), plain(reason)),
    }
}

// === impl WantedArgs ===

impl WantedArgs {
    /// Whether a receipt names all of it.
    fn is_in(&self, receipt: &Receipt) -> bool {
        let operations = || receipt.operations.iter();
        let names = |wanted: Option<&String>, id: fn(&Done) -> Option<&String>| {
            wanted.is_none_or(|wanted| operations().any(|one| id(one) == Some(wanted)))
        };
        let event = self.event_id.as_deref().map(EventIds::cut);
        event.is_none_or(|event| receipt.event_ids.iter().any(|id| id == event))
            && names(self.object_id.as_ref(), |one| one.object_id.as_ref())
            && names(self.customer_id.as_ref(), |one| one.customer_id.as_ref())
            && names(self.job.as_ref(), |one| one.job.as_ref())
    }
}

/// The receipts topic as it was when the command began.
struct ReceiptsTopic {
    kafka: KafkaSettings,
    brokers: String,
    topic: Topic,
    spans: BTreeMap<Partition, Watermarks>,
}

impl ReceiptsTopic {
    fn open(args: &CommonArgs) -> Result<Self, CommandError> {
        let settings = args.config.load()?;
        let Some((topic, _)) = settings.kafka.receipts.clone() else {
            let problem =
                "the configuration names no kafka.receipts_topic: no receipts are written";
            return Err(CommandError::Usage(problem.to_owned()));
        };
        let kafka = settings.kafka_client().map_err(anyhow::Error::new)?;
        let brokers = settings.kafka.brokers;
        let unreadable = |error: ReadError| unreadable(&brokers, &topic, &error);
        let mut spans = fetch_watermarks(&kafka, &topic, PATIENCE).map_err(unreadable)?;
        if let Some(since) = args.since {
            let since = since.resolve(Clock.unix_ms());
            let from = fetch_offsets_at(&kafka, &topic, since, PATIENCE).map_err(unreadable)?;
            for (partition, span) in &mut spans {
                let low = from.get(partition).copied().unwrap_or(span.low);
                span.low = span.low.max(low).min(span.high);
            }
        }
        Ok(Self {
            kafka,
            brokers,
            topic,
            spans,
        })
    }

    /// Passes every record of these partitions to `take`, until that has enough.
    fn read(
        &self,
        spans: &BTreeMap<Partition, Watermarks>,
        mut take: impl FnMut(Record) -> Result<bool, CommandError>,
    ) -> Result<(), CommandError> {
        let unreadable = |error: ReadError| unreadable(&self.brokers, &self.topic, &error);
        let mut reader = TopicReader::open(&self.kafka, &self.topic, spans).map_err(unreadable)?;
        let size: i64 = spans.values().map(|one| one.high.0 - one.low.0).sum();
        let mut progress = Progress::new();
        let mut deadline = Clock.now() + PATIENCE;
        let mut count: u64 = 0;
        loop {
            match reader.next(WAIT).map_err(unreadable)? {
                Read::Record(record) => {
                    deadline = Clock.now() + PATIENCE;
                    count += 1;
                    if !take(record)? {
                        return Ok(());
                    }
                }
                Read::End => return Ok(()),
                Read::Nothing if Clock.now() >= deadline => {
                    let detail = format!("nothing of {} arrived for {PATIENCE:?}", self.topic);
                    return Err(unreadable(ReadError::Unreachable { detail }).into());
                }
                Read::Nothing => {}
            }
            progress.tell(|| format!("read {count} of about {}", plural(size, "record")))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        let text = include_str!("../../pump/receipts/example.json");
        Receipt::read(text.as_bytes()).expect("a receipt")
    }

    #[test]
    fn a_person_reads_what_became_of_a_record() {
        let text = lines(&receipt(), "3:17").join("\n");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_is_looked_for_has_to_be_named_all_of_it() {
        let id = |id: &str| Some(id.to_owned());
        let found = |wanted: WantedArgs| wanted.is_in(&receipt());
        let event = WantedArgs {
            event_id: id("evt_1"),
            ..WantedArgs::default()
        };
        assert!(found(event.clone()));
        let with_job = |job: &str| WantedArgs {
            job: id(job),
            ..event.clone()
        };
        assert!(found(with_job("65a1c0ffee")));
        assert!(!found(with_job("65a1c0ffef")));
        let of = |object: &str, customer: &str| WantedArgs {
            object_id: id(object),
            customer_id: id(customer),
            ..WantedArgs::default()
        };
        assert!(found(of("5f01", "5f02")));
        assert!(!found(of("5f02", "5f02")), "an object is no customer");
    }
}
