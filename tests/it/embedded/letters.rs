//! `dead-letters` as a user types it, against the embedded broker.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use bytes::Bytes;
use ingest_kafka::embedded::{CommitRefusal, EmbeddedBroker};
use ingest_kafka::{KafkaOptions, KafkaSettings, OutgoingRecord, RecordProducer};
use ingest_model::outcome::{Rejected, Rejection};
use ingest_model::record::{Header, Offset, Partition, Position, Record, Topic, TopicPartition};
use kustomer_ingest::clock::Clock;
use kustomer_ingest::pump::letter_of;
use serde_json::Value;

const TOPIC: &str = "shop.events";
const LETTERS: &str = "shop.dead";
const HELD: &str = "shop.held";

/// A broker with letters on it, and a configuration.
struct Post {
    kafka: KafkaSettings,
    producer: RecordProducer,
    config: PathBuf,
    broker: EmbeddedBroker,
    _folder: tempfile::TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
struct Said {
    out: String,
    err: String,
    code: i32,
}

impl Post {
    fn start() -> Self {
        let broker =
            EmbeddedBroker::start(&[(TOPIC, 3), ("other", 1), (LETTERS, 1), (HELD, 1)]).unwrap();
        let servers = broker.bootstrap_servers().to_owned();
        let servers = servers.as_str();
        let options = KafkaOptions::new(servers, "post", &[TOPIC], LETTERS);
        let kafka = KafkaSettings::try_new(options).unwrap();
        let producer = RecordProducer::new(&kafka).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("worker.yaml");
        let text = format!(
            "kafka:\n  brokers: {servers}\n  group: post\n  instance_id: {{ env: NOT_SET_HERE }}\n  topics:\n    - name: {TOPIC}\n      mapping:\n        routes: \
             [ {{ name: r, on: x, do: [ {{ track: .event }} ] }} ]\n  dead_letter_topic: {LETTERS}\n  hold_topic: \
             {HELD}\nkustomer:\n  base_url: http://127.0.0.1:1\n  token: {{ env: NOT_READ }}\n  limit: 1000\n"
        );
        std::fs::write(&config, text).unwrap();
        Self {
            kafka,
            producer,
            config,
            broker,
            _folder: folder,
        }
    }

    /// Writes the letter of a record from `topic[partition]@offset`.
    async fn letter(&self, topic: &str, partition: i32, offset: i64, reason: Rejection) {
        self.letter_to(LETTERS, topic, partition, offset, reason, &[])
            .await;
    }

    async fn letter_to(
        &self,
        letters: &str,
        topic: &str,
        partition: i32,
        offset: i64,
        reason: Rejection,
        headers: &[(&str, &str)],
    ) {
        let record = Record {
            position: Position {
                partition: TopicPartition::new(topic, partition),
                offset: Offset(offset),
            },
            key: Some(Bytes::from(format!("secret-{partition}"))),
            value: Some(Bytes::from(format!("{{\"n\":{offset}}}"))),
            headers: [("trace", "t1")]
                .iter()
                .chain(headers)
                .map(|(name, value)| Header {
                    name: (*name).to_owned(),
                    value: Some(Bytes::from((*value).to_owned())),
                })
                .collect(),
            timestamp_ms: Some(1_700_000_000_000 + offset),
        };
        let rejected = Rejected::new(reason, "route r: `.x` has no value");
        let letter = letter_of(Topic::new(letters), record, &rejected, 1, Clock.unix_ms());
        let record = OutgoingRecord {
            topic: letter.topic,
            partition: None,
            key: letter.key,
            value: letter.value,
            headers: letter.headers,
            timestamp_ms: letter.timestamp_ms,
        };
        self.producer.send(&record).await.unwrap();
    }

