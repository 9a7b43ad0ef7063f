//! What comes of reading: records, with what the mapper threads made of them, and readings that end, or do not continue at their position.

use std::collections::BTreeSet;

use ingest_delivery::machine::{Committed, Input};
use ingest_delivery::port::Metadata;
use ingest_kafka::{Assigned, LostPosition, SourceCommand, SourceEvent};
use ingest_model::reading::Gap;
use ingest_model::record::{Epoch, Topic, TopicPartition};

use super::mappers::{Mapped, MappedRecord};
use super::{Command, Pump, source};
use crate::observe::breaks::Cause;

impl Pump {
    /// Counts the records of a batch: neighbours of one topic together.
    pub(super) fn came_in(&mut self, all: &[Mapped]) {
        for some in all.chunk_by(|one, next| one.topic() == next.topic()) {
            let records = some.iter().map(Mapped::records).sum();
            self.view.records_in += records;
            if let Some(first) = some.first() {
                self.observer.records_in(first.topic(), records);
            }
        }
    }

    pub(super) fn mapped(&mut self, mapped: Mapped) {
        match mapped {
            Mapped::Skipped(run, notes) => {
                let topic = &run.partition.topic;
                notes
                    .iter()
                    .for_each(|notes| self.observer.noted(topic, notes));
                self.step(Input::Skipped(run));
            }
            Mapped::Waits(missing) => self.step(Input::SchemaMissing(missing)),
            Mapped::Record(mapped) => {
                let MappedRecord {
                    record,
                    epoch,
                    event_ms,
                    traffic,
                    notes,
                    verdict,
                    dropped,
                    event_ids,
                } = *mapped;
                let topic = &record.position.partition.topic;
                self.observer.noted(topic, &notes);
                self.step(Input::Record {
                    record,
                    epoch,
                    event_ms,
                    traffic,
                    verdict,
                    dropped,
                    event_ids,
                });
            }
        }
    }

    /// A partition begins a new life, or records of it were deleted unread.
    pub(super) fn reading_broke(&mut self, event: SourceEvent) {
        if let SourceEvent::NewLife {
            partition,
            epoch,
            from,
            cause,
            unread,
        } = event
        {
            if let Some(unread) = unread {
                let unread = Cause::DeletedUnread(unread);
                self.observer.broke(&partition, unread);
            }
            self.step(Input::NewLife {
                partition,
                epoch,
                from,
                cause,
            });
        } else if let SourceEvent::Empty {
            partition,
            epoch,
            gap,
        } = event
        {
            self.step(Input::Empty {
                partition,
                epoch,
                gap,
            });
        } else if let SourceEvent::Vanished {
            partition,
            epoch,
            gap,
        } = event
        {
            self.step(Input::Vanished {
                partition,
                epoch,
                gap,
            });
        }
    }

    /// The partitions that are not read because their position was lost have changed.
    pub(super) fn positions_lost(&mut self, waiting: Vec<LostPosition>) {
        for one in &waiting {
            let known = |known: &LostPosition| known.partition == one.partition;
            if !self.lost_positions.iter().any(known) {
                let gone = Gap {
                    from: one.committed,
                    to: one.log.from,
                };
                self.observer
                    .broke(&one.partition, Cause::PositionBelow(gone));
            }
        }
        let topics: BTreeSet<&Topic> = waiting.iter().map(|one| &one.partition.topic).collect();
        let topics = topics.into_iter().cloned().collect();
        self.lost_positions = waiting;
        self.step(Input::PositionsLost(topics));
    }

    /// Releasing a hold for lost positions means that their partitions are read from the start of their logs.
    pub(super) fn decide_position(&self, command: &Command) {
        if let Command::ReleaseHold { id, .. } = command
            && let Some(topic) = self.machine.lost_position(*id)
        {
            self.command_source(SourceCommand::BeginAnew(topic.clone()));
        }
    }

    /// These partitions are gone.
    pub(super) fn lost(&mut self, partitions: Vec<(TopicPartition, Epoch)>) {
        for (partition, epoch) in partitions {
            tracing::warn!(%partition, "lost: another member may own it");
            self.step(Input::Lost { partition, epoch });
        }
    }

    /// What the group has committed; where that is nothing, the start of the log, at which reading begins.
    pub(super) fn begins_at(&self, assigned: &Assigned) -> Option<Committed> {
        begins_at(assigned, self.reads_from_end)
    }

    /// Says from where a partition is read if nothing is committed for it.
    pub(super) fn nothing_committed(&self, assigned: &Assigned) {
        let cause = Cause::nothing_committed(assigned.log, self.reads_from_end);
        if let Some(cause) = cause {
            self.observer.broke(&assigned.partition, cause);
        }
    }
}

fn begins_at(assigned: &Assigned, from_end: bool) -> Option<Committed> {
    let start = assigned.log.filter(|_| !from_end);
    let committed = assigned.committed.clone().map(source::committed);
    committed.or_else(|| {
        start.map(|log| Committed {
            offset: log.from,
            metadata: Metadata::None,
        })
    })
}

#[cfg(test)]
mod tests {
    use ingest_kafka::CommittedOffset;
    use ingest_model::record::{Epoch, Offset, TopicPartition};

    use super::*;

    #[test]
    fn a_partition_of_which_nothing_is_committed_begins_at_the_start_of_its_log() {
        let log = |from: i64, to: i64| {
            Some(Gap {
                from: Offset(from),
                to: Offset(to),
            })
        };
        let committed = |offset: i64| {
            Some(CommittedOffset {
                offset: Offset(offset),
                metadata: None,
                metadata_unreadable: false,
            })
        };
        // An empty log begins somewhere, too: that can be committed, so the partition can lend.
        for (committed, log, from_end, expected) in [
            (None, log(0, 0), false, Some(0)),
            (None, log(40, 40), false, Some(40)),
            (None, log(40, 90), false, Some(40)),
            (committed(50), log(40, 90), false, Some(50)),
            (committed(50), None, true, Some(50)),
            (None, log(40, 90), true, None),
            (None, None, false, None),
        ] {
            let assigned = Assigned {
                partition: TopicPartition::new("shop.events", 0),
                epoch: Epoch(1),
                committed,
                log,
            };
            let begins = begins_at(&assigned, from_end).map(|one| one.offset.0);
            assert_eq!(begins, expected, "{assigned:?} {from_end}");
        }
    }
}
