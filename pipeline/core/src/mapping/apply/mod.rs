//! Event to verdict.

mod customer;
mod failure;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use self::customer::key_bytes;
use self::failure::{
    Failure, Made, check_size, evaluation, missing, no_customer, no_title, refused, wrong_type,
};
use super::expr::{Expr, Scope};
use super::model::{
    Action, CustomRule, CustomerRule, FieldRule, IdentifyRule, KObjectRule, Late, Route, Rule,
    Template, TrackRule,
};
use crate::body::attribute::{custom_value, meta_entry};
use crate::body::field::{field_value, object_id, put};
use crate::body::key::event_key;
use crate::body::name::legal_name;
use crate::body::{Cuts, Illegal, MAX_TEXT_CHARS, json_bytes};
use crate::decode::time;
use crate::event::{Event, Notes};
use crate::identity;
use crate::operation::{
    CustomerRef, ExternalId, Identify, KObject, Operation, Planned, Track, VERSION_ATTRIBUTE,
    Version,
};
use crate::outcome::{Rejected, Rejection, SkipReason, Verdict};
use crate::record::Record;

/// One event under the rules of one route.
struct Work<'a> {
    event: &'a Event,
    record: &'a Record,
    scope: &'a Scope<'a>,
    now: Timestamp,
    route: &'a Route,
    cuts: Cuts,
    notes: Notes,
}

/// The verdict of the first of these routes whose condition holds, how many texts were cut, and which keys are not used.
pub(super) fn first<'a>(
    routes: impl Iterator<Item = &'a Route>,
    event: &Event,
    record: &Record,
    now: Timestamp,
) -> (Verdict, Cuts, Notes) {
    let scope = Scope::new(event, record);
    let mut named = false;
    for route in routes {
        named = true;
        let wanted = match &route.when {
            None => Ok(true),
            Some(when) => when.holds(&scope).map_err(|failed| Failure {
                reason: Rejection::MappingFailed,
                detail: format!("when: {} in `{}`", failed.0, when.text()),
            }),
        };
        match wanted {
            Ok(false) => {}
            Ok(true) => {
                let mut work = Work {
                    event,
                    record,
                    scope: &scope,
                    now,
                    route,
                    cuts: Cuts::default(),
                    notes: Notes::default(),
                };
                let verdict = work.verdict();
                return (verdict, work.cuts, work.notes);
            }
            Err(failure) => return (reject(route, failure), Cuts::default(), Notes::default()),
        }
    }
    let reason = if named {
        SkipReason::ConditionFalse
    } else {
        SkipReason::NoRoute
    };
    (Verdict::Skip(reason), Cuts::default(), Notes::default())
}

fn reject(route: &Route, failure: Failure) -> Verdict {
    let Failure { reason, detail } = failure;
    Verdict::Reject(Rejected {
        reason,
        detail,
        route: Some(Arc::clone(&route.name)),
    })
}

