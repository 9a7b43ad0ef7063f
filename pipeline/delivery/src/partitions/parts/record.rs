//! An unsettled record, and the results of its operations.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::seam::charge::Charge;
use crate::seam::fact::Settlement;
use crate::seam::hold::LetterTopic;
use crate::seam::settled::{OperationEnd, SettledRecord};
use ingest_model::outcome::members::{MEMBERS_HEADER, written};
use ingest_model::outcome::{Batch, Held, HeldBy, HoldCause, Rejected, SkipReason};
use ingest_model::record::{Epoch, EventIds, Header, Record, TopicPartition, Traffic};

/// The result of an operation.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Delivered,
    Skipped(SkipReason),
    Rejected(Rejected),
    /// Its record goes to the hold topic.
    Diverted(Held),
}

impl End {
    /// The word for it in a receipt.
    pub(in crate::partitions) fn settlement(&self) -> Settlement {
        match self {
            Self::Delivered => Settlement::Delivered,
            Self::Skipped(reason) => Settlement::Skipped(*reason),
            Self::Rejected(rejected) => Settlement::DeadLettered(rejected.reason),
            Self::Diverted(held) => Settlement::Diverted(held.by),
        }
    }
}

/// What a record says of itself.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) event_ms: Option<i64>,
    pub(crate) traffic: Traffic,
    pub(crate) event_ids: Option<Box<EventIds>>,
}

/// What is kept of a record for its receipt.
#[derive(Debug)]
struct Noted {
    came_in: Instant,
    event_ids: Option<Box<EventIds>>,
    /// Its operations that have ended, with their places among all of them.
    operations: Vec<(u16, Arc<OperationEnd>)>,
}

/// The members of a record that is a batch.
#[derive(Debug)]
struct Members {
    /// Those of each operation.
    of: Vec<Vec<u32>>,
    /// Those that are rejected.
    failed: BTreeSet<u32>,
    /// Those that are set aside.
    held: BTreeSet<u32>,
}

/// A record that is not settled.
#[derive(Debug)]
pub(crate) struct RecordState {
    pub(in crate::partitions) record: Record,
    pub(in crate::partitions) epoch: Epoch,
    pub(in crate::partitions) event_ms: Option<i64>,
    pub(in crate::partitions) traffic: Traffic,
    pub(in crate::partitions) charge: Charge,
    /// Operations that are not settled.
    pub(in crate::partitions) open: usize,
    pub(in crate::partitions) delivered: bool,
    pub(in crate::partitions) skipped: Option<SkipReason>,
    /// Apart, as few records are rejected.
    pub(in crate::partitions) rejected: Option<Box<Rejected>>,
    pub(in crate::partitions) attempts: u32,
    /// Its members, if it is a batch.
    members: Option<Box<Members>>,
    /// What is told of it, if its receipt is wanted.
    noted: Option<Box<Noted>>,
    /// Its partition is being handed back: when the work in flight ends, the record is left to the next owner.
    pub(in crate::partitions) abandoned: bool,
    /// It goes to the hold topic, and why.
    pub(in crate::partitions) diverted: Option<Box<Held>>,
    /// Its letter was sent to that topic.
    pub(in crate::partitions) letter: Option<LetterTopic>,
    /// When its letter is to be sent, or sent again, if it waits for a time.
    pub(in crate::partitions) letter_at: Option<Instant>,
    /// The broker has acknowledged its letter.
    pub(in crate::partitions) acknowledged: bool,
}

impl RecordState {
    pub(in crate::partitions) fn new(
        record: Record,
        epoch: Epoch,
        read: &Read,
        charge: Charge,
    ) -> Self {
        Self {
            record,
            epoch,
            event_ms: read.event_ms,
            traffic: read.traffic,
            charge,
            open: 0,
            delivered: false,
            skipped: None,
            rejected: None,
            attempts: 0,
            members: None,
            noted: None,
            abandoned: false,
            diverted: None,
            letter: None,
            letter_at: None,
            acknowledged: false,
        }
    }

    pub(crate) fn partition(&self) -> &TopicPartition {
        &self.record.position.partition
    }

    /// The record as it came.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// What it costs while it is unsettled.
    pub(crate) fn charge(&self) -> Charge {
        self.charge
    }

    /// Whether it goes to the hold topic.
    pub(crate) fn is_diverted(&self) -> bool {
        self.diverted.is_some()
    }

    /// Why it was rejected, if its letter was not sent and may still go to the hold topic.
    pub(crate) fn waiting_rejection(&self) -> Option<&Rejected> {
        let stays = self.letter.is_some() || self.diverted.is_some();
        self.rejected.as_deref().filter(|_| !stays)
    }

