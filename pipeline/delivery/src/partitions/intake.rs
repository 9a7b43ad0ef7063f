//! Partitions come in, and their records: admission and charge.

use super::Partitions;
use super::parts::assignment::Assignment;
use super::parts::commit_metadata;
use super::parts::ledger::Admission;
use super::parts::letters::KeptBack;
use super::parts::receipts::Receipt;
use super::parts::record::RecordState;
use crate::common::turn::Turn;
use crate::seam::charge::{Charge, Gate};
use crate::seam::fact::{Fact, Ignored, Settlement};
use crate::seam::invariant::Invariant;
use crate::seam::port::{Committed, Metadata, RecordId};
use ingest_model::outcome::{SkipReason, Verdict};
use ingest_model::record::{Epoch, Record, TopicPartition};
use ingest_model::repeat::ChangeKey;

/// What a record costs besides its bytes and operations: its state, its place in lanes and ledgers.
const RECORD_OVERHEAD: u64 = 800;

/// What became of a record that came in.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// Nothing: its partition is not owned or is draining, or it was out of order.
    Ignored,
    /// It was settled before this process read it.
    SettledBefore,
    /// It is settled: the mapping skipped it.
    Skipped,
    /// It is rejected. With the dead letter, if that is kept back.
    Rejected(Charge, Option<KeptBack>),
    /// It is open until all of its operations have ended.
    Open(Charge, RecordId),
}

impl Partitions {
    /// Whether an assignment is new: `None` if it is not, else the epoch of the older one that it ends, if any.
    pub(crate) fn is_news(
        &self,
        partition: &TopicPartition,
        epoch: Epoch,
    ) -> Option<Option<Epoch>> {
        match self.epoch(partition) {
            Some(known) if known >= epoch => None,
            older => Some(older),
        }
    }

    /// Takes a partition over, with what its former owner settled above its last commit.
    pub(crate) fn assign(
        &mut self,
        turn: &mut Turn,
        partition: &TopicPartition,
        epoch: Epoch,
        committed: Option<&Committed>,
    ) {
        let assignment = match committed {
            None => Assignment::new(epoch),
            Some(committed) => recall(turn, partition, epoch, committed),
        };
        self.assignments.insert(partition.clone(), assignment);
        self.pauses_changed = true;
    }

    /// Takes a record in. `operations` is what its operations cost, in bytes.
    pub(crate) fn admit(
        &mut self,
        turn: &mut Turn,
        record: Record,
        epoch: Epoch,
        event_ms: Option<i64>,
        (verdict, operations): (&Verdict, u64),
    ) -> Admitted {
        let Some(assignment) = self.assignments.get_mut(&record.position.partition) else {
            return Admitted::Ignored; // left to the owner, who will read it again
        };
        if assignment.epoch == epoch {
            assignment.former.seal();
            if assignment.drain.is_some() {
                return Admitted::Ignored;
            }
        }
        let Some((ledger, live)) = assignment.life(epoch) else {
            return Admitted::Ignored;
        };
        let partition = &record.position.partition;
        let offset = record.position.offset;
        let vouched = ledger.vouch(offset, record.timestamp_ms);
        let admission = ledger.admit(offset, record.timestamp_ms);
        turn.check(Invariant::I3, admission != Admission::OutOfOrder);
        if !vouched {
            turn.fact(Fact::MetadataIgnored {
                partition: partition.clone(),
                why: Ignored::Generation,
            });
        }
        match admission {
            Admission::Open => {}
            Admission::SettledBefore => {
                let settlement = Settlement::Skipped(SkipReason::SettledBefore);
                settled_unseen(turn, &record, event_ms, settlement);
                return Admitted::SettledBefore;
            }
            Admission::OutOfOrder => return Admitted::Ignored,
        }
        let rejected = match verdict {
            Verdict::Reject(rejected) => Some(rejected),
            Verdict::Emit(_) | Verdict::Skip(_) => None,
        };
        self.guard
            .mapped(partition, rejected.map(|rejected| rejected.reason));
        if let Verdict::Skip(reason) = verdict {
            let settled = ledger.settle(offset);
            turn.check(Invariant::I3, settled);
            settled_unseen(turn, &record, event_ms, Settlement::Skipped(*reason));
            return Admitted::Skipped;
        }
        *live += 1;
        let bytes = u64::try_from(record.payload_bytes()).unwrap_or(u64::MAX);
        let bytes = bytes
            .saturating_add(RECORD_OVERHEAD)
            .saturating_add(operations);
        let charge = Charge { records: 1, bytes };
        if self.budget.charge(charge) == Some(Gate::Closed) {
            self.pauses_changed = true;
        }
        let id = RecordId(turn.number());
        let mut state = RecordState::new(record, epoch, event_ms, charge);
        state.rejected = rejected.cloned();
        if let Verdict::Emit(planned) = verdict {
            state.open = planned.len();
        }
        self.records.insert(id, state);
        if rejected.is_some() {
            let kept = self.dead_letter(turn, id);
            return Admitted::Rejected(charge, kept);
        }
        Admitted::Open(charge, id)
    }

    /// The obligation to settle one operation of an admitted record.
    pub(crate) fn oblige(&self, record: RecordId, ordinal: u16, change: ChangeKey) -> Receipt {
        debug_assert!(self.records.contains_key(&record), "an admitted record");
        Receipt::new(record, ordinal, change)
    }

    /// A record was taken in with all of its operations. It is concluded if they have all ended already.
    pub(crate) fn taken_in(&mut self, turn: &mut Turn, id: RecordId) -> Option<KeptBack> {
        let ended = self.records.get(&id).is_some_and(|state| state.open == 0);
        if ended { self.conclude(turn, id) } else { None }
    }

    /// Checks how far ahead a partition was read.
    pub(crate) fn look_ahead(&mut self, partition: &TopicPartition) {
        let limit = self.commits.limit;
        if let Some(assignment) = self.assignments.get_mut(partition) {
            self.pauses_changed |= assignment.room.look(&assignment.ledger, limit);
        }
    }
}

/// A new assignment, with what its former owner settled above its last commit.
fn recall(
    turn: &mut Turn,
    partition: &TopicPartition,
    epoch: Epoch,
    Committed { offset, metadata }: &Committed,
) -> Assignment {
    let decoded = match metadata {
        Metadata::None => return Assignment::committed_at(epoch, *offset),
        Metadata::Text(text) => commit_metadata::decode(partition, *offset, text),
        Metadata::Unreadable => Err(Ignored::Foreign),
    };
    match decoded {
        Ok(restored) => {
            turn.fact(Fact::MetadataRestored {
                partition: partition.clone(),
                records: restored.offsets(),
            });
            Assignment::restored(epoch, restored)
        }
        Err(why) => {
            turn.fact(Fact::MetadataIgnored {
                partition: partition.clone(),
                why,
            });
            Assignment::committed_at(epoch, *offset)
        }
    }
}

/// A record was settled without having been charged.
fn settled_unseen(turn: &mut Turn, record: &Record, event_ms: Option<i64>, settlement: Settlement) {
    turn.fact(Fact::Settled {
        topic: record.position.partition.topic.clone(),
        settlement,
        event_ms,
        record_ms: record.timestamp_ms,
    });
}
