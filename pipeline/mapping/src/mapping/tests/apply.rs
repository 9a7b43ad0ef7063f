//! What compiled mappings make of events.

use serde_json::json;

use super::{PRESET, compile, now, record};
use crate::decode::Limits;
use crate::event::{CustomerHints, Event};
use crate::mapping::{Applied, Mapping, OnHold, WhyUnsent};
use crate::route::Pipeline;
use crate::testing::shown;
use ingest_model::operation::{CustomerKey, MissingCustomer, Operation};
use ingest_model::outcome::{Rejected, Rejection, SkipReason, Verdict};
use ingest_model::record::Record;
use jiff::SignedDuration;
use serde_json::Value;
use std::sync::Arc;

use crate::decode::Format;

fn event(name: &str, payload: Value) -> Event<'static> {
    Event {
        source: "json",
        kind: None,
        name: name.into(),
        id: Some("e-1".into()),
        time: "2026-03-04T07:00:00Z".parse().ok(),
        customer: CustomerHints {
            external_id: Some("u-1".into()),
            ..CustomerHints::default()
        },
        payload: payload.into(),
        deleted: false,
        more: None,
        notes: crate::event::Notes::default(),
    }
}

fn apply(mapping: &Mapping, event: &Event<'_>) -> Verdict {
    mapping.apply(event, &record(), now()).verdict
}

fn emitted(verdict: &Verdict) -> Vec<Value> {
    match verdict {
        Verdict::Emit(planned) => planned
            .iter()
            .map(|planned| shown(&planned.operation))
            .collect(),
        other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => {
            panic!("not emitted: {other:?}")
        }
    }
}

fn rejected(verdict: Verdict) -> Rejected {
    match verdict {
        Verdict::Reject(rejected) => rejected,
        other @ (Verdict::Emit(_) | Verdict::Skip(_) | Verdict::Batch(_)) => {
            panic!("not rejected: {other:?}")
        }
    }
}

#[test]
fn the_first_route_whose_condition_holds_decides() {
    let mapping = compile(
        "
  - { name: a, on: order_completed, when: .test == true, skip: test orders }
  - { name: b, on: [Order Completed, Other], when: .n, do: [{ track: '\"Big\"' }] }
  - { name: c, on: '*', when: .everything, do: [{ track: '\"Every\"' }] }
  - { name: d, on: Other, do: [{ track: '\"Other\"' }] }",
    );
    let run = |name: &str, payload: Value| apply(&mapping, &event(name, payload));
    assert_eq!(
        run("OrderCompleted", json!({"test": true, "n": 1})),
        Verdict::Skip(SkipReason::Dropped)
    );
    assert_eq!(
        emitted(&run("ORDER-COMPLETED", json!({"n": 1})))[0]["track"],
        "Big"
    );
    assert_eq!(
        emitted(&run("order completed", json!({"everything": 1})))[0]["track"],
        "Every"
    );
    assert_eq!(
        run("order completed", json!({"n": false})),
        Verdict::Skip(SkipReason::ConditionFalse)
    );
    assert_eq!(emitted(&run("other", json!({})))[0]["track"], "Other");
    assert_eq!(
        emitted(&run("Something else", json!({"everything": 1})))[0]["track"],
        "Every"
    );
    assert_eq!(
        run("Something else", json!({})),
        Verdict::Skip(SkipReason::ConditionFalse)
    );
    let without_every = compile("  - { name: d, on: Other, skip: x }");
    assert_eq!(
        apply(&without_every, &event("x", json!({}))),
        Verdict::Skip(SkipReason::NoRoute)
    );
    assert!(!without_every.has_route_for("x") && without_every.has_route_for("OTHER"));
    let failing = compile("  - { name: f, on: x, when: .a.b, skip: y }");
    let found = rejected(apply(&failing, &event("x", json!({"a": 1}))));
    assert_eq!(
        (found.reason, found.route.as_deref()),
        (Rejection::MappingFailed, Some("f"))
    );
}

