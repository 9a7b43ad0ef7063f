//! What a session's object has: counts, sums, the last events, and which offsets are in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::amount::Amount;
use super::events::{Fold, Frame, MAX_NAMES, OTHERS, Small};
use crate::record::{Offset, TopicPartition};
use crate::values::body::{Body, Writer};
use crate::values::time::rfc3339;
use crate::values::version::{VERSION_ATTRIBUTE, Version};

/// What a session's object has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    count: u64,
    counts: BTreeMap<Arc<str>, u64>,
    sums: BTreeMap<Arc<str>, Amount>,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    /// The last events by their time, oldest first.
    kept: Vec<Kept>,
    /// Of each partition, what is in it.
    folded: BTreeMap<TopicPartition, Folded>,
    /// The latest events by their keys. They are not in the object.
    recent: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq)]
struct Kept {
    at_ms: Option<i64>,
    name: Arc<str>,
    each: Body,
}

/// What of a partition is in an object: all of the session's events up to an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Folded {
    offset: Offset,
    /// The latest time of their records. A record of a topic that was made again has a low offset and a later time.
    written_ms: Option<i64>,
}

/// What an event adds to a body besides what is kept of it: name, time, quotes.
const AROUND: usize = 56;
/// What a body has besides its events: title, counts, offsets.
const FRAME: usize = 520;
/// What an allocation costs besides what it is for.
const ALLOCATION: usize = 32;
/// The most keys of events that are remembered.
const RECENT: usize = 64;
/// The field of `data` that says which offsets are in it: a list of topic, partition, offset and time.
const OFFSETS: &str = "ingestOffsets";

// === impl Session ===

impl Session {
    /// How many events it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of that name.
    #[must_use]
    pub fn count_of(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// The sum of that name.
    #[must_use]
    pub fn sum(&self, name: &str) -> Amount {
        self.sums.get(name).copied().unwrap_or_default()
    }

    /// The version of its object: it grows with every event.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::new(&self.count.to_string())
    }

    /// Whether it has that event of that partition, or a repeat of it.
    #[must_use]
    pub fn has(&self, partition: &TopicPartition, event: &Small) -> bool {
        if self.recent.contains(&event.key) {
            return true;
        }
        self.folded
            .get(partition)
            .is_some_and(|folded| folded.has(event))
    }

    /// Whether it has events of that partition.
    #[must_use]
    pub fn has_of(&self, partition: &TopicPartition) -> bool {
        self.folded.contains_key(partition)
    }

    /// The same with what a fold adds.
    #[must_use]
    pub fn with(&self, fold: &Fold) -> Self {
        let mut session = self.clone();
        let mut new = Vec::with_capacity(fold.events.len().min(fold.frame.keep));
        for event in &fold.events {
            if !session.recent.contains(&event.key) {
                session.add(event);
                new.push(event);
            }
        }
        session.note_offsets(fold);
        session.keep(&new, fold.frame.keep);
        session
    }

    fn add(&mut self, event: &Small) {
        self.count += 1;
        let name = if self.counts.contains_key(&event.name) || self.counts.len() < MAX_NAMES {
            Arc::clone(&event.name)
        } else {
            Arc::from(OTHERS)
        };
        *self.counts.entry(name).or_default() += 1;
        for (name, amount) in &event.sums {
            let sum = self.sums.entry(Arc::clone(name)).or_default();
            *sum = sum.plus(*amount);
        }
        if let Some(at) = event.at_ms {
            self.first_ms = Some(self.first_ms.map_or(at, |first| first.min(at)));
            self.last_ms = Some(self.last_ms.map_or(at, |last| last.max(at)));
        }
        if self.recent.len() >= RECENT {
            self.recent.remove(0);
        }
        self.recent.push(event.key);
    }

    /// Notes which offsets it has now.
    fn note_offsets(&mut self, fold: &Fold) {
        let mut folded = self.folded.get(&fold.partition).copied();
        for event in &fold.events {
            folded = Some(Folded::with(folded, event));
        }
        if let Some(folded) = folded {
            self.folded.insert(fold.partition.clone(), folded);
        }
    }

    /// Keeps the last events by their time; of the same time, the later one is later.
    fn keep(&mut self, new: &[&Small], most: usize) {
        self.kept.extend(new.iter().map(|event| Kept {
            at_ms: event.at_ms,
            name: Arc::clone(&event.name),
            each: event.each.clone(),
        }));
        self.kept.sort_by_key(|kept| kept.at_ms);
        let over = self.kept.len().saturating_sub(most);
        self.kept.drain(..over);
    }

    /// The most bytes that it takes in a body, about.
    pub(super) fn body_bytes(&self) -> usize {
        let kept = self.kept.iter();
        let kept: usize = kept
            .map(|kept| kept.each.size() + kept.name.len() + AROUND)
            .sum();
        let names = self.counts.keys().chain(self.sums.keys());
        let names: usize = names.map(|name| name.len() + 40).sum();
        kept + names + 80 * self.folded.len()
    }

