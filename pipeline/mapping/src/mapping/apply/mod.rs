//! From an event to a verdict.

mod age;
mod customer;
mod digest;
mod drops;
mod failure;
mod fields;
mod fit;
mod party;
mod unsent;

use std::borrow::Cow;
use std::sync::Arc;

use ingest_model::time::rfc3339;
use jiff::Timestamp;
use uuid::Uuid;

use self::drops::Drops;
use self::failure::{
    Failure, Made, evaluation, missing, no_customer, no_title, refused, wrong_type,
};
pub use self::unsent::{Unsent, WhyUnsent};
use super::expr::{Expr, Scope};
use super::model::digest::LateTo;
use super::model::{Action, CustomerRule, IdentifyRule, KObjectRule, Late, Route, Rule, TrackRule};
use crate::body::field::{object_id, put};
use crate::body::key::event_key;
use crate::body::name::legal_name;
use crate::body::{Cuts, Illegal, MAX_TEXT_CHARS};
use crate::event::{Event, Notes};
use crate::value::{Map, Value};
use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, Identify, KObject, Operation, Planned, Track,
    VERSION_ATTRIBUTE, Version,
};
use ingest_model::outcome::{DroppedField, Rejected, SkipReason, Verdict};
use ingest_model::record::Record;

/// What an event led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The verdict.
    pub verdict: Verdict,
    /// How many texts and lists of images were cut at their limit.
    pub cuts: Cuts,
    /// The optional fields that were left out of what is emitted, because their values are bad.
    pub dropped: Vec<DroppedField>,
    /// Operations of the route that the event does not lead to; none if it is rejected.
    pub unsent: Vec<Unsent>,
    /// Values that should be keys of the customer, and cannot be.
    pub notes: Notes,
    /// The steps that expressions took.
    pub steps: u64,
}

/// The most operations that an `each` makes of one event.
pub(super) const MAX_ITEMS: usize = 500;

/// One event under the rules of one route.
struct Work<'a> {
    event: &'a Event<'a>,
    record: &'a Record,
    scope: &'a Scope<'a>,
    now: Timestamp,
    /// All records of a customer are in one partition.
    keyed: bool,
    route: &'a Route,
    cuts: Cuts,
    drops: Drops,
    unsent: Vec<Unsent>,
    notes: Notes,
}

/// What an event leads to: the first of these routes whose condition holds decides.
pub(super) fn first<'a>(
    routes: impl Iterator<Item = &'a Route>,
    event: &Event<'_>,
    record: &Record,
    scope: &Scope<'_>,
    now: Timestamp,
    keyed: bool,
) -> Applied {
    let mut named = false;
    for route in routes {
        named = true;
        if route.only_deletions && !event.deleted {
            continue;
        }
        let wanted = match &route.when {
            None => Ok(true),
            Some(when) => when
                .holds(scope)
                .map_err(|failed| evaluation("when", when, &failed)),
        };
        match wanted {
            Ok(false) => {}
            Ok(true) => {
                let mut work = Work {
                    event,
                    record,
                    scope,
                    now,
                    keyed,
                    route,
                    cuts: Cuts::default(),
                    drops: Drops::new(&route.name),
                    unsent: Vec::new(),
                    notes: Notes::default(),
                };
                let verdict = work.verdict();
                let (dropped, unsent) = match &verdict {
                    Verdict::Emit(_) => (work.drops.into_fields(), work.unsent),
                    Verdict::Skip(_) => (Vec::new(), work.unsent),
                    Verdict::Batch(_) | Verdict::Reject(_) => (Vec::new(), Vec::new()),
                };
                return Applied {
                    verdict,
                    cuts: work.cuts,
                    dropped,
                    unsent,
                    notes: work.notes,
                    steps: 0,
                };
            }
            Err(failure) => return Applied::of(reject(route, failure)),
        }
    }
    let reason = if named {
        SkipReason::ConditionFalse
    } else {
        SkipReason::NoRoute
    };
    Applied::of(Verdict::Skip(reason))
}

