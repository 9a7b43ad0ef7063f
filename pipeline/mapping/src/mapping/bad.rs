//! What becomes of a value that cannot be had, or cannot stand in its field.
//!
//! Required is what names the thing: the customer, an object's external id, title and (where given) version, the name of
//! a tracking event. Without it there is nothing to write, and the record is rejected. Every other field is *optional*:
//! it is left out and counted, because an agent who sees an order without its coupon is served, and one who sees nothing
//! is not. `onBad` decides otherwise, for one field, an operation, a route or the whole file; the nearest word counts.
//!
//! Fields are named by their path within an operation (`custom.totalNum`, `data.products`, `identify.name`), as far as
//! the mapping file writes it. So the names are a closed set, and no name comes from an event.

use super::model::{Action, CustomerRule, Header, IdentifyRule, KeyRules, Rule, Template};
use crate::body::field::Kind;

/// What becomes of an optional field whose value is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnBad {
    /// It is left out and counted.
    #[default]
    Drop,
    /// The record is rejected.
    Reject,
}

/// The words of one operation about its fields.
#[derive(Debug, Clone, Default)]
pub(super) struct BadFields {
    /// For every field that has no word of its own.
    rest: OnBad,
    /// For these fields and what is within them.
    own: Vec<(String, OnBad)>,
}

// === impl OnBad ===

impl OnBad {
    /// The words of mapping files.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("drop", Self::Drop), ("reject", Self::Reject)];
}

// === impl BadFields ===

impl BadFields {
    pub(super) fn new(rest: OnBad, own: Vec<(String, OnBad)>) -> Self {
        Self { rest, own }
    }

    /// The word for a field: that of the longest path which names it or what it is within.
    pub(super) fn of(&self, field: &str) -> OnBad {
        let naming = self.own.iter().filter(|(path, _)| covers(path, field));
        naming
            .max_by_key(|(path, _)| path.len())
            .map_or(self.rest, |(_, word)| *word)
    }
}

/// Whether a path names a field, or something that the field is within.
pub(super) fn covers(path: &str, field: &str) -> bool {
    field
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The optional fields of the file's header.
pub(super) fn of_header(header: &Header) -> Vec<String> {
    let parts = [("event.id", &header.id), ("event.time", &header.time)];
    let given = parts.iter().filter(|(_, expr)| expr.is_some());
    given.map(|(field, _)| (*field).to_owned()).collect()
}

/// The optional fields of a route, its operations included; each once.
pub(super) fn of_route(action: &Action) -> Vec<String> {
    let Action::Do { customer, rules } = action else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    if let CustomerRule::Keys(keys, _) = customer {
        key_fields(keys, "customer", &mut fields);
    }
    fields.extend(rules.iter().flat_map(of_rule));
    fields.sort();
    fields.dedup();
    fields
}

/// The optional fields of an operation.
pub(super) fn of_rule(rule: &Rule) -> Vec<String> {
    let mut fields = Vec::new();
    match rule {
        Rule::Identify(rule) => of_identify(rule, &mut fields),
        Rule::Track(rule) => {
            let places = [
                ("session", &rule.session),
                ("trackingId", &rule.tracking_id),
            ];
            let given = places.iter().filter(|(_, expr)| expr.is_some());
            fields.extend(given.map(|(name, _)| (*name).to_owned()));
            fields.extend(rule.meta.iter().map(|meta| format!("meta.{}", meta.name)));
        }
        Rule::KObject(rule) => {
            for field in rule.fields.iter().filter(|field| field.kind != Kind::Title) {
                of_template(field.name.to_owned(), &field.value, &mut fields);
            }
            let custom = rule.custom.iter();
            fields.extend(custom.map(|custom| format!("custom.{}", custom.name)));
        }
    }
    fields
}

fn of_identify(rule: &IdentifyRule, fields: &mut Vec<String>) {
    key_fields(&rule.keys, "identify", fields);
    for field in &rule.fields {
        of_template(format!("identify.{}", field.name), &field.value, fields);
    }
    let location = rule.location.iter();
    fields.extend(location.map(|field| format!("identify.location.{}", field.name)));
    let custom = rule.custom.iter();
    fields.extend(custom.map(|custom| format!("identify.custom.{}", custom.name)));
}

fn key_fields(keys: &KeyRules, at: &str, fields: &mut Vec<String>) {
    let keys = [
        ("id", &keys.id),
        ("externalId", &keys.external_id),
        ("email", &keys.email),
        ("phone", &keys.phone),
    ];
    let given = keys.iter().filter(|(_, expr)| expr.is_some());
    fields.extend(given.map(|(name, _)| format!("{at}.{name}")));
}

fn of_template(at: String, template: &Template, fields: &mut Vec<String>) {
    match template {
        Template::Expr(_) => {}
        Template::List(items) => {
            for (index, item) in items.iter().enumerate() {
                of_template(format!("{at}[{index}]"), item, fields);
            }
        }
        Template::Map(entries) => {
            for (name, item) in entries {
                of_template(format!("{at}.{name}"), item, fields);
            }
        }
    }
    // the whole may be bad although its parts are not: too many tags, more bytes than an object may have
    fields.push(at);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_decides() {
        let own = vec![
            ("data".to_owned(), OnBad::Reject),
            ("data.lines".to_owned(), OnBad::Drop),
            ("custom.totalNum".to_owned(), OnBad::Reject),
        ];
        let words = BadFields::new(OnBad::Drop, own);
        for (field, wanted) in [
            ("data", OnBad::Reject),
            ("data.notes[2].text", OnBad::Reject),
            ("data.lines", OnBad::Drop),
            ("data.lines[0]", OnBad::Drop),
            ("custom.totalNum", OnBad::Reject),
            ("custom.totalNumStr", OnBad::Drop),
            ("database", OnBad::Drop),
        ] {
            assert_eq!(words.of(field), wanted, "{field}");
        }
    }
}
