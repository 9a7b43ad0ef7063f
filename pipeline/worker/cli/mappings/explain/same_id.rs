//! Events of a sample that have one id and are not the same: the worker takes all but the first for its repeats, so they are
//! lost, and nothing else shows it.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher as _};

use ingest_mapping::mapping::WhyUnsent;
use ingest_mapping::route;
use ingest_mapping::testing::shown;
use ingest_model::operation::{Operation, Planned};
use serde_json::Value;

use super::event::ShownEvent;
use crate::config::settings::suppressed::SuppressedList;
use crate::observe::words::plural;

/// So many operations are remembered, as by the worker.
const REMEMBERED: usize = 100_000;
/// The most ids that are told.
const IDS: usize = 20;
/// The most events of each.
const PLACES: usize = 10;
/// Ids are shown up to this length.
const LONG: usize = 100;

/// An operation that a worker skips as a repeat if it had one of that key before, whatever is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    key: u64,
    content: u64,
}

/// The ids that several events of a sample have.
#[derive(Debug, Default)]
pub(super) struct SameIds {
    seen: HashMap<u64, First>,
    /// The keys of those, the oldest first.
    order: VecDeque<u64>,
    found: Vec<Shared>,
    /// Events whose ids are beyond those that are told.
    more: u64,
}

/// The first operation of a key.
#[derive(Debug)]
struct First {
    content: u64,
    place: Box<str>,
    /// Where it is told, if another one is not the same.
    told: Option<usize>,
}

/// An id of several events.
#[derive(Debug)]
struct Shared {
    id: String,
    name: String,
    places: Vec<String>,
    more: u64,
}

/// Whether an event is older than a `maxAge` allows: then its marks are those that it had in time.
pub(super) fn is_aged(event: &route::Explained) -> bool {
    let mut unsent = event.summary.iter().flat_map(|summary| &summary.unsent);
    unsent.any(|one| match one.why {
        WhyUnsent::TooOld(_) | WhyUnsent::Late(..) => true,
        WhyUnsent::NoItems => false,
    })
}

/// The marks of an event. Objects and identities have none: they are repeats only if they are the same.
pub(super) fn marks(event: &route::Explained, suppressed: &SuppressedList) -> Vec<Mark> {
    let summary = event.summary.as_ref();
    let has_time = summary.is_some_and(|summary| summary.time.is_some());
    let planned = event.verdict.planned().iter();
    planned
        .filter(|one| suppressed.is_empty() || !suppressed.has(&one.operation.names()))
        .filter_map(|one| mark(one, has_time))
        .collect()
}

