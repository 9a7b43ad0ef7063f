use serde_json::json;

use super::*;
use crate::config::Switches;

fn check(fields: &[Field], body: &Value) -> Result<(), Breach> {
    check_with(&Switches::default(), fields, body)
}

fn check_with(switches: &Switches, fields: &[Field], body: &Value) -> Result<(), Breach> {
    let checker = Checker {
        switches,
        configured: None,
    };
    checker.object(fields, Unlisted::Refused, body.as_object().unwrap())
}

fn title(result: Result<(), Breach>) -> String {
    result.unwrap_err().unnamed().title.into()
}

#[test]
fn an_unknown_attribute_reads_as_in_recorded_traffic() {
    let body = json!({"title": "Order", "custom": {"notAnActualAttribute": 1}});
    let error = check(KOBJECT, &body).unwrap_err().named();
    assert_eq!(error.parameter.as_deref(), Some("notAnActualAttribute"));
    assert_eq!(&*error.title, "Additional properties not allowed");
    assert_eq!(
        error.detail.as_deref(),
        Some("/properties/custom/additionalProperties")
    );
    assert_eq!(
        error.pointer.as_deref(),
        Some("/custom/notAnActualAttribute")
    );
}

#[test]
fn a_breach_inside_an_item_points_at_it() {
    let body = json!({"title": "x", "tags": ["ok", "#"]});
    let error = check(KOBJECT, &body).unwrap_err().under("3").named();
    assert_eq!(error.pointer.as_deref(), Some("/3/tags/1"));
}

#[test]
fn required_fields_and_lengths() {
    assert_eq!(
        title(check(KOBJECT, &json!({}))),
        "Missing required property: title"
    );
    assert!(check(KOBJECT, &json!({"title": "x".repeat(256)})).is_ok());
    assert_eq!(
        title(check(KOBJECT, &json!({"title": "x".repeat(257)}))),
        "String is too long (257 chars), maximum 256"
    );
    assert!(check(KOBJECT, &json!({"title": "\u{e9}".repeat(256)})).is_ok());
    assert!(check(KOBJECT, &json!({"title": ""})).is_err());
    assert!(check(KOBJECT, &json!({"title": "x", "customer": null})).is_err());
    assert!(check(CUSTOMER, &json!({"name": null})).is_ok());
}

#[test]
fn events_carry_no_time() {
    for field in ["createdAt", "occurredAt", "publishedAt", "importedAt"] {
        let body = json!({"name": "ab", field: "2025-01-02T03:04:05Z"});
        assert_eq!(
            title(check(EVENT, &body)),
            "Additional properties not allowed"
        );
    }
}

#[test]
fn meta_keys_decide_the_type() {
    let good = json!({"name": "ab", "meta": {
        "totalNum": 12.5, "shippedAt": "2025-01-02T03:04:05.000Z", "orderId": "A1",
        "statusStr": "open", "abc": "x", "occurredAt": "2025-01-02T03:04:05+02:00"}});
    assert!(check(EVENT, &good).is_ok());
    for (key, value) in [
        ("totalNum", json!("12")),
        ("shippedAt", json!("yesterday")),
        ("shippedAt", json!(1)),
        ("itemNumber", json!("1")),
        ("isAttending", json!("no")),
        ("open", json!(true)),
        ("list", json!(["a"])),
        ("nested", json!({"a": "b"})),
        ("nothing", json!(null)),
        ("ab", json!("x")),
        ("aNum", json!(1)),
        ("with space", json!("x")),
        ("9lives", json!("x")),
        ("webUrl", json!(true)),
    ] {
        let body = json!({"name": "ab", "meta": {key: value}});
        assert!(check(EVENT, &body).is_err(), "{key}");
    }
    let long = "k".repeat(34);
    assert!(check(EVENT, &json!({"name": "ab", "meta": {long.as_str(): "x"}})).is_err());
}

