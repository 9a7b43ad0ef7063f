//! Whether a record tells what happens now, or what happened before.

use std::collections::HashMap;
use std::time::Duration;

use ingest_model::record::{Record, Topic, Traffic};

use crate::pump::letter_header as header;

/// The rules. The first that says something about a record decides: its topic, its own header, that it is replayed, that its
/// event is part of a snapshot, its age.
#[derive(Debug, Clone, Default)]
pub struct TrafficRules {
    /// Records of events that happened longer ago are backfill, unless `None`.
    pub after: Option<Duration>,
    /// What all records of a topic are.
    pub topics: HashMap<Topic, Traffic>,
}

impl TrafficRules {
    /// How urgent a record is at that time, in epoch milliseconds. A record whose event has no time is as old as it is itself.
    #[must_use]
    pub fn of(
        &self,
        record: &Record,
        snapshot: bool,
        event_ms: Option<i64>,
        now_ms: i64,
    ) -> Traffic {
        if let Some(traffic) = self.topics.get(&record.position.partition.topic) {
            return *traffic;
        }
        let said = record.header(header::TRAFFIC);
        let says = |traffic: &&Traffic| said.is_some_and(|said| *said == traffic.as_str());
        if let Some(traffic) = Traffic::ALL.iter().find(says) {
            return *traffic;
        }
        let replayed = [header::SOURCE_TOPIC, header::REPLAYS];
        if snapshot || replayed.iter().any(|name| record.header(name).is_some()) {
            return Traffic::Backfill;
        }
        let age = event_ms
            .or(record.timestamp_ms)
            .map(|at| now_ms.saturating_sub(at));
        let after = self.after.map(|after| i64::try_from(after.as_millis()));
        match (age, after) {
            (Some(age), Some(Ok(after))) if age > after => Traffic::Backfill,
            (Some(_) | None, Some(_) | None) => Traffic::Live,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ingest_model::record::{Header, Offset, Position, TopicPartition};

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn record(topic: &str, headers: &[(&str, &str)]) -> Record {
        let header = |(name, value): &(&str, &str)| Header {
            name: (*name).to_owned(),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        };
        Record {
            position: Position {
                partition: TopicPartition::new(topic, 0),
                offset: Offset(7),
            },
            key: None,
            value: None,
            headers: headers.iter().map(header).collect(),
            timestamp_ms: Some(99 * HOUR),
        }
    }

    #[test]
    fn the_first_rule_that_says_something_decides() {
        let rules = TrafficRules {
            after: Some(Duration::from_secs(3_600)),
            topics: HashMap::from([
                (Topic::new("old.orders"), Traffic::Backfill),
                (Topic::new("checkout"), Traffic::Live),
            ]),
        };
        let (now, old) = (100 * HOUR, Some(98 * HOUR));
        let replay = [("ingest.source.topic", "shop")];
        let marked = [("ingest.traffic", "backfill")];
        for (topic, headers, event, expected) in [
            ("shop", &[][..], Some(now), Traffic::Live),
            ("shop", &[], Some(99 * HOUR), Traffic::Live),
            ("shop", &[], Some(99 * HOUR - 1), Traffic::Backfill),
            ("shop", &[], Some(now + HOUR), Traffic::Live),
            ("shop", &[], None, Traffic::Live),
            ("shop", &replay, Some(now), Traffic::Backfill),
            ("shop", &marked, Some(now), Traffic::Backfill),
            ("shop", &[("ingest.traffic", "live")], old, Traffic::Live),
            ("shop", &[("ingest.traffic", "?")], old, Traffic::Backfill),
            ("old.orders", &[], Some(now), Traffic::Backfill),
            ("checkout", &replay, old, Traffic::Live),
        ] {
            let record = record(topic, headers);
            assert_eq!(
                rules.of(&record, false, event, now),
                expected,
                "{record:?} {event:?}"
            );
        }
        for (topic, headers, expected) in [
            ("shop", &[][..], Traffic::Backfill),
            ("shop", &[("ingest.traffic", "live")], Traffic::Live),
            ("checkout", &[], Traffic::Live),
        ] {
            let found = rules.of(&record(topic, headers), true, Some(now), now);
            assert_eq!(found, expected, "a snapshot in {topic}, {headers:?}");
        }
        let never = TrafficRules::default();
        assert_eq!(
            never.of(&record("shop", &[]), false, old, now),
            Traffic::Live
        );
    }
}
