//! What an expression can see.

use std::cell::OnceCell;

use super::fault::Failed;
use super::meter::Meter;
use crate::decode::segment;
use crate::event::{CustomerHints, Event};
use crate::value::{Map, Value};
use ingest_model::record::Record;

/// What an expression sees of an event: its content, envelope and record. The values are built when first used.
pub struct Scope<'a> {
    /// The content: `.`.
    pub payload: &'a Value<'a>,
    event: Option<&'a Event<'a>>,
    record: Option<&'a Record>,
    event_value: OnceCell<Value<'static>>,
    record_value: OnceCell<Value<'static>>,
    /// What the file names with `let`, and each value once it is known.
    lets: Option<&'a dyn Lets>,
    let_values: OnceCell<Vec<OnceCell<Result<Value<'static>, Failed>>>>,
    /// The scope of the record, and the item of a list that this one is for.
    item: Option<(&'a Scope<'a>, &'a Value<'a>, usize)>,
    /// What the evaluations for this record have used.
    meter: Meter,
}

/// The values that a file names with `let`, by their places.
pub(in crate::mapping) trait Lets: Sync {
    /// How many there are.
    fn len(&self) -> usize;
    /// The part of the content, or the constant, that a value is; `None` if it is computed.
    fn part<'a>(
        &'a self,
        index: usize,
        scope: &'a Scope<'a>,
    ) -> Option<Result<&'a Value<'a>, Failed>>;
    /// Computes a value.
    fn compute<'a>(&'a self, index: usize, scope: &'a Scope<'a>) -> Result<Value<'a>, Failed>;
}

/// The fields of `$event` that can be had without the others.
const CHEAP: &[&str] = &[
    "name",
    "id",
    "time",
    "source",
    "deleted",
    "customer",
    "anonymousId",
    "snapshot",
];
/// Those that tell of the source.
const OF_SOURCE: &[&str] = &["version", "subject"];
/// Those that are costly to build.
const COSTLY: &[&str] = &["session", "trackingId", "traits", "attributes", "before"];

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the content must not be shown
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

impl<'a> Scope<'a> {
    /// The scope of an event and its record.
    #[must_use]
    pub fn new(event: &'a Event<'a>, record: &'a Record) -> Self {
        Self {
            event: Some(event),
            ..Self::of_payload(&event.payload, Some(record))
        }
    }

