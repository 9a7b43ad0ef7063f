//! The arguments of `infer`.

use std::path::PathBuf;

use clap::Args;
use ingest_mapping::decode::Format;

use crate::cli::args::whole;
use crate::cli::records::topic::{Last, last};

/// The keys that lead to a field.
#[derive(Debug, Clone)]
pub struct Keys(pub Vec<String>);

fn path(text: &str) -> Result<Keys, String> {
    let keys = text.strip_prefix('.').unwrap_or_default().split('.');
    let keys: Vec<String> = keys.map(str::to_owned).collect();
    let plain = |key: &String| !key.is_empty() && !key.contains(['[', ']', '"', '|', ' ']);
    if keys.iter().all(plain) {
        Ok(Keys(keys))
    } else {
        Err("it is a path of plain names, such as .type or .hdr.evt".to_owned())
    }
}

/// `infer`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "It finds the format, counts events by name, and shows in comments which paths they have, with types and how often each is present, what looks personal, and \
what could name the customer. Each kind of event gets a route: an object where the event names a thing with an id, with attributes and their suffixes; an event on the timeline \
where it does not; a skip where nobody is named. Each has a test, without personal data. The mapping is a beginning: read it, throw away \
what tells an agent nothing, and run check and test.\n\nExamples:\n  kustomer-ingest infer events.ndjson --out mappings/till.yaml\n  kustomer-ingest infer --config worker.yaml \
--topic till.sales --last 1h --out mappings/till.yaml"
)]
pub struct InferArgs {
    /// Write the mapping into this file, and tell what was found; without it the mapping is printed.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The format of the records, if it is not to be found out.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Where records of plain JSON have the name of the event, such as .hdr.evt, if that is not found out.
    #[arg(long, value_name = "PATH", value_parser = path, conflicts_with = "format")]
    pub name: Option<Keys>,
    /// The topic; without a FILE it is read from Kafka. Rows that name no table have its name.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// A configuration: the encodings of its topics, and the brokers for --topic without a FILE.
    #[arg(long, short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// With --topic: the records of the last time (1h), or so many of the last records (1000).
    #[arg(long, value_name = "TIME|N", value_parser = last, requires = "topic", conflicts_with = "file")]
    pub last: Option<Last>,
    /// Each line is a whole Kafka record and not just its value.
    #[arg(long)]
    pub records: bool,
    /// The most kinds of events that get a route, the most frequent first.
    #[arg(long, value_name = "N", default_value = "30", value_parser = whole(1..=200_usize, "30"))]
    pub events: usize,
    /// The file with the records; standard input if left out, or `-`.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}