    /// It is a batch, with these members.
    pub(in crate::partitions) fn is_batch(&mut self, batch: &Batch) {
        self.rejected = batch.rejected.clone().map(Box::new);
        self.members = Some(Box::new(Members {
            of: batch.members.clone(),
            failed: batch.refused.iter().copied().collect(),
            held: BTreeSet::new(),
        }));
    }

    /// Whether members of a batch go to the hold topic, and others to the dead-letter topic: each have a letter of their own. A member of which
    /// both is true is rejected.
    pub(in crate::partitions) fn has_two_letters(&self) -> bool {
        let apart = |members: &Members| !members.held.is_subset(&members.failed);
        self.rejected.is_some() && self.members.as_deref().is_some_and(apart)
    }

    /// The letter for the hold topic was accepted, and members are rejected, too: what is left is like a record with those alone.
    pub(in crate::partitions) fn is_half_settled(&mut self) {
        self.diverted = None;
        self.letter = None;
        self.acknowledged = false;
        if let Some(members) = &mut self.members {
            members.held.clear();
        }
    }

    /// The record as its letter has it: of a batch, the members that are not delivered.
    pub(in crate::partitions) fn lettered(&self) -> Record {
        let mut record = self.record.clone();
        if let Some(members) = &self.members {
            record
                .headers
                .retain(|header| header.name != MEMBERS_HEADER);
            record.headers.push(Header {
                name: MEMBERS_HEADER.to_owned(),
                value: Some(if self.has_two_letters() {
                    written(members.held.difference(&members.failed).copied()).into()
                } else {
                    written(members.held.union(&members.failed).copied()).into()
                }),
            });
        }
        record
    }

    /// Its receipt is wanted.
    pub(in crate::partitions) fn is_noted(&mut self, now: Instant, read: Read, planned: usize) {
        self.noted = Some(Box::new(Noted {
            came_in: now,
            event_ids: read.event_ids,
            operations: Vec::with_capacity(planned),
        }));
    }

    /// What became of one of its operations.
    pub(in crate::partitions) fn tell(&mut self, ordinal: u16, told: &Arc<OperationEnd>) {
        if let Some(noted) = &mut self.noted {
            noted.operations.push((ordinal, Arc::clone(told)));
        }
    }

    /// What became of it, if its receipt is wanted.
    pub(in crate::partitions) fn settled(
        &mut self,
        settlement: Settlement,
    ) -> Option<Box<SettledRecord>> {
        let Noted {
            came_in,
            event_ids,
            mut operations,
        } = *self.noted.take()?;
        operations.sort_by_key(|(ordinal, _)| *ordinal);
        Some(Box::new(SettledRecord {
            position: self.record.position.clone(),
            settlement,
            traffic: self.traffic,
            event_ids,
            event_ms: self.event_ms,
            record_ms: self.record.timestamp_ms,
            came_in: Some(came_in),
            attempts: self.attempts,
            operations: operations.into_iter().map(|(_, told)| told).collect(),
        }))
    }

    /// Notes the result of one of its operations.
    pub(in crate::partitions) fn note(&mut self, ordinal: u16, end: &End) {
        if let Some(members) = self.members.as_deref_mut() {
            let of = members.of.get(usize::from(ordinal)).into_iter().flatten();
            match end {
                End::Rejected(_) => members.failed.extend(of),
                End::Diverted(_) => members.held.extend(of),
                End::Delivered | End::Skipped(_) => {}
            }
        }
        match end {
            End::Delivered => self.delivered = true,
            End::Skipped(reason) => self.skipped = Some(*reason),
            End::Rejected(rejected) => {
                self.rejected
                    .get_or_insert_with(|| Box::new(rejected.clone()));
            }
            End::Diverted(held) => {
                self.diverted.get_or_insert_with(|| Box::new(held.clone()));
            }
        }
    }

    /// Whether its next letter goes to the hold topic: the record was set aside and no operation was rejected, or it was set aside
    /// because its dead letter was kept back, or some members of a batch were.
    pub(in crate::partitions) fn goes_aside(&self) -> bool {
        let kept_back = [HoldCause::DeadLetterGuard, HoldCause::DeadLetterTopic];
        self.diverted.as_ref().is_some_and(|held| {
            let kept_back = kept_back.map(HeldBy::Hold).contains(&held.by);
            self.rejected.is_none() || kept_back || self.has_two_letters()
        })
    }

    /// Where its letter goes, if all of its operations have ended and it needs one.
    pub(in crate::partitions) fn letter_topic(&self) -> Option<LetterTopic> {
        if self.open > 0 || self.abandoned {
            return None;
        }
        if self.goes_aside() {
            return Some(LetterTopic::Held);
        }
        self.rejected.as_ref().map(|_| LetterTopic::Dead)
    }
}
