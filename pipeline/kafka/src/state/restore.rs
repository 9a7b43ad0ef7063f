//! Reading the slices of input partitions back.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use ingest_model::record::{Partition, Topic, TopicPartition};
use ingest_model::state_log::SliceId;
use ingest_model::state_log::reduce::{Slice, SliceReader};

use crate::clock;
use crate::error::ReadError;
use crate::reader::client::assigning_client;
use crate::reader::{read, watermarks_of};
use crate::settings::KafkaSettings;

/// Records between two reports of progress.
const REPORT_EVERY: u64 = 1_000;

/// What the state topic, with that many partitions, holds for each of these input partitions. Blocks.
///
/// Every state partition is read once, up to its current end; `progress` receives how many offsets are done, and how many
/// there are.
///
/// # Errors
/// The topic does not exist or may not be read, or nothing arrived for `timeout`.
pub fn restore(
    settings: &KafkaSettings,
    topic: &Topic,
    count: u32,
    inputs: &[TopicPartition],
    timeout: Duration,
    mut progress: impl FnMut(u64, u64),
) -> Result<Vec<(TopicPartition, Slice)>, ReadError> {
    let mut readers: BTreeMap<i32, Vec<(TopicPartition, SliceReader)>> = BTreeMap::new();
    for input in inputs {
        let slice = SliceId::of(input);
        readers
            .entry(slice.state_partition(count))
            .or_default()
            .push((input.clone(), SliceReader::new(slice)));
    }
    let partitions: Vec<TopicPartition> = readers
        .keys()
        .map(|number| TopicPartition {
            topic: topic.clone(),
            partition: Partition(*number),
        })
        .collect();
    let client = assigning_client(settings)?;
    let deadline = clock::now() + timeout;
    // Compaction leaves holes, so progress is measured by positions and not by the number of records.
    let mut bounds: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    for partition in &partitions {
        let marks = watermarks_of(&client, partition, deadline)?;
        bounds.insert(partition.partition.0, (marks.low.0, marks.high.0));
    }
    let total: u64 = bounds.values().map(|(low, high)| span(*low, *high)).sum();
    let mut behind: BTreeMap<i32, u64> = BTreeMap::new();
    let mut taken: u64 = 0;
    progress(0, total);
    read(&client, &partitions, timeout, |record| {
        let number = record.position.partition.partition.0;
        if let (Some(key), Some(readers)) = (&record.key, readers.get_mut(&number)) {
            for (_, reader) in readers {
                reader.take(key, record.value.as_deref());
            }
        }
        if let Some((low, _)) = bounds.get(&number) {
            behind.insert(number, span(*low, record.position.offset.next().0));
        }
        taken += 1;
        if taken.is_multiple_of(REPORT_EVERY) {
            progress(behind.values().sum(), total);
        }
        ControlFlow::Continue(())
    })?;
    progress(total, total);
    let slices = readers.into_values().flatten();
    Ok(slices
        .map(|(input, reader)| (input, reader.finish()))
        .collect())
}

fn span(low: i64, high: i64) -> u64 {
    u64::try_from(high.saturating_sub(low)).unwrap_or(0)
}