impl Work<'_> {
    fn verdict(&mut self) -> Verdict {
        let (customer, rules) = match &self.route.action {
            Action::Skip(_) => return Verdict::Skip(SkipReason::Dropped),
            Action::Do { customer, rules } => (customer, rules),
        };
        match self.operations(customer, rules) {
            Ok(operations) if operations.is_empty() => Verdict::Skip(SkipReason::TooOld),
            Ok(operations) => Verdict::Emit(operations),
            Err(failure) => reject(self.route, failure),
        }
    }

    fn operations(&mut self, rule: &CustomerRule, rules: &[Rule]) -> Made<Vec<Planned>> {
        let mut planned = Vec::with_capacity(rules.len());
        let customer = self.customer(rule)?;
        for (index, rule) in rules.iter().enumerate() {
            let operation = match rule {
                Rule::Identify(rule) => self.identify(rule, customer.as_ref()).map(Some),
                Rule::Track(rule) => self.track(rule, customer.as_ref(), index + 1),
                Rule::KObject(rule) => self.kobject(rule, customer.clone()).map(Some),
            };
            let operation = operation.map_err(|failure| Failure {
                detail: format!("do[{index}].{}", failure.detail),
                ..failure
            })?;
            planned.extend(operation.map(|operation| Planned {
                route: Arc::clone(&self.route.name),
                operation,
            }));
        }
        Ok(planned)
    }

    fn identify(&mut self, rule: &IdentifyRule, customer: Option<&CustomerRef>) -> Made<Operation> {
        let known = customer.ok_or_else(no_customer)?;
        let mut keys = self.keys(&rule.keys, "identify")?;
        // a key that the identify itself gives replaces the one of its kind
        keys.extend(
            known
                .keys()
                .iter()
                .filter(|key| keys.iter().all(|k| k.kind() != key.kind()))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let customer = CustomerRef::new(keys, known.missing).ok_or_else(no_customer)?;
        let mut body = Map::new();
        self.fields(&rule.fields, "identify.", &mut body)?;
        if !rule.location.is_empty() {
            let mut location = Map::new();
            self.fields(&rule.location, "identify.location.", &mut location)?;
            put(
                &mut body,
                "location",
                (!location.is_empty()).then_some(Value::Object(location)),
            );
        }
        let custom = self.custom(&rule.custom, "identify.custom.")?;
        put(
            &mut body,
            "custom",
            (!custom.is_empty()).then_some(Value::Object(custom)),
        );
        check_size("identify", json_bytes(&body) + key_bytes(&customer))?;
        Ok(Operation::Identify(Identify {
            customer,
            fields: Arc::new(body),
        }))
    }

    fn track(
        &mut self,
        rule: &TrackRule,
        customer: Option<&CustomerRef>,
        number: usize,
    ) -> Made<Option<Operation>> {
        let occurred = self
            .event
            .time
            .or_else(|| Timestamp::from_millisecond(self.record.timestamp_ms?).ok());
        if let (Some(max_age), Some(occurred), Late::Skip) = (rule.max_age, occurred, rule.late)
            && self.now.duration_since(occurred) > max_age
        {
            return Ok(None);
        }
        let customer = customer.ok_or_else(no_customer)?.clone();
        let name = required(self.scope, &rule.name, "track")?;
        let name = name
            .as_str()
            .ok_or_else(|| wrong_type("track", &rule.name, "a text", &name))?;
        let name: Arc<str> = match legal_name(name, &mut self.cuts) {
            Ok(name) => Arc::from(name),
            Err(illegal) => return Err(refused("track", &illegal, &rule.name)),
        };
        let session_id = self.short_text(rule.session.as_ref(), "session")?;
        let tracking_id = self.short_text(rule.tracking_id.as_ref(), "trackingId")?;
        let event_key = event_key(self.event, self.record, &self.route.name, number);
        let mut meta = Map::with_capacity(rule.meta.len() + 2);
        for rule in &rule.meta {
            let Some(value) = self.optional(Some(&rule.value), "meta", &rule.name)? else {
                continue;
            };
            let entry = meta_entry(&rule.name, value, &mut self.cuts);
            let (name, value) = entry.map_err(|illegal| {
                refused(&format!("meta.{}", rule.name), &illegal, &rule.value)
            })?;
            if crate::body::RESERVED_META.contains(&name.as_ref())
                || meta.contains_key(name.as_ref())
            {
                let rule_text = format!("would be sent as `{name}`, which is taken");
                return Err(refused(
                    &format!("meta.{}", rule.name),
                    &Illegal::new(rule_text),
                    &rule.value,
                ));
            }
            meta.insert(name.into_owned(), value);
        }
        meta.insert("eventKey".to_owned(), Value::String(event_key.to_string()));
        if let Some(occurred) = occurred {
            meta.insert(
                "occurredAt".to_owned(),
                Value::String(time::rfc3339(occurred)),
            );
        }
        let around = name.len()
            + session_id.as_ref().map_or(0, |s| s.len())
            + tracking_id.as_ref().map_or(0, |s| s.len());
        check_size("track", json_bytes(&meta) + around + key_bytes(&customer))?;
        Ok(Some(Operation::Track(Track {
            customer,
            name,
            session_id,
            tracking_id,
            meta: Arc::new(meta),
            event_key,
        })))
    }

    fn kobject(&mut self, rule: &KObjectRule, customer: Option<CustomerRef>) -> Made<Operation> {
        let id = required(self.scope, &rule.external_id, "externalId")?;
        let id =
            object_id(&id).map_err(|illegal| refused("externalId", &illegal, &rule.external_id))?;
        let id = id.ok_or_else(|| missing("externalId", &rule.external_id))?;
        let version = self.optional(rule.version.as_ref(), "kobject", "version")?;
        let version = match (version, &rule.version) {
            (Some(value), Some(expr)) => version_of(&value, expr)?,
            (_, _) => None,
        };
        let mut body = Map::with_capacity(rule.fields.len() + 2);
        body.insert("externalId".to_owned(), Value::String(id.clone()));
        self.fields(&rule.fields, "", &mut body)?;
        if !body.contains_key("title") {
            let expr = rule
                .fields
                .iter()
                .find(|field| field.name == "title")
                .and_then(|field| field.value.expr());
            return Err(expr.map_or_else(no_title, |expr| missing("title", expr)));
        }
        let mut custom = self.custom(&rule.custom, "custom.")?;
        if let Some(version) = &version {
            custom.insert(VERSION_ATTRIBUTE.to_owned(), Value::from(&*version.0));
        }
        put(
            &mut body,
            "custom",
            (!custom.is_empty()).then_some(Value::Object(custom)),
        );
        check_size("kobject", json_bytes(&body))?;
        Ok(Operation::KObject(KObject {
            klass: rule.klass.clone(),
            external_id: ExternalId(Arc::from(id)),
            customer,
            version,
            body: Arc::new(body),
        }))
    }

    fn fields(&mut self, rules: &[FieldRule], at: &str, body: &mut Map<String, Value>) -> Made<()> {
        for rule in rules {
            let at = || format!("{at}{}", rule.name);
            let Some(value) = self.template(&rule.value, &at)? else {
                continue;
            };
            let value =
                field_value(rule.kind, value, &mut self.cuts).map_err(|illegal| {
                    match rule.value.expr() {
                        Some(expr) => refused(&at(), &illegal, expr),
                        None => Failure {
                            reason: illegal.reason,
                            detail: format!("{}: {}", at(), illegal.rule),
                        },
                    }
                })?;
            put(body, rule.name, value);
        }
        Ok(())
    }

    fn custom(&mut self, rules: &[CustomRule], at: &str) -> Made<Map<String, Value>> {
        let mut custom = Map::with_capacity(rules.len() + 1);
        for rule in rules {
            let value = rule.value.eval(self.scope).map_err(|failed| {
                evaluation(&format!("{at}{}", rule.name), &rule.value, failed.0)
            })?;
            let Some(value) = value else { continue };
            let value = custom_value(rule.suffix, value.into_owned(), &mut self.cuts)
                .map_err(|illegal| refused(&format!("{at}{}", rule.name), &illegal, &rule.value))?;
            custom.insert(rule.name.clone(), value);
        }
        Ok(custom)
    }

    fn template(&self, template: &Template, at: &dyn Fn() -> String) -> Made<Option<Value>> {
        match template {
            Template::Expr(expr) => match expr.eval(self.scope) {
                Ok(value) => Ok(value.map(Cow::into_owned)),
                Err(failed) => Err(evaluation(&at(), expr, failed.0)),
            },
            Template::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    values.extend(self.template(item, &|| format!("{}[{index}]", at()))?);
                }
                Ok(Some(Value::Array(values)))
            }
            Template::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (name, item) in entries {
                    if let Some(value) = self.template(item, &|| format!("{}.{name}", at()))? {
                        map.insert(name.clone(), value);
                    }
                }
                Ok(Some(Value::Object(map)))
            }
        }
    }

    fn optional(&self, expr: Option<&Expr>, at: &str, name: &str) -> Made<Option<Value>> {
        let Some(expr) = expr else { return Ok(None) };
        match expr.eval(self.scope) {
            Ok(value) => Ok(value.map(Cow::into_owned)),
            Err(failed) => Err(evaluation(&format!("{at}.{name}"), expr, failed.0)),
        }
    }

    fn short_text(&mut self, expr: Option<&Expr>, at: &str) -> Made<Option<Arc<str>>> {
        let Some(value) = self.optional(expr, "track", at)? else {
            return Ok(None);
        };
        let Some(text) = identity::id_text(&value) else {
            return Ok(None);
        };
        Ok(Some(Arc::from(self.cuts.cut(text, MAX_TEXT_CHARS))))
    }
}

impl Template {
    fn expr(&self) -> Option<&Expr> {
        match self {
            Self::Expr(expr) => Some(expr),
            Self::List(_) | Self::Map(_) => None,
        }
    }
}

fn required<'e>(scope: &'e Scope<'e>, expr: &'e Expr, at: &str) -> Made<Cow<'e, Value>> {
    match expr.eval(scope) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(missing(at, expr)),
        Err(failed) => Err(evaluation(at, expr, failed.0)),
    }
}

/// The version in a value; `None` where it says nothing.
fn version_of(value: &Value, expr: &Expr) -> Made<Option<Version>> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(wrong_type(
                "version",
                expr,
                "a time, a number or a text",
                value,
            ));
        }
    };
    if text.chars().count() > MAX_TEXT_CHARS {
        return Err(refused(
            "version",
            &Illegal::new("has at most 1,024 characters"),
            expr,
        ));
    }
    Ok((!text.is_empty()).then(|| Version::new(&text)))
}
