//! What each kind of event could become.

use std::collections::BTreeSet;

use ingest_mapping::body::attribute::Suffix;
use ingest_mapping::decode::Format;

use super::format::Chosen;
use super::look::{Found, Looked, Seen};
use crate::cli::mappings::drafts::personal::words;
use crate::cli::mappings::drafts::redact::Kind;

/// The most attributes that are proposed for an object, and for an event.
const ATTRIBUTES: usize = 15;
const META: usize = 6;
/// Texts up to this length are on one line.
const ONE_LINE: usize = 200;
/// Words for persons in names of ids.
const PERSONS: &[&str] = &[
    "user", "customer", "member", "client", "account", "contact", "buyer", "person", "shopper",
    "guest", "profile",
];
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

/// Why an event that names nobody is skipped.
const NOBODY: &str = "names neither a customer nor a thing: decide whether it is wanted";

/// A route.
#[derive(Debug)]
pub(super) struct Proposed<'l> {
    pub(super) seen: &'l Seen,
    pub(super) name: String,
    /// The lines of `customer`; none if the envelope names it.
    pub(super) customer: Customer,
    pub(super) action: Action,
}

/// Whose timeline it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Customer {
    /// Whom the envelope names.
    Envelope,
    /// Kinds of keys with their paths.
    Keys(Vec<(&'static str, String)>),
    /// Whoever the object of this klass, with the id at this path, belongs to.
    From {
        klass: String,
        path: String,
    },
    Nobody,
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
            Action::Object { klass, .. } if route.customer != Customer::Nobody => {
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
        Action::Object { klass, .. } if route.customer == Customer::Nobody => Some(klass.clone()),
        Action::Skip { why } if *why == NOBODY => None,
        Action::Object { .. }
        | Action::Track { .. }
        | Action::Identify { .. }
        | Action::Skip { .. }
        | Action::Gone { .. } => return,
    };
    let owner = route.seen.paths.iter().find_map(|(path, found)| {
        let often = found.present * 10 >= route.seen.count * 9;
        let words = found.words();
        let klass = singular(words.iter().rev().nth(1)?);
        let is_id = words.last().is_some_and(|last| last == "id");
        let fits = often && is_id && klasses.contains(&klass) && own.as_ref() != Some(&klass);
        let path = path.clone();
        (fits && is_content(looked.chosen.format, &path)).then_some(Customer::From { klass, path })
    });
    let Some(owner) = owner else { return };
    if own.is_none() {
        route.action = Action::Track {
            meta: attributes(&looked.chosen, route.seen, "", &owner, META, true),
        };
    }
    route.customer = owner;
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
    let customer = customer(format, seen);
    let action = action(&looked.chosen, seen, &customer);
    Proposed {
        seen,
        name,
        customer,
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
    let is_told = seen.deleted * 10 >= seen.count * 9;
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
            has_version: seen.timed * 10 >= seen.count * 9,
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

/// The thing that an event is about: its klass, and where its id is.
fn thing(format: Format, seen: &Seen, name: &[String]) -> Option<(String, String)> {
    let mut best: Option<(usize, String, String)> = None;
    for (path, found) in &seen.paths {
        let often = found.present * 10 >= seen.count * 9;
        let ids = matches!(found.only_type(), Some("text" | "number"));
        if !often || !ids || !is_content(format, path) {
            continue;
        }
        let words = found.words();
        let (Some(last), Some(noun)) = (words.last(), words.iter().rev().nth(1)) else {
            continue;
        };
        if !matches!(
            last.as_str(),
            "id" | "number" | "key" | "uuid" | "no" | "code"
        ) || is_person(noun)
        {
            continue;
        }
        let Some(at) = name.iter().position(|word| same(word, noun)) else {
            continue;
        };
        // An id before a number, the first word of the name before later ones, a short path before a long one.
        let rank = usize::from(last != "id") * 100 + at * 10 + found.keys.len();
        if best.as_ref().is_none_or(|(other, ..)| rank < *other) {
            best = Some((rank, noun.clone(), path.clone()));
        }
    }
    if let Some((_, noun, path)) = best {
        return Some((singular(&noun), path));
    }
    // The envelope says what it is about.
    let noun = name
        .first()
        .filter(|noun| noun.len() > 2 && !is_person(noun))?;
    let often = |count: usize| count * 10 >= seen.count * 9;
    if often(seen.subjects) {
        return Some((singular(noun), "$event.subject".to_owned()));
    }
    // A row is of its table, and most tables have this column.
    let id = seen.paths.get(".id").filter(|id| often(id.present));
    let is_row = format == Format::Debezium && id.is_some();
    is_row.then(|| (singular(noun), ".id".to_owned()))
}

/// Whether a word is for persons, or for companies: neither is a klass.
fn is_person(word: &str) -> bool {
    PERSONS.contains(&singular(word).as_str()) || ["company", "companies"].contains(&word)
}

fn same(word: &str, noun: &str) -> bool {
    singular(word) == singular(noun)
}

fn singular(word: &str) -> String {
    let long = word.len() > 3 && !word.ends_with("ss");
    let cut = word.strip_suffix('s').filter(|_| long);
    cut.unwrap_or(word).to_owned()
}

/// Who the customer is.
fn customer(format: Format, seen: &Seen) -> Customer {
    if format.names_customers() && seen.named * 2 >= seen.count {
        return Customer::Envelope;
    }
    let mut keys: Vec<(&'static str, String)> = Vec::new();
    let best = |fits: &dyn Fn(&Found) -> bool| -> Option<String> {
        let found = seen.paths.iter().filter(|(_, found)| fits(found));
        // The most frequent one; of those, the shortest.
        let found =
            found.max_by_key(|(path, found)| (found.present, std::cmp::Reverse(path.len())));
        found.map(|(path, _)| path.clone())
    };
    let of_person = |found: &Found| {
        let words = found.words();
        let is_id = words.last().is_some_and(|last| last == "id");
        let noun = words.iter().rev().nth(1);
        is_id
            && noun.is_some_and(|noun| is_person(noun))
            && matches!(found.only_type(), Some("text" | "number"))
    };
    let id = best(&of_person);
    keys.extend(id.map(|path| ("externalId", path)));
    let email = best(&|found| found.kind == Some(Kind::Email));
    keys.extend(email.map(|path| ("email", path)));
    let phone = best(&|found| found.kind == Some(Kind::Phone) && found.only_type() == Some("text"));
    keys.extend(phone.map(|path| ("phone", path)));
    if keys.is_empty() {
        Customer::Nobody
    } else {
        Customer::Keys(keys)
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
            found.kind == Some(kind) && (last.is_empty() || last.contains(&key.as_str()))
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
        let short = camel(found.keys.last().map(String::as_str).into_iter());
        let long = camel(found.keys.iter().rev().take(2).rev().map(String::as_str));
        let candidates = [short, long].map(|base| with_suffix(&base, suffix));
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
        named.extend(free.map(|name| (name, path.clone())));
        if named.len() == most {
            break;
        }
    }
    named
}

fn suffix(found: &Found, is_meta: bool) -> Option<&'static str> {
    match found.only_type()? {
        "number" => Some("Num"),
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

/// Whether a path is content, and not what is around it.
fn is_content(format: Format, path: &str) -> bool {
    format != Format::Segment || path.starts_with(".properties.") || path.starts_with(".traits.")
}

fn is_envelope(chosen: &Chosen, found: &Found) -> bool {
    let said = [&chosen.name, &chosen.id, &chosen.time];
    if let [key] = found.keys.as_slice()
        && said.into_iter().flatten().any(|field| field == key)
    {
        return true;
    }
    let folded = found
        .keys
        .last()
        .map(|key| words(key).concat())
        .unwrap_or_default();
    found.keys.len() == 1 && ENVELOPE.contains(&folded.as_str())
}

fn camel<'k>(keys: impl Iterator<Item = &'k str>) -> String {
    let mut name = String::new();
    for word in keys.flat_map(words) {
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
