//! `each`: an operation for each item of a list; `delete`; filters that jq does not have.

use serde_json::json;

use super::*;
use crate::decode::{Format, Limits};
use crate::route::Pipeline;
use crate::testing::shown;
use ingest_model::outcome::{Rejection, SkipReason, Verdict};

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

fn read(value: &serde_json::Value) -> Record {
    Record {
        value: Some(value.to_string().into()),
        ..record()
    }
}

fn verdict(mapping: &Mapping, value: &serde_json::Value) -> Verdict {
    let limits = Limits::default();
    Pipeline::explain_with(mapping, Format::Json, limits, &read(value), now()).1
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
fn a_deletion_is_marked_or_ignored() {
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
            "delete: remove, skip: x",
            "delete: unknown word `remove`; known: ignore, mark, delete",
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
            "delete: mark, do: [ { track: .type } ]",
            "`delete: mark` needs a `kobject` that is marked",
        ),
        (
            "delete: mark, do: [ { track: .type }, { each: .l, kobject: order, externalId: $item } ]",
            "has operations for a customer, and no `kobject` without `each` that names one",
        ),
        (
            "delete: mark, customer: none, do: [ { kobject: order, externalId: .id } ]",
            "do[0]: `title` is missing",
        ),
        (
            "delete: mark, do: [ { kobject: order, externalId: .id | } ]",
            "do[0].externalId: expected a value",
        ),
        (
            "delete: mark, missing: create, do: [ { kobject: order, externalId: .id } ]",
            "missing: unknown word `create`; known: park, reject, skip",
        ),
        (
            "delete: delete, missing: skip, do: [ { kobject: order, externalId: .id, version: .n } ]",
            "missing: has no meaning here",
        ),
        (
            "delete: mark, missing: skip, customer: none, do: [ { kobject: order, externalId: .id, title: .id } ]",
            "missing: has no meaning here",
        ),
        ("missing: skip, skip: x", "missing: has no meaning here"),
    ] {
        let found = errors(&format!("routes:\n  - {{ name: a, on: A, {route} }}\n"));
        assert!(found[0].contains(wanted), "{route}\n{found:#?}");
        assert_eq!(found.len(), 1, "{route}\n{found:#?}");
    }
}

#[test]
fn every_object_of_a_route_is_marked_and_keeps_its_own_customer() {
    let text = "
routes:
  - name: gone
    on: A
    delete: mark
    do:
      - { kobject: order, externalId: .id, version: .n }
      - { each: .parcels, kobject: shipment, externalId: $item, version: .n }
      - { track: '\"Gone\"' }
";
    let mapping = Mapping::compile(text, "t.yaml").unwrap();
    assert_eq!(mapping.doubts(), []);
    let event = json!({ "type": "A", "id": 7, "n": 3, "parcels": ["p1", "p2"] });
    let Verdict::Emit(planned) = verdict(&mapping, &event) else {
        panic!("it is emitted")
    };
    let all: Vec<_> = planned.iter().map(|one| shown(&one.operation)).collect();
    for (one, klass, id) in [
        (&all[0], "order", "7"),
        (&all[1], "shipment", "p1"),
        (&all[2], "shipment", "p2"),
        (&all[3], "order", "7"),
    ] {
        let owner = json!({ "klass": klass, "externalId": id });
        assert_eq!(one["customer"]["from"], owner);
    }
    let owners: Vec<_> = mapping
        .owners_of()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(owners, ["order", "shipment"]);
    // if they are not there, all operations of the route do the same
    for (said, wanted) in [("", "park"), ("reject", "reject"), ("skip", "skip")] {
        let line = if said.is_empty() {
            String::new()
        } else {
            format!("    missing: {said}\n")
        };
        let text = text.replace("    do:\n", &format!("{line}    do:\n"));
        let mapping = Mapping::compile(&text, "t.yaml").unwrap();
        let Verdict::Emit(planned) = verdict(&mapping, &event) else {
            panic!("it is emitted")
        };
        for one in planned {
            assert_eq!(shown(&one.operation)["customer"]["missing"], wanted);
        }
    }
    let bare = text.replace(", version: .n", "");
    let doubts = Mapping::compile(&bare, "t.yaml").unwrap().doubts().to_vec();
    assert_eq!(doubts.len(), 2, "{doubts:#?}");
    assert!(doubts[0].to_string().contains("takes the mark away"));
}

