//! Routes: document to model, and those that no event can reach.

use std::sync::Arc;

use super::super::expr::Expr;
use super::super::model::bad::OnBad;
use super::super::model::names::{EVERY, fold};
use super::super::model::{Action, CustomerRule, OnHold, OwnerRule, Route};
use super::super::node::{Content, Node, Place};
use super::customer::customer;
use super::file::RouteHead;
use super::named;
use super::reader::{self, Fields, Reader};
use super::rules;
use super::values::klass;
use crate::decode::Format;
use crate::decode::segment::KINDS;
use crate::value::Value;
use ingest_model::operation::MissingCustomer;

pub(super) fn route(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    head: &RouteHead<'_>,
) -> Option<Route> {
    let of_file = reader.names.lets();
    let route = route_with_names(reader, node, at, head);
    reader.names.forget_lets_after(of_file);
    route
}

fn route_with_names(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    head: &RouteHead<'_>,
) -> Option<Route> {
    const KNOWN: &[&str] = &[
        "name", "on", "type", "let", "when", "skip", "delete", "missing", "customer", "onBad",
        "onHold", "do",
    ];
    let fields = reader.fields(node, at, KNOWN)?;
    let name = match fields.get("name") {
        Some(node) => reader.text(node, &format!("{at}.name")),
        None => {
            reader.error(
                fields.place,
                at,
                "`name` is missing",
                Some("dead letters and metrics name the route".to_owned()),
            );
            None
        }
    };
    let on = match fields.get("on") {
        Some(node) => event_names(reader, node, &format!("{at}.on")),
        None => {
            let help = "event names, or '*' for every event".to_owned();
            reader.error(fields.place, at, "`on` is missing", Some(help));
            None
        }
    };
    if let Some(node) = fields.get("let") {
        named::route_lets(reader, node, at);
    }
    let when = fields
        .get("when")
        .map(|node| condition(reader, node, &format!("{at}.when")));
    let types = match fields.get("type") {
        Some(node) => message_types(reader, node, &format!("{at}.type"), head.format),
        None => Some(Vec::new()),
    };
    let on_bad = fields
        .get("onBad")
        .and_then(|node| reader.word(node, &format!("{at}.onBad"), OnBad::WORDS))
        .unwrap_or(head.on_bad);
    let on_hold = match fields.get("onHold") {
        Some(node) => reader.word(node, &format!("{at}.onHold"), OnHold::WORDS),
        None => Some(head.on_hold),
    };
    let on_hold_at = match (fields.get("onHold"), head.on_hold_at) {
        (Some(node), _) => node.place,
        (None, Some(place)) => place,
        (None, None) => fields.place,
    };
    let deletes = match fields.get("delete") {
        Some(node) => deletion(reader, node, &fields, at),
        None => None,
    };
    reader.marks = deletes == Some(Deletion::Mark);
    reader.untitled = not_there(reader, &fields, at);
    reader.deletes = deletes == Some(Deletion::Delete);
    if let Some(node) = fields.get("delete").filter(|_| reader.deletes) {
        reader.doubt_never_deleted(node, at, head);
    }
    let mut places = reader::places(node);
    let action = match (fields.get("skip"), fields.get("do")) {
        _ if fields.get("delete").is_some() && deletes.is_none() => None,
        (None, None) if deletes == Some(Deletion::Ignore) => {
            Some(Action::Skip("deletions are ignored".to_owned()))
        }
        (Some(reason), None) => {
            if let Some(node) = fields.get("customer") {
                reader.error(
                    node.place,
                    &format!("{at}.customer"),
                    "a route with `skip` has no customer",
                    None,
                );
            }
            reader
                .text(reason, &format!("{at}.skip"))
                .map(|text| Action::Skip(text.to_owned()))
        }
        (None, Some(node)) => {
            let customer = match fields.get("customer") {
                Some(node) => customer(reader, node, &format!("{at}.customer")),
                None if reader.deletes => Some(CustomerRule::Nobody),
                None if reader.marks => marked(reader, node, &format!("{at}.do"), &mut places),
                None => {
                    places.extend(head.customer_places());
                    head.customer(reader)
                }
            };
            let rules = rules::all(
                reader,
                node,
                &format!("{at}.do"),
                customer.as_ref(),
                on_bad,
                on.as_deref().unwrap_or_default(),
            );
            let (customer, (rules, each)) = (customer?, rules?);
            Some(Action::Do {
                customer,
                rules,
                each,
            })
        }
        (Some(_), Some(node)) => {
            reader.error(
                node.place,
                at,
                "a route has either `skip` or `do`, not both",
                None,
            );
            None
        }
        (None, None) => {
            let help =
                "`do` lists operations; `skip` says why such events are not wanted".to_owned();
            reader.error(fields.place, at, "a route needs `do` or `skip`", Some(help));
            None
        }
    };
    let only_deletions = reader.deletes;
    (reader.marks, reader.untitled, reader.deletes) = (false, None, false);
    let when = match when {
        None => None,
        Some(compiled) => Some(compiled?),
    };
    Some(Route {
        name: Arc::from(name?),
        file: reader.file_name(),
        place: fields.place,
        places,
        on: on?,
        types: types?,
        when,
        only_deletions,
        on_bad,
        on_hold: on_hold?,
        on_hold_at,
        action: action?,
    })
}

