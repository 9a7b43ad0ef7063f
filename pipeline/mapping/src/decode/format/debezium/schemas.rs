//! Values that stand beside their schema: `{"schema": …, "payload": …}`.
//!
//! A converter writes the schema of a table into each of its values, where it is most of the text, and always the same. So what
//! was read of a schema is remembered by its whole text, and a value that begins with that text is read from behind it. Whatever
//! is not exactly in this form is read as any other JSON: the result is the same, and so are its errors.
//!
//! Each thread remembers for itself, in a bounded table: of a topic the last two schemas (a change of a table is rare, and
//! rows of both come for a while), as long as no other topic takes their place.

use std::borrow::Cow;
use std::cell::RefCell;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::rc::Rc;

use super::super::super::{json, mend};
use crate::value::{Map, Value};

/// The places of the table; two topics may meet in one.
const PLACES: usize = 128;
/// The longest schema that is remembered: it may have some thousand columns.
const MAX_TEXT: usize = 256 * 1024;
/// The texts that are remembered together. What is kept of a schema besides takes about twice as much as its text.
const MAX_TEXTS: usize = 1024 * 1024;
/// All that is looked at in a schema.
const LOOKED_AT: &[&str] = &["field", "fields", "items", "name", "parameters", "scale"];

/// A schema, read with its value or remembered.
pub(super) enum Schema<'t> {
    Read(Value<'t>),
    Known(Rc<Value<'static>>),
}

/// Which part of a record has the schema: the two have schemas of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Key,
    Value,
}

/// A schema that was seen.
struct Known {
    text: Box<str>,
    /// What is looked at in it.
    schema: Rc<Value<'static>>,
    /// How deep its text is nested.
    levels: usize,
}

/// The schemas that this thread has seen.
struct Table {
    /// In each place the last two, the later one first.
    places: Vec<[Option<Known>; 2]>,
    /// The bytes of all texts.
    bytes: usize,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::new(Table::new());
}

/// Schema and payload of a text that is a value beside its schema, both objects, in the form that converters write; `None` if it
/// is anything else, or is nested deeper than these levels. The text must be within all other limits.
pub(super) fn split<'t>(
    topic: &str,
    part: Part,
    text: &'t str,
    levels: usize,
) -> Option<(Schema<'t>, Value<'t>)> {
    let rest = text.strip_prefix("{\"schema\":")?;
    rest.starts_with('{').then_some(())?;
    let levels = levels.min(json::MAX_DEPTH - 1).checked_sub(1)?;
    TABLE.with_borrow_mut(|table| {
        let place = place(topic, part);
        let found = table.find(place, rest);
        let known = match found {
            Some(known) => known,
            None => table.learn(place, rest)?,
        };
        let payload = rest
            .strip_prefix(&*known.text)?
            .strip_prefix(",\"payload\":")?
            .strip_suffix('}')?;
        let payload = match json::read_mended(payload).ok()? {
            payload @ Value::Object(_) => payload,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => return None,
        };
        let fits = known.levels <= levels && !json::deeper_than(&payload, levels);
        fits.then(|| (Schema::Known(Rc::clone(&known.schema)), payload))
    })
}

/// The place of a topic's schemas.
fn place(topic: &str, part: Part) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((topic, part));
    usize::try_from(hash % PLACES as u64).unwrap_or_default()
}

