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

use super::super::super::envelope::{Content, Decoded, Envelope, Found, finish, reference_time};
use super::super::super::fields::Fields;
use super::super::{Glance, Reads, whole};
use super::hints::{at, first_time_at, in_space, version};
use super::relay::{Webhook, mismatch, named};
use crate::event::{CustomerHints, Event, Notes};
use crate::identity;
use crate::value::Value;
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

/// How these records are read.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: true,
    content: whole,
    glance,
    event,
};

const SOURCE: &str = "bigcommerce";

/// The fields that the name is made of, and those that say that there is a wrapper.
const SEEN: &[&str] = &["scope", "data", "detail-type", "headers"];

/// The name, if there is no wrapper.
fn glance<'t>(text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    let fields = Fields::read(text, SEEN, named_by)?;
    let bare = fields.raw("detail-type").is_none() && fields.raw("headers").is_none();
    let has_data = fields.raw("data").is_some_and(|raw| raw.starts_with('{'));
    (bare && has_data).then(|| named(&fields, named_by.unwrap_or("scope")))?
}

/// The event.
fn event<'t>(
    content: Content<'t>,
    record: &Record,
    said: &Envelope<'_>,
) -> Result<Event<'t>, Decoded> {
    let Webhook { body, .. } = Webhook::unwrapped(content.value, record)?;
    if body.get("data").and_then(Value::as_object).is_none() {
        return Err(mismatch(
            "`data` is not an object: not a webhook of BigCommerce",
        ));
    }
    let name = body
        .get("scope")
        .and_then(Value::as_str)
        .map(identity::cleaned);
    let name = name
        .filter(|name| !name.is_empty())
        .map(std::borrow::Cow::into_owned);
    if name.is_none() && said.name.is_none() {
        let detail = "no name: `scope` is missing or not a text";
        return Err(Decoded::reject(Rejection::InvalidEnvelope, detail));
    }
    let mut notes = Notes::default();
    let time = match said.time {
        Some(_) => None,
        None => first_time_at(&body, &["created_at"], reference_time(record), &mut notes),
    };
    let text = |path| identity::id_text(at(&body, path)?);
    let id = text("hash").map(|hash| match text("created_at") {
        Some(created) => format!("{hash}:{created}"),
        None => hash,
    });
    let scope = name.clone().unwrap_or_default();
    let customer = at(&body, "data.id").filter(|_| scope.starts_with("store/customer/"));
    let hints = CustomerHints {
        external_id: customer.and_then(|id| in_space(SOURCE, "data.id", id, &mut notes)),
        ..CustomerHints::default()
    };
    let subject = text("data.orderId").or_else(|| text("data.id"));
    let found = Found {
        source: SOURCE,
        kind: None,
        name,
        id,
        time,
        customer: hints,
        notes,
    };
    let event = finish(found, Value::Object(body), record, said)?;
    Ok(Event {
        deleted: scope.ends_with("/deleted"),
        version: event.time.map(|time| version(time, 0)),
        subject,
        ..event
    })
}
