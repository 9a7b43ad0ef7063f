//! What has to hold for any input. The programs of this folder call it with what they make up, and a test of the mapping with the
//! inputs that are kept in `corpus`.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::outcome::Verdict;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use jiff::Timestamp;

/// When everything is judged: 2026-03-04T08:00:00Z.
const NOW_MS: i64 = 1_772_611_200_000;

/// For formats without a mapping of their own.
const ANY: &str = "
routes:
  - name: any
    on: '*'
    customer: { externalId: $event.customer.externalId, missing: create }
    do:
      - kobject: thing
        externalId: $event.id // \"none\"
        version: $event.version
        title: $event.name
        custom: { attributesStr: $event.attributes, beforeStr: $event.before, contentStr: . }
      - track: $event.name
";

macro_rules! shipped {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../schemas/mappings/", $name, ".yaml")),
        )
    };
}

const SHIPPED: &[(&str, &str)] = &[
    shipped!("aftership"),
    shipped!("cloudevents"),
    shipped!("commercetools"),
    shipped!("debezium"),
    shipped!("easypost"),
    shipped!("segment"),
    shipped!("shopify"),
    shipped!("stripe"),
    shipped!("woocommerce"),
];

/// Before [`ANY`], for records that are batches.
const BATCHES: &str = "event: { each: .events }";
/// The formats whose batches are looked at.
const BATCHED: &[Format] = &[Format::Json, Format::Segment, Format::Generic, Format::Auto];

/// Two pipelines for each format: with a mapping that wants everything, and with the shipped one, if there is one. And one for the
/// events of batches in some.
static PIPELINES: LazyLock<Vec<Pipeline>> = LazyLock::new(|| {
    let of = |format: Format, text: &str| {
        let mapping = Mapping::compile(text, "fuzz.yaml");
        let mapping = Arc::new(mapping.unwrap_or_else(|errors| panic!("{format}: {errors:?}")));
        Pipeline::new(format, Limits::default(), mapping)
            .unwrap_or_else(|error| panic!("{format}: {error}"))
    };
    let mut pipelines = Vec::new();
    for format in Format::KNOWN {
        pipelines.push(of(*format, ANY));
        let shipped = SHIPPED.iter().find(|(name, _)| *name == format.as_str());
        pipelines.extend(shipped.map(|(_, text)| of(*format, text)));
    }
    let batches = format!("{BATCHES}{ANY}");
    pipelines.extend(BATCHED.iter().map(|format| of(*format, &batches)));
    pipelines
});

/// A record as text: the format, then a header on each line, an empty line, and the value. `key:` is the key, and a header
/// without a colon has no value.
pub(crate) fn record(input: &[u8]) -> Option<(Format, Record)> {
    let (first, mut rest) = line(input)?;
    let format: Format = std::str::from_utf8(first).ok()?.parse().ok()?;
    let (mut headers, mut key) = (Vec::new(), None);
    let value = loop {
        let (header, after) = line(rest)?;
        rest = after;
        if header.is_empty() {
            break rest;
        }
        let mut parts = header.splitn(2, |byte| *byte == b':');
        let name = std::str::from_utf8(parts.next()?).ok()?;
        let value = parts.next().map(Bytes::copy_from_slice);
        if name == "key" {
            key = value;
        } else {
            headers.push(Header {
                name: name.to_owned(),
                value,
            });
        }
    };
    let record = Record {
        position: Position {
            partition: TopicPartition::new("shop.public.orders", 0),
            offset: Offset(7),
        },
        key,
        value: (value != b"null").then(|| Bytes::copy_from_slice(value)),
        headers,
        timestamp_ms: Some(NOW_MS),
    };
    Some((format, record))
}

/// A line, and what follows it.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = text.split_at_checked(end)?;
    Some((line, rest.get(1..)?))
}

/// A record gets a verdict, the same in every way of asking, and what is sent is JSON that has each name once.
pub(crate) fn decode(input: &[u8]) {
    let Some((format, record)) = record(input) else {
        return;
    };
    let Ok(now) = Timestamp::from_millisecond(NOW_MS) else {
        return;
    };
    for pipeline in PIPELINES.iter().filter(|one| one.format() == format) {
        let (_, judged) = pipeline.judge(&record, now);
        let (_, wanted) = pipeline.judge_wanted(&record, now);
        let (_, explained) = pipeline.explain(&record, now);
        assert_eq!(judged, wanted, "wanted or not");
        assert_eq!(judged, explained, "explained or not");
        if let Verdict::Reject(rejected) = &judged {
            assert!(!rejected.detail.is_empty(), "a reason: {rejected:?}");
        }
    }
}

/// A text is a mapping, or has faults that say something. Its own tests run to an end.
pub(crate) fn mapping(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Mapping::compile(text, "fuzz.yaml") {
        Ok(mapping) => {
            let _results = mapping.run_tests_as(Format::Json);
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "no mapping and no fault");
            for fault in faults {
                assert!(!fault.to_string().is_empty(), "a fault without words");
            }
        }
    }
}
