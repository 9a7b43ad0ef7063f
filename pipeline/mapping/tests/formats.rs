//! What decoding a record of a mebibyte may cost, in each format and whatever the record contains.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use ingest_mapping::decode::{Decoder, Format, Limits};
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use peak_alloc::PeakAlloc;
use serde_json::json;

/// The most memory that one record may take.
const MAX_MEMORY_KIB: usize = 64 * 1024;
/// The most CPU time that one record may take. Without optimisation everything takes several times as long.
const MAX_TIME: Duration = Duration::from_secs(1);
/// What a record has, with something for what is around it.
const SIZE: usize = 1_000_000;

/// Counts what is allocated and keeps the peak.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The CPU time of this thread so far.
fn computing() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = stat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

fn list(item: &str, bytes: usize) -> String {
    vec![item; bytes / (item.len() + 1)].join(",")
}

/// As many fields as fit, each made from its number.
fn fields(bytes: usize, one: impl Fn(usize) -> String) -> String {
    let each = one(99_999).len() + 1;
    let all: Vec<String> = (0..bytes / each).map(one).collect();
    all.join(",")
}

/// Values that are dear to decode.
fn values() -> Vec<(&'static str, String)> {
    let heavy = list("{}", 200_000);
    let text = |json: &str| serde_json::to_string(json).unwrap();
    let documents = format!("{{\"a\":[{}]}}", list("{}", SIZE / 2));
    let decimal = "f".repeat(170);
    let columns =
        |name: &str| format!("{{\"fields\":[{{\"field\":\"after\",\"fields\":[{name}]}}]}}");
    let change = |after: &str| format!("{{\"op\":\"u\",\"source\":{{}},\"after\":{after}}}");
    let wrapped =
        |schema: &str, payload: &str| format!("{{\"schema\":{schema},\"payload\":{payload}}}");
    let json_column =
        |n: usize| format!("{{\"field\":\"c{n}\",\"name\":\"io.debezium.data.Json\"}}");
    let long = fields(4_000, json_column);
    let texts = fields(SIZE - 10_000, |n| {
        format!("\"c{n}\":{}", text(&format!("[{}]", list("{}", 20_000))))
    });
    vec![
        (
            "an update with two rows",
            format!(
                "{{\"op\":\"u\",\"source\":{{}},\"before\":{{\"a\":[{heavy}]}},\"after\":{{\"a\":[{heavy}]}}}}"
            ),
        ),
        (
            "a deletion",
            format!("{{\"op\":\"d\",\"source\":{{}},\"before\":{{\"a\":[{heavy}]}}}}"),
        ),
        ("columns in another order", {
            let schema = columns(&fields(SIZE / 2, |n| format!("{{\"field\":\"c{n}\"}}")));
            let row = fields(SIZE / 2 - 1_000, |n| format!("\"c{}\":0", n ^ 1));
            wrapped(&schema, &change(&format!("{{{row}}}")))
        }),
        ("long decimals", {
            let items = list(&format!("\"{decimal}\""), SIZE);
            let column = "{\"field\":\"a\",\"items\":{\"name\":\"org.apache.kafka.connect.data.Decimal\",\"parameters\":{\"scale\":\"2\"}}}";
            wrapped(&columns(column), &change(&format!("{{\"a\":[{items}]}}")))
        }),
        (
            "columns of JSON",
            wrapped(&columns(&long), &change(&format!("{{{texts}}}"))),
        ),
        ("a document", change(&text(&documents))),
        (
            "a message",
            json!({"op": "m", "source": {}, "message": {"content": "e30=".repeat(SIZE / 4)}})
                .to_string(),
        ),
        (
            "data in a text",
            format!("{{\"type\":\"x\",\"data\":{}}}", text(&documents)),
        ),
        (
            "attributes",
            format!(
                "{{\"specversion\":\"1.0\",\"type\":\"x\",\"source\":\"s\",\"id\":\"1\",\"more\":[{heavy}],\"data\":{{}}}}"
            ),
        ),
        (
            "data in base64",
            format!(
                "{{\"specversion\":\"1.0\",\"type\":\"x\",\"source\":\"s\",\"id\":\"1\",\"data_base64\":\"{}\"}}",
                "e30s".repeat(SIZE / 4)
            ),
        ),
        (
            "a row",
            format!("{{{}}}", fields(SIZE, |n| format!("\"__c{n}\":0"))),
        ),
        ("an outbox", text(&documents)),
    ]
}

#[test]
fn dear_records_stay_within_the_bounds() {
    let many = Header {
        name: "ce_x".to_owned(),
        value: Some(Bytes::from_static(b"x")),
    };
    for (what, value) in values() {
        assert!(value.len() <= 1024 * 1024, "{what}: {}", value.len());
        let record = Record {
            position: Position {
                partition: TopicPartition::new("shop.public.orders", 0),
                offset: Offset(1),
            },
            key: Some(Bytes::from(format!("[{}]", list("{}", 500_000)))),
            value: Some(Bytes::from(value)),
            headers: vec![many.clone(); 2_000],
            timestamp_ms: None,
        };
        for format in Format::KNOWN {
            let decoder = Decoder::new(*format, Limits::default());
            ALLOCATOR.reset_peak_usage();
            let (before, began) = (ALLOCATOR.current_usage(), computing());
            drop(decoder.decode(&record));
            let took = computing() - began;
            let memory = ALLOCATOR.peak_usage().saturating_sub(before) / 1_024;
            assert!(took <= MAX_TIME, "{format}, {what}: {took:?}");
            assert!(memory <= MAX_MEMORY_KIB, "{format}, {what}: {memory} KiB");
        }
    }
}
