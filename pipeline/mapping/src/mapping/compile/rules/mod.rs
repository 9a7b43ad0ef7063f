//! The `do` list of a route: document to rules.

mod identify;

use self::identify::identify;
use super::super::error::nearest;
use super::super::expr::Expr;
use super::super::model::bad::{BadFields, OnBad, covers};
use super::super::model::optional::of_rule;
use super::super::model::{
    CustomRule, CustomerRule, KOBJECT_FIELDS, KObjectRule, Late, MetaRule, Party, Rule, Template,
    TrackRule,
};
use super::super::node::{Content, Node};
use super::digest::{digest, late};
use super::duration::duration;
use super::party::party;
use super::reader::Reader;
use super::values::{constant, custom, field_rules, klass};
use crate::body::attribute::{Suffix, check_meta_name};
use crate::body::{MAX_PROPERTIES, RESERVED_META};
use crate::value::Value;

/// What an object says whose thing is gone, if its rule does not say otherwise.
const DELETED: (&str, &str) = ("statusStr", "deleted");

const OPERATIONS: &[&str] = &[
    "identify", "track", "kobject", "customer", "company", "digest",
];
const TRACK_KEYS: &[&str] = &[
    "each",
    "track",
    "session",
    "trackingId",
    "meta",
    "maxAge",
    "late",
    "onBad",
];
const KOBJECT_KEYS: &[&str] = &[
    "each",
    "kobject",
    "externalId",
    "version",
    "title",
    "description",
    "createdAt",
    "importedAt",
    "custom",
    "data",
    "tags",
    "icon",
    "images",
    "onBad",
];
const DELETION_KEYS: &[&str] = &["each", "kobject", "externalId", "version"];
/// Fields that cannot be left out.
const REQUIRED: &[&str] = &[
    "externalId",
    "title",
    "version",
    "track",
    "kobject",
    "customer",
    "digest",
];

/// The rules of a `do` list. `on_bad` is what the route says of fields that have no `onBad` of their own.
pub(super) fn all(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    customer: Option<&CustomerRule>,
    on_bad: OnBad,
    on: &[String],
) -> Option<(Vec<Rule>, Vec<Option<Expr>>)> {
    let items = reader.list(node, at)?;
    if items.is_empty() {
        let help = "for events that are not wanted, give the route `skip` with a reason".to_owned();
        reader.error(node.place, at, "lists no operation", Some(help));
        return None;
    }
    let mut rules = Some((Vec::new(), Vec::new()));
    for (index, item) in items.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let before = reader.errors.len();
        let each = each(reader, item, &at);
        reader.names.set_item(each.is_some());
        let mut rule = rule(reader, item, &at, on);
        reader.names.set_item(false);
        if let Some(rule) = &mut rule {
            let known = of_rule(rule);
            // after an error the list is not complete, so nothing is checked against it
            let known = (reader.errors.len() == before).then_some(known.as_slice());
            let words = bad_fields(reader, item, &at, on_bad, known);
            rule.set_bad_fields(words);
        }
        if let (Some(customer), Some(rule)) = (customer, &rule)
            && let Some((problem, help)) = misfit(customer, rule)
        {
            reader.error(item.place, &at, problem, help.map(str::to_owned));
        }
        // an error does not end the loop, so that all errors of the list are reported
        rules = match (rules, rule) {
            (Some((mut rules, mut lists)), Some(rule)) => {
                rules.push(rule);
                lists.push(each.flatten());
                Some((rules, lists))
            }
            (_, _) => None,
        };
    }
    rules
}

/// The list of an operation with one for each of its items. The inner `None` is one that is wrong.
fn each(reader: &mut Reader<'_>, operation: &Node, at: &str) -> Option<Option<Expr>> {
    let Content::Map(entries) = &operation.content else {
        return None;
    };
    let (_, node) = entries.iter().find(|(key, _)| key.name == "each")?;
    let at = format!("{at}.each");
    let expr = reader.expr(node, &at);
    if let Some(literal) = expr.as_ref().and_then(Expr::as_literal)
        && !matches!(literal, Value::Array(_))
    {
        let help =
            "for example `each: .fulfillments`; the operation's fields are computed from `$item`";
        let problem = "must be a list of the event, is a constant";
        reader.error(node.place, &at, problem, Some(help.to_owned()));
    }
    Some(expr)
}

/// Why an operation does not go together with the customer of its route, and what to do.
fn misfit(customer: &CustomerRule, rule: &Rule) -> Option<(&'static str, Option<&'static str>)> {
    match (customer, rule) {
        (CustomerRule::Nobody, Rule::Identify(_) | Rule::Track(_) | Rule::Digest(_)) => Some((
            "needs a customer, but the route says `customer: none`",
            None,
        )),
        (CustomerRule::Owner(..), Rule::Digest(_))
        | (
            CustomerRule::Owner(..),
            Rule::Track(TrackRule {
                late: Late::Digest(_),
                ..
            }),
        ) => Some((
            "is a digest, which is named by the keys of its customer, but the route takes the customer from an object",
            Some("events that name an object are few: use `track`, or `kobject`"),
        )),
        (CustomerRule::Owner(..), Rule::Identify(rule)) if !rule.keys.is_empty() => Some((
            "adds a key to its customer, but the route takes the customer from an object",
            Some("leave the keys out, or name the customer by them"),
        )),
        (
            CustomerRule::Hints(_)
            | CustomerRule::Keys(..)
            | CustomerRule::Owner(..)
            | CustomerRule::Nobody,
            _,
        ) => None,
    }
}

