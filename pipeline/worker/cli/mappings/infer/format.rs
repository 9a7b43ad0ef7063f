//! Which format a sample has, and where plain JSON says what an event is.

use std::collections::BTreeSet;

use ingest_mapping::decode::{Decoded, Decoder, Envelope, Format, Limits};
use ingest_mapping::event::Event;
use ingest_mapping::value::Value as Content;
use ingest_model::record::Record;
use serde_json::Value;

use crate::cli::mappings::drafts::personal::words;

/// The most specific first: what fits them fits the later ones, too.
const ORDER: &[Format] = &[
    Format::CloudEvents,
    Format::Debezium,
    Format::Stripe,
    Format::Easypost,
    Format::Aftership,
    Format::Shopify,
    Format::Woocommerce,
    Format::Bigcommerce,
    Format::Commercetools,
    Format::Segment,
    Format::Generic,
    Format::Json,
];
/// How many of the records of a sample are tried.
pub(super) const TRIED: usize = 500;
/// Fields that name an event, best first, by their words.
pub(super) const NAMES: &[&str] = &[
    "type",
    "name",
    "event",
    "eventtype",
    "eventname",
    "evt",
    "kind",
    "action",
    "activity",
    "messagetype",
    "recordtype",
    "topic",
    "operation",
    "op",
    "status",
    "state",
];
/// Those of them that say as often how a thing is as what happened.
const WEAK: &[&str] = &["status", "state"];
/// Objects that say what an event is, beside what it is about.
pub(super) const ENVELOPES: &[&str] = &[
    "header", "headers", "head", "hdr", "meta", "metadata", "envelope", "event", "message",
    "context", "info",
];
const IDS: &[&str] = &["id", "eventid", "messageid", "uuid", "guid", "recordid"];
const TIMES: &[&str] = &[
    "time",
    "timestamp",
    "createdat",
    "occurredat",
    "occurred",
    "happenedat",
    "eventtime",
    "ts",
    "at",
    "date",
    "datetime",
    "updatedat",
    "created",
    "completedat",
    "derivedtstamp",
    "collectortstamp",
];

/// A format, and what a mapping has to say of where things are.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) format: Format,
    /// How many of those that were tried it reads.
    pub(super) reads: usize,
    pub(super) tried: usize,
    /// Fields of plain JSON, where they are not the usual ones: the keys that lead to each.
    pub(super) name: Option<Vec<String>>,
    pub(super) id: Option<Vec<String>>,
    pub(super) time: Option<Vec<String>>,
    /// No field has the time.
    pub(super) is_timeless: bool,
    /// The expression for the events of a record that is a batch.
    pub(super) each: Option<String>,
}

impl Chosen {
    /// The first format that reads nine of ten records.
    pub(super) fn of(records: &[Record]) -> Self {
        let all = ORDER.iter().map(|format| {
            let mut one = Self::pinned(*format, records);
            // Any row of a table could be one that was unwrapped, so it has to say so.
            if *format == Format::Debezium && !records.iter().take(TRIED).any(is_debezium) {
                one.reads = 0;
            }
            one
        });
        let mut best: Option<Self> = None;
        for one in all {
            // What has a name of its own is an event in Connect's envelope; the rest of what comes with a schema is a row.
            if one.format == Format::Json && records.iter().take(TRIED).any(is_row) {
                let row = Self::pinned(Format::Debezium, records);
                if row.reads * 10 >= row.tried * 9 {
                    return row;
                }
            }
            if one.reads * 10 >= one.tried * 9 {
                return one;
            }
            if best.as_ref().is_none_or(|best| one.reads > best.reads) {
                best = Some(one);
            }
        }
        // what no format reads is told of as plain JSON, which every format is
        best.filter(|best| best.reads > 0)
            .unwrap_or_else(|| Self::pinned(Format::Json, records))
    }

    /// Plain JSON whose events have their names there.
    pub(super) fn named(name: &[String], records: &[Record]) -> Self {
        Self::read(Format::Json, Some(name), records)
    }

    /// This format.
    pub(super) fn pinned(format: Format, records: &[Record]) -> Self {
        Self::read(format, None, records)
    }

