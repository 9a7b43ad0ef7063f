//! One event of a session as an operation: a fold of itself alone.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;
use uuid::Uuid;

use super::super::model::digest::DigestRule;
use super::super::model::names::{EVERY, fold, with_folded};
use super::Work;
use super::failure::{Failure, Made, no_customer, refused};
use crate::body::Illegal;
use crate::body::key::NAMESPACE;
use crate::decode::segment::TRACK;
use crate::value::{Map, Value};
use ingest_model::body::Body;
use ingest_model::digest::{Amount, EACH_FIELDS, Fold, MAX_EACH, Small};
use ingest_model::name_id;
use ingest_model::operation::{CustomerRef, ExternalId, KObject, Operation};
use ingest_model::outcome::Rejection;

/// The longest name of an event that no route spells, in characters.
const MAX_NAME: usize = 128;

/// Sums by name.
type Sums = SmallVec<[(Arc<str>, Amount); 1]>;

impl<'a> Work<'a> {
    pub(super) fn digest(
        &mut self,
        rule: &'a DigestRule,
        customer: Option<&CustomerRef>,
        event_key: Uuid,
    ) -> Made<Operation> {
        let customer = customer.ok_or_else(no_customer)?;
        let occurred = self.occurred();
        let key = self.short_text(&rule.bad, rule.session.as_ref(), "session.key")?;
        let session = match (key, occurred) {
            (Some(key), _) => ["key ", &*key].concat(),
            (None, Some(at)) => {
                let gap = i64::try_from(rule.frame.gap.as_millis()).unwrap_or(i64::MAX);
                format!("clock {}", at.as_millisecond().div_euclid(gap.max(1)))
            }
            (None, None) => return Err(no_session()),
        };
        let external_id = self.session_id(customer, &session);
        let small = Small {
            name: self.counted_as(rule),
            at_ms: occurred.map(Timestamp::as_millisecond),
            offset: self.record.position.offset,
            written_ms: self.record.timestamp_ms,
            key: event_key.as_u64_pair().1,
            sums: self.sums(rule)?,
            each: self.each(rule)?,
        };
        Ok(Operation::KObject(KObject {
            klass: rule.klass.clone(),
            external_id: ExternalId(Arc::from(external_id)),
            customer: Some(customer.clone()),
            version: None,
            body: Body::default(),
            fold: Some(Box::new(Fold {
                frame: Arc::clone(&rule.frame),
                partition: self.record.position.partition.clone(),
                events: vec![small],
            })),
            party: None,
            deletes: false,
        }))
    }

    /// The id of a session's object. Two partitions never write one object, unless all of a customer is in one partition.
    fn session_id(&self, customer: &CustomerRef, session: &str) -> String {
        let key = customer.first();
        let partition = &self.record.position.partition;
        let of = if self.keyed {
            String::new()
        } else {
            format!("{}/{}", partition.topic, partition.partition.0)
        };
        let parts = [key.kind(), key.value(), session, &of];
        // Each part follows its length, so no two lists of parts give the same name.
        let length: usize = parts.iter().map(|part| part.len() + 8).sum();
        let mut name = String::with_capacity(length);
        for part in parts {
            // writing into a text never fails
            let _length = write!(name, "{}:", part.len());
            name.extend([part, ";"]);
        }
        name_id(&NAMESPACE, name.as_bytes()).to_string()
    }

    /// The event's name as the route spells it.
    fn counted_as(&self, rule: &DigestRule) -> Arc<str> {
        // A route for all pages counts pages, but for those that it names: their names are titles, and too many.
        let every = self.route.on.iter().any(|name| name == EVERY);
        let of_kind = |kind: &&str| *kind != TRACK && self.route.types.contains(kind);
        let named = || {
            let folded = fold(&self.event.name);
            self.route.on.iter().find(|name| fold(name) == folded)
        };
        let kind = self.event.kind.filter(|kind| every && of_kind(kind));
        if let Some(kind) = kind.filter(|_| named().is_none()) {
            return Arc::from(kind);
        }
        let spelt = with_folded(&self.event.name, |name| {
            let mut names = rule.names.iter();
            names
                .find(|(folded, _)| folded == name)
                .map(|(_, name)| Arc::clone(name))
        });
        // A late event belongs to another route than its digest.
        let late = || named().map(|name| Arc::from(name.as_str()));
        spelt.or_else(late).unwrap_or_else(|| {
            let name = self.event.name.trim().chars();
            Arc::from(name.take(MAX_NAME).collect::<String>())
        })
    }

    fn sums(&mut self, rule: &'a DigestRule) -> Made<Sums> {
        let mut sums = SmallVec::new();
        let values = self.custom(&rule.bad, &rule.sums, "sums.")?;
        for sum in &rule.sums {
            let Some(Value::Number(number)) = values.get(&sum.name) else {
                continue;
            };
            match number.to_string().parse() {
                Ok(amount) => sums.push((Arc::from(sum.name.as_str()), amount)),
                Err(_no_amount) => {
                    let field = format!("sums.{}", sum.name);
                    let illegal = Illegal::new("must have at most 18 digits before the point");
                    let failure = refused(&field, &illegal, &sum.value);
                    self.drops.leave_out(&rule.bad, &field, failure)?;
                }
            }
        }
        Ok(sums)
    }

    /// What is kept of the event among the last ones.
    fn each(&mut self, rule: &'a DigestRule) -> Made<Body> {
        let mut fields = Map::new();
        self.fields(&rule.bad, &rule.each, "keep.", &mut fields)?;
        let Some(Value::Object(each)) = fields.get_mut("each") else {
            return Ok(Body::default());
        };
        for own in EACH_FIELDS {
            each.remove(own);
        }
        match Body::within(MAX_EACH, &*each) {
            Ok(body) => Ok(body),
            Err(bytes) => {
                let detail = format!(
                    "keep.each: has {bytes} bytes, more than the {MAX_EACH} that one event may have"
                );
                let failure = Failure {
                    reason: Rejection::ItemTooLarge,
                    detail,
                    exhausted: false,
                };
                self.drops.leave_out(&rule.bad, "keep.each", failure)?;
                Ok(Body::default())
            }
        }
    }
}

fn no_session() -> Failure {
    Failure {
        reason: Rejection::MissingField,
        detail: "session: the event has neither a key of its session nor a time".to_owned(),
        exhausted: false,
    }
}
