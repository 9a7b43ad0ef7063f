//! What becomes of records that are batches.

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
fn a_list_in_connects_envelope_is_the_same_batch() {
    let schema = json!({ "type": "array", "items": { "type": "struct", "fields": [] } });
    let seen = json!([{ "type": "Seen", "who": "a", "n": 1 }, { "type": "Noise" }]);
    let at_a_path = LIST.replace("each: .", "each: .events");
    for (mapping, payload) in [
        (LIST, seen.clone()),
        (&at_a_path, json!({ "events": seen })),
        (LIST, Json::from(seen.to_string())),
    ] {
        let value = json!({ "schema": schema, "payload": payload });
        let found = batch(judged(&pipeline(mapping), &value, None));
        assert_eq!(found.members, [[0]], "{value}");
    }
    let one = json!({ "schema": schema, "payload": { "type": "Seen", "who": "a", "n": 1 } });
    let verdict = judged(&pipeline(LIST), &one, None);
    assert!(matches!(verdict, Verdict::Emit(_)), "{verdict:?}");
    // any other field called so is the producer's own
    let own = json!({ "payload": seen, "type": "Noise" });
    let verdict = judged(&pipeline(LIST), &own, None);
    assert!(matches!(verdict, Verdict::Skip(_)), "{verdict:?}");
}

#[test]
fn an_event_that_a_letter_names_and_that_is_not_there_is_not_lost() {
    let pipeline = pipeline(LIST);
    let list = json!([{ "type": "Seen", "who": "a", "n": 1 }]);
    for (value, members) in [
        (&list, "1"),
        (&list, "0,7"),
        (&json!([]), "0"),
        (&json!({ "type": "Seen", "who": "a", "n": 1 }), "0"),
    ] {
        let Verdict::Reject(rejected) = judged(&pipeline, value, Some(members)) else {
            panic!("{value} {members}");
        };
        assert_eq!(rejected.reason, Rejection::InvalidEnvelope);
        assert!(rejected.detail.contains("names events"), "{rejected:?}");
    }
    assert_eq!(batch(judged(&pipeline, &list, Some("0"))).members, [[0]]);
}

#[test]
fn what_a_batch_says_once_is_bounded_in_all_of_its_events() {
    let context = "x".repeat(100_000);
    let messages: Vec<Json> = (0..200)
        .map(|n| json!({ "type": "track", "event": "Seen", "messageId": n }))
        .collect();
    let value = json!({ "batch": messages, "context": { "page": context } });
    let pipeline = pipeline(
        "format: segment\nevent: { each: .batch }\nroutes: [{ name: a, on: Seen, skip: x }]\n",
    );
    let Verdict::Reject(rejected) = judged(&pipeline, &value, None) else {
        panic!("20 MB of texts");
    };
    assert_eq!(rejected.reason, Rejection::TooLarge);
}

/// One event may take a million steps; a thousand of them may not take a thousand millions.
#[test]
fn all_events_of_a_record_have_steps_together() {
    let text = "
event: { each: . }
routes:
  - { name: seen, on: Seen, customer: { externalId: .who }, do: [{ track: '\"Seen\"', meta: { sumNum: '[range(.n)] | add' } }] }
";
    let pipeline = pipeline(text);
    let events = |count: usize, n: u32| -> Json {
        let event = |who: usize| json!({ "type": "Seen", "who": format!("user{who}"), "n": n });
        Json::Array((0..count).map(event).collect())
    };
    let bounded = |list: &Json, members: Option<&str>| batch(judged(&pipeline, list, members));
    // what is usual is far below the bound
    let found = bounded(&events(1_000, 100), None);
    assert_eq!((found.planned.len(), found.rejected), (1_000, None));
    let list = events(80, 100_000);
    let found = bounded(&list, None);
    let delivered = found.planned.len();
    assert_eq!(
        shown(&found.planned[0].operation)["meta"]["sumNum"],
        4_999_950_000_u64
    );
    assert!((2..60).contains(&delivered), "{delivered}");
    assert_eq!(found.refused.len(), 80 - delivered);
    let rejected = found.rejected.expect("those that come later");
    assert_eq!(rejected.reason, Rejection::TooLarge);
    let wanted = format!(
        "event {delivered} of the batch: the expressions for the events of the record take more than 5 million steps together"
    );
    assert!(rejected.detail.starts_with(&wanted), "{}", rejected.detail);
    // a letter of the others comes to its end, and explain shows the same
    let rest = written(found.refused);
    let again = bounded(&list, Some(&rest));
    assert_eq!(again.planned.len(), delivered.min(80 - delivered));
    let each = pipeline.explain_each(&record(&list, None), Timestamp::UNIX_EPOCH);
    let shown = each
        .iter()
        .filter(|one| matches!(one.verdict, Verdict::Emit(_)));
    assert_eq!(shown.count(), delivered);
    // what is over the bound is not computed
    let longer = record(&events(1_000, 100_000), None);
    let (mapping, decoder) = (&pipeline.mapping, pipeline.decoder);
    let mut each = Each::new(mapping, decoder, Timestamp::UNIX_EPOCH, false);
    let members = members(mapping, decoder, &longer);
    let members = members.ok().flatten().expect("a batch");
    let emitted = members
        .iter()
        .filter(|member| matches!(each.judge(&member.record).1, Verdict::Emit(_)));
    assert_eq!(emitted.count(), delivered);
    assert!(each.steps < MAX_STEPS + 1_000_000, "{}", each.steps);
}

