//! Customers: create, read, update, delete and merge.

use serde_json::{Map, Value, json};

use super::{Answer, Caller, Done, Sim, object_of};
use crate::api::error::ApiError;
use crate::api::request::{Method, Request};
use crate::api::route::Call;
use crate::config::{Merged, Rev, UnknownCompany};
use crate::organisation::store::{CustomerState, IdentifierKind, Kind};
use crate::time::SimTime;
use crate::validate::{Breach, CUSTOMER, Checker, MERGE, Unlisted};

impl Sim {
    pub(super) fn customer_checker(&self) -> Checker<'_> {
        Checker {
            switches: &self.config.switches,
            configured: self.store.klasses.configured("customer"),
        }
    }

    pub(super) fn post_customer(&mut self, caller: Caller, request: &Request) -> Answer {
        let body = object_of(request)?;
        self.customer_checker()
            .object(CUSTOMER, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        let position = self.create_customer(caller, body)?;
        Ok(Done::wrote(
            201,
            &json!({ "data": self.customer_resource(position) }),
        ))
    }

    /// A customer with these keys is there from now on, as if another integration had made it: it costs nothing, and is not
    /// counted. Where somebody has one of the keys, nothing changes.
    pub fn let_exist(
        &mut self,
        now: SimTime,
        external_id: Option<&str>,
        email: Option<&str>,
        phone: Option<&str>,
    ) {
        let mut body = Map::new();
        if let Some(id) = external_id {
            body.insert("externalId".to_owned(), id.into());
        }
        if let Some(email) = email {
            body.insert(
                "emails".to_owned(),
                json!([{ "type": "home", "email": email }]),
            );
        }
        if let Some(phone) = phone {
            body.insert(
                "phones".to_owned(),
                json!([{ "type": "home", "phone": phone }]),
            );
        }
        if !body.is_empty() && self.store.customers.taken(&body, None).is_none() {
            let rev = self.config.switches.rev_start;
            self.store.customers.insert(now, now, rev, &body);
        }
    }

    /// Creates a customer from a checked body.
    pub(super) fn create_customer(
        &mut self,
        caller: Caller,
        mut body: Map<String, Value>,
    ) -> Result<u32, ApiError> {
        self.check_references("customer", &body)?;
        self.check_company(&body)?;
        if let Some(taken) = self.store.customers.taken(&body, None) {
            return Err(duplicate(taken.kind));
        }
        body.retain(|_, value| !value.is_null());
        body.shift_remove("rev");
        let created_at = time_of(body.shift_remove("createdAt").as_ref()).unwrap_or(caller.now);
        let rev = self.config.switches.rev_start;
        let position = self
            .store
            .customers
            .insert(caller.now, created_at, rev, &body);
        self.counts.accepted.customers_created += 1;
        Ok(position)
    }

    pub(super) fn get_customer(&self, call: &Call) -> Answer {
        let position = self
            .readable_customer(&call.id)
            .ok_or_else(|| ApiError::not_found("id"))?;
        if self.store.customer_position(&call.id) != Some(position) {
            let target = self.store.ids.text(Kind::Customer, position);
            return Ok(Done::moved(format!("/v1/customers/{target}")));
        }
        Ok(Done::read(
            &json!({ "data": self.customer_resource(position) }),
        ))
    }

    /// The customer that a read by id returns; for merged ones the switch decides.
    pub(super) fn readable_customer(&self, id: &str) -> Option<u32> {
        let position = self.store.customer_position(id)?;
        match self.store.customers.get(position)?.state {
            CustomerState::Live => Some(position),
            CustomerState::Deleted => None,
            CustomerState::Merged { into } => match self.config.switches.merged {
                Merged::Gone => None,
                Merged::Redirect => Some(into),
                Merged::Stale => Some(position),
            },
        }
    }

    pub(super) fn find_customer(&self, kind: IdentifierKind, call: &Call) -> Answer {
        let found = self.store.customers.find(kind, &call.id);
        let position = found.ok_or_else(|| ApiError::not_found(kind.parameter()))?;
        Ok(Done::read(
            &json!({ "data": self.customer_resource(position) }),
        ))
    }

    pub(super) fn put_customer(
        &mut self,
        caller: Caller,
        request: &Request,
        call: &Call,
    ) -> Answer {
        let position = self
            .store
            .live_customer(&call.id)
            .ok_or_else(|| ApiError::not_found("id"))?;
        let body = object_of(request)?;
        self.customer_checker()
            .object(CUSTOMER, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        let replace = request.method == Method::Put && call.query.get("replace") == Some("true");
        self.update_customer(caller, position, body, replace)?;
        Ok(Done::wrote(
            200,
            &json!({ "data": self.customer_resource(position) }),
        ))
    }

    /// Updates a customer with a checked body. Leaving `company` out unlinks it.
    pub(super) fn update_customer(
        &mut self,
        caller: Caller,
        position: u32,
        mut body: Map<String, Value>,
        replace: bool,
    ) -> Result<(), ApiError> {
        self.check_references("customer", &body)?;
        self.check_company(&body)?;
        let customer = self
            .store
            .customers
            .get(position)
            .ok_or_else(|| ApiError::not_found("id"))?;
        self.check_rev(customer.rev, &body)?;
        body.shift_remove("rev");
        let created_at = time_of(body.shift_remove("createdAt").as_ref());
        let mut document = if replace {
            Map::new()
        } else {
            customer.document()
        };
        if !body.contains_key("company") {
            document.shift_remove("company");
        }
        if let Some(Value::Object(changes)) = body.shift_remove("custom") {
            let custom = document.entry("custom").or_insert_with(|| json!({}));
            if let Some(custom) = custom.as_object_mut() {
                crate::organisation::store::merge(custom, changes);
            }
        }
        crate::organisation::store::merge(&mut document, body);
        if let Some(taken) = self.store.customers.taken(&document, Some(position)) {
            return Err(duplicate(taken.kind));
        }
        self.admit_customer_update(caller, position)?;
        let step = self.config.switches.rev_step;
        self.store
            .customers
            .replace(caller.now, position, step, &document);
        if let (Some(time), Some(customer)) = (created_at, self.store.customers.get_mut(position)) {
            customer.created_at = time;
        }
        self.counts.accepted.customers_updated += 1;
        Ok(())
    }

    /// The company in a body has to exist, if the switch says so.
    fn check_company(&self, body: &Map<String, Value>) -> Result<(), ApiError> {
        let Some(id) = body.get("company").and_then(Value::as_str) else {
            return Ok(());
        };
        if self.live_company(id).is_some() {
            return Ok(());
        }
        match self.config.switches.unknown_company {
            UnknownCompany::Accept => Ok(()),
            UnknownCompany::NotFound => Err(ApiError {
                title: "company not found".into(),
                ..ApiError::not_found("company")
            }),
            UnknownCompany::Invalid => Err(ApiError::bad("company", "company not found")),
        }
    }

    /// A stale `rev` is a conflict, unless the switch says that it is ignored.
    pub(super) fn check_rev(&self, stored: u64, body: &Map<String, Value>) -> Result<(), ApiError> {
        let given = body
            .get("rev")
            .filter(|_| self.config.switches.rev == Rev::Honour);
        if given.is_some_and(|rev| rev.as_u64() != Some(stored)) {
            return Err(ApiError::conflict("rev", "revision conflict"));
        }
        Ok(())
    }

    pub(super) fn delete_customer(&mut self, call: &Call) -> Answer {
        let position = self
            .store
            .live_customer(&call.id)
            .ok_or_else(|| ApiError::not_found("id"))?;
        self.store.customers.delete(position);
        Ok(Done::empty())
    }

    pub(super) fn merge_customers(&mut self, caller: Caller, request: &Request) -> Answer {
        let body = object_of(request)?;
        let checker = self.customer_checker();
        checker
            .object(MERGE, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        let side = |name: &str| {
            let id = body.get(name).and_then(Value::as_str).unwrap_or_default();
            self.store
                .live_customer(id)
                .ok_or_else(|| ApiError::not_found(name))
        };
        let (source, target) = (side("source")?, side("target")?);
        if source == target {
            return Err(ApiError::bad("target", "source and target are the same"));
        }
        let document_of = |position| {
            self.store
                .customers
                .get(position)
                .map(crate::organisation::store::Customer::document)
        };
        let document = merged_document(
            &document_of(source).unwrap_or_default(),
            document_of(target).unwrap_or_default(),
        );
        let objects = self
            .store
            .customers
            .get(source)
            .map(|customer| customer.objects.clone());
        let events = self
            .store
            .customers
            .get(source)
            .map(|customer| customer.events.clone());
        for object in objects.unwrap_or_default() {
            self.store.objects.reassign(object, target);
        }
        self.store
            .events
            .reassign(&events.unwrap_or_default(), target);
        let step = self.config.switches.rev_step;
        self.store
            .customers
            .merge(caller.now, source, target, step, &document);
        let id = self.store.ids.text(Kind::Merge, source);
        Ok(Done::wrote(
            201,
            &json!({ "data": {
                "type": "customer_merge",
                "id": id,
                "attributes": { "status": "complete", "createdAt": caller.now.rfc3339() },
                "relationships": {
                    "source": { "data": { "type": "customer", "id": body.get("source") } },
                    "target": self.customer_link(target),
                },
                "links": { "self": format!("/v1/customers/merges/{id}") },
            }}),
        ))
    }
}

// Contact points, tags and custom attributes are combined; in everything else the target wins.
fn merged_document(
    source: &Map<String, Value>,
    mut target: Map<String, Value>,
) -> Map<String, Value> {
    for (field, value) in source {
        match (value, target.get_mut(field)) {
            (Value::Array(more), Some(Value::Array(entries))) => {
                let missing: Vec<Value> = more
                    .iter()
                    .filter(|entry| !entries.contains(entry))
                    .cloned()
                    .collect();
                entries.extend(missing);
            }
            (Value::Object(more), Some(Value::Object(fields))) => {
                for (name, value) in more {
                    fields.entry(name).or_insert_with(|| value.clone());
                }
            }
            (_, Some(_)) => {}
            (_, None) => {
                target.insert(field.clone(), value.clone());
            }
        }
    }
    target
}

fn duplicate(kind: IdentifierKind) -> ApiError {
    ApiError::conflict(kind.parameter(), "duplicate detected")
}

fn time_of(value: Option<&Value>) -> Option<SimTime> {
    value.and_then(Value::as_str).and_then(SimTime::parse)
}
