//! Runs the example events through the shipped mappings, and checks mapping files against their published schema.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail like tests"
)]

#[path = "../../../tests/support/examples.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ingest_mapping::decode::{Decoder, Format, Limits};
use ingest_mapping::mapping::node::Node;
use ingest_mapping::mapping::{Mapping, fold};
use ingest_mapping::route::Pipeline;
use ingest_mapping::testing::shown;
use ingest_model::outcome::Verdict;
use serde_json::{Map, Value, json};

use self::support::{NOW_MS, files, record, schemas, stem};

fn mapping(path: &Path) -> Mapping {
    let text = fs::read_to_string(path).unwrap();
    match Mapping::compile(&text, &stem(path)) {
        Ok(mapping) => mapping,
        Err(errors) => panic!(
            "{}",
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}

fn judged(pipeline: &Pipeline, value: Vec<u8>) -> Value {
    let now = jiff::Timestamp::from_millisecond(NOW_MS).unwrap();
    let (summary, verdict) = pipeline.explain(&record(value, &[]), now);
    let mut map = Map::new();
    if let Some(event) = summary {
        map.insert("event".into(), json!(event.name));
        map.insert("id".into(), json!(event.id));
        map.insert(
            "time".into(),
            json!(event.time.map(|time| time.to_string())),
        );
        if !event.dropped.is_empty() {
            let dropped = event.dropped.iter();
            let shown = dropped.map(|field| format!("{}: {}", field.field, field.detail));
            map.insert("dropped".into(), shown.collect());
        }
    }
    match verdict {
        Verdict::Emit(planned) => {
            let route = planned[0].route.to_string();
            map.insert("route".into(), json!(route));
            map.insert(
                "emit".into(),
                planned
                    .iter()
                    .map(|planned| shown(&planned.operation))
                    .collect(),
            );
        }
        Verdict::Skip(reason) => {
            map.insert("skip".into(), json!(reason.as_str()));
        }
        Verdict::Batch(batch) => {
            let planned = batch.planned.iter();
            map.insert(
                "emit".into(),
                planned.map(|planned| shown(&planned.operation)).collect(),
            );
            map.insert("refused".into(), json!(batch.refused));
        }
        Verdict::Reject(rejected) => {
            map.insert("reject".into(), json!(rejected.reason.as_str()));
            map.insert("detail".into(), json!(rejected.detail));
            map.insert("route".into(), json!(rejected.route.as_deref()));
        }
    }
    Value::Object(map)
}

/// Shortens long lists to their first item and the number of the others.
fn shortened(value: &mut Value) {
    match value {
        Value::Array(items) => {
            let count = items.len();
            if count > 4 {
                items.truncate(1);
                items.push(json!(format!("… {} more", count - 1)));
            }
            items.iter_mut().for_each(shortened);
        }
        Value::Object(fields) => fields.values_mut().for_each(shortened),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_example_through_every_mapping() {
    for path in files(&schemas().join("mappings"), "yaml") {
        let mapping = Arc::new(mapping(&path));
        for format in Format::KNOWN {
            let Ok(pipeline) = Pipeline::new(*format, Limits::default(), Arc::clone(&mapping))
            else {
                continue;
            };
            let events = schemas().join("events").join(format.as_str());
            for (folder, must_pass) in [("valid", true), ("invalid", false)] {
                let mut all = BTreeMap::new();
                for example in files(&events.join(folder), "json") {
                    let mut found = judged(&pipeline, fs::read(&example).unwrap());
                    let passed = found.get("reject").is_none();
                    assert_eq!(passed, must_pass, "{}: {found}", example.display());
                    shortened(&mut found);
                    all.insert(stem(&example), found);
                }
                assert!(
                    all.len() >= 20,
                    "{format} {folder}: only {} examples",
                    all.len()
                );
                insta::assert_json_snapshot!(format!("{}-{format}-{folder}", stem(&path)), all);
            }
        }
    }
}

/// Formats without a shipped mapping, through a route that takes everything.
#[test]
fn every_example_of_other_formats_through_a_route_for_all() {
    let text = "routes: [{ name: all, on: '*', customer: none, do: [{ kobject: thing, externalId: $event.id // $event.name, title: $event.name, version: $event.time, data: { content: . } }] }]";
    for format in [Format::Generic, Format::Bigcommerce] {
        let mapping = Arc::new(Mapping::compile(text, "all.yaml").unwrap());
        let pipeline = Pipeline::new(format, Limits::default(), mapping).unwrap();
        let mut all = BTreeMap::new();
        for folder in ["valid", "invalid"] {
            let events = schemas().join("events").join(format.as_str()).join(folder);
            for example in files(&events, "json") {
                let mut found = judged(&pipeline, fs::read(&example).unwrap());
                let emits = found.get("emit").is_some();
                assert_eq!(emits, folder == "valid", "{}: {found}", example.display());
                shortened(&mut found);
                all.insert(format!("{folder}/{}", stem(&example)), found);
            }
        }
        assert!(all.len() >= 5, "{format}: only {} examples", all.len());
        insta::assert_json_snapshot!(format!("all-{format}"), all);
    }
}

/// Events that need a header, which an example does not have: the other key of a row whose key changed. They are tested in
/// `decode/format/tests/debezium.rs` and in the mapping.
const NEED_HEADERS: &[&str] = &["customers.moved", "orders.moved"];

#[test]
fn every_event_of_the_shipped_mappings_has_an_example() {
    let mut missing = Vec::new();
    for path in files(&schemas().join("mappings"), "yaml") {
        let mapping = mapping(&path);
        let format = mapping.format().unwrap();
        let decoder = Decoder::new(format, Limits::default());
        let mut names = BTreeSet::new();
        let events = schemas().join("events").join(format.as_str());
        for example in files(&events.join("valid"), "json") {
            let record = record(fs::read(&example).unwrap(), &[]);
            // what is not meant for Kustomer has no event
            if let Ok(event) = decoder.decode(&record) {
                names.insert(fold(&event.name));
                names.extend(event.kind.map(fold));
            }
        }
        for route in mapping.routes() {
            let of_route = route.on.iter().filter(|name| **name != "*");
            let unknown = of_route
                .filter(|name| !names.contains(&fold(name)) && !NEED_HEADERS.contains(&&***name));
            missing.extend(unknown.map(|name| format!("{}: {}: {name}", stem(&path), route.name)));
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn shipped_mappings_pass_their_own_tests() {
    for path in files(&schemas().join("mappings"), "yaml") {
        let mapping = mapping(&path);
        assert!(mapping.test_count() > 0, "{} has no tests", path.display());
        assert_eq!(mapping.run_tests(), [], "{}", path.display());
    }
}

fn validator() -> jsonschema::Validator {
    let text = fs::read_to_string(schemas().join("mapping.schema.json")).unwrap();
    jsonschema::draft202012::new(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn as_json(yaml: &str) -> Value {
    serde_json::to_value(Node::from_yaml(yaml).unwrap().to_json()).unwrap()
}

#[test]
fn the_published_schema_accepts_every_shipped_mapping() {
    let validator = validator();
    for path in files(&schemas().join("mappings"), "yaml") {
        let document = as_json(&fs::read_to_string(&path).unwrap());
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn the_published_schema_and_the_compiler_refuse_the_same_files() {
    let validator = validator();
    let route = |inner: &str| format!("routes:\n  - name: r\n    on: x\n{inner}");
    let good = [
        route("    skip: not wanted"),
        route("    customer: none\n    do: [{ kobject: order, externalId: .id, title: .t }]"),
        route("    onHold: divert\n    do: [{ track: .event }]"),
        route("    do: [{ track: .event, meta: { total: 5 }, maxAge: 1h, late: skip }]"),
        route(
            "    when: .a == 1\n    onHold: pause\n    customer: { email: .e, missing: park }\n    do: [{ identify: { name: .n } }]",
        ),
        "onBad: reject\nemptyText: drop\n".to_owned()
            + &route("    onBad: drop\n    do: [{ track: .event, onBad: reject }]"),
        route(
            "    do: [{ kobject: order, externalId: .id, title: .t, data: { a: .a }, onBad: { data.a: reject } }]",
        ),
        "format: segment\nevent: { each: .batch }\n".to_owned() + &route("    type: page\n    skip: x"),
        route("    delete: mark\n    do: [{ kobject: order, externalId: .id }]"),
        route("    delete: ignore"),
        route("    delete: mark\n    do: [{ each: .l, kobject: order, externalId: $item }]"),
        "event: { deleted: .gone }\n".to_owned()
            + &route("    delete: delete\n    do: [{ each: .l, kobject: k, externalId: .id, version: 'null' }]"),
        "format: auto\n".to_owned() + &route("    type: page\n    skip: x"),
        "format: segment\n".to_owned() + &route("    type: [track, screen]\n    skip: x"),
        route(
            "    skip: x\ntests: [{ name: t, event: { type: x }, expect: { skip: dropped }, dropped: [] }]",
        ),
        "let: { a: .a }\ntables: { t: { default: 2, values: { x: 1 } }, u: { missing: error, case: ignore, values: {} } }\ndefaults: { customer: none, onHold: pause }\n"
            .to_owned()
            + &route("    let: { b: $a }\n    do: [{ each: .l, kobject: k, externalId: $item, title: $b }]"),
    ];
    for text in &good {
        assert!(validator.is_valid(&as_json(text)), "{text}");
        assert!(Mapping::compile(text, "good").is_ok(), "{text}");
    }
    let bad = [
        "{}".to_owned(),
        "routes: {}".to_owned(),
        "routes: []\nextra: 1".to_owned(),
        "format: protobuf\nroutes: []".to_owned(),
        route("    do: []"),
        route("    on_hold: pause\n    skip: x"),
        route("    onHold: wait\n    skip: x"),
        route("    skip: x\n    do: [{ track: .event }]"),
        route("    nothing: 1"),
        route("    do: [{ digest: browsing }]"),
        route("    onBad: ignore\n    skip: x"),
        route("    do: [{ track: .event, onBad: { meta: sometimes } }]"),
        "onBad: []\n".to_owned() + &route("    skip: x"),
        "emptyText: none\n".to_owned() + &route("    skip: x"),
        route("    type: track\n    skip: x"),
        "format: json\n".to_owned() + &route("    type: track\n    skip: x"),
        "format: segment\n".to_owned() + &route("    type: pages\n    skip: x"),
        "format: segment\n".to_owned() + &route("    type: []\n    skip: x"),
        route("    do: [{ track: .event, externalId: .id }]"),
        route("    do: [{ track: .event, meta: { eventKey: .id } }]"),
        route("    do: [{ track: .event, meta: { id: .id } }]"),
        route("    do: [{ track: .event, late: skip }]"),
        route("    do: [{ track: .event, maxAge: 1 hour }]"),
        route("    do: [{ kobject: order, title: .t }]"),
        route("    do: [{ kobject: order, externalId: .id }]"),
        route("    do: [{ kobject: .klass, externalId: .id, title: .t }]"),
        route("    do: [{ kobject: order, externalId: .id, title: .t, custom: { total: .t } }]"),
        route(
            "    do: [{ kobject: order, externalId: .id, title: .t, custom: { ingestVersionStr: .t } }]",
        ),
        route("    do: [{ identify: { colour: .c } }]"),
        route("    customer: { missing: ignore }\n    do: [{ track: .event }]"),
        route("    customer: somebody\n    do: [{ track: .event }]"),
        "let: { event: .a }\n".to_owned() + &route("    skip: x"),
        "let: [a]\n".to_owned() + &route("    skip: x"),
        "tables: { t: { values: {} } }\n".to_owned() + &route("    skip: x"),
        "tables: { t: { default: 1 } }\n".to_owned() + &route("    skip: x"),
        "tables: { t: { default: 1, file: t.txt } }\n".to_owned() + &route("    skip: x"),
        "defaults: { when: .a }\n".to_owned() + &route("    skip: x"),
        "tests: [{ name: t, event: {}, expect: [], rejected: [a] }]\n".to_owned()
            + &route("    skip: x"),
        "tests: [{ name: t, event: {}, expect: { skip: stale, reject: too_deep } }]\n".to_owned()
            + &route("    skip: x"),
        route("    delete: delete\n    do: [{ kobject: order, externalId: .id }]"),
        route(
            "    delete: delete\n    do: [{ kobject: order, externalId: .id, version: .v, title: .t }]",
        ),
        route(
            "    delete: delete\n    customer: none\n    do: [{ kobject: order, externalId: .id, version: .v }]",
        ),
        route("    delete: delete\n    do: [{ track: .event }]"),
        route("    delete: delete"),
        route("    delete: ignore\n    skip: x"),
        route("    delete: mark"),
        route(
            "    delete: mark\n    customer: none\n    do: [{ kobject: order, externalId: .id }]",
        ),
        route("    do: [{ each: 3, kobject: k, externalId: .a, title: .b }]"),
        route("    do: [{ each: .l, digest: k, title: '\"x\"' }]"),
        "routes:\n  - on: x\n    skip: y".to_owned(),
        "routes:\n  - name: x\n    skip: y".to_owned(),
    ];
    for text in &bad {
        assert!(
            !validator.is_valid(&as_json(text)),
            "the schema accepts\n{text}"
        );
        assert!(
            Mapping::compile(text, "bad").is_err(),
            "the compiler accepts\n{text}"
        );
    }
}
