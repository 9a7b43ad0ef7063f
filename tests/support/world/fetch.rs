//! Replicas read their partitions.

use std::time::Duration;

use bytes::Bytes;
use ingest_delivery::machine::{Input, SkippedRun};
use ingest_delivery::settled::ReceiptsOf;
use ingest_model::operation::{KObject, Operation};
use ingest_model::outcome::Verdict;
use ingest_model::record::{Position, Record, Traffic};

use super::{Event, World, partition};

impl World {
    /// Delivers the next records of every partition that a replica owns and that is not paused.
    pub(super) fn fetch(&mut self, replica: usize) {
        let mut any = false;
        for number in 0..self.logs.len() {
            let partition = partition(i32::try_from(number).expect("few"));
            // As the mapper threads do: neighbours that are skipped come in at once.
            let mut skipped: Option<SkippedRun> = None;
            for _ in 0..20 {
                if self.replicas[replica].paused.contains(&partition) {
                    break;
                }
                let log = self.logs.get_mut(&partition).expect("a partition");
                if log.owner.is_none_or(|(owner, _)| owner != replica) {
                    break;
                }
                let Some(fetched) = log.fetch() else {
                    break;
                };
                let epoch = self.take(&partition, fetched.offset);
                any = true;
                let record = Record {
                    position: Position {
                        partition: partition.clone(),
                        offset: fetched.offset,
                    },
                    key: None,
                    value: Some(Bytes::from_static(b"{}")),
                    headers: Vec::new(),
                    timestamp_ms: fetched.arrived,
                };
                if let Verdict::Skip(reason) = fetched.verdict {
                    let alike = |run: &SkippedRun| {
                        let mut reasons = run.reasons.iter();
                        self.settings.receipts != ReceiptsOf::All
                            || reasons.all(|(known, _)| *known == reason)
                    };
                    let joined = skipped
                        .as_mut()
                        .is_some_and(|run| alike(run) && run.add(&record, epoch, reason));
                    if !joined {
                        let before = skipped.replace(SkippedRun::of(&record, epoch, reason));
                        self.skip(replica, before);
                    }
                    continue;
                }
                self.skip(replica, skipped.take());
                let traffic = if self.old.contains(&partition.partition.0) {
                    Traffic::Backfill
                } else {
                    Traffic::Live
                };
                let verdict = placed(fetched.verdict, &record);
                self.step(
                    replica,
                    Input::Record {
                        record,
                        epoch,
                        event_ms: fetched.event_ms,
                        traffic,
                        verdict,
                        dropped: Vec::new(),
                        event_ids: None,
                    },
                );
            }
            self.skip(replica, skipped);
        }
        if any {
            let generation = self.replicas[replica].generation;
            self.later(
                Duration::from_millis(1),
                Event::Fetch {
                    replica,
                    generation,
                },
            );
        }
    }

    fn skip(&mut self, replica: usize, run: Option<SkippedRun>) {
        if let Some(run) = run {
            self.step(replica, Input::Skipped(run));
        }
    }
}

/// What the mapping says of a record at its place: digests note where their events come from.
fn placed(mut verdict: Verdict, record: &Record) -> Verdict {
    if let Verdict::Emit(planned) = &mut verdict {
        for plan in planned {
            if let Operation::KObject(KObject {
                fold: Some(fold), ..
            }) = &mut plan.operation
            {
                fold.partition = record.position.partition.clone();
                for event in &mut fold.events {
                    event.offset = record.position.offset;
                    event.written_ms = record.timestamp_ms;
                }
            }
        }
    }
    verdict
}
