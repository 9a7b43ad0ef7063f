//! What a dead letter looks like: the original record, with headers that say why it failed and where it came from.

use bytes::Bytes;
use ingest_kafka::DeadLetter;
use ingest_model::outcome::{Held, Rejected};
use ingest_model::record::{Header, Record, Topic};

/// The added headers. Values are text, with decimal numbers and times in epoch milliseconds.
pub mod header {
    /// The prefix of all of them.
    pub const PREFIX: &str = "ingest.";
    /// How urgent a record is, as its producer says: `live` or `backfill`.
    pub const TRAFFIC: &str = "ingest.traffic";
    /// Why: a label from a closed list.
    pub const REASON: &str = "ingest.error.reason";
    /// The field and the rule, or the API's own words.
    pub const DETAIL: &str = "ingest.error.detail";
    /// When the letter was written.
    pub const WRITTEN: &str = "ingest.error.timestamp";
    /// The topic that the record came from originally.
    pub const SOURCE_TOPIC: &str = "ingest.source.topic";
    /// Its partition there.
    pub const SOURCE_PARTITION: &str = "ingest.source.partition";
    /// Its offset there.
    pub const SOURCE_OFFSET: &str = "ingest.source.offset";
    /// Its time there.
    pub const SOURCE_TIMESTAMP: &str = "ingest.source.timestamp";
    /// The route of the mapping, if one was chosen.
    pub const ROUTE: &str = "ingest.route";
    /// Attempts to deliver it.
    pub const ATTEMPTS: &str = "ingest.attempts";
    /// How often the record had been replayed before this letter.
    pub const REPLAYS: &str = "ingest.replays";
    /// The members of a batch that it is for.
    pub const MEMBERS: &str = ingest_model::outcome::members::MEMBERS_HEADER;
    /// The worker that wrote the letter.
    pub const WORKER_VERSION: &str = "ingest.worker.version";
}

/// The dead letter of a record: key, value, time and headers are unchanged, except that existing `ingest.*` headers are
/// replaced.
///
/// `ingest.source.*` keeps the first origin; `ingest.replays` says how often it was replayed. `now_ms` is the time of
/// writing.
#[must_use]
pub fn letter_of(
    topic: Topic,
    record: Record,
    rejected: &Rejected,
    attempts: u32,
    now_ms: i64,
) -> DeadLetter {
    let why = Why {
        reason: rejected.reason.as_str(),
        detail: &rejected.detail,
        route: rejected.route.as_deref(),
    };
    letter(topic, record, &why, attempts, now_ms)
}

/// The letter of a record that is set aside on the hold topic: like a dead letter, but with a reason of its own.
#[must_use]
pub fn held_letter_of(
    topic: Topic,
    record: Record,
    held: &Held,
    attempts: u32,
    now_ms: i64,
) -> DeadLetter {
    let why = Why {
        reason: Held::REASON,
        detail: &held.detail,
        route: held.route.as_deref(),
    };
    letter(topic, record, &why, attempts, now_ms)
}

struct Why<'a> {
    reason: &'static str,
    detail: &'a str,
    route: Option<&'a str>,
}

fn letter(topic: Topic, record: Record, why: &Why<'_>, attempts: u32, now_ms: i64) -> DeadLetter {
    let first = |name: &str| {
        record
            .headers
            .iter()
            .find(|header| header.name == name)
            .and_then(|header| header.value.clone())
    };
    let origin = |name: &str, now: Option<String>| first(name).or_else(|| now.map(Bytes::from));
    // A record that carries an origin has been a dead letter before: this is another round.
    let before = first(header::REPLAYS)
        .and_then(|value| std::str::from_utf8(&value).ok()?.parse::<u64>().ok());
    let replays = match first(header::SOURCE_TOPIC) {
        Some(_) => before.unwrap_or(0).saturating_add(1),
        None => 0,
    };
    let position = &record.position;
    let added: [(&str, Option<Bytes>); 12] = [
        (
            header::REASON,
            Some(Bytes::from_static(why.reason.as_bytes())),
        ),
        (header::DETAIL, Some(Bytes::from(why.detail.to_owned()))),
        (header::WRITTEN, Some(Bytes::from(now_ms.to_string()))),
        (
            header::SOURCE_TOPIC,
            origin(
                header::SOURCE_TOPIC,
                Some(position.partition.topic.to_string()),
            ),
        ),
        (
            header::SOURCE_PARTITION,
            origin(
                header::SOURCE_PARTITION,
                Some(position.partition.partition.0.to_string()),
            ),
        ),
        (
            header::SOURCE_OFFSET,
            origin(header::SOURCE_OFFSET, Some(position.offset.0.to_string())),
        ),
        (
            header::SOURCE_TIMESTAMP,
            origin(
                header::SOURCE_TIMESTAMP,
                record.timestamp_ms.map(|ms| ms.to_string()),
            ),
        ),
        (
            header::ROUTE,
            why.route.map(|route| Bytes::from(route.to_owned())),
        ),
        (header::ATTEMPTS, Some(Bytes::from(attempts.to_string()))),
        (header::REPLAYS, Some(Bytes::from(replays.to_string()))),
        (header::MEMBERS, first(header::MEMBERS)),
        (
            header::WORKER_VERSION,
            Some(Bytes::from_static(env!("CARGO_PKG_VERSION").as_bytes())),
        ),
    ];
    let mut headers: Vec<Header> = record
        .headers
        .into_iter()
        .filter(|header| !header.name.starts_with(header::PREFIX))
        .collect();
    headers.extend(
        added
            .into_iter()
            .filter(|(_, value)| value.is_some())
            .map(|(name, value)| Header {
                name: name.to_owned(),
                value,
            }),
    );
    DeadLetter {
        topic,
        key: record.key,
        value: record.value,
        headers,
        timestamp_ms: record.timestamp_ms,
    }
}

