//! Customers and their identifiers.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::history::History;
use super::parts::{ByPrint, Prints, at, at_mut, fingerprint, next_position, packed, parsed};
use crate::time::SimTime;

/// A kind of identifier that belongs to one customer at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IdentifierKind {
    ExternalId,
    Email,
    Phone,
}

impl IdentifierKind {
    /// The parameter that errors name.
    pub(crate) const fn parameter(self) -> &'static str {
        match self {
            Self::ExternalId => "externalId",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

/// An identifier in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identifier {
    pub(crate) kind: IdentifierKind,
    print: u128,
}

impl Identifier {
    /// E-mails are compared ignoring case, phones without the leading plus sign.
    pub(crate) fn new(kind: IdentifierKind, text: &str) -> Self {
        let print = match kind {
            IdentifierKind::ExternalId => fingerprint(&kind, text),
            IdentifierKind::Email => fingerprint(&kind, &text.to_lowercase()),
            IdentifierKind::Phone => fingerprint(&kind, text.trim_start_matches('+')),
        };
        Self { kind, print }
    }

    /// Every identifier in a customer's document.
    pub(crate) fn all(document: &Map<String, Value>) -> Vec<Self> {
        let mut found = Vec::new();
        if let Some(text) = document.get("externalId").and_then(Value::as_str) {
            found.push(Self::new(IdentifierKind::ExternalId, text));
        }
        for (list, field, kind) in [
            ("externalIds", "externalId", IdentifierKind::ExternalId),
            ("emails", "email", IdentifierKind::Email),
            ("phones", "phone", IdentifierKind::Phone),
        ] {
            let entries = document
                .get(list)
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            for text in entries
                .iter()
                .filter_map(|entry| entry.get(field)?.as_str())
            {
                found.push(Self::new(kind, text));
            }
        }
        found
    }
}

/// Whether a customer exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CustomerState {
    Live,
    Deleted,
    Merged { into: u32 },
}

/// One customer.
#[derive(Debug)]
pub(crate) struct Customer {
    document: Box<str>,
    pub(crate) created_at: SimTime,
    pub(crate) updated_at: SimTime,
    pub(crate) rev: u64,
    pub(crate) state: CustomerState,
    /// Positions of its objects in the order of their creation.
    pub(crate) objects: Vec<u32>,
    /// Positions of its tracking events in the order of their receipt.
    pub(crate) events: Vec<u32>,
    /// The highest `meta.occurredAt` of its events, in microseconds.
    pub(crate) latest_occurred: Option<i64>,
    /// What identifications said about it.
    pub(crate) said: History,
}

impl Customer {
    /// The attributes that were written.
    pub(crate) fn document(&self) -> Map<String, Value> {
        parsed(&self.document)
    }
}

/// All customers.
#[derive(Debug, Default)]
pub(crate) struct Customers {
    all: Vec<Customer>,
    owners: ByPrint<u32>,
    live: u64,
    // identifiers that the search index does not know yet
    unindexed: Prints,
    lagging: VecDeque<(SimTime, u128)>,
}

impl Customers {
    pub(crate) fn get(&self, position: u32) -> Option<&Customer> {
        at(&self.all, position)
    }

    pub(crate) fn get_mut(&mut self, position: u32) -> Option<&mut Customer> {
        at_mut(&mut self.all, position)
    }

    pub(crate) fn live(&self, position: u32) -> Option<&Customer> {
        self.get(position)
            .filter(|customer| customer.state == CustomerState::Live)
    }

    /// How many exist.
    pub(crate) fn count(&self) -> u64 {
        self.live
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Customer)> {
        (0..)
            .zip(&self.all)
            .filter(|(_, customer)| customer.state == CustomerState::Live)
    }

    /// The customer that an identifier belongs to.
    pub(crate) fn owner(&self, identifier: &Identifier) -> Option<u32> {
        self.owners.get(&identifier.print).copied()
    }

    pub(crate) fn find(&self, kind: IdentifierKind, text: &str) -> Option<u32> {
        self.owner(&Identifier::new(kind, text))
    }

    /// As [`Customers::find`], through an index that lags `lag_ms` behind.
    pub(crate) fn search(
        &mut self,
        now: SimTime,
        lag_ms: i64,
        kind: IdentifierKind,
        text: &str,
    ) -> Option<u32> {
        while let Some((time, print)) = self.lagging.front().copied() {
            if now.since(time) < lag_ms {
                break;
            }
            self.lagging.pop_front();
            self.unindexed.remove(&print);
        }
        let identifier = Identifier::new(kind, text);
        if self.unindexed.contains(&identifier.print) {
            None
        } else {
            self.owner(&identifier)
        }
    }

    /// The first identifier of a document that belongs to somebody other than `own`.
    pub(crate) fn taken(
        &self,
        document: &Map<String, Value>,
        own: Option<u32>,
    ) -> Option<Identifier> {
        Identifier::all(document).into_iter().find(|identifier| {
            self.owner(identifier)
                .is_some_and(|owner| Some(owner) != own)
        })
    }

    pub(crate) fn insert(
        &mut self,
        now: SimTime,
        created_at: SimTime,
        rev: u64,
        document: &Map<String, Value>,
    ) -> u32 {
        let position = next_position(&self.all);
        self.all.push(Customer {
            document: packed(document),
            created_at,
            updated_at: now,
            rev,
            state: CustomerState::Live,
            objects: Vec::new(),
            events: Vec::new(),
            latest_occurred: None,
            said: History::default(),
        });
        self.live += 1;
        self.claim(now, position, document);
        position
    }