    /// Bytes that it occupies besides its own, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let places = self.counts.len() + self.sums.len() + self.folded.len() + self.kept.len();
        self.body_bytes() + places * 2 * ALLOCATION + self.recent.len() * size_of::<u64>()
    }

    /// The body of its object.
    #[must_use]
    pub fn body(&self, external_id: &str, frame: &Frame) -> Body {
        let bytes = external_id.len() + self.body_bytes() + FRAME;
        Body::written(bytes, |writer| {
            writer.text("externalId", external_id);
            writer.text("title", &self.title(frame));
            if let Some(first) = self.first_ms.and_then(shown_time) {
                writer.text("createdAt", &first);
            }
            writer.nested("custom", |writer| self.custom(writer));
            writer.nested("data", |writer| self.data(writer));
        })
    }

    fn title(&self, frame: &Frame) -> String {
        frame.title.of(
            self.count,
            |name| self.count_of(name),
            |name| self.sum(name),
        )
    }

    fn custom(&self, writer: &mut Writer<'_>) {
        writer.text(VERSION_ATTRIBUTE, &self.version().0);
        for (name, sum) in &self.sums {
            writer.number(name, sum);
        }
    }

    fn data(&self, writer: &mut Writer<'_>) {
        writer.number("count", self.count);
        writer.nested("counts", |writer| {
            for (name, count) in &self.counts {
                writer.number(name, count);
            }
        });
        for (name, at) in [("first", self.first_ms), ("last", self.last_ms)] {
            if let Some(at) = at.and_then(shown_time) {
                writer.text(name, &at);
            }
        }
        if !self.sums.is_empty() {
            // As texts: a reader of numbers could round them.
            writer.nested("sums", |writer| {
                for (name, sum) in &self.sums {
                    writer.text(name, &sum.to_string());
                }
            });
        }
        writer.objects("events", &self.kept, |writer, kept| kept.fields(writer));
        let folded: Vec<String> = self.folded.iter().map(shown_offsets).collect();
        writer.json(OFFSETS, &format!("[{}]", folded.join(",")));
    }

    /// The session of an object that shows these fields and has this version; `None` if it does not say which offsets it has.
    #[must_use]
    pub fn read(shown: &Map<String, Value>, version: Option<&Version>) -> Option<Self> {
        let data = shown.get("data")?.as_object()?;
        let folded = data.get(OFFSETS)?.as_array()?.iter().map(read_offsets);
        let folded = folded.collect::<Option<_>>()?;
        let object = |name: &str| {
            let field = data.get(name).and_then(Value::as_object);
            field
                .into_iter()
                .flatten()
                .map(|(name, value)| (Arc::from(name.as_str()), value))
        };
        let counts = object("counts").map(|(name, count)| (name, count.as_u64().unwrap_or(0)));
        let sum = |sum: &Value| sum.as_str()?.parse().ok();
        let sums = object("sums").map(|(name, value)| (name, sum(value).unwrap_or_default()));
        let kept = data.get("events").and_then(Value::as_array);
        Some(Self {
            count: counted(version).or_else(|| data.get("count")?.as_u64())?,
            counts: counts.collect(),
            sums: sums.collect(),
            first_ms: read_time(data.get("first")),
            last_ms: read_time(data.get("last")),
            kept: kept.into_iter().flatten().filter_map(Kept::read).collect(),
            folded,
            recent: Vec::new(),
        })
    }

    /// A session of which no more is known than the version of its object. It counts on from there.
    #[must_use]
    pub fn since(version: Option<&Version>) -> Self {
        Self {
            count: counted(version).unwrap_or(0),
            ..Self::default()
        }
    }
}

// === impl Fold ===

impl Fold {
    /// Drops the events that a session has already. `true` if others are left.
    pub fn retain_new(&mut self, session: &Session) -> bool {
        self.events
            .retain(|event| !session.has(&self.partition, event));
        !self.events.is_empty()
    }

    /// The most bytes that the body may have.
    #[must_use]
    pub fn body_bytes(&self, session: Option<&Session>) -> usize {
        let kept = self.events.iter().rev().take(self.frame.keep);
        let new: usize = kept
            .map(|event| event.each.size() + event.name.len() + AROUND)
            .sum();
        let old = session.map_or(0, Session::body_bytes);
        new + old + FRAME
    }
}

// === impl Kept ===

impl Kept {
    fn fields(&self, writer: &mut Writer<'_>) {
        writer.text("event", &self.name);
        if let Some(at) = self.at_ms.and_then(shown_time) {
            writer.text("at", &at);
        }
        writer.fields(&self.each);
    }

    fn read(shown: &Value) -> Option<Self> {
        let mut shown = shown.as_object()?.clone();
        let name = shown.remove("event");
        let at_ms = read_time(shown.remove("at").as_ref());
        Some(Self {
            at_ms,
            name: Arc::from(name.as_ref().and_then(Value::as_str)?),
            each: Body::from(&shown),
        })
    }
}

// === impl Folded ===

impl Folded {
    fn has(&self, event: &Small) -> bool {
        let late = event.written_ms > self.written_ms && self.written_ms.is_some();
        event.offset <= self.offset && !late
    }

    fn with(before: Option<Self>, event: &Small) -> Self {
        Self {
            offset: event.offset,
            written_ms: before
                .and_then(|before| before.written_ms)
                .max(event.written_ms),
        }
    }
}

/// The number of events that a version stands for.
fn counted(version: Option<&Version>) -> Option<u64> {
    version?.0.parse().ok()
}

/// What an object says of a partition: topic, partition, offset, time of the record.
fn shown_offsets((partition, folded): (&TopicPartition, &Folded)) -> String {
    let offsets = (
        partition.topic.as_str(),
        partition.partition.0,
        folded.offset.0,
        folded.written_ms,
    );
    serde_json::to_string(&offsets).unwrap_or_default()
}

fn read_offsets(shown: &Value) -> Option<(TopicPartition, Folded)> {
    let [topic, partition, offset, written] = shown.as_array()?.as_slice() else {
        return None;
    };
    let partition = i32::try_from(partition.as_i64()?).ok()?;
    let folded = Folded {
        offset: Offset(offset.as_i64()?),
        written_ms: written.as_i64(),
    };
    Some((TopicPartition::new(topic.as_str()?, partition), folded))
}

fn shown_time(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).ok().map(rfc3339)
}

fn read_time(shown: Option<&Value>) -> Option<i64> {
    let time: Timestamp = shown?.as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}

#[cfg(test)]
mod tests;
