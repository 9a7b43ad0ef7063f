//! The second thread: commits offsets and reads committed ones.
//!
//! Both calls block for as long as the brokers take, many seconds if there is no coordinator. The poll thread must not
//! wait for that, so it hands them to this thread and collects the answers between two polls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use ingest_model::reading::Gap;
use ingest_model::record::{Epoch, Offset, TopicPartition};
use rdkafka::Offset as ClientOffset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client::context::SourceContext;
use crate::client::convert;
use crate::port::{CommitEntry, CommitFailure, CommitFailureKind, CommittedOffset};

/// How long one read of committed offsets may take before it is tried again.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long reading what others have committed may take. Commits wait for it, and it is read again soon.
const OTHERS_TIMEOUT: Duration = Duration::from_secs(1);
/// How long reading the bounds of partitions may take. They are asked for again with the next statistics.
const BOUNDS_TIMEOUT: Duration = Duration::from_secs(1);

/// A task for this thread.
#[derive(Debug)]
pub(super) enum Task {
    Commit(Vec<CommitEntry>),
    ReadCommitted(Vec<(TopicPartition, Epoch)>),
    ReadBounds(Vec<(TopicPartition, Epoch)>),
    ReadOthers(Vec<TopicPartition>),
}

/// Its answers, one for each task.
#[derive(Debug)]
pub(super) enum Answer {
    Committed(Vec<CommitResult>),
    Read(Vec<ReadResult>),
    /// Where logs start and end, as far as could be read, with the epoch in which that was asked.
    Bounds(Vec<(TopicPartition, Epoch, Bounds)>),
    /// What is committed for partitions of others, as far as it could be read.
    Others(Vec<(TopicPartition, CommittedOffset)>),
}

/// Where a log starts, and the offset after its last record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    pub(super) start: Option<Offset>,
    pub(super) end: Option<Offset>,
}

/// Entries that share a result.
#[derive(Debug)]
pub(super) struct CommitResult {
    pub(super) entries: Vec<CommitEntry>,
    pub(super) result: Result<(), CommitFailure>,
}

/// What is committed for one partition.
#[derive(Debug)]
pub(super) struct ReadResult {
    pub(super) partition: TopicPartition,
    pub(super) epoch: Epoch,
    pub(super) committed: Result<Option<CommittedOffset>, Failure>,
    /// Start and end of the log, if they could be read.
    pub(super) log: Option<Gap>,
}

/// Why a read failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) code: Option<RDKafkaErrorCode>,
    pub(super) detail: String,
}

