//! A glance skips what decoding and mapping would skip, and nothing else.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use ingest_model::outcome::Rejection;
use ingest_model::record::{Offset, Position, TopicPartition};

const SEGMENT: &str = "
format: segment
routes:
  - { name: bought, on: [Order Completed, page], customer: { email: .userId }, do: [{ track: $event.name }] }
  - { name: noise, on: Product Viewed, skip: seen too often }
  - { name: sometimes, on: Cart Viewed, when: .properties.dear, skip: cheap }";
const PLAIN: &str = "
format: json
routes:
  - { name: bought, on: Order Completed, customer: { email: .mail }, do: [{ track: $event.name }] }
  - { name: noise, on: product-viewed, skip: seen too often }
  - { name: rest, on: '*', when: .dear, skip: cheap }";
const NAMED: &str = "
format: json
event: { name: .kind }
emptyText: drop
routes:
  - { name: bought, on: Order Completed, customer: { email: .mail }, do: [{ track: $event.name }] }
  - { name: noise, on: '*', skip: nobody asked }";
const COMPUTED: &str = "
format: json
event: { name: '.kind + .of' }
routes:
  - { name: noise, on: '*', skip: nobody asked }";

fn pipeline(text: &str) -> Pipeline {
    let mapping = Mapping::compile(text, "t.yaml").unwrap();
    let format = mapping.format().unwrap();
    Pipeline::new(format, Limits::default(), Arc::new(mapping)).unwrap()
}

fn record(value: impl Into<Vec<u8>>) -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new("shop.events", 0),
            offset: Offset(1),
        },
        key: None,
        value: Some(value.into().into()),
        headers: Vec::new(),
        timestamp_ms: Some(1_790_000_000_000),
    }
}

fn seen(pipeline: &Pipeline, value: impl Into<Vec<u8>>) -> Option<SkipReason> {
    skips(&pipeline.mapping, pipeline.decoder, &record(value))
}

#[test]
fn what_nobody_wants_is_skipped_at_a_glance() {
    let (segment, plain, named) = (pipeline(SEGMENT), pipeline(PLAIN), pipeline(NAMED));
    for (pipeline, value, expected) in [
        (
            &segment,
            json!({"type": "track", "event": "Tea Stirred"}),
            SkipReason::NoRoute,
        ),
        (
            &segment,
            json!({"type": "track", "event": "product_viewed", "integrations": {"All": true}}),
            SkipReason::Dropped,
        ),
        (
            &segment,
            json!({"action": "Track", "event": "ProductViewed", "x": [[{"y": "false"}]]}),
            SkipReason::Dropped,
        ),
        (
            &segment,
            json!({"type": "identify", "traits": {"name": "Ida"}}),
            SkipReason::NoRoute,
        ),
        (&segment, json!({"type": "screen"}), SkipReason::NoRoute),
        (
            &segment,
            json!({"type": "track", "event": "Order Completed", "integrations": {"all": false}}),
            SkipReason::NotForKustomer,
        ),
        (
            &plain,
            json!({"type": 7, "name": "Product Viewed"}),
            SkipReason::Dropped,
        ),
        (
            &named,
            json!({"type": "Order Completed", "kind": "other"}),
            SkipReason::Dropped,
        ),
    ] {
        assert_eq!(seen(pipeline, value.to_string()), Some(expected), "{value}");
    }
    assert_eq!(
        seen(
            &segment,
            "\u{feff} {\"type\":\"tr\\u0061ck\",\"event\":\"Tea\"} "
        ),
        Some(SkipReason::NoRoute)
    );
    let tombstone = Record {
        value: None,
        ..record("")
    };
    assert_eq!(
        skips(&segment.mapping, segment.decoder, &tombstone),
        Some(SkipReason::Tombstone)
    );
}

