//! What each kind of event could become.

use std::collections::BTreeSet;

use ingest_mapping::body::attribute::Suffix;
use ingest_mapping::decode::Format;

use super::format::Chosen;
use super::look::{Found, Looked, NUMBER_AS_TEXT, Seen, is_content, singular, without_unit};
use super::thing::{is_person, thing};
use super::whose::{self, Customer, Whose};
use crate::cli::mappings::drafts::personal::words;
use crate::cli::mappings::drafts::redact::Kind;

/// The most attributes that are proposed for an object, and for an event.
const ATTRIBUTES: usize = 15;
const META: usize = 6;
/// Texts up to this length are on one line.
const ONE_LINE: usize = 200;
/// Words at the end of names of what people look at: it is worth an event, but it makes no object.
const LOOKS: &[&str] = &[
    "viewed", "clicked", "searched", "opened", "visited", "seen", "shown", "view", "click",
    "search", "listed", "shared",
];
/// Words at the end of names of events that say that a thing is gone.
const GONE: &[&str] = &["deleted", "delete", "erased", "redacted", "redact"];
/// Fields that say what an event is, and nothing that an agent has to see.
const ENVELOPE: &[&str] = &[
    "type",
    "event",
    "eventname",
    "eventtype",
    "id",
    "eventid",
    "messageid",
    "time",
    "timestamp",
    "sentat",
    "receivedat",
    "originaltimestamp",
    "createdat",
    "version",
    "schema",
    "schemaversion",
    "source",
    "channel",
    "specversion",
    "livemode",
    "apiversion",
    "object",
    "datacontenttype",
];

/// What makes a text of a number that is there.
pub(super) const AS_TEXT: &str = " // empty | tostring";

/// Why an event that names nobody is skipped.
const NOBODY: &str = "names neither a customer nor a thing: decide whether it is wanted";

/// A route.
#[derive(Debug)]
pub(super) struct Proposed<'l> {
    pub(super) seen: &'l Seen,
    pub(super) name: String,
    /// The lines of `customer`; none if the envelope names it.
    pub(super) whose: Whose,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Object {
        klass: String,
        external_id: String,
        has_version: bool,
        custom: Vec<(String, String)>,
        /// Lists that could be `data`.
        lists: Vec<String>,
    },
    Track {
        meta: Vec<(String, String)>,
    },
    Identify {
        fields: Vec<(&'static str, String)>,
    },
    Skip {
        why: &'static str,
    },
    /// A thing is gone: nothing follows until a person says what should.
    Gone {
        /// Its klass, and where its id is; none of a person or company.
        thing: Option<(String, String)>,
        /// The format itself says that it is gone.
        is_told: bool,
    },
}

/// The routes for the most frequent events.
pub(super) fn routes(looked: &Looked, most: usize) -> Vec<Proposed<'_>> {
    let mut taken = BTreeSet::new();
    let events = looked.events.iter().take(most);
    let mut routes: Vec<Proposed<'_>> =
        events.map(|seen| route(looked, seen, &mut taken)).collect();
    let klasses: BTreeSet<String> = routes
        .iter()
        .filter_map(|route| match &route.action {
            Action::Object { klass, .. } if route.whose.customer != Customer::Nobody => {
                Some(klass.clone())
            }
            Action::Object { .. }
            | Action::Track { .. }
            | Action::Identify { .. }
            | Action::Skip { .. }
            | Action::Gone { .. } => None,
        })
        .collect();
    for route in &mut routes {
        take_owner(looked, route, &klasses);
    }
    routes
}

/// An event that names nobody, but a thing whose customer other events name, is on that customer's timeline.
fn take_owner(looked: &Looked, route: &mut Proposed<'_>, klasses: &BTreeSet<String>) {
    let own = match &route.action {
        Action::Object { klass, .. } if route.whose.customer == Customer::Nobody => {
            Some(klass.clone())
        }
        Action::Skip { why } if *why == NOBODY => None,
        Action::Object { .. }
        | Action::Track { .. }
        | Action::Identify { .. }
        | Action::Skip { .. }
        | Action::Gone { .. } => return,
    };
    let format = looked.chosen.format;
    let Some(owner) = whose::owner(format, route.seen, klasses, own.as_deref()) else {
        return;
    };
    if own.is_none() {
        route.action = Action::Track {
            meta: attributes(&looked.chosen, route.seen, "", &owner, META, true),
        };
    }
    route.whose.customer = owner;
}

