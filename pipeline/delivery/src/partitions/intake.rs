//! Partitions come in, and their records: admission and charge.

use std::collections::BTreeMap;

use super::Partitions;
use super::parts::assignment::Assignment;
use super::parts::commit_metadata;
use super::parts::ledger::{Admission, Ledger};
use super::parts::letters::KeptBack;
use super::parts::receipts::Receipt;
use super::parts::record::{Read, RecordState};
use crate::common::turn::Turn;
use crate::seam::charge::{Charge, Gate};
use crate::seam::fact::{Fact, Ignored, Settlement};
use crate::seam::invariant::Invariant;
use crate::seam::port::{Committed, Effect, Metadata, RecordId, SkippedRun};
use crate::seam::rider::split;
use crate::seam::settled::{ReceiptsOf, SettledRecord};
use ingest_model::outcome::Batch;
use ingest_model::outcome::{Rejected, SkipReason};
use ingest_model::record::{
    Epoch, Offset, Partition, Position, Record, Topic, TopicPartition, Traffic,
};
use ingest_model::repeat::ChangeKey;

/// What a record costs besides its bytes and operations: its state, its place in lanes and ledgers.
const RECORD_OVERHEAD: u64 = 800;
/// What is kept of a record for its receipt.
const RECEIPT_OVERHEAD: usize = 150;
/// The same for the id of an event: a usual one, because a replay of the machine's steps knows only how many there are.
const EVENT_ID: usize = 120;
/// The same for an operation.
const OPERATION_END: usize = 300;

