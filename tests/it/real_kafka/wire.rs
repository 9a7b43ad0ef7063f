//! A few requests of Kafka's own protocol, written out: the judge of what is in the brokers.
//!
//! It does not use the worker's client library, so that the two cannot make the same mistake, and so that it can write what
//! a library refuses. One request per connection, to a cluster of one broker. Each request has the oldest version that
//! Kafka 4 accepts.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::broker::Broker;

const LIST_OFFSETS: (i16, i16) = (2, 1);
const OFFSET_COMMIT: (i16, i16) = (8, 2);
const OFFSET_FETCH: (i16, i16) = (9, 1);
const FIND_COORDINATOR: (i16, i16) = (10, 0);
const API_VERSIONS: (i16, i16) = (18, 0);
const CREATE_TOPICS: (i16, i16) = (19, 2);
const DELETE_TOPICS: (i16, i16) = (20, 1);
const DELETE_RECORDS: (i16, i16) = (21, 0);
const CREATE_PARTITIONS: (i16, i16) = (37, 0);
const INCREMENTAL_ALTER_CONFIGS: (i16, i16) = (44, 0);
const OFFSET_DELETE: (i16, i16) = (47, 0);

/// The coordinator is loading, missing, or elsewhere.
const NOT_YET: [i16; 3] = [14, 15, 16];

/// What a group has committed for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The next offset; -1 if none.
    pub(crate) offset: i64,
    pub(crate) metadata: Vec<u8>,
}

/// Whether the broker answers. Its port may be open long before that.
pub(crate) async fn answers(broker: &Broker) -> bool {
    try_request(broker, API_VERSIONS, &Body::default())
        .await
        .is_ok()
}

/// Creates a topic with this configuration.
pub(crate) async fn create_topic(
    broker: &Broker,
    name: &str,
    partitions: i32,
    config: &[(&str, &str)],
) {
    let mut body = Body::default();
    body.i32(1).text(name).i32(partitions).i16(1).i32(0);
    body.i32(count(config.len()));
    for (key, value) in config {
        body.text(key).text(value);
    }
    body.i32(10_000).bytes(&[0]);
    change_topic(broker, CREATE_TOPICS, &body, name).await;
}

/// Creates a topic if its name is free.
pub(crate) async fn try_create_topic(broker: &Broker, name: &str, partitions: i32) -> bool {
    let mut body = Body::default();
    body.i32(1).text(name).i32(partitions).i16(1).i32(0).i32(0);
    body.i32(10_000).bytes(&[0]);
    let mut answer = request(broker, CREATE_TOPICS, &body).await;
    answer.i32();
    assert_eq!(answer.i32(), 1);
    answer.text();
    answer.i16() == 0
}

/// Gives a topic more partitions; `partitions` is the new total.
pub(crate) async fn add_partitions(broker: &Broker, name: &str, partitions: i32) {
    let mut body = Body::default();
    body.i32(1).text(name).i32(partitions).i32(-1);
    body.i32(10_000).bytes(&[0]);
    change_topic(broker, CREATE_PARTITIONS, &body, name).await;
}

/// Deletes a topic, and returns when its name is free.
pub(crate) async fn delete_topic(broker: &Broker, name: &str) {
    let mut body = Body::default();
    body.i32(1).text(name).i32(10_000);
    let mut answer = request(broker, DELETE_TOPICS, &body).await;
    answer.i32();
    assert_eq!(answer.i32(), 1);
    assert_eq!(answer.text(), name.as_bytes());
    assert_eq!(answer.i16(), 0, "topic {name} cannot be deleted");
}

