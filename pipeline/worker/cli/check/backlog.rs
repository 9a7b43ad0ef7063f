//! What `check --online` says of the group's position: how far it is behind, whether its offsets are still in the logs, and whether
//! records are kept for as long as the backlog takes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use ingest_kafka::reader::retention::{Retention, fetch_retention};
use ingest_kafka::reader::{Watermarks, fetch_committed, fetch_watermarks};
use ingest_kafka::{KafkaSettings, OnLostPosition, ReadError};
use ingest_model::record::{Offset, Partition, Topic};

use super::finding::Finding;
use crate::config::{Settings, show_duration};
use crate::observe::words::plural;

/// How long the brokers may take to answer about one topic.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Records that are kept for less do not survive an outage over a weekend.
const WEEKEND: Duration = Duration::from_secs(3 * 86_400);

/// Why it is not known how long records are kept, and what to do.
const WITH_TOKENS: &str = "it is not asked where brokers want tokens, so nobody is warned before records are deleted unread: see to the retention yourself";
const WITHOUT_RIGHT: &str = "allow DescribeConfigs on the topic for these credentials, or nobody is warned before records are deleted unread";
const WITHOUT_ANSWER: &str = "the brokers did not answer: ask again";

/// What is known of one topic.
struct Backlog {
    /// Records after the committed offsets, or in the logs where nothing is committed.
    records: u64,
    /// Whether anything is committed.
    known: bool,
    /// Partitions whose committed offset lies below the start of the log, with the records that are gone.
    lost: Vec<(Partition, u64)>,
    /// Partitions whose committed offset lies above the end of the log, with the records that are in it.
    beyond: Vec<(Partition, u64)>,
}

/// Looks at all input topics. Blocks for as long as the brokers take.
pub(super) fn findings(
    settings: &Settings,
    client: &KafkaSettings,
    runtime: &tokio::runtime::Runtime,
) -> Vec<Finding> {
    let topics: Vec<Topic> = settings
        .kafka
        .topics
        .iter()
        .map(|one| one.topic.clone())
        .collect();
    let (kept, unknown): (_, Cow<'_, str>) = if client.needs_tokens() {
        (BTreeMap::new(), WITH_TOKENS.into())
    } else {
        match runtime.block_on(fetch_retention(client, &topics, TIMEOUT)) {
            Ok(Some(kept)) => (kept, WITHOUT_RIGHT.into()),
            Ok(None) => (BTreeMap::new(), WITHOUT_ANSWER.into()),
            Err(why) => (
                BTreeMap::new(),
                format!("mend kafka.properties: {why}").into(),
            ),
        }
    };
    let mut findings = Vec::new();
    let mut behind = Vec::new();
    for topic in &topics {
        match backlog(client, topic) {
            Ok(backlog) => {
                let age = kept.get(topic).and_then(|kept| kept.age);
                behind.push((backlog.records, age));
                findings.extend(of_topic(
                    (settings, &unknown),
                    topic,
                    &backlog,
                    kept.get(topic),
                ));
            }
            Err(error) => findings.push(Finding::warning(
                format!("topic {topic}: how far the group is behind cannot be asked: {error}"),
                "allow Describe on the topic and on the group for these credentials",
            )),
        }
    }
    let allowance = u64::from(settings.kustomer.quota.allowance());
    findings.extend(takes(allowance, &behind));
    findings
}

fn backlog(client: &KafkaSettings, topic: &Topic) -> Result<Backlog, ReadError> {
    let logs = fetch_watermarks(client, topic, TIMEOUT)?;
    let committed = fetch_committed(client, topic, TIMEOUT)?;
    Ok(Backlog::of(&logs, &committed))
}

fn of_topic(
    (settings, unknown): (&Settings, &str),
    topic: &Topic,
    backlog: &Backlog,
    kept: Option<&Retention>,
) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(format!(
        "topic {topic}: {}{}; {}",
        plural(backlog.records, "record"),
        if backlog.known {
            " behind"
        } else {
            " to read, and nothing committed yet"
        },
        kept.map_or_else(
            || "how long they are kept is not known".to_owned(),
            in_words
        ),
    ))];
    for (partition, gone) in &backlog.lost {
        let waits = settings.kafka.on_lost_position == OnLostPosition::Hold;
        findings.push(Finding::warning(
            format!(
                "topic {topic}: the committed offset of partition {} lies below the start of the log: {} were deleted unread",
                partition.0,
                plural(*gone, "record")
            ),
            if waits {
                "the worker will not read this partition (hold lost_position) until somebody decides; or set the group's offset before it starts"
            } else {
                "kafka.on_lost_position says where it goes on"
            },
        ));
    }
    for (partition, records) in &backlog.beyond {
        let latest = settings.kafka.on_lost_position == OnLostPosition::Latest;
        findings.push(Finding::warning(
            format!(
                "topic {topic}: the committed offset of partition {} lies above the end of the log, which lost its end or is another one: its {} will be {}",
                partition.0,
                plural(*records, "record"),
                if latest { "passed over" } else { "read from the start" }
            ),
            "set the group's offset to where it is to go on before the worker starts",
        ));
    }
    match kept {
        None => findings.push(Finding::warning(
            format!("topic {topic}: how long records are kept is not known"),
            unknown,
        )),
        Some(Retention { age: Some(age), .. }) if *age < WEEKEND => {
            findings.push(Finding::warning(
                format!(
                    "topic {topic} keeps records for {} only",
                    show_duration(*age)
                ),
                "a longer outage than that loses records: raise retention.ms to a week",
            ));
        }
        Some(_) => {}
    }
    findings
}

