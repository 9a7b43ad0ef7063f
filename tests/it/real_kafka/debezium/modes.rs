//! Decimals and times in every mode of the connector, rows that were unwrapped, events of an outbox.

use std::sync::Arc;

use ingest_mapping::decode::{Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::operation::Operation;
use ingest_model::outcome::Verdict;
use ingest_model::record::Record;
use jiff::Timestamp;
use kustomer_ingest::clock::Clock;
use serde_json::{Value, json};

use super::super::broker;
use super::connect::Connect;
use super::records;

/// One object a row, of everything that it says.
const MAPPING: &str = r#"
format: debezium
routes:
  - name: row
    on: '*'
    customer: none
    do:
      - kobject: row
        externalId: .id // $event.subject
        version: $event.version
        title: $event.name
        custom:
          bigStr: .big
          moneyNum: .money
          freeNum: .free
          doubleNum: .double
          dayStr: .day
          bareAt: .bare
          fineAt: .fine
          zonedAt: .zoned
          clockStr: .clock
          flagBool: .flag
          docStr: .doc.sku
          idStr: .uid
          eventIdStr: $event.id
"#;

const TABLE: &str = "
    create table things (id bigint primary key, big bigint, money numeric(12, 2), free numeric, double double precision, day date,
        bare timestamp(3), fine timestamp(6), zoned timestamptz, clock time(6), flag boolean, doc jsonb, uid uuid);
    insert into things values (1, 9007199254740993, 19.99, 1.234567, 0.5, '2026-02-03', '2026-02-03 04:05:06.789',
        '2026-02-03 04:05:06.789123', '2026-02-03 06:05:06.789+02', '03:04:05.25', true, '{\"sku\": \"A-1\"}',
        '6f9619ff-8b86-d011-b42d-00c04fc964ff');";

/// The object that a record becomes, whole.
fn object(record: &Record) -> Value {
    let (object, dropped) = object_without(record);
    assert!(dropped.is_empty(), "{dropped:?}");
    object
}

/// The object that a record becomes, and the fields that it has to do without.
fn object_without(record: &Record) -> (Value, Vec<String>) {
    let mapping = Arc::new(Mapping::compile(MAPPING, "modes.yaml").unwrap());
    let pipeline = Pipeline::new(Format::Debezium, Limits::default(), mapping).unwrap();
    let now = Timestamp::from_millisecond(Clock.unix_ms()).unwrap();
    let (summary, verdict) = pipeline.judge(record, now);
    let Verdict::Emit(operations) = verdict else {
        panic!("{verdict:?}");
    };
    let dropped = summary.map(|summary| summary.dropped).unwrap_or_default();
    let dropped = dropped.iter().map(|one| one.field.to_string()).collect();
    let Operation::KObject(object) = &operations[0].operation else {
        panic!("{operations:?}");
    };
    (serde_json::to_value(&object.body).unwrap(), dropped)
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_and_times_of_every_mode_are_the_same() {
    let Some(broker) = broker::shared("debezium modes").await else {
        return;
    };
    let Some(database) = Connect::start(&broker, "debezium modes").await else {
        return;
    };
    database.sql(TABLE);
    let decimals = "decimal.handling.mode";
    let times = "time.precision.mode";
    // The converter has to be named where it is set.
    let converter = (
        "value.converter",
        "org.apache.kafka.connect.json.JsonConverter",
    );
    let bare = ("value.converter.schemas.enable", "false");
    let modes: &[(&str, &[(&str, &str)])] = &[
        ("adaptive", &[]),
        ("connect", &[(times, "connect"), (decimals, "string")]),
        ("iso", &[(times, "isostring"), (decimals, "double")]),
        ("micro", &[(times, "microseconds")]),
        ("time-micro", &[(times, "adaptive_time_microseconds")]),
        ("nano", &[(times, "nanoseconds")]),
        (
            "bare",
            &[converter, bare, (times, "isostring"), (decimals, "string")],
        ),
    ];
    for (mode, settings) in modes {
        database
            .watch(&format!("modes-{mode}"), "public.things", settings)
            .await;
    }
    let expected = json!({
        "bigStr": "9007199254740993",
        "moneyNum": 19.99,
        "freeNum": 1.234_567,
        "doubleNum": 0.5,
        "dayStr": "2026-02-03",
        "bareAt": "2026-02-03T04:05:06.789Z",
        "fineAt": "2026-02-03T04:05:06.789Z",
        "zonedAt": "2026-02-03T04:05:06.789Z",
        "clockStr": "03:04:05.25",
        "flagBool": true,
        "docStr": "A-1",
        "idStr": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "ingestVersionStr": null,
        "eventIdStr": null,
    });
    for (mode, _) in modes {
        let topic = format!("modes-{mode}.public.things");
        let read = records(&broker, &topic, 1).await;
        let (mut object, dropped) = object_without(&read[0]);
        let mut custom = object["custom"].take();
        // Where it was in the log.
        custom["ingestVersionStr"].take();
        custom["eventIdStr"].take();
        if *mode == "bare" {
            // A column of JSON is a text there, which has no fields.
            assert_eq!(dropped, ["custom.docStr"]);
            custom["docStr"] = expected["docStr"].clone();
            // Without a schema nobody can tell a day or a time of day from a text.
            for (name, text) in [("dayStr", "2026-02-03Z"), ("clockStr", "03:04:05.25Z")] {
                assert_eq!(custom[name], text);
                custom[name] = expected[name].clone();
            }
        }
        assert_eq!(
            dropped.len(),
            usize::from(*mode == "bare"),
            "{mode}: {dropped:?}"
        );
        assert_eq!(custom, expected, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unwrapped_rows_and_events_of_an_outbox_are_read() {
    let Some(broker) = broker::shared("debezium transforms").await else {
        return;
    };
    let Some(database) = Connect::start(&broker, "debezium transforms").await else {
        return;
    };
    database.sql(TABLE);
    database.sql(
        "create table outbox (id uuid primary key, aggregatetype text, aggregateid text, type text, payload jsonb);",
    );
    let unwrap = [
        ("transforms", "unwrap"),
        (
            "transforms.unwrap.type",
            "io.debezium.transforms.ExtractNewRecordState",
        ),
        ("transforms.unwrap.add.fields", "op,table,lsn,source.ts_ms"),
        (
            "transforms.unwrap.delete.tombstone.handling.mode",
            "rewrite",
        ),
    ];
    let outbox = [
        ("transforms", "outbox"),
        (
            "transforms.outbox.type",
            "io.debezium.transforms.outbox.EventRouter",
        ),
        (
            "transforms.outbox.table.fields.additional.placement",
            "type:header:eventType",
        ),
        (
            "transforms.outbox.route.topic.replacement",
            "outbox.${routedByValue}",
        ),
    ];
    database.watch("flat", "public.things", &unwrap).await;
    database.watch("box", "public.outbox", &outbox).await;
    records(&broker, "flat.public.things", 1).await;
    database.sql(
        "update things set money = 20 where id = 1;
         delete from things where id = 1;
         insert into outbox values ('6f9619ff-8b86-d011-b42d-00c04fc964ff', 'order', '1001', 'OrderPlaced',
             '{\"id\": \"1001\", \"money\": 19.99, \"doc\": {\"sku\": \"A-1\"}}');",
    );
    let rows: Vec<Value> = records(&broker, "flat.public.things", 3)
        .await
        .iter()
        .map(object)
        .collect();
    let said = |place: usize| (&rows[place]["title"], &rows[place]["custom"]["moneyNum"]);
    assert_eq!(said(0), (&json!("things.r"), &json!(19.99)));
    assert_eq!(said(1), (&json!("things.u"), &json!(20.0)));
    assert_eq!(rows[2]["title"], "things.d", "{rows:#?}");
    assert_eq!(rows[0]["externalId"], "1");
    let event = object(&records(&broker, "outbox.order", 1).await[0]);
    assert_eq!(event["title"], "OrderPlaced", "{event:#?}");
    assert_eq!(event["externalId"], "1001");
    let custom = &event["custom"];
    assert_eq!(custom["eventIdStr"], "6f9619ff-8b86-d011-b42d-00c04fc964ff");
    assert_eq!(
        (&custom["moneyNum"], &custom["docStr"]),
        (&json!(19.99), &json!("A-1"))
    );
}
