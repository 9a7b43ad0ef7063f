//! What the poll thread does when a partition begins a new life, or when records were deleted before they were read.

use std::time::Duration;

use ingest_model::reading::Gap;
use ingest_model::reading::LifeCause;
use ingest_model::record::{Offset, TopicPartition};
use rdkafka::Offset as ClientOffset;
use rdkafka::consumer::Consumer;

use super::Driver;
use crate::driver::epoch::next_epoch;
use crate::port::SourceEvent;

impl Driver {
    /// A topic was recreated. What the client delivers of it is dropped until the new life begins.
    pub(super) fn made_again(&mut self, topic: &str) {
        for partition in self.partitions.led_astray(topic) {
            self.ends.remove(&partition);
            self.starts.remove(&partition);
        }
    }

    /// Begins the new lives of partitions whose topic was recreated, at their first offset.
    pub(super) fn begin_again(&mut self) {
        for partition in self.partitions.astray() {
            let (topic, number) = (partition.topic.as_str(), partition.partition.0);
            // Not at the "beginning": the client would take that for the first offset of the old log. The call waits for
            // nothing, but on its return everything fetched before is outdated.
            let first = Offset(0);
            let sought =
                self.consumer
                    .seek(topic, number, ClientOffset::Offset(first.0), Duration::ZERO);
            if let Err(error) = sought {
                tracing::debug!(%partition, %error, "not there yet; tried again");
                continue;
            }
            self.partitions.found(&partition);
            self.begin_life(&partition, first, LifeCause::MadeAgain);
        }
    }

    pub(super) fn begin_life(
        &mut self,
        partition: &TopicPartition,
        from: Offset,
        cause: LifeCause,
    ) {
        let epoch = next_epoch();
        let unread = self.partitions.begin_life(partition, epoch, from);
        self.outbox.event(SourceEvent::NewLife {
            partition: partition.clone(),
            epoch,
            from,
            cause,
            // A log that lost its end still holds the records before it.
            unread: unread.filter(|_| cause == LifeCause::MadeAgain),
        });
    }

    /// Offsets without records that the start of the log has passed.
    pub(super) fn empty(&mut self, partition: &TopicPartition, gap: Option<Gap>) {
        if let Some((gap, epoch)) = gap.zip(self.partitions.epoch(partition)) {
            self.outbox.event(SourceEvent::Empty {
                partition: partition.clone(),
                epoch,
                gap,
            });
        }
    }

    pub(super) fn vanished(
        &mut self,
        partition: &TopicPartition,
        gaps: impl IntoIterator<Item = Gap>,
    ) {
        let Some(epoch) = self.partitions.epoch(partition) else {
            return;
        };
        for gap in gaps {
            self.outbox.event(SourceEvent::Vanished {
                partition: partition.clone(),
                epoch,
                gap,
            });
        }
    }
}