impl Applied {
    /// A verdict without operations.
    pub(super) fn of(verdict: Verdict) -> Self {
        Self {
            verdict,
            cuts: Cuts::default(),
            dropped: Vec::new(),
            unsent: Vec::new(),
            notes: Notes::default(),
            steps: 0,
        }
    }
}

fn reject(route: &Route, failure: Failure) -> Verdict {
    let Failure { reason, detail, .. } = failure;
    Verdict::Reject(Rejected {
        reason,
        detail,
        route: Some(Arc::clone(&route.name)),
    })
}

impl<'a> Work<'a> {
    fn verdict(&mut self) -> Verdict {
        let route = self.route;
        let (customer, rules, each) = match &route.action {
            Action::Skip(_) => return Verdict::Skip(SkipReason::Dropped),
            Action::Do {
                customer,
                rules,
                each,
            } => (customer, rules, each),
        };
        match self.operations(customer, rules, each) {
            Ok(operations) if operations.is_empty() => Verdict::Skip(self.why_nothing()),
            Ok(operations) => Verdict::Emit(operations),
            Err(failure) => reject(self.route, failure),
        }
    }

    /// The operations.
    fn operations(
        &mut self,
        rule: &'a CustomerRule,
        rules: &'a [Rule],
        each: &'a [Option<Expr>],
    ) -> Made<Vec<Planned>> {
        let mut planned = Vec::with_capacity(rules.len());
        // Customers and companies that are written for their own sake belong to nobody's timeline.
        let customer = if rules.iter().all(|rule| matches!(rule, Rule::Party(_))) {
            None
        } else {
            self.customer(rule)?
        };
        for (index, rule) in rules.iter().enumerate() {
            let at = |failure: Failure| Failure {
                detail: format!("do[{index}].{}", failure.detail),
                ..failure
            };
            let Some(list) = each.get(index).and_then(Option::as_ref) else {
                let made = self.operation(rule, customer.as_ref(), index, None);
                planned.extend(made.map_err(at)?);
                continue;
            };
            let items = items(self.scope, list).map_err(at)?;
            if items.is_empty() {
                self.leave(rule, index, 0, WhyUnsent::NoItems);
            }
            for (number, item) in items.iter().enumerate() {
                let scope = self.scope.of_item(item, number);
                let mut one = Work {
                    scope: &scope,
                    drops: std::mem::replace(&mut self.drops, Drops::new(&self.route.name)),
                    unsent: std::mem::take(&mut self.unsent),
                    notes: std::mem::take(&mut self.notes),
                    ..*self
                };
                let made = one.operation(rule, customer.as_ref(), index, Some(number));
                (self.cuts, self.drops) = (one.cuts, one.drops);
                (self.unsent, self.notes) = (one.unsent, one.notes);
                planned.extend(made.map_err(|failure| at(failure.of_item(number)))?);
            }
        }
        Ok(planned)
    }

    /// The operation of a rule; `None` if the event is too old for it.
    fn operation(
        &mut self,
        rule: &'a Rule,
        customer: Option<&CustomerRef>,
        index: usize,
        item: Option<usize>,
    ) -> Made<Option<Planned>> {
        let event_key = event_key(self.event, self.record, &self.route.name, index + 1, item);
        let operation = match rule {
            Rule::Identify(rule) => self.identify(rule, customer)?,
            Rule::Track(track) => match (self.exceeded(track), &track.late) {
                (None, _) | (Some(_), Late::Send) => self.track(track, customer, event_key)?,
                (
                    Some(max_age),
                    Late::Digest(LateTo {
                        rule: Some(digest), ..
                    }),
                ) => {
                    let why = WhyUnsent::Late(max_age, digest.klass.clone());
                    self.leave(rule, index, 1, why);
                    self.digest(digest, customer, event_key)?
                }
                (Some(max_age), Late::Skip | Late::Digest(LateTo { rule: None, .. })) => {
                    self.leave(rule, index, 1, WhyUnsent::TooOld(max_age));
                    return Ok(None);
                }
            },
            Rule::KObject(rule) => self.kobject(rule, customer.cloned())?,
            Rule::Party(rule) => self.party(rule)?,
            Rule::Digest(rule) => self.digest(rule, customer, event_key)?,
        };
        Ok(Some(Planned {
            route: Arc::clone(&self.route.name),
            event_key,
            operation,
        }))
    }

