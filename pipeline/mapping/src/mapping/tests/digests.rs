//! Digests: what a mapping makes of small events, and what it is told about a wrong one.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{now, record};
use crate::decode::{Format, Limits};
use crate::mapping::{Mapping, WhyUnsent};
use crate::route::Pipeline;
use crate::testing::shown;
use bytes::Bytes;
use ingest_model::digest::Fold;
use ingest_model::operation::{KObject, Operation};
use ingest_model::outcome::{Rejection, SkipReason, Verdict};
use ingest_model::record::{Offset, Partition, Record};

const BROWSING: &str = r#"
format: segment
routes:
  - name: browsing
    type: track
    on: [Product Viewed, Cart Viewed]
    do:
      - digest: browsing
        session: { key: .context.sessionId, gap: 30m }
        keep: { last: 3, each: { sku: .properties.sku, price: .properties.price } }
        sums: { valueNum: .properties.price }
        title: ['"Viewed \(.counts["Product Viewed"]) products"', '"added \(.counts["Product Added"]) worth \(.sums.valueNum)"']
  - name: cart
    type: track
    on: Product Added
    do:
      - track: .event
        maxAge: 1h
        late: digest
"#;

fn compile(text: &str) -> Mapping {
    Mapping::compile(text, "m.yaml").unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn pipeline(keyed: bool) -> Pipeline {
    let mapping = Arc::new(compile(BROWSING));
    Pipeline::new(Format::Segment, Limits::default(), mapping)
        .unwrap()
        .keyed_by_customer(keyed)
}

fn viewed(offset: i64, event: &str, properties: &Value, session: Option<&str>) -> Record {
    let value = json!({
        "type": "track", "event": event, "userId": "u1", "messageId": format!("m{offset}"),
        "timestamp": "2026-03-04T07:00:00Z", "context": {"sessionId": session}, "properties": properties,
    });
    let mut record = record();
    record.position.offset = Offset(offset);
    record.value = Some(Bytes::from(value.to_string()));
    record
}

fn object(pipeline: &Pipeline, record: &Record, now: Timestamp) -> KObject {
    let (_, verdict) = pipeline.judge(record, now);
    let Verdict::Emit(planned) = verdict else {
        panic!("not emitted: {verdict:?}");
    };
    match &planned[0].operation {
        Operation::KObject(object) => object.clone(),
        other @ (Operation::Identify(_) | Operation::Track(_)) => panic!("{other:?}"),
    }
}

fn fold(object: &KObject) -> &Fold {
    object.fold.as_deref().expect("a digest")
}

#[test]
fn an_event_becomes_a_digest_of_itself() {
    let at = record().position;
    let object = object(
        &pipeline(false),
        &viewed(
            7,
            "product_viewed",
            &json!({"sku": "s1", "price": 12.50, "name": "Cup"}),
            Some("v1"),
        ),
        now(),
    );
    let event = &fold(&object).events[0];
    assert_eq!(event.offset, Offset(7));
    assert_eq!(fold(&object).partition, at.partition);
    assert_eq!(&*event.name, "Product Viewed", "as the route spells it");
    assert_eq!(event.each.as_str(), r#"{"sku":"s1","price":12.5}"#);
    let said = shown(&Operation::KObject(object));
    assert_eq!(said["digest"], "browsing");
    assert_eq!(said["title"], "Viewed 1 products, added 0 worth 12.5");
    assert_eq!(said["custom"]["valueNum"].as_f64(), Some(12.5));
    assert_eq!(said["data"]["events"][0]["at"], "2026-03-04T07:00:00.000Z");
}

#[test]
fn a_session_is_one_object_for_each_customer_session_and_partition() {
    let id = |keyed, partition, session, offset| {
        let mut record = viewed(offset, "Cart Viewed", &json!({}), session);
        record.position.partition.partition = Partition(partition);
        object(&pipeline(keyed), &record, now()).external_id
    };
    let one = id(false, 0, Some("v1"), 1);
    assert_eq!(one, id(false, 0, Some("v1"), 2));
    assert_ne!(one, id(false, 0, Some("v2"), 3));
    assert_ne!(one, id(false, 1, Some("v1"), 4));
    assert_eq!(id(true, 0, Some("v1"), 1), id(true, 1, Some("v1"), 4));
    assert_eq!(id(false, 0, None, 1), id(false, 0, None, 9));
}

#[test]
fn without_a_key_a_session_is_a_stretch_of_the_clock() {
    let at = |time: &str| {
        let mut record = viewed(1, "Cart Viewed", &json!({}), None);
        let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        record.value = Some(Bytes::from(text.replace("2026-03-04T07:00:00Z", time)));
        object(&pipeline(false), &record, now()).external_id
    };
    let first = at("2026-03-04T07:00:00Z");
    assert_eq!(first, at("2026-03-04T07:29:59Z"));
    assert_ne!(first, at("2026-03-04T07:30:00Z"));
}

#[test]
fn a_late_event_goes_into_the_digest_and_one_in_time_on_the_timeline() {
    let record = viewed(1, "Product Added", &json!({"price": 3}), Some("v1"));
    let soon: Timestamp = "2026-03-04T07:59:00Z".parse().unwrap();
    let later: Timestamp = "2026-03-04T08:01:00Z".parse().unwrap();
    let (_, verdict) = pipeline(false).judge(&record, soon);
    assert!(matches!(verdict, Verdict::Emit(planned) if planned[0].operation.kind() == "track"));
    let late = object(&pipeline(false), &record, later);
    let (summary, _) = pipeline(false).judge(&record, later);
    let why = &summary.unwrap().unsent[0].why;
    assert!(
        matches!(why, WhyUnsent::Late(_, klass) if &*klass.0 == "browsing"),
        "{why:?}"
    );
    let viewed = viewed(2, "Cart Viewed", &json!({}), Some("v1"));
    let same = object(&pipeline(false), &viewed, later);
    assert_eq!(late.external_id, same.external_id);
    assert_eq!(&*fold(&late).events[0].name, "Product Added");

    for (word, late) in [("skip", true), ("send", false)] {
        let text = BROWSING.replace("late: digest", &format!("late: {word}"));
        let text = text.replace(r#".counts["Product Added"]"#, ".count");
        let mapping = Arc::new(compile(&text));
        let other = Pipeline::new(Format::Segment, Limits::default(), mapping).unwrap();
        let (_, verdict) = other.judge(&record, later);
        assert_eq!(verdict == Verdict::Skip(SkipReason::TooOld), late, "{word}");
    }
}

#[test]
fn what_cannot_be_kept_or_added_is_left_out() {
    let long = "x".repeat(600);
    for (properties, field) in [
        (json!({"sku": long}), "keep.each"),
        (json!({"sku": "s1", "price": "dear"}), "sums.valueNum"),
        (json!({"sku": "s1", "price": 1e19}), "sums.valueNum"),
    ] {
        let record = viewed(1, "Cart Viewed", &properties, Some("v1"));
        let (summary, verdict) = pipeline(false).judge(&record, now());
        assert!(matches!(verdict, Verdict::Emit(_)), "{verdict:?}");
        let dropped = summary.unwrap().dropped;
        assert_eq!(dropped.len(), 1, "{dropped:?}");
        assert_eq!(&*dropped[0].field, field);
    }
}

#[test]
fn a_session_needs_a_key_or_a_time() {
    let mut record = viewed(1, "Cart Viewed", &json!({}), None);
    let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
    record.value = Some(Bytes::from(text.replace("timestamp", "received")));
    let id = object(&pipeline(false), &record, now()).external_id;
    record.timestamp_ms = record.timestamp_ms.map(|ms| ms + 7_200_000);
    let other = object(&pipeline(false), &record, now()).external_id;
    assert_ne!(id, other, "by the record's time");
    record.timestamp_ms = None;
    let (_, verdict) = pipeline(false).judge(&record, now());
    let Verdict::Reject(rejected) = &verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(rejected.reason, Rejection::MissingField);
    assert!(
        rejected.detail.contains("neither a key"),
        "{}",
        rejected.detail
    );
}

#[test]
fn a_digest_promises_its_klass_and_attributes() {
    let mapping = compile(BROWSING);
    let klasses = mapping.klasses();
    assert_eq!(&*klasses[0].klass.0, "browsing");
    assert_eq!(klasses[0].attributes, ["ingestVersionStr", "valueNum"]);
    assert_eq!(mapping.routes()[0].kinds, ["digest"]);
    let fields = mapping.optional_fields();
    let fields: Vec<&str> = fields.iter().map(|(_, field)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "keep.each",
            "keep.each.price",
            "keep.each.sku",
            "session.key",
            "sums.valueNum"
        ]
    );
}

#[test]
fn a_wrong_digest_is_told_what_is_wrong() {
    let digest = |more: &str| {
        format!(
            "routes:\n  - name: b\n    on: [Viewed]\n    do:\n      - digest: browsing\n        {more}\n"
        )
    };
    let title = r#"title: '"Viewed \(.count)"'"#;
    let more = |line: &str| digest(&format!("{title}\n        {line}"));
    for (text, wanted) in [
        (digest("keep: { last: 3 }"), "`title` is missing"),
        (more("sesion: { gap: 5m }"), "unknown key `sesion`; did you mean `session`?"),
        (more("session: { gap: 2d }"), "session.gap: must be between 1m and 1d"),
        (more("session: { gap: often }"), "`often` is not a length of time"),
        (more("patience: 1h"), "patience: must be between 1s and 15m"),
        (more("keep: { last: 51 }"), "keep.last: must be a whole number from 0 to 50"),
        (more("keep: { last: some }"), "keep.last: must be a whole number from 0 to 50"),
        (more("keep: { each: { at: .a } }"), "keep.each.at: the name is reserved"),
        (more("keep: { each: [.a] }"), "keep.each: must be an object, is a list"),
        (more("sums: { valueStr: .a }"), "sums.valueStr: is not the name of a number; only numbers are added up: the name of a sum ends in `Num`, as in `valueNum`"),
        (more("sums: { value: .a }"), "sums.value: a custom attribute's name must end in its type"),
        (digest("title: .count"), "title: `.count` is not a text with paths in it; a title is a text with numbers of the session"),
        (digest(r#"title: '"\(.counts | length)"'"#), "is not a text with paths in it"),
        (digest(r#"title: '"\(.total)"'"#), "a session has no `.total`"),
        (digest(r#"title: '"\(.counts["Seen"])"'"#), "no digest of the klass `browsing` is for events named `Seen`; known: Viewed"),
        (digest(r#"title: '"\(.sums.aNum)"'"#), "no digest of the klass `browsing` has a sum `aNum`"),
        (more("onBad: { title: reject }"), "`title` is not an optional field of the operation"),
        (more("") + "      - digest: browsing\n        title: '\"x\"'\n", "has two digests of the klass `browsing`"),
        (more("") + "      - { kobject: browsing, externalId: .id, title: .t }\n", "the route `b` writes objects of the klass `browsing`; give the digest a klass of its own"),
        (more("") + "    customer: none\n", "needs a customer, but the route says `customer: none`"),
        (more("") + "      - { track: .event, maxAge: 1h, late: digest }\n", "the route has a digest of the klass `browsing` already"),
        (more("") + "  - { name: c, on: X, do: [ { track: .event, maxAge: 1h, late: { digest: carts } } ] }\n", "no route of the file has a digest of the klass `carts`"),
        ("routes:\n  - { name: c, on: X, do: [ { track: .event, maxAge: 1h, late: digest } ] }\n".to_owned(), "no route of the file has a digest; late events go into a digest that a route has"),
        (more("") + "  - { name: d, on: Y, do: [ { digest: carts, title: '\"x\"' } ] }\n  - { name: c, on: X, do: [ { track: .event, maxAge: 1h, late: digest } ] }\n", "the file has digests of several klasses; say which, for example `late: { digest: browsing }`"),
    ] {
        let errors = Mapping::compile(&text, "m.yaml").expect_err(wanted);
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|error| error.contains(wanted)), "{wanted}: {said:#?}\n{text}");
    }
}