    /// Runs `dead-letters COMMAND`.
    fn run(&self, arguments: &[&str]) -> Said {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
            .args(["dead-letters", arguments[0], "--config"])
            .arg(&self.config)
            .args(&arguments[1..])
            .output()
            .unwrap();
        Said {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }

    /// Everything on the input topic, by partition and in order.
    async fn sent_back(&self) -> BTreeMap<Partition, Vec<Record>> {
        let kafka = self.kafka.clone();
        tokio::task::spawn_blocking(move || {
            let mut records: BTreeMap<Partition, Vec<Record>> = BTreeMap::new();
            let topic = Topic::new(TOPIC);
            let patience = Duration::from_secs(20);
            ingest_kafka::reader::read_topic(&kafka, &topic, patience, |record| {
                let partition = record.position.partition.partition;
                records.entry(partition).or_default().push(record);
                ControlFlow::Continue(())
            })
            .unwrap();
            records
        })
        .await
        .unwrap()
    }
}

fn text<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    let value = record.header(name)?;
    Some(std::str::from_utf8(value).unwrap())
}

fn offsets(records: &[Record]) -> Vec<&str> {
    records
        .iter()
        .map(|record| text(record, "ingest.source.offset").unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_listed_and_shown_without_their_content() {
    let post = Post::start();
    post.letter(TOPIC, 1, 10, Rejection::MappingFailed).await;
    post.letter(TOPIC, 2, 20, Rejection::MissingField).await;
    post.letter("other", 0, 30, Rejection::MappingFailed).await;

    let said = post.run(&["list"]);
    assert_eq!(said.code, 0, "{said:?}");
    for expected in [
        "shop.events[1]@10",
        "mapping_failed",
        "3 letters",
        "  1 missing_field of shop.events",
    ] {
        assert!(said.out.contains(expected), "{expected} is not in {said:?}");
    }
    assert!(
        !said.out.contains("secret") && !said.out.contains("\"n\""),
        "{said:?}"
    );

    let said = post.run(&[
        "list",
        "--json",
        "--reason",
        "mapping_failed",
        "--since",
        "1h",
    ]);
    let lines: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    assert_eq!(lines[0]["position"], "0:0");
    assert_eq!(lines[1]["source"]["topic"], "other");
    assert_eq!(lines[1]["replays"], 0);
    let said = post.run(&["list", "--json", "--topic", "other", "--until", "1h"]);
    assert_eq!((said.out.as_str(), said.code), ("", 0), "none is that old");

    let said = post.run(&["show", "0:1"]);
    assert!(
        said.out.contains("detail    route r: `.x` has no value"),
        "{said:?}"
    );
    assert!(
        said.out.contains("value     8 bytes") && !said.out.contains("secret"),
        "{said:?}"
    );
    let said = post.run(&["show", "--value", "0:1"]);
    assert!(
        said.out.contains("\"n\": 20") && said.out.contains("secret-2"),
        "{said:?}"
    );

    let said = post.run(&["show", "0:7"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("has the offsets 0 to 2"), "{said:?}");
    let said = post.run(&["list", "--reason", "no_such"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("there are invalid_json"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_other_events_of_one_batch_all_go_back() {
    let post = Post::start();
    for members in ["1-5", "6-10", "1-5"] {
        let named = [("ingest.members", members)];
        post.letter_to(LETTERS, TOPIC, 1, 10, Rejection::MappingFailed, &named)
            .await;
    }
    let said = post.run(&["replay", "--all", "--rate", "1000"]);
    assert_eq!(said.code, 0, "{said:?}");
    for expected in [
        "2 records sent back",
        "1 letter left out: a second letter of a record",
    ] {
        assert!(said.out.contains(expected), "{expected} is not in {said:?}");
    }
    let records = post.sent_back().await;
    let members: Vec<Option<&str>> = records[&Partition(1)]
        .iter()
        .map(|record| text(record, "ingest.members"))
        .collect();
    assert_eq!(members, [Some("1-5"), Some("6-10")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_back_where_they_came_from_and_only_once() {
    let post = Post::start();
    // As the worker may write them: not quite in the order of their records.
    for (partition, offset) in [(1, 11), (2, 20), (1, 10), (1, 12)] {
        post.letter(TOPIC, partition, offset, Rejection::MappingFailed)
            .await;
    }
    post.letter(TOPIC, 1, 12, Rejection::MappingFailed).await;
    post.letter("other", 0, 5, Rejection::MappingFailed).await;
    let often = [
        ("ingest.source.topic", TOPIC),
        ("ingest.source.partition", "0"),
        ("ingest.source.offset", "1"),
        ("ingest.replays", "2"),
    ];
    post.letter_to(LETTERS, TOPIC, 0, 99, Rejection::RefusedByApi, &often)
        .await;

    let said = post.run(&["replay"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("or --all"), "{said:?}");
    let said = post.run(&["replay", "--all", "--dry-run"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out
            .contains("0:2 -> shop.events[1] (mapping_failed, replays 0)"),
        "{said:?}"
    );
    assert!(said.out.contains("4 records would be sent"), "{said:?}");
    assert!(
        post.sent_back().await.is_empty(),
        "a dry run sent something"
    );

    let said = post.run(&["replay", "--all", "--rate", "1000"]);
    assert_eq!(said.code, 0, "{said:?}");
    for expected in [
        "4 records sent back",
        "1 letter left out: a second letter of a record",
        "1 letter left out: came back 3 times or more",
        "1 letter left out: from topics that this configuration does not read",
    ] {
        assert!(said.out.contains(expected), "{expected} is not in {said:?}");
    }
    let records = post.sent_back().await;
    assert_eq!(offsets(&records[&Partition(1)]), ["10", "11", "12"]);
    assert_eq!(offsets(&records[&Partition(2)]), ["20"]);
    let record = &records[&Partition(1)][0];
    assert_eq!(record.key.as_deref(), Some(b"secret-1".as_slice()));
    assert_eq!(record.value.as_deref(), Some(b"{\"n\":10}".as_slice()));
    assert_eq!(record.timestamp_ms, Some(1_700_000_000_010));
    assert_eq!(text(record, "trace"), Some("t1"));
    assert_eq!(text(record, "ingest.source.partition"), Some("1"));
    assert_eq!(text(record, "ingest.replays"), Some("0"));
    assert_eq!(text(record, "ingest.error.reason"), None);

    let said = post.run(&["replay", "--all"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("0 records sent back"), "{said:?}");
    assert!(
        said.out.contains("5 letters left out: sent back before"),
        "{said:?}"
    );
    let said = post.run(&["replay", "0:1", "--again"]);
    assert!(said.out.contains("1 record sent back"), "{said:?}");
    assert_eq!(
        offsets(&post.sent_back().await[&Partition(2)]),
        ["20", "20"]
    );
    let said = post.run(&["replay", "--max-replays", "4", "--reason", "refused_by_api"]);
    assert!(said.out.contains("1 record sent back"), "{said:?}");
    let records = post.sent_back().await;
    assert_eq!(offsets(&records[&Partition(0)]), ["1"]);
    assert_eq!(
        text(&records[&Partition(0)][0], "ingest.replays"),
        Some("3")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_is_read_from_its_own_topic_and_a_stopped_replay_goes_on() {
    let post = Post::start();
    for offset in 0..40 {
        post.letter_to(HELD, TOPIC, 0, offset, Rejection::RetriesExhausted, &[])
            .await;
    }
    post.letter(TOPIC, 1, 7, Rejection::MappingFailed).await;
    let said = post.run(&["list", "--from-hold", "--summary"]);
    assert!(said.out.starts_with("40 letters"), "{said:?}");

    let said = post.run(&["replay", "--from-hold", "--all", "--limit", "3"]);
    assert!(said.out.contains("3 records sent back"), "{said:?}");
    // SIGINT between two records.
    let child = Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
        .args([
            "dead-letters",
            "replay",
            "--from-hold",
            "--all",
            "--rate",
            "4",
        ])
        .arg("--config")
        .arg(&post.config)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let pid = child.id().to_string();
    let sent = Command::new("sh")
        .args(["-c", "kill -INT \"$0\"", &pid])
        .status()
        .unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stopped before the end"), "{said}");
    let sent = post.sent_back().await.remove(&Partition(0)).unwrap().len();
    assert!((5..40).contains(&sent), "{sent} were sent: {said}");
    assert!(said.contains(&format!("--from 0:{sent}")), "{said}");

    let said = post.run(&["replay", "--from-hold", "--all", "--rate", "1000"]);
    assert!(
        said.out
            .contains(&format!("{} records sent back", 40 - sent)),
        "{said:?}"
    );
    let records = post.sent_back().await;
    let expected: Vec<String> = (0..40).map(|offset| offset.to_string()).collect();
    assert_eq!(offsets(&records[&Partition(0)]), expected);
    assert!(
        !records.contains_key(&Partition(1)),
        "the dead letter was not asked for"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_named() {
    let post = Post::start();
    let text = std::fs::read_to_string(&post.config).unwrap();
    std::fs::write(&post.config, text.replace(LETTERS, "shop.nowhere")).unwrap();
    let said = post.run(&["list"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("topic shop.nowhere does not exist"),
        "{said:?}"
    );
    assert!(said.err.contains("names another topic"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_used_is_named_with_the_right_that_is_missing() {
    let post = Post::start();
    for offset in 0..3 {
        post.letter(TOPIC, 0, offset, Rejection::MappingFailed)
            .await;
    }
    // Without the group, nobody would know what was sent: it ends after the first record.
    post.broker
        .refuse_commits(CommitRefusal::NotAuthorized, 1)
        .unwrap();
    let said = post.run(&["replay", "--all"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("allow Read on the group post.replay"),
        "{said:?}"
    );
    assert!(said.out.contains("1 record sent back"), "{said:?}");
    assert!(said.out.contains("--from 0:1"), "where to go on: {said:?}");
    assert_eq!(post.sent_back().await[&Partition(0)].len(), 1);
    // With --again the person accepts it.
    post.broker
        .refuse_commits(CommitRefusal::NotAuthorized, 1)
        .unwrap();
    let said = post.run(&["replay", "--all", "--again", "--from", "0:1"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("2 records sent back"), "{said:?}");
    assert!(said.err.contains("could not be remembered"), "{said:?}");

    post.broker.forbid_topic(TOPIC).unwrap();
    let said = post.run(&["replay", "--all"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("nothing can be sent back to shop.events"),
        "{said:?}"
    );
    assert!(said.err.contains("allow Describe and Write"), "{said:?}");
    post.broker.forbid_topic(LETTERS).unwrap();
    let said = post.run(&["list"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("allow Describe and Read on shop.dead"),
        "{said:?}"
    );
}