    fn identify(
        &mut self,
        rule: &'a IdentifyRule,
        customer: Option<&CustomerRef>,
    ) -> Made<Operation> {
        let known = customer.ok_or_else(no_customer)?;
        let mut keys = self.keys(&rule.bad, &rule.keys, "identify")?;
        // a key in the identify itself replaces the known key of that kind
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
        self.fields(&rule.bad, &rule.fields, "identify.", &mut body)?;
        if !rule.location.is_empty() {
            let mut location = Map::new();
            let at = "identify.location.";
            self.fields(&rule.bad, &rule.location, at, &mut location)?;
            put(
                &mut body,
                "location",
                (!location.is_empty()).then_some(Value::Object(location)),
            );
        }
        let custom = self.custom(&rule.bad, &rule.custom, "identify.custom.")?;
        put(
            &mut body,
            "custom",
            (!custom.is_empty()).then_some(Value::Object(custom)),
        );
        let around = key_bytes(&customer);
        let fields = self.fit(&rule.bad, "identify", "identify.", body, around)?;
        Ok(Operation::Identify(Identify { customer, fields }))
    }

    fn track(
        &mut self,
        rule: &'a TrackRule,
        customer: Option<&CustomerRef>,
        event_key: Uuid,
    ) -> Made<Operation> {
        let customer = customer.ok_or_else(no_customer)?.clone();
        let name = required(self.scope, &rule.name, "track")?;
        let name = name
            .as_str()
            .ok_or_else(|| wrong_type("track", &rule.name, "a text", &name))?;
        let name = match legal_name(name, &mut self.cuts) {
            Ok(name) => name,
            Err(illegal) => return Err(refused("track", &illegal, &rule.name)),
        };
        let session_id = self.short_text(&rule.bad, rule.session.as_ref(), "session")?;
        let tracking_id = self.short_text(&rule.bad, rule.tracking_id.as_ref(), "trackingId")?;
        let mut meta = self.meta(&rule.bad, &rule.meta)?;
        meta.insert("eventKey", Value::from(event_key.to_string()));
        if let Some(occurred) = self.occurred() {
            meta.insert("occurredAt", Value::from(rfc3339(occurred)));
        }
        let around = name.len()
            + session_id.as_ref().map_or(0, |s| s.len())
            + tracking_id.as_ref().map_or(0, |s| s.len());
        let around = around + key_bytes(&customer);
        let meta = self.fit(&rule.bad, "track", "meta.", meta, around)?;
        let (session, tracking) = (session_id.as_deref(), tracking_id.as_deref());
        let track = Track::new(customer, &name, session, tracking, &meta, event_key);
        Ok(Operation::Track(track))
    }

    /// When it happened: as the event says, or else the record.
    fn occurred(&self) -> Option<Timestamp> {
        let written = || Timestamp::from_millisecond(self.record.timestamp_ms?).ok();
        self.event.time.or_else(written)
    }

