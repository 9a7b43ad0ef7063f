//! What is in a sample: events by name, and for each the paths in it with their types.

use std::collections::BTreeMap;

use ingest_mapping::decode::{Decoded, Decoder, Format, Limits};
use ingest_mapping::event::Event;
use ingest_mapping::identity::{Unusable, external_id};
use ingest_mapping::mapping::fold;
use ingest_model::outcome::Rejected;
use ingest_model::record::Record;
use serde_json::Value;

use super::format::{Chosen, event, is_epoch, is_time};
use crate::cli::mappings::drafts::personal::{is_of_person, kind_of, words};
use crate::cli::mappings::drafts::redact::Kind;

/// The most names that are told apart, and the most paths of each.
const MOST_NAMES: usize = 500;
const MOST_PATHS: usize = 200;
/// How deep paths lead.
const DEPTH: usize = 5;
/// The type of amounts and measures that are written as texts.
pub(super) const NUMBER_AS_TEXT: &str = "number as text";
/// Words for what is measured or paid.
const MEASURES: &[&str] = &[
    "total",
    "subtotal",
    "amount",
    "price",
    "sum",
    "cost",
    "fee",
    "fees",
    "tax",
    "vat",
    "duty",
    "discount",
    "shipping",
    "revenue",
    "refund",
    "refunded",
    "paid",
    "due",
    "outstanding",
    "balance",
    "value",
    "net",
    "gross",
    "tip",
    "rebate",
    "charge",
    "quantity",
    "qty",
    "count",
    "weight",
    "rate",
    "percent",
    "percentage",
    "points",
    "rating",
    "score",
];
/// Words at the end of names of names.
const NAMED: &[&str] = &[
    "id",
    "code",
    "number",
    "no",
    "key",
    "name",
    "type",
    "currency",
    "reference",
];
/// Words at the end of names of times.
const TIMES: &[&str] = &[
    "at",
    "on",
    "time",
    "timestamp",
    "ts",
    "date",
    "datetime",
    "created",
    "updated",
    "modified",
    "expires",
    "expiry",
    "until",
    "since",
    "start",
    "end",
    "begin",
    "canceled",
    "cancelled",
    "placed",
    "shipped",
    "delivered",
    "paid",
    "eta",
];
/// Words behind them that say how a time is counted.
const UNITS: &[&str] = &[
    "ms",
    "millis",
    "milliseconds",
    "s",
    "sec",
    "secs",
    "seconds",
    "us",
    "micros",
    "ns",
    "nanos",
    "epoch",
    "unix",
    "utc",
];
/// Names of what holds the state before a change.
const PAST: &[&str] = &[
    "before",
    "old",
    "previous",
    "previousattributes",
    "previousstate",
    "previousvalues",
    "oldvalues",
    "changedfrom",
];

/// What is in a sample.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) chosen: Chosen,
    /// Records that give an event.
    pub(super) read: usize,
    /// Those that give none.
    pub(super) unread: usize,
    /// Why the first of them does not.
    pub(super) problem: Option<Rejected>,
    /// The most frequent first.
    pub(super) events: Vec<Seen>,
    /// Events with further names.
    pub(super) more: usize,
}

/// Events of one name.
#[derive(Debug)]
pub(super) struct Seen {
    /// The name as most records write it.
    pub(super) name: String,
    /// The kind of message, if the format has kinds.
    pub(super) kind: Option<&'static str>,
    pub(super) count: usize,
    /// In how many the envelope names the customer.
    pub(super) named: usize,
    /// In how many the envelope names the thing, and how many have a time.
    pub(super) subjects: usize,
    pub(super) timed: usize,
    /// How many say that their thing is gone.
    pub(super) deleted: usize,
    /// By the path, as an expression.
    pub(super) paths: BTreeMap<String, Found>,
    /// The record with the most paths.
    pub(super) sample: Record,
    most: usize,
}

/// A path.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In how many events it says something.
    pub(super) present: usize,
    /// How often it has which type.
    pub(super) types: BTreeMap<&'static str, usize>,
    pub(super) longest: usize,
    /// What it is, if it is about a person or an id.
    pub(super) kind: Option<Kind>,
    /// The words of its keys.
    pub(super) keys: Vec<String>,
    /// How many values look like ids, and how many can be none.
    ids: usize,
    no_ids: usize,
}

