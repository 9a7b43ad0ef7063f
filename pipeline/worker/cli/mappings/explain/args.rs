//! The arguments of `explain`.

use std::str::FromStr;

use clap::Args;
use ingest_model::record::{Offset, Partition, Position, TopicPartition};

use crate::cli::args::{AtArg, ConfigArg};
use crate::cli::records::sample::SampleArgs;

/// `explain`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Prints one JSON object for each input line (for each event of a batch, with its number as member): line, event, verdict (emit, skip or \
reject; none if a line has no record of a configured topic), reason, the operations with the requests they lead to, and under notSent the route's other operations, each with its reason. Nothing is assumed to be known: objects are created, \
and a customer's id that has to be found first is shown as {\"$customer\": {\"externalId\": \"u1\"}}. In production, \
up to 100 objects of one klass share a request.\n\nThe input has one JSON value per line, or is one JSON document over several \
lines. With --records each line is a Kafka record:\n  {\"topic\": …, \"partition\": …, \"offset\": …, \"key\": …, \
\"headers\": {name: value} or [[name, value]], \"value\": …, \"timestamp\": …}\nA value is a text, any JSON, null for a tombstone, or \
bytes as \"valueBase64\", as \"keyBase64\", and in a header as {\"base64\": …}. Schemas are asked of schema_registry. \
A record without a timestamp counts as produced now. Event ids that are shared by events that are not the same are listed at the end, with --text there, otherwise on standard \
error. --position and --last read records from Kafka.\n\nWith --trace each line also has the routes that were asked, with their conditions, and for each value its \
field, the line of the mapping, the expression, the parts of the event and the variables that it names, what it gives, and what was changed to make it fit.\n\nExamples:\n  kustomer-ingest explain --config worker.yaml events.ndjson\n  \
kustomer-ingest explain --config worker.yaml --position shop.events/3/40817 --trace --text\n  kustomer-ingest explain --config worker.yaml --last 1h --event 'Order Completed'\n  kcat -C -b \
localhost:9092 -t shop.events -e -o -10 | kustomer-ingest explain --config worker.yaml"
)]
pub struct ExplainArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub sample: SampleArgs,
    /// Read one record from Kafka: its topic, partition and offset.
    #[arg(long, value_name = "TOPIC/PARTITION/OFFSET", conflicts_with_all = ["topic", "records", "last", "file"])]
    pub position: Option<RecordPosition>,
    /// Only records with this key.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Only events with this name; case, spaces, `_` and `-` do not matter.
    #[arg(long, value_name = "NAME")]
    pub event: Option<String>,
    /// Also show where each value comes from, and which routes were asked.
    #[arg(long)]
    pub trace: bool,
    /// Write for people, in place of JSON.
    #[arg(long)]
    pub text: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub at: AtArg,
}

/// The position of a record, as people write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPosition(pub Position);

impl FromStr for RecordPosition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.rsplitn(3, '/');
        let offset = parts.next().and_then(|text| text.parse().ok());
        let partition = parts.next().and_then(|text| text.parse().ok());
        let topic = parts
            .next()
            .filter(|topic| !topic.is_empty() && !topic.contains('/'));
        let offset = offset.filter(|offset: &i64| *offset >= 0);
        let partition = partition.filter(|partition: &i32| *partition >= 0);
        match (topic, partition, offset) {
            (Some(topic), Some(partition), Some(offset)) => {
                let mut place = TopicPartition::new(topic, 0);
                place.partition = Partition(partition);
                Ok(Self(Position {
                    partition: place,
                    offset: Offset(offset),
                }))
            }
            _ => Err(format!(
                "`{text}`: give TOPIC/PARTITION/OFFSET, such as shop.events/3/40817"
            )),
        }
    }
}
