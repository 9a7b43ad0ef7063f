//! `each`: an operation for each item of a list.

use serde_json::json;

use super::*;
use crate::decode::{Decoder, Format, Limits};
use crate::testing::shown;
use ingest_model::outcome::{SkipReason, Verdict};

const PARCELS: &str = r#"
  - name: parcels
    on: A
    customer: { externalId: .who }
    do:
      - each: .parcels
        kobject: shipment
        externalId: $item.id
        title: '"Parcel \($index + 1) of \(.parcels | length)"'
        custom: { weightNum: $item.weight, orderStr: .id }
      - each: .parcels // [] | map(select(.lost))
        track: '"Parcel-Lost"'
        meta: { parcel: $item.id }
      - track: '"Sent"'
"#;

fn verdict(mapping: &Mapping, value: &serde_json::Value) -> Verdict {
    let record = Record {
        value: Some(value.to_string().into()),
        ..record()
    };
    let decoder = Decoder::new(Format::Json, Limits::default());
    let event = decoder.decode(&record).unwrap();
    mapping.apply(&event, &record, now()).verdict
}

#[test]
fn each_item_has_its_operation() {
    let mapping = compile(PARCELS);
    let event = json!({ "type": "A", "id": "o1", "who": "u", "parcels": [
        { "id": "p1", "weight": 2 }, { "id": "p2", "weight": "x", "lost": true },
    ] });
    let Verdict::Emit(planned) = verdict(&mapping, &event) else {
        panic!("operations");
    };
    let all: Vec<serde_json::Value> = planned.iter().map(|one| shown(&one.operation)).collect();
    assert_eq!(all.len(), 4, "{all:#?}");
    assert_eq!(all[0]["externalId"], "p1");
    assert_eq!(all[0]["title"], "Parcel 1 of 2");
    assert_eq!(
        all[0]["custom"],
        json!({ "weightNum": 2, "orderStr": "o1" })
    );
    assert_eq!(all[1]["title"], "Parcel 2 of 2");
    assert_eq!(all[1]["custom"], json!({ "orderStr": "o1" }));
    assert_eq!(all[2]["meta"]["parcel"], "p2");
    assert_eq!(all[3]["track"], "Sent");
    let keys: std::collections::BTreeSet<_> = planned.iter().map(|one| one.event_key).collect();
    assert_eq!(keys.len(), 4);
}

#[test]
fn no_items_are_no_operations() {
    let mapping = compile(PARCELS);
    for parcels in [json!(null), json!([])] {
        let event = json!({ "type": "A", "who": "u", "parcels": parcels });
        let Verdict::Emit(planned) = verdict(&mapping, &event) else {
            panic!("operations");
        };
        assert_eq!(planned.len(), 1);
    }
    let alone = compile(
        "  - { name: a, on: A, customer: none, do: [ { each: .p, kobject: k, externalId: $item, title: '\"x\"' } ] }\n",
    );
    let none = json!({ "type": "A", "p": [] });
    assert_eq!(verdict(&alone, &none), Verdict::Skip(SkipReason::NoItems));
}

#[test]
fn a_bad_list_or_item_is_named() {
    let mapping = compile(PARCELS);
    let rejected = |parcels: serde_json::Value| {
        let event = json!({ "type": "A", "who": "u", "parcels": parcels });
        match verdict(&mapping, &event) {
            Verdict::Reject(rejected) => rejected.detail,
            other @ (Verdict::Emit(_) | Verdict::Skip(_) | Verdict::Batch(_)) => {
                panic!("{other:?}")
            }
        }
    };
    let detail = rejected(json!({ "id": "p1" }));
    assert_eq!(
        detail,
        "do[0].each: must be a list, is an object in `.parcels`"
    );
    let detail = rejected(json!([{ "id": "p1" }, {}]));
    assert_eq!(detail, "do[0].externalId: item 1: no value in `$item.id`");
    let detail = rejected(json!(vec![json!({ "id": "p1" }); 501]));
    assert_eq!(
        detail,
        "do[0].each: has 501 items, more than 500 in `.parcels`"
    );
}

#[test]
fn an_item_is_only_where_a_list_is() {
    let text = "routes:\n  - { name: a, on: A, customer: { externalId: $item }, do: [ { kobject: k, externalId: $index, title: '\"x\"' }, { each: 3, kobject: k, externalId: $item, title: '\"x\"' } ] }\n";
    let errors = Mapping::compile(text, "m.yaml").unwrap_err();
    let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].contains("customer.externalId: there is no variable `$item`"),
        "{found:#?}"
    );
    assert!(
        found[1].contains("do[0].externalId: there is no variable `$index`"),
        "{found:#?}"
    );
    assert!(
        found[2].contains("do[1].each: must be a list of the event, is a constant"),
        "{found:#?}"
    );
}
