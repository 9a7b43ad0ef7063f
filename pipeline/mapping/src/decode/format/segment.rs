//! The envelope of Segment and RudderStack messages.
//!
//! The kind is `type` (older libraries: `action`). The name of a track is `event`. The name of a page or screen is `name`,
//! or else `event`, where RudderStack's mobile libraries put the name of a screen, or else `category`; without any of them
//! it is `page` or `screen`. All others are named after their kind.
//!
//! The time is the first plausible one of `timestamp`, `originalTimestamp`, `sentAt`, `receivedAt` and the record's own. If
//! `integrations` says that the message is not for Kustomer, it is skipped.
//!
//! The customer's external id is `userId` (older: `user_id`), or else `userId` or `id` in the traits. The Kustomer id is in
//! RudderStack's `context.externalId`, with the type `kustomerId`. E-mail and phone are in the traits; the e-mail may also
//! be in `properties`. Traits are in `traits` and then in `context.traits`, where RudderStack's libraries put them; the
//! `traits` of a group describe the group. E-mail addresses elsewhere (`recipient`, `invitee_email`) are other people's and
//! are never read. `anonymousId` identifies nobody.
//!
//! Producers spell a trait in several ways (`firstName`, `first_name`, `Firstname`). The function `traits` gives each one
//! spelling.

use std::borrow::Cow;

use super::super::envelope::{
    Content, Decoded, Envelope, Found, Limits, finish, first_time, reference_time, says_something,
};
use super::super::fields::{Fields, Unsure};
use super::super::tidy;
use super::{Glance, Reads, whole};
use crate::event::{CustomerHints, Event, KeyKind, Notes};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::outcome::{Rejection, SkipReason};
use ingest_model::record::Record;

pub(super) const READS: Reads = Reads {
    names_customers: true,
    content,
    null_is_tombstone: true,
    glance,
    event,
};

/// The [`Event::source`] of these messages.
pub(crate) const SOURCE: &str = "segment";
/// The kind of message that says what a customer did.
pub(crate) const TRACK: &str = "track";

/// The six kinds of message.
pub(crate) const KINDS: &[&str] = &[TRACK, "identify", "page", "screen", "group", "alias"];

/// The fields that kind, name and destination are made of.
const SEEN: &[&str] = &["type", "action", "event", "name", "category", INTEGRATIONS];
/// The field that says which destinations a message is meant for.
const INTEGRATIONS: &str = "integrations";

/// Fields that may have the time of the event, the most trusted first.
const TIMES: &[&str] = &["timestamp", "originalTimestamp", "sentAt", "receivedAt"];

/// The traits in the specification, and two that RudderStack adds.
const TRAITS: &[&str] = &[
    "address",
    "age",
    "avatar",
    "birthday",
    "company",
    "createdAt",
    "description",
    "email",
    "firstName",
    "gender",
    "id",
    "lastName",
    "middleName",
    "name",
    "phone",
    "plan",
    "timezone",
    "title",
    "userId",
    "username",
    "website",
];

/// The most values that the traits of a message may have, including those within lists and maps. A person has a few dozen.
/// Traits beyond it are left out, because expressions work on a copy.
const MAX_VALUES: usize = 10_000;

/// Other words for traits, compared as in [`same_name`].
const OTHER_WORDS: &[(&str, &str)] = &[("dateofbirth", "birthday"), ("dob", "birthday")];

/// The parts of an address in the specification.
const ADDRESS: &[&str] = &["street", "city", "state", "postalCode", "country"];

/// Other words for the parts of an address.
const OTHER_ADDRESS_WORDS: &[(&str, &str)] = &[("zip", "postalCode"), ("zipcode", "postalCode")];

/// The message, with empty objects in one spelling.
fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let mut content = whole(record, limits)?;
    tidy::empty_objects(&mut content.value);
    Ok(content)
}

