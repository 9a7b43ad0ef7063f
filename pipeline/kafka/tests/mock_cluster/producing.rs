//! Dead letters: acknowledged and unchanged, or not sent.

use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::{DeadLetter, DeadLetterProducer, RecordProducer, SendErrorKind};
use ingest_model::record::Topic;
use tokio::time::Instant;

use crate::support::{PATIENCE, all_records, header, outgoing, settings, settings_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_written_as_it_is_and_acknowledged() {
    let broker = EmbeddedBroker::start(&[("events", 1), ("dead", 2)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let producer = DeadLetterProducer::new(&settings).unwrap();
    let letter = DeadLetter {
        topic: Topic::new("dead"),
        key: Some("k".into()),
        value: None,
        headers: vec![
            header("b", Some(b"2")),
            header("a", Some(b"\xff\x00\xfe")),
            header("b", Some(b"1")),
            header("none", None),
        ],
        timestamp_ms: Some(1_600_000_000_000),
    };
    producer.send(letter.clone()).await.unwrap();
    let empty = DeadLetter {
        value: Some("".into()),
        key: Some("".into()),
        ..letter.clone()
    };
    producer.send(empty).await.unwrap();
    let mut records = all_records(&settings, "dead").await;
    records.sort_by_key(|record| record.value.is_some());
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].key, letter.key);
    assert_eq!(records[0].value, None);
    assert_eq!(records[0].headers, letter.headers);
    assert_eq!(records[0].timestamp_ms, letter.timestamp_ms);
    assert_eq!(
        records[1].value.as_deref(),
        Some(&b""[..]),
        "empty is not null"
    );
    assert_eq!(records[1].key.as_deref(), Some(&b""[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_dead_letter_passes() {
    let broker = EmbeddedBroker::start(&[("events", 1), ("dead", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let producer = DeadLetterProducer::new(&settings).unwrap();
    let value: Vec<u8> = (0..3_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let letter = DeadLetter {
        topic: Topic::new("dead"),
        key: None,
        value: Some(value.clone().into()),
        headers: Vec::new(),
        timestamp_ms: None,
    };
    producer.send(letter).await.unwrap();
    let records = all_records(&settings, "dead").await;
    assert_eq!(records[0].value.as_deref(), Some(value.as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_that_are_begun_in_one_turn_keep_their_order() {
    const SENDS: usize = 1_000;
    let broker = EmbeddedBroker::start(&[("events", 1), ("dead", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let producer = Arc::new(RecordProducer::new(&settings).unwrap());
    let mut begun = Vec::new();
    // A task has to give way after a while: that must not put off what was begun first.
    for number in 0..SENDS {
        let producer = Arc::clone(&producer);
        let record = outgoing("dead", 0, &number.to_string());
        let mut sending = Box::pin(async move { producer.send(&record).await });
        let first = poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await;
        assert!(first.is_pending(), "{number}: {first:?}");
        begun.push(sending);
        if number % 200 == 199 {
            tokio::task::yield_now().await;
        }
    }
    for sending in begun {
        sending.await.unwrap();
    }
    let records = all_records(&settings, "dead").await;
    let values = records.iter().map(|record| record.value.clone().unwrap());
    let wanted = (0..SENDS).map(|number| bytes::Bytes::from(number.to_string()));
    assert!(values.eq(wanted), "not in the order of their sends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_without_a_broker_is_not_sent_and_may_be_tried_again() {
    let broker = EmbeddedBroker::start(&[("events", 1), ("dead", 1)]).unwrap();
    let settings = settings_with(&broker, &["events"], |options| {
        options.delivery_timeout = Duration::from_secs(2);
    });
    let producer = RecordProducer::new(&settings).unwrap();
    producer.send(&outgoing("dead", 0, "before")).await.unwrap();
    broker.set_down(true).unwrap();
    let error = producer
        .send(&outgoing("dead", 0, "during"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Timeout);
    assert!(error.kind.is_retriable());
    broker.set_down(false).unwrap();
    let began = Instant::now();
    while let Err(error) = producer.send(&outgoing("dead", 0, "after")).await {
        assert_eq!(error.kind, SendErrorKind::Timeout);
        assert!(began.elapsed() < PATIENCE, "never recovered");
    }
}
