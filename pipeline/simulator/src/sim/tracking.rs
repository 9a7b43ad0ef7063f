//! Tracking: events, identifications, and both at once.
//!
//! An identification finds its customer by external id, then e-mail, then phone, then the customer
//! that its visitor was identified as before; the first match wins. Identifiers that belong to
//! somebody else stay with them, and the account counts an identity conflict. A new external id is
//! added to a customer who has another one already (`externalIds`). Without a match a customer is
//! created, so a deleted one is created again.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Answer, Caller, Done, Sim, object_of};
use crate::api::request::Request;
use crate::organisation::store::{IdentifierKind, Kind, NewEvent};
use crate::validate::{Checker, EVENT, IDENTITY, IDENTITY_EVENT, Unlisted};

/// Fields of an identification that become attributes as they are.
const PLAIN: [&str; 8] = [
    "name",
    "company",
    "username",
    "signedUpAt",
    "birthdayAt",
    "gender",
    "locale",
    "timeZone",
];

struct Identified {
    customer: u32,
    created: bool,
}

impl Sim {
    pub(super) fn track_event(&mut self, caller: Caller, request: &Request) -> Answer {
        let body = object_of(request)?;
        self.tracking_checker()
            .object(EVENT, Unlisted::Refused, &body)
            .map_err(crate::validate::Breach::named)?;
        let visitor = text(&body, "trackingId").map(str::to_owned);
        let customer = visitor
            .as_deref()
            .and_then(|visitor| self.customer_of_visitor(visitor));
        self.add_event(caller, customer, visitor.as_deref(), &body);
        Ok(Done::empty())
    }

    pub(super) fn track_identity(&mut self, caller: Caller, request: &Request) -> Answer {
        let body = object_of(request)?;
        self.tracking_checker()
            .object(IDENTITY, Unlisted::Refused, &body)
            .map_err(crate::validate::Breach::named)?;
        let identified = self.identify(caller, &body);
        self.counts.accepted.identities += 1;
        Ok(self.identified(caller, &identified, &body))
    }

    pub(super) fn track_identity_event(&mut self, caller: Caller, request: &Request) -> Answer {
        let body = object_of(request)?;
        self.tracking_checker()
            .object(IDENTITY_EVENT, Unlisted::Refused, &body)
            .map_err(crate::validate::Breach::named)?;
        let empty = Map::new();
        let part = |name| body.get(name).and_then(Value::as_object).unwrap_or(&empty);
        let (identity, event) = (part("identity"), part("event"));
        let identified = self.identify(caller, identity);
        let visitor = text(event, "trackingId").map(str::to_owned);
        if let Some(visitor) = visitor.as_deref() {
            self.link_visitor(visitor, identified.customer);
        }
        self.add_event(caller, Some(identified.customer), visitor.as_deref(), event);
        Ok(self.identified(caller, &identified, identity))
    }