    /// The fields that `$event` may have.
    pub(super) fn fields() -> impl Iterator<Item = &'static str> {
        CHEAP.iter().chain(OF_SOURCE).chain(COSTLY).copied()
    }

    /// The scope before there is an event: `$event` is empty.
    #[must_use]
    pub fn of_payload(payload: &'a Value<'a>, record: Option<&'a Record>) -> Self {
        Self {
            payload,
            event: None,
            record,
            event_value: OnceCell::new(),
            record_value: OnceCell::new(),
            lets: None,
            let_values: OnceCell::new(),
            item: None,
            meter: Meter::default(),
        }
    }

    /// The same, with what the file names.
    #[must_use]
    pub(in crate::mapping) fn with_lets(self, lets: &'a dyn Lets) -> Self {
        Self {
            lets: (lets.len() > 0).then_some(lets),
            ..self
        }
    }

    /// The scope of one item of a list.
    #[must_use]
    pub(in crate::mapping) fn of_item(&'a self, item: &'a Value<'a>, index: usize) -> Self {
        Self {
            item: Some((self, item, index)),
            event: self.event,
            ..Self::of_payload(self.payload, self.record)
        }
    }

    /// Whether it is that of an item.
    #[must_use]
    pub(in crate::mapping) fn is_of_item(&self) -> bool {
        self.item.is_some()
    }

    /// The scope of the record.
    fn root(&self) -> &Scope<'a> {
        self.item.map_or(self, |(root, _, _)| root)
    }

    /// The steps that the evaluations for this record have taken.
    pub(crate) fn steps(&self) -> u64 {
        self.meter().used()
    }

    /// What the evaluations for this record have used.
    pub(super) fn meter(&self) -> &Meter {
        &self.root().meter
    }

    /// `$item` and `$index`.
    pub(super) fn item(&self) -> Option<(&'a Value<'a>, usize)> {
        self.item.map(|(_, item, index)| (item, index))
    }

    /// The value of a `let`. It is computed at most once for a record; a path into the content is followed each time.
    pub(super) fn named(&'a self, index: usize) -> Result<&'a Value<'a>, Failed> {
        let root: &'a Scope<'a> = match self.item {
            Some((root, _, _)) => root,
            None => self,
        };
        let Some(lets) = root.lets else {
            return Ok(&Value::Null);
        };
        if let Some(part) = lets.part(index, root) {
            return part;
        }
        let cells = root
            .let_values
            .get_or_init(|| (0..lets.len()).map(|_| OnceCell::new()).collect());
        let Some(cell) = cells.get(index) else {
            return Ok(&Value::Null);
        };
        let computed = cell.get_or_init(|| lets.compute(index, root).map(Value::into_owned));
        computed.as_ref().map_err(Clone::clone)
    }

    /// `$event`.
    pub(super) fn event(&self) -> &Value<'static> {
        self.root().event_value.get_or_init(|| {
            let mut map = Map::new();
            let Some(event) = self.event else {
                return Value::Object(map);
            };
            for name in CHEAP {
                let value = self.event_field(name).unwrap_or_default();
                map.insert(*name, value.into_owned());
            }
            let message = (event.source == segment::SOURCE).then_some(&event.payload);
            let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
            for name in ["session", "trackingId", "traits"] {
                let value = match name {
                    "session" => text(message.and_then(segment::session)),
                    "trackingId" => text(message.and_then(segment::tracking_id)),
                    _ => Value::Object(message.map(segment::traits).unwrap_or_default()),
                };
                map.insert(name, value.into_owned());
            }
            match &event.more {
                None => {
                    let time = map.get("time").cloned();
                    map.insert("version", time.unwrap_or_default());
                }
                Some(more) => {
                    let few = Some(&more.attributes).filter(|all| segment::few(all.values()));
                    let attributes = few.map(|all| Value::Object(all.clone()).into_owned());
                    let before = more.before.as_ref();
                    let before = before.filter(|before| segment::few([*before]));
                    let before = before.map(|before| before.clone().into_owned());
                    map.insert("version", text(event.version()));
                    map.insert("subject", text(more.subject.clone()));
                    map.insert("attributes", attributes.unwrap_or_default());
                    map.insert("before", before.unwrap_or_default());
                }
            }
            Value::Object(map)
        })
    }

    /// Whether a field of `$event` can be had without the others; `false` for those that are costly to build.
    pub(super) fn has_cheap_field(name: &str) -> bool {
        !COSTLY.contains(&name)
    }

    /// A field of `$event`, without the others; `None` if it is costly to build.
    pub(super) fn event_field(&self, name: &str) -> Option<Value<'a>> {
        if !Self::has_cheap_field(name) {
            return None;
        }
        let Some(event) = self.event else {
            return Some(Value::Null);
        };
        let text = |text: Option<&'a str>| text.map_or(Value::Null, Value::text);
        Some(match name {
            "name" => Value::text(&event.name),
            "id" => text(event.id.as_deref()),
            // with all digits of the fraction, because versions are made of it
            "time" => event
                .time
                .map_or(Value::Null, |time| Value::from(time.to_string())),
            "source" => Value::text(event.source),
            "deleted" => Value::from(event.deleted),
            "customer" => customer_value(&event.customer),
            "anonymousId" => text(event.customer.anonymous_id.as_deref()),
            "version" => event.version().map_or(Value::Null, Value::from),
            "subject" => text(event.more.as_ref().and_then(|more| more.subject.as_deref())),
            "snapshot" => Value::from(event.is_snapshot()),
            _ => Value::Null,
        })
    }

    /// `$record`.
    pub(super) fn record(&self) -> &Value<'static> {
        self.root().record_value.get_or_init(|| {
            self.record
                .map_or_else(|| Value::Object(Map::new()), record_value)
        })
    }
}

/// The keys of the customer in the envelope; null if there are none.
fn customer_value(hints: &CustomerHints) -> Value<'_> {
    let keys = [
        ("id", &hints.id),
        ("externalId", &hints.external_id),
        ("email", &hints.email),
        ("phone", &hints.phone),
    ];
    let mut map = Map::new();
    for (name, key) in keys {
        if let Some(key) = key {
            map.insert(name, Value::text(key));
        }
    }
    if map.is_empty() {
        Value::Null
    } else {
        Value::Object(map)
    }
}

