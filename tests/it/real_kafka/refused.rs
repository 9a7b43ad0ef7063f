//! Dead letters that the dead-letter topic refuses, because it allows less than the input topic.

use bytes::Bytes;
use ingest_model::record::Record;
use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup};
use super::shop::{Shop, round};
use super::{broker, wait_for, wire};

/// An input topic that accepts what the default configuration refuses.
const WIDE: &[(&str, &str)] = &[
    ("max.message.bytes", "4000000"),
    ("message.timestamp.after.max.ms", "9223372036854775807"),
];
const DAY_MS: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_letter_is_not_lost_and_stops_only_its_partition() {
    let Some(broker) = broker::shared("refused").await else {
        return;
    };
    let options = Options {
        topic: WIDE.to_vec(),
        ..Options::default()
    };
    let setup = Setup::start(broker, "refused", options).await;
    let time = Clock.unix_ms() + 3 * DAY_MS;
    let mut ahead = setup.record("ahead", "{cut");
    ahead.timestamp_ms = Some(time);
    let large = setup.record("large", noise(1_500_000));
    let written = setup.produce(vec![ahead, large.clone()]).await;
    let is_large = |record: &Record| record.value == large.value;
    let stopped = written
        .iter()
        .find(|(_, record)| record.key == large.key)
        .map(|(position, _)| position.clone())
        .unwrap();

    let mut worker = setup.worker().await;
    let mut shop = Shop::new(20, Clock.unix_ms());
    setup.produce(shop.take(&setup, round())).await;
    let rest = shop.expected().records + 1;
    wait_for(
        "everything but the large record to be settled",
        || worker.tail(),
        async || (worker.metrics().await.settled() == rest).then_some(()),
    )
    .await;
    let letters = setup.dead_letters().await;
    assert!(!letters.iter().any(is_large));
    let ahead = letters
        .iter()
        .find(|letter| letter.key.as_deref() == Some(b"ahead"))
        .unwrap();
    let headers = &ahead.headers;
    let source = headers
        .iter()
        .find(|header| header.name == "ingest.source.timestamp");
    let source = source.and_then(|header| header.value.clone());
    assert_eq!(source, Some(Bytes::from(time.to_string())));
    assert!(
        ahead.timestamp_ms.is_some_and(|at| at < time - 2 * DAY_MS),
        "the topic refuses its time"
    );
    let partition = usize::try_from(stopped.partition.partition.0).unwrap();
    let committed = setup.committed_offsets().await;
    assert!(
        committed[partition] <= stopped.offset.0,
        "a record without a dead letter is not committed"
    );
    let says = |line: &String| line.contains("too_large") && line.contains("dead-letter topic");
    assert!(worker.log().iter().any(says), "{}", worker.tail());

    wire::configure_topic(
        &setup.broker,
        &setup.letters,
        "max.message.bytes",
        "4000000",
    )
    .await;
    setup.wait_until_committed(&[&worker]).await;
    assert_eq!(
        setup
            .dead_letters()
            .await
            .into_iter()
            .filter(is_large)
            .count(),
        1
    );
    worker.assert_sound().await;
    let (status, drain) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
    setup.say(&format!(
        "{rest} records went past a letter that was refused; ended in {drain:.1?}"
    ));
}

/// Bytes that no codec makes smaller.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    Bytes::from(bytes)
}