#[test]
fn a_deletion_deletes_where_the_route_says_so_and_the_event_does() {
    let text = "
event: { deleted: .gone }
routes:
  - name: erased
    on: [A, B]
    delete: delete
    do:
      - { kobject: order, externalId: .id, version: .n }
      - { each: .parcels, kobject: shipment, externalId: $item, version: 'null' }
  - { name: others, on: A, customer: none, do: [ { kobject: order, externalId: .id, title: .type } ] }
";
    let mapping = Mapping::compile(text, "t.yaml").unwrap();
    assert_eq!(mapping.doubts(), []);
    assert_eq!(mapping.routes()[0].kinds, ["delete", "delete"]);
    let mut event = json!({ "type": "A", "id": 7, "n": 3, "parcels": ["p1", "p2"], "gone": true });
    let Verdict::Emit(planned) = verdict(&mapping, &event) else {
        panic!("it is emitted")
    };
    let shown: Vec<_> = planned.iter().map(|one| shown(&one.operation)).collect();
    let expected = [
        json!({ "delete": "order", "externalId": "7", "version": "3" }),
        json!({ "delete": "shipment", "externalId": "p1", "version": null }),
        json!({ "delete": "shipment", "externalId": "p2", "version": null }),
    ];
    assert_eq!(shown, expected);
    assert!(planned.iter().all(|one| one.operation.customer().is_none()));
    for gone in [json!(false), json!(null), json!("true"), json!(1)] {
        event["gone"] = gone;
        let Verdict::Emit(planned) = verdict(&mapping, &event) else {
            panic!("the next route takes it")
        };
        assert_eq!(&*planned[0].route, "others");
        let traced =
            Pipeline::traces_with(&mapping, Format::Json, Limits::default(), &read(&event));
        assert_eq!(traced[0].route.as_deref(), Some("others"));
        assert!(traced[0].asked[0].only_deletions && !traced[0].asked[0].decides);
        event["type"] = "B".into();
        assert_eq!(
            verdict(&mapping, &event),
            Verdict::Skip(SkipReason::ConditionFalse)
        );
        event["type"] = "A".into();
    }
    (event["gone"], event["n"]) = (json!(true), json!(null));
    let Verdict::Reject(rejected) = verdict(&mapping, &event) else {
        panic!("a version that is missing takes nothing with it")
    };
    assert_eq!(rejected.reason, Rejection::MissingField);
    assert!(rejected.detail.contains("version"), "{rejected:?}");
    let used = mapping.klasses();
    let order = used.iter().find(|one| &*one.klass.0 == "order").unwrap();
    assert!(order.attributes.is_empty(), "a deletion writes none");
}

#[test]
fn what_a_deletion_cannot_have_is_an_error() {
    let order = "kobject: order, externalId: .id";
    let with = |more: &str| format!("delete: delete, do: [ {{ {order}, version: .n{more} }} ]");
    for (route, wanted) in [
        (
            "delete: delete".to_owned(),
            "needs `do` with the `kobject` that is to go",
        ),
        (
            format!("delete: delete, do: [ {{ {order} }} ]"),
            "do[0]: `version` is missing; without one, a deletion that comes late",
        ),
        (
            "delete: delete, do: [ { kobject: order, version: .n } ]".to_owned(),
            "do[0]: `externalId` is missing",
        ),
        (
            with(", title: .t"),
            "do[0].title: has no meaning where the object is deleted",
        ),
        (
            with(", custom: { aStr: .a }"),
            "do[0].custom: has no meaning where",
        ),
        (
            with(" }, { track: .type"),
            "do[1]: is no `kobject`, and nothing else can be deleted",
        ),
        (
            "delete: delete, do: [ { customer: .id, version: .n } ]".to_owned(),
            "customers and companies are never",
        ),
        (
            "delete: delete, do: [ { kobject: customer, externalId: .id, version: .n } ]"
                .to_owned(),
            "customer",
        ),
        (
            format!("customer: none, {}", with("")),
            "has no meaning beside `customer`",
        ),
    ] {
        let found = errors(&format!("routes:\n  - {{ name: a, on: A, {route} }}\n"));
        assert!(found[0].contains(wanted), "{route}\n{found:#?}");
        assert_eq!(found.len(), 1, "{route}\n{found:#?}");
    }
    let route = format!("routes:\n  - {{ name: a, on: A, {} }}\n", with(""));
    for (format, doubts) in [("json", 1), ("segment", 1), ("debezium", 0), ("shopify", 0)] {
        let mapping = Mapping::compile(&format!("format: {format}\n{route}"), "m.yaml").unwrap();
        assert_eq!(mapping.doubts().len(), doubts, "{format}");
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
