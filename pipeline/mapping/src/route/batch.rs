//! Records that are a batch: the mapping says with `event: { each: … }` where a record may have several events.
//!
//! Each member is judged as if it were the record's value: with the record's key, headers, time and place. So everything that
//! holds for an event holds for a member. What a mapping of one event can do, one of a batch can, too.

use std::borrow::Cow;

use jiff::Timestamp;

use super::event::{EventSummary, judge};
use crate::body::key::MEMBER_HEADER;
use crate::decode::{Decoded, Decoder, Format, json};
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
    if !list.may_be_in(bytes) {
        return Ok(None);
    }
    let value = json::value(record, decoder.limits())?;
    let items = match list.of(&value, record) {
        Ok(found) => found,
        Err(why) => return Err(Decoded::reject(Rejection::MappingFailed, why)),
    };
    let items: Cow<'_, [Value<'_>]> = match items {
        Cow::Borrowed(Value::Array(items)) => Cow::Borrowed(items),
        Cow::Owned(Value::Array(items)) => Cow::Owned(items),
        Cow::Borrowed(Value::Null) | Cow::Owned(Value::Null) => return Ok(None),
        // a record is a list or an event
        Cow::Borrowed(Value::Object(_)) if list.is_whole() => return Ok(None),
        Cow::Borrowed(_) | Cow::Owned(_) => {
            let detail =
                "event.each: must be a list of events, or null for a record that is one event";
            return Err(Decoded::reject(Rejection::FormatMismatch, detail));
        }
    };
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
    let wanted = wanted(record)?;
    let mut members = Vec::with_capacity(items.len());
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