/// What becomes of the thing that an event says is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deletion {
    Ignore,
    Mark,
    Delete,
}

/// What a route does about deletions. `None` if that is wrong.
fn deletion(
    reader: &mut Reader<'_>,
    node: &Node,
    fields: &Fields<'_>,
    at: &str,
) -> Option<Deletion> {
    let at = format!("{at}.delete");
    let words = &[
        ("ignore", Deletion::Ignore),
        ("mark", Deletion::Mark),
        ("delete", Deletion::Delete),
    ];
    let word = reader.word(node, &at, words)?;
    let without: &[&str] = match word {
        Deletion::Ignore => &["do", "skip", "customer"],
        Deletion::Mark => &["skip"],
        Deletion::Delete => &["skip", "customer"],
    };
    if let Some(name) = without.iter().find(|name| fields.get(name).is_some()) {
        let problem = format!("has no meaning beside `{name}`");
        let help = "`ignore` stands alone; `mark` needs `do` with the `kobject` that is marked, and `delete` one with the `kobject` \
                    that is to go, whoever it belongs to";
        reader.error(node.place, &at, problem, Some(help.to_owned()));
        return None;
    }
    let done = match word {
        Deletion::Ignore => return Some(word),
        Deletion::Mark => "is marked",
        Deletion::Delete => "is to go",
    };
    if fields.get("do").is_none() {
        let help =
            "for example `do: [ { kobject: order, externalId: .id, version: $event.version } ]`";
        let problem = format!("needs `do` with the `kobject` that {done}");
        reader.error(node.place, &at, problem, Some(help.to_owned()));
        return None;
    }
    Some(word)
}

/// What happens where an object that a route marks is not there; `None` if it marks none, or makes those that are not.
fn not_there(reader: &mut Reader<'_>, fields: &Fields<'_>, at: &str) -> Option<MissingCustomer> {
    let marks = reader.marks && fields.get("customer").is_none();
    let Some(node) = fields.get("missing") else {
        return marks.then_some(MissingCustomer::Park);
    };
    let at = format!("{at}.missing");
    if !marks {
        let help = "it says what happens where an object is not there that `delete: mark` marks in a route without `customer`; what happens where \
                    nobody has the keys of a customer says `missing` within `customer`";
        let problem = "has no meaning here";
        reader.error(node.place, &at, problem, Some(help.to_owned()));
        return None;
    }
    let words = &[
        ("park", MissingCustomer::Park),
        ("reject", MissingCustomer::Reject),
        ("skip", MissingCustomer::Skip),
    ];
    // a wrong word has been reported
    reader
        .word(node, &at, words)
        .or(Some(MissingCustomer::Park))
}