/// What is looked at in a schema.
fn looked_at(schema: &Value<'_>) -> Value<'static> {
    match schema {
        Value::Array(items) => Value::Array(items.iter().map(looked_at).collect()),
        Value::Object(fields) => {
            let fields = fields.iter();
            let kept: Vec<_> = fields
                .filter_map(|(name, value)| {
                    let name = LOOKED_AT.iter().find(|known| **known == name)?;
                    Some((Cow::Borrowed(*name), looked_at(value)))
                })
                .collect();
            let mut map = Map::with_capacity(kept.len());
            for (name, value) in kept {
                map.insert(name, value);
            }
            Value::Object(map)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            schema.clone().into_owned()
        }
    }
}

/// How deep a value is nested.
fn levels_of(value: &Value<'_>) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels_of).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(levels_of).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

// === impl Schema ===

impl<'t> Schema<'t> {
    pub(super) fn value(&self) -> &Value<'t> {
        match self {
            Self::Read(value) => value,
            Self::Known(value) => value,
        }
    }
}

// === impl Table ===

impl Table {
    fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| [None, None]).collect(),
            bytes: 0,
        }
    }

    /// The schema that this text begins with. It is the first in its place from now on.
    fn find(&mut self, place: usize, text: &str) -> Option<&Known> {
        let begins = |known: &Option<Known>| {
            let known = known.as_ref();
            known.is_some_and(|known| text.starts_with(&*known.text))
        };
        let seen = self.places.get_mut(place)?;
        let at = seen.iter().position(begins)?;
        seen.swap(0, at);
        let [first, _] = seen;
        first.as_ref()
    }

    /// Reads the schema that this text begins with, and remembers it.
    fn learn(&mut self, place: usize, text: &str) -> Option<&Known> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value<'_>>();
        let schema = values.next()?.ok()?;
        let own = text.get(..values.byte_offset())?;
        if own.len() > MAX_TEXT || matches!(mend::mended(own), Cow::Owned(_)) {
            return None;
        }
        if self.bytes + own.len() > MAX_TEXTS {
            *self = Self::new();
        }
        let known = Known {
            text: own.into(),
            levels: levels_of(&schema),
            schema: Rc::new(looked_at(&schema)),
        };
        let [first, second] = self.places.get_mut(place)?;
        let forgotten = second.take().map_or(0, |known| known.text.len());
        self.bytes = self.bytes + own.len() - forgotten;
        *second = first.replace(known);
        first.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::super::unwrapped;
    use super::*;
    use crate::decode::Limits;
    use proptest::prelude::*;

    /// What is in a text, read as any JSON.
    fn read(text: &str, depth: usize) -> Option<(Option<Value<'static>>, Value<'static>)> {
        let limits = Limits {
            depth,
            ..Limits::default()
        };
        let (schema, payload) = unwrapped(json::parse(text.as_bytes(), limits).ok()?);
        let schema = schema.map(|schema| looked_at(schema.value()));
        Some((schema, payload.into_owned()))
    }

    /// The same with what is remembered, where it is of use.
    fn quick(text: &str, depth: usize) -> Option<(Option<Value<'static>>, Value<'static>)> {
        let (schema, payload) = split("shop.orders", Part::Value, text, depth)?;
        Some((
            Some(schema.value().clone().into_owned()),
            payload.into_owned(),
        ))
    }

    fn nested(levels: usize) -> String {
        format!(
            "{}{}",
            "{\"a\":".repeat(levels - 1) + "{",
            "}".repeat(levels)
        )
    }

    const SCHEMA: &str = r#"{"type":"struct","fields":[{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"10"},"field":"total"}],"name":"shop"}"#;

    fn beside(schema: &str, payload: &str) -> String {
        format!("{{\"schema\":{schema},\"payload\":{payload}}}")
    }

    #[test]
    fn what_is_remembered_reads_as_the_whole_text_does() {
        for payload in [
            r#"{"id":18446744073709551616,"at":1.0,"note":"\ud83d ä"}"#,
            r#"{"payload":{"schema":null},"payload":1}"#,
            r#"{ "a" : [ ] } "#,
            "{}",
        ] {
            let text = beside(SCHEMA, payload);
            for time in ["learnt", "known"] {
                assert_eq!(quick(&text, 128), read(&text, 128), "{payload} {time}");
                assert!(quick(&text, 128).is_some(), "{payload}");
            }
        }
    }

    #[test]
    fn any_other_form_is_left_to_the_reader_of_json() {
        quick(&beside(SCHEMA, "{}"), 128).expect("the usual form");
        for text in [
            // no row
            beside(SCHEMA, "null"),
            beside(SCHEMA, "[1]"),
            beside(SCHEMA, "\"{}\""),
            beside("null", "{}"),
            // the later of two counts, and a third makes it something else
            format!("{{\"schema\":{SCHEMA},\"payload\":{{}},\"payload\":{{\"a\":1}}}}"),
            format!("{{\"schema\":{SCHEMA},\"payload\":{{}},\"schema\":{{}}}}"),
            format!("{{\"schema\":{SCHEMA},\"schema\":{{}},\"payload\":{{}}}}"),
            format!("{{\"schema\":{SCHEMA},\"payload\":{{}},\"op\":\"c\"}}"),
            format!("{{\"payload\":{{}},\"schema\":{SCHEMA}}}"),
            // no JSON
            beside(SCHEMA, ""),
            beside(SCHEMA, "{}}"),
            beside(SCHEMA, "{\"a\":1e400}"),
            beside(SCHEMA, "{\"a\":01}"),
            beside(SCHEMA.strip_suffix('}').unwrap(), "{}"),
            format!("{{\"schema\":{SCHEMA}"),
            format!("{{\"schema\":{SCHEMA}}}"),
            format!("{{\"schema\":{SCHEMA},\"payload\":{{}}"),
            // a text that would be repaired
            beside(r#"{"name":"\ud83d"}"#, "{}"),
            format!(" {}", beside(SCHEMA, "{}")),
        ] {
            assert_eq!(quick(&text, 128), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_deeper_than_it_may_be() {
        for levels in 1..=130 {
            for depth in [0, 1, 2, 5, 64, 125, 126, 127, 128, 200] {
                for text in [
                    beside(SCHEMA, &nested(levels)),
                    beside(&nested(levels), "{}"),
                ] {
                    let wanted = read(&text, depth);
                    assert_eq!(quick(&text, depth), wanted, "{levels} of {depth}");
                }
            }
        }
    }

    #[test]
    fn the_last_two_schemas_of_a_topic_are_known_and_all_are_bounded() {
        let mut table = Table::new();
        let schema = |n: usize| format!("{{\"name\":\"{n}\",\"doc\":\"{}\"}}", "x".repeat(1_000));
        let text = |n: usize| format!("{},\"payload\":{{}}}}", schema(n));
        for n in [1, 2, 3] {
            let known = table.learn(5, &text(n)).expect("a schema");
            assert_eq!(&*known.text, schema(n));
            // the rest of the schema is not kept
            assert_eq!(known.schema.to_string(), format!("{{\"name\":\"{n}\"}}"));
        }
        assert!(table.find(5, &text(1)).is_none() && table.find(4, &text(3)).is_none());
        for n in [2, 3, 2] {
            let known = table.find(5, &text(n)).expect("it is known");
            assert_eq!(&*known.text, schema(n));
        }
        table.learn(5, &text(4)).expect("a schema");
        assert!(table.find(5, &text(2)).is_some() && table.find(5, &text(3)).is_none());
        let long = |n: usize| format!("{{\"name\":\"{n}\",\"doc\":\"{}\"}}", "x".repeat(100_000));
        for n in 0..1_000 {
            table.learn(n % PLACES, &long(n)).expect("a schema");
            let kept = table.places.iter().flatten().flatten();
            let bytes: usize = kept.map(|known| known.text.len()).sum();
            assert!(bytes == table.bytes && bytes <= MAX_TEXTS, "{bytes}");
        }
        let too_long = format!("{{\"doc\":\"{}\"}}", "x".repeat(MAX_TEXT));
        assert!(table.learn(0, &too_long).is_none());
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            "[\"\\\\{}a-z,:]{0,6}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let name = prop_oneof![
                Just("schema".to_owned()),
                Just("fields".to_owned()),
                "[a-z\"]{0,3}"
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(name, inner, 0..4)
                    .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever stands there, and wherever the text is cut or changed: what is read is what the whole text says.
        #[test]
        fn it_is_never_something_else(
            schema in json(), payload in json(), cut in any::<prop::sample::Index>(), with in "[{}\",:a0 ]{0,2}",
        ) {
            let text = beside(&schema.to_string(), &payload.to_string());
            let mut at = cut.index(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let (before, after) = text.split_at(at);
            for text in [text.clone(), text.clone(), format!("{before}{with}{after}"), before.to_owned()] {
                if let Some(found) = quick(&text, 128) {
                    prop_assert_eq!(Some(found), read(&text, 128));
                }
            }
        }
    }
}
