//! JSON objects as text: what operations say and requests carry.
//!
//! A body is serialized once, by whoever makes it. From then on it is its text: its size is the text's length, and a request
//! carries the text as it is. Where two bodies meet, their fields are laid over each other as texts ([`Fields`]), so no number is
//! read and written again. Only [`Body::parse`] makes a tree of values.

mod fields;
mod text;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use siphasher::sip::SipHasher13;

pub use self::fields::Fields;
pub use self::text::{Part, Parts};

/// A JSON object as compact text; cheap to clone. It is serialized and shown as the object that it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    text: Arc<str>,
    fingerprint: u64,
}

/// What fingerprints are made with. Fixed, because they are compared with those of earlier processes.
const FINGERPRINTS: (u64, u64) = (0x6b75_7374_6f6d_6572, 0x2d69_6e67_6573_742e);
/// Writes one JSON object into a text, field by field. No name may be written twice: an object with a name twice is invalid
/// for the API.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut String,
    begin: usize,
    first: bool,
}

/// The bytes of an ordinary body.
const USUAL: usize = 1_024;

/// Keeps a text up to its limit, and counts all of it.
struct Bounded {
    text: Vec<u8>,
    bytes: usize,
    limit: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        if self.bytes <= self.limit {
            self.text.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    /// Nothing is ever written in part.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes).map(|_all| ())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// === impl Body ===

impl Body {
    /// A body of about that many bytes, whose fields `write` writes.
    pub fn written(bytes: usize, write: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut text = String::with_capacity(bytes);
        let mut writer = Writer::begin(&mut text);
        write(&mut writer);
        writer.end();
        Self::of_text(&text)
    }

    /// The body with these fields, if its text has at most that many bytes; else how many it would have. No more than those
    /// are ever kept. The fields must serialize as an object whose names are texts.
    ///
    /// # Errors
    /// The bytes of the text that is too long.
    pub fn within(limit: usize, fields: &impl Serialize) -> Result<Self, usize> {
        let mut out = Bounded {
            text: Vec::with_capacity(USUAL),
            bytes: 0,
            limit,
        };
        // Only names that are no texts, and writers, can fail.
        serde_json::to_writer(&mut out, fields).map_err(|_none| usize::MAX)?;
        if out.bytes > limit {
            return Err(out.bytes);
        }
        let text = String::from_utf8(out.text).map_err(|_none| usize::MAX)?;
        Ok(Self::of_text(&text))
    }

    /// The text of a JSON object without space between its parts, as `serde_json` and [`Writer`] write it.
    fn of_text(text: &str) -> Self {
        Self {
            text: Arc::from(text),
            fingerprint: SipHasher13::new_with_keys(FINGERPRINTS.0, FINGERPRINTS.1)
                .hash(text.as_bytes()),
        }
    }

    /// The object as text, without space between its parts.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The bytes of the text.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// A hash of the text, the same in every process and in every version of the worker.
    ///
    /// ```
    /// # use ingest_model::body::Body;
    /// assert_eq!(Body::default().fingerprint(), 0xdd94_6405_9c7c_96f2);
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether it has no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields_text().is_empty()
    }

    /// Its fields as texts, in order.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.text)
    }

    /// Whether it has a field of that name. The name needs no escapes.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.text.contains(name) && self.parts().any(|part| part.name == name)
    }

    /// Its fields, to be changed.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        self.parts().collect()
    }

    /// Its fields as values. Numbers keep their digits.
    ///
    /// ```
    /// # use ingest_model::body::Body;
    /// # use serde_json::{Map, Value};
    /// let map = Map::from_iter([("totalNum".to_owned(), Value::from(20.1)), ("id".to_owned(), Value::from(u64::MAX))]);
    /// let body = Body::from(&map);
    /// assert_eq!(body.as_str(), r#"{"totalNum":20.1,"id":18446744073709551615}"#);
    /// assert_eq!(body.parse(), map);
    /// ```
    #[must_use]
    pub fn parse(&self) -> Map<String, Value> {
        text::map_of(self.parts())
    }

    /// The text between the braces.
    fn fields_text(&self) -> &str {
        let inner = self.text.strip_prefix('{');
        inner
            .and_then(|inner| inner.strip_suffix('}'))
            .unwrap_or_default()
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::of_text("{}")
    }
}