/// Deletes the records of a partition below an offset.
pub(crate) async fn delete_records(broker: &Broker, topic: &str, partition: i32, below: i64) {
    let mut body = Body::default();
    body.i32(1).text(topic).i32(1).i32(partition).i64(below);
    body.i32(10_000);
    let mut answer = request(broker, DELETE_RECORDS, &body).await;
    answer.i32();
    assert_eq!(answer.i32(), 1);
    answer.text();
    assert_eq!(answer.i32(), 1);
    let (_, low, error) = (answer.i32(), answer.i64(), answer.i16());
    assert_eq!((error, low), (0, below), "{topic}[{partition}]");
}

/// Forgets what a group has committed for a partition, as brokers do once a group was away for too long. It must have no members.
pub(crate) async fn delete_offset(broker: &Broker, group: &str, topic: &str, partition: i32) {
    let mut body = Body::default();
    body.text(group).i32(1).text(topic).i32(1).i32(partition);
    let mut answer = request(broker, OFFSET_DELETE, &body).await;
    assert_eq!(answer.i16(), 0, "offsets of {group} cannot be deleted");
    answer.i32();
    assert_eq!(answer.i32(), 1);
    answer.text();
    assert_eq!(answer.i32(), 1);
    let (_, error) = (answer.i32(), answer.i16());
    assert_eq!(error, 0, "{topic}[{partition}]");
}

/// A request about one topic, and the one answer to it.
async fn change_topic(broker: &Broker, what: (i16, i16), body: &Body, name: &str) {
    let mut answer = request(broker, what, body).await;
    answer.i32();
    assert_eq!(answer.i32(), 1);
    assert_eq!(answer.text(), name.as_bytes());
    assert_eq!(
        answer.i16(),
        0,
        "topic {name}: {}",
        String::from_utf8_lossy(&answer.text())
    );
}

/// Sets one value of a topic's configuration.
pub(crate) async fn configure_topic(broker: &Broker, name: &str, key: &str, value: &str) {
    const TOPIC: u8 = 2;
    const SET: u8 = 0;
    let mut body = Body::default();
    body.i32(1).bytes(&[TOPIC]).text(name).i32(1);
    body.text(key).bytes(&[SET]).text(value).bytes(&[0]);
    let mut answer = request(broker, INCREMENTAL_ALTER_CONFIGS, &body).await;
    answer.i32();
    assert_eq!(answer.i32(), 1);
    let (error, words) = (answer.i16(), answer.text());
    assert_eq!(
        error,
        0,
        "topic {name}: {}",
        String::from_utf8_lossy(&words)
    );
}

