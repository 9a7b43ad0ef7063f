//! Records that are no Segment messages: a plain event with nine fields, and a row as Debezium writes it with its schema.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use ingest_mapping::decode::{Decoder, Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::outcome::Verdict;
use ingest_model::record::Record;
use serde_json::{Value, json};

use crate::driven::{NOW_MS, now};
use crate::messages;

/// The mapping that the comparison with other programs uses: nine attributes, plain paths.
const NINE: &str = include_str!("peers/configs/mapping.yaml");
const DEBEZIUM: &str = include_str!("../schemas/mappings/debezium.yaml");

pub(crate) fn all(criterion: &mut Criterion) {
    let nine = compiled(NINE);
    let decoder = Decoder::new(Format::Json, Limits::default());
    let record = record(&parcel());
    let event = decoder.decode(&record).expect("a whole event");
    let mut group = criterion.benchmark_group("map");
    group.throughput(Throughput::Elements(1));
    group.bench_function("nine_fields", |b| {
        b.iter(|| nine.apply(black_box(&event), &record, now()));
    });
    group.finish();

    let nine = pipeline(Format::Json, nine);
    let rows = pipeline(Format::Debezium, compiled(DEBEZIUM));
    let mut group = criterion.benchmark_group("judge");
    for (name, pipeline, value) in [
        ("nine_fields", nine, parcel()),
        ("debezium_row_with_schema", rows, row()),
    ] {
        let record = self::record(&value);
        let verdict = pipeline.judge_wanted(&record, now()).1;
        assert!(matches!(verdict, Verdict::Emit(_)), "{name}: {verdict:?}");
        let bytes = record.value.as_ref().map_or(0, Bytes::len);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |b| {
            b.iter(|| pipeline.judge_wanted(black_box(&record), now()));
        });
    }
    group.finish();
}

fn compiled(text: &str) -> Arc<Mapping> {
    let mapping = Mapping::compile(text, "mapping.yaml");
    Arc::new(mapping.expect("a mapping that compiles"))
}

fn pipeline(format: Format, mapping: Arc<Mapping>) -> Pipeline {
    Pipeline::new(format, Limits::default(), mapping).expect("a mapping of this format")
}

fn record(value: &Value) -> Record {
    messages::record(0, 7, 7, value.to_string().into(), NOW_MS)
}

/// An event of 600 bytes, as in the comparison.
fn parcel() -> Value {
    json!({
        "id": "scan-7",
        "type": "parcel.scanned",
        "time": "2026-03-04T05:06:07Z",
        "seq": 7,
        "customer": "c-7",
        "parcel": {
            "number": "NP00000007",
            "carrier": "NordPost",
            "service": "express",
            "depot": "HAM-3",
            "status": "in transit",
            "weight": 2.75,
            "pieces": 3,
            "fee": 4.9,
            "fragile": false,
        },
        "scanner": {"id": "gate-12", "firmware": "4.2.1", "operator": "shift-b", "line": 3},
        "note": "x".repeat(220),
    })
}

/// The row of an order, created, with the schema that Kafka Connect's converter writes beside it: about 2 kB.
fn row() -> Value {
    let columns = [
        ("id", "int64", None),
        ("number", "string", None),
        ("customer_id", "int64", None),
        ("status", "string", None),
        (
            "total",
            "bytes",
            Some("org.apache.kafka.connect.data.Decimal"),
        ),
        ("currency", "string", None),
        (
            "created_at",
            "int64",
            Some("io.debezium.time.MicroTimestamp"),
        ),
    ];
    let field = |(name, kind, meaning): &(&str, &str, Option<&str>)| {
        let parameters =
            (*kind == "bytes").then(|| json!({"scale": "2", "connect.decimal.precision": "10"}));
        json!({
            "type": kind, "optional": true, "name": meaning, "version": 1, "parameters": parameters, "field": name,
        })
    };
    let fields: Vec<Value> = columns.iter().map(field).collect();
    let source = ["version", "connector", "name", "db", "schema", "table"];
    let mut of_source: Vec<Value> = source
        .iter()
        .map(|name| json!({"type": "string", "optional": false, "field": name}))
        .collect();
    for name in ["ts_ms", "txId", "lsn"] {
        of_source.push(json!({"type": "int64", "optional": true, "field": name}));
    }
    let part = |name: &str, fields: &[Value]| json!({"type": "struct", "fields": fields, "optional": true, "field": name});
    json!({
        "schema": {
            "type": "struct",
            "name": "shop.public.orders.Envelope",
            "optional": false,
            "fields": [
                part("before", &fields),
                part("after", &fields),
                part("source", &of_source),
                {"type": "string", "optional": false, "field": "op"},
                {"type": "int64", "optional": true, "field": "ts_ms"},
            ],
        },
        "payload": {
            "before": null,
            "after": {
                "id": 1007, "number": "A-1007", "customer_id": 42, "status": "paid", "total": "MpY=",
                "currency": "EUR", "created_at": 1_772_611_200_123_456_i64,
            },
            "source": {
                "version": "3.6.1.Final", "connector": "postgresql", "name": "shop", "db": "shop", "schema": "public",
                "table": "orders", "ts_ms": 1_772_611_200_200_i64, "txId": 789, "lsn": 34_567_890,
            },
            "op": "c",
            "ts_ms": 1_772_611_200_456_i64,
        },
    })
}