#[test]
fn the_customer_is_whom_the_route_or_the_envelope_names() {
    let customer = |rule: &str, payload: Value, hints: CustomerHints| {
        let mapping = compile(&format!(
            "  - {{ name: r, on: x, {rule} do: [{{ kobject: o, externalId: .id, title: '\"t\"' }}] }}"
        ));
        let event = Event {
            customer: hints,
            ..event("x", payload)
        };
        apply(&mapping, &event)
    };
    let hints = CustomerHints {
        external_id: Some("h-1".into()),
        email: Some("h@example.org".into()),
        ..CustomerHints::default()
    };
    let keys = |verdict: &Verdict| match verdict {
        Verdict::Emit(planned) => match planned[0].operation.customer() {
            Some(customer) => (customer.keys().to_vec(), customer.missing),
            None => (Vec::new(), MissingCustomer::Create),
        },
        other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => panic!("{other:?}"),
    };
    let by_hint = [
        CustomerKey::ExternalId("h-1".into()),
        CustomerKey::Email("h@example.org".into()),
    ];
    assert_eq!(
        keys(&customer("", json!({"id": 1}), hints.clone())),
        (by_hint.to_vec(), MissingCustomer::Create)
    );
    let parked = keys(&customer(
        "customer: { missing: park },",
        json!({"id": 1}),
        hints.clone(),
    ));
    assert_eq!(parked, (by_hint.to_vec(), MissingCustomer::Park));
    let rule =
        "customer: { externalId: '\"shop:\\(.u)\"', email: .mail, phone: .tel, missing: reject },";
    let named = keys(&customer(
        rule,
        json!({"id": 1, "u": 7, "mail": "A@B.example", "tel": "030 1"}),
        hints.clone(),
    ));
    let wanted = [
        CustomerKey::ExternalId("shop:7".into()),
        CustomerKey::Email("a@b.example".into()),
    ];
    assert_eq!(named, (wanted.to_vec(), MissingCustomer::Reject));
    let none = keys(&customer(
        "customer: none,",
        json!({"id": 1}),
        hints.clone(),
    ));
    assert_eq!(none.0, []);
    let rule = "customer: { externalId: .u, email: .mail },";
    let found = rejected(customer(
        rule,
        json!({"id": 1, "u": "null", "mail": "secret@"}),
        hints,
    ));
    assert_eq!(found.reason, Rejection::MissingCustomer);
    assert!(
        found.detail.contains("`.u`") && !found.detail.contains("secret"),
        "{}",
        found.detail
    );
    let nobody = CustomerHints {
        anonymous_id: Some("a".into()),
        ..CustomerHints::default()
    };
    assert_eq!(
        rejected(customer("", json!({"id": 1}), nobody)).reason,
        Rejection::MissingCustomer
    );
}

#[test]
fn an_identify_adds_keys_and_replaces_those_of_its_kind() {
    let mapping = compile(
        "  - { name: r, on: x, do: [{ identify: { name: .n, email: .mail, phone: .tel, tags: [.a, '\"b\"'] } }] }",
    );
    let hints = CustomerHints {
        external_id: Some("u-1".into()),
        email: Some("old@example.org".into()),
        ..CustomerHints::default()
    };
    let event = Event {
        customer: hints,
        ..event(
            "x",
            json!({"n": "Ann", "mail": "new@example.org", "tel": "+4930123456"}),
        )
    };
    let found = emitted(&apply(&mapping, &event));
    assert_eq!(found[0]["identify"], json!({"name": "Ann", "tags": ["b"]}));
    let customer = json!({"externalId": "u-1", "email": "new@example.org", "phone": "+4930123456", "missing": "create"});
    assert_eq!(found[0]["customer"], customer);
}

#[test]
fn a_track_carries_its_key_and_time_and_may_be_too_old() {
    let mapping = compile(
        "
  - name: r
    on: x
    do:
      - { track: .name, meta: { total: .total, tag: $record.headers.Source }, session: .s, maxAge: 1h, late: skip }
      - { track: '\"Second\"', maxAge: 1h, late: send }",
    );
    let fresh = event("x", json!({"name": "Order  Placed!", "total": 5, "s": 77}));
    let found = emitted(&apply(&mapping, &fresh));
    assert_eq!(found[0]["track"], "Order-Placed");
    assert_eq!(found[0]["session"], "77");
    assert_eq!(found[0]["meta"]["totalNum"], 5);
    assert_eq!(found[0]["meta"]["tag"], "app");
    assert_eq!(found[0]["meta"]["occurredAt"], "2026-03-04T07:00:00.000Z");
    assert_ne!(found[0]["meta"]["eventKey"], found[1]["meta"]["eventKey"]);
    let old = Event {
        time: fresh.time.map(|time| time - SignedDuration::from_secs(1)),
        ..fresh.clone()
    };
    let found = emitted(&apply(&mapping, &old));
    assert_eq!((found.len(), &found[0]["track"]), (1, &json!("Second")));
    let unsent = |event: &Event<'_>| mapping.apply(event, &record(), now()).unsent;
    let why = WhyUnsent::TooOld(SignedDuration::from_hours(1));
    assert_eq!(unsent(&fresh), []);
    let first = &unsent(&old)[0];
    assert_eq!((first.index, first.kind, &first.why), (0, "track", &why));
    let only = compile("  - { name: r, on: x, do: [{ track: .name, maxAge: 30m }] }");
    assert_eq!(apply(&only, &old), Verdict::Skip(SkipReason::TooOld));
    // the key depends on the operation's place in the route, whatever was left out before it
    let Verdict::Emit(planned) = apply(&mapping, &fresh) else {
        panic!()
    };
    let Operation::Track(second) = &planned[1].operation else {
        panic!()
    };
    assert_eq!(found[0]["meta"]["eventKey"], second.event_key.to_string());
}

