//! The record that is sent for a letter.

use bytes::Bytes;
use ingest_kafka::OutgoingRecord;
use ingest_model::name_id;
use ingest_model::record::{Partition, Topic};
use uuid::Uuid;

use crate::dead_letters::letter::{Letter, Source};
use crate::pump::letter_header as header;

/// The added headers that go back with the record: where it came from and how often it was replayed.
const KEPT: [&str; 6] = [
    header::SOURCE_TOPIC,
    header::SOURCE_PARTITION,
    header::SOURCE_OFFSET,
    header::SOURCE_TIMESTAMP,
    header::REPLAYS,
    header::MEMBERS,
];

/// The original record: key, value, time and headers, with its origin. It goes to the partition that it came from,
/// however its producer chose it, so that records with the same key stay together. If the topic no longer has that
/// partition, the key decides as with Java producers.
pub(super) fn outgoing(letter: &Letter, source: &Source, partitions: usize) -> OutgoingRecord {
    let record = &letter.record;
    let Partition(number) = source.partition.partition;
    let is_there = usize::try_from(number).is_ok_and(|number| number < partitions);
    let headers = record
        .headers
        .iter()
        .filter(|one| !one.name.starts_with(header::PREFIX) || KEPT.contains(&one.name.as_str()))
        .cloned();
    OutgoingRecord {
        topic: source.partition.topic.clone(),
        partition: is_there.then_some(source.partition.partition),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: headers.collect(),
        timestamp_ms: letter.recorded_ms,
    }
}

/// The events of a batch that a letter names, as its header has them.
pub(super) fn members(letter: &Letter) -> Option<&[u8]> {
    letter.record.header(header::MEMBERS).map(Bytes::as_ref)
}

/// A fingerprint of a letter's content, to recognise it by later.
pub(super) fn fingerprint(letter: &Letter) -> u32 {
    let mut content = letter
        .source
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
        .into_bytes();
    content.push(0);
    content.extend_from_slice(letter.record.value.as_ref().map_or(&[], Bytes::as_ref));
    if let Some(members) = members(letter) {
        content.push(0);
        content.extend_from_slice(members);
    }
    let name = name_id(&Uuid::NAMESPACE_OID, &content);
    let [first, second, third, fourth, ..] = *name.as_bytes();
    u32::from_be_bytes([first, second, third, fourth])
}

/// Where a record would go, for people.
pub(super) fn target(record: &OutgoingRecord) -> String {
    let topic: &Topic = &record.topic;
    match record.partition {
        Some(partition) => format!("{topic}[{}]", partition.0),
        None => format!("{topic}, partition by key"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::letter::tests::letter;
    use super::*;

    #[test]
    fn the_original_goes_back_with_its_origin_and_without_the_rest() {
        let letter = letter(7, 3, 42);
        let source = letter.source.clone().unwrap();
        let record = outgoing(&letter, &source, 4);
        assert_eq!(record.topic.as_str(), "shop.events");
        assert_eq!(record.partition, Some(Partition(3)));
        assert_eq!(record.key.as_deref(), Some(b"u1".as_slice()));
        assert_eq!(record.value, letter.record.value);
        assert_eq!(record.timestamp_ms, Some(4_000));
        let names: Vec<&str> = record.headers.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "trace",
                "ingest.source.topic",
                "ingest.source.partition",
                "ingest.source.offset",
                "ingest.source.timestamp",
                "ingest.replays",
            ]
        );
        let shrunk = outgoing(&letter, &source, 3);
        assert_eq!(shrunk.partition, None, "the key decides");
    }

    #[test]
    fn another_letter_has_another_fingerprint() {
        assert_eq!(
            fingerprint(&letter(7, 3, 42)),
            fingerprint(&letter(8, 3, 42))
        );
        assert_ne!(
            fingerprint(&letter(7, 3, 42)),
            fingerprint(&letter(7, 3, 43))
        );
        let named = |members: &'static str| {
            let mut letter = letter(7, 3, 42);
            letter.record.headers.push(ingest_model::record::Header {
                name: header::MEMBERS.to_owned(),
                value: Some(members.into()),
            });
            fingerprint(&letter)
        };
        assert_ne!(
            named("1-5"),
            named("6-10"),
            "other events of the same record"
        );
        assert_ne!(named("1-5"), fingerprint(&letter(7, 3, 42)));
    }
}
