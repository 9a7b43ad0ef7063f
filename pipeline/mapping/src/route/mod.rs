//! The pure part of a topic's path: its decoder and mapping together.
//!
//! The worker and `explain` both use [`Pipeline`] to judge records, so what `explain` shows is what is sent.

use std::sync::Arc;

use jiff::Timestamp;

use crate::decode::tidy::blank_texts;
use crate::decode::{Decoded, Decoder, Format, Limits};
use crate::event::{CustomerHints, Event, Notes};
use crate::mapping::{Applied, Mapping, Traced};
use ingest_model::outcome::{DroppedField, SkipReason, Verdict};
use ingest_model::record::Record;

/// The decoder and mapping of a topic.
#[derive(Debug, Clone)]
pub struct Pipeline {
    decoder: Decoder,
    mapping: Arc<Mapping>,
    keyed: bool,
}

/// A summary of a record, for `explain`, delays and metrics. It has personal data, so it must not be logged.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSummary {
    /// The event's name.
    pub name: String,
    /// The producer's id of the occurrence.
    pub id: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// What the envelope says about the customer.
    pub customer: CustomerHints,
    /// The kind of message, if the format has kinds.
    pub kind: Option<&'static str>,
    /// What the source itself counts its states by, if it does.
    pub version: Option<String>,
    /// The id of the thing that it is about, if the format says so.
    pub subject: Option<String>,
    /// Whether it tells what has been so for a while, and not what happens now.
    pub snapshot: bool,
    /// How many texts and lists of images were cut at their limit.
    pub cuts: u32,
    /// What it says but could not be used.
    pub notes: Notes,
    /// The optional fields that were left out of what is emitted, because their values are bad.
    pub dropped: Vec<DroppedField>,
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
        match skips(&self.mapping, self.decoder, record) {
            Some(reason) => (None, Verdict::Skip(reason)),
            None => judge(&self.mapping, self.decoder, record, now, self.keyed),
        }
    }

    /// As [`Pipeline::judge`], with the same result, but quicker for a record that is delivered and slower for one that is
    /// skipped: it takes a glance only if decoding does not lead to operations.
    #[must_use]
    pub fn judge_wanted(&self, record: &Record, now: Timestamp) -> (Option<EventSummary>, Verdict) {
        let (summary, verdict) = judge(&self.mapping, self.decoder, record, now, self.keyed);
        match &verdict {
            Verdict::Emit(_) => (summary, verdict),
            Verdict::Skip(_) | Verdict::Reject(_) => {
                match skips(&self.mapping, self.decoder, record) {
                    Some(reason) => (None, Verdict::Skip(reason)),
                    None => (summary, verdict),
                }
            }
        }
    }

    /// As [`Pipeline::judge`], with the summary of a record that is skipped.
    #[must_use]
    pub fn explain(&self, record: &Record, now: Timestamp) -> (Option<EventSummary>, Verdict) {
        explain(&self.mapping, self.decoder, record, now, self.keyed)
    }

    /// The name of the route that says that the record's event is not wanted, and why, for a record that is skipped as
    /// [`SkipReason::Dropped`].
    #[must_use]
    pub fn dropped_by(&self, record: &Record) -> Option<(String, String)> {
        let (event, _) = decoded(&self.mapping, self.decoder, record).ok()?;
        self.mapping.dropped_by(&event, record)
    }

    /// Where each value of a record's operations comes from; `None` if the record gives no event.
    #[must_use]
    pub fn trace(&self, record: &Record) -> Option<Traced> {
        let (event, _) = decoded(&self.mapping, self.decoder, record).ok()?;
        Some(self.mapping.trace(&event, record))
    }

    /// As [`Pipeline::trace`], but without a pipeline, for the tests in a mapping file.
    pub(crate) fn trace_with(
        mapping: &Mapping,
        format: Format,
        limits: Limits,
        record: &Record,
    ) -> Option<Traced> {
        let (event, _) = decoded(mapping, Decoder::new(format, limits), record).ok()?;
        Some(mapping.trace(&event, record))
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
    let (summary, verdict) = judge(mapping, decoder, record, now, keyed);
    match skips(mapping, decoder, record) {
        Some(reason) => (summary, Verdict::Skip(reason)),
        None => (summary, verdict),
    }
}

/// Why a record is skipped, as far as a glance tells: by its name alone, whatever else it contains.
fn skips(mapping: &Mapping, decoder: Decoder, record: &Record) -> Option<SkipReason> {
    if record.value.is_none() && decoder.format().null_is_tombstone() {
        return Some(SkipReason::Tombstone);
    }
    let seen = decoder.glance(record, mapping.named_by()?)?;
    if seen.meant_for_kustomer {
        mapping.skips(seen.kind, &seen.name)
    } else {
        Some(SkipReason::NotForKustomer)
    }
}

/// Parts of an envelope that the mapping could not compute, and why.
type Failed = Vec<(&'static str, String)>;

/// The event of a record, and what of its envelope the mapping could not compute.
fn decoded<'t>(
    mapping: &Mapping,
    decoder: Decoder,
    record: &'t Record,
) -> Result<(Event<'t>, Failed), Decoded> {
    let mut content = decoder.content(record)?;
    if mapping.drops_empty_texts() {
        blank_texts(&mut content.value);
    }
    let said = mapping.envelope(&content.value, record)?;
    let failed = said.failed;
    let event = decoder.event(content, record, &said.envelope)?;
    Ok((event, failed))
}

fn judge(
    mapping: &Mapping,
    decoder: Decoder,
    record: &Record,
    now: Timestamp,
    keyed: bool,
) -> (Option<EventSummary>, Verdict) {
    let (event, failed) = match decoded(mapping, decoder, record) {
        Ok(decoded) => decoded,
        Err(Decoded::Skip(reason)) => return (None, Verdict::Skip(reason)),
        Err(Decoded::Reject(rejected)) => return (None, Verdict::Reject(rejected)),
    };
    let Applied {
        verdict,
        cuts,
        mut dropped,
        notes: noted,
    } = mapping.apply_keyed(&event, record, now, keyed);
    let (version, subject, snapshot) = match event.more {
        Some(more) => (more.version.counted(), more.subject, more.snapshot),
        None => (None, None, false),
    };
    let mut notes = event.notes;
    notes.extend(noted);
    if let Verdict::Emit(planned) = &verdict
        && let Some(planned) = planned.first()
    {
        dropped.extend(failed.into_iter().map(|(name, detail)| DroppedField {
            route: Arc::clone(&planned.route),
            field: Arc::from(format!("event.{name}")),
            detail,
        }));
    }
    let summary = EventSummary {
        version,
        subject,
        snapshot,
        name: event.name,
        id: event.id,
        time: event.time,
        customer: event.customer,
        kind: event.kind,
        cuts: cuts.0,
        notes,
        dropped,
    };
    (Some(summary), verdict)
}

#[cfg(test)]
mod tests;
