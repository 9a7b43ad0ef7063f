//! Bad input: every record ends as it should, and dead letters keep everything that the records had.

use bytes::Bytes;
use ingest_kafka::OutgoingRecord;
use ingest_model::record::{Header, Position, Record};
use kustomer_ingest::clock::Clock;
use serde_json::{Value, json};

use super::setup::{Options, Setup};
use super::{broker, wait_for, wire};

/// Room for values above the worker's limit of 1 MiB.
const TOPIC: &[(&str, &str)] = &[("max.message.bytes", "4000000")];

/// What must become of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Delivered,
    Skipped(&'static str),
    Dead(&'static str),
}

struct Case {
    what: &'static str,
    record: OutgoingRecord,
    fate: Fate,
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_never_stops_the_stream() {
    let Some(broker) = broker::shared("letters").await else {
        return;
    };
    let options = Options {
        partitions: 2,
        topic: TOPIC.to_vec(),
        letters: TOPIC.to_vec(),
        ..Options::default()
    };
    let setup = Setup::start(broker, "letters", options).await;
    // Offsets that another program committed for the group: metadata that is not the worker's, and not even text.
    for (partition, metadata) in [
        (0, "{\"by\":\"someone else\"}".as_bytes()),
        (1, b"\xff\xfe\x00\x80"),
    ] {
        let error = wire::commit(
            &setup.broker,
            &setup.group,
            &setup.topic,
            &[(partition, 0, metadata)],
        )
        .await;
        assert_eq!(error, 0, "the broker refused the metadata");
    }
    let foreign = setup.committed().await;

    let cases = cases(&setup);
    let mut written: Vec<(Position, Case)> = Vec::new();
    for case in cases {
        let mut positions = setup.produce(vec![case.record.clone()]).await;
        written.push((positions.remove(0).0, case));
    }
    let mut worker = setup.worker().await;
    let total = u64::try_from(written.len()).unwrap();
    let settled = async || (worker.metrics().await.settled() >= total).then_some(());
    wait_for(
        &format!("{total} records to be settled"),
        || worker.tail(),
        settled,
    )
    .await;
    setup.wait_until_committed(&[&worker]).await;

    let letters = setup.dead_letters().await;
    for (position, case) in &written {
        let found: Vec<&Record> = letters
            .iter()
            .filter(|letter| is_of(letter, case, position))
            .collect();
        match (case.fate, found.as_slice()) {
            (Fate::Dead(reason), [letter]) => assert_letter(letter, case, reason),
            (Fate::Delivered | Fate::Skipped(_), []) => {}
            (fate, found) => panic!(
                "{}: {fate:?}, but {} dead letters: {found:?}",
                case.what,
                found.len()
            ),
        }
    }
    let metrics = worker.metrics().await;
    let skips: std::collections::BTreeSet<&str> = written
        .iter()
        .filter_map(|(_, case)| skip_of(case))
        .collect();
    for reason in skips {
        let expected = written
            .iter()
            .filter(|(_, case)| skip_of(case) == Some(reason))
            .count();
        let counted =
            super::worker::whole(metrics.sum("records_skipped_total", &[("reason", reason)]));
        assert_eq!(
            counted,
            u64::try_from(expected).unwrap(),
            "skipped: {reason}"
        );
    }
    let delivered = written
        .iter()
        .filter(|(_, case)| case.fate == Fate::Delivered)
        .count();
    assert_eq!(
        metrics.records("delivered"),
        u64::try_from(delivered).unwrap(),
        "{:#?}",
        metrics.lines("records_skipped_total")
    );
    worker.assert_sound().await;
    let account = setup.kustomer.account();
    setup.assert_good(&account);
    let orders: Vec<String> = setup.kustomer.with(|sim| {
        sim.objects("order")
            .filter_map(|order| order.external_id)
            .collect()
    });
    assert!(
        orders.contains(&"9007199254740993".to_owned()),
        "a 64-bit id is exact: {orders:?}"
    );
    assert!(
        orders.contains(&"18446744073709551617".to_owned()),
        "a larger one, too: {orders:?}"
    );
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
    setup.say(&format!(
        "{total} records, {} dead letters, {delivered} delivered; foreign metadata came back as {:?}",
        letters.len(),
        foreign.iter().map(|committed| String::from_utf8_lossy(&committed.metadata)).collect::<Vec<_>>()
    ));
}

fn skip_of(case: &Case) -> Option<&'static str> {
    match case.fate {
        Fate::Skipped(reason) => Some(reason),
        Fate::Delivered | Fate::Dead(_) => None,
    }
}

fn cases(setup: &Setup) -> Vec<Case> {
    let now = Clock.unix_ms();
    let mut cases = broken(setup);
    cases.extend(odd_but_good(setup));
    for (number, case) in cases.iter_mut().enumerate() {
        let at = i64::try_from(number).unwrap();
        // Not the time of writing, so that the test can tell whether a letter keeps it.
        case.record.timestamp_ms = Some(now - 600_000 + at);
        case.record.key = Some(Bytes::from(format!("key {number}")));
    }
    let extra = |name: &str, value: Option<&'static [u8]>| Header {
        name: name.to_owned(),
        value: value.map(Bytes::from_static),
    };
    let without_key = OutgoingRecord {
        key: None,
        ..cases[0].record.clone()
    };
    cases.push(Case {
        what: "no key",
        record: without_key,
        fate: Fate::Dead("invalid_json"),
    });
    let mut repeated = cases[1].record.clone();
    repeated.headers = vec![
        extra("trace", Some(b"1")),
        extra("trace", Some(b"2")),
        extra("nothing", None),
        extra("bytes", Some(b"\xff\x00")),
        extra("", Some(b"a header without a name")),
    ];
    cases.push(Case {
        what: "repeated and null headers",
        record: repeated,
        fate: Fate::Dead("invalid_utf8"),
    });
    let mut before = cases[0].record.clone();
    before.headers = vec![
        extra("ingest.error.reason", Some(b"mapping_failed")),
        extra("ingest.source.topic", Some(b"first.topic")),
        extra("ingest.source.partition", Some(b"9")),
        extra("ingest.source.offset", Some(b"77")),
        extra("ingest.replays", Some(b"2")),
    ];
    cases.push(Case {
        what: "a letter sent back",
        record: before,
        fate: Fate::Dead("invalid_json"),
    });
    cases
}

