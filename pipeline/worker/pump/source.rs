//! Splits the source's events: records go to the mapper threads, everything else to the pump.

use std::time::Duration;

use ingest_delivery::machine::{CommitAnswer, CommitEntry, Committed, Input};
use ingest_delivery::port::Metadata;
use ingest_kafka::reader::topics::fetch_partition_counts_of;
use ingest_kafka::{
    CommitEntry as SourceEntry, CommitFailure, CommitFailureKind, CommittedOffset, KafkaSettings,
    ReadError, SourceCommand, SourceEvent, SourceEvents,
};
use ingest_model::record::{Topic, TopicPartition};
use tokio::sync::{mpsc, watch};

use super::mappers::{Batch, Mappers};

/// How long the source may take to leave the group.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one query for partition counts may take.
const TOPOLOGY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before they are queried again after a failure.
const TOPOLOGY_RETRY: Duration = Duration::from_secs(2);

/// Forwards until the source or the pump ends. Waiting for room here fills the source's channel, which pauses the
/// consumer; polling goes on.
pub(super) async fn forward(
    mut events: SourceEvents,
    mappers: Mappers,
    control: mpsc::Sender<SourceEvent>,
) {
    while let Some(event) = events.recv().await {
        let taken = match event {
            SourceEvent::Records(batch) => mappers.put(batch).await,
            SourceEvent::Assigned(assigned) => {
                let partitions = assigned.iter().map(|one| one.partition.clone());
                mappers.forget(partitions.collect()).await
                    && control.send(SourceEvent::Assigned(assigned)).await.is_ok()
            }
            // nothing of these partitions follows
            SourceEvent::Revoking(ref gone) | SourceEvent::Lost(ref gone) => {
                let partitions = gone.iter().map(|(partition, _)| partition.clone());
                mappers.forget(partitions.collect()).await && control.send(event).await.is_ok()
            }
            SourceEvent::NewLife { .. }
            | SourceEvent::Vanished { .. }
            | SourceEvent::Empty { .. }
            | SourceEvent::PositionsLost(_)
            | SourceEvent::Committed { .. }
            | SourceEvent::CommittedByOthers(_)
            | SourceEvent::Statistics(_)
            | SourceEvent::Error(_)
            | SourceEvent::Fatal(_)
            | SourceEvent::Stopped => control.send(event).await.is_ok(),
        };
        if !taken {
            return;
        }
    }
}

/// Waits until the source has left the group. The last records on their way have to be taken, or the forwarding task would never
/// finish.
pub(super) async fn stopped(
    control: &mut mpsc::Receiver<SourceEvent>,
    mapped: &mut mpsc::Receiver<Batch>,
) {
    let stopped = tokio::time::timeout(STOP_TIMEOUT, async {
        loop {
            tokio::select! { biased;
                event = control.recv() => match event {
                    Some(SourceEvent::Stopped) | None => break,
                    Some(_) => {}
                },
                record = mapped.recv() => if record.is_none() { break },
            }
        }
    });
    if stopped.await.is_err() {
        tracing::warn!("the consumer did not leave the group in time");
    }
}

/// Converts a committed offset for the machine.
pub(super) fn committed(found: CommittedOffset) -> Committed {
    let metadata = match found.metadata {
        Some(text) => Metadata::Text(text),
        None if found.metadata_unreadable => Metadata::Unreadable,
        None => Metadata::None,
    };
    Committed {
        offset: found.offset,
        metadata,
    }
}

/// Converts what the group has committed for partitions of others.
pub(super) fn riders(found: Vec<(TopicPartition, CommittedOffset)>) -> Input {
    let found = found.into_iter();
    Input::Riders(
        found
            .map(|(partition, one)| (partition, committed(one).metadata))
            .collect(),
    )
}

/// Converts a commit for the source.
pub(super) fn commit(entries: Vec<CommitEntry>) -> SourceCommand {
    let entries = entries.into_iter().map(|entry| SourceEntry {
        partition: entry.partition,
        epoch: entry.epoch,
        offset: entry.offset,
        metadata: entry.metadata,
    });
    SourceCommand::Commit {
        entries: entries.collect(),
    }
}

/// Converts the answer to a commit for the machine.
pub(super) fn commit_answer(result: &Result<(), CommitFailure>) -> CommitAnswer {
    match result.as_ref().map_err(|failure| failure.kind) {
        Ok(()) => CommitAnswer::Accepted,
        Err(CommitFailureKind::MetadataTooLarge) => CommitAnswer::MetadataTooLarge,
        Err(
            CommitFailureKind::Fenced
            | CommitFailureKind::IllegalGeneration
            | CommitFailureKind::NotOwned
            | CommitFailureKind::Timeout
            | CommitFailureKind::NotAuthorized
            | CommitFailureKind::Other,
        ) => CommitAnswer::Failed,
    }
}

/// Queries the partition counts periodically and reports changes. A topic that is missing or not visible keeps back only
/// itself.
pub(super) async fn watch_topology(
    settings: watch::Receiver<KafkaSettings>,
    counts: mpsc::Sender<Vec<(Topic, u32)>>,
    interval: Duration,
) {
    let mut known: Option<Vec<(Topic, u32)>> = None;
    let mut told: Option<String> = None;
    loop {
        let asked = settings.borrow().clone();
        let fetched = tokio::task::spawn_blocking(move || fetch_counts(&asked));
        let (fresh, trouble) = match fetched.await {
            Ok(fetched) => fetched,
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        if trouble.is_some() && trouble != told {
            let trouble = trouble.as_deref().unwrap_or_default();
            tracing::warn!(
                trouble,
                "partition counts are not known; nothing is sent for such a topic"
            );
        }
        let pause = if trouble.is_some() {
            TOPOLOGY_RETRY
        } else {
            interval
        };
        told = trouble;
        if !fresh.is_empty() && known.as_ref() != Some(&fresh) {
            if counts.send(fresh.clone()).await.is_err() {
                return;
            }
            known = Some(fresh);
        }
        tokio::time::sleep(pause).await;
    }
}

/// The counts of all visible topics, and the first problem with the others. Blocks.
fn fetch_counts(settings: &KafkaSettings) -> (Vec<(Topic, u32)>, Option<String>) {
    let mut counts = Vec::new();
    let mut trouble = None;
    for topic in settings.topics() {
        let asked = std::slice::from_ref(topic);
        match fetch_partition_counts_of(settings, asked, TOPOLOGY_TIMEOUT) {
            Ok(found) => counts.extend(
                found
                    .into_iter()
                    .map(|(topic, count)| (topic, u32::try_from(count).unwrap_or(u32::MAX))),
            ),
            Err(error) => {
                let unreachable = matches!(error, ReadError::Unreachable { .. });
                trouble.get_or_insert_with(|| error.to_string());
                if unreachable {
                    // A missing answer says nothing about any topic: keep what was known, or shares would be wrong.
                    return (Vec::new(), trouble);
                }
            }
        }
    }
    (counts, trouble)
}