    fn read(format: Format, name: Option<&[String]>, records: &[Record]) -> Self {
        let step = (records.len() / TRIED).max(1);
        let tried: Vec<&Record> = records.iter().step_by(step).take(TRIED).collect();
        let mut chosen = Self {
            format,
            reads: 0,
            tried: tried.len(),
            name: name.map(<[String]>::to_vec),
            id: None,
            time: None,
            is_timeless: false,
            each: None,
        };
        if format == Format::Json {
            chosen.look_for_fields(&tried);
        }
        let decoder = Decoder::new(format, Limits::default());
        chosen.reads = tried
            .iter()
            .filter(|record| match event(&chosen, decoder, record) {
                Ok(_) => true,
                // A tombstone, or something that the format knows as not meant for anybody.
                Err(Decoded::Skip(_)) => record.value.is_some(),
                Err(Decoded::Reject(_)) => false,
            })
            .count();
        chosen
    }

    /// What is counted: events, where records are batches of them.
    pub(super) fn item(&self) -> &'static str {
        if self.each.is_some() {
            "event"
        } else {
            "record"
        }
    }

    /// Where plain JSON has name, id and time, if not where they usually are.
    fn look_for_fields(&mut self, tried: &[&Record]) {
        let parsed: Vec<Value> = tried
            .iter()
            .filter_map(|record| serde_json::from_slice(record.value.as_ref()?).ok())
            .collect();
        let usual = |names: &[&str]| {
            parsed
                .iter()
                .all(|one| names.iter().any(|name| says(one.get(*name))))
        };
        let mut within = None;
        if let Some([key, _]) = self.name.as_deref() {
            within = Some((key.clone(), inner(&parsed, key)));
        } else if self.name.is_none() && !usual(&["type", "name", "event"]) {
            let name = |parsed: &[Value], names: &[&str]| {
                field(parsed, names, 9, |values| {
                    // A name is one of few words.
                    let distinct: BTreeSet<&str> =
                        values.iter().filter_map(|value| value.as_str()).collect();
                    !distinct.is_empty() && distinct.len() <= (values.len() / 5).max(20)
                })
            };
            let strong: Vec<&str> = NAMES
                .iter()
                .filter(|name| !WEAK.contains(name))
                .copied()
                .collect();
            self.name = name(&parsed, &strong).map(|name| vec![name]);
            if self.name.is_none() {
                // What is always the same says less than what differs.
                let differs = |parsed: &[Value], name: &String| {
                    let values = parsed.iter().filter_map(|one| one.get(name)?.as_str());
                    values.collect::<BTreeSet<_>>().len() > 1
                };
                let weak = name(&parsed, WEAK).filter(|name| differs(&parsed, name));
                let mut envelopes = envelopes(&parsed).into_iter();
                within = envelopes.find_map(|(key, inner)| {
                    let name = name(&inner, &strong)?;
                    if weak.is_some() && !differs(&inner, &name) {
                        return None;
                    }
                    self.name = Some(vec![key.clone(), name]);
                    Some((key, inner))
                });
            }
            self.name = self
                .name
                .take()
                .or_else(|| name(&parsed, WEAK).map(|name| vec![name]));
        }
        let id = |parsed: &[Value]| field(parsed, IDS, 5, |_| true);
        let time = |parsed: &[Value]| {
            field(parsed, TIMES, 5, |values| {
                let times = values.iter().filter(|value| is_time(value)).count();
                times * 10 >= values.len() * 9
            })
        };
        // where the name is, the others are first looked for
        if let Some((key, inner)) = within {
            self.id = id(&inner).map(|id| vec![key.clone(), id]);
            self.time = time(&inner).map(|time| vec![key, time]);
        }
        if self.id.is_none() && !usual(&["id"]) {
            let id = id(&parsed).filter(|name| name != "id");
            self.id = id.map(|id| vec![id]);
        }
        let has_time = usual(&["time"]) || usual(&["timestamp"]) || usual(&["created_at"]);
        if self.time.is_none() && !has_time {
            self.time = time(&parsed).map(|time| vec![time]);
            self.is_timeless = self.time.is_none();
        }
    }
}

