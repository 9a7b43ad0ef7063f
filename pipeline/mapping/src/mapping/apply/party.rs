//! Customers and companies as operations of their own.

use std::sync::Arc;

use super::super::expr::Expr;
use super::super::model::{Party, PartyRule};
use super::failure::{Failure, Made, missing, refused};
use super::{Work, required};
use crate::body::field::{object_id, put};
use crate::body::{Illegal, MAX_ITEM_BYTES};
use crate::event::KeyKind;
use crate::identity::{self, Unusable};
use crate::value::{Map, Value};
use ingest_model::body::Body;
use ingest_model::operation::{self, ExternalId, KObject, Klass, Operation, VERSION_ATTRIBUTE};
use ingest_model::outcome::Rejection;

/// What only a create of a company may have, besides its contacts.
const TIMES: &[&str] = &["createdAt", "importedAt"];

impl<'a> Work<'a> {
    /// A customer or company, written like an object.
    pub(super) fn party(&mut self, rule: &'a PartyRule) -> Made<Operation> {
        let id = self.party_id(rule)?;
        let version = self.version(rule.version.as_ref())?;
        let mut body = Map::with_capacity(rule.fields.len() + 2);
        body.insert("externalId", Value::text(&id));
        self.fields(&rule.bad, &rule.fields, "", &mut body)?;
        if rule.kind == Party::Company && !body.contains_key("name") {
            return Err(no_name(rule));
        }
        let mut on_create = self.contacts(rule)?;
        if rule.kind == Party::Company {
            for field in TIMES {
                put(&mut on_create, field, body.remove(field));
            }
            let website = body
                .remove("website")
                .map(|url| entry("website", "url", url.into_owned()));
            let domain = body.remove("domain").map(|domain| {
                let mut entry = Map::new();
                entry.insert("domain", domain.into_owned());
                entry
            });
            for (list, entry) in [("urls", website), ("domains", domain)] {
                put(&mut on_create, list, entry.map(listed));
            }
        }
        let mut custom = self.custom(&rule.bad, &rule.custom, "custom.")?;
        if let Some(version) = &version {
            custom.insert(VERSION_ATTRIBUTE, Value::text(&version.0));
        }
        let custom = (!custom.is_empty()).then_some(Value::Object(custom));
        put(&mut body, "custom", custom);
        let company = self.company(rule)?;
        // Contacts are short.
        let on_create = Body::within(MAX_ITEM_BYTES, &on_create).unwrap_or_default();
        let body = self.fit(&rule.bad, rule.kind.as_str(), "", body, on_create.size())?;
        Ok(Operation::KObject(KObject {
            klass: match rule.kind {
                Party::Customer => Klass::customer(),
                Party::Company => Klass::company(),
            },
            external_id: ExternalId(Arc::from(id)),
            customer: None,
            version,
            body,
            fold: None,
            deletes: false,
            party: Some(Box::new(operation::Party { company, on_create })),
        }))
    }

    fn party_id(&self, rule: &'a PartyRule) -> Made<String> {
        let (at, expr) = (rule.kind.as_str(), &rule.external_id);
        let value = required(self.scope, expr, at)?;
        let refused = |why: &str| refused(at, &Illegal::new(why), expr);
        let id = match rule.kind {
            Party::Company => object_id(&value).map_err(|illegal| refused(&illegal.rule))?,
            Party::Customer => identity::external_id(&value).map_err(|why| match why {
                Unusable::Nobody => Failure {
                    reason: Rejection::MissingCustomer,
                    ..refused("stands for nobody")
                },
                Unusable::Illegal => refused(
                    "an external id must be a text or a whole number of at most 256 characters",
                ),
            })?,
        };
        id.ok_or_else(|| missing(at, expr))
    }

    /// The lists of contacts, with one entry each.
    fn contacts(&mut self, rule: &'a PartyRule) -> Made<Map<'a>> {
        let (email, phone) = match rule.kind {
            Party::Customer => ("home", "mobile"),
            Party::Company => ("work", "work"),
        };
        let mut lists = Map::new();
        let found = self.contact(rule, rule.email.as_ref(), KeyKind::Email, identity::email)?;
        let found = found.map(|value| listed(entry(email, "email", Value::from(value))));
        put(&mut lists, "emails", found);
        let found = self.contact(rule, rule.phone.as_ref(), KeyKind::Phone, identity::phone)?;
        let found = found.map(|value| listed(entry(phone, "phone", Value::from(value))));
        put(&mut lists, "phones", found);
        Ok(lists)
    }

    fn contact(
        &mut self,
        rule: &'a PartyRule,
        expr: Option<&'a Expr>,
        kind: KeyKind,
        read: fn(&Value<'_>) -> identity::Key,
    ) -> Made<Option<String>> {
        let Some(expr) = expr else { return Ok(None) };
        let field = match kind {
            KeyKind::Phone => "phone",
            KeyKind::Id | KeyKind::ExternalId | KeyKind::Email => "email",
        };
        let made = self.value(expr, || field.to_owned());
        let Some(value) = self.drops.optional(&rule.bad, field, made)? else {
            return Ok(None);
        };
        match read(&value) {
            Ok(contact) => Ok(contact),
            Err(why) => {
                self.notes.unused(field.to_owned(), kind, why);
                Ok(None)
            }
        }
    }

    /// The company that a customer belongs to.
    fn company(&mut self, rule: &'a PartyRule) -> Made<Option<ExternalId>> {
        let Some(expr) = &rule.company else {
            return Ok(None);
        };
        let made = self.value(expr, || "company".to_owned());
        let made = made.and_then(|value| match value {
            Some(value) => object_id(&value).map_err(|illegal| refused("company", &illegal, expr)),
            None => Ok(None),
        });
        let id = self.drops.optional(&rule.bad, "company", made)?;
        Ok(id.map(|id| ExternalId(Arc::from(id))))
    }
}

fn entry(kind: &'static str, field: &'static str, value: Value<'static>) -> Map<'static> {
    let mut entry = Map::new();
    entry.insert("type", Value::text(kind));
    entry.insert(field, value);
    entry
}

fn listed(entry: Map<'static>) -> Value<'static> {
    Value::Array(vec![Value::Object(entry)])
}

fn no_name(rule: &PartyRule) -> Failure {
    let name = rule.fields.iter().find(|field| field.name == "name");
    match name.and_then(|field| field.value.expr()) {
        Some(expr) => missing("name", expr),
        None => Failure {
            reason: Rejection::MissingField,
            detail: "name: is empty".to_owned(),
            exhausted: false,
        },
    }
}
