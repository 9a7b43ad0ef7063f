//! How the poll thread handles rebalances.

use std::sync::Arc;

use ingest_model::record::{Epoch, TopicPartition};
use rdkafka::consumer::Consumer;

use super::Driver;
use crate::client::context::Seen;
use crate::clock;
use crate::driver::epoch::next_epoch;
use crate::port::SourceEvent;

impl Driver {
    /// Acts on what the callbacks noted. Returns whether there was anything.
    pub(super) fn take_seen(&mut self) -> bool {
        let context = Arc::clone(self.consumer.context());
        let seen = context.take_seen();
        let happened = !seen.is_empty();
        if happened {
            // The client stops all partitions during a rebalance, and discards what it has fetched.
            self.partitions.disturbed(&self.partitions.active());
        }
        for one in seen {
            match one {
                Seen::Assigned(partitions) => {
                    let assigned = self.partitions.assign(&partitions, next_epoch);
                    if self.renewal.is_some() {
                        self.drain_for_renewal(&partitions);
                    }
                    self.read_committed(assigned);
                }
                Seen::Revoking(partitions) => {
                    let deadline = clock::now() + self.drain_deadline;
                    let draining = self.partitions.revoke(&partitions, deadline);
                    if !draining.is_empty() {
                        self.outbox.event(SourceEvent::Revoking(draining));
                    }
                }
                Seen::Lost(partitions) => {
                    let lost = self.partitions.lose(&partitions);
                    self.lost(lost);
                }
                Seen::MadeAgain(topic) => self.made_again(&topic),
                Seen::Error(code, detail) => self.client_error(code, detail),
            }
        }
        happened
    }

    /// Hands the revoked partitions back when all are drained, at the deadline, or when the group no longer waits.
    pub(super) fn answer_revocation(&mut self) {
        let Some(deadline) = self.partitions.revocation_deadline() else {
            return;
        };
        if self.renewal.is_some() {
            return; // leaving the group answers it
        }
        if self.consumer.assignment_lost() {
            self.let_go("the assignment was lost");
        } else if self.partitions.is_drained() && !self.commits.concern(&self.partitions.revoking())
        {
            self.hand_back();
        } else if clock::now() >= deadline {
            self.let_go("the drain deadline has passed");
        }
    }

    pub(super) fn let_go(&mut self, cause: &str) {
        tracing::warn!(
            cause,
            "revoked partitions are released before they were handed back"
        );
        self.hand_back();
    }

    pub(super) fn hand_back(&mut self) {
        let context = Arc::clone(self.consumer.context());
        context.hand_back(&self.consumer);
        // The other partitions deliver again, which the client's fetching threads have to notice.
        let rest = self.partitions.active();
        self.partitions.disturbed(&rest);
        self.ask_for_ends(rest);
        let lost = self.partitions.end_revocation();
        self.lost(lost);
    }

    pub(super) fn lost(&mut self, partitions: Vec<(TopicPartition, Epoch)>) {
        if !partitions.is_empty() {
            self.outbox.event(SourceEvent::Lost(partitions));
        }
    }
}
