//! A bad field does not reject the record, unless the file says so.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{PRESET, now, record};
use crate::decode::{Format, Limits};
use crate::mapping::Mapping;
use crate::route::Pipeline;
use crate::testing::shown;
use ingest_model::outcome::{Rejection, Verdict};
use ingest_model::record::Record;

/// What comes of one message: the operations or the reason, and the fields that are left out.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) dropped: Vec<String>,
    why: Vec<String>,
}

pub(super) fn judge(text: &str, format: Format, message: &Value) -> Judged {
    let mapping = match Mapping::compile(text, "t.yaml") {
        Ok(mapping) => Arc::new(mapping),
        Err(errors) => panic!("{errors:#?}"),
    };
    let record = Record {
        value: Some(message.to_string().into()),
        ..record()
    };
    let optional: Vec<String> = mapping.optional_fields().into_iter().map(|f| f.1).collect();
    let pipeline = Pipeline::new(format, Limits::default(), mapping).unwrap();
    let (summary, verdict) = pipeline.explain(&record, now());
    let dropped = summary.map(|summary| summary.dropped).unwrap_or_default();
    for field in &dropped {
        assert!(
            optional.contains(&field.field.to_string()),
            "{field:?} is no label"
        );
    }
    Judged {
        verdict,
        dropped: dropped
            .iter()
            .map(|field| field.field.to_string())
            .collect(),
        why: dropped.into_iter().map(|field| field.detail).collect(),
    }
}

/// By the shipped mapping.
pub(super) fn segment(message: &Value) -> Judged {
    judge(PRESET, Format::Segment, message)
}

impl Judged {
    pub(super) fn one(&self) -> Value {
        match &self.verdict {
            Verdict::Emit(planned) => {
                assert_eq!(planned.len(), 1);
                shown(&planned[0].operation)
            }
            other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => {
                panic!("not emitted: {other:?}")
            }
        }
    }

    fn rejected(&self) -> Rejection {
        match &self.verdict {
            Verdict::Reject(rejected) => rejected.reason,
            other @ (Verdict::Emit(_) | Verdict::Skip(_) | Verdict::Batch(_)) => {
                panic!("not rejected: {other:?}")
            }
        }
    }
}

#[test]
fn an_identify_goes_without_its_bad_traits() {
    for (traits, context, field) in [
        (
            json!({"createdAt": "two weeks ago"}),
            json!({}),
            "identify.signedUpAt",
        ),
        (
            json!({"createdAt": {"seconds": 5}}),
            json!({}),
            "identify.signedUpAt",
        ),
        (
            json!({"birthday": "1979-04-31"}),
            json!({}),
            "identify.birthdayAt",
        ),
        (
            json!({"birthday": "0000-00-00"}),
            json!({}),
            "identify.birthdayAt",
        ),
        (
            json!({}),
            json!({"locale": "de_AT@collation=phonebook"}),
            "identify.locale",
        ),
        (
            json!({"plan": ["gold"]}),
            json!({}),
            "identify.custom.planStr",
        ),
        (
            json!({"title": {"en": "Dr"}}),
            json!({}),
            "identify.custom.titleStr",
        ),
        (
            json!({"username": "u".repeat(257)}),
            json!({}),
            "identify.username",
        ),
    ] {
        let mut message = json!({"type": "identify", "userId": "c-9", "context": context,
            "traits": {"name": "Mira", "email": "mira@shop.example"}});
        for (name, value) in traits.as_object().unwrap() {
            message["traits"][name] = value.clone();
        }
        let found = segment(&message);
        let one = found.one();
        assert_eq!(one["identify"], json!({"name": "Mira"}), "{message}");
        assert_eq!(one["customer"]["email"], "mira@shop.example");
        assert_eq!(found.dropped, [field], "{message}");
    }
    // blank values are not bad values
    let blank = segment(&json!({"type": "identify", "userId": "c-9",
        "traits": {"name": "Mira", "createdAt": "", "birthday": " ", "website": ""}}));
    assert_eq!(blank.one()["identify"], json!({"name": "Mira"}));
    assert_eq!(blank.dropped, Vec::<String>::new());
}