#[test]
fn what_may_be_wanted_or_is_not_json_is_decoded() {
    let (segment, plain, named) = (pipeline(SEGMENT), pipeline(PLAIN), pipeline(NAMED));
    for (pipeline, value) in [
        (&segment, r#"{"type":"track","event":"Order Completed"}"#),
        (&segment, r#"{"type":"track","event":"Cart Viewed"}"#),
        (&segment, r#"{"type":"page"}"#),
        (&segment, r#"{"type":"track"}"#),
        (&segment, r#"{"event":"Tea Stirred"}"#),
        (&segment, r#"{"type":"track","event":"Tea Stirred","x":}"#),
        (&segment, r#"{"type":"track","event":"Tea Stirred"} x"#),
        (&segment, r#"{"type":"track","event":"\ud83d Stirred"}"#),
        (&segment, r#"["track"]"#),
        (
            &segment,
            r#""{\"type\":\"track\",\"event\":\"Tea Stirred\"}""#,
        ),
        (&segment, ""),
        (&segment, "null"),
        (&plain, r#"{"type":"Tea Stirred"}"#),
        (
            &plain,
            r#"{"event":"product_viewed","type":12345678901234567890123}"#,
        ),
        (&named, r#"{"type":"x"}"#),
        (&named, r#"{"kind":" "}"#),
        (&pipeline(COMPUTED), r#"{"kind":"a","of":"b"}"#),
    ] {
        assert_eq!(seen(pipeline, value), None, "{value}");
    }
    assert_eq!(
        seen(
            &segment,
            b"{\"type\":\"track\",\"event\":\"a\",\"x\":\"\xff\"}"
        ),
        None
    );
    let large = format!(
        r#"{{"type":"track","event":"a","x":"{}"}}"#,
        "x".repeat(1 << 20)
    );
    assert_eq!(seen(&segment, large), None);
}

#[test]
fn what_is_skipped_at_a_glance_may_have_content_that_nobody_could_read() {
    let pipeline = pipeline(SEGMENT);
    let value = r#"{"type":"track","event":"Tea Stirred","properties":{"total":1e400}}"#;
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(
        pipeline.judge(&record(value), now),
        (None, Verdict::Skip(SkipReason::NoRoute))
    );
    assert_eq!(
        pipeline.explain(&record(value), now).1,
        Verdict::Skip(SkipReason::NoRoute)
    );
    let wanted = value.replace("Tea Stirred", "Order Completed");
    let (_, verdict) = pipeline.judge(&record(wanted), now);
    assert!(
        matches!(verdict, Verdict::Reject(rejected) if rejected.reason == Rejection::InvalidJson)
    );
}

/// An object as text, whose names may repeat, with fields that a glance looks at and others.
fn any_record() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "type",
        "action",
        "event",
        "name",
        "kind",
        "category",
        "integrations",
        "x",
        "mail",
        "dear",
        r"typ\u0065",
    ]);
    let leaf = prop_oneof![
        prop::sample::select(vec![
            r#""track""#,
            r#""Page""#,
            r#""identify""#,
            r#""Order Completed""#,
            r#""product_viewed""#,
            r#""Cart Viewed""#,
            r#""\ud800""#,
            r#""Caf\u00e9""#,
            r#"" ""#,
            r#""""#,
            "null",
            "false",
            "true",
            "1e5",
            "1e400",
            "12345678901234567890123",
            "[]",
            "{}",
            "oops",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}".prop_map(|text| json!(text).to_string()),
    ];
    let destination = prop::sample::select(vec!["all", "All", "Kustomer", "kustomer", "Other"]);
    let allowed =
        (destination, leaf.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let inner = prop_oneof![
        4 => leaf,
        1 => prop::collection::vec(allowed, 0..4).prop_map(|fields| format!("{{{}}}", fields.join(","))),
    ];
    let field = (name, inner).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    prop::collection::vec(field, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(" ,")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_glance_says_what_decoding_says(text in any_record(), which in 0_usize..4) {
        thread_local!(static ALL: [Pipeline; 4] = [SEGMENT, PLAIN, NAMED, COMPUTED].map(pipeline));
        let record = record(text);
        let (glance, decoded) = ALL.with(|all| {
            let pipeline = &all[which];
            let (now, later) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
            assert_eq!(pipeline.judge(&record, now), pipeline.judge_wanted(&record, now));
            assert_eq!(pipeline.judge(&record, later), pipeline.judge_wanted(&record, later));
            let glance = skips(&pipeline.mapping, pipeline.decoder, &record);
            (glance, judge(&pipeline.mapping, pipeline.decoder, &record, Timestamp::UNIX_EPOCH, false).verdict)
        });
        match (glance, decoded) {
            (None, _) => {}
            (Some(reason), Verdict::Skip(known)) => prop_assert_eq!(reason, known),
            // a number that is out of range, where nobody looks
            (Some(_), Verdict::Reject(rejected)) => prop_assert_eq!(rejected.reason, Rejection::InvalidJson),
            (Some(reason), Verdict::Emit(planned)) => prop_assert!(false, "{:?}: {:?}", reason, planned),
            (Some(reason), Verdict::Batch(batch)) => prop_assert!(false, "{:?}: {:?}", reason, batch),
        }
    }
}

#[test]
fn a_record_that_is_not_wanted_is_told_by_which_route_and_why() {
    let pipeline = pipeline(PLAIN);
    let by = |value: serde_json::Value| pipeline.dropped_by(&record(value.to_string()));
    let told = |route: &str, why: &str| Some((route.to_owned(), why.to_owned()));
    let noise = by(json!({"name": "product viewed"}));
    assert_eq!(noise, told("noise", "seen too often"));
    let dear = by(json!({"name": "other", "dear": true}));
    assert_eq!(dear, told("rest", "cheap"));
    assert_eq!(by(json!({"name": "other", "dear": false})), None);
    assert_eq!(by(json!([])), None);
}