/// What each of these has under a key.
fn inner(parsed: &[Value], key: &str) -> Vec<Value> {
    let inner = parsed
        .iter()
        .map(|one| one.get(key).cloned().unwrap_or_default());
    inner.collect()
}

/// The objects at the top that nearly all have and that may say what an event is: the key, and what is in each.
fn envelopes(parsed: &[Value]) -> Vec<(String, Vec<Value>)> {
    let keys: BTreeSet<&String> = parsed
        .iter()
        .filter_map(Value::as_object)
        .flat_map(serde_json::Map::keys)
        .filter(|key| ENVELOPES.contains(&&*words(key).concat()))
        .collect();
    let within = |key: &String| (key.clone(), inner(parsed, key));
    keys.into_iter().map(within).collect()
}

/// The value of a record, if it is JSON.
fn parsed(record: &Record) -> Option<Value> {
    let value = record.value.as_ref()?;
    serde_json::from_slice(value).ok()
}

/// Whether a record comes with its schema, as Kafka Connect writes it.
fn is_row(record: &Record) -> bool {
    parsed(record).is_some_and(|value| {
        let of_struct = value
            .pointer("/schema/type")
            .is_some_and(|kind| kind == "struct");
        let payload = value.get("payload");
        of_struct && payload.is_some_and(Value::is_object)
    })
}

/// Whether a record has the fields that only Debezium writes.
fn is_debezium(record: &Record) -> bool {
    let Some(value) = parsed(record) else {
        return false;
    };
    let row = value
        .get("payload")
        .filter(|payload| payload.is_object())
        .unwrap_or(&value);
    let has = |name: &str| row.get(name).is_some();
    let unwrapped = ["__op", "__table", "__deleted", "__source_ts_ms"];
    (has("op") && (has("source") || has("after") || has("before")))
        || unwrapped.into_iter().any(has)
}

/// Whether a value is a time that the decoders read.
pub(super) fn is_time(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.len() >= 8
                && text.contains(['-', ':'])
                && ingest_mapping::decode::time::parse_text(text).is_some()
        }
        Value::Number(number) => number.as_f64().is_some_and(is_epoch),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether a number counts seconds, milliseconds or less, up to a time of this century.
pub(super) fn is_epoch(number: f64) -> bool {
    let mut units = [1.0, 1.0e3, 1.0e6, 1.0e9].into_iter();
    units.any(|unit| (1.0e9 * unit..2.5e9 * unit).contains(&number))
}

fn says(value: Option<&Value>) -> bool {
    value.is_some_and(|value| match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    })
}

/// The first field of these names that so many of ten records have, and whose values will do. Id and time may be missing in what
/// nobody wants, such as a sign of life.
fn field(
    parsed: &[Value],
    names: &[&str],
    of_ten: usize,
    fits: impl Fn(&[&Value]) -> bool,
) -> Option<String> {
    let keys: BTreeSet<&String> = parsed
        .iter()
        .filter_map(Value::as_object)
        .flat_map(serde_json::Map::keys)
        .collect();
    names.iter().find_map(|wanted| {
        let mut called = keys.iter().filter(|key| words(key).concat() == **wanted);
        called.find_map(|key| {
            let values: Vec<&Value> = parsed
                .iter()
                .filter_map(|one| one.get(*key))
                .filter(|value| says(Some(value)))
                .collect();
            let often = values.len() * 10 >= parsed.len() * of_ten && !values.is_empty();
            (often && fits(&values)).then(|| (*key).clone())
        })
    })
}

/// The event of a record.
pub(super) fn event<'t>(
    chosen: &Chosen,
    decoder: Decoder,
    record: &'t Record,
) -> Result<Event<'t>, Decoded> {
    let content = decoder.content(record)?;
    let said = |field: &Option<Vec<String>>| -> Option<Content<'static>> {
        let mut keys = field.as_ref()?.iter();
        let value = keys.try_fold(&content.value, |value, key| value.get(key));
        Some(value.cloned().unwrap_or_default().into_owned())
    };
    let envelope = Envelope {
        name: said(&chosen.name),
        id: said(&chosen.id),
        time: said(&chosen.time),
        deleted: None,
    };
    decoder.event(content, record, &envelope)
}
