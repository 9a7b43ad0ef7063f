//! Customers and companies as operations of their own: document to rules.

use super::super::model::bad::BadFields;
use super::super::model::{COMPANY_FIELDS, CUSTOMER_FIELDS, Party, PartyRule, Rule};
use super::super::node::Node;
use super::reader::Reader;
use super::values::{constant, custom, field_rules};

const CUSTOMER_KEYS: &[&str] = &[
    "each",
    "customer",
    "version",
    "name",
    "email",
    "phone",
    "company",
    "username",
    "signedUpAt",
    "birthdayAt",
    "gender",
    "locale",
    "timeZone",
    "tags",
    "createdAt",
    "importedAt",
    "custom",
    "onBad",
];
const COMPANY_KEYS: &[&str] = &[
    "each",
    "company",
    "version",
    "name",
    "email",
    "phone",
    "website",
    "domain",
    "employeeCount",
    "tags",
    "createdAt",
    "importedAt",
    "custom",
    "onBad",
];

/// The rule of a customer or company.
pub(super) fn party(reader: &mut Reader<'_>, node: &Node, at: &str, kind: Party) -> Option<Rule> {
    let (keys, known) = match kind {
        Party::Customer => (CUSTOMER_KEYS, CUSTOMER_FIELDS),
        Party::Company => (COMPANY_KEYS, COMPANY_FIELDS),
    };
    let fields = reader.fields(node, at, keys)?;
    if kind == Party::Company && fields.get("name").is_none() {
        let help = "the API demands one on creation".to_owned();
        reader.error(fields.place, at, "`name` is missing", Some(help));
    }
    let mut expr = |name: &str| {
        fields
            .get(name)
            .map(|node| reader.expr(node, &format!("{at}.{name}")))
    };
    let external_id = expr(kind.as_str());
    let (version, email, phone) = (expr("version"), expr("email"), expr("phone"));
    let company = match kind {
        Party::Customer => expr("company"),
        Party::Company => None,
    };
    if let (Some(node), Some(Some(expr))) = (fields.get(kind.as_str()), &external_id) {
        let at = format!("{at}.{}", kind.as_str());
        constant::id_of_thing(reader, node, &at, expr);
    }
    let values = field_rules(reader, &fields, at, known);
    let own = usize::from(version.is_some());
    let custom = custom(reader, &fields, at, "custom", own);
    Some(Rule::Party(Box::new(PartyRule {
        kind,
        external_id: external_id.flatten()?,
        version: version.flatten(),
        company: company.flatten(),
        email: email.flatten(),
        phone: phone.flatten(),
        fields: values,
        custom,
        bad: BadFields::default(),
    })))
}