/// Kind, name and destination.
fn glance<'t>(_record: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    let fields = Fields::read(text, SEEN, named_by)?;
    let kind = kind_seen(&fields)?;
    let meant_for_kustomer = meant_as_seen(&fields)?;
    let name = match named_by {
        Some(field) => fields.first_name(&[field]),
        None => name_seen(kind, &fields),
    };
    Some(Glance {
        kind: Some(kind),
        name: name.ok()??,
        meant_for_kustomer,
    })
}

/// The event of a Segment message.
fn event<'t>(
    content: Content<'t>,
    record: &Record,
    said: &Envelope<'_>,
) -> Result<Event<'t>, Decoded> {
    let payload = content.value;
    let Value::Object(message) = &payload else {
        return Err(Decoded::reject(
            Rejection::FormatMismatch,
            "the value is not a JSON object",
        ));
    };
    let kind = kind(message)?;
    if !meant_for_kustomer(message.get(INTEGRATIONS)) {
        return Err(Decoded::Skip(SkipReason::NotForKustomer));
    }
    let mut notes = Notes::default();
    let time = match said.time {
        Some(_) => None,
        None => first_time(message, TIMES, reference_time(record), &mut notes),
    };
    let found = Found {
        source: SOURCE,
        kind: Some(kind),
        name: name(kind, message),
        id: message
            .get("messageId")
            .or_else(|| message.get("message_id"))
            .and_then(identity::id_text),
        time,
        customer: customer(message, &mut notes),
        notes,
        ..Found::default()
    };
    finish(found, payload, record, said)
}

/// The kind of message, or why this is not a Segment message.
fn kind(message: &Map<'_>) -> Result<&'static str, Decoded> {
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
    known_kind(sent).ok_or_else(|| {
        Decoded::reject(
            Rejection::FormatMismatch,
            "`type` is none of track, identify, page, screen, group, alias: not a Segment message",
        )
    })
}

fn known_kind(sent: &str) -> Option<&'static str> {
    let known = KINDS
        .iter()
        .find(|kind| kind.eq_ignore_ascii_case(sent.trim()));
    known.copied()
}

/// As [`kind`], at a glance.
fn kind_seen(fields: &Fields<'_>) -> Option<&'static str> {
    let field = if fields.raw("type").is_some() {
        "type"
    } else {
        "action"
    };
    known_kind(&fields.text(field).ok()??)
}

/// As [`name`], at a glance.
fn name_seen<'t>(kind: &'static str, fields: &Fields<'t>) -> Result<Option<Cow<'t, str>>, Unsure> {
    match kind {
        TRACK => fields.first_name(&["event"]),
        "page" | "screen" => {
            let named = fields.first_name(&["name", "event", "category"])?;
            Ok(Some(named.unwrap_or(Cow::Borrowed(kind))))
        }
        _ => Ok(Some(Cow::Borrowed(kind))),
    }
}

/// As [`meant_for_kustomer`], at a glance.
fn meant_as_seen(fields: &Fields<'_>) -> Option<bool> {
    match fields.raw(INTEGRATIONS) {
        // only the word can forbid
        Some(raw) if raw.contains("false") => {
            let value = fields.value(INTEGRATIONS)?;
            Some(meant_for_kustomer(Some(&value)))
        }
        Some(_) | None => Some(true),
    }
}

/// The name of the event. Where it is depends on the kind.
fn name(kind: &'static str, message: &Map<'_>) -> Option<String> {
    let text = |key: &str| {
        let text = identity::cleaned(message.get(key)?.as_str()?);
        (!text.is_empty()).then(|| text.into_owned())
    };
    match kind {
        TRACK => text("event"),
        "page" | "screen" => {
            let named = text("name")
                .or_else(|| text("event"))
                .or_else(|| text("category"));
            Some(named.unwrap_or_else(|| kind.to_owned()))
        }
        _ => Some(kind.to_owned()),
    }
}

/// Whether `integrations` allows the message to be sent to Kustomer. `Kustomer` decides, or else `All`; without both it is
/// allowed.
///
/// `{"All": false, "Kafka": true}` means no: the message may be on the topic, but is not for Kustomer. Producers that use
/// the topic to reach Kustomer add `"Kustomer": true`.
fn meant_for_kustomer(integrations: Option<&Value<'_>>) -> bool {
    let Some(Value::Object(map)) = integrations else {
        return true;
    };
    // an object instead of `true` has settings and means yes
    let says = |wanted: &str| {
        let found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| !matches!(value, Value::Bool(false)))
    };
    says("kustomer").or_else(|| says("all")).unwrap_or(true)
}

