//! From the client's statistics to lag per partition.

use ingest_core::record::{Offset, TopicPartition};
use rdkafka::Statistics as ClientStatistics;

use crate::port::{PartitionStatistics, Statistics};

/// What the client knows of the partitions it is assigned. It asks the brokers for the ends of partitions by itself
/// (every ten seconds at most), so lag is known while partitions are paused, too.
pub(crate) fn of(statistics: &ClientStatistics) -> Statistics {
    let mut result = Statistics::default();
    for topic in statistics.topics.values() {
        for partition in topic.partitions.values() {
            // The client keeps one entry for records without a partition, and entries of partitions of others.
            if partition.partition < 0 || !partition.desired {
                continue;
            }
            result.partitions.push(PartitionStatistics {
                partition: TopicPartition::new(&topic.topic, partition.partition),
                low_watermark: known(partition.lo_offset),
                high_watermark: known(partition.hi_offset),
                lag: u64::try_from(partition.consumer_lag).ok(),
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