impl From<&Map<String, Value>> for Body {
    fn from(map: &Map<String, Value>) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "only names that are no texts, and writers, can fail"
        )]
        let text = serde_json::to_string(map).expect("a JSON value can be written");
        Self::of_text(&text)
    }
}

impl From<Map<String, Value>> for Body {
    fn from(map: Map<String, Value>) -> Self {
        Self::from(&map)
    }
}

impl From<&Fields<'_>> for Body {
    fn from(fields: &Fields<'_>) -> Self {
        Self::of_text(&fields.to_text())
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parse().fmt(f)
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parse().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(|map| Self::from(&map))
    }
}

// === impl Writer ===

impl<'o> Writer<'o> {
    /// Begins an object at the end of this text.
    pub fn begin(out: &'o mut String) -> Self {
        let begin = out.len();
        out.push('{');
        Self {
            out,
            begin,
            first: true,
        }
    }

    /// A field with a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        text::quoted(self.out, value);
    }

    /// A field with a whole number.
    pub fn whole(&mut self, name: &str, value: i64) {
        self.number(name, value);
    }

    /// A field with a number, as it is shown.
    pub fn number(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        // a text takes whatever is written
        _ = write!(self.out, "{value}");
    }

    /// A field with a value that is JSON already.
    pub fn json(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push_str(value);
    }

    /// A field with an object.
    pub fn object(&mut self, name: &str, value: &Body) {
        self.name(name);
        self.out.push_str(value.as_str());
    }

    /// A field with an object whose fields `write` writes.
    pub fn nested(&mut self, name: &str, write: impl FnOnce(&mut Writer<'_>)) {
        self.name(name);
        self.inner(write);
    }

    /// A field with a list of objects, of each of which `write` writes the fields.
    pub fn objects<T>(
        &mut self,
        name: &str,
        of: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Writer<'_>, T),
    ) {
        self.name(name);
        self.out.push('[');
        for (place, item) in of.into_iter().enumerate() {
            if place > 0 {
                self.out.push(',');
            }
            self.inner(|writer| write(writer, item));
        }
        self.out.push(']');
    }

    fn inner(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        let mut writer = Writer::begin(self.out);
        write(&mut writer);
        writer.end();
    }

    /// All fields of a body.
    pub fn fields(&mut self, of: &Body) {
        if !of.is_empty() {
            self.separate();
            self.out.push_str(of.fields_text());
        }
    }

    /// Ends the object.
    pub fn end(self) {
        self.out.push('}');
        debug_assert!(
            has_each_name_once(self.out.get(self.begin..).unwrap_or_default()),
            "a name stands twice"
        );
    }

    fn name(&mut self, name: &str) {
        self.separate();
        text::quoted(self.out, name);
        self.out.push(':');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
    }
}

