//! What the poll thread does when a partition begins a new life, or records vanished before they were read.

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
    /// Another topic stands under this name. What the client delivers of it is dropped until it has begun anew.
    pub(super) fn made_again(&mut self, topic: &str) {
        for partition in self.partitions.led_astray(topic) {
            self.ends.remove(&partition);
        }
    }

    /// Begins the new lives of partitions whose topic was made again, from their first offset.
    pub(super) fn begin_again(&mut self) {
        for partition in self.partitions.astray() {
            let (topic, number) = (partition.topic.as_str(), partition.partition.0);
            // Not to the "beginning": the client would take the first offset of the old log for that. Whatever was
            // fetched before is outdated as soon as this returns, although nothing is waited for.
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
            // A log that lost its end holds what stood before it still.
            unread: unread.filter(|_| cause == LifeCause::MadeAgain),
        });
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
