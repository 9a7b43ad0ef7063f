//! Records that are a batch: the mapping says with `event: { each: … }` where a record may have several events.
//!
//! Each member is judged as if it were the record's value: with the record's key, headers, time and place. So everything that
//! holds for an event holds for a member. What a mapping of one event can do, one of a batch can, too.

use std::borrow::Cow;

use jiff::Timestamp;

use super::event::{EventSummary, Judged, judge};
use crate::body::key::MEMBER_HEADER;
use crate::decode::{Decoded, Decoder, Format};
use crate::event::BatchEvents;
use crate::mapping::Mapping;
use crate::value::Value;
use ingest_model::operation::{Operation, Planned};
use ingest_model::outcome::members::{MEMBERS_HEADER, read};
use ingest_model::outcome::{Batch, Rejected, Rejection, SkipReason, Verdict};
use ingest_model::record::{Header, Record};

/// The most members of a record.
const MAX_MEMBERS: usize = 1_000;
/// The most operations of a record's members together.
const MAX_OPERATIONS: usize = 5_000;
/// The most steps that the expressions of a record's members take together, give or take those of one member: five thousand for each of a
/// thousand events.
const MAX_STEPS: u64 = 5_000_000;
/// How long all members of a record may be together: what a batch says once is in each of them.
const MAX_TEXTS: usize = 8 << 20;
/// What Segment's libraries say once for a batch.
const OF_ALL: &[&str] = &["context", "integrations", "sentAt"];

/// A member of a record that is a batch, as a record of its own.
pub(super) struct Member {
    pub(super) index: u32,
    pub(super) record: Record,
}

/// The members of a record that it stands for; `None` if it is no batch.
pub(super) fn members(
    mapping: &Mapping,
    decoder: Decoder,
    record: &Record,
) -> Result<Option<Vec<Member>>, Decoded> {
    let Some(list) = mapping.batches() else {
        return Ok(None);
    };
    let Some(bytes) = record.value.as_ref() else {
        return Ok(None);
    };
    let wanted = wanted(record)?;
    if wanted.is_none() && !list.may_be_in(bytes) {
        return Ok(None);
    }
    let value = decoder.value(record)?;
    let items = match list.of(&value, record) {
        Ok(found) => found,
        Err(why) => return Err(Decoded::reject(Rejection::MappingFailed, why)),
    };
    let items: Cow<'_, [Value<'_>]> = match items {
        Cow::Borrowed(Value::Array(items)) => Cow::Borrowed(items),
        Cow::Owned(Value::Array(items)) => Cow::Owned(items),
        // what a letter names is not there
        Cow::Borrowed(_) | Cow::Owned(_) if wanted.is_some() => return Err(gone(0)),
        Cow::Borrowed(Value::Null) | Cow::Owned(Value::Null) => return Ok(None),
        // a record is a list or an event
        Cow::Borrowed(Value::Object(_)) if list.is_whole() => return Ok(None),
        Cow::Borrowed(_) | Cow::Owned(_) => {
            let detail =
                "event.each: must be a list of events, or null for a record that is one event";
            return Err(Decoded::reject(Rejection::FormatMismatch, detail));
        }
    };
    // Otherwise an event that a letter names would vanish: the mapping's list is another one now.
    let last = wanted.iter().flatten().map(|(_, last)| *last).max();
    if last.is_some_and(|last| usize::try_from(last).is_ok_and(|last| last >= items.len())) {
        return Err(gone(items.len()));
    }
    if items.is_empty() {
        return Err(Decoded::Skip(SkipReason::NoItems));
    }
    if items.len() > MAX_MEMBERS {
        let detail = format!(
            "event.each: has {} events, more than {MAX_MEMBERS}",
            items.len()
        );
        return Err(Decoded::reject(Rejection::TooLarge, detail));
    }
    let mut members = Vec::with_capacity(items.len());
    let mut bytes = 0;
    for (index, item) in (0_u32..).zip(items.iter()) {
        let is_wanted = |runs: &Vec<(u32, u32)>| {
            let mut runs = runs.iter();
            runs.any(|(first, last)| (first..=last).contains(&&index))
        };
        if wanted.as_ref().is_none_or(is_wanted) {
            let text = if decoder.format() == Format::Segment {
                with_what_is_said_once(item, &value).to_string()
            } else {
                item.to_string()
            };
            bytes += text.len();
            if bytes > MAX_TEXTS {
                let detail = format!(
                    "event.each: what its events say together is longer than {} MiB",
                    MAX_TEXTS >> 20
                );
                return Err(Decoded::reject(Rejection::TooLarge, detail));
            }
            members.push(Member {
                index,
                record: of_member(record, index, text),
            });
        }
    }
    if members.is_empty() {
        return Err(Decoded::Skip(SkipReason::NoItems));
    }
    Ok(Some(members))
}

