//! Reading keys, times and states from the object that a webhook is about.
//!
//! An id of a vendor's customer is no id of the shop's: Stripe's `cus_1` and Shopify's `1` are put into spaces of their own
//! (`stripe:cus_1`, `shopify:1`), so that two people never share one external id.

use jiff::{SignedDuration, Timestamp};

use super::super::super::envelope::says_something;
use super::super::super::time;
use crate::event::{KeyKind, Notes, Versioned};
use crate::identity::{self, MAX_ID_CHARS, Unusable};
use crate::value::{Map, Value};

/// The value at a path of fields. A number in the path is a place in a list.
pub(super) fn at<'v, 't>(object: &'v Map<'t>, path: &str) -> Option<&'v Value<'t>> {
    let mut names = path.split('.');
    let first = object.get(names.next()?)?;
    names.try_fold(first, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            value.get(name)
        }
    })
}

/// The text in a field, cleaned and not empty.
pub(super) fn text(object: &Map<'_>, field: &str) -> Option<String> {
    let text = identity::cleaned(object.get(field)?.as_str()?);
    (!text.is_empty()).then(|| text.into_owned())
}

/// The id at a path.
pub(super) fn id_at(object: &Map<'_>, path: &str) -> Option<String> {
    identity::id_text(at(object, path)?)
}

/// The first id at these paths.
pub(super) fn first_id(object: &Map<'_>, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| id_at(object, path))
}

/// The key at the first of these paths that has one. Values that are no keys are noted.
pub(super) fn first_key(
    object: &Map<'_>,
    paths: &[&'static str],
    kind: KeyKind,
    notes: &mut Notes,
) -> Option<String> {
    let read = match kind {
        KeyKind::Email => identity::email,
        KeyKind::Phone => identity::phone,
        KeyKind::Id => identity::kustomer_id,
        KeyKind::ExternalId => identity::external_id,
    };
    paths
        .iter()
        .find_map(|path| notes.key(path, kind, read(at(object, path)?)))
}

/// The external id in the vendor's space of ids, from an id of the vendor's. `field` is where it was found.
pub(super) fn in_space(
    space: &str,
    field: &'static str,
    id: &Value<'_>,
    notes: &mut Notes,
) -> Option<String> {
    let key = identity::external_id(id).and_then(|id| match id {
        Some(id) => {
            let spaced = format!("{space}:{id}");
            let fits = spaced.chars().count() <= MAX_ID_CHARS;
            if fits {
                Ok(Some(spaced))
            } else {
                Err(Unusable::Illegal)
            }
        }
        None => Ok(None),
    });
    notes.key(field, KeyKind::ExternalId, key)
}

/// The first plausible time at these paths, `reference` being the record's own. A time that cannot be used is noted.
pub(super) fn first_time_at(
    object: &Map<'_>,
    paths: &[&'static str],
    reference: Option<Timestamp>,
    notes: &mut Notes,
) -> Option<Timestamp> {
    paths.iter().find_map(|path| {
        let value = at(object, path).filter(|value| says_something(value))?;
        time::noted(path, value, reference, notes)
    })
}

/// What states are compared by: the time, and where it has whole seconds, also the place of the state in its order. Of two states
/// of the same second, the one that is further on is newer: the place becomes the milliseconds.
pub(super) fn versioned(time: Option<Timestamp>, place: usize) -> Versioned {
    let Some(time) = time else {
        return Versioned::ByTime;
    };
    let is_whole = time.subsec_nanosecond() == 0;
    let place = if is_whole { place.min(999) } else { 0 };
    let place = SignedDuration::from_millis(i64::try_from(place).unwrap_or(999));
    Versioned::By(time.checked_add(place).unwrap_or(time).to_string())
}

/// The place of a word in a list, counted from one; zero if it is not in it.
pub(super) fn place(word: Option<&str>, order: &[&str]) -> usize {
    let place = word.and_then(|word| order.iter().position(|known| *known == word));
    place.map_or(0, |place| place + 1)
}