/// What the members lead to together, and what the record says as a whole.
pub(super) fn judged(
    mapping: &Mapping,
    decoder: Decoder,
    members: &[Member],
    now: Timestamp,
    keyed: bool,
) -> (Option<EventSummary>, Verdict) {
    let mut batch = Batch::default();
    let mut skipped = None;
    let mut whole: Option<EventSummary> = None;
    for Member { index, record } in members {
        let (summary, verdict) = judge(mapping, decoder, record, now, keyed);
        let refused = match verdict {
            Verdict::Emit(planned) if batch.planned.len() + planned.len() > MAX_OPERATIONS => {
                let detail =
                    format!("the events of the record make more than {MAX_OPERATIONS} operations");
                Some(Rejected::new(Rejection::TooLarge, detail))
            }
            Verdict::Emit(planned) => {
                for plan in planned {
                    add(&mut batch, plan, *index);
                }
                None
            }
            Verdict::Skip(reason) => {
                skipped.get_or_insert(reason);
                None
            }
            Verdict::Reject(rejected) => Some(rejected),
            // a member is one event
            Verdict::Batch(_) => None,
        };
        if let Some(rejected) = refused {
            batch.refused.push(*index);
            batch.rejected.get_or_insert_with(|| Rejected {
                detail: format!("event {index} of the batch: {}", rejected.detail),
                ..rejected
            });
        }
        match (&mut whole, summary) {
            (Some(whole), Some(summary)) => whole.add(summary),
            (None, summary) => whole = summary,
            (Some(_), None) => {}
        }
    }
    if batch.planned.is_empty() && batch.rejected.is_none() {
        return (whole, Verdict::Skip(skipped.unwrap_or(SkipReason::NoItems)));
    }
    (whole, Verdict::Batch(Box::new(batch)))
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
mod tests {
    use std::sync::Arc;

    use serde_json::{Value as Json, json};

    use super::super::Pipeline;
    use super::*;
    use crate::decode::Limits;
    use crate::testing::shown;
    use ingest_model::outcome::members::written;
    use ingest_model::record::{Offset, Position, TopicPartition};

    const LIST: &str = "
event: { each: . }
routes:
  - { name: noise, on: Noise, skip: noise }
  - { name: seen, on: Seen, customer: { externalId: .who }, do: [{ track: '\"Seen\"', meta: { count: .n } }] }
  - name: order
    on: Order
    customer: none
    do: [{ kobject: order, externalId: .no, title: '\"Order\"', version: .n, custom: { fromStr: '$record.headers[\"ingest.member\"]' } }]
  - name: viewed
    on: Viewed
    customer: { externalId: .who }
    do: [{ digest: browsing, session: { key: .s }, title: '\"\\(.count) views\"' }]
";

    fn pipeline(text: &str) -> Pipeline {
        let mapping = Mapping::compile(text, "t.yaml").unwrap();
        let format = mapping.format().unwrap_or(Format::Json);
        Pipeline::new(format, Limits::default(), Arc::new(mapping)).unwrap()
    }

    fn record(value: &Json, members: Option<&str>) -> Record {
        let header = |text: &str| Header {
            name: MEMBERS_HEADER.to_owned(),
            value: Some(text.to_owned().into()),
        };
        Record {
            position: Position {
                partition: TopicPartition::new("shop.events", 0),
                offset: Offset(7),
            },
            key: None,
            value: Some(value.to_string().into()),
            headers: members.map(header).into_iter().collect(),
            timestamp_ms: Some(1_790_000_000_000),
        }
    }

    fn judged(pipeline: &Pipeline, value: &Json, members: Option<&str>) -> Verdict {
        let record = record(value, members);
        let now = Timestamp::UNIX_EPOCH;
        let (_, verdict) = pipeline.judge(&record, now);
        assert_eq!(verdict, pipeline.judge_wanted(&record, now).1);
        assert_eq!(verdict, pipeline.explain(&record, now).1);
        verdict
    }

    fn batch(verdict: Verdict) -> Batch {
        match verdict {
            Verdict::Batch(batch) => *batch,
            other @ (Verdict::Emit(_) | Verdict::Skip(_) | Verdict::Reject(_)) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn each_member_is_an_event_with_its_own_key_and_in_its_order() {
        let list = json!([
            { "type": "Seen", "who": "a", "n": 1 },
            { "type": "Noise" },
            { "type": "Order", "no": "o1", "n": 1 },
            { "type": "Seen", "who": "a", "n": 2 },
            { "type": "Order", "no": "o1", "n": 2 },
        ]);
        let found = batch(judged(&pipeline(LIST), &list, None));
        assert_eq!(found.members, [[0], [2], [3], [4]]);
        assert_eq!((found.refused, found.rejected), (vec![], None));
        let shown: Vec<Json> = found
            .planned
            .iter()
            .map(|one| shown(&one.operation))
            .collect();
        assert_eq!(shown[0]["meta"]["countNum"], 1);
        assert_eq!(shown[1]["custom"]["fromStr"], "2");
        assert_eq!(shown[2]["meta"]["countNum"], 2);
        assert_eq!(shown[3]["version"], "2");
        let keys: std::collections::BTreeSet<_> =
            found.planned.iter().map(|one| one.event_key).collect();
        assert_eq!(keys.len(), 4);
    }

    #[test]
    fn a_bad_member_is_named_and_comes_again_alone() {
        let pipeline = pipeline(LIST);
        let list = json!([
            { "type": "Seen", "who": "a", "n": 1 },
            { "type": "Seen", "n": 2 },
            17,
            { "type": "Order", "no": "o1" },
        ]);
        let found = batch(judged(&pipeline, &list, None));
        assert_eq!(found.members, [[0], [3]]);
        assert_eq!(found.refused, [1, 2]);
        let why = found.rejected.unwrap();
        assert_eq!(why.reason, Rejection::MissingCustomer);
        assert!(
            why.detail
                .starts_with("event 1 of the batch: customer: no usable key"),
            "{why:?}"
        );
        assert_eq!(why.route.as_deref(), Some("seen"));
        // the letter comes again: the others are not sent twice, and keep their keys
        let letter = written(found.refused.iter().copied());
        let again = batch(judged(&pipeline, &list, Some(&letter)));
        assert_eq!(again.planned, []);
        assert_eq!(again.refused, [1, 2]);
        let one = batch(judged(&pipeline, &list, Some("3")));
        assert_eq!(one.members, [[3]]);
        assert_eq!(one.planned[0].event_key, found.planned[1].event_key);
        // what names no members is told
        let Verdict::Reject(rejected) = judged(&pipeline, &list, Some("x")) else {
            panic!("a bad header");
        };
        assert_eq!(rejected.reason, Rejection::InvalidEnvelope);
    }

    #[test]
    fn one_event_stays_one_event() {
        let pipeline = pipeline(LIST);
        let one = json!({ "type": "Seen", "who": "a" });
        assert!(matches!(judged(&pipeline, &one, None), Verdict::Emit(_)));
        let noise = json!({ "type": "Noise" });
        assert_eq!(
            judged(&pipeline, &noise, None),
            Verdict::Skip(SkipReason::Dropped)
        );
        assert_eq!(
            judged(&pipeline, &json!([noise]), None),
            Verdict::Skip(SkipReason::Dropped)
        );
        assert_eq!(
            judged(&pipeline, &json!([]), None),
            Verdict::Skip(SkipReason::NoItems)
        );
        let mut tombstone = record(&one, None);
        tombstone.value = None;
        let (_, verdict) = pipeline.judge(&tombstone, Timestamp::UNIX_EPOCH);
        assert_eq!(verdict, Verdict::Skip(SkipReason::Tombstone));
        let many = json!(vec![noise; MAX_MEMBERS + 1]);
        let Verdict::Reject(rejected) = judged(&pipeline, &many, None) else {
            panic!("too many");
        };
        assert_eq!(rejected.reason, Rejection::TooLarge);
    }

    #[test]
    fn events_of_one_session_are_one_operation() {
        let list = json!([
            { "type": "Viewed", "who": "a", "s": 1 },
            { "type": "Viewed", "who": "a", "s": 2 },
            { "type": "Viewed", "who": "a", "s": 1 },
        ]);
        let found = batch(judged(&pipeline(LIST), &list, None));
        assert_eq!(found.members, [vec![0, 2], vec![1]]);
        let first = shown(&found.planned[0].operation);
        assert_eq!(first["title"], "2 views");
    }

    #[test]
    fn a_batch_of_segment_says_some_things_once() {
        let pipeline = pipeline(
            "format: segment\nevent: { each: .batch }\nroutes:\n  - { name: bought, on: Bought, do: [{ track: .event, meta: { app: .context.app.name } }] }\n",
        );
        let body = json!({
            "batch": [
                { "type": "track", "event": "Bought", "userId": "u", "messageId": "m1" },
                { "type": "track", "event": "Bought", "userId": "u", "messageId": "m2", "context": {} },
                { "type": "track", "event": "Bought", "userId": "u", "messageId": "m3", "integrations": { "All": false } },
                { "type": "track", "event": "Other", "userId": "u", "messageId": "m4" },
            ],
            "context": { "app": { "name": "shop" } },
        });
        let found = batch(judged(&pipeline, &body, None));
        assert_eq!(found.members, [[0], [1]]);
        let meta = |n: usize| shown(&found.planned[n].operation)["meta"]["app"].clone();
        assert_eq!((meta(0), meta(1)), (json!("shop"), Json::Null));
        let single = json!({ "type": "track", "event": "Bought", "userId": "u" });
        assert!(matches!(judged(&pipeline, &single, None), Verdict::Emit(_)));
        let unwanted = json!({ "type": "track", "event": "Other", "userId": "u", "x": "a batch" });
        assert_eq!(
            judged(&pipeline, &unwanted, None),
            Verdict::Skip(SkipReason::NoRoute)
        );
        let wrong = json!({ "batch": { "type": "track" } });
        let Verdict::Reject(rejected) = judged(&pipeline, &wrong, None) else {
            panic!("no list");
        };
        assert!(
            rejected.detail.contains("event.each: must be a list"),
            "{rejected:?}"
        );
        let all: Vec<Option<u32>> = pipeline
            .explain_each(&record(&body, Some("1-2")), Timestamp::UNIX_EPOCH)
            .iter()
            .map(|one| one.member)
            .collect();
        assert_eq!(all, [Some(1), Some(2)]);
    }
}
