//! `each`: an operation for each item of a list; `delete`; filters that jq does not have.

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

fn errors(text: &str) -> Vec<String> {
    let errors = Mapping::compile(text, "m.yaml").unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

fn custom(mapping: &Mapping, value: &serde_json::Value) -> serde_json::Value {
    match verdict(mapping, value) {
        Verdict::Emit(planned) => shown(&planned[0].operation)["custom"].clone(),
        other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_deletion_is_marked_or_ignored_and_never_more() {
    let text = "
routes:
  - name: gone
    on: A
    delete: mark
    do: [ { kobject: order, externalId: .id, version: .n } ]
  - name: said
    on: B
    delete: mark
    customer: none
    do: [ { kobject: order, externalId: .id, title: '\"Order\"', custom: { statusStr: '\"gone\"', deletedAt: .at } } ]
  - { name: dull, on: C, delete: ignore }
";
    let mapping = Mapping::compile(text, "t.yaml").unwrap();
    let one = |value: serde_json::Value| match verdict(&mapping, &value) {
        Verdict::Emit(planned) => shown(&planned[0].operation),
        other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => panic!("{other:?}"),
    };
    let gone = one(json!({ "type": "A", "id": 7, "n": 3 }));
    assert_eq!(
        gone["custom"],
        json!({ "statusStr": "deleted", "ingestVersionStr": "3" })
    );
    assert_eq!(gone["title"], serde_json::Value::Null);
    // the object names its own customer, so none is made
    assert_eq!(
        gone["customer"]["from"],
        json!({ "klass": "order", "externalId": "7" })
    );
    let said = one(json!({ "type": "B", "id": 7, "at": "2026-01-02" }));
    assert_eq!(said["custom"]["statusStr"], "gone");
    let dull = verdict(&mapping, &json!({ "type": "C" }));
    assert_eq!(dull, Verdict::Skip(SkipReason::Dropped));
    for (route, wanted) in [
        (
            "delete: delete, do: [ { kobject: order, externalId: .id } ]",
            "delete: objects are never deleted by the worker; use `mark`",
        ),
        (
            "delete: remove, skip: x",
            "delete: unknown word `remove`; known: ignore, mark",
        ),
        (
            "delete: ignore, skip: x",
            "delete: has no meaning beside `skip`",
        ),
        (
            "delete: mark",
            "delete: needs `do` with the `kobject` that is marked",
        ),
        (
            "delete: mark, do: [ { each: .l, kobject: order, externalId: $item, title: .t } ]",
            "`delete: mark` needs a `kobject` that is marked",
        ),
        (
            "delete: mark, customer: none, do: [ { kobject: order, externalId: .id } ]",
            "do[0]: `title` is missing",
        ),
        (
            "delete: mark, do: [ { kobject: order, externalId: .id | } ]",
            "do[0].externalId: expected a value",
        ),
    ] {
        let found = errors(&format!("routes:\n  - {{ name: a, on: A, {route} }}\n"));
        assert!(found[0].contains(wanted), "{route}\n{found:#?}");
        assert_eq!(found.len(), 1, "{route}\n{found:#?}");
    }
}

#[test]
fn business_values_are_converted_by_name() {
    let text = r#"
routes:
  - name: a
    on: A
    customer: { phone: .phone | phone_in("DE") }
    do:
      - kobject: k
        externalId: .id
        title: '"x"'
        custom:
          totalNum: from_minor_units(.cents; .currency)
          yenNum: .cents | from_minor_units("JPY")
          atAt: .at | in_zone("Europe/Berlin")
          noneNum: .none | from_minor_units("EUR")
          badNum: from_minor_units(.bad; .currency)
"#;
    let mapping = Mapping::compile(text, "t.yaml").unwrap();
    let event = json!({
        "type": "A", "id": 1, "cents": "1999", "currency": "eur", "at": "2026-07-02 03:04:05",
        "phone": "030 1234567", "bad": [1],
    });
    let wanted = json!({ "totalNum": 19.99, "yenNum": 1999, "atAt": "2026-07-02T01:04:05.000Z" });
    assert_eq!(custom(&mapping, &event), wanted);
    let Verdict::Emit(planned) = verdict(&mapping, &event) else {
        panic!("operations");
    };
    assert_eq!(
        shown(&planned[0].operation)["customer"]["phone"],
        "+49301234567"
    );
    let route = |expr: &str| {
        format!(
            "routes:\n  - {{ name: a, on: A, skip: x, when: {} }}\n",
            serde_json::Value::from(expr)
        )
    };
    for (expr, wanted) in [
        (
            ".a | in_zone(\"Europe/Berln\")",
            "there is no time zone `Europe/Berln`",
        ),
        (
            ".a | in_zone(\"Europe/Berln\")",
            "did you mean `Europe/Berlin`?",
        ),
        (
            ".a | phone_in(\"Germany\")",
            "the numbers of the country `Germany` are not known",
        ),
        (
            ".a | from_minor_units(\"euro\")",
            "`euro` is not the code of a currency",
        ),
        (
            ".a | from_minor_units",
            "`from_minor_units` takes 1 or 2 arguments, not 0",
        ),
        (
            ".a | from_minor_unit(\"EUR\")",
            "did you mean `from_minor_units`?",
        ),
    ] {
        let found = errors(&route(expr));
        assert!(found[0].contains(wanted), "{expr}\n{found:#?}");
    }
}