/// Whether the backlog may take longer than its records are kept, if every record takes a request. Only what has records counts.
fn takes(allowance: u64, behind: &[(u64, Option<Duration>)]) -> Option<Finding> {
    let records = behind.iter().map(|(records, _)| records).sum::<u64>();
    let kept = behind.iter().filter(|(records, _)| *records > 0);
    let shortest = kept.filter_map(|(_, age)| *age).min()?;
    let takes = Duration::from_secs((records / allowance.max(1)).saturating_mul(60));
    (takes > shortest / 2).then(|| {
        Finding::warning(
            format!(
                "{} at a request each would take {}, and the first are kept for {}",
                plural(records, "record"),
                show_duration(takes),
                show_duration(shortest)
            ),
            "kustomer-ingest forecast --backlog all says what they really take; raise retention.ms before the worker starts",
        )
    })
}

fn in_words(kept: &Retention) -> String {
    match (kept.age, kept.bytes) {
        (None, None) => "they are kept for ever".to_owned(),
        (Some(age), None) => format!("they are kept for {}", show_duration(age)),
        (None, Some(bytes)) => format!("a partition keeps {bytes} bytes"),
        (Some(age), Some(bytes)) => format!(
            "they are kept for {}, and {bytes} bytes of a partition at most",
            show_duration(age)
        ),
    }
}

// === impl Backlog ===

impl Backlog {
    fn of(logs: &BTreeMap<Partition, Watermarks>, committed: &BTreeMap<Partition, Offset>) -> Self {
        let mut backlog = Self {
            records: 0,
            known: !committed.is_empty(),
            lost: Vec::new(),
            beyond: Vec::new(),
        };
        for (partition, log) in logs {
            let at = committed.get(partition).copied().unwrap_or(log.low);
            if at < log.low {
                backlog.lost.push((*partition, between(at, log.low)));
            }
            let records = if at > log.high {
                let all = between(log.low, log.high);
                backlog.beyond.push((*partition, all));
                all
            } else {
                between(at.max(log.low), log.high)
            };
            backlog.records += records;
        }
        backlog
    }
}

fn between(from: Offset, to: Offset) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_below_the_log_is_lost_and_one_above_it_reads_all_of_it() {
        let log = |start, end| Watermarks {
            low: Offset(start),
            high: Offset(end),
        };
        let logs = [
            (0, log(0, 100)),
            (1, log(50, 80)),
            (2, log(0, 10)),
            (3, log(7, 9)),
        ];
        let logs = logs.map(|(number, log)| (Partition(number), log)).into();
        let committed = [(0, 40), (1, 20), (2, 90)];
        let committed = committed
            .map(|(number, at)| (Partition(number), Offset(at)))
            .into();
        let backlog = Backlog::of(&logs, &committed);
        assert_eq!(backlog.records, 60 + 30 + 10 + 2);
        assert_eq!(backlog.beyond, [(Partition(2), 10)]);
        assert_eq!(backlog.lost, [(Partition(1), 30)]);
        assert!(backlog.known);
        assert!(!Backlog::of(&logs, &BTreeMap::new()).known);
    }

    #[test]
    fn a_backlog_is_compared_with_the_retention_of_what_has_records() {
        let (hour, month) = (
            Some(Duration::from_secs(3_600)),
            Some(Duration::from_secs(30 * 86_400)),
        );
        // 60,000 records at 800 a minute take 75 minutes.
        assert!(takes(800, &[(60_000, month), (0, hour), (0, None)]).is_none());
        let told = takes(800, &[(60_000, month), (1, hour)]).unwrap();
        assert!(told.text.contains("kept for 1h"), "{told:?}");
        assert!(takes(800, &[(60_000, None)]).is_none());
    }

    #[test]
    fn what_is_kept_is_said_in_words() {
        let day = Some(Duration::from_secs(86_400));
        let said = |age, bytes| in_words(&Retention { age, bytes });
        assert_eq!(said(None, None), "they are kept for ever");
        assert_eq!(said(day, None), "they are kept for 24h");
        assert_eq!(said(None, Some(5)), "a partition keeps 5 bytes");
        assert_eq!(
            said(day, Some(5)),
            "they are kept for 24h, and 5 bytes of a partition at most"
        );
    }
}