#[test]
fn an_order_goes_without_what_cannot_be_read_of_it() {
    let order = |extra: Value| {
        let mut properties = json!({"order_id": "A-7", "total": 12.5});
        for (name, value) in extra.as_object().unwrap() {
            properties[name] = value.clone();
        }
        segment(
            &json!({"type": "track", "event": "Order Completed", "userId": "c-9",
            "properties": properties}),
        )
    };
    for (extra, dropped) in [
        (
            json!({"products": "[{\"sku\":\"s-1\"}]"}),
            vec!["description", "custom.itemsNum", "data"],
        ),
        (json!({"products": ["s-1", "s-2"]}), vec!["data"]),
        (
            json!({"coupon": ["SPRING", "MAY"]}),
            vec!["custom.couponStr"],
        ),
        (
            json!({"tax": "n/a", "shipping": {"net": 1}}),
            vec!["custom.shippingNum", "custom.taxNum"],
        ),
    ] {
        let found = order(extra.clone());
        let one = found.one();
        assert_eq!(one["externalId"], "A-7");
        assert_eq!(one["custom"]["totalNum"], 12.5);
        for field in &dropped {
            let place = format!("/{}", field.replace('.', "/"));
            assert_eq!(
                one.pointer(&place).filter(|v| !v.is_null()),
                None,
                "{field}"
            );
        }
        let mut found = found.dropped;
        let mut dropped: Vec<String> = dropped.into_iter().map(str::to_owned).collect();
        found.sort();
        dropped.sort();
        assert_eq!(found, dropped, "{extra}");
    }
    // the field that identifies the order is required
    for id in [json!({"a": 1}), json!([1]), json!(1.5), json!(true)] {
        assert_eq!(
            order(json!({"order_id": id})).rejected(),
            Rejection::IllegalField
        );
    }
    assert_eq!(
        order(json!({"order_id": null})).rejected(),
        Rejection::MissingField
    );
}

#[test]
fn a_message_without_parts_is_one_without_optional_fields() {
    let message =
        json!({"type": "track", "event": "Coupon Applied", "userId": "c-9", "properties": "none"});
    let found = segment(&message);
    let one = found.one();
    assert_eq!(one["track"], "Coupon-Applied");
    assert!(one["meta"]["eventKey"].is_string());
    assert!(
        found.dropped.contains(&"meta.coupon".to_owned()),
        "{:?}",
        found.dropped
    );
    let message =
        json!({"type": "track", "event": "Order Cancelled", "userId": "c-9", "properties": "none"});
    assert_eq!(segment(&message).rejected(), Rejection::MappingFailed);
}

const WORDS: &str = "
onBad: FILE
routes:
  - name: r
    on: x
    onBad: ROUTE
    customer: { externalId: .id, phone: .tel.home }
    do:
      - kobject: o
        externalId: .id
        title: .id
        onBad: FIELD
        custom: { aNum: .a, bNum: .b }
        data: { lines: '[.lines[] | .sku]', note: .note.text }
        tags: .tags";

