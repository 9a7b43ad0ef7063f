//! Which keys are sent, and which are left out.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{PRESET, now, record};
use crate::decode::{Format, Limits};
use crate::mapping::Mapping;
use crate::route::{EventSummary, Pipeline};
use crate::testing::shown;
use ingest_model::outcome::{Rejection, SkipReason, Verdict};
use ingest_model::record::Record;

/// Routes with every place where a key can be given.
const PLACES: &str = "
routes:
  - name: named
    on: named
    customer: { externalId: .id, email: .mail, phone: .phone }
    do:
      - track: .type
      - kobject: order
        externalId: '\"o-1\"'
        title: '\"Order\"'
      - identify: { name: .name }
  - name: added
    on: added
    customer: { externalId: '\"c-1\"' }
    do: [{ identify: { email: .mail, phone: .phone, name: .name } }]";

const ILLEGAL: &[&str] = &[
    "jörg@shop.example",
    "joerg@bücher.example",
    "a@b@shop.example",
    "a..b@shop.example",
    "\"a b\"@shop.example",
    "a@localhost",
    "a@shop.example.",
    "{{mail}}@shop.example",
    "a\u{fffd}@shop.example",
];

fn pipeline(text: &str, format: Format) -> Pipeline {
    let mapping = Mapping::compile(text, "t.yaml").unwrap();
    Pipeline::new(format, Limits::default(), Arc::new(mapping)).unwrap()
}

fn judge(pipeline: &Pipeline, payload: &Value) -> (EventSummary, Verdict) {
    let record = Record {
        value: Some(payload.to_string().into()),
        ..record()
    };
    let (summary, verdict) = pipeline.explain(&record, now());
    (summary.unwrap(), verdict)
}

fn emitted(verdict: &Verdict) -> Vec<Value> {
    let Verdict::Emit(planned) = verdict else {
        panic!("{verdict:?}")
    };
    let operations = planned.iter().map(|planned| shown(&planned.operation));
    operations.collect()
}

#[test]
fn no_illegal_address_leaves_from_any_place() {
    let pipeline = pipeline(PLACES, Format::Json);
    for address in ILLEGAL {
        let event = json!({"type": "named", "id": "c-1", "mail": address, "phone": "+4940123456"});
        let (summary, verdict) = judge(&pipeline, &event);
        let operations = emitted(&verdict);
        assert_eq!(operations.len(), 3);
        for operation in &operations {
            let customer = &operation["customer"];
            assert_eq!(customer["externalId"], "c-1", "{address}");
            assert_eq!(customer["phone"], "+4940123456", "{address}");
            assert_eq!(customer.get("email"), None, "{address}");
        }
        assert_eq!(summary.notes.unused_keys().len(), 1, "{address}");

        // if the key before it is unusable too, the next one identifies the customer
        let event =
            json!({"type": "named", "id": "guest", "mail": address, "phone": "+4940123456"});
        let (summary, verdict) = judge(&pipeline, &event);
        let customer = &emitted(&verdict)[1]["customer"];
        assert_eq!(
            *customer,
            json!({"phone": "+4940123456", "missing": "create"})
        );
        assert_eq!(summary.notes.unused_keys().len(), 2, "{address}");

        let event = json!({"type": "added", "mail": address, "name": "Nora"});
        let (summary, verdict) = judge(&pipeline, &event);
        let operation = &emitted(&verdict)[0];
        assert_eq!(operation["identify"], json!({"name": "Nora"}), "{address}");
        assert_eq!(operation["customer"].get("email"), None, "{address}");
        let [unused] = summary.notes.unused_keys() else {
            panic!("{:?}", summary.notes)
        };
        assert_eq!(unused.at, "identify.email", "{address}");
    }
}

#[test]
fn with_no_key_left_the_record_is_rejected_and_says_why() {
    let pipeline = pipeline(PLACES, Format::Json);
    let event = json!({"type": "named", "id": "%user_id%", "mail": "a@b@shop.example", "phone": "040 123456"});
    let (summary, verdict) = judge(&pipeline, &event);
    let Verdict::Reject(rejected) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(rejected.reason, Rejection::MissingCustomer);
    assert_eq!(
        summary.notes.lines(),
        [
            "customer.externalId: left out, it names nobody",
            "customer.email: left out, it is not an e-mail address that Kustomer is sure to accept",
            "customer.phone: left out, it is not a phone number with a country code",
        ]
    );
}