#[test]
fn events_are_counted_by_what_becomes_of_them() {
    let pipeline = pipeline(LIST);
    let counted = |list: &Json| {
        let record = record(list, None);
        let (_, _, events) = pipeline.judge_counted(&record, Timestamp::UNIX_EPOCH);
        let wanted = pipeline.judge_wanted_counted(&record, Timestamp::UNIX_EPOCH);
        assert_eq!(events, wanted.2);
        (events.emitted, events.skipped, events.rejected)
    };
    let mixed = json!([
        { "type": "Seen", "who": "a", "n": 1 },
        { "type": "Noise" },
        { "type": "Nothing" },
        { "type": "Viewed", "who": "a", "s": "x" },
        { "type": "Viewed", "who": "a", "s": "x" },
        17,
    ]);
    assert_eq!(counted(&mixed), (3, 2, 1));
    assert_eq!(
        counted(&json!([{ "type": "Noise" }, { "type": "Noise" }])),
        (0, 2, 0)
    );
    assert_eq!(counted(&json!([17])), (0, 0, 1));
    assert_eq!(
        counted(&json!({ "type": "Seen", "who": "a", "n": 1 })),
        (0, 0, 0)
    );
    assert_eq!(counted(&json!([])), (0, 0, 0));
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

/// What is folded into one session is one operation: explain counts as the worker does.
#[test]
fn all_events_of_a_record_have_operations_together_and_explain_says_so() {
    let text = "
event: { each: . }
routes:
  - { name: order, on: Order, customer: none, do: [{ each: .items, kobject: line, externalId: $item, title: $item }] }
  - name: viewed
    on: Viewed
    customer: { externalId: .who }
    do: [{ digest: browsing, session: { key: .s }, title: '\"\\(.count) views\"' }]
";
    let pipeline = pipeline(text);
    let items = |from: usize, count: usize| -> Vec<String> {
        (from..from + count).map(|n| format!("line {n}")).collect()
    };
    let orders = (0..11).map(|n| json!({ "type": "Order", "items": items(n * 500, 499) }));
    let views = (0..20).map(|_| json!({ "type": "Viewed", "who": "a", "s": "x" }));
    let list: Json = views.chain(orders).collect();
    let found = batch(judged(&pipeline, &list, None));
    // one session, ten orders
    assert_eq!(found.planned.len(), 1 + 10 * 499);
    assert_eq!(found.refused, [30]);
    let rejected = found.rejected.expect("the last order");
    assert_eq!(rejected.reason, Rejection::TooLarge);
    assert!(
        rejected.detail.contains("more than 5000 operations"),
        "{}",
        rejected.detail
    );
    let each = pipeline.explain_each(&record(&list, None), Timestamp::UNIX_EPOCH);
    let is_refused = |one: &super::super::Explained| matches!(&one.verdict, Verdict::Reject(why) if why.reason == Rejection::TooLarge);
    let refused: Vec<_> = each
        .iter()
        .filter(|one| is_refused(one))
        .map(|one| one.member)
        .collect();
    assert_eq!(refused, [Some(30)]);
    let emitted = each
        .iter()
        .filter(|one| matches!(one.verdict, Verdict::Emit(_)));
    assert_eq!(emitted.count(), 30);
}
