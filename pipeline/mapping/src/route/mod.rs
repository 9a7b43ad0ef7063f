//! The pure part of a topic's path: its decoder and mapping together.
//!
//! The worker and `explain` both use [`Pipeline`] to judge records, so what `explain` shows is what is sent.

mod batch;
mod event;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::event::EventSummary;
use self::event::{decoded, judge};
use crate::decode::{Decoded, Decoder, Format, Limits};
use crate::event::BatchEvents;
use crate::mapping::{Mapping, Traced};
use ingest_model::outcome::{SkipReason, Verdict};
use ingest_model::record::Record;

/// The decoder and mapping of a topic.
#[derive(Debug, Clone)]
pub struct Pipeline {
    decoder: Decoder,
    mapping: Arc<Mapping>,
    keyed: bool,
}

/// One event of a record, and the verdict on it.
#[derive(Debug)]
pub struct Explained {
    /// Its number in a batch, from 0.
    pub member: Option<u32>,
    /// The record of that event.
    pub record: Record,
    /// The summary.
    pub summary: Option<EventSummary>,
    /// The verdict.
    pub verdict: Verdict,
}

/// The mapping is for another format than the topic's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} is a mapping for format {mapping}, but the topic has format {topic}")]
pub struct FormatConflict {
    /// The mapping's file.
    pub file: String,
    /// The format that the mapping is for.
    pub mapping: Format,
    /// The topic's format.
    pub topic: Format,
}

// === impl Pipeline ===

impl Pipeline {
    /// The pipeline of a topic with this format, these limits and this mapping.
    ///
    /// # Errors
    /// [`FormatConflict`] if the mapping is for another format.
    pub fn new(
        format: Format,
        limits: Limits,
        mapping: Arc<Mapping>,
    ) -> Result<Self, FormatConflict> {
        match mapping.format() {
            Some(wanted) if wanted != format => Err(FormatConflict {
                file: mapping.file().to_owned(),
                mapping: wanted,
                topic: format,
            }),
            Some(_) | None => Ok(Self {
                decoder: Decoder::new(format, limits),
                mapping,
                keyed: false,
            }),
        }
    }

    /// The same for a topic that has all records of a customer in one partition: then a session has one digest, and else one
    /// for each partition.
    #[must_use]
    pub fn keyed_by_customer(self, keyed: bool) -> Self {
        Self { keyed, ..self }
    }

    /// The mapping.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.decoder.format()
    }

    /// The summary of a record and the verdict on it. There is no summary if the record gives no event, or if it was skipped
    /// at a glance.
    #[must_use]
    pub fn judge(&self, record: &Record, now: Timestamp) -> (Option<EventSummary>, Verdict) {
        let (summary, verdict, _) = self.judge_counted(record, now);
        (summary, verdict)
    }

    /// As [`Pipeline::judge`], with what became of the events of a batch.
    #[must_use]
    pub fn judge_counted(
        &self,
        record: &Record,
        now: Timestamp,
    ) -> (Option<EventSummary>, Verdict, BatchEvents) {
        match skips(&self.mapping, self.decoder, record) {
            Some(reason) => (None, Verdict::Skip(reason), BatchEvents::default()),
            None => judge_all(&self.mapping, self.decoder, record, now, self.keyed),
        }
    }

    /// As [`Pipeline::judge`], with the same result, but quicker for a record that is delivered and slower for one that is
    /// skipped: it takes a glance only if decoding does not lead to operations.
    #[must_use]
    pub fn judge_wanted(&self, record: &Record, now: Timestamp) -> (Option<EventSummary>, Verdict) {
        let (summary, verdict, _) = self.judge_wanted_counted(record, now);
        (summary, verdict)
    }

    /// As [`Pipeline::judge_wanted`], with what became of the events of a batch.
    #[must_use]
    pub fn judge_wanted_counted(
        &self,
        record: &Record,
        now: Timestamp,
    ) -> (Option<EventSummary>, Verdict, BatchEvents) {
        let (summary, verdict, events) =
            judge_all(&self.mapping, self.decoder, record, now, self.keyed);
        match skips_after_all(&self.mapping, self.decoder, record, &verdict) {
            Some(reason) => (None, Verdict::Skip(reason), BatchEvents::default()),
            None => (summary, verdict, events),
        }
    }

    /// As [`Pipeline::judge`], with the summary of a record that is skipped.
    #[must_use]
    pub fn explain(&self, record: &Record, now: Timestamp) -> (Option<EventSummary>, Verdict) {
        explain(&self.mapping, self.decoder, record, now, self.keyed)
    }

    /// As [`Pipeline::explain`], for each event of a record that is a batch by itself; of any other record there is one.
    #[must_use]
    pub fn explain_each(&self, record: &Record, now: Timestamp) -> Vec<Explained> {
        match batch::members(&self.mapping, self.decoder, record) {
            Ok(Some(members)) => {
                let mut each = batch::Each::new(&self.mapping, self.decoder, now, self.keyed);
                let one = |member: batch::Member| {
                    let (summary, verdict) = each.judge(&member.record);
                    if let Verdict::Emit(planned) = &verdict {
                        each.keep(planned.clone(), member.index);
                    }
                    Explained {
                        member: Some(member.index),
                        record: member.record,
                        summary,
                        verdict,
                    }
                };
                members.into_iter().map(one).collect()
            }
            Ok(None) | Err(_) => {
                let (summary, verdict) = self.explain(record, now);
                vec![Explained {
                    member: None,
                    record: record.clone(),
                    summary,
                    verdict,
                }]
            }
        }
    }

    /// The name of the route that says that the record's event is not wanted, and why, for a record that is skipped as
    /// [`SkipReason::Dropped`].
    #[must_use]
    pub fn dropped_by(&self, record: &Record) -> Option<(String, String)> {
        let (event, ..) = decoded(&self.mapping, self.decoder, record).ok()?;
        self.mapping.dropped_by(&event, record)
    }

    /// Where each value of a record's operations comes from; `None` if the record gives no event.
    #[must_use]
    pub fn trace(&self, record: &Record) -> Option<Traced> {
        let (event, ..) = decoded(&self.mapping, self.decoder, record).ok()?;
        Some(self.mapping.trace(&event, record))
    }

    /// As [`Pipeline::trace`] for each event of a record, but without a pipeline, for the tests in a mapping file.
    pub(crate) fn traces_with(
        mapping: &Mapping,
        format: Format,
        limits: Limits,
        record: &Record,
    ) -> Vec<Traced> {
        let decoder = Decoder::new(format, limits);
        let trace = |record: &Record| {
            let (event, ..) = decoded(mapping, decoder, record).ok()?;
            Some(mapping.trace(&event, record))
        };
        match batch::members(mapping, decoder, record) {
            Ok(Some(members)) => {
                let records = members.iter().map(|member| &member.record);
                records.filter_map(trace).collect()
            }
            Ok(None) => trace(record).into_iter().collect(),
            Err(_) => Vec::new(),
        }
    }

    /// As [`Pipeline::explain`], but without a pipeline, for the tests in a mapping file.
    pub(crate) fn explain_with(
        mapping: &Mapping,
        format: Format,
        limits: Limits,
        record: &Record,
        now: Timestamp,
    ) -> (Option<EventSummary>, Verdict) {
        explain(mapping, Decoder::new(format, limits), record, now, false)
    }
}

