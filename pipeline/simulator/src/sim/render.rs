//! Documents as the API renders them.

use serde_json::{Map, Value, json};

use super::Sim;
use crate::config::SearchAttributes;
use crate::organisation::store::{Event, Kind};

/// Attributes of a customer that are lists even if nothing was written.
const LISTS: [&str; 9] = [
    "externalIds",
    "emails",
    "sharedEmails",
    "phones",
    "sharedPhones",
    "socials",
    "urls",
    "locations",
    "tags",
];

const IDENTIFYING: [&str; 7] = [
    "externalId",
    "externalIds",
    "emails",
    "sharedEmails",
    "phones",
    "sharedPhones",
    "username",
];

impl Sim {
    pub(super) fn org_link(&self) -> Value {
        let id = self.store.ids.text(Kind::Org, 0);
        json!({ "links": { "self": format!("/v1/orgs/{id}") }, "data": { "type": "org", "id": id } })
    }

    pub(super) fn customer_link(&self, position: u32) -> Value {
        let id = self.store.ids.text(Kind::Customer, position);
        json!({
            "links": { "self": format!("/v1/customers/{id}") },
            "data": { "type": "customer", "id": id },
        })
    }

    /// The resource of a customer, without the `data` around it.
    pub(super) fn customer_resource(&self, position: u32) -> Value {
        let Some(customer) = self.store.customers.get(position) else {
            return Value::Null;
        };
        let id = self.store.ids.text(Kind::Customer, position);
        let mut attributes = customer.document();
        let display = display_name(&attributes);
        attributes.insert("displayName".to_owned(), json!(display));
        for list in LISTS {
            attributes.entry(list).or_insert_with(|| json!([]));
        }
        attributes.entry("custom").or_insert_with(|| json!({}));
        let company = attributes.shift_remove("company");
        for (field, time) in [
            ("createdAt", customer.created_at),
            ("updatedAt", customer.updated_at),
            ("modifiedAt", customer.updated_at),
            ("lastActivityAt", customer.updated_at),
        ] {
            attributes.insert(field.to_owned(), json!(time.rfc3339()));
        }
        attributes.insert("verified".to_owned(), json!(false));
        attributes.insert("rev".to_owned(), json!(customer.rev));
        let mut relationships = Map::new();
        relationships.insert("org".to_owned(), self.org_link());
        if let Some(company) = company.filter(Value::is_string) {
            let link = json!({ "data": { "type": "company", "id": company } });
            relationships.insert("company".to_owned(), link);
        }
        json!({
            "type": "customer",
            "id": id,
            "attributes": attributes,
            "relationships": relationships,
            "links": { "self": format!("/v1/customers/{id}") },
        })
    }

    /// The resource of a customer as a search returns it.
    pub(super) fn search_result(&self, position: u32) -> Value {
        let mut resource = self.customer_resource(position);
        if self.config.switches.search_attributes == SearchAttributes::Brief
            && let Some(attributes) = resource
                .get_mut("attributes")
                .and_then(Value::as_object_mut)
        {
            for field in IDENTIFYING {
                attributes.shift_remove(field);
            }
        }
        resource
    }

    /// The resource of an object, without the `data` around it.
    pub(super) fn object_resource(&self, position: u32) -> Value {
        let Some(object) = self.store.objects.get(position) else {
            return Value::Null;
        };
        let Some(klass) = self.store.klasses.get(object.klass) else {
            return Value::Null;
        };
        let id = self.store.ids.text(Kind::Object, position);
        let mut rest = object.rest();
        let mut attributes = Map::new();
        attributes.insert("title".to_owned(), json!(&*object.title));
        if let Some(external_id) = &object.external_id {
            attributes.insert("externalId".to_owned(), json!(&**external_id));
        }
        let icon = rest
            .shift_remove("icon")
            .or_else(|| klass.fields.get("icon").cloned());
        if let Some(icon) = icon {
            attributes.insert("icon".to_owned(), icon);
        }
        let company = rest.shift_remove("company");
        let images = rest.shift_remove("images").unwrap_or_else(|| json!([]));
        let tags = rest.shift_remove("tags").unwrap_or_else(|| json!([]));
        attributes.insert("images".to_owned(), images);
        attributes.extend(rest);
        attributes.insert("custom".to_owned(), Value::Object(object.custom()));
        attributes.insert("tags".to_owned(), tags);
        attributes.insert("updatedAt".to_owned(), json!(object.updated_at.rfc3339()));
        attributes.insert("createdAt".to_owned(), json!(object.created_at.rfc3339()));
        attributes.insert("rev".to_owned(), json!(object.rev));
        attributes.insert("roleGroupVersions".to_owned(), json!([]));
        let mut relationships = Map::new();
        relationships.insert("org".to_owned(), self.org_link());
        let klass_link = json!({
            "link": { "self": format!("/v1/klasses/{}", klass.name) },
            "data": { "type": "klass", "id": klass.name },
        });
        relationships.insert("klass".to_owned(), klass_link);
        if let Some(customer) = object.customer {
            relationships.insert("customer".to_owned(), self.customer_link(customer));
        }
        if let Some(company) = company {
            let link = json!({ "data": { "type": "company", "id": company } });
            relationships.insert("company".to_owned(), link);
        }
        json!({
            "type": format!("kobject.{}", klass.name),
            "id": id,
            "attributes": attributes,
            "relationships": relationships,
            // the API pluralises the klass here, whatever its name
            "links": { "self": format!("/v1/klasses/{}s/{id}", klass.name) },
        })
    }

