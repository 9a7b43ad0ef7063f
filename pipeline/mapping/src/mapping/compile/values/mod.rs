//! Values that several operations have: klasses, templates, attributes.

pub(super) mod constant;

use std::sync::Arc;

use super::super::expr::Expr;
use super::super::expr::always::Always;
use super::super::model::{CustomRule, FieldRule, Template};
use super::super::node::{Content, Node};
use super::reader::{Fields, Reader};
use crate::body::MAX_PROPERTIES;
use crate::body::attribute::Suffix;
use crate::body::field::Kind;
use ingest_model::operation::{Klass, RESERVED_KLASSES, VERSION_ATTRIBUTE};

pub(super) fn klass(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Klass> {
    let text = reader.text(node, at)?;
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && text.len() <= 64;
    // in a path, a name of 24 hexadecimal digits would be read as the id of a klass
    let like_an_id = text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !word || like_an_id {
        let help =
            "a klass is named, not computed: letters, digits, `-` and `_`, for example `order`"
                .to_owned();
        reader.error(node.place, at, "not a name of a klass", Some(help));
        return None;
    }
    if RESERVED_KLASSES.contains(&text) {
        let help = format!(
            "customers and companies have operations of their own: `- {text}: <its external id>`"
        );
        reader.error(node.place, at, "not a klass of custom objects", Some(help));
        return None;
    }
    Some(Klass(Arc::from(text)))
}

pub(super) fn template(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Template> {
    match &node.content {
        Content::List(items) => {
            let items = items
                .iter()
                .enumerate()
                .map(|(i, node)| template(reader, node, &format!("{at}[{i}]")));
            let items: Vec<_> = items.collect();
            items.into_iter().collect::<Option<_>>().map(Template::List)
        }
        Content::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| {
                let value = template(reader, node, &format!("{at}.{}", key.name))?;
                Some((key.name.clone(), value))
            });
            let entries: Vec<_> = entries.collect();
            entries
                .into_iter()
                .collect::<Option<_>>()
                .map(Template::Map)
        }
        Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => {
            reader.expr(node, at).map(Template::Expr)
        }
    }
}

/// The attributes in a field such as `custom`. `own` is the number that is added to them later.
pub(super) fn custom(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    at: &str,
    field: &str,
    own: usize,
) -> Vec<CustomRule> {
    let Some(node) = fields.get(field) else {
        return Vec::new();
    };
    let at = format!("{at}.{field}");
    let entries = reader.map(node, &at).unwrap_or_default();
    if entries.len() + own > MAX_PROPERTIES {
        reader.error(
            node.place,
            &at,
            format!("has more than {} attributes", MAX_PROPERTIES - own),
            None,
        );
    }
    let mut rules = Vec::new();
    for (key, node) in entries {
        let at = format!("{at}.{}", key.name);
        if key.name == VERSION_ATTRIBUTE {
            let help = "give the object a `version` instead".to_owned();
            reader.error(key.place, &at, "the name is reserved", Some(help));
        }
        let suffix = Suffix::of_custom(&key.name);
        let value = reader.expr(node, &at);
        match (suffix, value) {
            (Ok(suffix), Some(value)) => {
                check_literal(reader, node, &at, suffix, &value);
                check_kind(reader, node, &at, &value, |kind| takes(suffix, kind));
                rules.push(CustomRule {
                    name: key.name.clone(),
                    suffix,
                    value,
                });
            }
            (Err(illegal), _) => {
                let help = legal_name(&key.name);
                reader.error(key.place, &at, illegal.rule, help);
            }
            (Ok(_), None) => {}
        }
    }
    rules
}

/// A legal name of an attribute that is like this one.
fn legal_name(name: &str) -> Option<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'));
    let mut legal = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if !legal.is_empty() => legal.push(first.to_ascii_uppercase()),
            Some(first) => legal.push(first),
            None => {}
        }
        legal.extend(letters);
    }
    let legal = legal.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    if legal.is_empty() || legal.len() > 40 {
        return None;
    }
    if Suffix::of_custom(legal).is_ok() {
        return Some(format!("for example `{legal}`"));
    }
    let legal = legal
        .strip_suffix("Id")
        .filter(|base| !base.is_empty())
        .unwrap_or(legal);
    Some(format!(
        "for example `{legal}Str` for a text, `{legal}Num` for a number, `{legal}At` for a time"
    ))
}