impl Looked {
    pub(super) fn at(chosen: &Chosen, records: &[Record]) -> Self {
        let decoder = Decoder::new(chosen.format, Limits::default());
        let mut looked = Self {
            chosen: chosen.clone(),
            read: 0,
            unread: 0,
            problem: None,
            events: Vec::new(),
            more: 0,
        };
        let mut places: BTreeMap<(Option<&'static str>, String), usize> = BTreeMap::new();
        for record in records {
            let event = match event(chosen, decoder, record) {
                Ok(event) => event,
                Err(why) => {
                    looked.unread += 1;
                    if let Decoded::Reject(rejected) = why {
                        looked.problem.get_or_insert(rejected);
                    }
                    continue;
                }
            };
            looked.read += 1;
            let key = (event.kind, fold(&event.name));
            let place = match places.get(&key) {
                Some(place) => *place,
                None if looked.events.len() >= MOST_NAMES => {
                    looked.more += 1;
                    continue;
                }
                None => {
                    looked.events.push(Seen::new(&event, record));
                    places.insert(key, looked.events.len() - 1);
                    looked.events.len() - 1
                }
            };
            if let Some(seen) = looked.events.get_mut(place) {
                seen.add(&event, record);
            }
        }
        looked
            .events
            .sort_by_key(|seen| std::cmp::Reverse(seen.count));
        looked
    }
}

impl Seen {
    fn new(event: &Event<'_>, record: &Record) -> Self {
        Self {
            name: event.name.clone(),
            kind: event.kind,
            count: 0,
            named: 0,
            subjects: 0,
            timed: 0,
            deleted: 0,
            paths: BTreeMap::new(),
            sample: record.clone(),
            most: 0,
        }
    }

    /// Whether so many of the events are nearly all of them.
    pub(super) fn is_often(&self, count: usize) -> bool {
        count * 10 >= self.count * 9
    }

    fn add(&mut self, event: &Event<'_>, record: &Record) {
        self.count += 1;
        let hints = &event.customer;
        let is_named = [&hints.id, &hints.external_id, &hints.email, &hints.phone];
        self.named += usize::from(is_named.into_iter().any(Option::is_some));
        self.subjects += usize::from(
            event
                .more
                .as_ref()
                .is_some_and(|more| more.subject.is_some()),
        );
        self.timed += usize::from(event.time.is_some());
        self.deleted += usize::from(event.deleted);
        let content: Value =
            serde_json::from_str(&event.payload.to_string()).unwrap_or(Value::Null);
        let mut paths = 0;
        self.walk(&content, String::new(), &mut Vec::new(), false, &mut paths);
        if paths > self.most {
            self.most = paths;
            self.sample = record.clone();
        }
    }

    fn walk(
        &mut self,
        value: &Value,
        at: String,
        keys: &mut Vec<String>,
        of_person: bool,
        paths: &mut usize,
    ) {
        if let Value::Object(fields) = value
            && !fields.is_empty()
            && keys.len() < DEPTH
        {
            let of_person = is_of_person(keys.last().map_or("", String::as_str), fields);
            for (key, value) in fields {
                keys.push(key.clone());
                self.walk(
                    value,
                    format!("{at}.{}", quoted(key)),
                    keys,
                    of_person,
                    paths,
                );
                keys.pop();
            }
            return;
        }
        let key = keys.last().map_or("", String::as_str);
        let Some(name) = type_of(key, value) else {
            return;
        };
        if self.paths.len() >= MOST_PATHS && !self.paths.contains_key(&at) {
            return;
        }
        *paths += 1;
        let found = self.paths.entry(at).or_default();
        found.present += 1;
        *found.types.entry(name).or_default() += 1;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
        };
        found.longest = found.longest.max(text.chars().count());
        if !text.is_empty() {
            found.note_id(value);
        }
        let kind = (!text.is_empty())
            .then(|| kind_of(key, &text, of_person))
            .flatten();
        // What is personal in one record is so in all.
        if found.kind.is_none() || found.kind == Some(Kind::Id) {
            found.kind = kind.or(found.kind);
        }
        if found.keys.is_empty() {
            found.keys.clone_from(keys);
        }
    }
}

impl Found {
    /// Whether it is about a person, and not just an id.
    pub(super) fn is_personal(&self) -> bool {
        self.kind.is_some_and(|kind| kind != Kind::Id)
    }

