//! What values occupy in memory besides their own bytes, about.
//!
//! Estimates of what the process really occupies, so that a bound that is configured is about the memory that is used. What is
//! shared counts in full: whoever holds it may be the last to hold it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::call::{BulkItem, Call, CallResult, ItemFate, ItemResult, Reply};
use crate::operation::{CustomerKey, Operation, Party, Planned};
use crate::outcome::{DroppedField, Outcome, Rejected, SplitHint, Verdict};
use crate::state_log::reduce::Slice;
use crate::state_log::{Content, Entry, IntentItem};
use crate::values::body::Body;

/// What an allocation costs besides what it is for: counts of those who share it, and the allocator's own part.
pub const ALLOCATION: usize = 32;
/// What an entry of a JSON object costs besides its texts.
const ENTRY: usize = 120;
/// What a JSON value costs in a list.
const VALUE: usize = 40;

/// Bytes of a JSON object's entries.
fn map_bytes(map: &Map<String, Value>) -> usize {
    map.iter()
        .map(|(name, value)| ENTRY + name.len() + value_bytes(value))
        .sum()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|value| VALUE + value_bytes(value)).sum(),
        Value::Object(map) => map_bytes(map),
    }
}

/// Bytes of a list's places, and of what each of them holds besides.
pub fn list_bytes<T>(list: &[T], each: impl Fn(&T) -> usize) -> usize {
    if list.is_empty() {
        return 0;
    }
    ALLOCATION + size_of_val(list) + list.iter().map(each).sum::<usize>()
}

/// Bytes of a text that is apart.
#[must_use]
pub fn text_bytes(text: &str) -> usize {
    if text.is_empty() {
        return 0;
    }
    ALLOCATION + text.len()
}

/// Bytes of a body.
fn body_bytes(body: &Body) -> usize {
    text_bytes(body.as_str())
}

fn shared(text: Option<&Arc<str>>) -> usize {
    text.map_or(0, |text| text_bytes(text))
}

fn key_bytes(key: &CustomerKey) -> usize {
    text_bytes(key.value())
}

/// Bytes of what decoding and mapping said of a record.
#[must_use]
pub fn verdict_bytes(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Emit(planned) => list_bytes(planned, planned_bytes),
        Verdict::Skip(_) => 0,
        Verdict::Reject(rejected) => rejected_bytes(rejected),
        Verdict::Batch(batch) => {
            let rejected = batch.rejected.as_ref().map_or(0, rejected_bytes);
            list_bytes(&batch.planned, planned_bytes)
                + list_bytes(&batch.members, |members| list_bytes(members, |_| 0))
                + rejected
        }
    }
}

fn rejected_bytes(rejected: &Rejected) -> usize {
    text_bytes(&rejected.detail)
}

/// Bytes of an optional field that was left out. The names are the mapping's own.
#[must_use]
pub fn dropped_bytes(dropped: &DroppedField) -> usize {
    text_bytes(&dropped.detail)
}

/// Bytes of an operation besides its own: its body and the texts of its keys.
#[must_use]
pub fn planned_bytes(plan: &Planned) -> usize {
    let keys = plan
        .operation
        .customer()
        .map_or(0, |customer| list_bytes(customer.keys(), key_bytes));
    let body = match &plan.operation {
        Operation::Identify(identify) => body_bytes(&identify.fields),
        Operation::Track(track) => body_bytes(&track.event),
        Operation::KObject(object) => {
            let fold = object.fold.as_ref().map_or(0, |fold| fold.bytes());
            let party = object.party.as_ref().map_or(0, |party| {
                let company = party.company.as_ref();
                let company = company.map_or(0, |company| text_bytes(&company.0));
                size_of::<Party>() + ALLOCATION + body_bytes(&party.on_create) + company
            });
            body_bytes(&object.body) + text_bytes(&object.external_id.0) + fold + party
        }
    };
    keys + body + 2 * ALLOCATION
}

/// Bytes of a request.
#[must_use]
pub fn call_bytes(call: &Call) -> usize {
    size_of::<Call>()
        + ALLOCATION
        + match call {
            Call::Identify { identity } => body_bytes(identity),
            Call::Track { identity, event } => body_bytes(identity) + body_bytes(event),
            Call::SearchCustomers { keys } => list_bytes(keys, key_bytes),
            Call::GetCustomer { key } | Call::FindCustomer { key } => key_bytes(key),
            Call::CreateCustomers { items, .. }
            | Call::CreateKObjects { items, .. }
            | Call::UpdateKObjects { items, .. } => list_bytes(items, item_bytes),
            Call::CreateKObject { body, .. } => body_bytes(body),
            Call::UpdateKObject { body, id, .. } => body_bytes(body) + text_bytes(id),
            Call::DeleteKObject { id, .. } => text_bytes(id),
            Call::GetKObject { external_id, .. } => text_bytes(&external_id.0),
            Call::ReadJob { job } | Call::ReadJobState { job } => text_bytes(job),
            Call::Probe => 0,
        }
}

fn item_bytes(item: &BulkItem) -> usize {
    let links = shared(item.customer.as_ref()) + shared(item.company.as_ref());
    let links = links + shared(item.imported_at.as_ref());
    let ids = shared(item.id.as_ref()) + links;
    text_bytes(&item.reference) + body_bytes(&item.body) + ids
}