/// The rules of the known fields that an operation has.
pub(super) fn field_rules(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    at: &str,
    known: &'static [(&'static str, Kind)],
) -> Vec<FieldRule> {
    let mut rules = Vec::new();
    for (name, kind) in known {
        let Some(node) = fields.get(name) else {
            continue;
        };
        let at = format!("{at}.{name}");
        let value = match kind {
            Kind::Data | Kind::Tags | Kind::Images => template(reader, node, &at),
            Kind::Title
            | Kind::Description
            | Kind::Text
            | Kind::Short(_)
            | Kind::Code(_)
            | Kind::DateTime
            | Kind::Day
            | Kind::Within(..)
            | Kind::Gender
            | Kind::CountryCode
            | Kind::Place
            | Kind::CompanyName
            | Kind::Url
            | Kind::Domain
            | Kind::Count
            | Kind::Bool => {
                let expr = reader.expr(node, &at);
                if let Some(expr) = &expr {
                    let single = |kind| !matches!(kind, Always::List | Always::Object);
                    check_kind(reader, node, &at, expr, single);
                }
                expr.map(Template::Expr)
            }
        };
        if matches!(kind, Kind::Data) && matches!(value, Some(Template::List(_))) {
            let help = "give it a name: `data: { items: … }`".to_owned();
            reader.error(node.place, &at, "must be an object, is a list", Some(help));
        }
        rules.extend(value.map(|value| FieldRule {
            name,
            kind: *kind,
            value,
        }));
    }
    rules
}

/// Whether an attribute can have values of a kind.
fn takes(suffix: Suffix, kind: Always) -> bool {
    match (suffix, kind) {
        (_, Always::List | Always::Object)
        | (Suffix::Num, Always::Bool | Always::Words)
        | (Suffix::At | Suffix::Url, Always::Bool)
        | (Suffix::Bool | Suffix::Url, Always::Number) => false,
        (
            Suffix::Str | Suffix::Txt | Suffix::Num | Suffix::At | Suffix::Bool | Suffix::Url,
            Always::Bool | Always::Number | Always::Words,
        ) => true,
    }
}

/// Checks the kind of value that an expression always has. If it does not fit, it fits for no event.
fn check_kind(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    expr: &Expr,
    fits: impl FnOnce(Always) -> bool,
) {
    let Some(kind) = expr.always().filter(|_| expr.as_literal().is_none()) else {
        return;
    };
    if fits(kind) {
        return;
    }
    let help = match kind {
        Always::List => {
            "take one item, `first`, or make a text of them, `join(\", \")`; lists belong under `data`"
        }
        Always::Object => "take one of its fields; objects belong under `data`",
        Always::Bool | Always::Number | Always::Words => {
            "the end of an attribute's name is its type"
        }
    };
    let problem = format!("is always {}, in `{}`", kind.as_str(), expr.text());
    reader.error(node.place, at, problem, Some(help.to_owned()));
}

/// Checks the type of a literal. If it is wrong, it is wrong for every event.
fn check_literal(reader: &mut Reader<'_>, node: &Node, at: &str, suffix: Suffix, value: &Expr) {
    let Some(literal) = value.as_literal().filter(|literal| !literal.is_null()) else {
        return;
    };
    let mut cuts = crate::body::Cuts::default();
    match crate::body::attribute::custom_value(suffix, literal.clone(), &mut cuts) {
        Ok(Some(_)) => {}
        Ok(None) => reader.error(node.place, at, "an empty text is not allowed here", None),
        Err(illegal) => {
            let help = "the end of an attribute's name is its type; a number or `true` stands without quotes";
            reader.error(node.place, at, illegal.rule, Some(help.to_owned()));
        }
    }
}