#[test]
fn the_nearest_word_about_a_bad_field_counts() {
    let run = |file: &str, route: &str, field: &str, extra: Value| {
        let mut text = WORDS.replace("FILE", file).replace("FIELD", field);
        text = if route.is_empty() {
            text.replace("    onBad: ROUTE\n", "")
        } else {
            text.replace("ROUTE", route)
        };
        let mut message = json!({"type": "x", "id": "o-1", "a": 1, "b": 2, "lines": [{"sku": 5}], "note": {}, "tags": ["t"]});
        for (name, value) in extra.as_object().unwrap() {
            message[name] = value.clone();
        }
        judge(&text, Format::Json, &message)
    };
    let bad_a = || json!({"a": "many"});
    assert_eq!(run("drop", "", "{}", bad_a()).dropped, ["custom.aNum"]);
    assert_eq!(
        run("reject", "", "{}", bad_a()).rejected(),
        Rejection::IllegalField
    );
    assert_eq!(
        run("reject", "drop", "{}", bad_a()).dropped,
        ["custom.aNum"]
    );
    assert_eq!(
        run("drop", "reject", "{}", bad_a()).rejected(),
        Rejection::IllegalField
    );
    assert_eq!(
        run("drop", "reject", "drop", bad_a()).dropped,
        ["custom.aNum"]
    );
    let only_b = "{ custom: drop, custom.bNum: reject }";
    assert_eq!(
        run("drop", "reject", only_b, bad_a()).dropped,
        ["custom.aNum"]
    );
    assert_eq!(
        run("drop", "reject", only_b, json!({"b": []})).rejected(),
        Rejection::IllegalField
    );
    // the parts of `data`, one by one
    let found = run(
        "drop",
        "",
        "{ data.note: reject }",
        json!({"lines": ["text"]}),
    );
    assert_eq!(found.dropped, ["data.lines"]);
    assert_eq!(found.one()["data"], json!({}));
    assert_eq!(
        run("drop", "", "{ data: reject }", json!({"lines": ["text"]})).rejected(),
        Rejection::MappingFailed
    );
    // the legal items of a list are kept
    let found = run("drop", "", "{}", json!({"tags": ["vip", "a!", "new"]}));
    assert_eq!(found.one()["tags"], json!(["vip", "new"]));
    assert_eq!(found.dropped, ["tags"]);
    assert!(
        found.why[0].ends_with("in `.tags`") && !found.why[0].contains("a!"),
        "{:?}",
        found.why
    );
    // a key whose expression fails is left out like a field; one that cannot be used is only noted
    let found = run("drop", "", "{}", json!({"tel": "+4930123456"}));
    assert_eq!(found.dropped, ["customer.phone"]);
    assert_eq!(
        run("reject", "", "{}", json!({"tel": "+4930123456"})).rejected(),
        Rejection::MappingFailed
    );
    let found = run("reject", "", "{}", json!({"tel": {"home": "030 123456"}}));
    assert_eq!(found.dropped, Vec::<String>::new());
    assert_eq!(found.one()["customer"]["externalId"], "o-1");
}

#[test]
fn the_header_of_a_file_has_optional_parts() {
    let text = |on_bad: &str| {
        format!(
            "onBad: {on_bad}\nevent: {{ name: .kind, id: .meta.id, time: .at.iso }}\nroutes:
  - {{ name: r, on: x, customer: {{ externalId: .who }}, do: [{{ track: .kind }}] }}"
        )
    };
    let message = json!({"kind": "x1", "who": "c-9", "meta": "m", "at": "2026"});
    let found = judge(
        &text("drop").replace("on: x,", "on: x1,"),
        Format::Json,
        &message,
    );
    assert_eq!(found.one()["track"], "x1");
    assert_eq!(found.dropped, ["event.id", "event.time"]);
    let found = judge(
        &text("reject").replace("on: x,", "on: x1,"),
        Format::Json,
        &message,
    );
    assert_eq!(found.rejected(), Rejection::MappingFailed);
}

#[test]
fn what_makes_an_item_too_large_is_left_out() {
    let text = |on_bad: &str| {
        format!(
            "
routes:
  - name: r
    on: x
    customer: {{ externalId: .id }}
    do:
      - {{ kobject: o, externalId: .id, version: .v, title: .id, onBad: {on_bad}, data: {{ lines: .lines }}, custom: {{ aStr: .a }} }}
      - {{ track: .type, meta: {META} }}"
        )
    };
    let big = json!({"type": "xx", "id": "o-1", "v": 3, "a": "short", "lines": vec!["line of an order"; 6_000], "long": "\u{1}".repeat(1_024)});
    let run = |on_bad: &str, message: &Value| {
        judge(
            &text(on_bad).replace("on: x\n", "on: xx\n"),
            Format::Json,
            message,
        )
    };
    let found = run("drop", &big);
    let Verdict::Emit(planned) = &found.verdict else {
        panic!("{:?}", found.verdict)
    };
    let object = shown(&planned[0].operation);
    assert_eq!(object.get("data"), None);
    assert_eq!(
        object["custom"],
        json!({"aStr": "short", "ingestVersionStr": "3"})
    );
    assert_eq!(found.dropped[0], "data");
    assert!(
        found.why[0].contains("is the largest part of 1"),
        "{:?}",
        found.why
    );
    // no single attribute is too large: as many are kept as fit
    let event = shown(&planned[1].operation);
    assert!(event["meta"]["eventKey"].is_string());
    let kept = (0..20)
        .filter(|n| event["meta"].get(format!("part{n}")).is_some())
        .count();
    assert_eq!(kept, 15, "of 20 with 6 kB each");
    assert_eq!(found.dropped.len(), 1 + 5, "{:?}", found.dropped);
    assert_eq!(
        run("{ data: reject }", &big).rejected(),
        Rejection::ItemTooLarge
    );
}