fn explain(
    mapping: &Mapping,
    decoder: Decoder,
    record: &Record,
    now: Timestamp,
    keyed: bool,
) -> (Option<EventSummary>, Verdict) {
    let (summary, verdict, _) = judge_all(mapping, decoder, record, now, keyed);
    match skips_after_all(mapping, decoder, record, &verdict) {
        Some(reason) => (summary, Verdict::Skip(reason)),
        None => (summary, verdict),
    }
}

/// Why a record with this verdict is skipped at a glance: one that leads to operations is not.
fn skips_after_all(
    mapping: &Mapping,
    decoder: Decoder,
    record: &Record,
    verdict: &Verdict,
) -> Option<SkipReason> {
    match verdict {
        Verdict::Emit(_) | Verdict::Batch(_) => None,
        Verdict::Skip(_) | Verdict::Reject(_) => skips(mapping, decoder, record),
    }
}

/// Why a record is skipped, as far as a glance tells: by its name alone, whatever else it contains.
fn skips(mapping: &Mapping, decoder: Decoder, record: &Record) -> Option<SkipReason> {
    if decoder.format().is_tombstone(record) {
        return Some(SkipReason::Tombstone);
    }
    // what is seen at a glance is about one event
    let value = record.value.as_deref();
    if mapping
        .batches()
        .is_some_and(|list| value.is_some_and(|value| list.may_be_in(value)))
    {
        return None;
    }
    let seen = decoder.glance(record, mapping.named_by()?)?;
    if seen.meant_for_kustomer {
        mapping.skips(seen.kind, &seen.name)
    } else {
        Some(SkipReason::NotForKustomer)
    }
}

/// The result for a record, or for all events of one that is a batch.
fn judge_all(
    mapping: &Mapping,
    decoder: Decoder,
    record: &Record,
    now: Timestamp,
    keyed: bool,
) -> (Option<EventSummary>, Verdict, BatchEvents) {
    let verdict = match batch::members(mapping, decoder, record) {
        Ok(None) => {
            let judged = judge(mapping, decoder, record, now, keyed);
            return (judged.summary, judged.verdict, BatchEvents::default());
        }
        Ok(Some(members)) => {
            let each = batch::Each::new(mapping, decoder, now, keyed);
            return batch::judged(each, &members);
        }
        Err(Decoded::Skip(reason)) => Verdict::Skip(reason),
        Err(Decoded::Reject(rejected)) => Verdict::Reject(rejected),
    };
    (None, verdict, BatchEvents::default())
}

#[cfg(test)]
mod tests;