#[test]
fn every_operation_is_named_by_its_event_and_its_place() {
    let mapping = compile(
        "
  - name: r
    on: x
    do:
      - identify: { name: .n }
      - { track: .n }
      - { kobject: order, externalId: .n, title: .n }",
    );
    let keys = |event: &Event<'_>| match apply(&mapping, event) {
        Verdict::Emit(planned) => planned.iter().map(|one| one.event_key).collect::<Vec<_>>(),
        other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => panic!("{other:?}"),
    };
    let first = event("x", json!({"n": "one"}));
    let named = keys(&first);
    assert_eq!(keys(&event("x", json!({"n": "two"}))), named, "by its id");
    let other = Event {
        id: Some("e-2".into()),
        ..first
    };
    let all: std::collections::BTreeSet<_> = named.into_iter().chain(keys(&other)).collect();
    assert_eq!(all.len(), 6);
}

#[test]
fn a_kobject_carries_its_version_and_only_legal_fields() {
    let mapping = compile(
        "
  - name: r
    on: x
    do:
      - kobject: order
        externalId: .id
        version: .v
        title: .title
        description: .d
        custom: { totalNum: .total, atAt: .at, paidBool: true, noteStr: .note, countNum: 3 }
        data: { items: .items, fixed: 1, deep: { a: [.a, .b] } }
        tags: .tags
        createdAt: .at
        onBad: reject",
    );
    let payload = json!({"id": 9_007_199_254_740_993_i64, "v": 12, "title": "x".repeat(300), "total": "27.50", "at": 1_772_611_200,
                         "items": [{"q": {"r": 1}}], "tags": ["a", "a"], "note": "n".repeat(2000), "b": 5});
    let Applied { verdict, cuts, .. } =
        mapping.apply(&event("x", payload.clone()), &record(), now());
    let found = &emitted(&verdict)[0];
    assert_eq!(found["externalId"], "9007199254740993");
    assert_eq!(found["version"], "12");
    assert_eq!(found["title"].as_str().map(str::len), Some(256));
    assert_eq!(found["custom"]["totalNum"], 27.5);
    assert_eq!(found["custom"]["atAt"], "2026-03-04T08:00:00.000Z");
    assert_eq!(found["custom"]["ingestVersionStr"], "12");
    assert_eq!(found["custom"]["countNum"], 3);
    assert_eq!(
        found["data"],
        json!({"items": [{"q": {"r": 1}}], "fixed": 1, "deep": {"a": [5]}})
    );
    assert_eq!(found["tags"], json!(["a"]));
    assert_eq!(cuts.0, 2, "title and note");
    let without = |key: &str| {
        let mut payload = payload.clone();
        payload.as_object_mut().unwrap().remove(key);
        rejected(apply(&mapping, &event("x", payload))).reason
    };
    for key in ["id", "title"] {
        assert_eq!(without(key), Rejection::MissingField, "{key}");
    }
    let mut unversioned = payload.clone();
    unversioned["v"] = Value::Null;
    let found = &emitted(&apply(&mapping, &event("x", unversioned)))[0];
    assert_eq!(
        (&found["version"], &found["custom"]["ingestVersionStr"]),
        (&Value::Null, &Value::Null)
    );
    let with = |key: &str, value: Value| {
        let mut payload = payload.clone();
        payload[key] = value;
        rejected(apply(&mapping, &event("x", payload)))
    };
    let found = with("total", json!("secret value"));
    assert_eq!(found.reason, Rejection::IllegalField);
    assert_eq!(found.route.as_deref(), Some("r"));
    assert!(
        found
            .detail
            .starts_with("do[0].custom.totalNum: must be a number"),
        "{}",
        found.detail
    );
    assert!(
        found.detail.ends_with("in `.total`") && !found.detail.contains("secret"),
        "{}",
        found.detail
    );
    assert_eq!(with("v", json!([1])).reason, Rejection::MappingFailed);
    assert_eq!(
        with("items", json!("y".repeat(95_000))).reason,
        Rejection::ItemTooLarge
    );
}