#[test]
fn an_id_of_nobody_is_an_unknown_visitor() {
    let pipeline = pipeline(PRESET, Format::Segment);
    for id in [
        json!("00000000-0000-0000-0000-000000000000"),
        json!("{{customer.id}}"),
        json!("(not set)"),
        json!("unknown"),
        json!("logged_out"),
        json!("\u{200b}"),
        json!(true),
        json!(-0.0),
    ] {
        let event =
            json!({"type": "track", "event": "Signed In", "userId": id, "messageId": "m-1"});
        let (_, verdict) = judge(&pipeline, &event);
        assert_eq!(verdict, Verdict::Skip(SkipReason::Dropped), "{id}");
        // an order is too important to be skipped: it is rejected, so that somebody sees it
        let order = json!({"type": "track", "event": "Order Completed", "userId": id, "properties": {"order_id": "o-1"}});
        let (_, verdict) = judge(&pipeline, &order);
        let Verdict::Reject(rejected) = verdict else {
            panic!("{id}: {verdict:?}")
        };
        assert_eq!(rejected.reason, Rejection::MissingCustomer, "{id}");
    }
    for id in ["1", "test", "user", "c-\u{200b}7"] {
        let event =
            json!({"type": "track", "event": "Signed In", "userId": id, "messageId": "m-1"});
        let (_, verdict) = judge(&pipeline, &event);
        let customer = &emitted(&verdict)[0]["customer"];
        assert_eq!(customer["externalId"], id.replace('\u{200b}', ""));
    }
}

#[test]
fn an_order_without_an_id_is_not_everybodys_order() {
    let pipeline = pipeline(PRESET, Format::Segment);
    for id in [
        json!("undefined"),
        json!("{{order.id}}"),
        json!("N/A"),
        json!(0),
        json!("\u{feff}"),
    ] {
        let order = json!({"type": "track", "event": "Order Updated", "userId": "c-1", "properties": {"order_id": id}});
        let (_, verdict) = judge(&pipeline, &order);
        let Verdict::Reject(rejected) = verdict else {
            panic!("{id}: {verdict:?}")
        };
        assert_eq!(rejected.reason, Rejection::MissingField, "{id}");
    }
    let order = json!({"type": "track", "event": "Order\u{a0}Updated\u{200b}", "userId": "c-1", "properties": {"order_id": "o\u{ad}-1 "}});
    let (_, verdict) = judge(&pipeline, &order);
    assert_eq!(emitted(&verdict)[0]["externalId"], "o-1");
}

#[test]
fn the_traits_of_both_places_say_the_same() {
    let pipeline = pipeline(PRESET, Format::Segment);
    let traits = json!({
        "first_name": "Nora", "Last Name": "Berg", "company": {"name": "Berg Ltd", "plan": "pro"}, "created_at": "2026-01-02",
        "email": "nora@shop.example", "phone": "+4940123456", "userName": "nora", "gender": "Female", "birthday": "1990-05-06",
        "address": {"street": "7 Elm Row", "city": "Leeds", "postal_code": "LS1", "state": "Yorkshire", "country": "GB"},
        "title": "Dr", "website": "https://nora.example/",
    });
    let own = json!({"type": "identify", "userId": "c-1", "traits": traits});
    let contextual = json!({"type": "identify", "userId": "c-1", "context": {"traits": traits}});
    let (own, contextual) = (judge(&pipeline, &own).1, judge(&pipeline, &contextual).1);
    let own = emitted(&own);
    assert_eq!(own, emitted(&contextual));
    assert_eq!(
        own[0]["identify"],
        json!({
            "name": "Nora Berg", "company": "Berg Ltd", "username": "nora", "signedUpAt": "2026-01-02T00:00:00.000Z",
            "birthdayAt": "1990-05-06T00:00:00.000Z", "gender": "f",
            "location": {"address": "7 Elm Row", "cityName": "Leeds", "zipCode": "LS1", "regionName": "Yorkshire", "countryName": "GB"},
            "custom": {"titleStr": "Dr", "websiteUrl": "https://nora.example/", "planStr": "pro"},
        })
    );
    assert_eq!(own[0]["customer"]["email"], "nora@shop.example");
}
