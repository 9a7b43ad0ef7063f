//! Helpers for the tests against the embedded broker.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use ingest_kafka::embedded::EmbeddedBroker;
use ingest_kafka::reader::{fetch_committed, read_topic};
use ingest_kafka::{
    Assigned, CommitEntry, KafkaOptions, KafkaSettings, OutgoingRecord, Prefetch, RecordProducer,
    SourceCommand, SourceEvent, SourceEvents, SourceHandle,
};
use ingest_model::record::{Epoch, Header, Offset, Partition, Record, Topic, TopicPartition};

/// Longer than any group join with the embedded broker.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// If no record arrives for this long, none will.
pub(crate) const QUIET: Duration = Duration::from_millis(700);

/// The worker's end of the seam.
pub(crate) struct Source {
    pub(crate) handle: SourceHandle,
    pub(crate) events: SourceEvents,
    /// Records of a batch that nobody has taken yet.
    taken: VecDeque<(Record, Epoch)>,
}

/// Settings for a broker, with the shortest session time-out that it supports.
pub(crate) fn settings(broker: &EmbeddedBroker, topics: &[&str]) -> KafkaSettings {
    settings_with(broker, topics, |_| {})
}

pub(crate) fn settings_with(
    broker: &EmbeddedBroker,
    topics: &[&str],
    change: impl FnOnce(&mut KafkaOptions),
) -> KafkaSettings {
    let mut options = KafkaOptions::new(broker.bootstrap_servers(), "workers", topics, "dead");
    for (property, value) in [
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "500"),
    ] {
        options
            .properties
            .insert(property.to_owned(), value.to_owned());
    }
    change(&mut options);
    KafkaSettings::try_new(options).unwrap()
}

/// A small channel, so that it fills up.
pub(crate) fn small_prefetch(options: &mut KafkaOptions) {
    options.prefetch = Prefetch {
        records: 40,
        bytes: 1024 * 1024,
    };
}

pub(crate) fn start(settings: &KafkaSettings) -> Source {
    let (handle, events) = ingest_kafka::spawn(settings).unwrap();
    Source {
        handle,
        events,
        taken: VecDeque::new(),
    }
}

impl Source {
    /// The next event that is neither a report nor statistics.
    pub(crate) async fn next(&mut self) -> SourceEvent {
        loop {
            match self.event().await {
                SourceEvent::Statistics(_) | SourceEvent::Error(_) => {}
                event => return event,
            }
        }
    }

    /// The next event, with one record at a time.
    pub(crate) async fn event(&mut self) -> SourceEvent {
        if let Some(record) = self.taken.pop_front() {
            return SourceEvent::Records(vec![record]);
        }
        let event = tokio::time::timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event in time")
            .expect("the poll thread lives");
        match event {
            SourceEvent::Records(batch) => {
                self.taken.extend(batch);
                let first = self.taken.pop_front().expect("no batch is empty");
                SourceEvent::Records(vec![first])
            }
            other => other,
        }
    }

    /// Asserts that no record arrives for this long; returns all other events except reports and statistics.
    pub(crate) async fn quiet_for(&mut self, time: Duration) -> Vec<SourceEvent> {
        assert!(self.taken.is_empty(), "unexpected {:?}", self.taken);
        let mut others = Vec::new();
        let end = tokio::time::Instant::now() + time;
        while let Ok(event) = tokio::time::timeout_at(end, self.events.recv()).await {
            let event = event.expect("the poll thread lives");
            assert!(
                !matches!(event, SourceEvent::Records(_)),
                "unexpected {event:?}"
            );
            if !matches!(event, SourceEvent::Statistics(_) | SourceEvent::Error(_)) {
                others.push(event);
            }
        }
        others
    }

    pub(crate) async fn assigned(&mut self) -> Vec<Assigned> {
        match self.next().await {
            SourceEvent::Assigned(assigned) => assigned,
            other => panic!("instead of an assignment: {other:?}"),
        }
    }

    pub(crate) async fn records(&mut self, count: usize) -> Vec<(Record, Epoch)> {
        let mut records = Vec::with_capacity(count);
        while records.len() < count {
            match self.next().await {
                SourceEvent::Records(batch) => records.extend(batch),
                other => panic!("instead of a record: {other:?}"),
            }
        }
        records
    }

    /// Commits and waits for the answer; returns what arrived meanwhile.
    pub(crate) async fn commit(&mut self, entry: CommitEntry) -> Vec<SourceEvent> {
        let (partition, epoch, offset) = (entry.partition.clone(), entry.epoch, entry.offset);
        self.send(SourceCommand::Commit {
            entries: vec![entry],
        });
        let mut others = Vec::new();
        loop {
            match self.next().await {
                SourceEvent::Committed { entries, result } => {
                    assert_eq!(entries, vec![(partition, epoch, offset)]);
                    result.unwrap();
                    return others;
                }
                other => others.push(other),
            }
        }
    }

