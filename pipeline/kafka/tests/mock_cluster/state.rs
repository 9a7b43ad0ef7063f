//! The state topic: laid out, written, read back.

use std::sync::Arc;

use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::state::{StateProducer, inspect, lay_out, restore};
use ingest_kafka::{KafkaSettings, ReadError};
use ingest_model::record::{Offset, Topic, TopicPartition};
use ingest_model::state_log::reduce::Slice;
use ingest_model::state_log::writer::{Capacity, SliceWriter};
use ingest_model::state_log::{Content, Entity, Entry, OwnerId, SliceId};

use crate::support::{PATIENCE, settings};

const STATE: &str = "state";
const CAPACITY: Capacity = Capacity {
    facts: 5_000,
    events: 5_000,
};

fn inputs() -> Vec<TopicPartition> {
    (0..4).map(|n| TopicPartition::new("events", n)).collect()
}

fn customer(at: i64, id: &str) -> Entry {
    Entry {
        at: Offset(at),
        content: Content::Customer(Arc::from(id)),
    }
}

async fn write(
    settings: &KafkaSettings,
    input: &TopicPartition,
    count: u32,
    writer: &mut SliceWriter,
) {
    let producer = StateProducer::new(settings).unwrap();
    let place = SliceId::of(input).state_partition(count);
    while let Some(batch) = writer.next_batch() {
        let topic = Topic::new(STATE);
        producer.write(&topic, place, batch).await.unwrap();
        writer.acknowledged();
    }
}

async fn read(
    settings: &KafkaSettings,
    count: u32,
    inputs: Vec<TopicPartition>,
) -> Result<(Vec<(TopicPartition, Slice)>, Vec<(u64, u64)>), ReadError> {
    let settings = settings.clone();
    tokio::task::spawn_blocking(move || {
        let mut progress = Vec::new();
        let note = |read, total| progress.push((read, total));
        let slices = restore(
            &settings,
            &Topic::new(STATE),
            count,
            &inputs,
            PATIENCE,
            note,
        )?;
        Ok((slices, progress))
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_come_back_as_they_were_written_with_progress() {
    let broker = EmbeddedBroker::start(&[("events", 4), ("dead", 1), (STATE, 3)]).unwrap();
    let settings = settings(&broker, &["events"]);
    for (index, input) in (0..).zip(&inputs()) {
        let slice = SliceId::of(input);
        let mut writer = SliceWriter::new(slice, OwnerId::new(1, 1), &Slice::default(), CAPACITY);
        for n in 0..1_500 {
            writer.learn(Entity::Customer(n), customer(index, "old"));
        }
        write(&settings, input, 3, &mut writer).await;
    }
    // The second owner of one partition has newer state.
    let first = inputs().remove(0);
    let (held, _) = read(&settings, 3, vec![first.clone()]).await.unwrap();
    let mut writer = SliceWriter::new(
        SliceId::of(&first),
        OwnerId::new(1, 2),
        &held[0].1,
        CAPACITY,
    );
    writer.learn(Entity::Customer(7), customer(9, "new"));
    write(&settings, &first, 3, &mut writer).await;

    let (slices, progress) = read(&settings, 3, inputs()).await.unwrap();
    assert_eq!(slices.len(), 4);
    for (input, slice) in slices {
        assert_eq!(slice.entries.len(), 1_500, "{input}");
        assert_eq!(slice.unknown, 0);
        let newer = slice
            .entries
            .iter()
            .filter(|(_, _, entry)| *entry == customer(9, "new"));
        assert_eq!(newer.count(), usize::from(input == first));
    }
    let total = 4 * 1_500 + 2;
    assert_eq!(progress.first(), Some(&(0, total)));
    assert_eq!(progress.last(), Some(&(total, total)));
    assert!(progress.len() > 3 && progress.is_sorted(), "{progress:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_number_of_partitions_is_noticed() {
    let broker = EmbeddedBroker::start(&[("events", 1), ("dead", 1), (STATE, 3)]).unwrap();
    let settings = settings(&broker, &["events"]);
    let topic = Topic::new(STATE);
    let fresh = inspect(&settings, &topic, PATIENCE).await.unwrap();
    assert_eq!((fresh.partitions, fresh.laid_out_for), (3, None));
    let producer = StateProducer::new(&settings).unwrap();
    lay_out(&producer, &topic, 3).await.unwrap();
    let used = inspect(&settings, &topic, PATIENCE).await.unwrap();
    assert_eq!(used.laid_out_for, Some(3));
    assert_eq!(used.was_laid_out_for(), None);
    lay_out(&producer, &topic, 2).await.unwrap();
    // The count recorded at the first use remains valid.
    let other = inspect(&settings, &topic, PATIENCE).await.unwrap();
    assert_eq!(other.laid_out_for, Some(3));
    let missing = Topic::new("nowhere");
    let asked = inspect(&settings, &missing, PATIENCE).await;
    assert_eq!(asked, Err(ReadError::UnknownTopic { topic: missing }));
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_do_not_answer_end_a_restore() {
    let broker = EmbeddedBroker::start(&[("events", 1), ("dead", 1), (STATE, 3)]).unwrap();
    let settings = settings(&broker, &["events"]);
    broker.set_down(true).unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        let short = std::time::Duration::from_secs(1);
        restore(
            &settings,
            &Topic::new(STATE),
            3,
            &inputs(),
            short,
            |_, _| {},
        )
    });
    assert!(matches!(
        asked.await.unwrap(),
        Err(ReadError::Unreachable { .. })
    ));
}
