//! Which offsets a mapper thread may have in hand, noted on disk.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use ingest_model::record::{Position, TopicPartition};

/// A note covers this many offsets, so one write is enough for as many records.
pub(super) const OFFSETS: i64 = 1024;

/// The notes of one thread: for each partition, a range of offsets that contains the record in hand.
///
/// They are written before a record is mapped and cleared when the thread ends normally. They only have to outlast the
/// process, so nothing is synced to disk.
#[derive(Debug)]
pub(crate) struct Marks {
    file: File,
    ranges: BTreeMap<TopicPartition, i64>,
    length: usize,
    failed: bool,
}

/// A range of offsets of one partition, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) partition: TopicPartition,
    pub(super) first: i64,
    pub(super) last: i64,
    /// Since when it has been suspected, epoch milliseconds; `None` in the notes of a thread.
    pub(super) since_ms: Option<i64>,
}

// === impl Marks ===

impl Marks {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            ranges: BTreeMap::new(),
            length: 0,
            failed: false,
        })
    }

    /// Notes that a record is about to be mapped. If the note cannot be written, that is logged once, and the record is
    /// mapped.
    pub(crate) fn note(&mut self, position: &Position) {
        let offset = position.offset.0;
        let known = self.ranges.get(&position.partition);
        if known.is_some_and(|first| (*first..first.saturating_add(OFFSETS)).contains(&offset)) {
            return;
        }
        self.ranges.insert(position.partition.clone(), offset);
        if let Err(error) = self.write()
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!(error = %error, "state.dir: notes of the records in hand cannot be written");
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let mut text = String::new();
        for (partition, first) in &self.ranges {
            let range = Range {
                partition: partition.clone(),
                first: *first,
                last: first.saturating_add(OFFSETS - 1),
                since_ms: None,
            };
            range.write(&mut text);
        }
        self.file.write_all_at(text.as_bytes(), 0)?;
        if text.len() < self.length {
            self.file.set_len(text.len() as u64)?;
        }
        self.length = text.len();
        Ok(())
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        // The thread ended normally, or by a panic that was caught: no record is in hand.
        if let Err(error) = self.file.set_len(0) {
            tracing::debug!(error = %error, "notes of the records in hand cannot be cleared");
        }
    }
}

// === impl Range ===

impl Range {
    pub(super) fn contains(&self, position: &Position) -> bool {
        self.partition == position.partition
            && (self.first..=self.last).contains(&position.offset.0)
    }

    pub(super) fn write(&self, text: &mut String) {
        let Self {
            partition,
            first,
            last,
            since_ms,
        } = self;
        let (topic, number) = (&partition.topic, partition.partition.0);
        let since = since_ms.map_or_else(String::new, |since| format!(" {since}"));
        // The name of a topic has neither spaces nor line breaks.
        let written = writeln!(text, "{topic} {number} {first} {last}{since}");
        debug_assert!(written.is_ok(), "writing into a text does not fail");
    }

    /// The range in a line; `None` for an incomplete line.
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let topic = words.next()?;
        let number = words.next()?.parse().ok()?;
        let first = words.next()?.parse().ok()?;
        let last = words.next()?.parse().ok()?;
        let since_ms = words.next().map(str::parse).transpose().ok()?;
        (words.next().is_none() && !topic.is_empty()).then(|| Self {
            partition: TopicPartition::new(topic, number),
            first,
            last,
            since_ms,
        })
    }
}