    fn tracking_checker(&self) -> Checker<'_> {
        Checker {
            switches: &self.config.switches,
            configured: self.store.klasses.configured("customer"),
        }
    }

    // A visitor id is chosen by a client, or was given out by an identification.
    fn customer_of_visitor(&self, visitor: &str) -> Option<u32> {
        let noted = self.store.events.identified(visitor);
        let given = || self.store.ids.position(Kind::Visitor, visitor);
        noted
            .or_else(given)
            .filter(|position| self.store.customers.live(*position).is_some())
    }

    fn link_visitor(&mut self, visitor: &str, customer: u32) {
        let events = self.store.events.identify(visitor, customer);
        if let Some(customer) = self.store.customers.get_mut(customer) {
            customer.events.extend(events);
            customer.events.sort_unstable();
        }
    }

    fn identify(&mut self, caller: Caller, identity: &Map<String, Value>) -> Identified {
        let named: Vec<(IdentifierKind, &str)> = [
            (IdentifierKind::ExternalId, "externalId"),
            (IdentifierKind::Email, "email"),
            (IdentifierKind::Phone, "phone"),
        ]
        .into_iter()
        .filter_map(|(kind, field)| Some((kind, text(identity, field)?)))
        .collect();
        let owners: Vec<Option<u32>> = named
            .iter()
            .map(|(kind, text)| self.store.customers.find(*kind, text))
            .collect();
        let visitor = text(identity, "trackingId");
        let known_visitor = || {
            let position = self.customer_of_visitor(visitor?)?;
            let other = text(
                &self.store.customers.get(position)?.document(),
                "externalId",
            )
            .is_some_and(|own| text(identity, "externalId").is_some_and(|new| new != own));
            (!other).then_some(position)
        };
        let found = owners
            .iter()
            .flatten()
            .copied()
            .next()
            .or_else(known_visitor);
        let elsewhere =
            found.is_some() && owners.iter().flatten().any(|owner| Some(*owner) != found);
        let nothing_new = named.len() == owners.iter().filter(|owner| **owner == found).count()
            && identity.keys().all(|field| is_address(field));
        let free: Vec<(IdentifierKind, &str)> = named
            .iter()
            .zip(&owners)
            .filter(|(_, owner)| owner.is_none())
            .map(|(identifier, _)| *identifier)
            .collect();
        let (customer, created, added_external_id) = match found {
            Some(position) if nothing_new => (position, false, false),
            Some(position) => {
                let before = self
                    .store
                    .customers
                    .get(position)
                    .map(crate::organisation::store::Customer::document);
                let mut document = before.clone().unwrap_or_default();
                let added = merge_identity(&mut document, &free, identity);
                if before.as_ref() != Some(&document) {
                    let step = self.config.switches.rev_step;
                    self.store
                        .customers
                        .replace(caller.now, position, step, &document);
                }
                (position, false, added)
            }
            None => {
                let mut document = Map::new();
                merge_identity(&mut document, &free, identity);
                let rev = self.config.switches.rev_start;
                let position = self
                    .store
                    .customers
                    .insert(caller.now, caller.now, rev, &document);
                self.counts.accepted.customers_created += 1;
                (position, true, false)
            }
        };
        self.counts.identity_conflicts += u64::from(elsewhere || added_external_id);
        if let Some(visitor) = visitor.map(str::to_owned) {
            self.link_visitor(&visitor, customer);
        }
        self.judge_identity(customer, identity);
        Identified { customer, created }
    }

    fn add_event(
        &mut self,
        caller: Caller,
        customer: Option<u32>,
        visitor: Option<&str>,
        event: &Map<String, Value>,
    ) {
        let meta = event.get("meta").and_then(Value::as_object);
        let previous = match customer.and_then(|position| self.store.customers.get(position)) {
            Some(customer) => customer.events.last().copied(),
            None => visitor.and_then(|visitor| self.store.events.last_of_visitor(visitor)),
        };
        let new = NewEvent {
            customer,
            visitor,
            name: text(event, "name").unwrap_or_default(),
            session: text(event, "sessionId"),
            meta,
            previous,
        };
        let position = self.store.events.insert(caller.now, &new);
        if let Some(customer) = customer.and_then(|position| self.store.customers.get_mut(position))
        {
            customer.events.push(position);
            customer.updated_at = caller.now;
        }
        self.judge_event(customer, meta);
    }

    /// The answer to an identification.
    fn identified(
        &self,
        caller: Caller,
        identified: &Identified,
        identity: &Map<String, Value>,
    ) -> Done {
        let ids = self.store.ids;
        let id = ids.text(Kind::Identity, identified.customer);
        let given = ids.text(Kind::Visitor, identified.customer);
        let customer = self.store.customers.get(identified.customer);
        let created_at = customer.map_or(caller.now, |customer| customer.created_at);
        let now = caller.now.rfc3339();
        let earlier = (created_at != caller.now).then(|| created_at.rfc3339());
        let attributes = Attributes {
            tracking_id: text(identity, "trackingId").unwrap_or(&given),
            external_id: identity.get("externalId"),
            email: identity.get("email"),
            phone: identity.get("phone"),
            status: if identified.created {
                "created"
            } else {
                "updated"
            },
            status_at: &now,
            created_at: earlier.as_ref().unwrap_or(&now),
            updated_at: &now,
        };
        let org = ids.text(Kind::Org, 0);
        let customer = ids.text(Kind::Customer, identified.customer);
        let relationships = Relationships {
            org: Linked::new("org", "orgs", &org),
            customer: Linked::new("customer", "customers", &customer),
        };
        let links = Own::of(&["/v1/tracking/identity/", &id]);
        let data = Identity {
            kind: "identity",
            id: &id,
            attributes,
            relationships,
            links,
        };
        Done::wrote(201, &Data { data })
    }
}

