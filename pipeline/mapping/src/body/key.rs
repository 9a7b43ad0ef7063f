//! The `eventKey`: the same for every repeat of one occurrence.
//!
//! It is a version 5 UUID of the event's source, its id, the route, and the number of the operation in the route. If the
//! producer gives no id, the position and time of the original record take its place: topic, partition, offset and
//! timestamp. For a replayed dead letter they come from its `ingest.source.*` headers. The time is needed because a topic
//! that was deleted and created again reuses its offsets. So a repeat after a crash and a replay have the same key, and two
//! operations of one event have different keys.

use uuid::Uuid;

use crate::event::Event;
use ingest_model::name_id;
use ingest_model::record::Record;

/// The namespace of every `eventKey`. It must never change, or every repeat would look new.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x6b75_7374_6f6d_5e72_a1e5_7e76_656e_7401);

/// The header of a record that is a member of a batch: its number, from 0.
pub const MEMBER_HEADER: &str = "ingest.member";

/// The key of one operation of one event.
///
/// `number` is the operation's place in the route's `do` list, from 1; `item` that of its item in a list, from 0.
#[must_use]
pub fn event_key(
    event: &Event<'_>,
    record: &Record,
    route: &str,
    number: usize,
    item: Option<usize>,
) -> Uuid {
    let mut name = String::with_capacity(96);
    // each part follows its length, so no two lists of parts give the same name
    let mut part = |text: &str| {
        push_decimal(&mut name, text.len());
        name.push(':');
        name.push_str(text);
        name.push(';');
    };
    part(event.source);
    match &event.id {
        Some(id) => {
            part("id");
            part(id);
        }
        None => {
            part("at");
            let position = &record.position;
            part(
                &header(record, "ingest.source.topic")
                    .unwrap_or_else(|| position.partition.topic.to_string()),
            );
            part(
                &header(record, "ingest.source.partition")
                    .unwrap_or_else(|| position.partition.partition.0.to_string()),
            );
            part(
                &header(record, "ingest.source.offset")
                    .unwrap_or_else(|| position.offset.0.to_string()),
            );
            let own = record.timestamp_ms.map(|time| time.to_string());
            let time = header(record, "ingest.source.timestamp").or(own);
            part(&time.unwrap_or_default());
            if let Some(member) = header(record, MEMBER_HEADER) {
                part("member");
                part(&member);
            }
        }
    }
    part(route);
    part(&number.to_string());
    if let Some(item) = item {
        part("item");
        part(&item.to_string());
    }
    name_id(&NAMESPACE, name.as_bytes())
}

/// Adds a number in decimal digits.
fn push_decimal(text: &mut String, number: usize) {
    if number >= 10 {
        push_decimal(text, number / 10);
    }
    text.push(char::from_digit(u32::try_from(number % 10).unwrap_or(0), 10).unwrap_or('0'));
}

fn header(record: &Record, name: &str) -> Option<String> {
    let value = record.header(name)?;
    std::str::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}