/// Works until the poll thread drops its end.
pub(super) fn work(
    consumer: &Arc<BaseConsumer<SourceContext>>,
    tasks: &Receiver<Task>,
    answers: &Sender<Answer>,
) {
    while let Ok(task) = tasks.recv() {
        let answer = match task {
            Task::Commit(entries) => Answer::Committed(commit(consumer, entries)),
            Task::ReadCommitted(partitions) => Answer::Read(read(consumer, partitions)),
            Task::ReadBounds(partitions) => Answer::Bounds(read_bounds(consumer, &partitions)),
            Task::ReadOthers(partitions) => Answer::Others(read_others(consumer, &partitions)),
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// Commits all entries at once. The client gives one answer for all of them, which does not say which partition is to
/// blame. Where a single partition can be, each is then committed on its own.
fn commit(consumer: &BaseConsumer<SourceContext>, entries: Vec<CommitEntry>) -> Vec<CommitResult> {
    match commit_together(consumer, &entries) {
        Ok(()) => vec![CommitResult {
            entries,
            result: Ok(()),
        }],
        Err(failure) if entries.len() > 1 && may_be_one_partitions_fault(failure.kind) => {
            let mut good = Vec::new();
            let mut results = Vec::new();
            for entry in entries {
                match commit_together(consumer, std::slice::from_ref(&entry)) {
                    Ok(()) => good.push(entry),
                    Err(failure) => {
                        results.push(CommitResult {
                            entries: vec![entry],
                            result: Err(failure),
                        });
                    }
                }
            }
            if !good.is_empty() {
                results.insert(
                    0,
                    CommitResult {
                        entries: good,
                        result: Ok(()),
                    },
                );
            }
            results
        }
        Err(failure) => vec![CommitResult {
            entries,
            result: Err(failure),
        }],
    }
}

fn commit_together(
    consumer: &BaseConsumer<SourceContext>,
    entries: &[CommitEntry],
) -> Result<(), CommitFailure> {
    let failure = |error: KafkaError| CommitFailure {
        kind: convert::commit_failure(error.rdkafka_error_code()),
        detail: error.to_string(),
    };
    let list = convert::commit_list(entries).map_err(failure)?;
    consumer.commit(&list, CommitMode::Sync).map_err(failure)
}

fn may_be_one_partitions_fault(kind: CommitFailureKind) -> bool {
    match kind {
        CommitFailureKind::MetadataTooLarge
        | CommitFailureKind::NotAuthorized
        | CommitFailureKind::Other => true,
        CommitFailureKind::Fenced
        | CommitFailureKind::IllegalGeneration
        | CommitFailureKind::NotOwned
        | CommitFailureKind::Timeout => false,
    }
}

fn read(
    consumer: &BaseConsumer<SourceContext>,
    partitions: Vec<(TopicPartition, Epoch)>,
) -> Vec<ReadResult> {
    let list = convert::client_list(partitions.iter().map(|(partition, _)| partition));
    let read = consumer.committed_offsets(list, READ_TIMEOUT);
    let logs: BTreeMap<TopicPartition, Bounds> = match read {
        Ok(_) => read_bounds(consumer, &partitions)
            .into_iter()
            .map(|(partition, _, bounds)| (partition, bounds))
            .collect(),
        Err(_) => BTreeMap::new(),
    };
    partitions
        .into_iter()
        .map(|(partition, epoch)| {
            let committed = match &read {
                Err(error) => Err(failure(error)),
                Ok(list) => {
                    match list.find_partition(partition.topic.as_str(), partition.partition.0) {
                        None => Ok(None),
                        Some(element) => match element.error() {
                            Err(error) => Err(failure(&error)),
                            Ok(()) => Ok(convert::committed(&element)),
                        },
                    }
                }
            };
            let log = logs.get(&partition).and_then(Bounds::both);
            ReadResult {
                partition,
                epoch,
                committed,
                log,
            }
        })
        .collect()
}

/// One request to the group's coordinator.
fn read_others(
    consumer: &BaseConsumer<SourceContext>,
    partitions: &[TopicPartition],
) -> Vec<(TopicPartition, CommittedOffset)> {
    let list = convert::client_list(partitions);
    match consumer.committed_offsets(list, OTHERS_TIMEOUT) {
        Ok(list) => {
            let elements = list.elements();
            let found = elements.iter().filter(|element| element.error().is_ok());
            let found = found.filter_map(|element| {
                let partition = TopicPartition::new(element.topic(), element.partition());
                Some((partition, convert::committed(element)?))
            });
            found.collect()
        }
        Err(error) => {
            tracing::debug!(%error, "what the group has committed could not be read");
            Vec::new()
        }
    }
}

fn read_bounds(
    consumer: &BaseConsumer<SourceContext>,
    asked: &[(TopicPartition, Epoch)],
) -> Vec<(TopicPartition, Epoch, Bounds)> {
    let mut starts = read_bound(consumer, asked, ClientOffset::Beginning);
    let mut ends = read_bound(consumer, asked, ClientOffset::End);
    let bounds = asked.iter().filter_map(|(partition, epoch)| {
        let (start, end) = (starts.remove(partition), ends.remove(partition));
        let known = start.is_some() || end.is_some();
        known.then(|| (partition.clone(), *epoch, Bounds { start, end }))
    });
    bounds.collect()
}

/// One request per broker: the offset for the time "beginning" is the start, that for the time "end" is the end.
fn read_bound(
    consumer: &BaseConsumer<SourceContext>,
    asked: &[(TopicPartition, Epoch)],
    bound: ClientOffset,
) -> BTreeMap<TopicPartition, Offset> {
    let mut list = convert::client_list(asked.iter().map(|(partition, _)| partition));
    if list.set_all_offsets(bound).is_err() {
        return BTreeMap::new();
    }
    match consumer.offsets_for_times(list, BOUNDS_TIMEOUT) {
        Ok(list) => list
            .elements()
            .iter()
            .filter_map(|element| match (element.error(), element.offset()) {
                (Ok(()), ClientOffset::Offset(found)) => Some((
                    TopicPartition::new(element.topic(), element.partition()),
                    Offset(found),
                )),
                (Ok(()) | Err(_), _) => None,
            })
            .collect(),
        Err(error) => {
            tracing::debug!(%error, ?bound, "the bounds of partitions could not be read");
            BTreeMap::new()
        }
    }
}

impl Bounds {
    fn both(&self) -> Option<Gap> {
        let (from, to) = self.start.zip(self.end)?;
        Some(Gap { from, to })
    }
}

fn failure(error: &KafkaError) -> Failure {
    Failure {
        code: error.rdkafka_error_code(),
        detail: error.to_string(),
    }
}