fn route<'l>(looked: &Looked, seen: &'l Seen, taken: &mut BTreeSet<String>) -> Proposed<'l> {
    let format = looked.chosen.format;
    let base = kebab(&seen.name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    let name = std::iter::once(base.clone())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or(base);
    taken.insert(name.clone());
    let whose = whose::customer(format, seen);
    let action = action(&looked.chosen, seen, &whose.customer);
    Proposed {
        seen,
        name,
        whose,
        action,
    }
}

fn action(chosen: &Chosen, seen: &Seen, customer: &Customer) -> Action {
    let format = chosen.format;
    match seen.kind {
        Some("identify") => {
            let mut fields = identity(seen);
            if fields.is_empty() {
                fields.push(("name", ".traits.name".to_owned()));
            }
            return Action::Identify { fields };
        }
        Some("page" | "screen" | "group" | "alias") => {
            return Action::Skip {
                why: "tells an agent nothing yet: decide what it should",
            };
        }
        Some(_) | None => {}
    }
    let name = words(&seen.name);
    let is_told = seen.is_often(seen.deleted);
    let last = name.last().map(String::as_str);
    if is_told || last.is_some_and(|last| GONE.contains(&last)) {
        let noun = name.first().filter(|noun| !is_person(noun));
        let is_row = format == Format::Debezium;
        let id = if is_row { ".id" } else { "$event.subject" };
        let table = noun.map(|noun| (singular(noun), id.to_owned()));
        let thing = noun.and_then(|_| thing(format, seen, &name)).or(table);
        return Action::Gone { thing, is_told };
    }
    // What is said of a person tells who they are.
    if name.first().is_some_and(|noun| is_person(noun)) && *customer != Customer::Nobody {
        let fields = identity(seen);
        if !fields.is_empty() {
            return Action::Identify { fields };
        }
    }
    let is_look = name
        .last()
        .is_some_and(|last| LOOKS.contains(&last.as_str()));
    if !is_look && let Some((klass, external_id)) = thing(format, seen, &name) {
        let lists = seen
            .paths
            .iter()
            .filter(|(path, found)| found.only_type() == Some("list") && is_content(format, path));
        return Action::Object {
            custom: attributes(chosen, seen, &external_id, customer, ATTRIBUTES, false),
            lists: lists.map(|(path, _)| path.clone()).take(3).collect(),
            has_version: seen.is_often(seen.timed),
            klass,
            external_id,
        };
    }
    if *customer == Customer::Nobody {
        return Action::Skip { why: NOBODY };
    }
    Action::Track {
        meta: attributes(chosen, seen, "", customer, META, true),
    }
}

/// What an identity says.
fn identity(seen: &Seen) -> Vec<(&'static str, String)> {
    let at = |kind: Kind, last: &[&str]| {
        let fits = |found: &Found| {
            let key = found
                .keys
                .last()
                .map(|key| words(key).concat())
                .unwrap_or_default();
            found.kind == Some(kind)
                && (last.is_empty() || last.contains(&key.as_str()))
                && !whose::is_somebody_elses(found)
        };
        seen.paths
            .iter()
            .find(|(_, found)| fits(found))
            .map(|(path, _)| path.clone())
    };
    let mut fields = Vec::new();
    let name = at(Kind::Name, &["name", "fullname"]);
    let both = at(Kind::First, &[]).zip(at(Kind::Last, &[]));
    let both = both.map(|(first, last)| format!("\"\\({first}) \\({last})\""));
    fields.extend(name.or(both).map(|expression| ("name", expression)));
    fields.extend(at(Kind::Email, &[]).map(|path| ("email", path)));
    fields.extend(at(Kind::Phone, &[]).map(|path| ("phone", path)));
    fields
}