fn rule(reader: &mut Reader<'_>, node: &Node, at: &str, on: &[String]) -> Option<Rule> {
    let entries = reader.map(node, at)?;
    let named: Vec<&str> = entries
        .iter()
        .map(|(key, _)| key.name.as_str())
        .filter(|key| OPERATIONS.contains(key))
        .collect();
    // Beside another operation, `customer` and `company` are fields that it does not have.
    let others: Vec<&str> = named
        .iter()
        .copied()
        .filter(|name| !matches!(*name, "customer" | "company"))
        .collect();
    let named = if others.is_empty() { named } else { others };
    if reader.deletes && !matches!(named.as_slice(), ["kobject"]) {
        let help = "a route with `delete: delete` lists the `kobject`s that are to go, and nothing else; customers and companies are never \
                    deleted by the worker";
        let problem = "is no `kobject`, and nothing else can be deleted";
        reader.error(node.place, at, problem, Some(help.to_owned()));
        return None;
    }
    match named.as_slice() {
        ["kobject"] if reader.deletes => deletion(reader, node, at),
        ["identify"] => identify(reader, node, at),
        ["track"] => track(reader, node, at),
        ["kobject"] => kobject(reader, node, at),
        ["digest"] => digest(reader, node, at, on),
        // The company of a customer is one of its fields.
        ["customer"] | ["customer", "company"] | ["company", "customer"] => {
            party(reader, node, at, Party::Customer)
        }
        ["company"] => party(reader, node, at, Party::Company),
        [] => {
            let help = format!("known operations: {}", OPERATIONS.join(", "));
            reader.error(node.place, at, "names no operation", Some(help));
            None
        }
        _ => {
            let help = "write one list item for each".to_owned();
            reader.error(node.place, at, "names several operations", Some(help));
            None
        }
    }
}

/// What `onBad` says: one word for all fields of the operation, or one for each of some fields.
fn bad_fields(
    reader: &mut Reader<'_>,
    operation: &Node,
    at: &str,
    rest: OnBad,
    known: Option<&[String]>,
) -> BadFields {
    let Content::Map(entries) = &operation.content else {
        return BadFields::new(rest, Vec::new());
    };
    let Some((_, node)) = entries.iter().find(|(key, _)| key.name == "onBad") else {
        return BadFields::new(rest, Vec::new());
    };
    let at = format!("{at}.onBad");
    let Content::Map(entries) = &node.content else {
        let word = reader.word(node, &at, OnBad::WORDS);
        return BadFields::new(word.unwrap_or(rest), Vec::new());
    };
    let mut own = Vec::new();
    for (key, node) in entries {
        let at = format!("{at}.{}", key.name);
        if let Some(known) = known
            && !known.iter().any(|field| covers(&key.name, field))
        {
            let help = if REQUIRED.contains(&key.name.as_str()) {
                "without it there is nothing to write, so the record is always rejected".to_owned()
            } else {
                match nearest(&key.name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its optional fields: {}", known.join(", ")),
                }
            };
            let problem = format!("`{}` is not an optional field of the operation", key.name);
            reader.error(key.place, &at, problem, Some(help));
        }
        if let Some(word) = reader.word(node, &at, OnBad::WORDS) {
            own.push((key.name.clone(), word));
        }
    }
    BadFields::new(rest, own)
}

