//! What brokers accept with a committed offset: characters count, not bytes, and every sign comes back unchanged.

use std::time::Duration;

use bytes::Bytes;
use ingest_delivery::partitions::commit_metadata::{DEFAULT_LIMIT, decode, encode};
use ingest_kafka::{
    Assigned, CommitEntry, CommitFailureKind, KafkaOptions, KafkaSettings, OutgoingRecord,
    RecordProducer, SourceCommand, SourceEvent, SourceEvents, SourceHandle,
};
use ingest_model::record::{Offset, Partition, Topic, TopicPartition};

use super::{PATIENCE, broker, say, wire};

/// The signs that texts are made of.
const SIGNS: std::ops::Range<u32> = 0x4e00..0xce00;

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_text_of_three_byte_characters_comes_back_with_the_classic_protocol() {
    comes_back("text-classic", &[("session.timeout.ms", "6000")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_text_of_three_byte_characters_comes_back_with_the_newer_protocol() {
    comes_back("text-848", &[("group.protocol", "consumer")]).await;
}

async fn comes_back(name: &str, properties: &[(&str, &str)]) {
    let Some(broker) = broker::shared(name).await else {
        return;
    };
    wire::create_topic(&broker, name, 1, &[]).await;
    let group = format!("{name}-workers");
    let mut options = KafkaOptions::new(&broker.address, &group, &[name], "dead");
    for (property, value) in properties {
        let (property, value) = ((*property).to_owned(), (*value).to_owned());
        options.properties.insert(property, value);
    }
    let settings = KafkaSettings::try_new(options).unwrap();
    let producer = RecordProducer::new(&settings).unwrap();
    for _ in 0..20 {
        producer.send(&record(name)).await.unwrap();
    }

    let mut source = Source::start(&settings);
    let assigned = source.assigned().await;
    // Every sign, in texts of 3,900 characters and of the most that is accepted.
    let signs: Vec<char> = SIGNS.filter_map(char::from_u32).collect();
    assert_eq!(signs.len(), 32_768);
    let mut offset = 0;
    for length in [3_900, DEFAULT_LIMIT] {
        for part in signs.chunks(length) {
            let text: String = part.iter().collect();
            offset += 1;
            source.commit(&assigned, offset, &text).await.unwrap();
            let found = wire::committed(&broker, &group, name, 1).await;
            assert_eq!(
                (found[0].offset, &found[0].metadata),
                (offset, &text.into_bytes())
            );
        }
    }
    let longer: String = signs.iter().take(DEFAULT_LIMIT + 1).collect();
    let refused = source.commit(&assigned, offset, &longer).await;
    assert_eq!(refused, Err(CommitFailureKind::MetadataTooLarge));

    // The longest text that workers write, read by the next owner.
    let partition = TopicPartition {
        topic: Topic::new(name),
        partition: Partition(0),
    };
    let every_other = || (0..40_000).map(|n| (Offset(19 + 2 * n), Offset(19 + 2 * n)));
    let written = encode(&partition, Offset(18), None, every_other(), DEFAULT_LIMIT);
    let text = written.text.unwrap();
    assert_eq!(text.chars().count(), DEFAULT_LIMIT);
    source.commit(&assigned, 18, &text).await.unwrap();
    source.stop().await;
    let mut next = Source::start(&settings);
    let start = next.assigned().await.committed.unwrap();
    assert_eq!(start.offset, Offset(18));
    let read = start.metadata.unwrap();
    assert_eq!(read, text);
    let restored = decode(&partition, Offset(18), &read).unwrap();
    let expected: Vec<_> = every_other().take(restored.runs.len()).collect();
    assert_eq!(restored.runs, expected);
    next.stop().await;
    say(&format!(
        "{name}: {DEFAULT_LIMIT} characters of three bytes came back, one more was refused; {} settled offsets in one text",
        restored.offsets()
    ));
}

fn record(topic: &str) -> OutgoingRecord {
    OutgoingRecord {
        topic: Topic::new(topic),
        partition: None,
        key: None,
        value: Some(Bytes::from_static(b"{}")),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// The worker's side of Kafka, without the worker.
struct Source {
    handle: SourceHandle,
    events: SourceEvents,
}

impl Source {
    fn start(settings: &KafkaSettings) -> Self {
        let (handle, events) = ingest_kafka::spawn(settings).unwrap();
        Self { handle, events }
    }

    async fn next(&mut self) -> SourceEvent {
        tokio::time::timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event in time")
            .expect("the poll thread lives")
    }

    async fn assigned(&mut self) -> Assigned {
        loop {
            if let SourceEvent::Assigned(mut assigned) = self.next().await
                && let Some(one) = assigned.pop()
            {
                return one;
            }
        }
    }

    async fn commit(
        &mut self,
        assigned: &Assigned,
        offset: i64,
        text: &str,
    ) -> Result<(), CommitFailureKind> {
        let entry = CommitEntry {
            partition: assigned.partition.clone(),
            epoch: assigned.epoch,
            offset: Offset(offset),
            metadata: Some(text.to_owned()),
        };
        let entries = vec![entry];
        self.handle.send(SourceCommand::Commit { entries }).unwrap();
        loop {
            if let SourceEvent::Committed { result, .. } = self.next().await {
                return result.map_err(|failure| failure.kind);
            }
        }
    }

    async fn stop(mut self) {
        self.handle.send(SourceCommand::Stop).unwrap();
        while !matches!(self.next().await, SourceEvent::Stopped) {}
        drop(tokio::time::timeout(Duration::from_secs(5), self.events.recv()).await);
        let ended = tokio::task::spawn_blocking(move || self.handle.join()).await;
        assert!(ended.unwrap());
    }
}