/// A part of a message that may name the customer.
#[derive(Debug, Clone, Copy)]
enum Part {
    Message,
    Traits,
    ContextTraits,
    Properties,
}

/// Where a key may be, the most trusted place first: the part, the field in it, and both as a path.
type Places = &'static [(Part, &'static str, &'static str)];

const EXTERNAL_IDS: Places = &[
    (Part::Message, "userId", "userId"),
    (Part::Message, "user_id", "user_id"),
    (Part::Traits, "userId", "traits.userId"),
    (Part::Traits, "id", "traits.id"),
    (Part::ContextTraits, "userId", "context.traits.userId"),
    (Part::ContextTraits, "id", "context.traits.id"),
];

const EMAILS: Places = &[
    (Part::Traits, "email", "traits.email"),
    (Part::ContextTraits, "email", "context.traits.email"),
    (Part::Properties, "email", "properties.email"),
];

const PHONES: Places = &[
    (Part::Traits, "phone", "traits.phone"),
    (Part::ContextTraits, "phone", "context.traits.phone"),
];

/// What the message says about the customer. Values that should be keys but cannot be used are noted.
fn customer(message: &Map<'_>, notes: &mut Notes) -> CustomerHints {
    let parts = |part: Part| match part {
        Part::Message => Some(message),
        Part::Traits => own_traits(message),
        Part::ContextTraits => context_traits(message),
        Part::Properties => message.get("properties").and_then(Value::as_object),
    };
    let mut first = |kind: KeyKind, read: fn(&Value<'_>) -> identity::Key, places: Places| {
        places.iter().find_map(|(part, field, path)| {
            let value = parts(*part)?.get(field)?;
            notes.key(path, kind, read(value))
        })
    };
    let external_id = first(KeyKind::ExternalId, identity::external_id, EXTERNAL_IDS);
    let email = first(KeyKind::Email, identity::email, EMAILS);
    let phone = first(KeyKind::Phone, identity::phone, PHONES);
    let anonymous = message
        .get("anonymousId")
        .or_else(|| message.get("anonymous_id"));
    CustomerHints {
        id: kustomer_id(message, notes),
        external_id,
        email,
        phone,
        anonymous_id: anonymous.and_then(|id| identity::external_id(id).ok().flatten()),
    }
}

/// The Kustomer id in RudderStack's list of external ids.
fn kustomer_id(message: &Map<'_>, notes: &mut Notes) -> Option<String> {
    let list = message.get("context")?.get("externalId")?.as_array()?;
    let entry = list.iter().find(|entry| {
        let kind = entry.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| same_name(kind, "kustomerId"))
    })?;
    let id = identity::kustomer_id(entry.get("id")?);
    notes.key("context.externalId", KeyKind::Id, id)
}

/// The message's `traits`. There are none for a group, whose traits describe the group and not a person.
fn own_traits<'m, 't>(message: &'m Map<'t>) -> Option<&'m Map<'t>> {
    let kind = message.get("type").or_else(|| message.get("action"));
    let kind = kind.and_then(Value::as_str).unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("group") {
        return None;
    }
    message.get("traits")?.as_object()
}

fn context_traits<'m, 't>(message: &'m Map<'t>) -> Option<&'m Map<'t>> {
    message.get("context")?.get("traits")?.as_object()
}

