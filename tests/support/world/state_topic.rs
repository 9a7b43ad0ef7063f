//! The state topic of a world: a log for each slice, compacted now and then.

use std::collections::BTreeMap;

use ingest_delivery::machine::Input;
use ingest_model::record::{Epoch, TopicPartition};
use ingest_model::state_log::SliceId;
use ingest_model::state_log::StateRecord;
use ingest_model::state_log::reduce::{Slice, SliceReader};

use super::World;

/// What a state topic holds, and how it fails.
#[derive(Default)]
pub(crate) struct StateTopic {
    logs: BTreeMap<TopicPartition, Vec<StateRecord>>,
    /// So many batches are not acknowledged; every second of them is written all the same.
    pub(crate) fail_writes: u32,
    /// So many restores fail.
    pub(crate) fail_restores: u32,
    restores: u32,
}

impl StateTopic {
    /// What holds of a partition's slice.
    pub(crate) fn slice(&self, partition: &TopicPartition) -> Slice {
        let mut reader = SliceReader::new(SliceId::of(partition));
        for record in self.logs.get(partition).into_iter().flatten() {
            reader.take(&record.key, record.value.as_deref());
        }
        reader.finish()
    }
}

impl World {
    /// Also a replica that was killed meanwhile, or lost the partition, may have a batch under way.
    pub(super) fn write_state(
        &mut self,
        partition: &TopicPartition,
        records: Vec<StateRecord>,
    ) -> bool {
        let topic = self.state.as_mut().expect("a state topic");
        let acknowledged = topic.fail_writes == 0;
        topic.fail_writes = topic.fail_writes.saturating_sub(1);
        if acknowledged || !topic.fail_writes.is_multiple_of(2) {
            let log = topic.logs.entry(partition.clone()).or_default();
            log.extend(records);
        }
        acknowledged
    }

    pub(super) fn restore(&mut self, partition: TopicPartition, epoch: Epoch) -> Input {
        let topic = self.state.as_mut().expect("a state topic");
        if topic.fail_restores > 0 {
            topic.fail_restores -= 1;
            return Input::RestoreFailed {
                partition,
                epoch,
                trouble: super::happen::silent(),
            };
        }
        topic.restores += 1;
        if topic.restores.is_multiple_of(2)
            && let Some(log) = topic.logs.get_mut(&partition)
        {
            compact(log);
        }
        let slice = Box::new(topic.slice(&partition));
        Input::Restored {
            partition,
            epoch,
            slice,
        }
    }
}

/// The last record of each key stays, unless it is a deletion.
fn compact(log: &mut Vec<StateRecord>) {
    let mut last: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (index, record) in log.iter().enumerate() {
        last.insert(record.key.clone(), index);
    }
    let mut index = 0;
    log.retain(|record| {
        let stays = last.get(&record.key) == Some(&index) && record.value.is_some();
        index += 1;
        stays
    });
}
