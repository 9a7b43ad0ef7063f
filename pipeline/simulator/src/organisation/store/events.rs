//! Tracking events, visitors and sessions.

use std::collections::HashMap;

use indexmap::IndexSet;
use serde_json::{Map, Value};

use super::ids::{Ids, Kind};
use super::parts::{Prints, at, at_mut, fingerprint, next_position, packed, parsed};
use crate::time::SimTime;

/// Events further apart than this belong to different sessions unless they name one.
const SESSION_GAP_MS: i64 = 30 * 60_000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Session {
    Named(Box<str>),
    Generated(u32),
}

/// One accepted tracking event.
#[derive(Debug)]
pub(crate) struct Event {
    /// `None` while the visitor is not identified.
    pub(crate) customer: Option<u32>,
    name: u32,
    meta: Option<Box<str>>,
    session: Session,
    pub(crate) created_at: SimTime,
}

impl Event {
    pub(crate) fn meta(&self) -> Map<String, Value> {
        self.meta.as_deref().map(parsed).unwrap_or_default()
    }

    pub(crate) fn session_id(&self, ids: Ids) -> String {
        match &self.session {
            Session::Named(name) => name.to_string(),
            Session::Generated(number) => ids.text(Kind::Session, *number),
        }
    }
}

/// An event to be added.
#[derive(Debug)]
pub(crate) struct NewEvent<'a> {
    pub(crate) customer: Option<u32>,
    pub(crate) visitor: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) session: Option<&'a str>,
    pub(crate) meta: Option<&'a Map<String, Value>>,
    /// The last event of the same customer or visitor.
    pub(crate) previous: Option<u32>,
}

#[derive(Debug, Default)]
struct Visitor {
    customer: Option<u32>,
    events: Vec<u32>,
}

/// All events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    all: Vec<Event>,
    names: IndexSet<Box<str>>,
    visitors: HashMap<Box<str>, Visitor>,
    keys: Prints,
    sessions: u32,
}

impl Events {
    pub(crate) fn get(&self, position: u32) -> Option<&Event> {
        at(&self.all, position)
    }

    pub(crate) fn name(&self, event: &Event) -> &str {
        let position = usize::try_from(event.name).unwrap_or(usize::MAX);
        self.names.get_index(position).map_or("", |name| name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Event)> {
        (0..).zip(&self.all)
    }

    pub(crate) fn count(&self) -> u64 {
        self.all.len() as u64
    }

    /// Records an event key; `false` if it was recorded before.
    pub(crate) fn note_key(&mut self, key: &str) -> bool {
        self.keys.insert(fingerprint(&(), key))
    }

    /// The customer that a visitor was identified as.
    pub(crate) fn identified(&self, visitor: &str) -> Option<u32> {
        self.visitors.get(visitor)?.customer
    }

    /// The last event of a visitor who is not identified.
    pub(crate) fn last_of_visitor(&self, visitor: &str) -> Option<u32> {
        self.visitors.get(visitor)?.events.last().copied()
    }

    /// Records who a visitor is; returns the events that were anonymous until now.
    pub(crate) fn identify(&mut self, visitor: &str, customer: u32) -> Vec<u32> {
        let known = self.visitors.entry(visitor.into()).or_default();
        known.customer = Some(customer);
        let events = std::mem::take(&mut known.events);
        self.reassign(&events, customer);
        events
    }

    pub(crate) fn reassign(&mut self, events: &[u32], customer: u32) {
        for position in events {
            if let Some(event) = at_mut(&mut self.all, *position) {
                event.customer = Some(customer);
            }
        }
    }

    pub(crate) fn insert(&mut self, now: SimTime, new: &NewEvent<'_>) -> u32 {
        let position = next_position(&self.all);
        let session = match (new.session, new.previous.and_then(|last| self.get(last))) {
            (Some(name), _) => Session::Named(name.into()),
            (None, Some(last)) if now.since(last.created_at) < SESSION_GAP_MS => {
                last.session.clone()
            }
            (None, _) => {
                self.sessions += 1;
                Session::Generated(self.sessions)
            }
        };
        let known = self.names.get_index_of(new.name);
        let name = known.unwrap_or_else(|| self.names.insert_full(new.name.into()).0);
        self.all.push(Event {
            customer: new.customer,
            name: u32::try_from(name).unwrap_or(u32::MAX),
            meta: new.meta.map(packed),
            session,
            created_at: now,
        });
        if let (None, Some(visitor)) = (new.customer, new.visitor) {
            self.visitors
                .entry(visitor.into())
                .or_default()
                .events
                .push(position);
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SimTime = SimTime::from_millis(1_000_000);

    fn event<'a>(visitor: Option<&'a str>, previous: Option<u32>) -> NewEvent<'a> {
        NewEvent {
            customer: None,
            visitor,
            name: "seen",
            session: None,
            meta: None,
            previous,
        }
    }

    #[test]
    fn sessions_break_at_the_gap() {
        let mut events = Events::default();
        let ids = Ids::new(1, 0);
        let first = events.insert(NOW, &event(None, None));
        let soon = events.insert(
            NOW.plus_millis(SESSION_GAP_MS - 1),
            &event(None, Some(first)),
        );
        let later = NOW.plus_millis(2 * SESSION_GAP_MS);
        let late = events.insert(later, &event(None, Some(soon)));
        let session = |position| events.get(position).unwrap().session_id(ids);
        assert_eq!(session(first), session(soon));
        assert_ne!(session(soon), session(late));
    }

    #[test]
    fn identification_brings_the_anonymous_events_along() {
        let mut events = Events::default();
        let position = events.insert(NOW, &event(Some("v1"), None));
        assert_eq!(events.identified("v1"), None);
        assert_eq!(events.identify("v1", 7), [position]);
        assert_eq!(events.get(position).unwrap().customer, Some(7));
        assert_eq!(events.identified("v1"), Some(7));
        assert_eq!(events.identify("v1", 7), Vec::<u32>::new());
    }

    #[test]
    fn keys_are_noted_once() {
        let mut events = Events::default();
        assert!(events.note_key("k") && !events.note_key("k") && events.note_key("l"));
    }
}
