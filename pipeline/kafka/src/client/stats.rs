//! Computes the lag of each partition from the client's statistics.

use std::collections::BTreeMap;

use ingest_model::record::{Offset, TopicPartition};
use rdkafka::Statistics as ClientStatistics;
use rdkafka::statistics::{ConsumerGroup, Partition as ClientPartition};

use crate::port::{PartitionStatistics, Statistics};

/// Brokers answer a first heartbeat at once: if no assignment came within this time, there is none for this member.
const NEWS_WITHIN_MS: i64 = 3_000;

/// What the client knows of its assigned partitions.
///
/// It learns the ends of partitions by fetching from them, so the ends of paused partitions become outdated, and just
/// when there is a backlog. `starts` and `ends` were asked for in between; the higher of each two counts. `empty_ahead`
/// is the number of offsets above the last record that hold none: a transaction marker at the end is no backlog.
pub(crate) fn of(
    statistics: &ClientStatistics,
    (starts, ends): (
        &BTreeMap<TopicPartition, Offset>,
        &BTreeMap<TopicPartition, Offset>,
    ),
    empty_ahead: impl Fn(&TopicPartition) -> u64,
    consumer_protocol: bool,
) -> Statistics {
    let mut result = Statistics {
        joined: statistics
            .cgrp
            .as_ref()
            .is_some_and(|group| has_joined(group, consumer_protocol)),
        ..Statistics::default()
    };
    for topic in statistics.topics.values() {
        for partition in topic.partitions.values() {
            // The client keeps one entry for records without a partition, and entries for partitions it does not own.
            if partition.partition < 0 || !partition.desired {
                continue;
            }
            let name = TopicPartition::new(&topic.topic, partition.partition);
            let seen_end = known(partition.hi_offset);
            let low_watermark = known(partition.lo_offset).max(starts.get(&name).copied());
            let high_watermark = seen_end.max(ends.get(&name).copied());
            let unseen = match (high_watermark, seen_end) {
                (Some(end), Some(seen)) => end.0.saturating_sub(seen.0),
                (Some(_) | None, None) | (None, Some(_)) => 0,
            };
            let empty = empty_ahead(&name);
            result.partitions.push(PartitionStatistics {
                partition: name,
                low_watermark,
                high_watermark,
                lag: u64::try_from(partition.consumer_lag)
                    .ok()
                    .and_then(|lag| lag.checked_add_signed(unseen))
                    .map(|lag| lag.saturating_sub(empty)),
                readable: partition.leader >= 0 && partition.fetch_state == "active",
            });
            // All partitions share one queue, and each reports the size of the whole queue.
            let records = u64::try_from(partition.fetchq_cnt).unwrap_or(0);
            result.prefetched_records = result.prefetched_records.max(records);
            result.prefetched_bytes = result.prefetched_bytes.max(partition.fetchq_size);
        }
    }
    result
        .partitions
        .sort_by(|a, b| a.partition.cmp(&b.partition));
    result
}

/// What the client knows of one partition.
pub(crate) fn of_partition<'a>(
    statistics: &'a ClientStatistics,
    partition: &TopicPartition,
) -> Option<&'a ClientPartition> {
    let topic = statistics.topics.get(partition.topic.as_str())?;
    topic.partitions.get(&partition.partition.0)
}

/// How far it has fetched, and where the log starts and ends.
pub(crate) fn bounds(seen: &ClientPartition) -> (Option<Offset>, Option<Offset>, Option<Offset>) {
    let (fetched, start) = (known(seen.next_offset), known(seen.lo_offset));
    (fetched, start, known(seen.hi_offset))
}

/// Whether the group has handed out its partitions.
///
/// Under the consumer protocol, an empty first assignment leaves the client in its initial state. If a group refuses a
/// member, that is a fatal error there, so a coordinator that has been up for a few heartbeats is proof enough.
fn has_joined(group: &ConsumerGroup, consumer_protocol: bool) -> bool {
    let got_nothing = consumer_protocol
        && group.state == "up"
        && group.join_state == "init"
        && group.stateage >= NEWS_WITHIN_MS;
    group.join_state == "steady" || got_nothing
}

/// The client marks what it does not know with negative numbers.
fn known(offset: i64) -> Option<Offset> {
    (offset >= 0).then_some(Offset(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_got_nothing_has_joined_all_the_same() {
        let joined = |state: &str, join_state: &str, stateage, consumer| {
            let group = ConsumerGroup {
                state: state.to_owned(),
                join_state: join_state.to_owned(),
                stateage,
                ..ConsumerGroup::default()
            };
            has_joined(&group, consumer)
        };
        assert!(joined("up", "steady", 0, false));
        assert!(!joined("up", "init", 60_000, false), "a topic is missing");
        assert!(!joined("up", "wait-sync", 60_000, false));
        assert!(joined("up", "init", 4_000, true));
        assert!(!joined("up", "init", 100, true), "no answer yet");
        assert!(
            !joined("query-coord", "init", 60_000, true),
            "no coordinator"
        );
    }
}
