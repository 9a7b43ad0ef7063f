//! A compiled mapping file: which of its routes are for an event, and what they make of it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::apply::{self, Applied};
use super::error::MappingError;
use super::expr::{Expr, Scope};
use super::model::bad::OnBad;
use super::model::batches::Batches;
use super::model::names::{EVERY, fold, with_folded};
use super::model::{Action, EmptyText, Head, Named, Route, Test};
use super::node::Place;
use crate::decode::{Decoded, Envelope, Format};
use crate::event::Event;
use crate::value::Value;
use ingest_model::outcome::{Rejected, Rejection, SkipReason, Verdict};
use ingest_model::record::Record;

/// A compiled mapping file.
#[derive(Debug)]
pub struct Mapping {
    file: Arc<str>,
    pub(super) head: Head,
    /// What expressions use by name, in the order of the names.
    pub(super) lets: Vec<Expr>,
    /// Where each of them is named.
    pub(super) named: Vec<Named>,
    pub(super) routes: Vec<Route>,
    /// For each folded event name its routes in their order, including those for every event.
    by_name: HashMap<String, Vec<usize>>,
    /// The routes for every event.
    for_every: Vec<usize>,
    tests: Vec<Test>,
    /// What is valid, but probably a mistake.
    doubts: Vec<MappingError>,
}

/// What the header of a file finds in the content of a record.
#[derive(Debug, Default)]
pub(crate) struct Said<'e> {
    /// The values.
    pub(crate) envelope: Envelope<'e>,
    /// Optional parts whose expressions failed, and why.
    pub(crate) failed: Vec<(&'static str, String)>,
    /// The steps that their expressions took.
    pub(crate) steps: u64,
}

// === impl Mapping ===

