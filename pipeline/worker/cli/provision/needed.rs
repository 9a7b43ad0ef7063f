//! The klasses and attributes that the mappings of a configuration write.

use std::collections::{BTreeMap, BTreeSet};

use ingest_mapping::body::attribute::Suffix;
use ingest_mapping::mapping::KlassUse;
use ingest_model::operation::VERSION_ATTRIBUTE;

use crate::config::Settings;

/// The metadata resource for customers.
pub(in crate::cli) const CUSTOMERS: &str = "customer";
/// The one for companies.
pub(in crate::cli) const COMPANIES: &str = "company";

/// What has to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needed {
    /// Klasses that are written.
    pub(super) klasses: BTreeSet<String>,
    /// Klasses that are only read, because their objects name customers.
    pub(super) read: BTreeSet<String>,
    /// The attributes by metadata resource; those without any are left out.
    pub(super) attributes: BTreeMap<String, Vec<String>>,
}

/// The most attributes of a card; what a person wants to see of an object at a glance.
const CARD: usize = 8;

/// The most times of those that come early.
const TIMES: usize = 3;

/// The attributes that a card of a klass should show, in their order: what state a thing is in, how much it is in all and in which currency, when
/// it was, what it is called, where it is, and then the rest of what it says in numbers. Long texts are not for a card, nor is what the worker keeps for
/// itself.
pub(super) fn card(attributes: &[String]) -> Vec<&str> {
    let mut times = 0;
    let mut rank = |name: &str| {
        let words = title(name).to_lowercase();
        let has = |all: &[&str]| words.split(' ').any(|word| all.contains(&word));
        match Suffix::of_custom(name) {
            _ if name == VERSION_ATTRIBUTE => None,
            Ok(Suffix::Str | Suffix::Txt) if has(&["status", "state", "stage"]) => Some(0),
            Ok(Suffix::Num) if has(&["total"]) => Some(1),
            Ok(Suffix::Num) if has(&["amount", "sum", "balance", "due"]) => Some(2),
            Ok(Suffix::Str) if has(&["currency"]) => Some(3),
            Ok(Suffix::At) => {
                times += 1;
                Some(if times <= TIMES { 4 } else { 9 })
            }
            Ok(Suffix::Str) => Some(5),
            Ok(Suffix::Url) => Some(6),
            Ok(Suffix::Num) => Some(7),
            Ok(Suffix::Bool) => Some(8),
            Ok(Suffix::Txt) | Err(_) => None,
        }
    };
    let mut ranked: Vec<(u8, &str)> = Vec::new();
    for name in attributes {
        ranked.extend(rank(name).map(|rank| (rank, name.as_str())));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked
        .into_iter()
        .map(|(_, name)| name)
        .take(CARD)
        .collect()
}

impl Needed {
    pub(super) fn of(settings: &Settings) -> Self {
        let topics = || settings.kafka.topics.iter();
        let written = topics().flat_map(|topic| topic.pipeline.mapping().klasses());
        let written: BTreeSet<String> = written.map(|used| used.klass.to_string()).collect();
        let all = klasses(settings);
        let read = all.keys().filter(|name| !written.contains(*name));
        let of_klasses = all
            .values()
            .map(|used| (resource(&used.klass.to_string()), used.attributes.clone()));
        let others = [
            (CUSTOMERS.to_owned(), customer_attributes(settings)),
            (COMPANIES.to_owned(), company_attributes(settings)),
        ];
        Self {
            read: read.cloned().collect(),
            attributes: of_klasses
                .chain(others)
                .filter(|(_, names)| !names.is_empty())
                .collect(),
            klasses: written,
        }
    }
}

/// The metadata resource of a klass.
pub(in crate::cli) fn resource(klass: &str) -> String {
    format!("kobject.{klass}")
}

/// Every klass that is written, or whose objects name customers, across all topics.
pub(in crate::cli) fn klasses(settings: &Settings) -> BTreeMap<String, KlassUse> {
    let mut klasses: BTreeMap<String, KlassUse> = BTreeMap::new();
    for topic in &settings.kafka.topics {
        for used in topic.pipeline.mapping().klasses() {
            let known = klasses
                .entry(used.klass.to_string())
                .or_insert_with(|| KlassUse {
                    klass: used.klass.clone(),
                    attributes: Vec::new(),
                    data: Vec::new(),
                });
            known.attributes.extend(used.attributes);
            for part in used.data {
                if !known.data.contains(&part) {
                    known.data.push(part);
                }
            }
        }
        for klass in topic.pipeline.mapping().owners_of() {
            klasses
                .entry(klass.to_string())
                .or_insert_with(|| KlassUse {
                    klass,
                    attributes: Vec::new(),
                    data: Vec::new(),
                });
        }
    }
    for used in klasses.values_mut() {
        used.attributes.sort();
        used.attributes.dedup();
    }
    klasses
}

/// The attributes of customers that the mappings write.
pub(in crate::cli) fn customer_attributes(settings: &Settings) -> Vec<String> {
    let topics = settings.kafka.topics.iter();
    let written = topics.flat_map(|topic| topic.pipeline.mapping().customer_attributes());
    BTreeSet::from_iter(written).into_iter().collect()
}

/// The attributes of companies that the mappings write.
pub(in crate::cli) fn company_attributes(settings: &Settings) -> Vec<String> {
    let topics = settings.kafka.topics.iter();
    let written = topics.flat_map(|topic| topic.pipeline.mapping().company_attributes());
    BTreeSet::from_iter(written).into_iter().collect()
}

/// Whose attributes a metadata resource describes.
pub(in crate::cli) fn bearer(resource: &str) -> String {
    match resource.strip_prefix("kobject.") {
        Some(klass) => format!("objects of klass {klass}"),
        None if resource == COMPANIES => "companies".to_owned(),
        None => "customers".to_owned(),
    }
}

/// An attribute with what its suffix says.
pub(in crate::cli) fn in_words(name: &str) -> String {
    let kind = Suffix::of_custom(name).map_or("", Suffix::in_words);
    format!("{name} ({kind})")
}

/// How an attribute is shown: its name in words, with its type if another one of them has the same words.
pub(super) fn shown(name: &str, all: &[String]) -> String {
    let title = title(name);
    let is_taken = all
        .iter()
        .any(|other| other != name && self::title(other) == title);
    match Suffix::of_custom(name) {
        Ok(suffix) if is_taken => format!("{title} ({})", suffix.in_words()),
        Ok(_) | Err(_) => title,
    }
}

/// A name in words, without its type: `firstOrderAt` becomes `First Order`.
pub(super) fn title(name: &str) -> String {
    let base = match Suffix::of_custom(name) {
        Ok(suffix) => name.strip_suffix(suffix.as_str()).unwrap_or(name),
        Err(_illegal) => name,
    };
    let mut title = String::new();
    for (at, c) in base.chars().enumerate() {
        match c {
            '_' | '-' => title.push(' '),
            _ if at == 0 || title.ends_with(' ') => title.extend(c.to_uppercase()),
            _ if c.is_uppercase() => {
                title.push(' ');
                title.push(c);
            }
            _ => title.push(c),
        }
    }
    title
}