/// Twenty attributes with the same long text.
const META: &str = "{ part0: .long, part1: .long, part2: .long, part3: .long, part4: .long, part5: .long, part6: .long, \
    part7: .long, part8: .long, part9: .long, part10: .long, part11: .long, part12: .long, part13: .long, part14: .long, \
    part15: .long, part16: .long, part17: .long, part18: .long, part19: .long }";

#[test]
fn a_test_says_which_fields_are_left_out() {
    let text = |dropped: &str| {
        format!(
            "
routes:
  - {{ name: r, on: x, customer: none, do: [{{ kobject: o, externalId: .id, title: .id, custom: {{ aNum: .a, bNum: .b }} }}] }}
tests:
  - {{ name: t, event: {{ type: x, id: i, a: few }}, expect: [{{ externalId: i }}]{dropped} }}"
        )
    };
    let failures = |dropped: &str| {
        let text = text(dropped)
            .replace("on: x,", "on: xx,")
            .replace("type: x,", "type: xx,");
        let mapping = Mapping::compile(&text, "t.yaml").unwrap();
        let failures = mapping.run_tests();
        failures.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let silent = failures("");
    assert!(
        silent[0].contains("test t: custom.aNum is left out: must be a number, is a text")
            && silent[0].ends_with("give the test `dropped: [custom.aNum]`; the rule is on line 3"),
        "{silent:?}"
    );
    assert_eq!(failures(", dropped: [custom.aNum]"), Vec::<String>::new());
    let too_many = failures(", dropped: [custom.aNum, custom.bNum]");
    assert!(
        too_many[0].ends_with(
            "test t: expected custom.bNum to be left out, but it is not; the rule is on line 3"
        ),
        "{too_many:?}"
    );
    let named = text(", dropped: [custom.aNum]").replace(
        "expect: [{ externalId: i }]",
        "expect: [{ custom: { aNum: 5 } }]",
    );
    let named = Mapping::compile(&named, "t.yaml").unwrap().run_tests();
    let said = named[0].to_string();
    assert!(
        said.contains("got null; custom.aNum is left out: must be a number, is a text"),
        "{said}"
    );
    let unknown = Mapping::compile(&text(", dropped: [custom.cNum]"), "t.yaml").unwrap_err();
    assert!(
        unknown[0]
            .to_string()
            .contains("unknown word `custom.cNum`"),
        "{unknown:?}"
    );
}

#[test]
fn words_about_bad_fields_and_types_are_checked() {
    let errors = |text: &str| -> String {
        let errors = Mapping::compile(text, "t.yaml").unwrap_err();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("\n")
    };
    let operation = |words: &str| {
        errors(&format!(
            "routes:\n  - name: r\n    on: x\n    do:\n      - {{ kobject: o, externalId: .id, title: .id, onBad: {words}, custom: {{ totalNum: .t }} }}"
        ))
    };
    assert!(operation("ignore").contains("unknown word `ignore`"));
    assert!(operation("{ custom.totlNum: drop }").contains("did you mean `custom.totalNum`?"));
    assert!(operation("{ title: drop }").contains("the record is always rejected"));
    assert!(operation("{ data: drop }").contains("its optional fields: custom.totalNum"));
    assert!(operation("{ custom: sometimes }").contains("unknown word `sometimes`"));
    assert!(errors("onBad: never\nroutes: []").contains("unknown word `never`"));
    assert!(errors("emptyText: keeps\nroutes: []").contains("did you mean `keep`?"));
    let route = |head: &str, kind: &str| {
        errors(&format!(
            "{head}routes:\n  - {{ name: r, on: x, type: {kind}, skip: y }}"
        ))
    };
    assert!(route("", "track").contains("`format: segment`"));
    assert!(route("format: json\n", "track").contains("`format: segment`"));
    assert!(route("format: segment\n", "pages").contains("did you mean `page`?"));
    assert!(route("format: segment\n", "[]").contains("lists no type"));
}