/// What became of a record that came in.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// Nothing: its partition is not owned or is draining, or it was out of order.
    Ignored,
    /// It was settled before this process read it.
    SettledBefore,
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
        self.commits.wanted = true;
    }

    /// Takes a record in that is rejected, or has this many operations, which cost so many bytes. Of a batch, some members may be
    /// rejected and others have operations.
    pub(crate) fn admit(
        &mut self,
        turn: &mut Turn,
        record: Record,
        epoch: Epoch,
        read: Read,
        judged: Result<(usize, u64), &Rejected>,
        batch: Option<&Batch>,
    ) -> Admitted {
        let Some(life) = life_of(&mut self.assignments, &record.position.partition, epoch) else {
            return Admitted::Ignored;
        };
        let (ledger, live) = life;
        let partition = &record.position.partition;
        let offset = record.position.offset;
        vouch(turn, ledger, partition, offset, record.timestamp_ms);
        let admission = ledger.admit(offset, record.timestamp_ms);
        turn.check(Invariant::I3, admission != Admission::OutOfOrder);
        match admission {
            Admission::Open => {}
            Admission::SettledBefore => {
                let place = Some((partition.partition, offset));
                skipped(turn, &partition.topic, place, SkipReason::SettledBefore, 1);
                return Admitted::SettledBefore;
            }
            Admission::OutOfOrder => return Admitted::Ignored,
        }
        let rejected = judged.err();
        let reason = rejected.map(|rejected| rejected.reason);
        self.guard.mapped(partition, reason);
        let (planned, operations) = judged.unwrap_or_default();
        *live += 1;
        let bytes = u64::try_from(record.payload_bytes()).unwrap_or(u64::MAX);
        let bytes = bytes
            .saturating_add(RECORD_OVERHEAD)
            .saturating_add(operations)
            .saturating_add(self.receipt_bytes(&read, planned));
        let charge = Charge { records: 1, bytes };
        if self.budget.charge(turn.now, charge) == Some(Gate::Closed) {
            self.pauses_changed = true;
        }
        self.note_traffic(&record.position.partition, read.traffic, charge);
        let id = RecordId(turn.number());
        let mut state = RecordState::new(record, epoch, &read, charge);
        if self.trails.is_some() {
            state.is_noted(turn.now, read, planned);
        }
        state.rejected = rejected.cloned().map(Box::new);
        if let Some(batch) = batch {
            state.is_batch(batch);
        }
        state.open = planned;
        self.records.insert(id, state);
        if rejected.is_some() {
            let kept = self.dead_letter(turn, id);
            return Admitted::Rejected(charge, kept);
        }
        Admitted::Open(charge, id)
    }

    /// The bytes that a record occupies for its receipt.
    fn receipt_bytes(&self, read: &Read, planned: usize) -> u64 {
        if self.trails.is_none() {
            return 0;
        }
        let ids = read.event_ids.as_ref().map_or(0, |all| all.ids.len());
        let bytes = RECEIPT_OVERHEAD + ids * EVENT_ID + planned * OPERATION_END;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Takes records in that the mapping skipped: they are settled. `false` if they are ignored.
    pub(crate) fn skip(&mut self, turn: &mut Turn, run: &SkippedRun) -> bool {
        let Some((ledger, _)) = life_of(&mut self.assignments, &run.partition, run.epoch) else {
            return false;
        };
        vouch(turn, ledger, &run.partition, run.first, run.first_ms);
        let in_order = ledger.skip(run.first, run.last, run.records());
        turn.check(Invariant::I3, in_order);
        if !in_order {
            return false;
        }
        self.guard.skipped(&run.partition, run.records());
        for (reason, records) in &run.reasons {
            skipped(turn, &run.partition.topic, None, *reason, *records);
        }
        if let (ReceiptsOf::All, [(reason, _)]) = (self.settings.receipts, run.reasons.as_slice()) {
            tell_skipped(turn, run, *reason);
        }
        true
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

    /// Checks how far ahead a partition was read, and whether that can be committed.
    pub(crate) fn look_ahead(&mut self, partition: &TopicPartition) {
        let limit = self.commits.limit;
        if let Some(assignment) = self.assignments.get_mut(partition) {
            self.pauses_changed |= assignment.room.look(&assignment.ledger, limit);
            self.commits.wanted |= assignment.uncommitted().is_some();
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
        Metadata::Text(text) if split(text).1.is_empty() => {
            return Assignment::committed_at(epoch, *offset);
        }
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

/// The ledger of an epoch and its count of unsettled records. `None` if what was read under it is to be ignored: it is left to
/// the partition's owner, who will read it again, or to the next one if the partition drains.
fn life_of<'a>(
    assignments: &'a mut BTreeMap<TopicPartition, Assignment>,
    partition: &TopicPartition,
    epoch: Epoch,
) -> Option<(&'a mut Ledger, &'a mut u64)> {
    let assignment = assignments.get_mut(partition)?;
    if assignment.epoch == epoch {
        assignment.former.seal();
        if assignment.drain.is_some() {
            return None;
        }
    }
    assignment.life(epoch)
}

/// Compares the first record that was read with the one that the former owner's commit was for.
fn vouch(
    turn: &mut Turn,
    ledger: &mut Ledger,
    partition: &TopicPartition,
    offset: Offset,
    stamp: Option<i64>,
) {
    if !ledger.vouch(offset, stamp) {
        turn.fact(Fact::MetadataIgnored {
            partition: partition.clone(),
            why: Ignored::Generation,
        });
    }
}

/// Each record of a run that was skipped for one reason has a receipt.
fn tell_skipped(turn: &mut Turn, run: &SkippedRun, reason: SkipReason) {
    for offset in run.first.0..=run.last.0 {
        turn.effect(Effect::Receipt(Box::new(SettledRecord {
            position: Position {
                partition: run.partition.clone(),
                offset: Offset(offset),
            },
            settlement: Settlement::Skipped(reason),
            traffic: Traffic::Live,
            event_ids: None,
            event_ms: None,
            record_ms: run.first_ms.filter(|_| offset == run.first.0),
            came_in: None,
            attempts: 0,
            operations: Vec::new(),
        })));
    }
}

/// Records were settled without having been charged.
fn skipped(
    turn: &mut Turn,
    topic: &Topic,
    place: Option<(Partition, Offset)>,
    reason: SkipReason,
    records: u64,
) {
    turn.fact(Fact::Settled {
        topic: topic.clone(),
        place,
        settlement: Settlement::Skipped(reason),
        records,
        event_ms: None,
        record_ms: None,
        traffic: Traffic::Live,
    });
}