/// Records that cannot be delivered.
fn broken(setup: &Setup) -> Vec<Case> {
    let dead = |what, value: Bytes, reason| Case {
        what,
        record: setup.record("", value),
        fate: Fate::Dead(reason),
    };
    let text =
        |what, value: &str, reason| dead(what, Bytes::copy_from_slice(value.as_bytes()), reason);
    let json = |what, value: &Value, reason| dead(what, Bytes::from(value.to_string()), reason);
    let order = |change: Value| {
        let mut message = order(&json!("o-1"));
        for (name, value) in change.as_object().unwrap() {
            message[name.as_str()] = value.clone();
        }
        message
    };
    let mut deep = "[".repeat(200);
    deep.push_str(&"]".repeat(200));
    let mut large = order(json!({}));
    large["properties"]["note"] = json!("x".repeat(1_100_000));
    vec![
        text(
            "cut JSON",
            "{\"type\":\"track\",\"event\":\"Order Comp",
            "invalid_json",
        ),
        dead(
            "invalid UTF-8",
            Bytes::from_static(b"{\"type\":\"track\",\"event\":\"\xff\xfe\"}"),
            "invalid_utf8",
        ),
        text("empty value", "", "invalid_json"),
        text("the word null", "null", "invalid_json"),
        text("a number", "17", "format_mismatch"),
        text("a list", "[{\"type\":\"track\"}]", "format_mismatch"),
        text(
            "NaN",
            "{\"type\":\"track\",\"event\":\"Order Completed\",\"properties\":{\"total\":NaN}}",
            "invalid_json",
        ),
        text(
            "1e400",
            "{\"type\":\"track\",\"event\":\"Order Completed\",\"properties\":{\"total\":1e400}}",
            "invalid_json",
        ),
        text(
            "200 levels deep",
            &format!("{{\"type\":\"track\",\"properties\":{deep}}}"),
            "too_deep",
        ),
        json("more than 1 MiB", &large, "too_large"),
        json(
            "no type",
            &json!({"event": "Order Completed", "userId": "u-1"}),
            "format_mismatch",
        ),
        json(
            "a type that is a number",
            &order(json!({"type": 7})),
            "format_mismatch",
        ),
        json(
            "an unknown type",
            &order(json!({"type": "order"})),
            "format_mismatch",
        ),
        json(
            "an order without an id",
            &order(json!({"properties": {"total": 1}})),
            "missing_field",
        ),
        json(
            "an order of nobody",
            &order(json!({"userId": null})),
            "missing_customer",
        ),
        json(
            "an order whose id is a list",
            &order(json!({"properties": {"order_id": [1]}})),
            "illegal_field",
        ),
        json(
            "properties that are a text",
            &order(json!({"properties": "all of them"})),
            "mapping_failed",
        ),
    ]
}

