//! Partition counts, watermarks, reading back.

use std::ops::ControlFlow;
use std::time::Duration;

use ingest_kafka::ReadError;
use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::reader::topics::{fetch_partition_counts, fetch_partition_counts_of};
use ingest_kafka::reader::{fetch_watermarks, read_topic};
use ingest_model::record::{Offset, Partition, Topic};

use crate::support::{PATIENCE, all_records, fill, settings};

#[tokio::test(flavor = "multi_thread")]
async fn partition_counts_are_read_and_a_missing_topic_is_named() {
    let broker = EmbeddedBroker::start(&[("events", 3), ("dead", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    tokio::task::spawn_blocking(move || {
        let counts = fetch_partition_counts(&settings, PATIENCE).unwrap();
        assert_eq!(
            counts.into_iter().collect::<Vec<_>>(),
            vec![(Topic::new("events"), 3)]
        );
        let missing = Topic::new("nowhere");
        let asked = fetch_partition_counts_of(&settings, std::slice::from_ref(&missing), PATIENCE);
        assert_eq!(asked, Err(ReadError::UnknownTopic { topic: missing }));
        broker.set_down(true).unwrap();
        let asked = fetch_partition_counts(&settings, Duration::from_secs(1));
        assert!(matches!(asked, Err(ReadError::Unreachable { .. })));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_read_back_once_and_its_free_room_is_known() {
    let broker = EmbeddedBroker::start(&[("events", 2), ("dead", 1)]).unwrap();
    let settings = settings(&broker, &["events"]);
    fill(&settings, "events", 0, 0, 5).await;
    fill(&settings, "events", 1, 0, 3).await;
    let records = all_records(&settings, "events").await;
    assert_eq!(records.len(), 8);
    assert_eq!(
        all_records(&settings, "dead").await.len(),
        0,
        "an empty topic ends at once"
    );
    tokio::task::spawn_blocking(move || {
        let topic = Topic::new("events");
        let marks = fetch_watermarks(&settings, &topic, PATIENCE).unwrap();
        assert_eq!(marks[&Partition(0)].high, Offset(5));
        assert_eq!(marks[&Partition(1)].low, Offset(0));
        let free = EmbeddedBroker::free_records(&settings, &topic, PATIENCE).unwrap();
        assert_eq!(free, 100_000 - 5);
        let mut taken = 0;
        read_topic(&settings, &topic, PATIENCE, |_| {
            taken += 1;
            if taken == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
        assert_eq!(taken, 2);
    })
    .await
    .unwrap();
}
