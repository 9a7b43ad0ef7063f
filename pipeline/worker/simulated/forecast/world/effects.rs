//! What the machines want is done, and what comes of it reaches them.

use std::sync::Arc;

use ingest_delivery::machine::{CommitAnswer, CommitEntry, Effect, Input};
use ingest_delivery::port::Metadata;
use ingest_model::record::TopicPartition;
use ingest_model::state_log::reduce::Slice;

use super::{BROKERS, Happens, World};

impl World<'_> {
    pub(super) fn carry_out(&mut self, replica: usize, effect: Effect) {
        match effect {
            Effect::Send { request, call } => {
                let at = self.elapsed();
                self.tally.sent(at, &call);
                let happens = Happens::Asked(replica, request, call);
                self.later(self.plan.latency / 2, happens);
            }
            Effect::DeadLetter { letter, .. } | Effect::Divert { letter, .. } => {
                self.later(BROKERS, Happens::Letter(replica, letter));
            }
            Effect::Commit(entries) => self.later(BROKERS, Happens::Commit(replica, entries)),
            Effect::ReadRiders(partitions) => {
                self.later(BROKERS, Happens::Riders(replica, partitions));
            }
            Effect::Pause(partitions) => self.pause(&partitions, true),
            Effect::Resume(partitions) => self.pause(&partitions, false),
            Effect::Restore { partition, epoch } => {
                self.later(BROKERS, Happens::Restored(replica, partition, epoch));
            }
            Effect::WriteState { write, .. } => {
                self.later(BROKERS, Happens::StateWritten(replica, write));
            }
            Effect::HandBack { .. } | Effect::Receipt(_) | Effect::Drained => {}
            Effect::Fact(fact) => {
                let at = self.elapsed();
                self.tally.note(at, self.start_ms, &fact);
            }
        }
    }

    fn pause(&mut self, partitions: &[TopicPartition], paused: bool) {
        for name in partitions {
            if let Some(partition) = self.partitions.get_mut(name) {
                partition.paused = paused;
            }
        }
    }

    pub(super) fn happen(&mut self, happens: Happens) {
        match happens {
            Happens::Asked(replica, request, call) => {
                let (reply, after) = self.ask(&call);
                self.later(after, Happens::Answered(replica, request, Box::new(reply)));
            }
            Happens::Answered(replica, request, reply) => {
                let reply = Arc::new(*reply);
                self.step(replica, Input::Replied { request, reply });
            }
            Happens::Letter(replica, letter) => {
                let result = Ok(());
                self.step(replica, Input::DeadLettered { letter, result });
            }
            Happens::Commit(replica, entries) => self.commit(replica, entries),
            Happens::Riders(replica, partitions) => {
                let stored = |name: TopicPartition| {
                    let metadata = self.partitions.get(&name).map(|one| one.metadata.clone());
                    (name, metadata.unwrap_or_default())
                };
                let found = partitions.into_iter().map(stored).collect();
                self.step(replica, Input::Riders(found));
            }
            Happens::Made(customer) => self.made(&customer),
            Happens::StateWritten(replica, write) => {
                let result = Ok(());
                self.step(replica, Input::StateWritten { write, result });
            }
            Happens::Restored(replica, partition, epoch) => {
                let slice = Box::new(Slice::default());
                let input = Input::Restored {
                    partition,
                    epoch,
                    slice,
                };
                self.step(replica, input);
            }
        }
    }

    fn commit(&mut self, replica: usize, entries: Vec<CommitEntry>) {
        let mut committed = Vec::new();
        for entry in entries {
            if let Some(partition) = self.partitions.get_mut(&entry.partition) {
                partition.metadata = entry.metadata.map_or(Metadata::None, Metadata::Text);
            }
            committed.push((entry.partition, entry.epoch, entry.offset));
        }
        let input = Input::Committed {
            entries: committed,
            answer: CommitAnswer::Accepted,
        };
        self.step(replica, input);
    }
}