/// Records that look odd but are good, and those that need no request.
fn odd_but_good(setup: &Setup) -> Vec<Case> {
    let make = |what, value: &Value, fate| Case {
        what,
        record: setup.record("", value.to_string()),
        fate,
    };
    let mut large = order(&json!("o-large"));
    large["properties"]["note"] = json!("x".repeat(1_000_000));
    let mut many = order(&json!("o-many"));
    many["properties"]["products"] = json!(vec![
        json!({"sku": "TEA-01", "quantity": 1, "price": "19.99"});
        160
    ]);
    let event = |name: &str, user: &str| json!({"type": "track", "event": name, "messageId": format!("m-{user}"), "userId": user, "properties": {"plan": "a"}});
    let mut strange = event("Signed In", "u-strange");
    strange["properties"] =
        json!({"a b": 1, "a.b": 2, "$a": 3, "": 4, "\u{1f375}": 5, "9": 6, "plan": "x"});
    let mut blank = event("Signed In", "u-blank");
    blank["timestamp"] = json!("2026-01-02 03:04:05");
    let mut far = event("Signed In", "u-far");
    far["timestamp"] = json!("0001-01-01T00:00:00Z");
    let mut bytes_first = vec![0xef, 0xbb, 0xbf];
    bytes_first.extend_from_slice(event("Signed In", "u-bom").to_string().as_bytes());
    let tombstone = OutgoingRecord {
        value: None,
        ..setup.record("", "")
    };
    vec![
        Case {
            what: "tombstone",
            record: tombstone,
            fate: Fate::Skipped("tombstone"),
        },
        Case {
            what: "byte order mark",
            record: setup.record("", bytes_first),
            fate: Fate::Delivered,
        },
        make("1 MB value", &large, Fate::Delivered),
        make("160 products", &many, Fate::Delivered),
        make(
            "64-bit id",
            &order(&json!(9_007_199_254_740_993_i64)),
            Fate::Delivered,
        ),
        Case {
            what: "an id beyond 64 bits",
            record: setup.record(
                "",
                order(&json!("@"))
                    .to_string()
                    .replace("\"@\"", "18446744073709551617"),
            ),
            fate: Fate::Delivered,
        },
        make(
            "emoji and spaces in a name",
            &event("\u{1f6d2} Signed  Up \u{1f389}", "u-emoji"),
            Fate::Skipped("no_route"),
        ),
        make(
            "a name of 400 letters",
            &event(&"n".repeat(400), "u-long"),
            Fate::Skipped("no_route"),
        ),
        make(
            "an unknown name",
            &event("Kettle Boiled", "u-kettle"),
            Fate::Skipped("no_route"),
        ),
        make("odd keys", &strange, Fate::Delivered),
        make("a time with a blank", &blank, Fate::Delivered),
        make("a time in the year 1", &far, Fate::Delivered),
        make(
            "a user of 300 letters",
            &event("Signed In", &"u".repeat(300)),
            Fate::Skipped("dropped"),
        ),
        make(
            "a text in JSON in a text",
            &json!(event("Signed In", "u-text").to_string()),
            Fate::Delivered,
        ),
        make(
            "the same message again",
            &event("Signed In", "u-blank"),
            Fate::Skipped("repeat"),
        ),
    ]
}

