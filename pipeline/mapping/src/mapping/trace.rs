//! Where each value of an event's operations comes from, for `explain` and for the coverage of tests.
//!
//! The expressions of the route that decides are evaluated once more, each by itself, so what is shown is what they give
//! before it is made to fit the field.

use std::sync::Arc;

use uuid::Uuid;

use super::apply::MAX_ITEMS;
use super::compiled::Mapping;
use super::expr::names::Names;
use super::expr::{Expr, Scope, inputs};
use super::model::{Action, Route};
use super::node::Place;
use crate::body::key::event_key;
use crate::event::Event;
use crate::value::Value;
use ingest_model::record::Record;

/// The routes that were asked, and what the expressions of the one that decides give.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// The routes for the event's name, in their order, up to the one that decides.
    pub asked: Vec<AskedRoute>,
    /// The route that decides.
    pub route: Option<Arc<str>>,
    /// Its expressions.
    pub values: Vec<TracedValue>,
    /// The keys of its operations, in their order, with the place in `do` that each is of.
    pub keys: Vec<(usize, Uuid)>,
}

/// A route for the event's name.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedRoute {
    /// Its name.
    pub route: Arc<str>,
    /// Its place in the file.
    pub place: Place,
    /// Its condition, if it has one.
    pub when: Option<TracedValue>,
    /// It takes only deletions, and the event is none.
    pub only_deletions: bool,
    /// Whether it decides.
    pub decides: bool,
}

/// An expression, and what it gives. It has content of the event, so it must not be logged.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedValue {
    /// Its path in the route, such as `do[0].custom.totalNum`.
    pub field: String,
    /// Its place in the file; line 0 if it is not known.
    pub place: Place,
    /// The expression.
    pub expression: String,
    /// What it gives: null if that is nothing, or why it fails.
    pub value: Result<Value<'static>, String>,
    /// The parts of the event that it names, with their values.
    pub inputs: Vec<(String, Value<'static>)>,
    /// The variables of the file that it names.
    pub variables: Vec<TracedVariable>,
}

/// What a variable in an expression stands for: a value of `let`, or the item of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedVariable {
    /// Its name with its sign, such as `$order`.
    pub name: String,
    /// The file that names it, if it is another one than that of the route.
    pub file: Option<Arc<str>>,
    /// The place there; line 0 if it is not known.
    pub place: Place,
    /// Its expression; of an item, that of the list.
    pub expression: String,
    /// What it gives; of a list, the first item.
    pub value: Result<Value<'static>, String>,
    /// The parts of the event that the expression names, with their values.
    pub inputs: Vec<(String, Value<'static>)>,
}

/// The fields of a route that have expressions.
pub(crate) struct RouteFields {
    pub(crate) route: Arc<str>,
    pub(crate) place: Place,
    /// Their paths in the route, and their places in the file.
    pub(crate) fields: Vec<(String, Place)>,
}

impl Mapping {
    /// Where each value comes from.
    pub(crate) fn trace(&self, event: &Event<'_>, record: &Record) -> Traced {
        let scope = self.scope(event, record);
        let mut traced = Traced {
            asked: Vec::new(),
            route: None,
            values: Vec::new(),
            keys: Vec::new(),
        };
        for route in self.routes_of(event) {
            let when = route.when.as_ref();
            let look = Look {
                mapping: self,
                route,
            };
            // A condition that fails decides, too: it rejects the record.
            let holds = || when.is_none_or(|when| when.holds(&scope).unwrap_or(true));
            let only_deletions = route.only_deletions && !event.deleted;
            let decides = !only_deletions && holds();
            traced.asked.push(AskedRoute {
                route: Arc::clone(&route.name),
                place: route.place,
                when: when.map(|when| look.value("when".to_owned(), when, &scope)),
                only_deletions,
                decides,
            });
            if decides {
                let all = route.expressions().into_iter();
                traced.route = Some(Arc::clone(&route.name));
                traced.values = all
                    .map(|(field, expr)| look.of_first_item(field, expr, &scope))
                    .collect();
                traced.keys = keys(route, event, record, &scope);
                break;
            }
        }
        traced
    }

    /// The place of a field of a route, such as `do[0].title`, or of the first thing within it, and the file that has it.
    #[must_use]
    pub fn place_in(&self, route: &str, field: &str) -> Option<(Arc<str>, Place)> {
        let route = self.routes.iter().find(|one| &*one.name == route)?;
        Some((Arc::clone(&route.file), place_of(route, field)?))
    }

    /// The fields of each route.
    pub(crate) fn fields(&self) -> Vec<RouteFields> {
        let fields = |route: &Route| {
            let all = route.expressions().into_iter();
            let places = all.map(|(field, _)| {
                let place = place_of(route, &field).unwrap_or(route.place);
                (field, place)
            });
            places.collect()
        };
        self.routes
            .iter()
            .map(|route| RouteFields {
                route: Arc::clone(&route.name),
                place: route.place,
                fields: fields(route),
            })
            .collect()
    }
}