/// The customer of the events of a route that marks objects. Each of these belongs to whom it belonged to, so that none is made;
/// other operations are for the customer of the first.
fn marked(
    reader: &mut Reader<'_>,
    list: &Node,
    at: &str,
    places: &mut Vec<(String, Place)>,
) -> Option<CustomerRule> {
    let Content::List(items) = &list.content else {
        return Some(CustomerRule::Nobody); // reported with the operations
    };
    let field = |item: &'_ Node, name: &str| match &item.content {
        Content::Map(entries) => {
            let found = entries.iter().find(|(key, _)| key.name == name);
            found.map(|(_, node)| node.clone())
        }
        Content::Null
        | Content::Bool(_)
        | Content::Number(_)
        | Content::Text(_)
        | Content::List(_) => None,
    };
    let objects = items.iter().filter(|item| field(item, "kobject").is_some());
    let objects = objects.count();
    if objects == 0 {
        let help = "for example `do: [ { kobject: order, externalId: .id } ]`".to_owned();
        let problem = "`delete: mark` needs a `kobject` that is marked";
        reader.error(list.place, at, problem, Some(help));
        return None;
    }
    if objects == items.len() {
        return Some(CustomerRule::Nobody);
    }
    let single = |(_, item): &(usize, &Node)| field(item, "each").is_none();
    let found = items
        .iter()
        .enumerate()
        .filter(single)
        .find_map(|(index, item)| {
            Some((index, field(item, "kobject")?, field(item, "externalId")?))
        });
    let Some((index, klass_node, id)) = found else {
        let help = "say with `customer` in the route whose they are".to_owned();
        let problem =
            "has operations for a customer, and no `kobject` without `each` that names one";
        reader.error(list.place, at, problem, Some(help));
        return None;
    };
    let at = format!("{at}[{index}]");
    // what is wrong with them is reported with the operation
    let told = (reader.errors.len(), reader.doubts.len());
    let klass = klass(reader, &klass_node, &at);
    let external_id = reader.expr(&id, &at);
    places.push((".customer.from.externalId".to_owned(), id.place));
    reader.errors.truncate(told.0);
    reader.doubts.truncate(told.1);
    Some(match (klass, external_id) {
        (Some(klass), Some(external_id)) => CustomerRule::Owner(
            Box::new(OwnerRule { klass, external_id }),
            reader.untitled.unwrap_or(MissingCustomer::Park),
        ),
        (_, _) => CustomerRule::Nobody,
    })
}

impl Reader<'_> {
    /// Says so if no event of the file's format is ever a deletion.
    fn doubt_never_deleted(&mut self, node: &Node, at: &str, head: &RouteHead<'_>) {
        let Some(format @ (Format::Json | Format::Segment)) = head.format else {
            return;
        };
        if head.names_deletions {
            return;
        }
        let problem = format!(
            "is never reached: no event of format `{}` says by itself that its thing is gone",
            format.as_str()
        );
        let help = "say which ones do, at the top of the file: for example `event: { deleted: .type == \"order.deleted\" }`";
        self.doubt(node.place, &format!("{at}.delete"), problem, help);
    }
}

