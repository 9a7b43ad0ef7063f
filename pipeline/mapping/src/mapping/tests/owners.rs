//! Customers that are named by an object.

use serde_json::{Value, json};

use super::{compile, now, record};
use crate::decode::Format;
use crate::mapping::Mapping;
use crate::testing::shown;
use ingest_model::operation::{CustomerKey, ExternalId, Klass, MissingCustomer};
use ingest_model::outcome::{Rejection, Verdict};
use ingest_model::record::Record;

const SHIPPED: &str = "
  - name: shipped
    on: shipped
    customer: { from: { klass: order, externalId: .order_id } }
    do:
      - track: .type
      - kobject: shipment
        externalId: .id
        title: '\"Shipment\"'
      - identify: { name: .name }
  - name: returned
    on: returned
    customer: { from: { klass: shipment, externalId: .id }, missing: reject }
    do: [{ track: .type }]";

fn verdict(mapping: Mapping, payload: &Value) -> Verdict {
    let mapping = std::sync::Arc::new(mapping);
    let limits = crate::decode::Limits::default();
    let pipeline = crate::route::Pipeline::new(Format::Json, limits, mapping).unwrap();
    let record = Record {
        value: Some(payload.to_string().into()),
        ..record()
    };
    pipeline.explain(&record, now()).1
}

fn named() -> Mapping {
    let text = format!("event: {{ name: .type }}\nroutes:{SHIPPED}");
    Mapping::compile(&text, "t.yaml").unwrap()
}

fn errors(route: &str) -> Vec<String> {
    let text = format!("routes:\n  - name: r\n    on: x\n{route}");
    let found = Mapping::compile(&text, "m.yaml").map_or_else(|errors| errors, |_| Vec::new());
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn the_object_is_the_key_of_its_customer() {
    let event = json!({"type": "shipped", "order_id": 77, "id": "s-1", "name": "Ann"});
    let Verdict::Emit(planned) = verdict(named(), &event) else {
        panic!("not emitted");
    };
    assert_eq!(planned.len(), 3);
    let order = CustomerKey::of_object(&Klass("order".into()), &ExternalId("77".into()));
    for plan in &planned {
        let customer = plan.operation.customer().unwrap();
        assert_eq!(customer.keys(), std::slice::from_ref(&order));
        assert_eq!(customer.missing, MissingCustomer::Park, "by default");
        let told = &shown(&plan.operation)["customer"];
        let from = json!({"from": {"klass": "order", "externalId": "77"}, "missing": "park"});
        assert_eq!(*told, from);
    }
    let asked = named().owners_of();
    let asked: Vec<&str> = asked.iter().map(|klass| &*klass.0).collect();
    assert_eq!(asked, ["order", "shipment"]);
}

#[test]
fn an_event_without_the_object_has_no_customer() {
    for id in [json!(null), json!(""), json!("undefined")] {
        let event = json!({"type": "returned", "id": id});
        let Verdict::Reject(rejected) = verdict(named(), &event) else {
            panic!("{id}: not rejected");
        };
        assert_eq!(rejected.reason, Rejection::MissingCustomer, "{id}");
        let detail = &rejected.detail;
        assert!(detail.starts_with("customer.from.externalId: "), "{detail}");
    }
}

#[test]
fn what_has_no_meaning_with_an_object_is_refused() {
    let from = "    customer: { from: { klass: order, externalId: .id } }\n";
    let track = "    do: [{ track: .event }]";
    let cases = [
        (
            "    customer: { from: order }\n",
            track,
            "must name a klass and an external id",
        ),
        (
            "    customer: { from: { klass: order } }\n",
            track,
            "`externalId` is missing",
        ),
        (
            "    customer: { from: { externalId: .id } }\n",
            track,
            "`klass` is missing",
        ),
        (
            "    customer: { from: { klass: an order, externalId: .id } }\n",
            track,
            "not a name of a klass",
        ),
        (
            "    customer: { from: { klass: order, externalId: .id }, email: .mail }\n",
            track,
            "customer.email: has no meaning beside `from`",
        ),
        (
            "    customer: { from: { klass: order, externalId: .id }, missing: create }\n",
            track,
            "customer.missing: cannot be `create`",
        ),
        (
            from,
            "    do: [{ digest: b, session: { gap: 30m }, title: '\"x\"' }]",
            "is a digest, which is named by the keys of its customer",
        ),
        (
            from,
            "    do: [{ identify: { email: .mail } }]",
            "adds a key to its customer",
        ),
    ];
    for (customer, operations, wanted) in cases {
        let found = errors(&format!("{customer}{operations}"));
        assert!(
            found.iter().any(|one| one.contains(wanted)),
            "{wanted}: {found:#?}"
        );
    }
    assert!(errors(&format!("{from}{track}")).is_empty());
}

#[test]
fn tests_of_mapping_files_name_the_object() {
    let tests = "
tests:
  - name: a shipment finds its order's customer
    event: { type: shipped, order_id: o1, id: s1 }
    expect:
      - { track: shipped, customer: { from: { klass: order, externalId: o1 } } }
      - { kobject: shipment, customer: { from: { externalId: o1 }, missing: park } }
      - { identify: {} }
  - name: no order, no customer
    event: { type: shipped, id: s1 }
    expect: { reject: missing_customer }";
    let text = format!("event: {{ name: .type }}\nroutes:{SHIPPED}{tests}");
    let mapping = Mapping::compile(&text, "t.yaml").unwrap();
    assert_eq!(mapping.run_tests(), []);
    assert_eq!(compile(SHIPPED.trim_start_matches('\n')).routes().len(), 2);
}

#[test]
fn the_customer_of_marked_objects_is_where_the_first_of_them_is_named() {
    let mapping = compile(
        "  - name: gone
    on: Gone
    delete: mark
    do:
      - { kobject: order, externalId: .id, version: .n }
      - { track: .type }
",
    );
    let found = mapping.place_in("gone", "customer.from.externalId");
    assert_eq!(found.unwrap().1.line, 6);
}
