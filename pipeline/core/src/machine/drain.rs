//! Partitions leave: what waits is dropped, what is under way is waited for, then commit and hand back.

use std::time::Instant;

use super::state::{Drain, RecordState};
use super::{Effect, Machine};
use crate::batch::OperationId;
use crate::fact::Fact;
use crate::invariant::Invariant;
use crate::operation::Operation;
use crate::record::{Epoch, TopicPartition};
use crate::work::Wait;

/// How often a final commit is tried before the partition is handed back without it.
const FINAL_COMMITS: u32 = 3;

impl Machine {
    pub(super) fn on_revoked(&mut self, now: Instant, partition: &TopicPartition, epoch: Epoch) {
        let deadline = now + self.settings.drain_timeout;
        match self.assignments.get_mut(partition) {
            Some(assignment) if assignment.epoch == epoch => {
                assignment.drain.get_or_insert(Drain {
                    deadline,
                    commits_failed: 0,
                });
            }
            Some(_) | None => {
                // Nothing of it is here: it can go back as it is.
                self.turn.effect(Effect::HandBack {
                    partition: partition.clone(),
                    epoch,
                });
                return;
            }
        }
        self.abandon_waiting(partition);
    }

    pub(super) fn on_lost(&mut self, now: Instant, partition: &TopicPartition, epoch: Epoch) {
        if self
            .assignments
            .get(partition)
            .is_none_or(|assignment| assignment.epoch != epoch)
        {
            return;
        }
        self.count_lost_lives(partition);
        self.abandon_all(partition);
        self.assignments.remove(partition);
        self.close_state(partition);
        self.weigh(now);
        self.after_hand_back();
    }

    pub(super) fn on_shutdown(&mut self, now: Instant) {
        self.shutting_down = true;
        let deadline = now + self.settings.drain_timeout;
        let owned: Vec<TopicPartition> = self.assignments.keys().cloned().collect();
        for partition in owned {
            if let Some(assignment) = self.assignments.get_mut(&partition) {
                assignment.drain.get_or_insert(Drain {
                    deadline,
                    commits_failed: 0,
                });
            }
            self.abandon_waiting(&partition);
        }
        self.after_hand_back();
    }

    /// Drops every operation of a partition of which no request is under way. What nobody could read again stays: it has the
    /// time of the drain.
    fn abandon_waiting(&mut self, partition: &TopicPartition) {
        let waiting = self.work.matching(|id, state| {
            let waits = state.partition == *partition && !state.wait().is_under_way();
            waits && !self.is_last_chance(id)
        });
        for id in waiting {
            self.abandon_operation(id);
        }
        // A rejected record whose letter is under way is waited for; one that waits to send it again is not.
        let orphaned = self.records.keys_where(|id, state| {
            let concluded = state.record.position.partition == *partition && state.open == 0;
            concluded && state.letter.is_none() && !self.is_of_former_life(*id)
        });
        for id in orphaned {
            self.release(id);
        }
    }

    /// Nobody waits for the customer of this operation any more, if it did.
    pub(super) fn let_go(&mut self, id: OperationId) {
        if let Some(state) = self.work.get(id)
            && state.wait() == Wait::Customer
            && let Operation::KObject(object) = &state.operation
            && let Some(customer) = &object.customer
        {
            self.resolver.unwant(customer, id);
        }
    }

    fn abandon_operation(&mut self, id: OperationId) {
        let never_left = self
            .work
            .get(id)
            .is_some_and(|state| state.wait() == Wait::Journal);
        if never_left {
            self.journal_refused(&[id]);
        }
        self.let_go(id);
        let Some(state) = self.work.end(id) else {
            return;
        };
        self.histories.end(id);
        self.journal.forget(id);
        self.answer_gone(&state.operation);
        self.inherited_left(id, &state.operation);
        for receipt in self.receipts.detach(id) {
            let Some(record) = self.records.get_mut(&receipt.record) else {
                continue;
            };
            record.abandoned = true;
            record.open = record.open.saturating_sub(1);
            if record.open == 0 {
                self.release(receipt.record);
            }
        }
    }

    /// Lets go of everything of an assignment; answers that still come find nothing.
    fn abandon_all(&mut self, partition: &TopicPartition) {
        let operations = self.work.matching(|_, state| state.partition == *partition);
        for id in operations {
            self.abandon_operation(id);
        }
        let of_it = |state: &RecordState| state.record.position.partition == *partition;
        let records = self.records.keys_where(|_, state| of_it(state));
        for id in records {
            self.release(id);
        }
    }

    /// Hands back every partition that is drained and committed, or whose time is over.
    pub(super) fn check_drains(&mut self, now: Instant) {
        let draining: Vec<(TopicPartition, Epoch)> = self
            .assignments
            .iter()
            .filter(|(_, assignment)| assignment.drain.is_some())
            .map(|(partition, assignment)| (partition.clone(), assignment.epoch))
            .collect();
        for (partition, epoch) in draining {
            self.check_drain(now, &partition, epoch);
        }
    }

    fn check_drain(&mut self, now: Instant, partition: &TopicPartition, epoch: Epoch) {
        let Some(assignment) = self.assignments.get(partition) else {
            return;
        };
        let Some(drain) = &assignment.drain else {
            return;
        };
        let late = drain.deadline <= now;
        if assignment.in_hand() > 0 && !late {
            return;
        }
        if assignment.in_hand() > 0 {
            let records = assignment.live;
            self.count_lost_lives(partition);
            self.abandon_all(partition);
            if records > 0 {
                self.turn.fact(Fact::DrainCut { records });
            }
        }
        let Some(assignment) = self.assignments.get(partition) else {
            return;
        };
        let failed = assignment
            .drain
            .as_ref()
            .map_or(0, |drain| drain.commits_failed);
        let over =
            late && drain_overtime(assignment.drain.as_ref(), now, self.settings.drain_timeout);
        if assignment.uncommitted().is_some() && failed < FINAL_COMMITS && !over {
            self.settle_commits(now);
            return;
        }
        if !late && !self.journal.is_idle(partition) {
            return; // the next owner reads what is written by now
        }
        self.turn.check(Invariant::I5, assignment.in_hand() == 0);
        self.assignments.remove(partition);
        self.close_state(partition);
        self.turn.effect(Effect::HandBack {
            partition: partition.clone(),
            epoch,
        });
        self.weigh(now);
        self.after_hand_back();
    }

    fn after_hand_back(&mut self) {
        if self.shutting_down && self.assignments.is_empty() && !self.drained {
            self.drained = true;
            self.turn.effect(Effect::Drained);
        }
    }

    pub(super) fn next_drain_check(&self, now: Instant) -> Option<Instant> {
        self.assignments
            .values()
            .filter_map(|assignment| assignment.drain.as_ref())
            .map(|drain| {
                if drain.deadline > now {
                    drain.deadline
                } else {
                    drain.deadline.max(now) + self.settings.commit_interval
                }
            })
            .min()
    }
}

/// Whether even the final commit has had its time: a quarter of the drain's on top.
fn drain_overtime(drain: Option<&Drain>, now: Instant, timeout: std::time::Duration) -> bool {
    drain.is_some_and(|drain| now >= drain.deadline + timeout / 4)
}
