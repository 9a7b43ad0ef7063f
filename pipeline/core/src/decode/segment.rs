//! The envelope of Segment and RudderStack messages.
//!
//! The kind is `type` (older libraries: `action`). A track is named by `event`; a page or screen by `name`, else by
//! `category` (RudderStack's mobile libraries put a screen's name in `event`); the others are named by their kind. A
//! nameless page is named `page`, a nameless screen `screen`.
//!
//! The event's time is the first plausible one of `timestamp`, `originalTimestamp`, `sentAt`, `receivedAt`, and the
//! record's own. `integrations` may say that the message is not for Kustomer; that is honoured.
//!
//! Who the customer is: `userId` (older: `user_id`), RudderStack's `context.externalId` of type `kustomerId`, the
//! e-mail and phone of `traits`, `context.traits`, and the e-mail of `properties`. E-mail addresses in other places
//! (`recipient`, `invitee_email`) are other people's and are never read. `anonymousId` identifies nobody.

use serde_json::{Map, Value};

use super::{Decoded, Envelope, Found, finish, reference_time, time};
use crate::event::{CustomerHints, Event};
use crate::identity;
use crate::outcome::{Rejection, SkipReason};
use crate::record::Record;

/// The six kinds of message.
const KINDS: &[&str] = &["track", "identify", "page", "screen", "group", "alias"];

/// Fields that may carry the event's time, most trusted first.
const TIMES: &[&str] = &["timestamp", "originalTimestamp", "sentAt", "receivedAt"];

/// The event of a Segment message.
pub(super) fn event(payload: Value, record: &Record, said: &Envelope) -> Result<Event, Decoded> {
    let Value::Object(message) = &payload else {
        return Err(Decoded::reject(
            Rejection::FormatMismatch,
            "the value is not a JSON object",
        ));
    };
    let kind = kind(message)?;
    if !meant_for_kustomer(message.get("integrations")) {
        return Err(Decoded::Skip(SkipReason::NotForKustomer));
    }
    let reference = reference_time(record);
    let found = Found {
        source: "segment",
        name: name(kind, message),
        id: message
            .get("messageId")
            .or_else(|| message.get("message_id"))
            .and_then(identity::id_text),
        time: TIMES
            .iter()
            .find_map(|key| time::plausible(message.get(*key)?, reference)),
        customer: customer(message),
    };
    finish(found, payload, record, said)
}

/// The kind of message, or why the value is none.
fn kind(message: &Map<String, Value>) -> Result<&'static str, Decoded> {
    let Some(sent) = message.get("type").or_else(|| message.get("action")) else {
        let detail = "`type` is missing: not a Segment message";
        return Err(Decoded::reject(Rejection::FormatMismatch, detail));
    };
    let Value::String(sent) = sent else {
        return Err(Decoded::reject(
            Rejection::FormatMismatch,
            "`type` is not a text: not a Segment message",
        ));
    };
    let known = KINDS
        .iter()
        .find(|kind| kind.eq_ignore_ascii_case(sent.trim()));
    known.copied().ok_or_else(|| {
        Decoded::reject(
            Rejection::FormatMismatch,
            "`type` is none of track, identify, page, screen, group, alias: not a Segment message",
        )
    })
}

/// The event's name by its kind.
fn name(kind: &'static str, message: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| {
        let text = message.get(key)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    match kind {
        "track" => text("event"),
        "page" | "screen" => {
            let named = text("name")
                .or_else(|| text("event"))
                .or_else(|| text("category"));
            Some(named.unwrap_or_else(|| kind.to_owned()))
        }
        _ => Some(kind.to_owned()),
    }
}

/// Whether `integrations` lets the message through to Kustomer: `Kustomer` decides, else `All`, else yes.
fn meant_for_kustomer(integrations: Option<&Value>) -> bool {
    let Some(Value::Object(map)) = integrations else {
        return true;
    };
    // an object in place of `true` carries settings and means yes
    let says = |wanted: &str| {
        let found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| !matches!(value, Value::Bool(false)))
    };
    says("kustomer").or_else(|| says("all")).unwrap_or(true)
}

/// What the message says about the customer.
fn customer(message: &Map<String, Value>) -> CustomerHints {
    let context = message.get("context");
    let traits = [message.get("traits"), context.and_then(|c| c.get("traits"))];
    let [own, contextual] = traits;
    let with_properties = [own, contextual, message.get("properties")];
    let email = with_properties
        .iter()
        .flatten()
        .find_map(|t| identity::email(t.get("email")?.as_str()?));
    let phone = traits
        .iter()
        .flatten()
        .find_map(|t| identity::phone(t.get("phone")?.as_str()?));
    let user = message.get("userId").and_then(identity::external_id);
    let user = user.or_else(|| message.get("user_id").and_then(identity::external_id));
    let anonymous = message
        .get("anonymousId")
        .or_else(|| message.get("anonymous_id"));
    CustomerHints {
        id: context.and_then(kustomer_id),
        external_id: user,
        email,
        phone,
        anonymous_id: anonymous.and_then(identity::external_id),
    }
}

/// The Kustomer id in RudderStack's list of external ids.
fn kustomer_id(context: &Value) -> Option<String> {
    let list = context.get("externalId")?.as_array()?;
    let entry = list.iter().find(|entry| {
        let kind = entry.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("kustomerId"))
    })?;
    identity::kustomer_id(entry.get("id")?)
}