fn mark(planned: &Planned, has_time: bool) -> Option<Mark> {
    let mut said = shown(&planned.operation);
    let within = match &planned.operation {
        Operation::Track(_) => "",
        // The time of its record, which is another one for a repeat, would be in it.
        Operation::KObject(object) if object.fold.is_some() && has_time => &*object.external_id.0,
        Operation::KObject(_) | Operation::Identify(_) => return None,
    };
    if let Some(Value::Object(meta)) = said.get_mut("meta").filter(|_| !has_time) {
        meta.shift_remove("occurredAt");
    }
    Some(Mark {
        key: hash(&(planned.event_key.as_u128(), within)),
        content: hash(&said.to_string()),
    })
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

// === impl Shared ===

impl Shared {
    /// Adds an event.
    fn add(&mut self, place: &str) {
        if self.places.len() < PLACES {
            self.places.push(place.to_owned());
        } else {
            self.more += 1;
        }
    }
}

// === impl SameIds ===

impl SameIds {
    /// Adds an event.
    pub(super) fn add(&mut self, event: &ShownEvent, marks: &[Mark], place: &str) {
        let Some(id) = &event.id else { return };
        let mut is_told = false;
        for mark in marks {
            let Some(first) = self.seen.get_mut(&mark.key) else {
                self.remember(*mark, place);
                continue;
            };
            if first.content == mark.content || is_told {
                continue;
            }
            is_told = true;
            match first.told {
                Some(told) => {
                    if let Some(shared) = self.found.get_mut(told) {
                        shared.add(place);
                    }
                }
                None if self.found.len() < IDS => {
                    first.told = Some(self.found.len());
                    self.found.push(Shared {
                        id: id.chars().take(LONG).collect(),
                        name: event.name.chars().take(LONG).collect(),
                        places: vec![first.place.to_string(), place.to_owned()],
                        more: 0,
                    });
                }
                None => self.more += 1,
            }
        }
    }

    fn remember(&mut self, mark: Mark, place: &str) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(mark.key);
        let first = First {
            content: mark.content,
            place: place.into(),
            told: None,
        };
        self.seen.insert(mark.key, first);
    }

    /// What is to be told at the end of a sample; nothing if all is well.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.found.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![format!(
            "{} shared by events that are not the same: the first of an id is sent, the others are skipped as its repeats. The id has \
             to tell events apart: `event: {{ id: … }}` in the mapping says what it is",
            plural(self.found.len(), "event id")
        )];
        for shared in &self.found {
            let more = match shared.more {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let (id, name, places) = (&shared.id, &shared.name, shared.places.join("; "));
            lines.push(format!("  {id} ({name}): {places}{more}"));
        }
        if self.more > 0 {
            let more = plural(self.more, "event");
            lines.push(format!("  and {more} with other ids"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::Asked;
    use super::super::tests::{CONFIG, written_both};

    /// A view of an article with this id and content.
    fn viewed(id: &str, minute: &str, sku: &str) -> String {
        format!(
            r#"{{"value":{{"type":"track","event":"Product Viewed","messageId":"{id}","userId":"u1","timestamp":"2026-03-01T10:{minute}:00Z","properties":{{"sku":"{sku}"}}}}}}"#
        )
    }

    fn told(lines: &[String], text: bool) -> (String, String) {
        let asked = Asked {
            text,
            ..Asked::default()
        };
        written_both(CONFIG, &lines.join("\n"), true, &asked).unwrap()
    }

    const SHARED: &str = "1 event id shared by events that are not the same: ";

    #[test]
    fn events_that_share_an_id_are_told_at_the_end() {
        let input = [
            viewed("m1", "01", "a"),
            viewed("m2", "01", "a"),
            viewed("m1", "01", "a"),
            viewed("m1", "02", "a"),
            viewed("m1", "02", "b"),
        ];
        let (out, beside) = told(&input, true);
        let last: Vec<&str> = out.lines().rev().take(2).collect();
        assert_eq!(last[0], "  m1 (Product Viewed): line 1; line 4; line 5");
        assert!(last[1].starts_with(SHARED), "{out}");
        assert_eq!(beside, "");
        // programs get one object a line, and this beside them
        let (out, beside) = told(&input, false);
        assert_eq!(out.lines().count(), 5);
        assert!(beside.starts_with(SHARED), "{beside}");
        // a repeat is no second event
        let (_, beside) = told(&input[..3], false);
        assert_eq!(beside, "");
    }

    #[test]
    fn an_old_sample_is_searched_as_if_it_was_new() {
        let old = |sku: &str| viewed("m1", "01", sku).replace("2026-03-01", "2025-03-01");
        let (out, beside) = told(&[old("a"), old("b")], false);
        assert!(out.contains(r#""reason":"too_old""#), "{out}");
        assert!(
            beside.contains("m1 (Product Viewed): line 1; line 2\n"),
            "{beside}"
        );
    }

    #[test]
    fn objects_may_share_the_id_of_an_event_and_digests_may_not() {
        let of = |event: &str, properties: [&str; 2]| {
            let line = |properties: &str| {
                format!(
                    r#"{{"value":{{"type":"track","event":"{event}","messageId":"m1","userId":"u1","timestamp":"2026-03-01T10:00:00Z","context":{{"sessionId":"s"}},"properties":{properties}}}}}"#
                )
            };
            told(&properties.map(line), false).1
        };
        let orders = [r#"{"order_id":"o1"}"#, r#"{"order_id":"o2"}"#];
        assert_eq!(of("Order Completed", orders), "");
        let carts = [r#"{"cart_id":"c1"}"#, r#"{"cart_id":"c2"}"#];
        assert!(of("Cart Viewed", carts).starts_with(SHARED));
    }

    #[test]
    fn what_is_kept_and_told_is_bounded() {
        let mut input = Vec::new();
        for id in 0..25 {
            input.push(viewed(&format!("m{id}"), "01", "a"));
        }
        for sku in 0..12 {
            input.push(viewed("m0", "01", &format!("b{sku}")));
        }
        for id in 1..25 {
            input.push(viewed(&format!("m{id}"), "01", "b"));
        }
        let (_, beside) = told(&input, false);
        assert!(beside.starts_with("20 event ids shared"), "{beside}");
        assert!(beside.contains("; line 34, and 3 more\n"), "{beside}");
        assert!(
            beside.ends_with("  and 5 events with other ids\n"),
            "{beside}"
        );
    }
}