/// The end of each partition: the offset after its last record.
pub(crate) async fn ends(broker: &Broker, topic: &str, partitions: i32) -> Vec<i64> {
    loop {
        let mut body = Body::default();
        body.i32(-1).i32(1).text(topic).i32(partitions);
        for partition in 0..partitions {
            body.i32(partition).i64(-1);
        }
        let mut answer = request(broker, LIST_OFFSETS, &body).await;
        assert_eq!(answer.i32(), 1);
        answer.text();
        let mut found: Vec<(i32, i16, i64)> = (0..answer.i32())
            .map(|_| {
                let (partition, error) = (answer.i32(), answer.i16());
                answer.i64();
                (partition, error, answer.i64())
            })
            .collect();
        found.sort_unstable();
        if found.iter().all(|(_, error, _)| *error == 0) {
            return found.into_iter().map(|(_, _, offset)| offset).collect();
        }
        // A new topic's leader may not be known for a moment; the callers bound the wait.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the group has committed, by partition.
pub(crate) async fn committed(
    broker: &Broker,
    group: &str,
    topic: &str,
    partitions: i32,
) -> Vec<Committed> {
    loop {
        match try_committed(broker, group, topic, partitions)
            .await
            .unwrap()
        {
            Ok(committed) => return committed,
            Err(error) => assert!(NOT_YET.contains(&error), "error {error}"),
        }
        find_coordinator(broker, group).await;
    }
}

/// The same in one attempt, from brokers that may be away: the inner error is the brokers' own.
pub(crate) async fn try_committed(
    broker: &Broker,
    group: &str,
    topic: &str,
    partitions: i32,
) -> std::io::Result<Result<Vec<Committed>, i16>> {
    let mut body = Body::default();
    body.text(group).i32(1).text(topic).i32(partitions);
    for partition in 0..partitions {
        body.i32(partition);
    }
    let mut answer = try_request(broker, OFFSET_FETCH, &body).await?;
    let mut found: Vec<(i32, Committed, i16)> = Vec::new();
    for _ in 0..answer.i32() {
        answer.text();
        for _ in 0..answer.i32() {
            let partition = answer.i32();
            let committed = Committed {
                offset: answer.i64(),
                metadata: answer.text(),
            };
            found.push((partition, committed, answer.i16()));
        }
    }
    if let Some((_, _, error)) = found.iter().find(|(_, _, error)| *error != 0) {
        return Ok(Err(*error));
    }
    found.sort_unstable_by_key(|(partition, _, _)| *partition);
    Ok(Ok(found
        .into_iter()
        .map(|(_, committed, _)| committed)
        .collect()))
}

/// Commits as a program that is not a member of the group, which has to be empty. Returns the broker's error code.
pub(crate) async fn commit(
    broker: &Broker,
    group: &str,
    topic: &str,
    entries: &[(i32, i64, &[u8])],
) -> i16 {
    loop {
        let mut body = Body::default();
        body.text(group)
            .i32(-1)
            .text("")
            .i64(-1)
            .i32(1)
            .text(topic)
            .i32(count(entries.len()));
        for (partition, offset, metadata) in entries {
            body.i32(*partition)
                .i64(*offset)
                .i16(i16::try_from(metadata.len()).unwrap())
                .bytes(metadata);
        }
        let mut answer = request(broker, OFFSET_COMMIT, &body).await;
        assert_eq!(answer.i32(), 1);
        answer.text();
        let errors: Vec<i16> = (0..answer.i32())
            .map(|_| {
                answer.i32();
                answer.i16()
            })
            .collect();
        if errors.iter().any(|error| NOT_YET.contains(error)) {
            find_coordinator(broker, group).await;
            continue;
        }
        return errors
            .into_iter()
            .find(|error| *error != 0)
            .unwrap_or_default();
    }
}

/// Makes the broker find the group coordinator, and create what it needs for the first group.
async fn find_coordinator(broker: &Broker, group: &str) {
    let mut body = Body::default();
    body.text(group);
    request(broker, FIND_COORDINATOR, &body).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn request(broker: &Broker, api: (i16, i16), body: &Body) -> Answer {
    try_request(broker, api, body).await.unwrap()
}

async fn try_request(
    broker: &Broker,
    (key, version): (i16, i16),
    body: &Body,
) -> std::io::Result<Answer> {
    let mut message = Body::default();
    message
        .i16(key)
        .i16(version)
        .i32(7)
        .text("judge")
        .bytes(&body.0);
    let mut framed = Body::default();
    framed.i32(count(message.0.len())).bytes(&message.0);
    let mut stream = TcpStream::connect(&broker.address).await?;
    stream.write_all(&framed.0).await?;
    let length = stream.read_i32().await?;
    let mut answer = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut answer).await?;
    let mut answer = Answer {
        bytes: answer,
        at: 0,
    };
    assert_eq!(answer.i32(), 7, "the answer to another request");
    Ok(answer)
}

fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap()
}

/// A request on its way out.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn i16(&mut self, value: i16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.i16(i16::try_from(text.len()).unwrap())
            .bytes(text.as_bytes())
    }
}

/// An answer being read.
struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take(&mut self, length: usize) -> &[u8] {
        let start = self.at;
        self.at += length;
        &self.bytes[start..self.at]
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().unwrap())
    }

    /// A text that may be null, which reads as empty.
    fn text(&mut self) -> Vec<u8> {
        let length = self.i16();
        self.take(usize::try_from(length).unwrap_or_default())
            .to_vec()
    }
}
