//! Read models: what the simulator holds, for tests and people.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::organisation::store::{Event, IdentifierKind, Kind, Object};
use crate::pages::{CustomerView, EventView, ObjectView, SessionView, Timeline, TimelineItem};
use crate::sim::Sim;
use crate::sim::render::display_name;

const SHOWN_OBJECTS: usize = 500;
const SHOWN_EVENTS: usize = 2_000;

impl Sim {
    /// The timeline of a customer, by Kustomer id, external id, e-mail or phone.
    #[must_use]
    pub fn timeline(&self, customer: &str) -> Option<Timeline> {
        let position = self.customer_named(customer)?;
        let stored = self.store.customers.get(position)?;
        let mut items: Vec<TimelineItem> = stored
            .objects
            .iter()
            .rev()
            .filter_map(|position| {
                let object = self.store.objects.live(*position)?;
                Some(TimelineItem::Kobject(Box::new(
                    self.object_view(*position, object)?,
                )))
            })
            .take(SHOWN_OBJECTS)
            .collect();
        let mut sessions: IndexMap<String, Vec<EventView>> = IndexMap::new();
        for position in stored.events.iter().rev().take(SHOWN_EVENTS) {
            if let Some(event) = self.store.events.get(*position) {
                let view = self.event_view(*position, event);
                sessions.entry(view.session.clone()).or_default().push(view);
            }
        }
        items.extend(sessions.into_iter().filter_map(|(id, events)| {
            let last_event_at = events.first()?.created_at;
            Some(TimelineItem::Session(SessionView {
                id,
                last_event_at,
                events,
            }))
        }));
        items.sort_by_key(|item| std::cmp::Reverse(item.time()));
        let resource = self.customer_resource(position);
        let attributes = resource.get("attributes").and_then(Value::as_object);
        Some(Timeline {
            customer: self.customer_view(position)?,
            attributes: attributes.cloned().unwrap_or_default(),
            items,
        })
    }

    /// The position of a customer, by any of its ids.
    pub(super) fn customer_named(&self, name: &str) -> Option<u32> {
        let customers = &self.store.customers;
        self.readable_customer(name)
            .or_else(|| customers.find(IdentifierKind::ExternalId, name))
            .or_else(|| customers.find(IdentifierKind::Email, name))
            .or_else(|| customers.find(IdentifierKind::Phone, name))
    }

    /// Objects of a klass in the order of their creation.
    pub fn objects(&self, klass: &str) -> impl Iterator<Item = ObjectView> {
        let klass = self.store.klasses.find(klass);
        klass.into_iter().flat_map(|klass| {
            self.store
                .objects
                .of_klass(klass)
                .filter_map(|(position, object)| self.object_view(position, object))
        })
    }

    /// Accepted tracking events in the order of their receipt.
    pub fn events(&self) -> impl Iterator<Item = EventView> {
        self.store
            .events
            .iter()
            .map(|(position, event)| self.event_view(position, event))
    }

    /// Accepted tracking events of one customer (by any of its ids) in the order of their receipt.
    pub fn events_of_customer(&self, customer: &str) -> impl Iterator<Item = EventView> {
        let position = self.customer_named(customer);
        let customer = position.and_then(|position| self.store.customers.get(position));
        let positions = customer.map_or(&[][..], |customer| customer.events.as_slice());
        positions.iter().filter_map(|position| {
            Some(self.event_view(*position, self.store.events.get(*position)?))
        })
    }

    /// Customers in the order of their creation.
    pub fn customers(&self) -> impl Iterator<Item = CustomerView> {
        self.store
            .customers
            .iter()
            .filter_map(|(position, _)| self.customer_view(position))
    }

    /// Positions of the customers with the most items; only those whose name, e-mail, phone or
    /// external id contains `search`.
    pub(super) fn busiest_customers(&self, search: &str) -> Vec<u32> {
        let wanted = search.to_lowercase();
        let mut found: Vec<(usize, u32)> = self
            .store
            .customers
            .iter()
            .filter(|(_, customer)| wanted.is_empty() || mentions(&customer.document(), &wanted))
            .map(|(position, customer)| (customer.objects.len() + customer.events.len(), position))
            .collect();
        found.sort_by_key(|(items, position)| (std::cmp::Reverse(*items), *position));
        found.into_iter().map(|(_, position)| position).collect()
    }

    pub(super) fn customer_view(&self, position: u32) -> Option<CustomerView> {
        let customer = self.store.customers.get(position)?;
        let document = customer.document();
        let is_live = |position: &&u32| self.store.objects.live(**position).is_some();
        Some(CustomerView {
            id: self.store.ids.text(Kind::Customer, position),
            external_id: document
                .get("externalId")
                .and_then(Value::as_str)
                .map(str::to_owned),
            display_name: display_name(&document),
            company: document
                .get("company")
                .and_then(Value::as_str)
                .map(str::to_owned),
            kobjects: customer.objects.iter().filter(is_live).count() as u64,
            events: customer.events.len() as u64,
            updated_at: customer.updated_at,
        })
    }

    pub(in crate::sim) fn object_view(&self, position: u32, object: &Object) -> Option<ObjectView> {
        Some(ObjectView {
            id: self.object_id(position),
            klass: self.klass_name(object.klass)?.to_owned(),
            external_id: object.external_id.as_deref().map(str::to_owned),
            title: object.title.to_string(),
            customer: object
                .customer
                .map(|owner| self.store.ids.text(Kind::Customer, owner)),
            rev: object.rev,
            version: object.version().map(str::to_owned),
            custom: object.custom(),
            rest: object.rest(),
            created_at: object.created_at,
            updated_at: object.updated_at,
        })
    }

    pub(super) fn event_view(&self, position: u32, event: &Event) -> EventView {
        let meta = event.meta();
        let text = |key: &str| meta.get(key).and_then(Value::as_str).map(str::to_owned);
        EventView {
            id: self.store.ids.text(Kind::Event, position),
            name: self.store.events.name(event).to_owned(),
            customer: event
                .customer
                .map(|owner| self.store.ids.text(Kind::Customer, owner)),
            session: event.session_id(self.store.ids),
            event_key: text("eventKey"),
            occurred_at: text("occurredAt"),
            meta,
            created_at: event.created_at,
        }
    }
}

fn mentions(document: &Map<String, Value>, wanted: &str) -> bool {
    ["name", "externalId", "emails", "phones", "externalIds"]
        .into_iter()
        .any(|field| {
            document
                .get(field)
                .is_some_and(|value| value.to_string().to_lowercase().contains(wanted))
        })
}