// What the answer to an identification consists of. It is the answer that is given most often, so it is written as it is
// instead of being built as a tree of values first.

#[derive(Serialize)]
struct Data<'a> {
    data: Identity<'a>,
}

#[derive(Serialize)]
struct Identity<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    attributes: Attributes<'a>,
    relationships: Relationships<'a>,
    links: Own,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attributes<'a> {
    tracking_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a Value>,
    status: &'a str,
    status_at: &'a str,
    created_at: &'a str,
    updated_at: &'a str,
}

#[derive(Serialize)]
struct Relationships<'a> {
    org: Linked<'a>,
    customer: Linked<'a>,
}

#[derive(Serialize)]
struct Linked<'a> {
    links: Own,
    data: Named<'a>,
}

impl<'a> Linked<'a> {
    fn new(kind: &'a str, resource: &str, id: &'a str) -> Self {
        Self {
            links: Own::of(&["/v1/", resource, "/", id]),
            data: Named { kind, id },
        }
    }
}

#[derive(Serialize)]
struct Named<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
struct Own {
    #[serde(rename = "self")]
    own: String,
}

impl Own {
    fn of(parts: &[&str]) -> Self {
        Self {
            own: parts.concat(),
        }
    }
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

// Fields that only address the customer or the visit.
pub(super) fn is_address(field: &str) -> bool {
    matches!(
        field,
        "externalId" | "email" | "phone" | "trackingId" | "sessionId" | "remember"
    )
}

// Merges an identification into a document; true when it added a second external id.
fn merge_identity(
    document: &mut Map<String, Value>,
    free: &[(IdentifierKind, &str)],
    identity: &Map<String, Value>,
) -> bool {
    let mut added_external_id = false;
    for (kind, value) in free {
        match kind {
            IdentifierKind::ExternalId if document.contains_key("externalId") => {
                push(
                    document,
                    "externalIds",
                    json!({ "externalId": value, "verified": false }),
                );
                added_external_id = true;
            }
            IdentifierKind::ExternalId => {
                document.insert("externalId".to_owned(), json!(value));
            }
            IdentifierKind::Email => {
                push(
                    document,
                    "emails",
                    json!({ "email": value, "verified": false }),
                );
            }
            IdentifierKind::Phone => {
                push(
                    document,
                    "phones",
                    json!({ "phone": value, "verified": false }),
                );
            }
        }
    }
    for field in PLAIN {
        if let Some(value) = identity.get(field) {
            document.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(location) = identity.get("location") {
        push(document, "locations", location.clone());
    }
    for tag in identity
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        push(document, "tags", tag.clone());
    }
    if let Some(changes) = identity.get("custom").and_then(Value::as_object) {
        let custom = document.entry("custom").or_insert_with(|| json!({}));
        if let Some(custom) = custom.as_object_mut() {
            crate::organisation::store::merge(custom, changes.clone());
        }
    }
    added_external_id
}

fn push(document: &mut Map<String, Value>, list: &str, value: Value) {
    let entries = document.entry(list).or_insert_with(|| json!([]));
    if let Some(entries) = entries.as_array_mut()
        && !entries.contains(&value)
    {
        entries.push(value);
    }
}
