//! `KObjects`, one at a time; bulk jobs use the same writes.

mod companies;

use serde_json::{Map, Value, json};

use super::account::print_of;
use super::render::Page;
use super::{Answer, Caller, Done, Sim, object_of};
use crate::api::error::{ApiError, Refusal};
use crate::api::request::Request;
use crate::api::route::Call;
use crate::config::{BulkCreateLimit, Duplicates, ImportedCreates, UnknownCustomer};
use crate::organisation::store::{Kind, Object, version_of};
use crate::time::SimTime;
use crate::validate::{Breach, Checker, KOBJECT, KOBJECT_UPDATE, Unlisted};

/// The klass of companies; no klass has this position.
const COMPANIES: u16 = u16::MAX;
/// The name of that klass in views, and that of the metadata of companies.
const COMPANY: &str = "company";

/// What a create did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Created(u32),
    Updated(u32),
}

/// Whether a write stands alone or in a bulk job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Single,
    Bulk,
}

impl Sim {
    pub(super) fn klass_named(&self, name: &str) -> Result<u16, ApiError> {
        self.store
            .klasses
            .find(name)
            .ok_or_else(|| ApiError::not_found("klass"))
    }

    pub(super) fn object_checker(&self, klass: &str) -> Checker<'_> {
        Checker {
            switches: &self.config.switches,
            configured: self.store.klasses.configured(&format!("kobject.{klass}")),
        }
    }

    pub(super) fn post_object(&mut self, caller: Caller, request: &Request, call: &Call) -> Answer {
        let klass = self.klass_named(&call.name)?;
        let mut body = object_of(request)?;
        self.object_checker(&call.name)
            .object(KOBJECT, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        if let Some(customer) = &call.customer {
            body.insert("customer".to_owned(), json!(customer));
        }
        let (Written::Created(position) | Written::Updated(position)) =
            self.create_object(caller, klass, body, Way::Single)?;
        Ok(Done::wrote(
            201,
            &json!({ "data": self.object_resource(position) }),
        ))
    }

    /// Creates an object from a checked body.
    pub(super) fn create_object(
        &mut self,
        caller: Caller,
        klass: u16,
        body: Map<String, Value>,
        way: Way,
    ) -> Result<Written, ApiError> {
        let customer = match body.get("customer").and_then(Value::as_str) {
            Some(id) => Some(
                self.store
                    .live_customer(id)
                    .ok_or_else(|| self.no_customer())?,
            ),
            None => None,
        };
        let resource = match self.klass_name(klass) {
            Some(COMPANY) => COMPANY.to_owned(),
            Some(name) => format!("kobject.{name}"),
            None => String::new(),
        };
        self.check_references(&resource, &body)?;
        let external_id = body.get("externalId").and_then(Value::as_str);
        let existing = external_id.and_then(|text| self.store.objects.find(klass, text));
        match (existing, self.config.switches.duplicates) {
            (Some(_), Duplicates::Refuse) => {
                return Err(ApiError::conflict("externalId", "duplicate detected"));
            }
            (Some(position), Duplicates::Update) => {
                let mut changes = body;
                changes.shift_remove("customer");
                changes.shift_remove("company");
                self.update_object(caller, position, changes)?;
                return Ok(Written::Updated(position));
            }
            (Some(_), Duplicates::Allow) | (None, _) => {}
        }
        let counted = match way {
            Way::Single => true,
            Way::Bulk => self.config.switches.bulk_create_limit == BulkCreateLimit::On,
        };
        let exempt = match self.config.switches.imported_creates {
            ImportedCreates::Exempt => body.contains_key("importedAt"),
            ImportedCreates::Count => false,
        };
        if let Some(customer) = customer.filter(|_| counted && !exempt) {
            self.creates
                .admit(caller.now, (customer, caller.key))
                .map_err(|until| {
                    ApiError::limited(
                        Refusal::CustomerLimit,
                        until,
                        "too many creates for the customer",
                    )
                })?;
        }
        let judged = external_id.is_some()
            && body
                .get("custom")
                .and_then(Value::as_object)
                .and_then(version_of)
                .is_some();
        let rev = self.config.switches.rev_start;
        let print = print_of(&body, is_said);
        let object = Object::new(caller.now, klass, customer, rev, body);
        let position = self.store.objects.insert(object);
        if let Some(customer) = customer.and_then(|position| self.store.customers.get_mut(position))
        {
            customer.objects.push(position);
            customer.updated_at = caller.now;
        }
        self.note_written(position, true, print);
        self.judge_create(existing.is_some(), judged);
        Ok(Written::Created(position))
    }

    /// Updates an object with a checked body.
    pub(super) fn update_object(
        &mut self,
        caller: Caller,
        position: u32,
        body: Map<String, Value>,
    ) -> Result<(), ApiError> {
        let object = self
            .store
            .objects
            .live(position)
            .ok_or_else(|| ApiError::not_found("id"))?;
        self.check_rev(object.rev, &body)?;
        let klass = object.klass;
        let stored = object.version().map(str::to_owned);
        let customer = object.customer;
        let external_id = body.get("externalId").and_then(Value::as_str);
        let owner = external_id.and_then(|text| self.store.objects.find(klass, text));
        if owner.is_some_and(|owner| owner != position)
            && object.external_id.as_deref() != external_id
            && self.config.switches.duplicates != Duplicates::Allow
        {
            return Err(ApiError::conflict("externalId", "duplicate detected"));
        }
        let resource = match self.klass_name(klass) {
            Some(COMPANY) => COMPANY.to_owned(),
            Some(name) => format!("kobject.{name}"),
            None => String::new(),
        };
        self.check_references(&resource, &body)?;
        self.object_updates
            .admit(caller.now, (position, caller.key))
            .map_err(ApiError::over_object_limit)?;
        let carried = body
            .get("custom")
            .and_then(Value::as_object)
            .and_then(version_of);
        let step = self.config.switches.rev_step;
        let print = print_of(&body, is_said);
        self.store.objects.update(caller.now, position, step, body);
        if let Some(customer) = customer.and_then(|position| self.store.customers.get_mut(position))
        {
            customer.updated_at = caller.now;
        }
        self.judge_update(position, stored.as_deref(), carried.as_deref(), print);
        Ok(())
    }

    /// The name of the klass at a position, companies included.
    pub(super) fn klass_name(&self, klass: u16) -> Option<&str> {
        if klass == COMPANIES {
            return Some(COMPANY);
        }
        Some(&self.store.klasses.get(klass)?.name)
    }

    fn no_customer(&self) -> ApiError {
        match self.config.switches.unknown_customer {
            UnknownCustomer::NotFound => ApiError {
                title: "customer not found".into(),
                ..ApiError::not_found("customer")
            },
            UnknownCustomer::Invalid => ApiError::bad("customer", "customer not found"),
        }
    }

    /// Attributes that refer to other objects must name some that exist and are of the right type.
    pub(super) fn check_references(
        &self,
        resource: &str,
        body: &Map<String, Value>,
    ) -> Result<(), ApiError> {
        let (Some(custom), Some(configured)) = (
            body.get("custom").and_then(Value::as_object),
            self.store.klasses.configured(resource),
        ) else {
            return Ok(());
        };
        for (name, value) in custom.iter().filter(|(name, _)| name.ends_with("Id")) {
            let target = configured
                .get(name)
                .and_then(|options| options.get("target"));
            let target = target.and_then(Value::as_str).unwrap_or_default();
            let ids = value
                .as_array()
                .map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
            let exists = |id: &Value| self.exists(target, id.as_str().unwrap_or_default());
            if !value.is_null() && !ids.iter().all(exists) {
                return Err(ApiError::bad(name, format!("no such {target}")));
            }
        }
        Ok(())
    }

    fn exists(&self, target: &str, id: &str) -> bool {
        match target.strip_prefix("kobject.") {
            Some(klass) => self
                .store
                .klasses
                .find(klass)
                .is_some_and(|klass| self.store.live_object(klass, id).is_some()),
            None => target != "customer" || self.store.live_customer(id).is_some(),
        }
    }

    pub(super) fn get_object(&self, call: &Call) -> Answer {
        let klass = self.klass_named(&call.name)?;
        let by_external_id = call.endpoint == crate::Endpoint::KobjectGetByExternalId;
        let (found, parameter) = if by_external_id {
            (self.store.objects.find(klass, &call.id), "externalId")
        } else {
            (self.store.live_object(klass, &call.id), "id")
        };
        let position = found.ok_or_else(|| ApiError::not_found(parameter))?;
        Ok(Done::read(
            &json!({ "data": self.object_resource(position) }),
        ))
    }

    /// Objects of a klass in the order of their creation; `fromDate` leaves out those that were
    /// updated before.
    pub(super) fn list_objects(&self, call: &Call) -> Answer {
        let klass = self.klass_named(&call.name)?;
        let from = match call.query.get("fromDate") {
            Some(text) => Some(
                SimTime::parse(text)
                    .ok_or_else(|| ApiError::bad("fromDate", "Format validation failed"))?,
            ),
            None => None,
        };
        let objects = self
            .store
            .objects
            .of_klass(klass)
            .filter(|(_, object)| from.is_none_or(|from| object.updated_at >= from))
            .map(|(position, _)| self.object_resource(position));
        let path = format!("/v1/klasses/{}", call.name);
        Ok(Done::read(&Page::of(&call.query).envelope(&path, objects)))
    }

    pub(super) fn list_objects_of_customer(&self, call: &Call) -> Answer {
        let klass = self.klass_named(&call.name)?;
        let id = call.customer.as_deref().unwrap_or_default();
        let position = self
            .readable_customer(id)
            .ok_or_else(|| ApiError::not_found("id"))?;
        let customer = self.store.customers.get(position);
        let positions = customer.map_or(&[][..], |customer| customer.objects.as_slice());
        let objects = positions
            .iter()
            .filter(|position| {
                self.store
                    .objects
                    .live(**position)
                    .is_some_and(|object| object.klass == klass)
            })
            .map(|position| self.object_resource(*position));
        let path = format!("/v1/customers/{id}/klasses/{}", call.name);
        Ok(Done::read(&Page::of(&call.query).envelope(&path, objects)))
    }

    pub(super) fn put_object(&mut self, caller: Caller, request: &Request, call: &Call) -> Answer {
        let klass = self.klass_named(&call.name)?;
        let found = self.store.live_object(klass, &call.id);
        let position = found.ok_or_else(|| ApiError::not_found("id"))?;
        let body = object_of(request)?;
        self.object_checker(&call.name)
            .object(KOBJECT_UPDATE, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        self.update_object(caller, position, body)?;
        Ok(Done::wrote(
            200,
            &json!({ "data": self.object_resource(position) }),
        ))
    }

    pub(super) fn delete_object(&mut self, call: &Call) -> Answer {
        let klass = self.klass_named(&call.name)?;
        let found = self.store.live_object(klass, &call.id);
        let position = found.ok_or_else(|| ApiError::not_found("id"))?;
        self.store.objects.delete(position);
        Ok(Done::empty())
    }

    /// The Kustomer id of an object.
    pub(super) fn object_id(&self, position: u32) -> String {
        self.store.ids.text(Kind::Object, position)
    }
}

/// Whether a field says something of the object itself, whichever way it is written.
fn is_said(field: &str) -> bool {
    !matches!(field, "id" | "rev" | "customer" | "company" | "_clientRef")
}