/// The keys of all operations that the route lists for an event, whatever becomes of them.
fn keys(
    route: &Route,
    event: &Event<'_>,
    record: &Record,
    scope: &Scope<'_>,
) -> Vec<(usize, Uuid)> {
    let Action::Do { rules, each, .. } = &route.action else {
        return Vec::new();
    };
    let mut keys = Vec::new();
    for index in 0..rules.len() {
        let key = |item| {
            (
                index,
                event_key(event, record, &route.name, index + 1, item),
            )
        };
        let Some(list) = each.get(index).and_then(Option::as_ref) else {
            keys.push(key(None));
            continue;
        };
        if let Ok(Some(Value::Array(items))) = list.eval(scope) {
            let numbers = 0..items.len().min(MAX_ITEMS);
            keys.extend(numbers.map(|number| key(Some(number))));
        }
    }
    keys
}

fn place_of(route: &Route, field: &str) -> Option<Place> {
    let within = |path: &str| {
        let path = path.strip_prefix('.').unwrap_or(path);
        path == field
            || path
                .strip_prefix(field)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    let found = route.places.iter().find(|(path, _)| within(path));
    found.map(|(_, place)| *place)
}

/// Looks at the expressions of a route.
struct Look<'m> {
    mapping: &'m Mapping,
    route: &'m Route,
}

impl Look<'_> {
    /// The value of a field; of one that is made for each item of a list, that for the first item.
    fn of_first_item(&self, field: String, expr: &Expr, scope: &Scope<'_>) -> TracedValue {
        let Some(list) = self.route.list_of(&field) else {
            return self.value(field, expr, scope);
        };
        let items = list.eval(scope).ok().flatten();
        let first = match &items {
            Some(Value::Array(items)) => items.first(),
            Some(_) | None => None,
        };
        match first {
            Some(item) => self.value(field, expr, &scope.of_item(item, 0)),
            None => TracedValue {
                place: place_of(self.route, &field).unwrap_or_default(),
                expression: expr.text().to_owned(),
                value: Ok(Value::Null),
                inputs: Vec::new(),
                variables: self.variables(&field, expr, scope),
                field,
            },
        }
    }

    fn value(&self, field: String, expr: &Expr, scope: &Scope<'_>) -> TracedValue {
        TracedValue {
            place: place_of(self.route, &field).unwrap_or_default(),
            expression: expr.text().to_owned(),
            value: given(expr, scope),
            inputs: looked_at(expr, scope),
            variables: self.variables(&field, expr, scope),
            field,
        }
    }

    /// What the variables in an expression stand for.
    fn variables(&self, field: &str, expr: &Expr, scope: &Scope<'_>) -> Vec<TracedVariable> {
        let mut found: Vec<TracedVariable> = Vec::new();
        for index in expr.lets() {
            let (lets, named) = (&self.mapping.lets, &self.mapping.named);
            let (Some(expr), Some(named)) = (lets.get(*index), named.get(*index)) else {
                continue;
            };
            let name = format!("${}", named.name);
            if found.iter().all(|known| known.name != name) {
                found.push(TracedVariable {
                    name,
                    file: (named.file != self.route.file).then(|| Arc::clone(&named.file)),
                    place: named.place,
                    expression: expr.text().to_owned(),
                    value: given(expr, scope),
                    inputs: looked_at(expr, scope),
                });
            }
        }
        let is_item = |path: &String| path.starts_with(ITEM) || path.starts_with("$index");
        if let Some(list) = self.route.list_of(field)
            && inputs(expr.text()).iter().any(is_item)
        {
            let each = field.split_inclusive(']').next().unwrap_or_default();
            let item = look(ITEM.to_owned(), scope);
            found.push(TracedVariable {
                name: ITEM.to_owned(),
                file: None,
                place: place_of(self.route, &format!("{each}.each")).unwrap_or_default(),
                expression: list.text().to_owned(),
                value: Ok(item.map(|(_, item)| item).unwrap_or_default()),
                inputs: looked_at(list, scope),
            });
        }
        found
    }
}

/// The item of a list.
const ITEM: &str = "$item";

/// What an expression gives: null if that is nothing, or why it fails.
fn given(expr: &Expr, scope: &Scope<'_>) -> Result<Value<'static>, String> {
    let found = expr.eval(scope);
    let found = found.map(|value| value.unwrap_or_default().into_owned());
    found.map_err(|failed| failed.what.to_owned())
}

/// The parts of the event that an expression names, with their values.
fn looked_at(expr: &Expr, scope: &Scope<'_>) -> Vec<(String, Value<'static>)> {
    let paths = inputs(expr.text()).into_iter();
    paths.filter_map(|path| look(path, scope)).collect()
}

fn look(path: String, scope: &Scope<'_>) -> Option<(String, Value<'static>)> {
    let mut names = Names::default();
    names.set_item(scope.is_of_item());
    let at = Expr::compile_with(&path, &names).ok()?;
    let value = at.eval(scope).ok()?.unwrap_or_default().into_owned();
    Some((path, value))
}
