//! The optional fields of a mapping file: what can be left out and counted.
//!
//! Their names are paths in the file, so they are a closed set, and none comes from an event.

use super::{Action, CustomerRule, Header, IdentifyRule, KeyRules, Rule, Template};

/// The optional fields of the file's header.
pub(crate) fn of_header(header: &Header) -> Vec<String> {
    let parts = [
        ("event.id", &header.id),
        ("event.time", &header.time),
        ("event.deleted", &header.deleted),
    ];
    let given = parts.iter().filter(|(_, expr)| expr.is_some());
    given.map(|(field, _)| (*field).to_owned()).collect()
}

/// The optional fields of a route and its operations, each once.
pub(crate) fn of_route(action: &Action) -> Vec<String> {
    let Action::Do {
        customer, rules, ..
    } = action
    else {
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
pub(crate) fn of_rule(rule: &Rule) -> Vec<String> {
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
        Rule::Digest(rule) => {
            if rule.session.is_some() {
                fields.push("session.key".to_owned());
            }
            for field in &rule.each {
                of_template("keep.each".to_owned(), &field.value, &mut fields);
            }
            let sums = rule.sums.iter();
            fields.extend(sums.map(|sum| format!("sums.{}", sum.name)));
        }
        Rule::Party(rule) => {
            let keys = [
                ("company", &rule.company),
                ("email", &rule.email),
                ("phone", &rule.phone),
            ];
            let given = keys.iter().filter(|(_, expr)| expr.is_some());
            fields.extend(given.map(|(name, _)| (*name).to_owned()));
            for field in rule.fields.iter().filter(|field| !field.kind.is_required()) {
                of_template(field.name.to_owned(), &field.value, &mut fields);
            }
            let custom = rule.custom.iter();
            fields.extend(custom.map(|custom| format!("custom.{}", custom.name)));
        }
        Rule::KObject(rule) => {
            for field in rule.fields.iter().filter(|field| !field.kind.is_required()) {
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
    // the whole can be bad although its parts are not: too many tags, too many bytes
    fields.push(at);
}
