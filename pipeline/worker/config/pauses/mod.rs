//! What can be paused: the topics, their routes, and what the mappings write to.
//!
//! A pause names exactly one of them. The same names are used by the commands and in the configuration.

mod window;

use std::collections::BTreeSet;
use std::sync::Arc;

use ingest_delivery::hold::{Family, Scope};
use ingest_mapping::mapping::Mapping;
use ingest_model::operation::Klass;
use ingest_model::record::Topic;

pub use self::window::{PauseSchedule, PauseWindow, Times};
use super::fault::nearest;

/// Everything that can be paused with a configuration.
#[derive(Debug, Clone, Default)]
pub struct Pausable {
    topics: Vec<(Topic, Vec<Arc<str>>)>,
    klasses: BTreeSet<Klass>,
}

/// What somebody wants paused, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A topic.
    Topic(&'a str),
    /// `ROUTE`, or `TOPIC/ROUTE` where several topics have such a route.
    Route(&'a str),
    /// `all`, `tracking`, `kobject:KLASS`, `customer` or `company`.
    Destination(&'a str),
}

/// Why there is nothing by that name, and what to do.
pub type NotKnown = (String, String);

const KOBJECT: &str = "kobject:";
/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// The reason of a pause as it is kept: without blanks around it, `None` if nothing is left.
///
/// # Errors
/// What is wrong with it.
pub fn reason(text: &str) -> Result<Option<&str>, String> {
    let text = text.trim();
    if text.chars().count() > LONGEST_REASON {
        return Err(format!("is longer than {LONGEST_REASON} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("has more than one line, or control characters".to_owned());
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

// === impl Pausable ===

impl Pausable {
    /// What these topics and their mappings have.
    pub fn of<'a>(topics: impl IntoIterator<Item = (&'a Topic, &'a Mapping)>) -> Self {
        let mut all = Self::default();
        for (topic, mapping) in topics {
            let routes = mapping.routes();
            let used = mapping.klasses().into_iter().map(|used| used.klass);
            all.klasses.extend(used);
            let kinds = routes.iter().flat_map(|route| &route.kinds);
            let parties = kinds.filter(|kind| matches!(**kind, "customer" | "company"));
            all.klasses
                .extend(parties.map(|kind| Klass((*kind).into())));
            let written = routes.iter().filter(|route| route.skip.is_none());
            let names = written.map(|route| Arc::clone(&route.name)).collect();
            all.topics.push((topic.clone(), names));
        }
        all
    }

    /// What is meant.
    ///
    /// # Errors
    ///
    /// When there is nothing by that name, or more than one.
    pub fn scope(&self, wanted: Wanted<'_>) -> Result<Scope, NotKnown> {
        match wanted {
            Wanted::Topic(name) => self.topic(name),
            Wanted::Route(name) => self.route(name),
            Wanted::Destination(name) => self.destination(name),
        }
    }

    fn topic(&self, name: &str) -> Result<Scope, NotKnown> {
        let mut topics = self.topics.iter().map(|(topic, _)| topic);
        match topics.find(|topic| topic.as_str() == name) {
            Some(topic) => Ok(Scope::Topic(topic.clone())),
            None => {
                let known = self.topics.iter().map(|(topic, _)| topic.as_str());
                let problem = format!("`{name}` is no topic of this configuration");
                Err((problem, one_of(name, known.collect())))
            }
        }
    }

    fn route(&self, name: &str) -> Result<Scope, NotKnown> {
        let in_topic = |topic: &Topic, route: &str| {
            let prefix = format!("{}/", topic.as_str());
            name == route || name.strip_prefix(prefix.as_str()) == Some(route)
        };
        let all = self.topics.iter();
        let all = all.flat_map(|(topic, routes)| routes.iter().map(move |route| (topic, route)));
        let found: Vec<_> = all
            .clone()
            .filter(|(topic, route)| in_topic(topic, route))
            .collect();
        let full = |(topic, route): &(&Topic, &Arc<str>)| format!("{}/{route}", topic.as_str());
        match found.as_slice() {
            [(topic, route)] => Ok(Scope::Route((*topic).clone(), Arc::clone(route))),
            [] => {
                let full: Vec<String> = all.map(|one| full(&one)).collect();
                let bare = self.topics.iter().flat_map(|(_, routes)| routes);
                let known = match name.contains('/') {
                    true => full.iter().map(String::as_str).collect(),
                    false => bare.map(|route| &**route).collect(),
                };
                let problem = format!("`{name}` is no route of the mappings");
                Err((problem, one_of(name, known)))
            }
            several => {
                let problem = format!("`{name}` is a route of more than one topic");
                let full: Vec<String> = several.iter().map(full).collect();
                Err((problem, format!("say which: {}", full.join(", "))))
            }
        }
    }

    fn destination(&self, name: &str) -> Result<Scope, NotKnown> {
        let klass = match name {
            "all" => return Ok(Scope::Destination),
            "tracking" => return Ok(Scope::Family(Family::Tracking)),
            "customer" | "company" => name,
            _ => name.strip_prefix(KOBJECT).unwrap_or_default(),
        };
        let klass = Klass(klass.into());
        if self.klasses.contains(&klass) {
            return Ok(Scope::Family(Family::KObjectWrite(klass)));
        }
        let mut known = vec!["all".to_owned(), "tracking".to_owned()];
        known.extend(self.klasses.iter().map(|klass| match &*klass.0 {
            party @ ("customer" | "company") => party.to_owned(),
            name => format!("{KOBJECT}{name}"),
        }));
        let problem = format!("nothing is written to `{name}`");
        let known = known.iter().map(String::as_str).collect();
        Err((problem, one_of(name, known)))
    }
}

/// At most a few names: a configuration can have hundreds.
fn one_of(name: &str, known: Vec<&str>) -> String {
    const MOST: usize = 12;
    let near = nearest(name, known.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
    let all: BTreeSet<&str> = known.into_iter().collect();
    let few: Vec<&str> = all.iter().copied().take(MOST).collect();
    let more = if all.len() > MOST { ", …" } else { "" };
    format!("{near}there are: {}{more}", few.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pausable() -> Pausable {
        let routes = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        Pausable {
            topics: vec![
                (Topic::new("shop.events"), routes(&["carts", "orders"])),
                (Topic::new("shop.imports"), routes(&["orders"])),
            ],
            klasses: [Klass("order".into()), Klass("customer".into())].into(),
        }
    }

    fn told(wanted: Wanted<'_>) -> String {
        match pausable().scope(wanted) {
            Ok(scope) => scope.to_string(),
            Err((problem, way_out)) => format!("{problem}; {way_out}"),
        }
    }

    #[test]
    fn what_is_paused_goes_by_the_names_of_the_configuration() {
        assert_eq!(told(Wanted::Topic("shop.events")), "topic:shop.events");
        assert_eq!(told(Wanted::Route("carts")), "route:shop.events/carts");
        let imported = Wanted::Route("shop.imports/orders");
        assert_eq!(told(imported), "route:shop.imports/orders");
        assert_eq!(told(Wanted::Destination("all")), "destination");
        assert_eq!(told(Wanted::Destination("tracking")), "tracking");
        let orders = Wanted::Destination("kobject:order");
        assert_eq!(told(orders), "kobject_write:order");
        assert_eq!(
            told(Wanted::Destination("customer")),
            "kobject_write:customer"
        );
    }

    #[test]
    fn a_name_that_is_not_known_is_answered_with_those_that_are() {
        assert_eq!(
            told(Wanted::Topic("shop.event")),
            "`shop.event` is no topic of this configuration; did you mean shop.events? there are: shop.events, shop.imports"
        );
        assert_eq!(
            told(Wanted::Route("cart")),
            "`cart` is no route of the mappings; did you mean carts? there are: carts, orders"
        );
        assert_eq!(
            told(Wanted::Route("orders")),
            "`orders` is a route of more than one topic; say which: shop.events/orders, shop.imports/orders"
        );
        assert_eq!(
            told(Wanted::Destination("kobject:ordr")),
            "nothing is written to `kobject:ordr`; did you mean kobject:order? there are: all, customer, kobject:order, tracking"
        );
    }
}