/// A letter names events that its record does not have.
fn gone(events: usize) -> Decoded {
    let detail = format!(
        "the header {MEMBERS_HEADER} names events that the list does not have (it has {events}): event.each finds another list than when \
         the letter was written"
    );
    Decoded::reject(Rejection::InvalidEnvelope, detail)
}

/// The members that a record stands for, if its headers say so: then it is a dead letter that comes again.
fn wanted(record: &Record) -> Result<Option<Vec<(u32, u32)>>, Decoded> {
    let Some(header) = record.header(MEMBERS_HEADER) else {
        return Ok(None);
    };
    let runs = std::str::from_utf8(header).ok().and_then(read);
    runs.map(Some).ok_or_else(|| {
        let detail = format!("the header {MEMBERS_HEADER} must list numbers, such as 0,3-5");
        Decoded::reject(Rejection::InvalidEnvelope, detail)
    })
}

/// The record of one member.
fn of_member(record: &Record, index: u32, text: String) -> Record {
    let mut headers: Vec<Header> = record.headers.clone();
    headers.retain(|header| !matches!(header.name.as_str(), MEMBERS_HEADER | MEMBER_HEADER));
    headers.push(Header {
        name: MEMBER_HEADER.to_owned(),
        value: Some(index.to_string().into()),
    });
    Record {
        position: record.position.clone(),
        key: record.key.clone(),
        value: Some(text.into()),
        headers,
        timestamp_ms: record.timestamp_ms,
    }
}

/// A message of Segment with what its batch says for all.
fn with_what_is_said_once<'v>(item: &'v Value<'v>, batch: &'v Value<'v>) -> Cow<'v, Value<'v>> {
    let (Value::Object(message), Value::Object(batch)) = (item, batch) else {
        return Cow::Borrowed(item);
    };
    let mut whole = message.clone();
    for name in OF_ALL {
        if let Some(value) = batch.get(name)
            && !whole.contains_key(name)
        {
            whole.insert(*name, value.clone());
        }
    }
    Cow::Owned(Value::Object(whole))
}

/// What becomes of the members, one after the other, within what they may take together.
///
/// Who judges a member keeps what it leads to before the next one is judged: that counts, too.
pub(super) struct Each<'m> {
    mapping: &'m Mapping,
    decoder: Decoder,
    now: Timestamp,
    keyed: bool,
    /// What those before have taken.
    steps: u64,
    /// What those before lead to.
    batch: Batch,
}

impl<'m> Each<'m> {
    pub(super) fn new(mapping: &'m Mapping, decoder: Decoder, now: Timestamp, keyed: bool) -> Self {
        Self {
            mapping,
            decoder,
            now,
            keyed,
            steps: 0,
            batch: Batch::default(),
        }
    }