    /// Whether its values could be somebody's ids, whatever the name is: none is a name, and most have digits.
    pub(super) fn is_ids(&self) -> bool {
        self.no_ids == 0 && self.ids * 2 >= self.present
    }

    /// What names nobody says nothing, and neither does a mark such as `1`.
    fn note_id(&mut self, value: &Value) {
        match external_id(&value.clone().into()) {
            Ok(Some(id)) if id.contains(char::is_whitespace) => self.no_ids += 1,
            Ok(Some(id)) => {
                let has_digits = id.bytes().any(|byte| byte.is_ascii_digit());
                self.ids += usize::from(has_digits && id != "1");
            }
            Err(Unusable::Illegal) => self.no_ids += 1,
            Err(Unusable::Nobody) | Ok(None) => {}
        }
    }

    /// Whether it says how things were before a change.
    pub(super) fn is_past(&self) -> bool {
        let is_past = |key: &String| PAST.contains(&&*words(key).concat());
        self.keys.iter().any(is_past)
    }

    /// The one type, if all values have the same.
    pub(super) fn only_type(&self) -> Option<&'static str> {
        // some libraries write whole amounts as numbers, and others as texts
        let count = |name: &str| self.types.get(name).copied().unwrap_or_default();
        let numbers = count("number") + count(NUMBER_AS_TEXT);
        let measures =
            count(NUMBER_AS_TEXT) > 0 || self.keys.last().is_some_and(|key| is_for_measures(key));
        // of an amount, a text now and then is a mistake
        if measures && numbers > 0 && numbers * 10 >= self.present * 9 && self.types.len() > 1 {
            return Some(NUMBER_AS_TEXT);
        }
        let mut types = self.types.keys();
        match (types.next(), types.next()) {
            (Some(only), None) => Some(only),
            (None, _) | (Some(_), Some(_)) => None,
        }
    }

    /// The words of all its keys.
    pub(super) fn words(&self) -> Vec<String> {
        self.keys.iter().flat_map(|key| words(key)).collect()
    }
}

/// The type of a value that says something, in a field of this name.
fn type_of(key: &str, value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("true or false"),
        Value::Number(number) if number.as_f64().is_some_and(is_epoch) && is_for_times(key) => {
            Some("time")
        }
        Value::Number(_) => Some("number"),
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) if text.starts_with("http://") || text.starts_with("https://") => {
            Some("address")
        }
        Value::String(_) if is_time(value) => Some("time"),
        Value::String(text) if is_decimal(text) && is_for_measures(key) => Some(NUMBER_AS_TEXT),
        Value::String(text) if text.parse().is_ok_and(is_epoch) && is_for_times(key) => {
            Some("time")
        }
        Value::String(_) => Some("text"),
        Value::Array(_) => Some("list"),
        Value::Object(fields) if fields.is_empty() => None,
        Value::Object(_) => Some("object"),
    }
}

/// Whether a text is a number without blanks and signs of thousands.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && all(rest) && text.len() <= 16
}

fn is_for_measures(key: &str) -> bool {
    let words = words(key);
    // `discount_code` is a name
    let is_name = words
        .last()
        .is_some_and(|last| NAMED.contains(&last.as_str()));
    let measures = |word: &String| MEASURES.contains(&word.as_str());
    !is_name && words.iter().any(measures)
}

fn is_for_times(key: &str) -> bool {
    let words = words(key);
    let last = without_unit(&words).last();
    last.is_some_and(|last| TIMES.contains(&last.as_str()))
}

/// The words of a name of a time, without how it is counted.
pub(super) fn without_unit(words: &[String]) -> &[String] {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() && UNITS.contains(&last.as_str()) => {
            without_unit(rest)
        }
        Some(_) | None => words,
    }
}

/// Whether a path is content, and not what is around it.
pub(super) fn is_content(format: Format, path: &str) -> bool {
    format != Format::Segment || path.starts_with(".properties.") || path.starts_with(".traits.")
}

/// A word without the `s` of several.
pub(super) fn singular(word: &str) -> String {
    let long = word.len() > 3 && !word.ends_with("ss");
    let cut = word.strip_suffix('s').filter(|_| long);
    cut.unwrap_or(word).to_owned()
}

/// A key as it stands in a path.
pub(super) fn quoted(key: &str) -> String {
    let mut chars = key.chars();
    let begins = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if begins && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}
