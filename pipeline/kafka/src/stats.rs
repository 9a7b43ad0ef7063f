//! From the client's statistics to lag per partition.

use std::collections::BTreeMap;

use ingest_core::record::{Offset, TopicPartition};
use rdkafka::Statistics as ClientStatistics;

use crate::port::{PartitionStatistics, Statistics};

/// What the client knows of the partitions it is assigned.
///
/// It learns the ends of partitions by fetching from them, so those of paused partitions grow old: just when there is
/// a backlog. `ends` are the ends that were asked for in between; the higher of the two counts.
pub(crate) fn of(
    statistics: &ClientStatistics,
    ends: &BTreeMap<TopicPartition, Offset>,
) -> Statistics {
    let mut result = Statistics {
        joined: statistics
            .cgrp
            .as_ref()
            .is_some_and(|group| group.join_state == "steady"),
        ..Statistics::default()
    };
    for topic in statistics.topics.values() {
        for partition in topic.partitions.values() {
            // The client keeps one entry for records without a partition, and entries of partitions of others.
            if partition.partition < 0 || !partition.desired {
                continue;
            }
            let name = TopicPartition::new(&topic.topic, partition.partition);
            let seen_end = known(partition.hi_offset);
            let high_watermark = seen_end.max(ends.get(&name).copied());
            let unseen = match (high_watermark, seen_end) {
                (Some(end), Some(seen)) => end.0.saturating_sub(seen.0),
                (Some(_) | None, None) | (None, Some(_)) => 0,
            };
            result.partitions.push(PartitionStatistics {
                partition: name,
                low_watermark: known(partition.lo_offset),
                high_watermark,
                lag: u64::try_from(partition.consumer_lag)
                    .ok()
                    .and_then(|lag| lag.checked_add_signed(unseen)),
            });
            // All partitions share one queue, and each reports the whole of it.
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

/// The client marks what it does not know with negative numbers.
fn known(offset: i64) -> Option<Offset> {
    (offset >= 0).then_some(Offset(offset))
}