    /// Replaces the document; the caller has made sure that its identifiers are free.
    pub(crate) fn replace(
        &mut self,
        now: SimTime,
        position: u32,
        rev_step: u64,
        document: &Map<String, Value>,
    ) {
        let Some(customer) = at_mut(&mut self.all, position) else {
            return;
        };
        let before = parsed(&customer.document);
        customer.document = packed(document);
        customer.updated_at = now;
        customer.rev += rev_step;
        let kept = Identifier::all(document);
        for identifier in Identifier::all(&before) {
            if !kept.contains(&identifier) && self.owner(&identifier) == Some(position) {
                self.owners.remove(&identifier.print);
            }
        }
        self.claim(now, position, document);
    }

    /// Removes a customer; what belongs to it stays without an owner.
    pub(crate) fn delete(&mut self, position: u32) {
        self.end(position, CustomerState::Deleted);
    }

    /// Moves everything of `source` to `target`, and makes `document` the target's.
    pub(crate) fn merge(
        &mut self,
        now: SimTime,
        source: u32,
        target: u32,
        rev_step: u64,
        document: &Map<String, Value>,
    ) {
        let before = self.get(source).map(Customer::document).unwrap_or_default();
        let (objects, events, latest, created_at) = match self.get_mut(source) {
            Some(customer) => (
                std::mem::take(&mut customer.objects),
                std::mem::take(&mut customer.events),
                customer.latest_occurred,
                customer.created_at,
            ),
            None => return,
        };
        self.end(source, CustomerState::Merged { into: target });
        self.replace(now, target, rev_step, document);
        for identifier in Identifier::all(&before) {
            self.owners.entry(identifier.print).or_insert(target);
        }
        if let Some(customer) = self.get_mut(target) {
            customer.objects.extend(objects);
            customer.events.extend(events);
            customer.events.sort_unstable();
            customer.latest_occurred = customer.latest_occurred.max(latest);
            customer.created_at = customer.created_at.min(created_at);
        }
    }

    fn end(&mut self, position: u32, state: CustomerState) {
        let Some(customer) = at_mut(&mut self.all, position) else {
            return;
        };
        if customer.state != CustomerState::Live {
            return;
        }
        customer.state = state;
        let document = parsed(&customer.document);
        if state == CustomerState::Deleted {
            customer.document = "{}".into();
            customer.objects = Vec::new();
            customer.events = Vec::new();
        }
        self.live -= 1;
        self.release(position, &document);
    }

    fn claim(&mut self, now: SimTime, position: u32, document: &Map<String, Value>) {
        for identifier in Identifier::all(document) {
            let is_new = self.owners.insert(identifier.print, position).is_none();
            if is_new && self.unindexed.insert(identifier.print) {
                self.lagging.push_back((now, identifier.print));
            }
        }
    }

    fn release(&mut self, position: u32, document: &Map<String, Value>) {
        for identifier in Identifier::all(document) {
            if self.owner(&identifier) == Some(position) {
                self.owners.remove(&identifier.print);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: SimTime = SimTime::from_millis(1_000_000);

    fn document(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn identifiers_follow_the_document() {
        let mut customers = Customers::default();
        let first = document(&json!({"externalId": "u1", "emails": [{"email": "A@b.c"}]}));
        let position = customers.insert(NOW, NOW, 1, &first);
        assert_eq!(
            customers.find(IdentifierKind::Email, "a@B.c"),
            Some(position)
        );
        let second = document(&json!({"externalId": "u1", "phones": [{"phone": "+491"}]}));
        customers.replace(NOW, position, 1, &second);
        assert_eq!(customers.find(IdentifierKind::Email, "a@b.c"), None);
        assert_eq!(customers.find(IdentifierKind::Phone, "491"), Some(position));
        assert_eq!(customers.get(position).unwrap().rev, 2);
        customers.delete(position);
        assert_eq!(customers.find(IdentifierKind::ExternalId, "u1"), None);
        assert_eq!(customers.count(), 0);
    }

    #[test]
    fn taken_identifiers_are_named() {
        let mut customers = Customers::default();
        let owner = customers.insert(NOW, NOW, 1, &document(&json!({"externalId": "u1"})));
        let same = document(&json!({"externalId": "u1"}));
        assert_eq!(
            customers.taken(&same, None).unwrap().kind,
            IdentifierKind::ExternalId
        );
        assert_eq!(customers.taken(&same, Some(owner)), None);
    }

    #[test]
    fn the_search_index_lags() {
        let mut customers = Customers::default();
        let position = customers.insert(NOW, NOW, 1, &document(&json!({"externalId": "u1"})));
        let kind = IdentifierKind::ExternalId;
        assert_eq!(
            customers.search(NOW.plus_millis(1_999), 2_000, kind, "u1"),
            None
        );
        assert_eq!(
            customers.search(NOW.plus_millis(2_000), 2_000, kind, "u1"),
            Some(position)
        );
        customers.replace(
            NOW.plus_millis(2_001),
            position,
            1,
            &document(&json!({
            "externalId": "u1", "name": "x"})),
        );
        let after = customers.search(NOW.plus_millis(2_002), 2_000, kind, "u1");
        assert_eq!(
            after,
            Some(position),
            "an update does not take a customer out of the index"
        );
    }

    #[test]
    fn a_merged_customer_leads_to_the_target() {
        let mut customers = Customers::default();
        let source = customers.insert(NOW, NOW, 1, &document(&json!({"externalId": "old"})));
        let target = customers.insert(NOW, NOW, 1, &document(&json!({"externalId": "new"})));
        customers.get_mut(source).unwrap().events.push(3);
        customers.merge(
            NOW,
            source,
            target,
            1,
            &document(&json!({"externalId": "new"})),
        );
        assert_eq!(
            customers.find(IdentifierKind::ExternalId, "old"),
            Some(target)
        );
        assert!(customers.live(source).is_none());
        assert_eq!(customers.get(target).unwrap().events, [3]);
    }
}