#[cfg(test)]
mod tests {
    use ingest_model::outcome::{HeldBy, HoldCause, Rejection};
    use ingest_model::record::{Offset, Position, TopicPartition};

    use super::*;

    fn record(headers: Vec<Header>) -> Record {
        Record {
            position: Position {
                partition: TopicPartition::new("shop.events", 3),
                offset: Offset(42),
            },
            key: Some(Bytes::from_static(b"u1")),
            value: None,
            headers,
            timestamp_ms: Some(1_700_000_000_000),
        }
    }

    fn header(name: &str, value: &str) -> Header {
        Header {
            name: name.to_owned(),
            value: Some(Bytes::from(value.to_owned())),
        }
    }

    fn text<'a>(letter: &'a DeadLetter, name: &str) -> Vec<&'a str> {
        letter
            .headers
            .iter()
            .filter(|header| header.name == name)
            .map(|header| std::str::from_utf8(header.value.as_ref().unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn the_original_stays_and_the_cause_is_added() {
        let rejected = Rejected::new(Rejection::MissingField, "route order: `title` has no value");
        let own = Header {
            name: "trace".to_owned(),
            value: None,
        };
        let letter = letter_of(
            Topic::new("dead"),
            record(vec![own.clone()]),
            &rejected,
            2,
            5,
        );
        assert_eq!(letter.key.as_deref(), Some(b"u1".as_slice()));
        assert_eq!(letter.value, None, "a null value stays null");
        assert_eq!(letter.timestamp_ms, Some(1_700_000_000_000));
        assert_eq!(letter.headers[0], own);
        assert_eq!(text(&letter, "ingest.error.reason"), ["missing_field"]);
        assert_eq!(text(&letter, "ingest.source.topic"), ["shop.events"]);
        assert_eq!(text(&letter, "ingest.source.partition"), ["3"]);
        assert_eq!(text(&letter, "ingest.source.offset"), ["42"]);
        assert_eq!(text(&letter, "ingest.source.timestamp"), ["1700000000000"]);
        assert_eq!(text(&letter, "ingest.error.timestamp"), ["5"]);
        assert_eq!(text(&letter, "ingest.attempts"), ["2"]);
        assert_eq!(text(&letter, "ingest.replays"), ["0"]);
        assert_eq!(text(&letter, "ingest.route"), [""; 0]);
    }

    #[test]
    fn what_is_set_aside_is_held_and_keeps_its_origin() {
        let held = Held {
            by: HeldBy::Hold(HoldCause::MissingRole),
            detail: "the hold missing_role keeps klass order back".to_owned(),
            route: Some("orders".into()),
        };
        let letter = held_letter_of(Topic::new("held"), record(Vec::new()), &held, 3, 5);
        assert_eq!(letter.topic, Topic::new("held"));
        assert_eq!(text(&letter, "ingest.error.reason"), ["held"]);
        assert_eq!(text(&letter, "ingest.error.detail"), [held.detail.as_str()]);
        assert_eq!(text(&letter, "ingest.source.offset"), ["42"]);
        assert_eq!(text(&letter, "ingest.route"), ["orders"]);
        assert_eq!(text(&letter, "ingest.attempts"), ["3"]);
    }

    #[test]
    fn a_letter_that_comes_back_keeps_its_first_origin() {
        let before = vec![
            header("ingest.error.reason", "invalid_json"),
            header("ingest.source.topic", "first"),
            header("ingest.source.partition", "0"),
            header("ingest.source.offset", "7"),
            header("ingest.replays", "1"),
        ];
        let rejected = Rejected::new(Rejection::RefusedByApi, "no");
        let letter = letter_of(Topic::new("dead"), record(before), &rejected, 1, 5);
        assert_eq!(text(&letter, "ingest.source.topic"), ["first"]);
        assert_eq!(text(&letter, "ingest.source.offset"), ["7"]);
        assert_eq!(text(&letter, "ingest.replays"), ["2"], "one more round");
        assert_eq!(
            text(&letter, "ingest.error.reason"),
            ["refused_by_api"],
            "replaced, not repeated"
        );
    }
}