/// Bytes of an answer.
#[must_use]
pub fn reply_bytes(reply: &Reply) -> usize {
    let words = reply.trouble.as_ref();
    let words = words.map_or(0, |trouble| text_bytes(&trouble.words));
    words
        + match &reply.result {
            CallResult::Tracked(outcome) => outcome_bytes(outcome, |id| shared(id.as_ref())),
            CallResult::Customer(outcome) => outcome_bytes(outcome, |found| {
                found.as_ref().map_or(0, |found| {
                    text_bytes(&found.id) + list_bytes(&found.keys, key_bytes)
                })
            }),
            CallResult::Searched(outcome) => outcome_bytes(outcome, |found| {
                list_bytes(&found.customers, |(key, id)| {
                    key_bytes(key) + text_bytes(id)
                })
            }),
            CallResult::Submitted(outcome) | CallResult::Probed(outcome) => {
                outcome_bytes(outcome, |()| 0)
            }
            CallResult::Written(outcome) => outcome_bytes(outcome, |_| ALLOCATION),
            CallResult::KObject(outcome) => outcome_bytes(outcome, |object| {
                object.as_ref().map_or(0, |object| {
                    text_bytes(&object.id) + map_bytes(&object.shown) + 2 * ALLOCATION
                })
            }),
            CallResult::Job(outcome) => {
                outcome_bytes(outcome, |job| list_bytes(&job.items, result_bytes))
            }
            CallResult::Lost => 0,
        }
}

fn result_bytes(item: &ItemResult) -> usize {
    let fate = match &item.fate {
        ItemFate::Stored(id) => shared(id.as_ref()),
        ItemFate::Duplicate | ItemFate::Conflict | ItemFate::Gone => 0,
        ItemFate::Limited(said) | ItemFate::Transient(said) | ItemFate::Permanent(said) => {
            text_bytes(said)
        }
    };
    text_bytes(&item.reference) + fate
}

fn outcome_bytes<T>(outcome: &Outcome<T>, delivered: impl Fn(&T) -> usize) -> usize {
    match outcome {
        Outcome::Delivered(what) => delivered(what),
        Outcome::Pending(ticket) => text_bytes(&ticket.id),
        Outcome::Reject(said) => text_bytes(said),
        Outcome::Split(SplitHint { detail, .. }) => text_bytes(detail),
        Outcome::Retry(_) | Outcome::Ambiguous | Outcome::Hold(_) => 0,
    }
}

/// Bytes of what a slice of the state topic holds.
#[must_use]
pub fn slice_bytes(slice: &Slice) -> usize {
    list_bytes(&slice.entries, |(_, _, entry)| entry_bytes(entry))
        + list_bytes(&slice.outranked, |_| 0)
}

fn entry_bytes(entry: &Entry) -> usize {
    match &entry.content {
        Content::Customer(id) => text_bytes(id),
        Content::Object(object) => {
            let version = object.version.as_ref();
            shared(object.id.as_ref())
                + shared(version.map(|version| &version.0))
                + object.changes.apart()
        }
        Content::Event => 0,
        Content::Identity(said) => said.apart(),
        Content::Intent(intent) => {
            let job = intent.job.as_ref();
            shared(job.map(|job| &job.id)) + list_bytes(&intent.items, intended_bytes)
        }
    }
}

fn intended_bytes(item: &IntentItem) -> usize {
    let version = item.version.as_ref();
    text_bytes(&item.reference)
        + shared(version.map(|version| &version.0))
        + list_bytes(&item.operations, |_| 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::{JobReport, Limits};
    use crate::outcome::JobTicket;

    #[test]
    fn what_is_longer_weighs_more() {
        let reply = |result| Reply {
            limits: Limits::default(),
            result,
            trouble: None,
        };
        let job = |items: usize| {
            let item = |n: usize| ItemResult {
                reference: n.to_string(),
                fate: ItemFate::Permanent("no such title".to_owned()),
            };
            let items = (0..items).map(item).collect();
            let report = JobReport {
                items,
                ..JobReport::default()
            };
            reply_bytes(&reply(CallResult::Job(Outcome::Delivered(report))))
        };
        assert_eq!(job(0), 0);
        assert!(job(100) > 100 * (size_of::<ItemResult>() + "no such title".len()));
        let ticket = Outcome::Pending(JobTicket {
            id: "4711".into(),
            created_ms: None,
        });
        assert!(reply_bytes(&reply(CallResult::Submitted(ticket))) >= 4);

        let Value::Object(body) =
            json!({"title": "Net", "tags": ["a", "b"], "custom": {"sizeNum": 4}})
        else {
            panic!("no map")
        };
        let one = map_bytes(&body);
        assert_eq!(
            one,
            4 * ENTRY + 2 * VALUE + "titleNettagsabcustomsizeNum".len()
        );
        let body = Body::from(body);
        let one = body_bytes(&body);
        assert_eq!(one, ALLOCATION + body.size());
        let twice = Call::Track {
            identity: body.clone(),
            event: body,
        };
        assert!(call_bytes(&twice) > 2 * one);
    }
}