fn track(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Rule> {
    let fields = reader.fields(node, at, TRACK_KEYS)?;
    let mut expr = |name: &str| {
        fields
            .get(name)
            .map(|node| reader.expr(node, &format!("{at}.{name}")))
    };
    let (name, session, tracking_id) = (expr("track"), expr("session"), expr("trackingId"));
    if let (Some(node), Some(Some(expr))) = (fields.get("track"), &name) {
        constant::event_name(reader, node, &format!("{at}.track"), expr);
    }
    let mut meta = Vec::new();
    if let Some(node) = fields.get("meta") {
        let at = format!("{at}.meta");
        let entries = reader.map(node, &at).unwrap_or_default();
        // `eventKey` and `occurredAt` are added later
        if entries.len() > MAX_PROPERTIES - RESERVED_META.len() {
            let most = MAX_PROPERTIES - RESERVED_META.len();
            reader.error(
                node.place,
                &at,
                format!("has more than {most} properties"),
                None,
            );
        }
        for (key, node) in entries {
            let at = format!("{at}.{}", key.name);
            if let Err(illegal) = check_meta_name(&key.name) {
                // the minimum is met by most words and what they are about: `to` is a `toValue`
                let longer = format!("{}Value", key.name);
                let is_short = key.name.len() < 3 && check_meta_name(&longer).is_ok();
                let help = is_short.then(|| format!("say more, such as `{longer}`"));
                reader.error(key.place, &at, illegal.rule, help);
            }
            if let Some(value) = reader.expr(node, &at) {
                meta.push(MetaRule {
                    name: key.name.clone(),
                    value,
                });
            }
        }
    }
    let max_age = match fields.get("maxAge") {
        None => None,
        Some(node) => Some(duration(reader, node, &format!("{at}.maxAge"))?),
    };
    let late = match fields.get("late") {
        None => Late::Skip,
        Some(node) => {
            if max_age.is_none() {
                let help = "say from which age on, for example `maxAge: 1h`".to_owned();
                reader.error(
                    node.place,
                    &format!("{at}.late"),
                    "has no meaning without `maxAge`",
                    Some(help),
                );
            }
            late(reader, node, &format!("{at}.late"))?
        }
    };
    Some(Rule::Track(TrackRule {
        name: name.flatten()?,
        session: session.flatten(),
        tracking_id: tracking_id.flatten(),
        meta,
        max_age,
        late,
        bad: BadFields::default(),
    }))
}

fn kobject(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Rule> {
    let untitled = reader.untitled;
    let fields = reader.fields(node, at, KOBJECT_KEYS)?;
    let klass = fields
        .get("kobject")
        .and_then(|node| klass(reader, node, &format!("{at}.kobject")));
    for (name, why) in [
        ("externalId", "it is the only protection against doubles"),
        ("title", "the API demands one on creation"),
    ] {
        let needed = name != "title" || untitled.is_none();
        if needed && fields.get(name).is_none() {
            reader.error(
                fields.place,
                at,
                format!("`{name}` is missing"),
                Some(why.to_owned()),
            );
        }
    }
    let external_id = fields
        .get("externalId")
        .map(|node| reader.expr(node, &format!("{at}.externalId")));
    let version = fields
        .get("version")
        .map(|node| reader.expr(node, &format!("{at}.version")));
    if reader.marks && version.is_none() {
        let problem =
            "`version` is missing, so an older state that comes later takes the mark away"
                .to_owned();
        let help = "give it the version that the klass's other routes have, or `version: 'null'` if they have none";
        reader.doubt(fields.place, at, problem, help);
    }
    let values = field_rules(reader, &fields, at, KOBJECT_FIELDS);
    if let (Some(node), Some(Some(expr))) = (fields.get("externalId"), &external_id) {
        constant::id_of_thing(reader, node, &format!("{at}.externalId"), expr);
    }
    let title = values.iter().find(|rule| rule.name == "title");
    if let (Some(node), Some(Template::Expr(expr))) =
        (fields.get("title"), title.map(|rule| &rule.value))
    {
        constant::title(reader, node, &format!("{at}.title"), expr);
    }
    let own = usize::from(version.is_some()) + usize::from(reader.marks);
    let mut custom = custom(reader, &fields, at, "custom", own);
    if reader.marks && !custom.iter().any(|one| one.name == DELETED.0) {
        custom.extend(Suffix::of_custom(DELETED.0).ok().map(|suffix| CustomRule {
            name: DELETED.0.to_owned(),
            suffix,
            value: Expr::literal(Value::text(DELETED.1)),
        }));
    }
    Some(Rule::KObject(KObjectRule {
        marks: untitled,
        deletes: false,
        klass: klass?,
        external_id: external_id.flatten()?,
        version: version.flatten(),
        fields: values,
        custom,
        bad: BadFields::default(),
    }))
}

/// An object that is deleted. It is named, and nothing is said of it.
fn deletion(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Rule> {
    let fields = reader.fields(node, at, KOBJECT_KEYS)?;
    for name in KOBJECT_KEYS
        .iter()
        .filter(|name| !DELETION_KEYS.contains(name))
    {
        if let Some(node) = fields.get(name) {
            let at = format!("{at}.{name}");
            let help = format!("a deletion has {}", DELETION_KEYS.join(", "));
            reader.error(
                node.place,
                &at,
                "has no meaning where the object is deleted",
                Some(help),
            );
        }
    }
    let klass = fields
        .get("kobject")
        .and_then(|node| klass(reader, node, &format!("{at}.kobject")));
    for (name, why) in [
        ("externalId", "it names the object that is to go"),
        (
            "version",
            "without one, a deletion that comes late takes a newer object with it, for good; `version: 'null'` says that there is nothing to compare",
        ),
    ] {
        if fields.get(name).is_none() {
            let problem = format!("`{name}` is missing");
            reader.error(fields.place, at, problem, Some(why.to_owned()));
        }
    }
    let mut expr = |name: &str| {
        let node = fields.get(name)?;
        reader.expr(node, &format!("{at}.{name}"))
    };
    let (external_id, version) = (expr("externalId"), expr("version"));
    if let (Some(node), Some(expr)) = (fields.get("externalId"), &external_id) {
        constant::id_of_thing(reader, node, &format!("{at}.externalId"), expr);
    }
    Some(Rule::KObject(KObjectRule {
        marks: None,
        deletes: true,
        klass: klass?,
        external_id: external_id?,
        version: Some(version?),
        fields: Vec::new(),
        custom: Vec::new(),
        bad: BadFields::default(),
    }))
}