    pub(crate) fn send(&self, command: SourceCommand) {
        self.handle.send(command).unwrap();
    }

    /// Stops, and waits for the last event and for the thread to end.
    pub(crate) async fn stop(mut self) {
        self.send(SourceCommand::Stop);
        loop {
            if let SourceEvent::Stopped = self.event().await {
                break;
            }
        }
        assert_eq!(self.events.recv().await, None);
        assert!(
            tokio::task::spawn_blocking(move || self.handle.join())
                .await
                .unwrap()
        );
    }
}

pub(crate) fn entry(assigned: &Assigned, offset: i64, metadata: Option<&str>) -> CommitEntry {
    CommitEntry {
        partition: assigned.partition.clone(),
        epoch: assigned.epoch,
        offset: Offset(offset),
        metadata: metadata.map(str::to_owned),
    }
}

/// Writes `count` records to a partition, with consecutive numbers from `first` as values.
pub(crate) async fn fill(
    settings: &KafkaSettings,
    topic: &str,
    number: i32,
    first: usize,
    count: usize,
) {
    let producer = RecordProducer::new(settings).unwrap();
    for value in first..first + count {
        producer
            .send(&outgoing(topic, number, &value.to_string()))
            .await
            .unwrap();
    }
}

pub(crate) fn outgoing(topic: &str, number: i32, value: &str) -> OutgoingRecord {
    OutgoingRecord {
        topic: Topic::new(topic),
        partition: Some(Partition(number)),
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

pub(crate) fn header(name: &str, value: Option<&[u8]>) -> Header {
    Header {
        name: name.to_owned(),
        value: value.map(Bytes::copy_from_slice),
    }
}

pub(crate) fn offsets(records: &[(Record, Epoch)]) -> Vec<i64> {
    records
        .iter()
        .map(|(record, _)| record.position.offset.0)
        .collect()
}

pub(crate) fn by_partition(assigned: &[Assigned]) -> BTreeMap<TopicPartition, Assigned> {
    assigned
        .iter()
        .map(|one| (one.partition.clone(), one.clone()))
        .collect()
}

/// Commits with metadata that is not UTF-8, as another client could: one hand-written protocol request (offset commit,
/// version 2, outside any generation).
pub(crate) fn commit_foreign_bytes(
    broker: &EmbeddedBroker,
    group: &str,
    topic: &str,
    offset: i64,
    metadata: &[u8],
) {
    fn text(body: &mut Vec<u8>, bytes: &[u8]) {
        body.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
        body.extend(bytes);
    }
    let mut body = Vec::new();
    body.extend(8_i16.to_be_bytes()); // offset commit
    body.extend(2_i16.to_be_bytes());
    body.extend(7_i32.to_be_bytes());
    text(&mut body, b"foreign");
    text(&mut body, group.as_bytes());
    body.extend((-1_i32).to_be_bytes()); // no generation
    text(&mut body, b""); // no member
    body.extend((-1_i64).to_be_bytes()); // the broker's retention
    body.extend(1_i32.to_be_bytes());
    text(&mut body, topic.as_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i32.to_be_bytes()); // partition
    body.extend(offset.to_be_bytes());
    text(&mut body, metadata);

    let address = broker.bootstrap_servers().split(',').next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(&i32::try_from(body.len()).unwrap().to_be_bytes())
        .unwrap();
    stream.write_all(&body).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    let code = i16::from_be_bytes(answer[answer.len() - 2..].try_into().unwrap());
    assert_eq!(code, 0, "the foreign commit was taken");
}

pub(crate) fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("events", number)
}

/// A topic's records, read on a separate thread because everything in `reader` blocks.
pub(crate) async fn all_records(settings: &KafkaSettings, topic: &str) -> Vec<Record> {
    let (settings, topic) = (settings.clone(), Topic::new(topic));
    tokio::task::spawn_blocking(move || {
        let mut records = Vec::new();
        read_topic(&settings, &topic, PATIENCE, |record| {
            records.push(record);
            ControlFlow::Continue(())
        })
        .unwrap();
        records
    })
    .await
    .unwrap()
}

pub(crate) async fn committed(settings: &KafkaSettings, number: i32) -> Option<Offset> {
    let settings = settings.clone();
    tokio::task::spawn_blocking(move || {
        fetch_committed(&settings, &Topic::new("events"), PATIENCE)
            .unwrap()
            .get(&Partition(number))
            .copied()
    })
    .await
    .unwrap()
}
