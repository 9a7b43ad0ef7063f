//! One event: decoded, and judged by its mapping.

use std::sync::Arc;

use jiff::Timestamp;

use crate::decode::tidy::blank_texts;
use crate::decode::{Decoded, Decoder};
use crate::event::{CustomerHints, Event, Notes};
use crate::mapping::{Applied, Mapping, Unsent};
use ingest_model::outcome::{DroppedField, Verdict};
use ingest_model::record::Record;

/// A summary of a record, for `explain`, delays and metrics. It has personal data, so it must not be logged.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSummary {
    /// The event's name.
    pub name: String,
    /// The producer's id of the occurrence.
    pub id: Option<String>,
    /// The same of the other events of a batch that have one.
    pub more_ids: Vec<String>,
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
    /// Operations of its route that it does not lead to, although others may; none if it is rejected.
    pub unsent: Vec<Unsent>,
}

// === impl EventSummary ===

impl EventSummary {
    /// Adds what another event of the same record says. The record is as old as its latest event.
    pub(super) fn add(&mut self, other: Self) {
        self.time = self.time.max(other.time);
        self.more_ids.extend(other.id);
        self.more_ids.extend(other.more_ids);
        self.cuts = self.cuts.saturating_add(other.cuts);
        self.snapshot &= other.snapshot;
        self.notes.extend(other.notes);
        self.dropped.extend(other.dropped);
        self.unsent.extend(other.unsent);
    }
}

/// What became of one event.
pub(super) struct Judged {
    pub(super) summary: Option<EventSummary>,
    pub(super) verdict: Verdict,
    /// The steps that expressions took.
    pub(super) steps: u64,
}

/// Parts of an envelope that the mapping could not compute, and why.
pub(super) type Failed = Vec<(&'static str, String)>;

/// The event of a record, what of its envelope the mapping could not compute, and the steps that this took.
pub(super) fn decoded<'t>(
    mapping: &Mapping,
    decoder: Decoder,
    record: &'t Record,
) -> Result<(Event<'t>, Failed, u64), Decoded> {
    let mut content = decoder.content(record)?;
    if mapping.drops_empty_texts() {
        blank_texts(&mut content.value);
    }
    let said = mapping.envelope(&content.value, record)?;
    let (failed, steps) = (said.failed, said.steps);
    let event = decoder.event(content, record, &said.envelope)?;
    Ok((event, failed, steps))
}

/// The summary of one event, and the verdict on it.
pub(super) fn judge(
    mapping: &Mapping,
    decoder: Decoder,
    record: &Record,
    now: Timestamp,
    keyed: bool,
) -> Judged {
    let (event, failed, before) = match decoded(mapping, decoder, record) {
        Ok(decoded) => decoded,
        Err(Decoded::Skip(reason)) => return Judged::without_event(Verdict::Skip(reason)),
        Err(Decoded::Reject(rejected)) => {
            return Judged::without_event(Verdict::Reject(rejected));
        }
    };
    let Applied {
        verdict,
        cuts,
        mut dropped,
        unsent,
        notes: noted,
        steps,
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
        more_ids: Vec::new(),
        time: event.time,
        customer: event.customer,
        kind: event.kind,
        cuts: cuts.0,
        notes,
        dropped,
        unsent,
    };
    Judged {
        summary: Some(summary),
        verdict,
        steps: before.saturating_add(steps),
    }
}

// === impl Judged ===

impl Judged {
    fn without_event(verdict: Verdict) -> Self {
        Self {
            summary: None,
            verdict,
            steps: 0,
        }
    }
}