    pub(super) fn klass_resource(&self, position: u16) -> Value {
        let Some(klass) = self.store.klasses.get(position) else {
            return Value::Null;
        };
        let id = self.store.ids.text(Kind::Klass, u32::from(position));
        let mut attributes = Map::new();
        attributes.insert("name".to_owned(), json!(klass.name));
        attributes.insert("status".to_owned(), json!("enabled"));
        attributes.extend(klass.fields.clone());
        attributes.insert("createdAt".to_owned(), json!(klass.created_at.rfc3339()));
        attributes.insert("updatedAt".to_owned(), json!(klass.updated_at.rfc3339()));
        json!({
            "type": "klass",
            "id": id,
            "attributes": attributes,
            "relationships": {
                "org": self.org_link(),
                "kobjects": { "links": { "self": format!("/v1/klasses/{}", klass.name) } },
            },
            "links": { "self": format!("/v1/klasses/{id}") },
        })
    }

    pub(super) fn event_resource(&self, position: u32, event: &Event) -> Value {
        let id = self.store.ids.text(Kind::Event, position);
        let name = self.store.events.name(event);
        let time = event.created_at.rfc3339();
        let mut relationships = Map::new();
        relationships.insert("org".to_owned(), self.org_link());
        if let Some(customer) = event.customer {
            relationships.insert("customer".to_owned(), self.customer_link(customer));
        }
        json!({
            "type": "customer_event",
            "id": id,
            "attributes": {
                "name": name,
                "trackingEvent": name,
                "app": "tracking",
                "sessionId": event.session_id(self.store.ids),
                "meta": event.meta(),
                "publishedAt": time,
                "createdAt": time,
            },
            "relationships": relationships,
        })
    }
}

pub(super) fn display_name(document: &Map<String, Value>) -> String {
    let first = |list: &str, field: &str| {
        document
            .get(list)?
            .as_array()?
            .first()?
            .get(field)?
            .as_str()
            .map(str::to_owned)
    };
    let text = |field: &str| document.get(field)?.as_str().map(str::to_owned);
    text("name")
        .or_else(|| first("emails", "email"))
        .or_else(|| first("phones", "phone"))
        .or_else(|| text("externalId"))
        .unwrap_or_else(|| "Unknown customer".to_owned())
}

/// One page of a list: `page` from 1, `pageSize` up to 100, at most 100 pages deep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) number: usize,
    pub(super) size: usize,
}

impl Page {
    pub(super) fn of(query: &crate::api::route::Query) -> Self {
        let number = query.number("page").unwrap_or(1).clamp(1, 100);
        Self {
            number,
            size: query.number("pageSize").unwrap_or(100).clamp(1, 100),
        }
    }

    /// The envelope around the items of this page.
    pub(super) fn envelope(self, path: &str, items: impl Iterator<Item = Value>) -> Value {
        let mut data: Vec<Value> = items
            .skip((self.number - 1) * self.size)
            .take(self.size + 1)
            .collect();
        let more = data.len() > self.size && self.number < 100;
        data.truncate(self.size);
        let link = |number: usize| format!("{path}?page={number}&pageSize={}", self.size);
        let next = if more {
            json!(link(self.number + 1))
        } else {
            Value::Null
        };
        json!({
            "meta": { "page": self.number, "pageSize": self.size },
            "links": { "self": link(self.number), "first": link(1), "next": next },
            "data": data,
        })
    }
}
