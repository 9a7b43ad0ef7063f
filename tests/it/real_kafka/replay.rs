//! A whole round: bad input, letters, somebody looks and fixes the cause, and the records are delivered after all.

use std::collections::BTreeSet;

use ingest_model::record::Record;
use kustomer_ingest::clock::Clock;
use serde_json::{Value, json};

use super::broker;
use super::setup::{Options, Setup};

/// `BROKEN` treats a code as a number, `MENDED` does not.
const BROKEN: &str = "{ couponNum: .properties.coupon | tonumber }";
const MENDED: &str = "{ couponStr: .properties.coupon }";
const CUSTOMERS: u64 = 6;

fn mapping(meta: &str) -> String {
    format!(
        "format: segment\nonBad: reject\nroutes:\n  - name: coupon\n    on: Coupon Applied\n    customer: {{ externalId: .userId }}\n    do:\n      \
         - track: .event\n        meta: {meta}\n"
    )
}

fn text<'r>(record: &'r Record, name: &str) -> &'r str {
    std::str::from_utf8(record.header(name).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dead_lettered_is_looked_at_mended_and_delivered() {
    let Some(broker) = broker::shared("replay").await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mapping.yaml");
    std::fs::write(&file, mapping(BROKEN)).unwrap();
    let options = Options {
        mapping: Some(file.clone()),
        ..Options::default()
    };
    let setup = Setup::start(broker, "replay", options).await;
    let now = Clock.unix_ms();
    // Without a message id, so the record's place identifies the occurrence.
    let records = (0..CUSTOMERS).map(|customer| {
        let time = jiff::Timestamp::from_millisecond(now + i64::try_from(customer).unwrap());
        let value = json!({
            "type": "track",
            "event": "Coupon Applied",
            "userId": format!("u{customer}"),
            "timestamp": time.unwrap().to_string(),
            "properties": { "coupon": "SPRING" },
        });
        setup.record(&format!("u{customer}"), value.to_string())
    });
    let written = setup.produce(records.collect()).await;
    let mut worker = setup.worker().await;
    worker.wait_until("dead_lettered", CUSTOMERS).await;

    // Somebody looks.
    let listed = setup.letters_command(&["list", "--json", "--reason", "mapping_failed"]);
    let listed: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sources: BTreeSet<(i64, i64)> = listed
        .iter()
        .map(|line| &line["source"])
        .map(|at| {
            (
                at["partition"].as_i64().unwrap(),
                at["offset"].as_i64().unwrap(),
            )
        })
        .collect();
    let expected: BTreeSet<(i64, i64)> = written
        .iter()
        .map(|(at, _)| (i64::from(at.partition.partition.0), at.offset.0))
        .collect();
    assert_eq!(sources, expected);
    let shown = setup.letters_command(&["show", "0:0"]);
    assert!(shown.contains("reason    mapping_failed"), "{shown}");
    assert!(
        shown.contains("detail    ") && !shown.contains("SPRING"),
        "{shown}"
    );
    assert!(
        setup
            .letters_command(&["show", "--value", "0:0"])
            .contains("SPRING")
    );

    // Too early: the mapping is still broken, and the record comes back.
    let ends = setup.ends().await;
    let said = setup.letters_command(&["replay", "--all", "--dry-run"]);
    assert!(said.contains("6 records would be sent"), "{said}");
    assert_eq!(setup.ends().await, ends, "a dry run sent something");
    setup.letters_command(&["replay", "0:0"]);
    worker.wait_until("dead_lettered", CUSTOMERS + 1).await;
    let all = setup.dead_letters().await;
    let (first, again) = (&all[0], all.last().unwrap());
    assert_eq!(text(again, "ingest.replays"), "1");
    for name in [
        "ingest.source.topic",
        "ingest.source.partition",
        "ingest.source.offset",
    ] {
        assert_eq!(text(again, name), text(first, name), "{name}");
    }
    assert_eq!(again.value, first.value);
    assert_eq!(again.timestamp_ms, first.timestamp_ms);
    worker.assert_sound().await;
    worker.terminate().await;

    // Fixed: the second letter of the first record, and the other five.
    std::fs::write(&file, mapping(MENDED)).unwrap();
    let mut worker = setup.worker().await;
    let said = setup.letters_command(&["replay", "--all", "--rate", "100"]);
    assert!(said.contains("6 records sent back"), "{said}");
    assert!(
        said.contains("1 letter left out: sent back before"),
        "{said}"
    );
    worker.wait_until("delivered", CUSTOMERS).await;
    let said = setup.letters_command(&["replay", "--all"]);
    assert!(said.contains("0 records sent back"), "{said}");
    let account = setup.kustomer.account();
    setup.assert_good(&account);
    assert_eq!(account.accepted.tracking, CUSTOMERS);
    setup.wait_until_committed(&[&worker]).await;
    worker.assert_sound().await;
    worker.terminate().await;

    // Sent once more, to a worker that remembers nothing: the same events, with the same keys.
    let mut worker = setup.worker().await;
    setup.letters_command(&["replay", "--all", "--again", "--rate", "100"]);
    worker.wait_until("delivered", CUSTOMERS).await;
    let account = setup.kustomer.account();
    assert_eq!(account.accepted.tracking, 2 * CUSTOMERS, "{account:#?}");
    assert_eq!(account.repeated.tracking, CUSTOMERS, "{account:#?}");
    let all = setup.dead_letters().await;
    assert_eq!(
        all.len(),
        usize::try_from(CUSTOMERS).unwrap() + 1,
        "no letter came back"
    );
    worker.assert_sound().await;
    worker.terminate().await;
}