#[test]
fn the_skeleton_can_be_read_without_running() {
    let mapping = Mapping::compile(PRESET, "segment.yaml").unwrap();
    let klasses = mapping.klasses();
    let names: Vec<&str> = klasses.iter().map(|used| &*used.klass.0).collect();
    assert_eq!(names, ["browsing", "order"]);
    assert_eq!(klasses[0].attributes, ["ingestVersionStr"]);
    let attributes = &klasses[1].attributes;
    assert!(
        attributes.windows(2).all(|pair| pair[0] < pair[1]),
        "sorted and unique"
    );
    for name in ["totalNum", "statusStr", "ingestVersionStr", "cancelledAt"] {
        assert!(
            attributes.iter().any(|attribute| attribute == name),
            "{name}"
        );
    }
    assert_eq!(klasses[1].data.len(), 2);
    assert!(
        mapping
            .customer_attributes()
            .contains(&"planStr".to_owned())
    );
    let routes = mapping.routes();
    let route = |name: &str| routes.iter().find(|route| &*route.name == name).unwrap();
    assert_eq!(route("order-completed").kinds, ["kobject"]);
    assert_eq!(route("order-completed").on_hold, OnHold::Pause);
    assert_eq!(route("browsing").kinds, ["digest"]);
}

#[test]
fn the_header_says_where_name_id_and_time_are() {
    let text = "
format: json
event: { name: .kind, id: '\"\\(.shop)-\\(.no)\"', time: .at }
routes:
  - { name: r, on: Paid, customer: { email: .mail }, do: [{ track: $event.name, meta: { key: $event.id } }] }";
    let mapping = Arc::new(Mapping::compile(text, "t.yaml").unwrap());
    assert!(Pipeline::new(Format::Segment, Limits::default(), Arc::clone(&mapping)).is_err());
    let pipeline = Pipeline::new(Format::Json, Limits::default(), mapping).unwrap();
    let judge = |payload: Value| {
        let record = Record {
            value: Some(payload.to_string().into()),
            ..record()
        };
        pipeline.explain(&record, now())
    };
    let (summary, verdict) = judge(
        json!({"kind": "paid", "shop": "de", "no": 5, "at": "2026-03-04 06:00:00", "mail": "a@b.example"}),
    );
    let summary = summary.unwrap();
    assert_eq!(summary.id.as_deref(), Some("de-5"));
    assert_eq!(summary.time, "2026-03-04T06:00:00Z".parse().ok());
    assert_eq!(emitted(&verdict)[0]["meta"]["key"], "de-5");
    assert_eq!(
        rejected(judge(json!({"shop": "de"})).1).reason,
        Rejection::InvalidEnvelope
    );
}

#[test]
fn a_failing_test_of_a_file_says_where_it_differs() {
    let text = "
routes:
  - { name: r, on: x, customer: { email: .mail }, do: [{ track: .type, meta: { total: .t } }] }
tests:
  - { name: good, event: { type: x, mail: a@b.example, t: 5 }, expect: [{ track: x1 }] }
  - { name: value, event: { type: x, mail: a@b.example, t: 5 }, expect: [{ track: xx, meta: { totalNum: 6 } }] }
  - { name: number, event: { type: xx, mail: a@b.example, t: 5 }, expect: [] }
  - { name: verdict, event: { type: x }, expect: { skip: dropped } }";
    let text = text
        .replace("on: x,", "on: [x, xx],")
        .replace("type: x,", "type: xx,");
    let mapping = Mapping::compile(&text, "t.yaml").unwrap();
    let failures: Vec<String> = mapping
        .run_tests()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(failures.len(), 4, "{failures:#?}");
    assert!(
        failures[0].contains("[0].track: expected \"x1\", got \"xx\""),
        "{failures:#?}"
    );
    assert!(
        failures[1].contains("[0].meta.totalNum: expected 6, got 5"),
        "{failures:#?}"
    );
    assert!(
        failures[2].contains("expected 0 operations, got 1"),
        "{failures:#?}"
    );
    assert!(
        failures[3].contains("got reject missing_customer"),
        "{failures:#?}"
    );
}

#[test]
fn a_mapping_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Mapping>();
    shared::<Pipeline>();
}