/// The traits of a message, each under one spelling. Those in `traits` come before those in `context.traits`.
///
/// Empty traits (null, blank, an empty list or map) are left out, so that they hide no other. Traits in the specification
/// are spelled as there; others stay as they are.
pub(crate) fn traits<'t>(message: &Value<'t>) -> Map<'t> {
    let mut merged = Map::new();
    let Value::Object(message) = message else {
        return merged;
    };
    let parts = [own_traits(message), context_traits(message)];
    let mut room = MAX_VALUES;
    for part in parts.into_iter().flatten() {
        lay(part, TRAITS, OTHER_WORDS, &mut merged, &mut room);
    }
    if let Some(Value::Object(address)) = merged.get_mut("address") {
        let sent = std::mem::take(address);
        let mut room = MAX_VALUES;
        lay(&sent, ADDRESS, OTHER_ADDRESS_WORDS, address, &mut room);
    }
    merged
}

/// Adds the fields that `into` does not have yet, under their one spelling, while there is room. Fields that already have
/// that spelling come first.
fn lay<'t>(
    fields: &Map<'t>,
    names: &[&'static str],
    other_words: &[(&str, &'static str)],
    into: &mut Map<'t>,
    room: &mut usize,
) {
    for exact in [true, false] {
        for (key, value) in fields.iter() {
            let known = names.iter().find(|name| same_name(name, key));
            let other = || other_words.iter().find(|(word, _)| same_name(word, key));
            let name = known
                .copied()
                .or_else(|| other().map(|(_, name)| *name))
                .unwrap_or(key);
            if (name == key) == exact
                && tells_something(value)
                && !into.contains_key(name)
                && takes(value, room)
            {
                into.insert(name.to_owned(), value.clone());
            }
        }
    }
}

fn tells_something(value: &Value<'_>) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => says_something(value),
    }
}

/// Takes room for a value and all values within it. If there is not enough room, it takes none and returns `false`.
fn takes(value: &Value<'_>, room: &mut usize) -> bool {
    fn left(value: &Value<'_>, room: usize) -> Option<usize> {
        let room = room.checked_sub(1)?;
        match value {
            Value::Array(items) => items.iter().try_fold(room, |room, item| left(item, room)),
            Value::Object(fields) => fields
                .values()
                .try_fold(room, |room, item| left(item, room)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(room),
        }
    }
    let after = left(value, *room);
    *room = after.unwrap_or(*room);
    after.is_some()
}

/// Whether these values are few enough to be copied for an expression, with those within them.
pub(crate) fn few<'v, 't: 'v>(values: impl IntoIterator<Item = &'v Value<'t>>) -> bool {
    let mut room = MAX_VALUES;
    values.into_iter().all(|value| takes(value, &mut room))
}

/// The id of the visitor's session: Kustomer's own, in any spelling, or else RudderStack's.
pub(crate) fn session(message: &Value<'_>) -> Option<String> {
    let rudderstack = || {
        let session = message.get("context").and_then(|c| c.get("sessionId"));
        let session = session.or_else(|| message.get("session_id"));
        session.and_then(identity::id_text)
    };
    kustomers_own(message, "kustomerSessionId").or_else(rudderstack)
}

/// Kustomer's id of the visitor, in any spelling.
pub(crate) fn tracking_id(message: &Value<'_>) -> Option<String> {
    kustomers_own(message, "kustomerTrackingId")
}

/// The id in the field of that name, in the properties, the context or the message itself.
fn kustomers_own(message: &Value<'_>, name: &str) -> Option<String> {
    let parts = [
        message.get("properties"),
        message.get("context"),
        Some(message),
    ];
    let mut fields = parts
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(Map::iter);
    fields.find_map(|(key, value)| {
        if same_name(key, name) {
            identity::id_text(value)
        } else {
            None
        }
    })
}

/// Whether two names are the same except for case, blanks, `_` and `-`.
fn same_name(left: &str, right: &str) -> bool {
    fn kept(name: &str) -> impl Iterator<Item = u8> + '_ {
        name.bytes()
            .filter(|b| !matches!(b, b' ' | b'_' | b'-'))
            .map(|b| b.to_ascii_lowercase())
    }
    kept(left).eq(kept(right))
}
