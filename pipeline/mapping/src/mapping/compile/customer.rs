//! Who the customer of a route's events is: document to model.

use super::super::model::{CustomerRule, KeyRules, OwnerRule};
use super::super::node::Node;
use super::reader::{Fields, Reader};
use super::values::{constant, klass};
use ingest_model::operation::MissingCustomer;

/// The customer of a route.
pub(super) fn customer(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<CustomerRule> {
    if node.as_text() == Some("none") {
        return Some(CustomerRule::Nobody);
    }
    if node.as_text().is_some() {
        let help =
            "write `customer: none` for objects without a customer, or a map of keys".to_owned();
        reader.error(node.place, at, "must be a map of keys", Some(help));
        return None;
    }
    let known = &["from", "id", "externalId", "email", "phone", "missing"];
    let fields = reader.fields(node, at, known)?;
    let missing = match fields.get("missing") {
        Some(node) => reader.word(
            node,
            &format!("{at}.missing"),
            &[
                ("create", MissingCustomer::Create),
                ("park", MissingCustomer::Park),
                ("reject", MissingCustomer::Reject),
            ],
        )?,
        None if fields.get("from").is_some() => MissingCustomer::Park,
        None => MissingCustomer::default(),
    };
    if let Some(node) = fields.get("from") {
        let rule = owner(reader, node, &format!("{at}.from"));
        return fits_owner(reader, &fields, at, missing)
            .then_some(CustomerRule::Owner(Box::new(rule?), missing));
    }
    let mut expr = |name: &str| {
        fields
            .get(name)
            .map(|node| reader.expr(node, &format!("{at}.{name}")))
    };
    let (id, external_id, email, phone) =
        (expr("id"), expr("externalId"), expr("email"), expr("phone"));
    if let (Some(node), Some(Some(expr))) = (fields.get("externalId"), &external_id) {
        constant::id_of_customer(reader, node, &format!("{at}.externalId"), expr);
    }
    if id.is_none() && external_id.is_none() && email.is_none() && phone.is_none() {
        return Some(CustomerRule::Hints(missing));
    }
    // a key whose expression is wrong has been reported, and then the route is not used
    let keys = KeyRules {
        id: id.flatten(),
        external_id: external_id.flatten(),
        email: email.flatten(),
        phone: phone.flatten(),
    };
    Some(CustomerRule::Keys(Box::new(keys), missing))
}

/// The object that names a customer.
fn owner(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<OwnerRule> {
    if node.as_text().is_some() {
        let help = "for example `from: { klass: order, externalId: .order_id }`".to_owned();
        reader.error(
            node.place,
            at,
            "must name a klass and an external id",
            Some(help),
        );
        return None;
    }
    let fields = reader.fields(node, at, &["klass", "externalId"])?;
    for (name, why) in [
        (
            "klass",
            "it says what kind of object belongs to the customer",
        ),
        ("externalId", "it says which object belongs to the customer"),
    ] {
        if fields.get(name).is_none() {
            let problem = format!("`{name}` is missing");
            reader.error(fields.place, at, problem, Some(why.to_owned()));
        }
    }
    let klass = fields
        .get("klass")
        .and_then(|node| klass(reader, node, &format!("{at}.klass")));
    let external_id = fields.get("externalId").and_then(|node| {
        let at = format!("{at}.externalId");
        let expr = reader.expr(node, &at)?;
        constant::id_of_thing(reader, node, &at, &expr);
        Some(expr)
    });
    Some(OwnerRule {
        klass: klass?,
        external_id: external_id?,
    })
}

/// Whether what else a route says of its customer goes together with an object that names it.
fn fits_owner(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    at: &str,
    missing: MissingCustomer,
) -> bool {
    let mut fits = true;
    for name in ["id", "externalId", "email", "phone"] {
        if let Some(node) = fields.get(name) {
            let help = "a customer is named by its keys or by an object of theirs: write two routes, with a `when` each";
            let problem = "has no meaning beside `from`";
            reader.error(
                node.place,
                &format!("{at}.{name}"),
                problem,
                Some(help.to_owned()),
            );
            fits = false;
        }
    }
    if missing == MissingCustomer::Create {
        let help = "`park` waits ten minutes for the object, `reject` refuses the record at once";
        let problem =
            "cannot be `create`: an object that is not there does not say who its customer is";
        let place = fields
            .get("missing")
            .map_or(fields.place, |node| node.place);
        reader.error(
            place,
            &format!("{at}.missing"),
            problem,
            Some(help.to_owned()),
        );
        fits = false;
    }
    fits
}
