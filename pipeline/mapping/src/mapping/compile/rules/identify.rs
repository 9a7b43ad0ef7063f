//! What an `identify` says of the customer: document to rule.

use super::super::super::model::bad::BadFields;
use super::super::super::model::{IDENTITY_FIELDS, IdentifyRule, KeyRules, LOCATION_FIELDS, Rule};
use super::super::super::node::{Content, Key, Node};
use super::super::reader::Reader;
use super::super::values::{constant, custom, field_rules};

const IDENTIFY_KEYS: &[&str] = &[
    "externalId",
    "email",
    "phone",
    "name",
    "company",
    "username",
    "signedUpAt",
    "birthdayAt",
    "gender",
    "locale",
    "timeZone",
    "tags",
    "remember",
    "location",
    "custom",
];

/// Whether an `identify` has nothing below it, and its fields beside it.
fn is_not_indented(node: &Node) -> bool {
    let Content::Map(entries) = &node.content else {
        return false;
    };
    let is_bare =
        |(key, node): &(Key, Node)| key.name == "identify" && matches!(node.content, Content::Null);
    let is_field = |(key, _): &(Key, Node)| IDENTIFY_KEYS.contains(&&*key.name);
    entries.iter().any(is_bare) && entries.iter().any(is_field)
}

pub(super) fn identify(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Rule> {
    if is_not_indented(node) {
        let problem = "the fields of `identify` stand beside it, and belong below it";
        let help = "indent them further than `identify:`, by four blanks from the `-`";
        reader.error(node.place, at, problem, Some(help.to_owned()));
        return None;
    }
    let outer = reader.fields(node, at, &["identify", "each", "onBad"])?;
    let at = format!("{at}.identify");
    let fields = reader.fields(outer.get("identify")?, &at, IDENTIFY_KEYS)?;
    let mut key = |name: &str| {
        fields
            .get(name)
            .and_then(|node| reader.expr(node, &format!("{at}.{name}")))
    };
    let keys = KeyRules {
        id: None,
        external_id: key("externalId"),
        email: key("email"),
        phone: key("phone"),
    };
    if let (Some(node), Some(expr)) = (fields.get("externalId"), &keys.external_id) {
        constant::id_of_customer(reader, node, &format!("{at}.externalId"), expr);
    }
    let values = field_rules(reader, &fields, &at, IDENTITY_FIELDS);
    let location = match fields.get("location") {
        None => Vec::new(),
        Some(node) => {
            let at = format!("{at}.location");
            let known: Vec<&str> = LOCATION_FIELDS.iter().map(|(name, _)| *name).collect();
            let fields = reader.fields(node, &at, &known)?;
            field_rules(reader, &fields, &at, LOCATION_FIELDS)
        }
    };
    let custom = custom(reader, &fields, &at, "custom", 0);
    Some(Rule::Identify(IdentifyRule {
        keys,
        fields: values,
        location,
        custom,
        bad: BadFields::default(),
    }))
}