fn record_value(record: &Record) -> Value<'static> {
    let text = |bytes: &bytes::Bytes| {
        std::str::from_utf8(bytes).map_or(Value::Null, |text| Value::from(text.to_owned()))
    };
    let mut headers = Map::new();
    for header in &record.headers {
        // if a name is repeated, the last value counts
        headers.insert(
            header.name.clone(),
            header.value.as_ref().map_or(Value::Null, text),
        );
    }
    let partition = &record.position.partition;
    let mut map = Map::new();
    map.insert("topic", Value::from(partition.topic.as_str().to_owned()));
    map.insert("partition", Value::from(partition.partition.0));
    map.insert("offset", Value::from(record.position.offset.0));
    map.insert(
        "timestamp",
        record.timestamp_ms.map_or(Value::Null, Value::from),
    );
    map.insert("key", record.key.as_ref().map_or(Value::Null, text));
    map.insert("headers", Value::Object(headers));
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::Expr;
    use super::*;
    use crate::decode::{Decoder, Format, Limits};
    use crate::value::json;
    use ingest_model::record::{Offset, Position, TopicPartition};

    fn record(value: &Value<'_>) -> Record {
        Record {
            position: Position {
                partition: TopicPartition::new("quay", 3),
                offset: Offset(11),
            },
            key: None,
            value: Some(value.to_string().into()),
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    fn event(record: &Record) -> Event<'_> {
        let decoder = Decoder::new(Format::Json, Limits::default());
        decoder.decode(record).unwrap()
    }

    fn both_ways(text: &str) -> [Expr; 2] {
        [
            Expr::compile(text).unwrap(),
            Expr::compile_interpreted(text).unwrap(),
        ]
    }

    #[test]
    fn a_path_finds_what_the_interpreter_finds() {
        let record = record(&json!({
            "type": "Moored", "id": "m-1", "time": "2026-04-05T06:07:08.25Z", "a": {"b": [1]},
        }));
        let event = event(&record);
        let scope = Scope::new(&event, &record);
        for (text, wanted) in [
            ("$event.name", json!("Moored")),
            ("$event.id", json!("m-1")),
            ("$event.time", json!("2026-04-05T06:07:08.25Z")),
            ("$event.source", json!("json")),
            ("$event.deleted", json!(false)),
            ("$event.customer", json!(null)),
            ("$event.customer.email", json!(null)),
            ("$event.anonymousId", json!(null)),
            ("$event.session", json!(null)),
            ("$event.traits", json!({})),
            ("$event.nothing", json!(null)),
            ("$event.name | length", json!(6)),
            ("$record.offset", json!(11)),
            (".a.b", json!([1])),
            ("$event.version", json!("2026-04-05T06:07:08.25Z")),
            ("$event.subject", json!(null)),
            ("$event.snapshot", json!(false)),
            ("$event.attributes", json!(null)),
            ("$event.before", json!(null)),
            ("[$event | paths] | length", json!(12)),
            (
                "$event | [.version, .snapshot]",
                json!(["2026-04-05T06:07:08.25Z", false]),
            ),
            ("[path($event.name)?] | length", json!(0)),
        ] {
            for expr in both_ways(text) {
                let found = expr.eval(&scope).unwrap().unwrap_or_default();
                assert_eq!(found, wanted, "{text}");
            }
        }
    }

    #[test]
    fn a_text_of_the_event_is_not_copied_however_often_it_is_read() {
        let id = "x".repeat(400_000);
        let items = vec![0; 20_000];
        let record = record(&json!({"type": "Moored", "id": id, "a": items}));
        let event = event(&record);
        let scope = Scope::new(&event, &record);
        for expr in both_ways("$event.id") {
            let found = expr.eval(&scope).unwrap();
            assert!(matches!(found, Some(Value::String(Cow::Borrowed(_)))));
        }
        for expr in both_ways("[.a[] | {id: $event.id}] | length") {
            let scope = Scope::new(&event, &record);
            assert_eq!(expr.eval(&scope).unwrap(), Some(json!(20_000)));
        }
        for expr in both_ways("[.a[] | $event.id]") {
            let scope = Scope::new(&event, &record);
            assert!(expr.eval(&scope).unwrap_err().exhausted, "what is kept");
        }
    }
}