/// Attributes with the suffix of their types: those that are most often there.
fn attributes(
    chosen: &Chosen,
    seen: &Seen,
    external_id: &str,
    customer: &Customer,
    most: usize,
    is_meta: bool,
) -> Vec<(String, String)> {
    let keys: &[(&str, String)] = match customer {
        Customer::Keys(keys) => keys,
        Customer::Envelope | Customer::From { .. } | Customer::Nobody => &[],
    };
    let mut all: Vec<(&String, &Found)> = seen
        .paths
        .iter()
        .filter(|(path, found)| {
            !found.is_personal()
                && !found.is_past()
                && !whose::is_key(found)
                && *path != external_id
                && !keys.iter().any(|(_, key)| key == *path)
                && is_content(chosen.format, path)
                && !is_envelope(chosen, found)
                && found.present * 10 >= seen.count
        })
        .collect();
    all.sort_by_key(|(path, found)| {
        (
            std::cmp::Reverse(found.present),
            found.keys.len(),
            (*path).clone(),
        )
    });
    let mut named: Vec<(String, String)> = Vec::new();
    for (path, found) in all {
        let Some(suffix) = suffix(found, is_meta) else {
            continue;
        };
        // `placed_at_ms` is a time called `placedAt`
        let words = |keys: usize| {
            let from = found.keys.len().saturating_sub(keys);
            let all = found.keys.iter().skip(from).flat_map(|key| words(key));
            let all: Vec<String> = all.collect();
            match suffix {
                "At" => without_unit(&all).to_vec(),
                _ => all,
            }
        };
        let candidates = [1, 2].map(|keys| with_suffix(&camel(&words(keys)), suffix));
        let free = candidates.into_iter().find(|name| {
            let legal = if is_meta {
                ingest_mapping::body::attribute::check_meta_name(name).is_ok()
            } else {
                Suffix::of_custom(name).is_ok()
            };
            legal
                && !named
                    .iter()
                    .any(|(other, _)| other.eq_ignore_ascii_case(name))
        });
        // an event would take a number for one, however its attribute is called
        let as_text = is_meta && suffix == "Str" && found.only_type() == Some("number");
        let expression = if as_text {
            format!("{path}{AS_TEXT}")
        } else {
            path.clone()
        };
        named.extend(free.map(|name| (name, expression)));
        if named.len() == most {
            break;
        }
    }
    named
}

fn suffix(found: &Found, is_meta: bool) -> Option<&'static str> {
    let only = match found.only_type() {
        Some(only) => only,
        // codes that are made of digits now and then
        None if !is_meta
            && found
                .types
                .keys()
                .all(|one| matches!(*one, "text" | "number")) =>
        {
            "text"
        }
        None => return None,
    };
    match only {
        // an id is a name made of digits: nobody adds it up, and it may be longer than a number
        "number" if found.kind == Some(Kind::Id) => Some("Str"),
        "number" | NUMBER_AS_TEXT => Some("Num"),
        "time" => Some("At"),
        // Events take neither.
        "true or false" => (!is_meta).then_some("Bool"),
        "address" => Some(if is_meta { "Str" } else { "Url" }),
        "text" if found.longest <= ONE_LINE => Some("Str"),
        "text" => (!is_meta).then_some("Txt"),
        _ => None,
    }
}

fn with_suffix(base: &str, suffix: &str) -> String {
    if base.ends_with(suffix) {
        base.to_owned()
    } else {
        format!("{base}{suffix}")
    }
}

fn is_envelope(chosen: &Chosen, found: &Found) -> bool {
    let said = [&chosen.name, &chosen.id, &chosen.time];
    if said.into_iter().flatten().any(|field| *field == found.keys) {
        return true;
    }
    let folded = found
        .keys
        .last()
        .map(|key| words(key).concat())
        .unwrap_or_default();
    found.keys.len() == 1 && ENVELOPE.contains(&folded.as_str())
}

fn camel(words: &[String]) -> String {
    let mut name = String::new();
    for word in words {
        let ascii: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        let mut chars = ascii.chars();
        if name.is_empty() {
            name.push_str(&ascii);
        } else if let Some(first) = chars.next() {
            name.push(first.to_ascii_uppercase());
            name.extend(chars);
        }
    }
    name
}

fn kebab(name: &str) -> String {
    let words: Vec<String> = words(name)
        .into_iter()
        .map(|word| {
            word.chars()
                .filter(char::is_ascii_alphanumeric)
                .collect::<String>()
        })
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        "event".to_owned()
    } else {
        words.join("-")
    }
}
