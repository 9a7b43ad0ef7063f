//! What goes into the threads that decode and map, and what comes out.

use ingest_delivery::machine::{SchemaMissing, SkippedRun};
use ingest_delivery::settled::ReceiptsOf;
use ingest_mapping::event::Notes;
use ingest_model::outcome::{DroppedField, Verdict};
use ingest_model::record::{Epoch, EventIds, Record, Topic, TopicPartition, Traffic};
use tokio::sync::OwnedSemaphorePermit;

use super::judge::Judged;

/// What became of records, in their order within each partition.
#[derive(Debug)]
pub(in crate::pump) struct Batch {
    pub(in crate::pump) all: Vec<Mapped>,
    /// Its share of the room between source and pump, released when the pump takes it.
    pub(in crate::pump) room: Option<OwnedSemaphorePermit>,
}

/// The result of decoding and mapping.
#[derive(Debug)]
pub(in crate::pump) enum Mapped {
    /// A record that is to be delivered or rejected.
    Record(Box<MappedRecord>),
    /// Records that are skipped, of which nothing is kept.
    Skipped(SkippedRun, Vec<Notes>),
    /// Whether the next record of a partition waits for its schema.
    Waits(SchemaMissing),
}

impl Mapped {
    pub(in crate::pump) fn topic(&self) -> &Topic {
        match self {
            Self::Skipped(run, _) => &run.partition.topic,
            Self::Record(mapped) => &mapped.record.position.partition.topic,
            Self::Waits(missing) => &missing.partition.topic,
        }
    }

    /// How many records it is.
    pub(in crate::pump) fn records(&self) -> u64 {
        match self {
            Self::Skipped(run, _) => run.records(),
            Self::Record(_) => 1,
            Self::Waits(_) => 0,
        }
    }
}

/// A record with its verdict.
#[derive(Debug)]
pub(in crate::pump) struct MappedRecord {
    pub(in crate::pump) record: Record,
    pub(in crate::pump) epoch: Epoch,
    pub(in crate::pump) event_ms: Option<i64>,
    pub(in crate::pump) traffic: Traffic,
    pub(in crate::pump) notes: Notes,
    pub(in crate::pump) verdict: Verdict,
    /// The optional fields that mapping left out.
    pub(in crate::pump) dropped: Vec<DroppedField>,
    /// What its producer calls its events, if it has a receipt.
    pub(in crate::pump) event_ids: Option<Box<EventIds>>,
}

/// What a thread is given.
#[derive(Debug)]
pub(super) enum Work {
    Records(Unmapped),
    /// These partitions were assigned anew, or are taken away.
    Forget(Vec<TopicPartition>),
}

/// Records on their way to a thread.
#[derive(Debug)]
pub(super) struct Unmapped {
    pub(super) records: Vec<(Record, Epoch)>,
    pub(super) room: OwnedSemaphorePermit,
}

/// Adds a record and its result to those before it. Where records that are skipped have receipts, a run is skipped for one reason.
pub(super) fn add(
    all: &mut Vec<Mapped>,
    (record, epoch): (Record, Epoch),
    judged: Judged,
    receipts: ReceiptsOf,
) {
    let Judged {
        event_ms,
        traffic,
        notes,
        verdict,
        dropped,
        event_ids,
    } = judged;
    let Verdict::Skip(reason) = verdict else {
        all.push(Mapped::Record(Box::new(MappedRecord {
            record,
            epoch,
            event_ms,
            traffic,
            notes,
            verdict,
            dropped,
            event_ids,
        })));
        return;
    };
    let noted = (!notes.is_empty()).then_some(notes);
    let apart = |run: &SkippedRun| {
        receipts == ReceiptsOf::All && run.reasons.iter().any(|(known, _)| *known != reason)
    };
    if let Some(Mapped::Skipped(run, before)) = all.last_mut()
        && !apart(run)
        && run.add(&record, epoch, reason)
    {
        before.extend(noted);
        return;
    }
    let run = SkippedRun::of(&record, epoch, reason);
    all.push(Mapped::Skipped(run, noted.into_iter().collect()));
}

#[cfg(test)]
mod tests {
    use ingest_model::outcome::{Rejected, Rejection, SkipReason};
    use ingest_model::record::{Offset, Position};

    use super::*;

    fn record(partition: i32, offset: i64) -> Record {
        Record {
            position: Position {
                partition: TopicPartition::new("shop.events", partition),
                offset: Offset(offset),
            },
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    fn skipped(reason: SkipReason) -> Judged {
        Judged {
            event_ms: None,
            traffic: Traffic::Live,
            notes: Notes::default(),
            verdict: Verdict::Skip(reason),
            dropped: Vec::new(),
            event_ids: None,
        }
    }

    /// What follows from these records of a partition: first offset and how many are skipped.
    fn added(records: Vec<(i32, i64, Judged)>, receipts: ReceiptsOf) -> Vec<(i64, u64)> {
        let mut all = Vec::new();
        for (partition, offset, judged) in records {
            let record = (record(partition, offset), Epoch(1));
            add(&mut all, record, judged, receipts);
        }
        let shown = all.iter().map(|mapped| match mapped {
            Mapped::Record(one) => (one.record.position.offset.0, 0),
            Mapped::Skipped(run, _) => (run.first.0, run.records()),
            Mapped::Waits(_) => panic!("nothing waits"),
        });
        shown.collect()
    }

    #[test]
    fn neighbours_that_are_skipped_come_as_one() {
        let no_route = || skipped(SkipReason::NoRoute);
        let rejected = Judged::from(Rejected::new(Rejection::InvalidJson, "no"));
        let records = vec![
            (0, 1, no_route()),
            (0, 2, skipped(SkipReason::Dropped)),
            (1, 3, no_route()),
            (1, 4, rejected),
            (1, 5, no_route()),
            (1, 7, no_route()),
        ];
        let shown = added(records, ReceiptsOf::Attempted);
        assert_eq!(shown, [(1, 2), (3, 1), (4, 0), (5, 1), (7, 1)]);
    }

    #[test]
    fn a_run_with_receipts_is_skipped_for_one_reason() {
        let records = vec![
            (0, 1, skipped(SkipReason::NoRoute)),
            (0, 2, skipped(SkipReason::NoRoute)),
            (0, 3, skipped(SkipReason::Dropped)),
        ];
        assert_eq!(added(records, ReceiptsOf::All), [(1, 2), (3, 1)]);
    }
}
