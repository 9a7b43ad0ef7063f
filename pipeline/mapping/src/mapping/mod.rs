//! The declarative mapping: which events matter, and what they write.
//!
//! A mapping file is YAML: a list of routes, each for some event names, each with the operations that such an event
//! leads to; the values of their fields are jq expressions over the event ([`expr`]). Everything static (klasses,
//! attribute names, kinds of operation) can be read without running anything, and is checked when the file is compiled,
//! so that a mistake is found before deployment and with its place in the file.
//!
//! Of the routes for an event's name the *first whose `when` holds* decides. Applying is pure: no clock but the `now`
//! that is given, no state, no panic; the same event gives the same operations.
//!
//! ```
//! use ingest_mapping::mapping::Mapping;
//!
//! let text = r#"
//! routes:
//!   - name: order-placed
//!     on: Order Completed
//!     do:
//!       - kobject: order
//!         externalId: .properties.order_id
//!         title: '"Order \(.properties.order_id)"'
//!         custom: { totalNum: .properties.total }
//! "#;
//! let mapping = Mapping::compile(text, "order.yaml").unwrap();
//! assert_eq!(mapping.klasses()[0].attributes, ["totalNum"]);
//!
//! let errors = Mapping::compile("routes:\n  - nmae: x\n", "order.yaml").unwrap_err();
//! assert!(errors[0].to_string().starts_with("order.yaml:2:5: routes[0]: unknown key `nmae`; did you mean `name`?"));
//! ```

mod apply;
mod bad;
mod compile;
mod error;
pub mod expr;
mod model;
pub mod node;
mod reader;
mod rules;
mod testing;
pub mod yaml;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

pub use self::apply::Applied;
pub use self::bad::OnBad;
pub use self::error::MappingError;
pub use self::model::OnHold;
use self::model::{Action, CustomerRule, EmptyText, Head, Route, Rule, Template, Test};
use self::node::{Node, Place};
pub use self::testing::{TestFailure, shown};
use crate::decode::{Decoded, Envelope, Format};
use crate::event::Event;
use ingest_model::operation::{Klass, VERSION_ATTRIBUTE};
use ingest_model::outcome::{Rejected, Rejection};
use ingest_model::record::Record;

/// The name that stands for every event.
const EVERY: &str = "*";

/// A compiled mapping file.
#[derive(Debug)]
pub struct Mapping {
    file: Arc<str>,
    head: Head,
    routes: Vec<Route>,
    /// Routes by folded event name, in their order, those for every event among them.
    by_name: HashMap<String, Vec<usize>>,
    /// Routes for every event.
    for_every: Vec<usize>,
    tests: Vec<Test>,
    /// What can be used, but is probably not meant.
    doubts: Vec<MappingError>,
}

/// A klass that a mapping writes, with what it needs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KlassUse {
    /// The klass.
    pub klass: Klass,
    /// The names of `custom` attributes, sorted; `ingestVersionStr` among them if objects have a version.
    pub attributes: Vec<String>,
    /// For each route that writes `data`: the route and the keys it writes, `None` where an expression decides them.
    /// `data` is replaced as a whole, so routes that write different keys undo each other.
    pub data: Vec<(Arc<str>, Option<Vec<String>>)>,
}

/// What the header of a file says of a content.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Its values.
    pub(crate) envelope: Envelope,
    /// Optional parts whose expressions failed, and why.
    pub(crate) failed: Vec<(&'static str, String)>,
}

/// What a route promises, without running anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The route's name.
    pub name: Arc<str>,
    /// The event names as written.
    pub on: Vec<String>,
    /// The types of message that it is for; empty where the file does not say.
    pub types: Vec<&'static str>,
    /// Kinds of its operations in their order: `identify`, `track`, `kobject`.
    pub kinds: Vec<&'static str>,
    /// Why its events are not wanted, if they are not.
    pub skip: Option<String>,
    /// What happens to its work on hold when the held half of the budget is full.
    pub on_hold: OnHold,
    /// Where that stands in the file, or the route if it does not say.
    pub on_hold_at: Place,
    /// Where the route stands in the file.
    pub place: Place,
    /// It writes for a customer and leaves it to the envelope to name one.
    pub trusts_envelope: bool,
}

// === impl Mapping ===

