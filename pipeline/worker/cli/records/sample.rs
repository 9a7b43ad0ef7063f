//! A sample of records: the lines of a file or of standard input, or what Kafka has.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use ingest_model::record::{Record, Topic};

use super::lines::{self, Item, Lines};
use super::topic::{Last, TopicRecords, last};
use crate::cli::exit::CommandError;
use crate::config::Settings;

/// Where a sample is.
#[derive(Debug, Clone, Default, Args)]
pub struct SampleArgs {
    /// The topic that the records come from; needed if the configuration has several.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Each line is a whole Kafka record and not just its value.
    #[arg(long)]
    pub records: bool,
    /// Read the topic from Kafka: the records of the last time (1h), or so many of the last records (10000).
    #[arg(long, value_name = "TIME|N", value_parser = last, conflicts_with_all = ["file", "records"])]
    pub last: Option<Last>,
    /// The file with the lines; standard input if left out, or `-`.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// A sample, record by record.
pub(in crate::cli) struct Sample {
    source: Source,
    read: u64,
}

enum Source {
    Lines {
        lines: Lines<Box<dyn BufRead>>,
        topic: Option<Topic>,
        records: bool,
        written_ms: Option<i64>,
    },
    Topic(Box<TopicRecords>),
}

/// A line of a sample, or a record of Kafka.
pub(in crate::cli) struct Sampled {
    /// The number of the line; of records from Kafka, how many were read.
    pub(in crate::cli) line: u64,
    /// The record.
    pub(in crate::cli) item: Item,
}

impl Sample {
    /// The sample that the arguments name. Records without a time of their own get this one.
    pub(in crate::cli) fn open(
        args: &SampleArgs,
        settings: &Settings,
        written_ms: Option<i64>,
    ) -> Result<Self, CommandError> {
        let topic = super::topic(args.topic.as_deref(), args.records, settings)?;
        if let Some(last) = args.last {
            let topic = topic.context("no topic is given")?;
            return Ok(Self::of_topic(
                TopicRecords::open(settings, &topic, last)?.0,
            ));
        }
        Self::of_lines(args.file.as_deref(), topic, args.records, written_ms)
    }

    /// What Kafka has.
    pub(in crate::cli) fn of_topic(records: TopicRecords) -> Self {
        Self {
            source: Source::Topic(Box::new(records)),
            read: 0,
        }
    }

    /// The lines of a file, or of standard input.
    pub(in crate::cli) fn of_lines(
        file: Option<&Path>,
        topic: Option<Topic>,
        records: bool,
        written_ms: Option<i64>,
    ) -> Result<Self, CommandError> {
        let file = file.filter(|path| path.as_os_str() != "-");
        let reader: Box<dyn BufRead> = match file {
            None if io::stdin().is_terminal() => {
                return Err(CommandError::Usage(
                    "give a FILE with records, pipe them into the command, or read them from Kafka with --last".to_owned(),
                ));
            }
            None => Box::new(io::stdin().lock()),
            Some(path) => {
                let file =
                    File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
                Box::new(BufReader::new(file))
            }
        };
        Ok(Self::of_reader(reader, topic, records, written_ms))
    }

    /// The lines of anything.
    pub(in crate::cli) fn of_reader(
        reader: Box<dyn BufRead>,
        topic: Option<Topic>,
        records: bool,
        written_ms: Option<i64>,
    ) -> Self {
        Self {
            source: Source::Lines {
                lines: Lines::new(reader),
                topic,
                records,
                written_ms,
            },
            read: 0,
        }
    }

    /// Whether it was read from Kafka.
    pub(in crate::cli) fn is_from_kafka(&self) -> bool {
        matches!(self.source, Source::Topic(_))
    }

    /// The next record; `None` at the end.
    pub(in crate::cli) fn read(&mut self) -> anyhow::Result<Option<Sampled>> {
        self.read += 1;
        match &mut self.source {
            Source::Topic(topic) => Ok(topic.read()?.map(|record: Record| Sampled {
                line: self.read,
                item: Item::Record(record),
            })),
            Source::Lines {
                lines,
                topic,
                records,
                written_ms,
            } => {
                let Some(line) = lines.next().transpose().context("cannot read the input")? else {
                    return Ok(None);
                };
                let item = if *records {
                    lines::record(&line, topic.as_ref(), *written_ms)
                } else {
                    lines::value(&line, topic.as_ref(), *written_ms)
                };
                Ok(Some(Sampled {
                    line: line.number,
                    item,
                }))
            }
        }
    }
}
