//! Which operations a request carries, and for how long they have waited for it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use ingest_model::body::Body;
use ingest_model::call::{BulkItem, Call};
use ingest_model::operation::{Klass, Operation};
use serde::Deserialize;

use super::super::traffic::hash;
use super::delays::Delays;

/// Operations that no request has carried, by what a request shows of them, with the time of their arrival.
#[derive(Debug, Default)]
pub(super) struct Carried {
    recent: HashMap<u64, Vec<Duration>>,
    before: HashMap<u64, Vec<Duration>>,
    /// Klasses of digests.
    digests: BTreeSet<Klass>,
    pub(super) delays: Delays,
}

/// How many of each kind requests have carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Items {
    pub(super) events: u64,
    pub(super) identities: u64,
    /// Identities of records that these requests carry, and those that ride with events.
    pub(super) carried: u64,
    /// Identities that no record asked for: they find or make the customers of objects.
    pub(super) questions: u64,
    pub(super) objects: u64,
    /// Objects that are digests.
    pub(super) digests: u64,
}

/// Operations that are remembered: more than a worker has in hand. Those that no request ever carries, because they change
/// nothing, are forgotten.
const REMEMBERED: usize = 200_000;

#[derive(Deserialize)]
struct ObjectMarks<'b> {
    #[serde(borrow, rename = "externalId")]
    external_id: Option<Cow<'b, str>>,
    #[serde(borrow)]
    custom: Option<CustomMarks<'b>>,
}

#[derive(Deserialize)]
struct CustomMarks<'b> {
    #[serde(borrow, rename = "ingestVersionStr")]
    version: Option<Cow<'b, str>>,
}

#[derive(Deserialize)]
struct EventMarks<'b> {
    #[serde(borrow)]
    meta: Option<MetaMarks<'b>>,
}

#[derive(Deserialize)]
struct MetaMarks<'b> {
    #[serde(borrow, rename = "eventKey")]
    key: Option<Cow<'b, str>>,
}

#[derive(Deserialize)]
struct IdentityMarks<'b> {
    #[serde(borrow, rename = "externalId")]
    external_id: Option<Cow<'b, str>>,
    #[serde(borrow)]
    email: Option<Cow<'b, str>>,
    #[serde(borrow)]
    phone: Option<Cow<'b, str>>,
}

// === impl Carried ===

impl Carried {
    /// An operation of a record that arrived then was read.
    pub(super) fn waits(&mut self, arrived: Duration, operation: &Operation) {
        if let Operation::KObject(object) = operation
            && object.fold.is_some()
            && !self.digests.contains(&object.klass)
        {
            self.digests.insert(object.klass.clone());
        }
        let Some(mark) = mark_of(operation) else {
            return;
        };
        if self.recent.len() >= REMEMBERED {
            self.before = std::mem::take(&mut self.recent);
        }
        self.recent.entry(mark).or_default().push(arrived);
    }

    /// A request leaves. What it carries. `is_question`: it only finds or makes a customer.
    pub(super) fn leaves(&mut self, now: Duration, call: &Call, is_question: bool) -> Items {
        let mut items = Items::default();
        match call {
            Call::Identify { .. } if is_question => items.questions = 1,
            Call::Identify { identity } => {
                items.carried = self.identity(now, identity);
                items.identities = 1;
            }
            Call::Track { identity, event } => {
                items.events = 1;
                let marks = serde_json::from_str::<EventMarks<'_>>(event.as_str()).ok();
                let key = marks.and_then(|marks| marks.meta).and_then(|meta| meta.key);
                if let Some(key) = key {
                    self.takes(now, hash(("track", &*key)));
                }
                items.carried = self.identity(now, identity);
            }
            Call::CreateKObjects {
                klass, items: all, ..
            }
            | Call::UpdateKObjects {
                klass, items: all, ..
            } => {
                items.objects = all.len() as u64;
                if self.digests.contains(klass) {
                    items.digests = items.objects;
                }
                for BulkItem { body, .. } in all {
                    self.object(now, klass, body);
                }
            }
            Call::CreateKObject { klass, body } | Call::UpdateKObject { klass, body, .. } => {
                items.objects = 1;
                items.digests = u64::from(self.digests.contains(klass));
                self.object(now, klass, body);
            }
            Call::DeleteKObject { .. } => items.objects = 1,
            Call::SearchCustomers { .. }
            | Call::GetCustomer { .. }
            | Call::FindCustomer { .. }
            | Call::CreateCustomers { .. }
            | Call::GetKObject { .. }
            | Call::ReadJob { .. }
            | Call::ReadJobState { .. }
            | Call::Probe => {}
        }
        items
    }

    /// How many identities of that customer waited.
    fn identity(&mut self, now: Duration, identity: &Body) -> u64 {
        let Ok(marks) = serde_json::from_str::<IdentityMarks<'_>>(identity.as_str()) else {
            return 0;
        };
        let keys = [marks.external_id, marks.email, marks.phone];
        let key = keys.into_iter().flatten().next();
        key.map_or(0, |key| self.takes(now, hash(("identify", &*key))))
    }

    fn object(&mut self, now: Duration, klass: &Klass, body: &Body) {
        let Ok(marks) = serde_json::from_str::<ObjectMarks<'_>>(body.as_str()) else {
            return;
        };
        let Some(id) = marks.external_id else {
            return;
        };
        let version = marks.custom.and_then(|custom| custom.version);
        // A digest's version is made when it leaves, so it waits under its id alone.
        self.takes(now, hash(("kobject", &*klass.0, &*id, version.as_deref())));
        self.takes(now, hash(("kobject", &*klass.0, &*id, None::<&str>)));
    }

    /// How many operations waited under a mark.
    fn takes(&mut self, now: Duration, mark: u64) -> u64 {
        let recent = self.recent.remove(&mark);
        let before = self.before.remove(&mark);
        let mut waited = 0;
        for arrived in recent.into_iter().chain(before).flatten() {
            waited += 1;
            self.delays.add(now.saturating_sub(arrived));
        }
        waited
    }
}

fn mark_of(operation: &Operation) -> Option<u64> {
    match operation {
        Operation::Track(track) => Some(hash(("track", &*track.event_key.to_string()))),
        Operation::Identify(identify) => {
            let key = identify.customer.identity_keys().next()?;
            Some(hash(("identify", &**key.value())))
        }
        // The request names it by an id that is not known yet.
        Operation::KObject(object) if object.deletes => None,
        Operation::KObject(object) if object.fold.is_some() => Some(hash((
            "kobject",
            &*object.klass.0,
            &*object.external_id.0,
            None::<&str>,
        ))),
        Operation::KObject(object) => {
            let marks: ObjectMarks<'_> = serde_json::from_str(object.body.as_str()).ok()?;
            let version = marks.custom.and_then(|custom| custom.version);
            let id = &*object.external_id.0;
            Some(hash(("kobject", &*object.klass.0, id, version.as_deref())))
        }
    }
}
