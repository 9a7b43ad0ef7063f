//! The webhooks of BigCommerce. They say that something changed, and not to what: an order's status is there, its customer and
//! its lines are not.
//!
//! | | from |
//! |---|---|
//! | name | `scope`: `store/order/statusUpdated` |
//! | id | `hash` with `created_at`: the hash is one of the content, so the same change a year later has the same |
//! | time | `created_at` |
//! | version | the time |
//! | subject | `data.id`, or `data.orderId` |
//! | customer | of `store/customer/*` the customer's number |

use super::super::super::envelope::{Content, Decoded, Found, Limits, reference_time};
use super::super::reads::{Glance, Reads};
use super::hints::{at, first_id, first_time_at, id_at, in_space, text, versioned};
use super::relay::{self, Webhook, event};
use crate::event::{CustomerHints, More, Notes};
use crate::value::Value;
use ingest_model::record::Record;

/// What is said of a record that has no name.
const UNNAMED: &str = "no name: `scope` is missing or not a text";

/// How these records are read.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: true,
    content,
    null_is_tombstone: true,
    glance,
    event: |content, record, said| event(content, record, said, UNNAMED),
};

const SOURCE: &str = "bigcommerce";

/// The fields that the name is made of, and those that say that there is a wrapper.
const SEEN: &[&str] = &["scope", "data", "detail-type", "headers"];

/// The name, if there is no wrapper.
fn glance<'t>(_: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    relay::glance(text, SEEN, named_by, "scope", |fields| {
        fields.raw("data").is_some_and(|raw| raw.starts_with('{'))
    })
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let Webhook { body, .. } = Webhook::read(record, limits)?;
    if body.get("data").and_then(Value::as_object).is_none() {
        return Err(Decoded::mismatch(
            "`data` is not an object: not a webhook of BigCommerce",
        ));
    }
    let name = text(&body, "scope");
    let reference = reference_time(record);
    let mut notes = Notes::default();
    let time = first_time_at(&body, &["created_at"], reference, &mut notes);
    let id = id_at(&body, "hash").map(|hash| match id_at(&body, "created_at") {
        Some(created) => format!("{hash}:{created}"),
        None => hash,
    });
    let scope = name.clone().unwrap_or_default();
    let customer = customer_path(&scope);
    let hints = CustomerHints {
        external_id: customer.and_then(|path| in_space(SOURCE, path, at(&body, path)?, &mut notes)),
        ..CustomerHints::default()
    };
    let subject = first_id(&body, &["data.orderId", "data.id"]);
    let found = Found {
        source: SOURCE,
        deleted: scope.ends_with("/deleted"),
        name,
        id,
        time,
        customer: hints,
        notes,
        ..Found::default()
    };
    let more = More {
        version: versioned(time.or(reference), 0),
        subject,
        ..More::default()
    };
    Ok(relay::content(body, found, more))
}

/// Where a webhook has the number of a customer: others have that of an address or an attribute in its place.
fn customer_path(scope: &str) -> Option<&'static str> {
    match scope.strip_prefix("store/customer/")? {
        "created" | "updated" | "deleted" => Some("data.id"),
        other if other.starts_with("address/") => Some("data.address.customer_id"),
        _ => None,
    }
}