fn has_each_name_once(object: &str) -> bool {
    let mut names = BTreeSet::new();
    Parts::of(object).all(|part| names.insert(part.name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn body(value: &Value) -> Body {
        value.as_object().map(Body::from).unwrap()
    }

    /// Any JSON value of a few levels.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text(), inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{0,4}",
            r#"["\\{}\[\],:]{0,4}"#,
            "\\PC{0,6}",
            "[\\x00-\\x7f]{0,6}"
        ]
    }

    fn map() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::vec((text(), value()), 0..6)
            .prop_map(|fields| fields.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_body_is_the_object_it_was_made_of(map in map()) {
            let body = Body::from(&map);
            prop_assert_eq!(body.as_str(), Value::Object(map.clone()).to_string());
            let parsed = body.parse();
            // The order of fields counts, and so does the last digit of a number.
            prop_assert_eq!(format!("{parsed:?}"), format!("{map:?}"));
            prop_assert_eq!(format!("{body:?}"), format!("{map:?}"));
            prop_assert_eq!(&Body::from(&parsed), &body);
            prop_assert_eq!(&Body::from(&body.fields()), &body);
            prop_assert_eq!(body.is_empty(), map.is_empty());
            let names: Vec<String> = body.parts().map(|part| part.name().into_owned()).collect();
            prop_assert_eq!(names, map.keys().cloned().collect::<Vec<_>>());
        }

        #[test]
        fn a_body_that_is_too_long_says_how_long_it_is(map in map(), limit in 0_usize..200) {
            let size = Value::Object(map.clone()).to_string().len();
            let expected = if size > limit { Err(size) } else { Ok(Body::from(&map)) };
            prop_assert_eq!(Body::within(limit, &map), expected);
        }

        #[test]
        fn fields_are_put_where_a_map_would_put_them(under in map(), over in map()) {
            let (below, above) = (Body::from(&under), Body::from(&over));
            let mut fields = below.fields();
            for part in above.parts() {
                fields.put(part.name, part.value);
            }
            let mut expected = under;
            expected.extend(over);
            let merged = Body::from(&fields);
            prop_assert_eq!(merged.as_str(), Value::Object(expected).to_string());
        }

        #[test]
        fn what_is_written_around_a_body_is_one_object(map in map(), reference in text(), rev: i64) {
            let body = Body::from(&map);
            let all = Body::written(100, |writer| {
                writer.text("first \"name\"", &reference);
                writer.fields(&body);
                writer.whole("last name", rev);
                writer.object("inner name", &body);
            });
            let mut expected = Map::from_iter([("first \"name\"".to_owned(), Value::from(reference))]);
            expected.extend(map.clone());
            expected.insert("last name".to_owned(), Value::from(rev));
            expected.insert("inner name".to_owned(), Value::Object(map));
            prop_assert_eq!(all.as_str(), Value::Object(expected).to_string());
        }
    }

    #[test]
    fn a_recording_shows_a_body_as_the_object_it_is() {
        let said = json!({"title": "Boots \"XL\"", "custom": {"totalNum": 20.10, "idNum": i64::MIN}, "data": null});
        let body = body(&said);
        assert_eq!(serde_json::to_value(&body).unwrap(), said);
        let read: Body = serde_json::from_str(&said.to_string()).unwrap();
        assert_eq!(read, body);
        assert!(serde_json::from_str::<Body>("[1]").is_err());
    }

    #[test]
    fn the_last_digit_of_a_number_stays() {
        // Read the quick way, some of them come out as their neighbours.
        for number in [
            0.1 + 0.2,
            122.416_294_033_786_58,
            f64::MIN_POSITIVE,
            -0.0,
            1e300,
            5e-324,
        ] {
            let body = body(&json!({"custom": {"totalNum": number}}));
            let read = body.parse()["custom"]["totalNum"].as_f64().unwrap();
            assert_eq!(read.to_bits(), number.to_bits(), "{number}");
        }
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_version() {
        let boots = |total: f64| {
            body(&json!({"externalId": "o1", "title": "Boots", "custom": {"totalNum": total}}))
        };
        assert_eq!(boots(20.5).fingerprint(), 0x2f02_8bd0_579e_1272);
        assert_ne!(boots(20.25).fingerprint(), boots(20.5).fingerprint());
    }

    #[test]
    fn a_body_may_be_deep() {
        let mut deep = json!(1);
        for _ in 0..400 {
            deep = json!([deep]);
        }
        let body = body(&json!({ "data": deep }));
        assert_eq!(body.parse()["data"], deep);
    }
}