    /// The summary of the next member, and the verdict on it.
    pub(super) fn judge(&mut self, record: &Record) -> (Option<EventSummary>, Verdict) {
        if self.steps > MAX_STEPS {
            return (None, Verdict::Reject(too_many_steps()));
        }
        let Judged {
            summary,
            verdict,
            steps,
        } = judge(self.mapping, self.decoder, record, self.now, self.keyed);
        self.steps = self.steps.saturating_add(steps);
        let verdict = match verdict {
            Verdict::Emit(_) if self.steps > MAX_STEPS => Verdict::Reject(too_many_steps()),
            Verdict::Emit(planned) if self.batch.planned.len() + planned.len() > MAX_OPERATIONS => {
                let detail =
                    format!("the events of the record make more than {MAX_OPERATIONS} operations");
                Verdict::Reject(Rejected::new(Rejection::TooLarge, detail))
            }
            other @ (Verdict::Emit(_)
            | Verdict::Skip(_)
            | Verdict::Reject(_)
            | Verdict::Batch(_)) => other,
        };
        (summary, verdict)
    }

    /// Keeps what a member leads to.
    pub(super) fn keep(&mut self, planned: Vec<Planned>, member: u32) {
        for plan in planned {
            add(&mut self.batch, plan, member);
        }
    }
}

fn too_many_steps() -> Rejected {
    let millions = MAX_STEPS / 1_000_000;
    let detail = format!(
        "the expressions for the events of the record take more than {millions} million steps together; those before are delivered, and a \
         replay of the letter begins with this one"
    );
    Rejected::new(Rejection::TooLarge, detail)
}

/// What the members lead to together, what the record says as a whole, and what became of how many.
pub(super) fn judged(
    mut each: Each<'_>,
    members: &[Member],
) -> (Option<EventSummary>, Verdict, BatchEvents) {
    let mut events = BatchEvents::default();
    let mut skipped = None;
    let mut whole: Option<EventSummary> = None;
    for Member { index, record } in members {
        let (summary, verdict) = each.judge(record);
        match verdict {
            Verdict::Emit(planned) => {
                events.emitted += 1;
                each.keep(planned, *index);
            }
            Verdict::Skip(reason) => {
                events.skipped += 1;
                skipped.get_or_insert(reason);
            }
            Verdict::Reject(rejected) => {
                events.rejected += 1;
                let batch = &mut each.batch;
                batch.refused.push(*index);
                // What the law asks for must not hide behind another reason.
                let comes_first = rejected.reason == Rejection::PrivacyRequest
                    && batch
                        .rejected
                        .as_ref()
                        .is_some_and(|first| first.reason != Rejection::PrivacyRequest);
                if batch.rejected.is_none() || comes_first {
                    batch.rejected = Some(Rejected {
                        detail: format!("event {index} of the batch: {}", rejected.detail),
                        ..rejected
                    });
                }
            }
            // a member is one event
            Verdict::Batch(_) => {}
        }
        match (&mut whole, summary) {
            (Some(whole), Some(summary)) => whole.add(summary),
            (None, summary) => whole = summary,
            (Some(_), None) => {}
        }
    }
    let batch = each.batch;
    if batch.planned.is_empty() && batch.rejected.is_none() {
        let reason = skipped.unwrap_or(SkipReason::NoItems);
        return (whole, Verdict::Skip(reason), events);
    }
    (whole, Verdict::Batch(Box::new(batch)), events)
}

/// Adds an operation. Events of one record that are folded into one session are one operation, because a session remembers
/// what it has by the records that it was made of.
fn add(batch: &mut Batch, plan: Planned, member: u32) {
    if let Operation::KObject(later) = &plan.operation
        && let Some(fold) = &later.fold
    {
        let same = |one: &Planned| match &one.operation {
            Operation::KObject(known) => {
                known.fold.is_some()
                    && known.klass == later.klass
                    && known.external_id == later.external_id
            }
            Operation::Identify(_) | Operation::Track(_) => false,
        };
        if let Some(place) = batch.planned.iter().position(same)
            && let Some(Planned {
                operation: Operation::KObject(known),
                ..
            }) = batch.planned.get_mut(place)
            && known.fold.as_mut().is_some_and(|known| known.extend(fold))
        {
            if let Some(members) = batch.members.get_mut(place) {
                members.push(member);
            }
            return;
        }
    }
    batch.planned.push(plan);
    batch.members.push(vec![member]);
}

#[cfg(test)]
mod tests;
