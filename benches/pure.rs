//! What the pure parts cost: decoding, mapping, the delivery machine, the ledger, encoding.
//!
//! No thread, no socket and no simulator; answers are put in directly. `docs/benchmarks.md` has the figures.

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be set up has nothing to measure"
)]

mod driven;
mod machine;
mod messages;
mod rows;

use std::hint::black_box;
use std::sync::Arc;

use base64::Engine as _;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use ingest_delivery::partitions::ledger::{Admission, Ledger};
use ingest_encoding::{Encoding, Found, Opened, Schema, SchemaId, SchemaType, Schemas, Source};
use ingest_kustomer::encode::encode;
use ingest_mapping::decode::{Decoder, Format, Limits};
use ingest_model::outcome::Verdict;
use ingest_model::record::{Offset, Record};

use self::driven::{bulk, mapping, now, pipeline, sample};
use self::messages::Kind;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decode(&mut criterion);
    open(&mut criterion);
    map(&mut criterion);
    judge(&mut criterion);
    rows::all(&mut criterion);
    machine::all(&mut criterion);
    ledger(&mut criterion);
    encoding(&mut criterion);
    criterion.final_summary();
}

fn bytes_of(record: &Record) -> u64 {
    let bytes = record.value.as_ref().map_or(0, bytes::Bytes::len);
    u64::try_from(bytes).unwrap_or_default()
}

fn decode(criterion: &mut Criterion) {
    let decoder = Decoder::new(Format::Segment, Limits::default());
    let mut group = criterion.benchmark_group("decode");
    for kind in [Kind::Browse, Kind::Order(3), Kind::Order(520)] {
        let record = sample(kind);
        let bytes = bytes_of(&record);
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(BenchmarkId::new("segment", format!("{bytes}_bytes")), |b| {
            b.iter(|| decoder.decode(black_box(&record)));
        });
    }
    group.finish();
}

/// One schema, whatever its id.
struct One(Arc<Schema>);

impl Schemas for One {
    fn find(&self, _: SchemaId) -> Found {
        Found::Known(Arc::clone(&self.0))
    }
}

/// Values that independent serializers wrote become JSON, and JSON stays as it is.
fn open(criterion: &mut Criterion) {
    const FIXTURES: &str = include_str!("../pipeline/encoding/tests/fixtures/fixtures.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(FIXTURES).expect("fixtures");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut group = criterion.benchmark_group("open");
    for (name, case) in [
        ("avro_row", "debezium by connect's names"),
        ("avro_order", "avro framed"),
        ("protobuf_order", "protobuf, second message"),
    ] {
        let found = cases.iter().find(|one| one["name"] == case);
        let case = found.expect("a fixture");
        let kind = SchemaType::of_registry(&text(&case["type"])).expect("a type");
        let references = case["references"].as_array().into_iter().flatten();
        let references: Vec<Source> = references
            .map(|one| Source {
                name: text(&one[0]),
                text: text(&one[1]),
            })
            .collect();
        let schema = Schema::compile(kind, &text(&case["schema"]), &references);
        let schemas = One(Arc::new(schema.expect("a schema")));
        let value = base64::engine::general_purpose::STANDARD.decode(text(&case["value"]));
        let record = Record {
            value: Some(value.expect("base64").into()),
            ..sample(Kind::Coupon)
        };
        let encoding = Encoding::registry();
        let opened = encoding.open(&record, &schemas);
        assert!(matches!(opened, Opened::Record(_)), "{name}");
        group.throughput(Throughput::Bytes(bytes_of(&record)));
        group.bench_function(name, |b| {
            b.iter(|| encoding.open(black_box(&record), &schemas));
        });
    }
    let (record, json) = (sample(Kind::Order(3)), Encoding::default());
    group.throughput(Throughput::Bytes(bytes_of(&record)));
    group.bench_function("json", |b| {
        b.iter(|| json.open(black_box(&record), &ingest_encoding::NoSchemas));
    });
    group.finish();
}

const KINDS: [(&str, Kind); 7] = [
    ("track", Kind::Coupon),
    ("identify", Kind::Identify),
    ("order_1_line", Kind::Order(1)),
    ("order_10_lines", Kind::Order(10)),
    ("order_160_lines", Kind::Order(160)),
    ("skip", Kind::Browse),
    ("view", Kind::View),
];

fn map(criterion: &mut Criterion) {
    let (mapping, now) = (mapping(), now());
    let decoder = Decoder::new(Format::Segment, Limits::default());
    let mut group = criterion.benchmark_group("map");
    group.throughput(Throughput::Elements(1));
    for (name, kind) in KINDS {
        let record = sample(kind);
        let event = decoder.decode(&record).expect("a whole message");
        group.bench_function(name, |b| {
            b.iter(|| mapping.apply(black_box(&event), &record, now));
        });
    }
    group.finish();
}

fn judge(criterion: &mut Criterion) {
    let (pipeline, now) = (pipeline(), now());
    let mut group = criterion.benchmark_group("judge");
    group.throughput(Throughput::Elements(1));
    for (name, kind) in KINDS {
        let record = sample(kind);
        let skipped = matches!(pipeline.judge(&record, now).1, Verdict::Skip(_));
        assert_eq!(skipped, kind == Kind::Browse, "{name}");
        group.bench_function(name, |b| b.iter(|| pipeline.judge(black_box(&record), now)));
    }
    group.finish();
}

fn ledger(criterion: &mut Criterion) {
    const RECORDS: i64 = 1_000;
    let mut group = criterion.benchmark_group("ledger");
    group.throughput(Throughput::Elements(RECORDS.unsigned_abs()));
    let admitted = || {
        let mut ledger = Ledger::default();
        for offset in 0..RECORDS {
            assert_eq!(ledger.admit(Offset(offset), None), Admission::Open);
        }
        ledger
    };
    let settle = |mut ledger: Ledger, offsets: &mut dyn Iterator<Item = i64>| {
        for offset in offsets {
            assert!(ledger.settle(Offset(offset)));
            black_box(ledger.frontier());
        }
        ledger
    };
    group.bench_function("admit_1000", |b| b.iter(admitted));
    group.bench_function("settle_1000_in_order", |b| {
        let run = |ledger| settle(ledger, &mut (0..RECORDS));
        b.iter_batched(admitted, run, BatchSize::SmallInput);
    });
    group.bench_function("settle_1000_backwards", |b| {
        let run = |ledger| settle(ledger, &mut (0..RECORDS).rev());
        b.iter_batched(admitted, run, BatchSize::SmallInput);
    });
    group.finish();
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for (name, lines) in [
        ("bulk_100_orders_1_line", 1),
        ("bulk_100_orders_3_lines", 3),
    ] {
        let call = bulk(lines);
        let body = encode(&call).body.expect("a bulk has a body");
        let bytes = u64::try_from(body.len()).unwrap_or_default();
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(name, |b| b.iter(|| encode(black_box(&call))));
    }
    group.finish();
}