#[test]
fn lenient_meta_takes_booleans_and_addresses() {
    let switches = Switches {
        meta: crate::config::Meta::Lenient,
        ..Switches::default()
    };
    let body = json!({"name": "ab", "meta": {"openBool": true, "pageUrl": "https://a.b"}});
    assert!(check_with(&switches, EVENT, &body).is_ok());
    assert!(check(EVENT, &body).is_err());
    let wrong = json!({"name": "ab", "meta": {"openBool": "yes"}});
    assert!(check_with(&switches, EVENT, &wrong).is_err());
}

#[test]
fn at_most_a_hundred_attributes() {
    let attributes = |count: usize| -> Map<String, Value> {
        (0..count)
            .map(|number| (format!("abc{number}"), json!("x")))
            .collect()
    };
    assert!(check(EVENT, &json!({"name": "ab", "meta": attributes(100)})).is_ok());
    assert!(check(EVENT, &json!({"name": "ab", "meta": attributes(101)})).is_err());
}

#[test]
fn custom_suffixes_decide_the_type() {
    let good = json!({"title": "x", "custom": {
        "aStr": "", "noteTxt": "a\nb", "nNum": 1, "tAt": "2025-01-02T03:04:05Z",
        "okBool": false, "linkUrl": "https://a.b", "goneStr": null}});
    assert!(check(KOBJECT, &good).is_ok());
    for (name, value) in [
        ("aStr", json!(1)),
        ("aStr", json!("x".repeat(1_025))),
        ("noteTxt", json!("x".repeat(1_025))),
        ("nNum", json!("1")),
        ("tAt", json!("2025-01-02")),
        ("okBool", json!("true")),
        ("linkUrl", json!("a.b")),
        ("kindTree", json!("a.b")),
        ("Str", json!("x")),
        ("plain", json!("x")),
        ("orderId", json!("0123456789abcdef01234567")),
    ] {
        let body = json!({"title": "x", "custom": {name: value}});
        assert!(check(KOBJECT, &body).is_err(), "{name}");
    }
}

#[test]
fn references_need_metadata() {
    let configured = json!({"orderId": {"target": "kobject.order"}});
    let switches = Switches::default();
    let checker = Checker {
        switches: &switches,
        configured: configured.as_object(),
    };
    let body = json!({"title": "x", "custom": {"orderId": "0123456789abcdef01234567"}});
    assert!(
        checker
            .object(KOBJECT, Unlisted::Refused, body.as_object().unwrap())
            .is_ok()
    );
}

#[test]
fn txt_may_be_longer_by_switch() {
    let switches = Switches {
        txt_length: 10_240,
        ..Switches::default()
    };
    let body = json!({"title": "x", "custom": {"noteTxt": "x".repeat(10_240)}});
    assert!(check_with(&switches, KOBJECT, &body).is_ok());
    assert!(check(KOBJECT, &body).is_err());
}

#[test]
fn lists_are_bounded_and_distinct() {
    let tags: Vec<String> = (0..21).map(|number| format!("t{number}")).collect();
    assert!(check(KOBJECT, &json!({"title": "x", "tags": tags})).is_err());
    assert!(check(KOBJECT, &json!({"title": "x", "tags": ["a", "a"]})).is_err());
    let email = json!({"email": "a@b.c"});
    assert!(check(CUSTOMER, &json!({"emails": [email]})).is_ok());
    assert!(check(CUSTOMER, &json!({"emails": ["a@b.c"]})).is_err());
}

#[test]
fn unlisted_fields_may_be_ignored() {
    let switches = Switches::default();
    let checker = Checker {
        switches: &switches,
        configured: None,
    };
    let body = json!({"id": "x", "anything": 1});
    let object = body.as_object().unwrap();
    assert!(
        checker
            .object(KOBJECT_UPDATE, Unlisted::Ignored, object)
            .is_ok()
    );
    assert!(
        checker
            .object(KOBJECT_UPDATE, Unlisted::Refused, object)
            .is_err()
    );
}