fn order(id: &Value) -> Value {
    json!({
        "type": "track",
        "event": "Order Completed",
        "messageId": format!("m-{id}"),
        "userId": format!("u-{id}"),
        "timestamp": "2026-11-01T10:00:00Z",
        "properties": {"order_id": id, "total": "19.99", "currency": "EUR"},
    })
}

/// The topic, partition and offset that the letter must name as its record's first place. A record that was sent back
/// carries them.
fn origin(case: &Case, position: &Position) -> [String; 3] {
    let here = [
        position.partition.topic.to_string(),
        position.partition.partition.0.to_string(),
        position.offset.0.to_string(),
    ];
    let names = ["topic", "partition", "offset"].map(|part| format!("ingest.source.{part}"));
    let mut parts = names.into_iter().zip(here);
    std::array::from_fn(|_| {
        let (name, here) = parts.next().unwrap();
        text(&case.record.headers, &name).unwrap_or(here)
    })
}

/// Whether the letter names this place as its origin.
fn is_of(letter: &Record, case: &Case, position: &Position) -> bool {
    let found = ["topic", "partition", "offset"]
        .map(|part| text(&letter.headers, &format!("ingest.source.{part}")));
    found == origin(case, position).map(Some)
}

fn text(headers: &[Header], name: &str) -> Option<String> {
    let mut found = headers.iter().filter(|header| header.name == name);
    let first = found.next()?;
    assert!(found.next().is_none(), "{name} stands twice");
    Some(String::from_utf8(first.value.clone()?.to_vec()).unwrap())
}

fn assert_letter(letter: &Record, case: &Case, reason: &str) {
    let what = case.what;
    assert_eq!(letter.value, case.record.value, "{what}: value");
    assert_eq!(letter.key, case.record.key, "{what}: key");
    if let Some(time) = case.record.timestamp_ms {
        assert_eq!(letter.timestamp_ms, Some(time), "{what}: timestamp");
        assert_eq!(
            text(&letter.headers, "ingest.source.timestamp"),
            Some(time.to_string()),
            "{what}"
        );
    }
    let own: Vec<&Header> = letter
        .headers
        .iter()
        .filter(|header| !header.name.starts_with("ingest."))
        .collect();
    let sent: Vec<&Header> = case
        .record
        .headers
        .iter()
        .filter(|header| !header.name.starts_with("ingest."))
        .collect();
    assert_eq!(own, sent, "{what}: headers");
    assert_eq!(
        text(&letter.headers, "ingest.error.reason").as_deref(),
        Some(reason),
        "{what}: {letter:?}"
    );
    let detail = text(&letter.headers, "ingest.error.detail").unwrap();
    assert!(!detail.is_empty() && detail.len() < 500, "{what}: {detail}");
    assert_eq!(
        text(&letter.headers, "ingest.attempts").as_deref(),
        Some("0"),
        "{what}"
    );
    assert_eq!(
        text(&letter.headers, "ingest.worker.version").as_deref(),
        Some(env!("CARGO_PKG_VERSION")),
        "{what}"
    );
    // A letter that comes back has been replayed once more.
    let replays = text(&case.record.headers, "ingest.replays")
        .map_or(0, |before| before.parse::<u64>().unwrap() + 1)
        .to_string();
    assert_eq!(
        text(&letter.headers, "ingest.replays"),
        Some(replays),
        "{what}"
    );
}
