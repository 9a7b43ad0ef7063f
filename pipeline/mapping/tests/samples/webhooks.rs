//! Webhooks of shops, payment services and carriers: what their decoders find.

use ingest_mapping::event::Event;
use ingest_model::outcome::Rejection;

use super::*;

fn decode(format: Format, record: &Record) -> Event<'_> {
    match Decoder::new(format, Limits::default()).decode(record) {
        Ok(event) => event,
        Err(why) => panic!("no event: {why:?}"),
    }
}

#[test]
fn every_sample_of_shopify_decodes() {
    for (stem, content) in files("shopify", "json") {
        let value: Value = serde_json::from_slice(&content).unwrap();
        let relayed = records(Format::Shopify, &stem, content.clone()).remove(0);
        let body = value.get("payload").unwrap();
        let event = decode(Format::Shopify, &relayed);
        let topic = topic_of(&stem, &value).value.unwrap();
        assert_eq!(event.name.as_bytes(), &topic[..], "{stem}");
        assert_eq!(event.payload, body.clone().into(), "{stem}");
        // the anonymous ones have words instead of times
        let is_real = stem.starts_with("doc");
        assert!(!is_real || event.notes.bad_time().is_none(), "{stem}");
        if value.get("topic").is_some_and(Value::is_string) {
            let wrapped = record(content, Vec::new());
            let again = decode(Format::Shopify, &wrapped);
            assert_eq!(
                (again.name, again.customer),
                (event.name, event.customer),
                "{stem}"
            );
        }
    }
}

#[test]
fn every_sample_of_stripe_decodes() {
    for (file, content) in files("stripe", "json") {
        let record = record(content.clone(), Vec::new());
        let event = decode(Format::Stripe, &record);
        let value: Value = serde_json::from_slice(&content).unwrap();
        assert!(event.id.is_some() && event.notes.is_empty(), "{file}");
        let named = value
            .pointer("/data/object/customer")
            .and_then(Value::as_str);
        assert!(
            named.is_none() || event.customer.external_id.is_some(),
            "{file}"
        );
    }
}

#[test]
fn every_sample_of_carriers_decodes() {
    for (file, content) in files("easypost", "json") {
        let record = record(content.clone(), Vec::new());
        // the answer of another endpoint: no event
        if file == "refunds-retrieve.json" {
            let decoded = Decoder::new(Format::Easypost, Limits::default()).decode(&record);
            let Err(Decoded::Reject(rejected)) = decoded else {
                panic!("an event: {decoded:?}");
            };
            assert_eq!(rejected.reason, Rejection::FormatMismatch);
            continue;
        }
        let event = decode(Format::Easypost, &record);
        assert!(event.id.is_some() && event.time.is_some(), "{file}");
    }
    for (file, content) in files("aftership", "json") {
        let record = record(content.clone(), Vec::new());
        let event = decode(Format::Aftership, &record);
        assert!(event.id.is_some() && event.time.is_some(), "{file}");
    }
}