impl Mapping {
    /// Compiles a mapping file. `file_name` stands in the errors.
    ///
    /// # Errors
    /// Every error that can be found, each with its place. A file that is not YAML has one.
    pub fn compile(text: &str, file_name: &str) -> Result<Self, Vec<MappingError>> {
        let document = Node::from_yaml(text).map_err(|error| {
            let fault = yaml::yaml_fault(text, &error);
            vec![MappingError {
                file: file_name.to_owned(),
                place: fault.place,
                field: String::new(),
                expression: None,
                problem: fault.problem,
                help: fault.help,
            }]
        })?;
        Self::compile_node(&document, file_name)
    }

    /// Compiles a mapping that stands inline in another document.
    ///
    /// # Errors
    /// As [`Mapping::compile`].
    pub fn compile_node(document: &Node, file_name: &str) -> Result<Self, Vec<MappingError>> {
        compile::mapping(document, file_name)
    }

    fn assemble(file: &str, head: Head, routes: Vec<Route>, tests: Vec<Test>) -> Self {
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
            routes,
            by_name,
            for_every,
            tests,
            doubts: Vec::new(),
        }
    }

    /// Where the rule stands that a rejection speaks of: its detail begins with the field.
    fn place_of(&self, rejected: &Rejected) -> Option<Place> {
        let route = self
            .routes
            .iter()
            .find(|route| Some(&route.name) == rejected.route.as_ref())?;
        let field = rejected.detail.split(": ").next()?;
        let rule = |(path, _): &&(String, Place)| {
            path == field
                || path
                    .strip_suffix(field)
                    .is_some_and(|before| before.ends_with('.'))
        };
        let found = route.places.iter().find(rule);
        Some(found.map_or(route.place, |(_, place)| *place))
    }

    /// What can be used, but is probably not meant: each with its place and a way out.
    #[must_use]
    pub fn doubts(&self) -> &[MappingError] {
        &self.doubts
    }

    /// The file's name as given when it was compiled.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The format that the file says it is for, if it says so.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.head.format
    }

    /// Whether any route is for events of that name.
    #[must_use]
    pub fn has_route_for(&self, name: &str) -> bool {
        !self.routes_for(name).is_empty()
    }

    /// Whether the file itself says how the event's name is found.
    #[must_use]
    pub fn names_events(&self) -> bool {
        self.head.header.name.is_some()
    }

    fn routes_for(&self, name: &str) -> &[usize] {
        self.by_name.get(&fold(name)).unwrap_or(&self.for_every)
    }

    /// Whether a text without anything in it is null to the expressions.
    pub(crate) fn drops_empty_texts(&self) -> bool {
        self.head.empty_text == EmptyText::Drop
    }

    /// What the header `event` says of a content, and which of its optional parts failed.
    ///
    /// # Errors
    /// [`Decoded::Reject`] with [`Rejection::MappingFailed`] when the expression of the name fails, or another one and the
    /// file says `onBad: reject`.
    pub(crate) fn envelope(&self, payload: &Value, record: &Record) -> Result<Said, Decoded> {
        let header = &self.head.header;
        if header.name.is_none() && header.id.is_none() && header.time.is_none() {
            return Ok(Said::default());
        }
        let scope = expr::Scope::of_payload(payload, Some(record));
        let part = |expr: &Option<expr::Expr>| match expr {
            None => Ok(None),
            Some(expr) => match expr.eval(&scope) {
                Ok(value) => Ok(Some(
                    value.map_or(Value::Null, std::borrow::Cow::into_owned),
                )),
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
        ] {
            match (part(expr), self.head.on_bad) {
                (Ok(found), _) => *value = found,
                (Err(why), OnBad::Reject) => return Err(refused(name, &why)),
                (Err(why), OnBad::Drop) => said.failed.push((name, why)),
            }
        }
        Ok(said)
    }

    /// What an event leads to. `now` is compared with its time where a route has a `maxAge`.
    #[must_use]
    pub fn apply(&self, event: &Event, record: &Record, now: Timestamp) -> Applied {
        let routes = self
            .routes_for(&event.name)
            .iter()
            .filter_map(|index| self.routes.get(*index))
            .filter(|route| route.is_for(event, self.names_events()));
        apply::first(routes, event, record, now)
    }

    /// Every optional field, with its route: what can be left out and counted.
    #[must_use]
    pub fn optional_fields(&self) -> Vec<(Arc<str>, String)> {
        let mut fields = Vec::new();
        for route in &self.routes {
            let Action::Do { .. } = route.action else {
                continue;
            };
            let all = bad::of_header(&self.head.header)
                .into_iter()
                .chain(bad::of_route(&route.action));
            fields.extend(all.map(|field| (Arc::clone(&route.name), field)));
        }
        fields
    }

    /// The klasses that the mapping writes, by name.
    #[must_use]
    pub fn klasses(&self) -> Vec<KlassUse> {
        let mut klasses: BTreeMap<&Klass, KlassUse> = BTreeMap::new();
        for route in &self.routes {
            let Action::Do { rules, .. } = &route.action else {
                continue;
            };
            for rule in rules {
                let Rule::KObject(rule) = rule else { continue };
                let empty = || KlassUse {
                    klass: rule.klass.clone(),
                    attributes: Vec::new(),
                    data: Vec::new(),
                };
                let used = klasses.entry(&rule.klass).or_insert_with(empty);
                used.attributes
                    .extend(rule.custom.iter().map(|custom| custom.name.clone()));
                used.attributes
                    .extend(rule.version.iter().map(|_| VERSION_ATTRIBUTE.to_owned()));
                if let Some(data) = rule.fields.iter().find(|field| field.name == "data") {
                    let keys = match &data.value {
                        Template::Map(entries) => {
                            Some(entries.iter().map(|(name, _)| name.clone()).collect())
                        }
                        Template::Expr(_) | Template::List(_) => None,
                    };
                    used.data.push((Arc::clone(&route.name), keys));
                }
            }
        }
        let mut klasses: Vec<KlassUse> = klasses.into_values().collect();
        for used in &mut klasses {
            used.attributes.sort();
            used.attributes.dedup();
        }
        klasses
    }

    /// The names of `custom` attributes that identifies write to customers, sorted.
    #[must_use]
    pub fn customer_attributes(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for route in &self.routes {
            let Action::Do { rules, .. } = &route.action else {
                continue;
            };
            for rule in rules {
                let Rule::Identify(rule) = rule else { continue };
                names.extend(rule.custom.iter().map(|custom| custom.name.clone()));
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// The routes in their order.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteInfo> {
        let info = |route: &Route| {
            let (kinds, skip) = match &route.action {
                Action::Skip(reason) => (Vec::new(), Some(reason.clone())),
                Action::Do { rules, .. } => (rules.iter().map(Rule::kind).collect(), None),
            };
            let trusts_envelope = match &route.action {
                Action::Skip(_) => false,
                Action::Do { customer, rules } => {
                    let names_one = |rule: &Rule| match rule {
                        Rule::Identify(rule) => !rule.keys.is_empty(),
                        Rule::Track(_) | Rule::KObject(_) => false,
                    };
                    matches!(customer, CustomerRule::Hints(_)) && !rules.iter().any(names_one)
                }
            };
            RouteInfo {
                name: Arc::clone(&route.name),
                place: route.place,
                trusts_envelope,
                on: route.on.clone(),
                types: route.types.clone(),
                kinds,
                skip,
                on_hold: route.on_hold,
                on_hold_at: route.on_hold_at,
            }
        };
        self.routes.iter().map(info).collect()
    }

    /// The names of the routes whose held work goes to the hold topic once it is too much.
    #[must_use]
    pub fn diverting(&self) -> BTreeSet<Arc<str>> {
        let routes = self.routes.iter();
        routes
            .filter(|route| route.on_hold == OnHold::Divert)
            .map(|route| Arc::clone(&route.name))
            .collect()
    }

    /// How many tests the file has.
    #[must_use]
    pub fn test_count(&self) -> usize {
        self.tests.len()
    }

    /// Runs the file's tests and returns those that fail.
    ///
    /// The events are decoded in the format that the file names, else in that which [`Mapping::run_tests_as`] is given,
    /// else as JSON objects.
    #[must_use]
    pub fn run_tests(&self) -> Vec<TestFailure> {
        self.run_tests_as(Format::Json)
    }

    /// As [`Mapping::run_tests`], for a file that names no format.
    #[must_use]
    pub fn run_tests_as(&self, format: Format) -> Vec<TestFailure> {
        let format = self.head.format.unwrap_or(format);
        self.tests
            .iter()
            .filter_map(|test| testing::run(self, format, test))
            .collect()
    }
}

impl Rule {
    fn kind(&self) -> &'static str {
        match self {
            Self::Identify(_) => "identify",
            Self::Track(_) => "track",
            Self::KObject(_) => "kobject",
        }
    }
}

/// An event name for comparison: cleaned, in lower case, without blanks, `_` and `-`.
///
/// ```
/// # use ingest_mapping::mapping::fold;
/// assert_eq!(fold("Order Completed"), fold("order_completed"));
/// assert_eq!(fold("order-completed"), fold("OrderCompleted"));
/// ```
#[must_use]
pub fn fold(name: &str) -> String {
    let name = crate::identity::cleaned(name);
    let kept = name
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'));
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