    fn kobject(&mut self, rule: &'a KObjectRule, customer: Option<CustomerRef>) -> Made<Operation> {
        let id = required(self.scope, &rule.external_id, "externalId")?;
        let id =
            object_id(&id).map_err(|illegal| refused("externalId", &illegal, &rule.external_id))?;
        let id = id.ok_or_else(|| missing("externalId", &rule.external_id))?;
        let version = self.version(rule.version.as_ref())?;
        if rule.deletes {
            // Without a version it would take any state with it, however new: only a constant may say so.
            if let Some(expr) = &rule.version
                && version.is_none()
                && expr.as_literal() != Some(&Value::Null)
            {
                return Err(missing("version", expr));
            }
            let (klass, id) = (rule.klass.clone(), ExternalId(Arc::from(id)));
            return Ok(Operation::KObject(KObject::deletion(klass, id, version)));
        }
        let mut body = Map::with_capacity(rule.fields.len() + 2);
        body.insert("externalId", Value::text(&id));
        self.fields(&rule.bad, &rule.fields, "", &mut body)?;
        if !body.contains_key("title") && rule.marks.is_none() {
            let expr = rule
                .fields
                .iter()
                .find(|field| field.name == "title")
                .and_then(|field| field.value.expr());
            return Err(expr.map_or_else(no_title, |expr| missing("title", expr)));
        }
        let mut custom = self.custom(&rule.bad, &rule.custom, "custom.")?;
        if let Some(version) = &version {
            custom.insert(VERSION_ATTRIBUTE, Value::text(&version.0));
        }
        put(
            &mut body,
            "custom",
            (!custom.is_empty()).then_some(Value::Object(custom)),
        );
        let body = self.fit(&rule.bad, "kobject", "", body, 0)?;
        let (klass, external_id) = (rule.klass.clone(), ExternalId(Arc::from(id)));
        let itself = |missing| {
            let key = CustomerKey::of_object(&klass, &external_id);
            CustomerRef::new(vec![key], missing)
        };
        let customer = rule.marks.map_or(customer, itself);
        Ok(Operation::KObject(KObject {
            klass,
            external_id,
            customer,
            version,
            body,
            fold: None,
            party: None,
            deletes: false,
        }))
    }

    /// The version of what is written, if there is one.
    fn version(&self, expr: Option<&'a Expr>) -> Made<Option<Version>> {
        let Some(expr) = expr else { return Ok(None) };
        match self.value(expr, || "version".to_owned())? {
            Some(value) => version_of(&value, expr),
            None => Ok(None),
        }
    }
}

/// The items of a list that has an operation for each of them. Null has none.
fn items<'e>(scope: &'e Scope<'e>, expr: &'e Expr) -> Made<Cow<'e, [Value<'e>]>> {
    let found = match expr.part(scope) {
        Some(part) => part.map(Cow::Borrowed),
        None => expr
            .eval(scope)
            .map(|value| Cow::Owned(value.unwrap_or_default())),
    };
    let items = match found.map_err(|failed| evaluation("each", expr, &failed))? {
        Cow::Borrowed(Value::Array(items)) => Cow::Borrowed(items.as_slice()),
        Cow::Owned(Value::Array(items)) => Cow::Owned(items),
        Cow::Borrowed(Value::Null) | Cow::Owned(Value::Null) => Cow::Owned(Vec::new()),
        Cow::Borrowed(other) => return Err(wrong_type("each", expr, "a list", other)),
        Cow::Owned(other) => return Err(wrong_type("each", expr, "a list", &other)),
    };
    if items.len() > MAX_ITEMS {
        let illegal = format!("has {} items, more than {MAX_ITEMS}", items.len());
        return Err(refused("each", &Illegal::new(illegal), expr));
    }
    Ok(items)
}

fn required<'e>(scope: &'e Scope<'e>, expr: &'e Expr, at: &str) -> Made<Value<'e>> {
    match expr.eval(scope) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(missing(at, expr)),
        Err(failed) => Err(evaluation(at, expr, &failed)),
    }
}

/// The version in a value; `None` if it is empty.
fn version_of(value: &Value<'_>, expr: &Expr) -> Made<Option<Version>> {
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
            &Illegal::new("must have at most 1,024 characters"),
            expr,
        ));
    }
    Ok((!text.is_empty()).then(|| Version::new(&text)))
}

/// Bytes that the customer's keys take in a body.
fn key_bytes(customer: &CustomerRef) -> usize {
    customer
        .keys()
        .iter()
        .map(|key| key.value().len() + 20)
        .sum()
}
