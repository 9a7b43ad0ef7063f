//! Records from a file, or from standard input: the same lines as for `explain`.

use std::io::BufRead;

use ingest_model::record::Topic;

use crate::cli::records::configured;
use crate::cli::records::lines::{Item, Lines, record, value};
use crate::cli::records::topic::TopicRecords;
use crate::config::Settings;
use crate::simulated::forecast::{Input, Read, Recorded};

/// The lines of an input.
pub(super) struct FileInput<'s, R> {
    lines: Lines<R>,
    settings: &'s Settings,
    topic: Option<Topic>,
    records: bool,
}

impl<'s, R: BufRead> FileInput<'s, R> {
    pub(super) fn new(
        reader: R,
        settings: &'s Settings,
        topic: Option<Topic>,
        records: bool,
    ) -> Self {
        Self {
            lines: Lines::new(reader),
            settings,
            topic,
            records,
        }
    }
}

impl<R: BufRead + Send> Input for FileInput<'_, R> {
    fn next(&mut self) -> anyhow::Result<Read> {
        let Some(line) = self.lines.next().transpose()? else {
            return Ok(Read::End);
        };
        let item = if self.records {
            record(&line, self.topic.as_ref(), None)
        } else {
            value(&line, self.topic.as_ref(), None)
        };
        let record = match item {
            Item::Record(record) => record,
            Item::Bad(why) => return Ok(Read::Unusable(line.number, why)),
        };
        let name = &record.position.partition.topic;
        let mut topics = self.settings.kafka.topics.iter();
        if !topics.any(|known| known.topic == *name) {
            let why = format!(
                "the configuration has no topic {name}; it has {}",
                configured(self.settings)
            );
            return Ok(Read::Unusable(line.number, why));
        }
        Ok(Read::Record(Box::new(Recorded {
            record,
            has_partition: false,
        })))
    }
}

impl Input for TopicRecords {
    fn next(&mut self) -> anyhow::Result<Read> {
        Ok(match self.read()? {
            Some(record) => Read::Record(Box::new(Recorded {
                record,
                has_partition: true,
            })),
            None => Read::End,
        })
    }
}