/// The expression of a `when`.
fn condition(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Expr> {
    let expr = reader.expr(node, at)?;
    if expr.assigns() {
        let problem = format!("assigns, and so always holds, in `{}`", expr.text());
        let help = "`==` compares".to_owned();
        reader.error(node.place, at, problem, Some(help));
        return None;
    }
    match expr.as_literal().map(is_true) {
        Some(true) => reader.doubt(
            node.place,
            at,
            "always holds".to_owned(),
            "leave it out: later routes for these names are never reached",
        ),
        Some(false) => reader.doubt(
            node.place,
            at,
            "never holds, so the route takes no event".to_owned(),
            "for events that are not wanted, give the route `skip` with a reason",
        ),
        None => {}
    }
    Some(expr)
}

/// Whether a constant is true as a condition.
fn is_true(constant: &Value<'_>) -> bool {
    !matches!(constant, Value::Null | Value::Bool(false))
}

/// The types of message that a route is for: one word or a list of them.
fn message_types(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    format: Option<Format>,
) -> Option<Vec<&'static str>> {
    if !matches!(format, Some(Format::Segment | Format::Auto)) {
        let help = "types are track, identify, page and so on; the file says that it is for them \
                    with `format: segment`";
        let problem = "has a meaning only for Segment's messages";
        reader.error(node.place, at, problem, Some(help.to_owned()));
        return None;
    }
    let known: Vec<(&str, &'static str)> = KINDS.iter().map(|kind| (*kind, *kind)).collect();
    let nodes = one_or_list(node);
    if nodes.is_empty() {
        reader.error(node.place, at, "lists no type", None);
        return None;
    }
    let types: Vec<_> = nodes
        .iter()
        .map(|node| reader.word(node, at, &known))
        .collect();
    types.into_iter().collect()
}

/// The items of a list, or the one that stands in its place.
fn one_or_list(node: &Node) -> &[Node] {
    match &node.content {
        Content::List(items) => items,
        Content::Null
        | Content::Bool(_)
        | Content::Number(_)
        | Content::Text(_)
        | Content::Map(_) => std::slice::from_ref(node),
    }
}

fn event_names(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Vec<String>> {
    let nodes = one_or_list(node);
    let mut names: Vec<String> = Vec::new();
    for node in nodes {
        let name = reader.text(node, at)?;
        let folded = fold(name);
        if folded.is_empty() {
            reader.error(
                node.place,
                at,
                "an event name needs a letter or digit",
                None,
            );
            return None;
        }
        if name.contains('*') && name != EVERY {
            let help =
                "list the names; '*' alone is every event, and a `when` can look at `$event.name`";
            let problem = format!("`{name}` is a name, not a pattern");
            reader.error(node.place, at, problem, Some(help.to_owned()));
            return None;
        }
        if names.iter().any(|other| fold(other) == folded) {
            let help = "case, blanks, `_` and `-` do not matter".to_owned();
            reader.error(
                node.place,
                at,
                format!("`{name}` is listed twice"),
                Some(help),
            );
        }
        names.push(name.to_owned());
    }
    if names.is_empty() {
        reader.error(node.place, at, "lists no event", None);
        return None;
    }
    Some(names)
}

/// Reports routes that no event can reach, because earlier ones without a condition take all their events.
pub(super) fn shadowed(reader: &mut Reader<'_>, routes: &[Route]) {
    let takes = |route: &Route, later: &Route, name: &str| {
        let always = |when: &Expr| when.as_literal().is_some_and(is_true);
        route.when.as_ref().is_none_or(always)
            && !route.only_deletions
            && takes_types(route, later)
            && route
                .on
                .iter()
                .any(|on| on == EVERY || fold(on) == fold(name))
    };
    for (index, route) in routes.iter().enumerate() {
        let before = routes.get(..index).unwrap_or_default();
        let taker = |name: &String| before.iter().find(|earlier| takes(earlier, route, name));
        let takers: Option<Vec<&Route>> = route.on.iter().map(taker).collect();
        if let Some(first) = takers.and_then(|takers| takers.first().copied()) {
            let problem = format!(
                "the route `{}` is never reached: `{}`, line {}, takes all of its events",
                route.name, first.name, first.place.line
            );
            reader.turn_to(&route.file);
            reader.doubt(
                route.place,
                &format!("routes[{index}]"),
                problem,
                "the first route whose `when` holds decides: put it before, or give the other a `when`",
            );
        }
    }
}

/// Whether a route is for every type of message that a later one is for.
fn takes_types(route: &Route, later: &Route) -> bool {
    if later.types.is_empty() {
        return route.types.is_empty();
    }
    if route.types.is_empty() {
        return route.on.iter().any(|on| on == EVERY);
    }
    later.types.iter().all(|kind| route.types.contains(kind))
}