impl Mapping {
    pub(super) fn assemble(
        file: &str,
        head: Head,
        (lets, named): (Vec<Expr>, Vec<Named>),
        routes: Vec<Route>,
        tests: Vec<Test>,
        doubts: Vec<MappingError>,
    ) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let names = routes
            .iter()
            .flat_map(|route| &route.on)
            .filter(|name| *name != EVERY);
        for name in names {
            by_name.entry(fold(name)).or_default();
        }
        let mut for_every = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            if route.on.iter().any(|name| name == EVERY) {
                for_every.push(index);
                by_name.values_mut().for_each(|indices| indices.push(index));
            } else {
                for name in &route.on {
                    by_name.entry(fold(name)).or_default().push(index);
                }
            }
        }
        Self {
            file: Arc::from(file),
            head,
            lets,
            named,
            routes,
            by_name,
            for_every,
            tests,
            doubts,
        }
    }

    /// The place of the rule that rejected a record. The detail of a rejection begins with the field.
    pub(crate) fn place_of(&self, rejected: &Rejected) -> Option<(Arc<str>, Place)> {
        let name = rejected.route.as_ref()?;
        let route = self.routes.iter().find(|route| route.name == *name)?;
        let field = rejected.detail.split(": ").next()?;
        let place = rule_for(route, field).unwrap_or(route.place);
        Some((Arc::clone(&route.file), place))
    }

    /// The place of the first rule for a field, given without its operation, in a route.
    pub(crate) fn place_of_field(&self, route: &str, field: &str) -> Option<(Arc<str>, Place)> {
        let route = self.routes.iter().find(|known| *known.name == *route)?;
        Some((Arc::clone(&route.file), rule_for(route, field)?))
    }

    /// What expressions see of a record's event.
    pub(super) fn scope<'a>(&'a self, event: &'a Event<'a>, record: &'a Record) -> Scope<'a> {
        Scope::new(event, record).with_lets(&self.lets)
    }

    /// What is valid, but probably a mistake; each with its place and a way out.
    #[must_use]
    pub fn doubts(&self) -> &[MappingError] {
        &self.doubts
    }

    /// The name of the file, as it was given to the compiler.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The format that the file is for, if it says so.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.head.format
    }

    /// Whether any route is for events of this name.
    #[must_use]
    pub fn has_route_for(&self, name: &str) -> bool {
        !self.routes_for(name).is_empty()
    }

    /// Where a record may have several events, if the file says so.
    pub(crate) fn batches(&self) -> Option<Batches<'_>> {
        self.head.header.each.as_ref().map(Batches)
    }

    /// Whether the file says where the name of an event is.
    #[must_use]
    pub fn names_events(&self) -> bool {
        self.head.header.name.is_some()
    }

    fn routes_for(&self, name: &str) -> &[usize] {
        with_folded(name, |name| self.by_name.get(name)).unwrap_or(&self.for_every)
    }

    /// Whether expressions see null for an empty text.
    pub(crate) fn drops_empty_texts(&self) -> bool {
        self.head.empty_text == EmptyText::Drop
    }

    /// What the header `event` finds in the content of a record, and which of its optional parts failed.
    ///
    /// # Errors
    /// [`Decoded::Reject`] with [`Rejection::MappingFailed`] if the expression of the name fails, or if another one fails
    /// and the file says `onBad: reject`.
    pub(crate) fn envelope(
        &self,
        payload: &Value<'_>,
        record: &Record,
    ) -> Result<Said<'static>, Decoded> {
        let header = &self.head.header;
        let all = [&header.name, &header.id, &header.time, &header.deleted];
        if all.into_iter().all(Option::is_none) {
            return Ok(Said::default());
        }
        let scope = Scope::of_payload(payload, Some(record));
        let part = |expr: &Option<Expr>| match expr {
            None => Ok(None),
            Some(expr) => match expr.eval(&scope) {
                Ok(value) => Ok(Some(value.unwrap_or_default().into_owned())),
                Err(failed) => Err(format!("{} in `{}`", failed.what, expr.text())),
            },
        };
        let refused = |name: &str, why: &str| {
            Decoded::reject(Rejection::MappingFailed, format!("event.{name}: {why}"))
        };
        let mut said = Said::default();
        said.envelope.name = part(&header.name).map_err(|why| refused("name", &why))?;
        for (name, expr, value) in [
            ("id", &header.id, &mut said.envelope.id),
            ("time", &header.time, &mut said.envelope.time),
            ("deleted", &header.deleted, &mut said.envelope.deleted),
        ] {
            match (part(expr), self.head.on_bad) {
                (Ok(found), _) => *value = found,
                (Err(why), OnBad::Reject) => return Err(refused(name, &why)),
                (Err(why), OnBad::Drop) => said.failed.push((name, why)),
            }
        }
        said.steps = scope.steps();
        Ok(said)
    }

    /// What an event leads to. If a route has a `maxAge`, the time of the event is compared with `now`.
    #[must_use]
    pub fn apply(&self, event: &Event<'_>, record: &Record, now: Timestamp) -> Applied {
        self.apply_keyed(event, record, now, false)
    }

    /// As [`Mapping::apply`]; if the records are `keyed`, all of a customer are in one partition.
    pub(crate) fn apply_keyed(
        &self,
        event: &Event<'_>,
        record: &Record,
        now: Timestamp,
        keyed: bool,
    ) -> Applied {
        let must_be_seen = event.more.as_ref().is_some_and(|more| more.must_be_seen);
        let is_named = || with_folded(&event.name, |name| self.by_name.contains_key(name));
        // A route for all events does not take it: somebody has to have meant it.
        if must_be_seen && !is_named() {
            return unseen();
        }
        let scope = self.scope(event, record);
        let applied = apply::first(self.routes_of(event), event, record, &scope, now, keyed);
        let applied = match &applied.verdict {
            Verdict::Skip(SkipReason::NoRoute | SkipReason::ConditionFalse) if must_be_seen => {
                unseen()
            }
            Verdict::Skip(_) | Verdict::Emit(_) | Verdict::Batch(_) | Verdict::Reject(_) => applied,
        };
        Applied {
            steps: scope.steps(),
            ..applied
        }
    }

    /// The routes that are for an event, in their order.
    pub(super) fn routes_of<'m>(&'m self, event: &'m Event<'_>) -> impl Iterator<Item = &'m Route> {
        self.routes_for(&event.name)
            .iter()
            .filter_map(|index| self.routes.get(*index))
            .filter(|route| route.is_for(event.kind, &event.name, self.names_events()))
    }

    /// The name of the route that says that an event is not wanted, and why.
    pub(crate) fn dropped_by(
        &self,
        event: &Event<'_>,
        record: &Record,
    ) -> Option<(String, String)> {
        let scope = self.scope(event, record);
        let route = self.routes_of(event).find(|route| {
            let when = route.when.as_ref();
            when.is_none_or(|when| when.holds(&scope).unwrap_or(true))
        })?;
        match &route.action {
            Action::Skip(why) => Some((route.name.to_string(), why.clone())),
            Action::Do { .. } => None,
        }
    }

    /// The field at the top of the content that has the name of an event; `None` if the format says where it is. The outer
    /// `None` is a file that finds the name in another way.
    pub(crate) fn named_by(&self) -> Option<Option<&str>> {
        match &self.head.header.name {
            None => Some(None),
            Some(expr) => expr.as_field().map(Some),
        }
    }

    /// Why an event of this kind and name is skipped whatever else it says; `None` if that decides.
    pub(crate) fn skips(&self, kind: Option<&'static str>, name: &str) -> Option<SkipReason> {
        let mut routes = self
            .routes_for(name)
            .iter()
            .filter_map(|index| self.routes.get(*index))
            .filter(|route| route.is_for(kind, name, self.names_events()));
        match routes.next() {
            None => Some(SkipReason::NoRoute),
            Some(route) => match (&route.when, &route.action) {
                (None, Action::Skip(_)) => Some(SkipReason::Dropped),
                (Some(_), Action::Skip(_)) | (_, Action::Do { .. }) => None,
            },
        }
    }

    /// The file's tests.
    pub(crate) fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// How many tests the file has.
    #[must_use]
    pub fn test_count(&self) -> usize {
        self.tests.len()
    }
}

/// What must be seen, and no route takes.
fn unseen() -> Applied {
    Applied::of(Verdict::Reject(Rejected::new(
        Rejection::PrivacyRequest,
        "a request under privacy law that no route takes: answer it, or give it a route whose `on` names it",
    )))
}
/// The place of the first rule for a field, whatever its operation.
fn rule_for(route: &Route, field: &str) -> Option<Place> {
    let is_it = |(path, _): &&(String, Place)| {
        let before = path.strip_suffix(field);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    route.places.iter().find(is_it).map(|(_, place)| *place)
}
