//! What holds for every event: no panic, the same verdict each time, and only what the API accepts.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::{PRESET, compile, now, record};
use crate::decode::{Format, Limits};
use crate::mapping::Mapping;
use crate::route::Pipeline;
use crate::testing::shown;
use ingest_model::operation::{Operation, REQUEST_FIELDS};
use ingest_model::outcome::Verdict;
use ingest_model::record::Record;

/// Any JSON, often with the keys that the preset reads.
fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("type"),
        Just("event"),
        Just("userId"),
        Just("properties"),
        Just("order_id"),
        Just("products"),
        Just("total"),
        Just("traits"),
        Just("email"),
        Just("context"),
        Just("timestamp"),
        Just("name"),
        Just("address"),
        Just("gender"),
        Just("integrations"),
        Just("sku"),
        Just("company"),
        Just("cart_id"),
        Just("externalId"),
    ]
    .prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f)
            .map(Value::Number)),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("track"),
            Just("identify"),
            Just("Order Completed"),
            Just("Coupon Applied"),
            Just("Order Updated")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => proptest::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_event_makes_the_preset_panic_or_write_what_is_illegal(
        name in prop_oneof![Just("Order Completed"), Just("Order Refunded"), Just("Coupon Applied"), Just("Product Added"), Just("identify")],
        mut payload in any_json(),
        properties in any_json(),
        seconds in -100_000_000_000_i64..100_000_000_000,
    ) {
        thread_local!(static PIPELINE: Pipeline = {
            let mapping = Arc::new(Mapping::compile(PRESET, "segment.yaml").unwrap());
            Pipeline::new(Format::Segment, Limits::default(), mapping).unwrap()
        });
        if let Some(fields) = payload.as_object_mut() {
            fields.insert("type".into(), Value::from(if name == "identify" { "identify" } else { "track" }));
            fields.insert("event".into(), Value::from(name));
            fields.entry("userId").or_insert_with(|| Value::from("u-1"));
            fields.insert("properties".into(), properties);
        }
        let record = Record { value: Some(payload.to_string().into()), ..record() };
        let now = Timestamp::from_second(seconds).unwrap();
        let (_, verdict) = PIPELINE.with(|pipeline| pipeline.judge(&record, now));
        let (_, again) = PIPELINE.with(|pipeline| pipeline.judge(&record, now));
        prop_assert_eq!(&verdict, &again);
        if let Verdict::Emit(planned) = verdict {
            prop_assert!(!planned.is_empty());
            for planned in planned {
                legal(&planned.operation)?;
            }
        }
    }

    #[test]
    fn no_bytes_make_a_pipeline_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mapping = Arc::new(compile("  - { name: r, on: '*', customer: { email: .a }, do: [{ track: $event.name }] }"));
        for format in Format::KNOWN {
            let pipeline = Pipeline::new(*format, Limits::default(), Arc::clone(&mapping)).unwrap();
            let record = Record { value: Some(bytes.clone().into()), ..record() };
            drop(pipeline.judge(&record, now()));
        }
    }
}

/// The rules of the API, written a second time.
fn legal(operation: &Operation) -> Result<(), TestCaseError> {
    match operation {
        Operation::Identify(identify) => {
            let fields = identify.fields.parse();
            prop_assert!(fields.values().all(|value| !value.is_null()));
            // The keys stand in the same object.
            for key in ["externalId", "email", "phone"] {
                prop_assert!(!fields.contains_key(key), "{}", key);
            }
        }
        Operation::Track(track) => {
            let track = track.occurrence();
            prop_assert!((2..=255).contains(&track.name.len()));
            prop_assert!(track.meta.len() <= 100);
            for (key, value) in track.meta.iter() {
                let typed = match value {
                    Value::Number(_) => key.ends_with("Num"),
                    Value::String(text) if key.ends_with("At") => text.parse::<Timestamp>().is_ok(),
                    Value::String(text) => {
                        !key.contains("Num") && !key.contains("At") && text.chars().count() <= 1024
                    }
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
                };
                prop_assert!(typed, "{}: {}", key, value);
            }
        }
        Operation::KObject(kobject) if kobject.fold.is_some() => {
            let body = shown(operation);
            let title = body["title"].as_str().unwrap();
            assert!((1..=256).contains(&title.chars().count()), "{title}");
            assert_eq!(body["custom"].as_object().unwrap().len(), 1, "{body}");
            assert!(body.to_string().len() < 95_000);
        }
        Operation::KObject(kobject) => {
            let body = kobject.body.parse();
            for name in REQUEST_FIELDS {
                prop_assert!(!body.contains_key(*name), "{}", name);
            }
            let title = body["title"].as_str().map(|title| title.chars().count());
            prop_assert!(title.is_some_and(|length| (1..=256).contains(&length)));
            prop_assert!((1..=256).contains(&kobject.external_id.0.chars().count()));
            for (key, value) in body
                .get("custom")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                let typed = match value {
                    Value::Number(_) => key.ends_with("Num"),
                    Value::String(text) if key.ends_with("At") => text.parse::<Timestamp>().is_ok(),
                    Value::String(text) => key.ends_with("Str") && text.chars().count() <= 1024,
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
                };
                prop_assert!(typed, "{}: {}", key, value);
            }
        }
    }
    Ok(())
}
